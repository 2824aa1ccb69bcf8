//! Picking values by index, and putting values by index: one is the other's gradient.

use super::super::call::{Answer, Call, Missing, Size};
use super::super::gradient::Gradient;
use super::place::{Begin, Fit, fit};
use crate::onnx::build::{int, ints, string};
use crate::onnx::proto::AttributeProto;

/// Picks along an axis.
pub(super) fn gather(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let (input, indices) = (call.input(0)?, call.input(1)?);
    let rank = call.rank(input)?;
    let axis = call.axis(rank)?;
    let depth = call.rank(indices)?;
    let gradient = call.dense()?;
    let gradient = one_axis(call, &gradient, axis, depth)?;
    let known = call.graph.ints(indices);
    match known.as_deref() {
        // One place, as a transformer's class token.
        Some(&[index]) => {
            let size = call.size(input, axis);
            let begin = match size {
                Size::Known(size) if !(-size..size).contains(&index) => {
                    return Err(Missing::because(format!("its index {index} is not below {size}")));
                }
                _ if index >= 0 => Begin::At(index),
                Size::Known(size) => Begin::At(index + size),
                ref open => {
                    let size = call.sizes(std::slice::from_ref(open));
                    let index = call.graph.add_ints("camloc.index", &[index]);
                    Begin::Computed(call.op("Add", &[&size, &index], vec![]))
                }
            };
            let fits =
                [Fit { axis: call.shifted(axis) as usize, begin, found: Size::Known(1), wanted: size }];
            let rank = rank + usize::from(call.lead().is_some());
            Ok(Some(Gradient::dense(fit(call, &gradient, rank, &fits))))
        }
        Some(known) if let Some(inverse) = inverse(known, &call.size(input, axis)) => {
            let inverse = call.graph.add_ints("camloc.inverse", &inverse);
            let back = call.op("Gather", &[&gradient, &inverse], vec![int("axis", call.shifted(axis))]);
            Ok(Some(Gradient::dense(back)))
        }
        _ => {
            // The indices, for each value of the gradient.
            let mut sizes = vec![Size::Known(-1)];
            sizes.extend((axis + 1..rank).map(|_| Size::Known(1)));
            let column = call.reshape(indices, &sizes);
            let shape = call.op("Shape", &[&gradient], vec![]);
            let column = call.op("Expand", &[&column, &shape], vec![]);
            scattered(call, input, &column, &gradient, axis)
        }
    }
}

/// The gradient of what was gathered, with one axis for all axes of the indices.
fn one_axis(call: &mut Call<'_, '_>, gradient: &str, axis: usize, depth: usize) -> Result<String, Missing> {
    let (input, output) = (call.input(0)?, call.output()?);
    match depth {
        0 => Ok(call.unsqueeze(gradient, &[axis])),
        1 => Ok(gradient.to_owned()),
        _ => {
            let mut sizes: Vec<Size> = call.lead_size().into_iter().collect();
            sizes.extend((0..axis).map(|axis| call.size(input, axis)));
            let picked: Option<i64> =
                (axis..axis + depth).try_fold(1, |product, axis| match call.size(output, axis) {
                    Size::Known(size) => Some(product * size),
                    Size::Of(..) => None,
                });
            sizes.push(Size::Known(picked.unwrap_or(-1)));
            sizes.extend((axis + 1..call.rank(input)?).map(|axis| call.size(input, axis)));
            Ok(call.reshape(gradient, &sizes))
        }
    }
}

/// Where each place of an axis went, if the indices are all of them, in some order.
fn inverse(indices: &[i64], size: &Size) -> Option<Vec<i64>> {
    if *size != Size::Known(indices.len() as i64) {
        return None;
    }
    let mut inverse = vec![-1; indices.len()];
    for (to, &from) in indices.iter().enumerate() {
        let from = if from < 0 { from + indices.len() as i64 } else { from };
        *inverse.get_mut(usize::try_from(from).ok()?)? = to as i64;
    }
    (!inverse.contains(&-1)).then_some(inverse)
}

