//! Shapes of what takes axes together: reductions, products of matrices, Einstein sums.

use super::Call;
use super::size::{Size, Sizes, broadcast, fixed, known, product};

/// Which axes a `Reduce…` takes away, of a tensor of this rank.
pub(super) fn axes(call: &Call<'_>, rank: usize) -> Option<Vec<usize>> {
    let given = call.node.ints("axes").is_some() || call.node.input_at(1).is_some();
    let axes = if given { call.axes(rank, 1)? } else { Vec::new() };
    match axes.is_empty() && call.node.int_or("noop_with_empty_axes", 0) == 0 {
        true => Some((0..rank).collect()),
        false => Some(axes),
    }
}

pub(super) fn reduce(call: &Call<'_>) -> Option<Sizes> {
    let input = call.shape(0)?;
    match axes(call, input.len()) {
        Some(axes) => Some(without(call, input, &axes)),
        // Of axes known only at run time the rank alone follows.
        None => (call.node.int_or("keepdims", 1) != 0).then(|| vec![None; input.len()]),
    }
}

/// `ArgMax` and `ArgMin` take one axis.
pub(super) fn arg(call: &Call<'_>) -> Option<Sizes> {
    let input = call.shape(0)?;
    Some(without(call, input, &[call.axis(0, input.len())?]))
}

fn without(call: &Call<'_>, input: &[Size], axes: &[usize]) -> Sizes {
    let keep = call.node.int_or("keepdims", 1) != 0;
    let dims = input.iter().enumerate();
    let dims = dims.map(|(axis, &dim)| if axes.contains(&axis) { keep.then(|| fixed(1)) } else { Some(dim) });
    dims.flatten().collect()
}

pub(super) fn matmul(a: &[Size], b: &[Size]) -> Option<Sizes> {
    let ([a @ .., _], [_, ..]) = (a, b) else { return None };
    let (outer_a, rows) =
        a.split_last().map_or((&[][..], &[][..]), |(row, outer)| (outer, std::slice::from_ref(row)));
    let (outer_b, columns) = match b {
        [outer @ .., _, column] => (outer, std::slice::from_ref(column)),
        _ => (&[][..], &[][..]),
    };
    Some([&broadcast(outer_a, outer_b), rows, columns].concat())
}

pub(super) fn gemm(call: &Call<'_>, a: usize, b: usize) -> Option<Sizes> {
    let of = |index: usize, axis: usize| call.shape(index).and_then(|shape| *shape.get(axis)?);
    call.shape(a).or(call.shape(b))?;
    let rows = of(a, usize::from(call.node.int_or("transA", 0) != 0));
    Some(vec![rows, of(b, usize::from(call.node.int_or("transB", 0) == 0))])
}

pub(super) fn flatten(call: &Call<'_>) -> Option<Sizes> {
    let Some(input) = call.shape(0) else { return Some(vec![None, None]) };
    let axis = call.node.int_or("axis", 1);
    let axis = if axis == input.len() as i64 { input.len() } else { super::wrap_axis(axis, input.len())? };
    Some(vec![product(&input[..axis]), product(&input[axis..])])
}

/// An Einstein sum without an ellipsis.
pub(super) fn einsum(call: &Call<'_>) -> Option<Sizes> {
    let equation: String = call.node.string("equation")?.split_whitespace().collect();
    let (terms, output) = match equation.split_once("->") {
        Some((terms, output)) => (terms, Some(output)),
        None => (&equation[..], None),
    };
    if terms.contains('.') || terms.split(',').count() != call.node.input.len() {
        return None;
    }
    let mut sizes: std::collections::BTreeMap<char, (Size, usize)> = Default::default();
    for (index, term) in terms.split(',').enumerate() {
        let shape = call.shape(index);
        if shape.is_some_and(|shape| shape.len() != term.chars().count()) {
            return None;
        }
        for (axis, letter) in term.chars().enumerate() {
            let size = shape.and_then(|shape| shape[axis]);
            let (found, uses) = sizes.entry(letter).or_insert((None, 0));
            // A size of 1 is broadcast.
            *found = if known(*found).is_none_or(|size| size == 1) { size.or(*found) } else { *found };
            *uses += 1;
        }
    }
    match output {
        Some(output) => output.chars().map(|letter| Some(sizes.get(&letter)?.0)).collect(),
        None => Some(sizes.values().filter(|(_, uses)| *uses == 1).map(|(size, _)| *size).collect()),
    }
}
