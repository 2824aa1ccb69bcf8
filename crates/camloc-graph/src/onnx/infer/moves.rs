//! Shapes of what moves values about: reshaping, cutting, joining, gathering, resizing.

use crate::onnx::known::MAX_RANK;
use crate::onnx::known::size::{
    Size, Sizes, add, broadcast, divide, each, each_lossy, fixed, known, multiply, product,
};
use crate::onnx::operators::Operator;
use crate::onnx::operators::resize::Target;

pub(super) fn reshape(call: &Operator<'_>) -> Option<Sizes> {
    let given: Option<Sizes> =
        call.node.ints("shape").map(|shape| shape.iter().map(|&size| fixed(size)).collect());
    let Some(target) = given.as_deref().or_else(|| call.sizes(1)) else {
        // Of a target that is not known the number of entries is the new rank.
        let rank = known(*call.shape(1)?.first()?)?;
        return (0..=MAX_RANK as i64).contains(&rank).then(|| vec![None; rank as usize]);
    };
    let copies = call.node.int_or("allowzero", 0) == 0;
    let is_copied = |axis: usize| copies && target[axis] == fixed(0);
    let input = call.shape(0);
    let mut shape = Sizes::new();
    for (axis, &size) in target.iter().enumerate() {
        let size = size.filter(|worlds| worlds.iter().all(|&size| size >= 0));
        shape.push(if is_copied(axis) { input.and_then(|input| *input.get(axis)?) } else { size });
    }
    // A single size that is not known is what the others leave of the whole. Copied axes are on both
    // sides, so they need not be known.
    let holes = (0..shape.len()).filter(|&axis| !is_copied(axis) && shape[axis].is_none());
    if let ([hole], Some(input)) = (&holes.collect::<Vec<_>>()[..], input) {
        let kept = |axis: &usize| !is_copied(*axis);
        let whole: Sizes = (0..input.len())
            .filter(|axis| *axis >= target.len() || kept(axis))
            .map(|axis| input[axis])
            .collect();
        let rest: Sizes =
            (0..target.len()).filter(|axis| axis != hole && kept(axis)).map(|axis| shape[axis]).collect();
        shape[*hole] = divide(product(&whole), product(&rest));
    }
    Some(shape)
}

pub(super) fn squeeze(call: &Operator<'_>) -> Option<Sizes> {
    let (input, gone) = (call.shape(0)?, call.squeezed()?);
    Some((0..input.len()).filter(|axis| !gone.contains(axis)).map(|axis| input[axis]).collect())
}

pub(super) fn unsqueeze(call: &Operator<'_>) -> Option<Sizes> {
    let (input, added) = (call.shape(0)?, call.unsqueezed()?);
    let mut rest = input.iter();
    let dim = |axis| if added.contains(&axis) { fixed(1) } else { rest.next().copied().flatten() };
    Some((0..input.len() + added.len()).map(dim).collect())
}

pub(super) fn transpose(call: &Operator<'_>) -> Option<Sizes> {
    let Some(input) = call.shape(0) else { return call.node.ints("perm").map(|perm| vec![None; perm.len()]) };
    call.permutation(input.len())?.into_iter().map(|axis| input.get(axis).copied()).collect()
}

pub(super) fn expand(call: &Operator<'_>) -> Option<Sizes> {
    if let (Some(input), Some(target)) = (call.shape(0), call.sizes(1)) {
        return Some(broadcast(input, target));
    }
    let rank = known(*call.shape(1)?.first()?).filter(|rank| (0..=MAX_RANK as i64).contains(rank))? as usize;
    Some(broadcast(call.shape(0)?, &vec![None; rank]))
}

pub(super) fn concat(call: &Operator<'_>) -> Option<Sizes> {
    let shapes: Vec<Option<&[Size]>> = (0..call.node.input.len()).map(|index| call.shape(index)).collect();
    let rank = shapes.iter().flatten().next()?.len();
    let joined = call.axis(rank)?;
    let dim = |axis: usize| -> Size {
        let mut dims = shapes.iter().map(|shape| shape.and_then(|shape| *shape.get(axis)?));
        if axis == joined {
            dims.fold(fixed(0), add)
        } else {
            // All have this size; one that is the same in both worlds says most.
            dims.clone().find(|&dim| known(dim).is_some()).or_else(|| dims.find(Option::is_some))?
        }
    };
    Some((0..rank).map(dim).collect())
}

/// The shapes of all parts.
pub(super) fn split(call: &Operator<'_>) -> Vec<Option<Sizes>> {
    let Some((input, (axis, parts))) = call.shape(0).zip(call.split()) else { return Vec::new() };
    let shape = |part: Size| {
        let mut shape = input.to_vec();
        shape[axis] = part;
        Some(shape)
    };
    parts.into_iter().map(shape).collect()
}

pub(super) fn slice(call: &Operator<'_>) -> Option<Sizes> {
    let mut shape = call.shape(0)?.to_vec();
    let Some(cuts) = call.cuts(shape.len()) else { return Some(vec![None; shape.len()]) };
    for cut in cuts {
        shape[cut.axis] = cut.left_of(shape[cut.axis]);
    }
    Some(shape)
}