/// Values added to zeros of the shape of `input`'s gradient, at indices of the values' own shape.
fn scattered(call: &mut Call<'_, '_>, input: &str, indices: &str, values: &str, axis: usize) -> Answer {
    let zeros = call.zeros(input, input)?;
    let attributes = vec![int("axis", call.shifted(axis)), string("reduction", "add")];
    Ok(Some(Gradient::dense(call.op("ScatterElements", &[&zeros, indices, values], attributes))))
}

/// Picks along an axis, at each place another one.
pub(super) fn gather_elements(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let (input, indices) = (call.input(0)?, call.input(1)?);
    let axis = call.axis(call.rank(input)?)?;
    let gradient = call.dense()?;
    let indices = for_each_gradient(call, indices)?;
    scattered(call, input, &indices, &gradient, axis)
}

/// Indices that every gradient uses: with the axis of K in front, where that is there.
fn for_each_gradient(call: &mut Call<'_, '_>, indices: &str) -> Result<String, Missing> {
    if call.lead().is_none() {
        return Ok(indices.to_owned());
    }
    let shape = call.gradient_shape(indices)?;
    Ok(call.op("Expand", &[indices, &shape], vec![]))
}

/// Puts or adds values along an axis, at each place to another one.
pub(super) fn scatter_elements(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let adds = adds(call)?;
    let (data, indices) = (call.input(0)?, call.input(1)?);
    let axis = call.axis(call.rank(data)?)?;
    let at = vec![int("axis", call.shifted(axis))];
    match position {
        0 if adds => super::pass::identity(call, 0),
        0 => {
            let gradient = call.dense()?;
            let zeros = call.zeros(indices, data)?;
            let indices = for_each_gradient(call, indices)?;
            Ok(Some(Gradient::dense(call.op("ScatterElements", &[&gradient, &indices, &zeros], at))))
        }
        2 => {
            let gradient = call.dense()?;
            let indices = for_each_gradient(call, indices)?;
            Ok(Some(Gradient::dense(call.op("GatherElements", &[&gradient, &indices], at))))
        }
        _ => Ok(None),
    }
}

/// Whether values are added to what is there, and do not take its place.
fn adds(call: &Call<'_, '_>) -> Result<bool, Missing> {
    match call.node.string("reduction").unwrap_or("none") {
        "none" => Ok(false),
        "add" => Ok(true),
        other => Err(Missing::because(format!("its reduction {other}"))),
    }
}

/// Picks by several axes at once.
pub(super) fn gather_nd(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    if call.node.int_or("batch_dims", 0) != 0 {
        return Err(Missing::because("its batch_dims"));
    }
    let (input, indices, output) = (call.input(0)?, call.input(1)?, call.output()?);
    let gradient = call.dense()?;
    let gradient = lead_last(call, &gradient, output)?;
    let zeros = call.zeros(input, input)?;
    let zeros = lead_last(call, &zeros, input)?;
    let add = vec![string("reduction", "add")];
    let scattered = call.op("ScatterND", &[&zeros, indices, &gradient], add);
    Ok(Some(Gradient::dense(lead_first(call, &scattered, input)?)))
}

/// Puts or adds values by several axes at once.
pub(super) fn scatter_nd(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let adds = adds(call)?;
    let (data, indices) = (call.input(0)?, call.input(1)?);
    match position {
        0 if adds => super::pass::identity(call, 0),
        0 => {
            let gradient = call.dense()?;
            let gradient = lead_last(call, &gradient, data)?;
            let updates = call.input(2)?;
            let zeros = call.zeros(updates, data)?;
            let zeros = lead_last(call, &zeros, updates)?;
            let cleared = call.op("ScatterND", &[&gradient, indices, &zeros], vec![]);
            Ok(Some(Gradient::dense(lead_first(call, &cleared, data)?)))
        }
        2 => {
            let gradient = call.dense()?;
            let gradient = lead_last(call, &gradient, data)?;
            let picked = call.op("GatherND", &[&gradient, indices], vec![]);
            Ok(Some(Gradient::dense(lead_first(call, &picked, call.input(2)?)?)))
        }
        _ => Ok(None),
    }
}

/// A gradient with its axis of K behind, where indices of several axes do not count it.
fn lead_last(call: &mut Call<'_, '_>, gradient: &str, tensor: &str) -> Result<String, Missing> {
    let rank = call.rank(tensor)? as i64;
    let perm = (1..=rank).chain([0]).collect();
    Ok(moved(call, gradient, perm))
}

