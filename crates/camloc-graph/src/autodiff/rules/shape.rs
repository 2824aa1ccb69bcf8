//! Operators that give the same values another shape.

use super::super::call::{Answer, Call, Missing, Size};
use super::super::gradient::Gradient;
use crate::onnx::build::{int, ints};

/// Any change of shape that keeps the order: `Reshape`, `Flatten`, `Squeeze`, `Unsqueeze`.
pub(super) fn reshape(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let (input, output) = (call.input(0)?, call.output()?);
    if let Some(classes) = call.one_hot()
        && is_class_column(&call.shape(input)?, &call.shape(output)?)
    {
        return Ok(Some(Gradient::OneHot(classes.to_owned())));
    }
    let (gradient, spread) = call.gradient()?;
    if let Some(kept) = same_along(call, &spread) {
        let mut sizes: Vec<Size> = call.lead_size().into_iter().collect();
        sizes.extend(
            (0..call.rank(input)?)
                .map(|axis| if kept.contains(&axis) { Size::Known(1) } else { call.size(input, axis) }),
        );
        return Ok(Some(Gradient::spread(call.reshape(&gradient, &sizes), kept)));
    }
    let gradient = call.fill(&gradient, &spread, output)?;
    Ok(Some(Gradient::dense(call.shaped(&gradient, input)?)))
}

/// The axes of the input along which the gradient is the same, if it is along these of the output: where
/// a run of axes became another run of axes, of which all are among them.
fn same_along(call: &Call<'_, '_>, spread: &[usize]) -> Option<Vec<usize>> {
    if spread.is_empty() {
        return None;
    }
    let (before, after) = (call.shape(call.input(0).ok()?).ok()?, call.shape(call.output().ok()?).ok()?);
    let open = |shape: &[Option<i64>]| shape.iter().filter(|size| size.is_none()).count();
    // An open size that stands in front on both sides is the same, if the rest is.
    let batch = usize::from(before.first() == Some(&None) && after.first() == Some(&None));
    if (open(&before), open(&after)) != (batch, batch) {
        return None;
    }
    let size = |shape: &[Option<i64>], axis: usize| shape[axis].unwrap_or(1);
    let places = |shape: &[Option<i64>]| -> i64 { shape.iter().map(|size| size.unwrap_or(1)).product() };
    if places(&before) != places(&after) || places(&before) == 0 {
        return None;
    }
    let (mut kept, mut i, mut o) = (Vec::new(), batch, batch);
    while i < before.len() || o < after.len() {
        let (first, run, mut uniform, mut place, mut other) = (i, o, true, 1, 1);
        let mut step = |o: &mut usize, other: &mut i64| {
            uniform &= spread.contains(o) || after[*o] == Some(1);
            *other *= size(&after, *o);
            *o += 1;
        };
        if i < before.len() {
            place = size(&before, i);
            i += 1;
        } else {
            step(&mut o, &mut other);
        }
        while place != other {
            if place < other {
                place *= size(&before, i);
                i += 1;
            } else {
                step(&mut o, &mut other);
            }
        }
        if uniform {
            kept.extend(first..i);
        } else if spread.iter().any(|&axis| (run..o).contains(&axis) && after[axis] != Some(1)) {
            // The same along a part of a run only.
            return None;
        }
    }
    spread.iter().all(|axis| *axis >= batch).then_some(kept)
}

/// Whether both shapes hold one value a class for each picture: `[N, C]`, perhaps with axes of 1 behind.
fn is_class_column(input: &[Option<i64>], output: &[Option<i64>]) -> bool {
    let column = |shape: &[Option<i64>]| shape.iter().skip(2).all(|&size| size == Some(1));
    input.len() >= 2 && input[..2] == output[..output.len().min(2)] && column(input) && column(output)
}

/// A permutation of the axes; undone by its inverse.
pub(super) fn transpose(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let (gradient, spread) = call.gradient()?;
    let rank = call.rank(call.input(0)?)?;
    let perm = call.operator().permutation(rank);
    let perm = perm.ok_or_else(|| Missing::because("its perm does not name every axis once"))?;
    let mut inverse = vec![0; rank];
    perm.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
    let perm_attribute = ints("perm", &call.permutation(&inverse));
    let back = call.op("Transpose", &[&gradient], vec![perm_attribute]);
    let spread = spread.into_iter().filter_map(|axis| perm.get(axis).copied());
    Ok(Some(Gradient::spread(back, spread.collect())))
}

/// Repeated by broadcasting: the sum of all copies.
pub(super) fn expand(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let (gradient, spread) = call.gradient()?;
    call.unbroadcast(gradient, spread, call.output()?, call.input(0)?).map(Some)
}

/// Repeated side by side: the sum of all copies.
pub(super) fn tile(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let (input, repeats) = (call.input(0)?, call.input(1)?);
    let known = call.graph.ints(repeats);
    let known = known.ok_or_else(|| Missing::because("how often it repeats is computed when it runs"))?;
    let gradient = call.dense()?;
    let mut sizes: Vec<Size> = call.lead_size().into_iter().collect();
    let mut copies = Vec::new();
    for (axis, &repeat) in known.iter().enumerate() {
        if repeat != 1 {
            copies.push(sizes.len() as i64);
            sizes.push(Size::Known(repeat));
        }
        sizes.push(call.size(input, axis));
    }
    if copies.is_empty() {
        return Ok(Some(Gradient::dense(gradient)));
    }
    let split = call.reshape(&gradient, &sizes);
    let copies = call.graph.add_ints("camloc.copies", &copies);
    Ok(Some(Gradient::dense(call.op("ReduceSum", &[&split, &copies], vec![int("keepdims", 0)]))))
}

