//! The values of small tensors, as they follow from constants and from sizes: what exporters compute
//! shapes, paddings and indices with.

use std::sync::Arc;

use super::{arithmetic, shape};
use crate::onnx::known::TensorInfo;
use crate::onnx::known::size::{each, fixed, known, multiply, product};
use crate::onnx::known::values::{MAX_VALUES, Values};
use crate::onnx::operators::Operator;
use crate::onnx::operators::axes::wrap_axis;
use crate::onnx::operators::properties::Properties;
use crate::onnx::proto::*;
use crate::onnx::tensor;

/// The values of an output of which all else is found, if they are few and within the budget, which is
/// charged for them.
pub(super) fn output(
    call: &Operator<'_>,
    index: usize,
    info: &TensorInfo,
    budget: &mut usize,
) -> Option<Arc<Values>> {
    let dims = dims(info)?;
    // A size of 0 leaves no values, but the other sizes are still walked.
    let walked = dims.iter().try_fold(1_usize, |count, &dim| count.checked_mul(dim.max(1)))?;
    let op = call.name();
    if walked > MAX_VALUES || (index > 0 && op != "Split") {
        return None;
    }
    let count: usize = dims.iter().product();
    let properties = call.properties();
    let same_type = info.element.is_some() && info.element == call.input_element(0);
    let handed_on = properties.has(Properties::RESHAPES)
        || (properties.has(Properties::HANDS_ON) && same_type)
        || (properties.has(Properties::REORDERS) && dims.len() < 2);
    let values = if handed_on {
        call.input(0)?.values.clone()?
    } else {
        *budget = budget.checked_sub((count + 1) * (call.node.input.len() + call.node.output.len()))?;
        Arc::new(compute(call, index, info, &dims)?)
    };
    (values.len() == count).then_some(values)
}

/// A shape that is wholly known.
pub(super) fn dims(info: &TensorInfo) -> Option<Vec<usize>> {
    info.shape.as_ref()?.iter().map(|&dim| usize::try_from(dim?).ok()).collect()
}

fn compute(call: &Operator<'_>, index: usize, info: &TensorInfo, dims: &[usize]) -> Option<Values> {
    match call.name() {
        "Constant" => constant(call.node),
        "ConstantOfShape" => Some(fill(call.node.tensor("value"), dims)?),
        "Shape" => {
            let shape = call.shape(0)?;
            Some(Values::Ints(shape[shape::shape_range(call, shape.len())?].to_vec()))
        }
        "Size" => Some(Values::Ints(vec![product(call.shape(0)?)])),
        "Range" => range(call, dims),
        "NonZero" => non_zero(call),
        "Concat" => concat(call, dims),
        "Pad" => pad(call, dims),
        "ReduceProd" | "ReduceSum" | "ReduceMax" | "ReduceMin" => reduction(call, info, dims),
        "Gather" | "Slice" | "Transpose" | "Expand" | "Tile" | "Split" => {
            Some(call.values(0)?.pick(&sources(call, index, dims)?))
        }
        _ => arithmetic::elementwise(call, info.element?, dims),
    }
}

fn constant(node: &NodeProto) -> Option<Values> {
    if let Some(tensor) = node.tensor("value") {
        return tensor::ints(tensor)
            .map(Values::of_ints)
            .or_else(|| tensor::doubles(tensor).map(Values::of_floats));
    }
    let value = node.attribute.iter().find(|attribute| attribute.name().contains("value"))?;
    match value.name() {
        "value_int" => Some(Values::of_ints(vec![value.i?])),
        "value_ints" => Some(Values::of_ints(value.ints.clone())),
        "value_float" => Some(Values::of_floats(vec![value.f?.into()])),
        "value_floats" => Some(Values::of_floats(value.floats.iter().map(|&value| value.into()).collect())),
        _ => None,
    }
}

fn fill(value: Option<&TensorProto>, dims: &[usize]) -> Option<Values> {
    let count = dims.iter().product();
    let Some(value) = value else { return Some(Values::of_floats(vec![0.0; count])) };
    let ints = || Some(Values::of_ints(vec![*tensor::ints(value)?.first()?; count]));
    ints().or_else(|| Some(Values::of_floats(vec![*tensor::doubles(value)?.first()?; count])))
}

