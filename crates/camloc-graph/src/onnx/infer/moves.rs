//! Shapes of what moves values about: reshaping, cutting, joining, gathering, resizing.

use super::Call;
use super::size::{Size, Sizes, add, broadcast, divide, each, each_lossy, fixed, known, multiply, product};
use super::{MAX_RANK, wrap_axis};

pub(super) fn reshape(call: &Call<'_>) -> Option<Sizes> {
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

pub(super) fn squeeze(call: &Call<'_>) -> Option<Sizes> {
    let input = call.shape(0)?;
    let given = call.node.ints("axes").is_some() || call.node.input_at(1).is_some();
    let axes = match given {
        true => call.axes(input.len(), 1)?,
        // All of size 1 go; of an open size nobody knows.
        false => {
            let sizes: Vec<i64> = input.iter().map(|&size| known(size)).collect::<Option<_>>()?;
            (0..input.len()).filter(|&axis| sizes[axis] == 1).collect()
        }
    };
    Some((0..input.len()).filter(|axis| !axes.contains(axis)).map(|axis| input[axis]).collect())
}

pub(super) fn unsqueeze(call: &Call<'_>) -> Option<Sizes> {
    let input = call.shape(0)?;
    let rank = input.len().checked_add(call.list("axes", 1)?.len()).filter(|&rank| rank <= MAX_RANK)?;
    let axes = call.axes(rank, 1)?;
    let mut rest = input.iter();
    let dim = |axis| if axes.contains(&axis) { fixed(1) } else { rest.next().copied().flatten() };
    Some((0..rank).map(dim).collect())
}

pub(super) fn transpose(call: &Call<'_>) -> Option<Sizes> {
    let perm = call.node.ints("perm");
    let Some(input) = call.shape(0) else { return perm.map(|perm| vec![None; perm.len()]) };
    permutation(call, input.len())?.into_iter().map(|axis| input.get(axis).copied()).collect()
}

/// Where each axis of a transposed tensor comes from.
pub(super) fn permutation(call: &Call<'_>, rank: usize) -> Option<Vec<usize>> {
    match call.node.ints("perm") {
        Some(perm) => {
            perm.iter().map(|&axis| usize::try_from(axis).ok().filter(|&axis| axis < rank)).collect()
        }
        None => Some((0..rank).rev().collect()),
    }
}

pub(super) fn expand(call: &Call<'_>) -> Option<Sizes> {
    if let (Some(input), Some(target)) = (call.shape(0), call.sizes(1)) {
        return Some(broadcast(input, target));
    }
    let rank = known(*call.shape(1)?.first()?).filter(|rank| (0..=MAX_RANK as i64).contains(rank))? as usize;
    Some(broadcast(call.shape(0)?, &vec![None; rank]))
}

pub(super) fn concat(call: &Call<'_>) -> Option<Sizes> {
    let shapes: Vec<Option<&[Size]>> = (0..call.node.input.len()).map(|index| call.shape(index)).collect();
    let rank = shapes.iter().flatten().next()?.len();
    let joined = call.axis(1, rank)?;
    let dim = |axis: usize| -> Size {
        let mut dims = shapes.iter().map(|shape| shape.and_then(|shape| *shape.get(axis)?));
        match axis == joined {
            true => dims.fold(fixed(0), add),
            // All have this size; one that is the same in both worlds says most.
            false => dims.clone().find(|&dim| known(dim).is_some()).or_else(|| dims.find(Option::is_some))?,
        }
    };
    Some((0..rank).map(dim).collect())
}

/// The shapes of all parts.
pub(super) fn split(call: &Call<'_>) -> Vec<Option<Sizes>> {
    let count = call.node.output.len();
    let Some(input) = call.shape(0) else { return vec![None; count] };
    let Some(axis) = call.axis(0, input.len()) else { return vec![None; count] };
    let given = call.node.ints("split").is_some() || call.node.input_at(1).is_some();
    let sizes = call.list("split", 1);
    let part = |index: usize| -> Size {
        match (given, &sizes) {
            (true, Some(sizes)) => fixed(*sizes.get(index)?),
            (true, None) => *call.sizes(1)?.get(index)?,
            // Equal parts, but for the last.
            _ => each_lossy([input[axis]], |[size]| {
                let chunk = size.checked_add(count as i64 - 1)? / count as i64;
                Some((size - chunk.checked_mul(index as i64)?).clamp(0, chunk))
            }),
        }
    };
    let shape = |index| {
        let mut shape = input.to_vec();
        shape[axis] = part(index);
        Some(shape)
    };
    (0..count).map(shape).collect()
}

/// What a `Slice` takes of one axis.
pub(super) struct Cut {
    pub axis: usize,
    pub start: Size,
    pub end: Size,
    pub step: i64,
}

/// The cuts of a `Slice`; an entry that is not known leaves all of them unknown.
pub(super) fn cuts(call: &Call<'_>, rank: usize) -> Option<Vec<Cut>> {
    let given = |name: &str, index: usize| -> Option<Sizes> {
        match call.node.ints(name) {
            Some(values) => Some(values.iter().map(|&value| fixed(value)).collect()),
            None => call.sizes(index).map(<[_]>::to_vec),
        }
    };
    let (starts, ends) = (given("starts", 1)?, given("ends", 2)?);
    let has_axes = call.node.ints("axes").is_some() || call.node.input_at(3).is_some();
    let axes = if has_axes { call.axes(rank, 3)? } else { (0..rank.min(starts.len())).collect() };
    let steps = if call.node.input_at(4).is_some() { call.ints(4)? } else { vec![1; starts.len()] };
    let whole = axes.len() == starts.len() && ends.len() == starts.len() && steps.len() == starts.len();
    let cut =
        |index: usize| Cut { axis: axes[index], start: starts[index], end: ends[index], step: steps[index] };
    (whole && steps.iter().all(|&step| step != 0)).then(|| (0..starts.len()).map(cut).collect())
}

impl Cut {
    /// The first place taken and how many are, of `size`.
    pub(super) fn places(&self, size: i64, start: i64, end: i64) -> (i64, i64) {
        let wrap = |place: i64| if place < 0 { place.saturating_add(size) } else { place };
        let (low, high) = if self.step > 0 { (0, size) } else { (-1, size - 1) };
        let start = wrap(start).clamp(if self.step > 0 { 0 } else { -1 }, high.max(low));
        let end = wrap(end).clamp(low, high.max(low));
        let span = if self.step > 0 { end - start } else { start - end }.max(0) as u64;
        (start, span.div_ceil(self.step.unsigned_abs()) as i64)
    }

    /// What is left of an axis. A cut that stops at the same place in both worlds might not in a
    /// smaller one, unless it takes a single place.
    fn of(&self, size: Size) -> Size {
        let open = known(size).is_none();
        let left =
            each([size, self.start, self.end], |[size, start, end]| Some(self.places(size, start, end).1));
        left.filter(|[a, b]| !open || a != b || *a == 1)
    }
}

pub(super) fn slice(call: &Call<'_>) -> Option<Sizes> {
    let mut shape = call.shape(0)?.to_vec();
    let Some(cuts) = cuts(call, shape.len()) else { return Some(vec![None; shape.len()]) };
    for cut in cuts {
        shape[cut.axis] = cut.of(shape[cut.axis]);
    }
    Some(shape)
}

pub(super) fn pad(call: &Call<'_>) -> Option<Sizes> {
    let mut shape = call.shape(0)?.to_vec();
    let attribute = call.node.ints("pads").or_else(|| call.node.ints("paddings"));
    let attribute: Option<Sizes> = attribute.map(|pads| pads.iter().map(|&pad| fixed(pad)).collect());
    let axes = match call.node.input_at(3) {
        Some(_) => call.axes(shape.len(), 3),
        None => Some((0..shape.len()).collect()),
    };
    let pads = attribute.as_deref().or_else(|| call.sizes(1));
    let (Some(pads), Some(axes)) = (pads, axes) else { return Some(vec![None; shape.len()]) };
    if pads.len() != 2 * axes.len() {
        return None;
    }
    for (index, &axis) in axes.iter().enumerate() {
        shape[axis] = add(add(shape[axis], pads[index]), pads[index + axes.len()])
            .filter(|s| s.iter().all(|&s| s >= 0));
    }
    Some(shape)
}

pub(super) fn gather(call: &Call<'_>) -> Option<Sizes> {
    let (data, indices) = (call.shape(0)?, call.shape(1)?);
    let axis = call.axis(0, data.len())?;
    Some([&data[..axis], indices, &data[axis + 1..]].concat())
}

pub(super) fn gather_nd(call: &Call<'_>) -> Option<Sizes> {
    let (data, indices) = (call.shape(0)?, call.shape(1)?);
    let (&depth, places) = indices.split_last()?;
    let batch = usize::try_from(call.node.int_or("batch_dims", 0)).ok()?;
    let depth = usize::try_from(known(depth)?).ok()?;
    Some([places, data.get(batch.checked_add(depth)?..)?].concat())
}

pub(super) fn tile(call: &Call<'_>) -> Option<Sizes> {
    let shape = call.shape(0)?;
    let Some(repeats) = call.sizes(1) else { return Some(vec![None; shape.len()]) };
    let dims = shape.iter().zip(repeats).map(|(&size, &times)| multiply(size, times));
    (shape.len() == repeats.len()).then(|| dims.collect())
}

/// `DepthToSpace`, or its inverse.
pub(super) fn blocks(call: &Call<'_>, to_space: bool) -> Option<Sizes> {
    let &[batch, channels, height, width] = call.shape(0)? else { return None };
    let block = fixed(call.node.int("blocksize")?);
    let area = multiply(block, block);
    Some(match to_space {
        true => vec![batch, divide(channels, area), multiply(height, block), multiply(width, block)],
        false => vec![batch, multiply(channels, area), divide(height, block), divide(width, block)],
    })
}

/// `Resize` and `Upsample`.
pub(super) fn resize(call: &Call<'_>) -> Option<Sizes> {
    let mut shape = call.shape(0)?.to_vec();
    let rank = shape.len();
    let axes: Vec<usize> = match call.node.ints("axes") {
        Some(axes) => axes.iter().map(|&axis| wrap_axis(axis, rank)).collect::<Option<_>>()?,
        None => (0..rank).collect(),
    };
    let is_current = call.operator() == "Resize" && call.opset >= 11;
    if is_current && call.node.input_at(3).is_some() {
        let Some(sizes) = call.sizes(3) else { return Some(vec![None; rank]) };
        let kept = call.node.string("keep_aspect_ratio_policy").unwrap_or("stretch") == "stretch";
        for (&axis, &size) in axes.iter().zip(sizes) {
            shape[axis] = size.filter(|worlds| worlds.iter().all(|&size| size >= 0));
        }
        return if kept { Some(shape) } else { keep_ratio(call, &axes, sizes) };
    }
    let crops = call.node.string("coordinate_transformation_mode") == Some("tf_crop_and_resize");
    let scales = match call.node.find_attribute("scales") {
        Some(scales) => Some(scales.floats.clone()),
        None => call.input(if is_current { 2 } else { 1 }).and_then(|scales| scales.floats()),
    };
    let Some(scales) = scales.filter(|scales| scales.len() == axes.len() && !crops) else {
        return Some(vec![None; rank]);
    };
    for (&axis, scale) in axes.iter().zip(scales) {
        // In 32 bits, as the runtime computes it.
        let scaled = |[size]: [i64; 1]| Some((size as f32 * scale).floor() as i64).filter(|&size| size >= 0);
        shape[axis] = each_lossy([shape[axis]], scaled);
    }
    Some(shape)
}

/// The sizes that one common scale gives: the least or the greatest of those asked for.
fn keep_ratio(call: &Call<'_>, axes: &[usize], sizes: &[Size]) -> Option<Sizes> {
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

pub(super) fn one_hot(call: &Call<'_>) -> Option<Sizes> {
    let mut shape = call.shape(0)?.to_vec();
    let axis = call.axis(-1, shape.len() + 1)?;
    shape.insert(axis, call.sizes(1).and_then(|depth| *depth.first()?));
    Some(shape)
}

/// How many numbers a `Range` has, if they are integers.
pub(super) fn range(call: &Call<'_>) -> Size {
    let at = |index: usize| call.sizes(index).and_then(|value| *value.first()?);
    each([at(0), at(1), at(2)], |[start, limit, delta]| {
        let (span, delta) = (i128::from(limit) - i128::from(start), i128::from(delta));
        let steps =
            span.checked_div(delta)? + i128::from(span.checked_rem(delta)? != 0 && (span < 0) == (delta < 0));
        i64::try_from(steps.max(0)).ok()
    })
}