/// Undoes [`lead_last`].
fn lead_first(call: &mut Call<'_, '_>, gradient: &str, tensor: &str) -> Result<String, Missing> {
    let rank = call.rank(tensor)? as i64;
    let perm = [rank].into_iter().chain(0..rank).collect();
    Ok(moved(call, gradient, perm))
}

fn moved(call: &mut Call<'_, '_>, gradient: &str, perm: Vec<i64>) -> String {
    match call.lead() {
        None => gradient.to_owned(),
        Some(_) => {
            let perm: AttributeProto = ints("perm", &perm);
            call.op("Transpose", &[gradient], vec![perm])
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, away_from};
    use crate::onnx::build::{i64_tensor, int, node, string};

    /// Shapes of indices.
    const INDICES: &[&[i64]] = &[&[], &[1], &[3], &[2, 2], &[1, 1], &[4]];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn gather(
            sizes in prop::collection::vec(2..5_i64, 1..4),
            at in 0..3_usize,
            indices in prop::sample::select(INDICES),
            draw in prop::collection::vec(-4..4_i64, 4),
            permuted: bool,
            open: bool,
        ) {
            let axis = at % sizes.len();
            let size = sizes[axis];
            let count = indices.iter().product::<i64>() as usize;
            let (shape, values) = if permuted {
                (vec![size], (0..size).map(|place| place - (place % 2) * size).rev().collect())
            } else {
                (indices.to_vec(), draw[..count].iter().map(|value| value % size).collect::<Vec<_>>())
            };
            Check::of(node("Gather", "n", &["x", "i"], &["y"], vec![int("axis", axis as i64 - sizes.len() as i64)]))
                .constants(&[i64_tensor("i", &shape, &values)])
                .input("x", &sizes, away_from(&[]))
                .open(open)
                .holds();
        }

        #[test]
        fn elements(rows in 1..4_i64, draw in prop::collection::vec(-3..3_i64, 9), axis in -2..2_i64, open: bool) {
            let indices = if axis.rem_euclid(2) == 0 { [rows, 3] } else { [3, rows] };
            let values = &draw[..(3 * rows) as usize];
            let distinct: Vec<i64> = (0..3).flat_map(|at| { let mut row = vec![at, (at + 1) % 3, (at + 2) % 3]; row.truncate(rows as usize); row }).collect();
            let constants = [i64_tensor("i", &indices, values), i64_tensor("j", &[3, rows], &distinct)];
            Check::of(node("GatherElements", "n", &["x", "i"], &["y"], vec![int("axis", axis)]))
                .constants(&constants)
                .input("x", &[3, 3], away_from(&[]))
                .open(open)
                .holds();
            Check::of(node("ScatterElements", "n", &["x", "i", "u"], &["y"], vec![int("axis", axis), string("reduction", "add")]))
                .constants(&constants)
                .input("x", &[3, 3], away_from(&[]))
                .input("u", &indices, away_from(&[]))
                .holds();
            Check::of(node("ScatterElements", "n", &["x", "j", "u"], &["y"], vec![int("axis", 1)]))
                .constants(&constants)
                .input("x", &[3, 3], away_from(&[]))
                .input("u", &[3, rows], away_from(&[]))
                .open(open)
                .holds();
        }
    }

    #[test]
    fn by_several_axes() {
        for (width, values) in
            [(1, &[2, 0, 1][..]), (2, &[2, 0, 0, 1, -1, 1]), (3, &[0, 1, 2, 2, 1, 0, 0, 0, 1])]
        {
            let constants = [i64_tensor("i", &[3, width], values)];
            let picked = [&[3], &[3, 2, 4][width as usize..]].concat();
            let x = [3, 2, 4];
            Check::of(node("GatherND", "n", &["x", "i"], &["y"], vec![]))
                .constants(&constants)
                .input("x", &x, away_from(&[]))
                .holds();
            for reduction in ["none", "add"] {
                Check::of(node(
                    "ScatterND",
                    "n",
                    &["x", "i", "u"],
                    &["y"],
                    vec![string("reduction", reduction)],
                ))
                .constants(&constants)
                .input("x", &x, away_from(&[]))
                .input("u", &picked, away_from(&[]))
                .holds();
            }
        }
    }
}