fn range(call: &Operator<'_>, dims: &[usize]) -> Option<Values> {
    let at = |index: usize| call.sizes(index).and_then(|value| *value.first()?);
    let (start, delta) = (at(0)?, at(2)?);
    let value = |number: usize| {
        each([Some(start), multiply(Some(delta), fixed(number as i64))], |[start, far]| {
            start.checked_add(far)
        })
    };
    Some(Values::Ints((0..*dims.first()?).map(value).collect()))
}

/// How many values are not zero, if all are known.
pub(super) fn count_non_zero(call: &Operator<'_>) -> Option<usize> {
    let values: Vec<i64> = known_ints(call)?;
    Some(values.into_iter().filter(|&value| value != 0).count())
}

fn known_ints(call: &Operator<'_>) -> Option<Vec<i64>> {
    match call.values(0)? {
        Values::Ints(values) => values.iter().map(|&value| known(value)).collect(),
        Values::Floats(_) => {
            Some(call.input(0)?.floats()?.iter().map(|&value| i64::from(value != 0.0)).collect())
        }
    }
}

fn non_zero(call: &Operator<'_>) -> Option<Values> {
    let dims = &dims(call.input(0)?)?[..];
    let strides = &strides(dims)[..];
    let values = known_ints(call)?;
    let places: Vec<usize> = (0..values.len()).filter(|&place| values[place] != 0).collect();
    if dims.is_empty() {
        return Some(Values::of_ints(vec![0; places.len()]));
    }
    let along = |axis: usize| places.iter().map(move |place| (place / strides[axis] % dims[axis]) as i64);
    Some(Values::of_ints((0..dims.len()).flat_map(along).collect()))
}

fn concat(call: &Operator<'_>, dims: &[usize]) -> Option<Values> {
    let axis = call.axis(dims.len())?;
    let inner: usize = dims[axis + 1..].iter().product();
    let mut joined: Option<Values> = None;
    for outer in 0..dims[..axis].iter().product() {
        for index in 0..call.node.input.len() {
            let part = call.values(index)?;
            let width = dims_at(call, index, axis)? * inner;
            let row: Vec<_> = (outer * width..(outer + 1) * width).map(Some).collect();
            match (joined.get_or_insert_with(|| part.pick(&[])), part.pick(&row)) {
                (Values::Ints(all), Values::Ints(row)) => all.extend(row),
                (Values::Floats(all), Values::Floats(row)) => all.extend(row),
                _ => return None,
            }
        }
    }
    joined
}

fn dims_at(call: &Operator<'_>, index: usize, axis: usize) -> Option<usize> {
    dims(call.input(index)?)?.get(axis).copied()
}

/// A padding with a constant, which must be known.
fn pad(call: &Operator<'_>, dims: &[usize]) -> Option<Values> {
    if call.pad_mode() != "constant" || call.node.input_at(1).is_none() {
        return None;
    }
    let input = self::dims(call.input(0)?)?;
    let strides = strides(&input);
    let mut begins = vec![0; input.len()];
    for margin in call.margins(input.len())? {
        begins[margin.axis] = known(margin.begin)?;
    }
    let place = |at: &[usize]| {
        let mut place = 0;
        for (axis, &at) in at.iter().enumerate() {
            let from = usize::try_from((at as i64).checked_sub(begins[axis])?)
                .ok()
                .filter(|&from| from < input[axis])?;
            place += from * strides[axis];
        }
        Some(place)
    };
    let places = each_place(dims, place);
    let around = || call.node.input_at(2).map_or(Some(None), |_| call.values(2).map(Some));
    Some(match (call.values(0)?.pick(&places), around()?) {
        (Values::Ints(mut values), around) => {
            let around =
                around.map_or(fixed(0), |around| *around.ints().and_then(|v| v.first()).unwrap_or(&None));
            values
                .iter_mut()
                .zip(&places)
                .filter(|(_, place)| place.is_none())
                .for_each(|(v, _)| *v = around);
            Values::Ints(values)
        }
        (Values::Floats(mut values), around) => {
            let around = around
                .map_or(Some([0.0; 2]), |around| *around.floats().and_then(|v| v.first()).unwrap_or(&None));
            values
                .iter_mut()
                .zip(&places)
                .filter(|(_, place)| place.is_none())
                .for_each(|(v, _)| *v = around);
            Values::Floats(values)
        }
    })
}

