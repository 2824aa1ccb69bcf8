//! What operators say of axes, whichever operator set they are written in.

use crate::onnx::graph::Graph;
use crate::onnx::infer::wrap_axis;
use crate::onnx::proto::NodeProto;

/// What `Slice` takes along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) axis: usize,
    /// The first index taken.
    pub(super) start: usize,
    /// The index behind the last one taken; `None`: to the end.
    pub(super) end: Option<usize>,
    pub(super) step: usize,
}

/// A list that newer operator sets take as an input and older ones as an attribute.
pub(super) fn list(graph: &Graph<'_>, node: &NodeProto, name: &str, input: usize) -> Option<Vec<i64>> {
    match node.ints(name) {
        Some(values) => Some(values.to_vec()),
        None => graph.ints(node.input_at(input)?),
    }
}

/// The axes of `Squeeze`, `Unsqueeze` and the like, within a tensor of this rank.
pub(super) fn axes(graph: &Graph<'_>, node: &NodeProto, rank: usize) -> Option<Vec<usize>> {
    list(graph, node, "axes", 1)?.into_iter().map(|axis| wrap_axis(axis, rank)).collect()
}

/// The axes that a reduction takes away: all where none are named.
pub(super) fn reduced_axes(graph: &Graph<'_>, node: &NodeProto, rank: usize) -> Option<Vec<usize>> {
    if node.ints("axes").is_some() || node.input_at(1).is_some() {
        return axes(graph, node, rank);
    }
    let none = node.int_or("noop_with_empty_axes", 0) != 0;
    Some(if none { Vec::new() } else { (0..rank).collect() })
}

/// Where each axis of a transposed tensor comes from.
pub(super) fn permutation(node: &NodeProto, rank: usize) -> Option<Vec<usize>> {
    match node.ints("perm") {
        Some(perm) if perm.len() != rank => None,
        Some(perm) => perm.iter().map(|&axis| wrap_axis(axis, rank)).collect(),
        None => Some((0..rank).rev().collect()),
    }
}

/// What a `Slice` takes of a tensor of this shape; `None` for computed or backward cuts.
pub(super) fn cuts(graph: &Graph<'_>, node: &NodeProto, shape: &[Option<i64>]) -> Option<Vec<Cut>> {
    let starts = list(graph, node, "starts", 1)?;
    let ends = list(graph, node, "ends", 2)?;
    let named = node.ints("axes").is_some() || node.input_at(3).is_some();
    let axes = if named { list(graph, node, "axes", 3)? } else { (0..starts.len() as i64).collect() };
    let steps = if node.input_at(4).is_some() { graph.ints(node.input_at(4)?)? } else { vec![1; axes.len()] };
    let cut = |index: usize| {
        let axis = wrap_axis(*axes.get(index)?, shape.len())?;
        let size = shape[axis];
        let from_front = |place: i64| match (place < 0, size) {
            (true, Some(size)) => Some(place.saturating_add(size).max(0)),
            (true, None) => None,
            (false, size) => Some(size.map_or(place, |size| place.min(size))),
        };
        let start = usize::try_from(from_front(*starts.get(index)?)?).ok()?;
        let end = *ends.get(index)?;
        let to_end = size.map_or(end >= i32::MAX.into(), |size| end >= size);
        let end = if to_end { None } else { Some(usize::try_from(from_front(end)?).ok()?) };
        let step = usize::try_from(*steps.get(index)?).ok().filter(|&step| step > 0)?;
        Some(Cut { axis, start, end, step })
    };
    (0..axes.len()).map(cut).collect()
}

/// Of a `Concat` or `Split` of more parts space and demand are not followed along the axis: it would take a look at
/// all parts for each of them.
pub(super) const MOST_PARTS: usize = 256;

/// The axis of a `Split` and where each of its outputs begins and ends along it.
pub(super) fn split(graph: &Graph<'_>, node: &NodeProto) -> Option<(usize, Vec<(usize, usize)>)> {
    let shape = graph.shape(node.input_at(0)?).filter(|_| node.output.len() <= MOST_PARTS)?;
    let axis = wrap_axis(node.int_or("axis", 0), shape.len())?;
    let sizes = list(graph, node, "split", 1).or_else(|| {
        let parts = node.output.len() as i64;
        let part = shape[axis]?.checked_add(parts - 1)?.checked_div(parts)?;
        Some(vec![part; node.output.len()])
    })?;
    let mut start = 0_usize;
    let mut ranges = Vec::new();
    for size in sizes {
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        ranges.push((start, end));
        start = end;
    }
    Some((axis, ranges))
}

/// How many elements apart neighbours along each axis lie; `None` behind open sizes.
pub(super) fn strides(shape: &[Option<i64>]) -> Vec<Option<i64>> {
    let mut strides = vec![Some(1_i64); shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] =
            strides[axis].zip(shape[axis]).and_then(|(stride, size)| stride.checked_mul(size));
    }
    strides
}
