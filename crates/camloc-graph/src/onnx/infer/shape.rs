//! The shapes of what operators put out.

use super::{moves, reduce, value, windows};
use crate::onnx::known::size::{Size, Sizes, broadcast, fixed, known};
use crate::onnx::known::{MAX_RANK, TensorInfo};
use crate::onnx::operators::properties::Properties;
use crate::onnx::operators::{Operator, second_operand};

/// The shapes of a node's outputs, as far as there are rules; perhaps of fewer outputs than it has.
pub(super) fn outputs(call: &Operator<'_>) -> Vec<Option<Sizes>> {
    let same = || call.shape(0).map(<[_]>::to_vec);
    match call.name() {
        "MaxPool" => vec![windows::pool(call); 2],
        "Dropout" => vec![same(); 2],
        "TopK" => vec![top_k(call); 2],
        "Split" => moves::split(call),
        "LayerNormalization" => {
            let moments = || {
                let mut shape = same()?;
                let axis = call.axis(shape.len())?;
                shape[axis..].fill(fixed(1));
                Some(shape)
            };
            vec![same(), moments(), moments()]
        }
        "BatchNormalization" => {
            let mut shapes = vec![call.shape(3).map(<[_]>::to_vec); 5];
            shapes[0] = same();
            shapes
        }
        "DynamicQuantizeLinear" => vec![same(), Some(vec![]), Some(vec![])],
        "LSTM" | "GRU" | "RNN" => recurrent(call),
        _ => vec![first(call)],
    }
}

fn first(call: &Operator<'_>) -> Option<Sizes> {
    let node = call.node;
    let properties = call.properties();
    let second = || call.shape(second_operand(call.name()));
    match call.name() {
        // Before operator set 7 the first operand had the result's shape.
        _ if properties.has(Properties::BROADCASTS) && node.int("broadcast").is_none() => {
            broadcast_inputs(call)
        }
        _ if properties.has(Properties::SAME_SHAPE | Properties::BROADCASTS) => {
            call.shape(0).map(<[_]>::to_vec)
        }
        _ if properties.has(Properties::REDUCES) => reduce::reduce(call),
        "QLinearAdd" | "QLinearMul" => Some(broadcast(call.shape(0)?, second()?)),
        "Conv" | "ConvInteger" | "QLinearConv" => windows::conv(call),
        "ConvTranspose" => windows::conv_transpose(call),
        "AveragePool" | "LpPool" => windows::pool(call),
        "MaxUnpool" => windows::unpool(call),
        "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => call.shape(0).map(windows::global),
        "QLinearGlobalAveragePool" if node.int_or("channels_last", 0) == 0 => {
            call.shape(0).map(windows::global)
        }
        "ArgMax" | "ArgMin" => reduce::arg(call),
        "Gemm" => reduce::gemm(call, 0, 1),
        "MatMul" | "MatMulInteger" | "QLinearMatMul" => reduce::matmul(call.shape(0)?, second()?),
        "Einsum" => reduce::einsum(call),
        "Flatten" => reduce::flatten(call),
        "Reshape" => moves::reshape(call),
        "Squeeze" => moves::squeeze(call),
        "Unsqueeze" => moves::unsqueeze(call),
        "Transpose" => moves::transpose(call),
        "Expand" => moves::expand(call),
        "Concat" => moves::concat(call),
        "Slice" => moves::slice(call),
        "Pad" => moves::pad(call),
        "Gather" => moves::gather(call),
        "GatherND" => moves::gather_nd(call),
        "GatherElements" => call.shape(1).map(<[_]>::to_vec),
        "Tile" => moves::tile(call),
        "DepthToSpace" => moves::blocks(call, true),
        "SpaceToDepth" => moves::blocks(call, false),
        "Resize" | "Upsample" => moves::resize(call),
        "OneHot" => moves::one_hot(call),
        "Range" => Some(vec![moves::range(call)]),
        "ConstantOfShape" => constant_of_shape(call),
        "Shape" => shape_range(call, call.shape(0)?.len()).map(|range| vec![fixed(range.len() as i64)]),
        "Size" => Some(vec![]),
        "NonZero" => {
            let count = value::count_non_zero(call).and_then(|count| fixed(count as i64));
            Some(vec![fixed(call.shape(0)?.len().max(1) as i64), count])
        }
        "NonMaxSuppression" => Some(vec![None, fixed(3)]),
        "Constant" => constant(call),
        "RandomNormal" | "RandomUniform" => {
            Some(node.ints("shape")?.iter().map(|&size| fixed(size)).collect())
        }
        "GridSample" => match (call.shape(0)?, call.shape(1)?) {
            ([batch, channels, ..], [_, places @ .., _]) => Some([&[*batch, *channels], places].concat()),
            _ => None,
        },
        "RoiAlign" => {
            let rois = call.shape(1).and_then(|rois| *rois.first()?);
            let [height, width] = ["output_height", "output_width"].map(|name| fixed(node.int_or(name, 1)));
            Some(vec![rois, *call.shape(0)?.get(1)?, height, width])
        }
        _ => None,
    }
}