pub(super) fn pad(call: &Operator<'_>) -> Option<Sizes> {
    let mut shape = call.shape(0)?.to_vec();
    let Some(margins) = call.margins(shape.len()) else { return Some(vec![None; shape.len()]) };
    for margin in margins {
        shape[margin.axis] = add(add(shape[margin.axis], margin.begin), margin.end)
            .filter(|worlds| worlds.iter().all(|&size| size >= 0));
    }
    Some(shape)
}

pub(super) fn gather(call: &Operator<'_>) -> Option<Sizes> {
    let (data, indices) = (call.shape(0)?, call.shape(1)?);
    let axis = call.axis(data.len())?;
    Some([&data[..axis], indices, &data[axis + 1..]].concat())
}

pub(super) fn gather_nd(call: &Operator<'_>) -> Option<Sizes> {
    let (data, indices) = (call.shape(0)?, call.shape(1)?);
    let (&depth, places) = indices.split_last()?;
    let batch = usize::try_from(call.node.int_or("batch_dims", 0)).ok()?;
    let depth = usize::try_from(known(depth)?).ok()?;
    Some([places, data.get(batch.checked_add(depth)?..)?].concat())
}

pub(super) fn tile(call: &Operator<'_>) -> Option<Sizes> {
    let shape = call.shape(0)?;
    let Some(repeats) = call.sizes(1) else { return Some(vec![None; shape.len()]) };
    let dims = shape.iter().zip(repeats).map(|(&size, &times)| multiply(size, times));
    (shape.len() == repeats.len()).then(|| dims.collect())
}

/// `DepthToSpace`, or its inverse.
pub(super) fn blocks(call: &Operator<'_>, to_space: bool) -> Option<Sizes> {
    let &[batch, channels, height, width] = call.shape(0)? else { return None };
    let block = fixed(call.node.int("blocksize")?);
    let area = multiply(block, block);
    Some(if to_space {
        vec![batch, divide(channels, area), multiply(height, block), multiply(width, block)]
    } else {
        vec![batch, multiply(channels, area), divide(height, block), divide(width, block)]
    })
}

/// `Resize` and `Upsample`.
pub(super) fn resize(call: &Operator<'_>) -> Option<Sizes> {
    let mut shape = call.shape(0)?.to_vec();
    let open = Some(vec![None; shape.len()]);
    let axes = call.resized_axes(shape.len())?;
    let scales = match call.resize_target() {
        Target::Sizes(index) => {
            let Some(sizes) = call.sizes(index) else { return open };
            if !call.resize_stretches() {
                return keep_ratio(call, &axes, sizes);
            }
            for (&axis, &size) in axes.iter().zip(sizes) {
                shape[axis] = size.filter(|worlds| worlds.iter().all(|&size| size >= 0));
            }
            return Some(shape);
        }
        Target::Scales(index) => call.input(index).and_then(|scales| scales.floats()),
        Target::Factors(factors) => Some(factors),
    };
    let Some(scales) = scales.filter(|scales| scales.len() == axes.len() && !call.resize_crops()) else {
        return open;
    };
    for (&axis, scale) in axes.iter().zip(scales) {
        // In 32 bits, as the runtime computes it.
        let scaled = |[size]: [i64; 1]| Some((size as f32 * scale).floor() as i64).filter(|&size| size >= 0);
        shape[axis] = each_lossy([shape[axis]], scaled);
    }
    Some(shape)
}

/// The sizes that one common scale gives: the least or the greatest of those asked for.
fn keep_ratio(call: &Operator<'_>, axes: &[usize], sizes: &[Size]) -> Option<Sizes> {
    let mut shape = call.shape(0)?.to_vec();
    let larger = call.node.string("keep_aspect_ratio_policy") == Some("not_smaller");
    let known_all = |sizes: Sizes| sizes.into_iter().map(known).collect::<Option<Vec<i64>>>();
    let found = known_all(axes.iter().map(|&axis| shape[axis]).collect()).zip(known_all(sizes.to_vec()));
    let Some((from, to)) = found.filter(|(from, to)| from.len() == to.len()) else {
        axes.iter().for_each(|&axis| shape[axis] = None);
        return Some(shape);
    };
    let scales = from.iter().zip(&to).map(|(&from, &to)| to as f32 / from as f32);
    let scale = scales.reduce(|a, b| if larger { a.max(b) } else { a.min(b) })?;
    for (&axis, from) in axes.iter().zip(from) {
        shape[axis] = fixed((from as f32 * scale).round() as i64);
    }
    Some(shape)
}

pub(super) fn one_hot(call: &Operator<'_>) -> Option<Sizes> {
    let mut shape = call.shape(0)?.to_vec();
    let axis = call.axis(shape.len() + 1)?;
    shape.insert(axis, call.sizes(1).and_then(|depth| *depth.first()?));
    Some(shape)
}

/// How many numbers a `Range` has, if they are integers.
pub(super) fn range(call: &Operator<'_>) -> Size {
    let at = |index: usize| call.sizes(index).and_then(|value| *value.first()?);
    each([at(0), at(1), at(2)], |[start, limit, delta]| {
        let (span, delta) = (i128::from(limit) - i128::from(start), i128::from(delta));
        let steps =
            span.checked_div(delta)? + i128::from(span.checked_rem(delta)? != 0 && (span < 0) == (delta < 0));
        i64::try_from(steps.max(0)).ok()
    })
}
