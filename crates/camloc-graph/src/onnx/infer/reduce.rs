//! Shapes of what takes axes together: reductions, products of matrices, Einstein sums.

use crate::onnx::known::size::{Size, Sizes, broadcast, fixed, known, product};
use crate::onnx::operators::Operator;

pub(super) fn reduce(call: &Operator<'_>) -> Option<Sizes> {
    let input = call.shape(0)?;
    match call.reduced(input.len()) {
        Some(axes) => Some(without(call, input, &axes)),
        // Of axes known only at run time the rank alone follows.
        None => call.keeps_axes().then(|| vec![None; input.len()]),
    }
}

/// `ArgMax` and `ArgMin` take one axis.
pub(super) fn arg(call: &Operator<'_>) -> Option<Sizes> {
    let input = call.shape(0)?;
    Some(without(call, input, &[call.axis(input.len())?]))
}

fn without(call: &Operator<'_>, input: &[Size], axes: &[usize]) -> Sizes {
    let keep = call.keeps_axes();
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

pub(super) fn gemm(call: &Operator<'_>, a: usize, b: usize) -> Option<Sizes> {
    let of = |index: usize, axis: usize| call.shape(index).and_then(|shape| *shape.get(axis)?);
    call.shape(a).or(call.shape(b))?;
    let rows = of(a, usize::from(call.node.int_or("transA", 0) != 0));
    Some(vec![rows, of(b, usize::from(call.node.int_or("transB", 0) == 0))])
}

pub(super) fn flatten(call: &Operator<'_>) -> Option<Sizes> {
    let Some(input) = call.shape(0) else { return Some(vec![None, None]) };
    let behind = call.node.int("axis") == Some(input.len() as i64);
    let axis = if behind { input.len() } else { call.axis(input.len())? };
    Some(vec![product(&input[..axis]), product(&input[axis..])])
}

/// An Einstein sum without an ellipsis.
pub(super) fn einsum(call: &Operator<'_>) -> Option<Sizes> {
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