fn broadcast_inputs(call: &Operator<'_>) -> Option<Sizes> {
    (0..call.node.input.len()).try_fold(Sizes::new(), |shape, index| {
        Some(broadcast(&shape, call.shape(index)?)).filter(|shape| shape.len() <= MAX_RANK)
    })
}

fn top_k(call: &Operator<'_>) -> Option<Sizes> {
    let mut shape = call.shape(0)?.to_vec();
    let axis = call.axis(shape.len())?;
    let input = || call.sizes(1).and_then(|k| *k.first()?);
    shape[axis] = call.node.int("k").map_or_else(input, fixed);
    Some(shape)
}

fn constant_of_shape(call: &Operator<'_>) -> Option<Sizes> {
    if let Some(sizes) = call.sizes(0) {
        return Some(sizes.to_vec());
    }
    let rank = known(*call.shape(0)?.first()?).filter(|rank| (0..=MAX_RANK as i64).contains(rank))?;
    Some(vec![None; rank as usize])
}

/// Which axes a `Shape` tells of.
pub(super) fn shape_range(call: &Operator<'_>, rank: usize) -> Option<std::ops::Range<usize>> {
    let place = |name: &str, default: i64| {
        let place = call.node.int_or(name, default);
        let place = if place < 0 { place.saturating_add(rank as i64) } else { place };
        place.clamp(0, rank as i64) as usize
    };
    let (start, end) = (place("start", 0), place("end", rank as i64));
    Some(start..end.max(start))
}

fn constant(call: &Operator<'_>) -> Option<Sizes> {
    let node = call.node;
    if let Some(tensor) = node.tensor("value") {
        return TensorInfo::of_constant(tensor).sizes;
    }
    let list = |count: usize| Some(vec![fixed(count as i64)]);
    let value = node.attribute.iter().find(|attribute| attribute.name().contains("value"))?;
    match value.name() {
        "value_int" | "value_float" | "value_string" => Some(vec![]),
        "value_ints" => list(value.ints.len()),
        "value_floats" => list(value.floats.len()),
        "value_strings" => list(value.strings.len()),
        "sparse_value" => Some(value.sparse_tensor.as_ref()?.dims.iter().map(|&size| fixed(size)).collect()),
        _ => None,
    }
}

/// All outputs of a recurrent layer, and its last states.
fn recurrent(call: &Operator<'_>) -> Vec<Option<Sizes>> {
    let Some(&[first, second, _]) = call.shape(0) else { return Vec::new() };
    let last = call.node.int_or("layout", 0) == 1;
    let (sequence, batch) = if last { (second, first) } else { (first, second) };
    let directions = fixed(if call.node.string("direction") == Some("bidirectional") { 2 } else { 1 });
    let by_weight = || call.shape(2).and_then(|weight| *weight.get(2)?);
    let hidden: Size = call.node.int("hidden_size").map_or_else(by_weight, fixed);
    let (all, state) = if last {
        (vec![batch, sequence, directions, hidden], vec![batch, directions, hidden])
    } else {
        (vec![sequence, directions, batch, hidden], vec![directions, batch, hidden])
    };
    vec![Some(all), Some(state.clone()), Some(state)]
}