fn reduction(call: &Operator<'_>, info: &TensorInfo, dims: &[usize]) -> Option<Values> {
    // Where the values are known they are few; the sizes alone may be of anything.
    let values = call.values(0)?;
    let input = self::dims(call.input(0)?)?;
    let axes = call.reduced(input.len())?;
    let kept: Vec<usize> =
        input.iter().enumerate().map(|(axis, &dim)| if axes.contains(&axis) { 1 } else { dim }).collect();
    let strides = strides(&kept);
    let target = |at: &[usize]| {
        Some((0..at.len()).filter(|axis| !axes.contains(axis)).map(|axis| at[axis] * strides[axis]).sum())
    };
    let targets = each_place(&input, target);
    arithmetic::reduce(call.name(), values, &targets, dims.iter().product(), info.element?)
}

/// Where each value of an output comes from in the first input.
fn sources(call: &Operator<'_>, index: usize, dims: &[usize]) -> Option<Vec<Option<usize>>> {
    let input = self::dims(call.input(0)?)?;
    let steps = strides(&input);
    let sum =
        |places: &[usize]| -> usize { places.iter().zip(&steps).map(|(place, step)| place * step).sum() };
    Some(match call.name() {
        "Gather" => {
            let axis = call.axis(input.len())?;
            let indices = call.ints(1)?;
            let inner: usize = input[axis + 1..].iter().product();
            let mut places = Vec::new();
            for outer in 0..input[..axis].iter().product() {
                for &index in &indices {
                    let index = wrap_axis(index, input[axis]);
                    let from = index.map(|index| (outer * input[axis] + index) * inner);
                    places.extend((0..inner).map(|place| Some(from? + place)));
                }
            }
            places
        }
        "Slice" => {
            let mut starts = vec![(0, 1); input.len()];
            for cut in call.cuts(input.len())? {
                let (start, end) = (known(cut.start)?, known(cut.end)?);
                starts[cut.axis] = (cut.places(input[cut.axis] as i64, start, end).0, cut.step);
            }
            each_place(dims, |at| {
                let from = |(&at, &(start, step)): (&usize, &(i64, i64))| {
                    usize::try_from(start.checked_add(step.checked_mul(at as i64)?)?).ok()
                };
                let from: Vec<usize> = at.iter().zip(&starts).map(from).collect::<Option<_>>()?;
                Some(sum(&from))
            })
        }
        "Transpose" => {
            let perm = call.permutation(input.len())?;
            let strides: Vec<usize> = perm.iter().map(|&axis| steps[axis]).collect();
            each_place(dims, |at| Some(at.iter().zip(&strides).map(|(at, step)| at * step).sum()))
        }
        "Expand" => {
            let from = broadcast_places(&input, dims)?;
            each_place(dims, |at| Some(at.iter().zip(&from).map(|(at, step)| at * step).sum()))
        }
        "Tile" => each_place(dims, |at| {
            let wrapped: Vec<usize> = at.iter().zip(&input).map(|(at, size)| at % size.max(&1)).collect();
            Some(sum(&wrapped))
        }),
        // A split.
        _ => {
            let (axis, ranges) = call.ranges()?;
            let (before, _) = *ranges.get(index)?;
            each_place(dims, |at| Some(sum(at) + before * steps[axis]))
        }
    })
}

/// How far apart in memory neighbours along each axis are.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    strides
}

/// Strides with which a tensor is read as one of the shape `dims` that it is broadcast to.
pub(super) fn broadcast_places(input: &[usize], dims: &[usize]) -> Option<Vec<usize>> {
    let before = dims.len().checked_sub(input.len())?;
    let steps = strides(input);
    let step = |axis: usize| match axis.checked_sub(before) {
        Some(own) if input[own] == dims[axis] => Some(steps[own]),
        Some(own) if input[own] != 1 => None,
        _ => Some(0),
    };
    (0..dims.len()).map(step).collect()
}

/// A place for each index of a tensor, in row-major order.
pub(super) fn each_place(dims: &[usize], place: impl Fn(&[usize]) -> Option<usize>) -> Vec<Option<usize>> {
    let count = dims.iter().product();
    let mut at = vec![0; dims.len()];
    let mut places = Vec::with_capacity(count);
    for _ in 0..count {
        places.push(place(&at));
        for axis in (0..dims.len()).rev() {
            at[axis] += 1;
            if at[axis] < dims[axis] {
                break;
            }
            at[axis] = 0;
        }
    }
    places
}