/// Blocks of channels laid out as blocks of places; undone.
pub(super) fn depth_to_space(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let (node, input, output) = (call.node, call.input(0)?, call.output()?);
    let block = node.int("blocksize").filter(|block| (1..=i64::from(u16::MAX)).contains(block));
    let block = block.ok_or_else(|| Missing::because("it has no usable blocksize"))?;
    let gradient = call.dense()?;
    let folded = call.fold(&gradient, output)?;
    let back = match node.string("mode").unwrap_or("DCR") {
        "DCR" => call.op("SpaceToDepth", &[&folded], vec![int("blocksize", block)]),
        _ => {
            let Size::Known(channels) = call.size(input, 1) else { return Err(Missing::shape(input)) };
            let [whole, kept] = [channels, channels / (block * block)].map(Size::Known);
            let ([height, width], batch) = ([2, 3].map(|axis| call.size(input, axis)), Size::Known(-1));
            let block = Size::Known(block);
            let split = [batch.clone(), kept, height.clone(), block.clone(), width.clone(), block];
            let split = call.reshape(&folded, &split);
            let turned = call.op("Transpose", &[&split], vec![ints("perm", &[0, 1, 3, 5, 2, 4])]);
            call.reshape(&turned, &[batch, whole, height, width])
        }
    };
    Ok(Some(Gradient::dense(call.unfold(&back, input)?)))
}

/// Blocks of places laid out as blocks of channels; undone.
pub(super) fn space_to_depth(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let (input, output) = (call.input(0)?, call.output()?);
    let block = int("blocksize", call.node.int_or("blocksize", 1));
    let gradient = call.dense()?;
    let folded = call.fold(&gradient, output)?;
    let back = call.op("DepthToSpace", &[&folded], vec![block]);
    Ok(Some(Gradient::dense(call.unfold(&back, input)?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, away_from};
    use crate::onnx::build::{i64_tensor, int, ints, node, string};

    /// Behind a mean over all places the gradient is the same along axes; a change of shape may join, part or
    /// mix those.
    #[test]
    fn reshape_of_what_is_the_same_along_axes() {
        let shapes: [&[i64]; 5] = [&[2, 3, 20], &[2, 60, 1], &[2, 3, 2, 10], &[6, 4, 5], &[2, 6, 2, 5]];
        for (to, open) in shapes.into_iter().flat_map(|to| [(to, false), (to, true)]) {
            Check::of(node("Reshape", "n", &["x", "to"], &["r"], vec![]))
                .then(node("GlobalAveragePool", "m", &["r"], &["y"], vec![]))
                .constants(&[i64_tensor("to", &[to.len() as i64], to)])
                .input("x", &[2, 3, 4, 5], away_from(&[]))
                .open(open)
                .f32_only()
                .holds();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn expand(own in prop::collection::vec(prop::sample::select(&[1, 1, 3][..]), 1..4), before in 0..2_usize, open: bool) {
            let to: Vec<i64> = std::iter::repeat_n(2, before).chain(own.iter().map(|&size| size.max(2))).collect();
            Check::of(node("Expand", "n", &["x", "to"], &["y"], vec![]))
                .constants(&[i64_tensor("to", &[to.len() as i64], &to)])
                .input("x", &own, away_from(&[]))
                .open(open)
                .holds();
        }

        #[test]
        fn tile(sizes in prop::collection::vec(1..4_i64, 1..4), repeats in prop::collection::vec(1..4_i64, 3), open: bool) {
            Check::of(node("Tile", "n", &["x", "repeats"], &["y"], vec![]))
                .constants(&[i64_tensor("repeats", &[sizes.len() as i64], &repeats[..sizes.len()])])
                .input("x", &sizes, away_from(&[]))
                .open(open)
                .holds();
        }

        #[test]
        fn blocks(block in 1..4_i64, h in 1..4_i64, w in 1..4_i64, mode in prop::sample::select(&["DCR", "CRD"][..]), open: bool) {
            let wide = [2, 2 * block * block, h, w];
            let attributes = vec![int("blocksize", block), string("mode", mode)];
            Check::of(node("DepthToSpace", "n", &["x"], &["y"], attributes)).input("x", &wide, away_from(&[])).open(open).holds();
            Check::of(node("SpaceToDepth", "n", &["x"], &["y"], vec![int("blocksize", block)]))
                .input("x", &[2, 2, h * block, w * block], away_from(&[]))
                .open(open)
                .holds();
        }
    }

    #[test]
    fn reshape() {
        let constants = [i64_tensor("to", &[3], &[0, -1, 2]), i64_tensor("axes", &[1], &[1])];
        for node in [
            node("Reshape", "n", &["x", "to"], &["y"], vec![]),
            node("Flatten", "n", &["x"], &["y"], vec![int("axis", 2)]),
            node("Squeeze", "n", &["x", "axes"], &["y"], vec![]),
            node("Unsqueeze", "n", &["x", "axes"], &["y"], vec![]),
        ] {
            Check::of(node).constants(&constants).input("x", &[2, 1, 4, 3], away_from(&[])).holds();
        }
    }

    #[test]
    fn transpose() {
        for attributes in [vec![], vec![ints("perm", &[1, 2, 0, 3])]] {
            Check::of(node("Transpose", "n", &["x"], &["y"], attributes))
                .input("x", &[2, 3, 4, 5], away_from(&[]))
                .holds();
        }
    }
}
