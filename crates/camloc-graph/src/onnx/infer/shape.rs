//! The shapes of what operators put out.

use super::size::{Size, Sizes, broadcast, fixed, known};
use super::{Call, MAX_RANK, moves, of_tensor, reduce, value, windows};

/// The shapes of a node's outputs, as far as there are rules; perhaps of fewer outputs than it has.
pub(super) fn outputs(call: &Call<'_>) -> Vec<Option<Sizes>> {
    let same = || call.shape(0).map(<[_]>::to_vec);
    match call.operator() {
        "MaxPool" => vec![windows::pool(call); 2],
        "Dropout" => vec![same(); 2],
        "TopK" => vec![top_k(call); 2],
        "Split" => moves::split(call),
        "LayerNormalization" => {
            let moments = || {
                let mut shape = same()?;
                let axis = call.axis(-1, shape.len())?;
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

fn first(call: &Call<'_>) -> Option<Sizes> {
    let node = call.node;
    match call.operator() {
        // Before operator set 7 the first operand had the result's shape.
        op if BROADCAST.contains(&op) && node.int("broadcast").is_none() => broadcast_inputs(call),
        "QLinearAdd" | "QLinearMul" => Some(broadcast(call.shape(0)?, call.shape(3)?)),
        "Conv" | "ConvInteger" => windows::conv(call, 0, 1),
        "QLinearConv" => windows::conv(call, 0, 3),
        "ConvTranspose" => windows::conv_transpose(call),
        "AveragePool" | "LpPool" => windows::pool(call),
        "MaxUnpool" => windows::unpool(call),
        "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => call.shape(0).map(windows::global),
        "QLinearGlobalAveragePool" if node.int_or("channels_last", 0) == 0 => {
            call.shape(0).map(windows::global)
        }
        "ArgMax" | "ArgMin" => reduce::arg(call),
        op if op.starts_with("Reduce") => reduce::reduce(call),
        "Gemm" => reduce::gemm(call, 0, 1),
        "MatMul" | "MatMulInteger" => reduce::matmul(call.shape(0)?, call.shape(1)?),
        "QLinearMatMul" => reduce::matmul(call.shape(0)?, call.shape(3)?),
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
        op if KEEPS_SHAPE.contains(&op) || BROADCAST.contains(&op) => call.shape(0).map(<[_]>::to_vec),
        _ => None,
    }
}

fn broadcast_inputs(call: &Call<'_>) -> Option<Sizes> {
    (0..call.node.input.len()).try_fold(Sizes::new(), |shape, index| {
        Some(broadcast(&shape, call.shape(index)?)).filter(|shape| shape.len() <= MAX_RANK)
    })
}

fn top_k(call: &Call<'_>) -> Option<Sizes> {
    let mut shape = call.shape(0)?.to_vec();
    let axis = call.axis(-1, shape.len())?;
    let input = || call.sizes(1).and_then(|k| *k.first()?);
    shape[axis] = call.node.int("k").map_or_else(input, fixed);
    Some(shape)
}

fn constant_of_shape(call: &Call<'_>) -> Option<Sizes> {
    if let Some(sizes) = call.sizes(0) {
        return Some(sizes.to_vec());
    }
    let rank = known(*call.shape(0)?.first()?).filter(|rank| (0..=MAX_RANK as i64).contains(rank))?;
    Some(vec![None; rank as usize])
}

/// Which axes a `Shape` tells of.
pub(super) fn shape_range(call: &Call<'_>, rank: usize) -> Option<std::ops::Range<usize>> {
    let place = |name: &str, default: i64| {
        let place = call.node.int_or(name, default);
        let place = if place < 0 { place.saturating_add(rank as i64) } else { place };
        place.clamp(0, rank as i64) as usize
    };
    let (start, end) = (place("start", 0), place("end", rank as i64));
    Some(start..end.max(start))
}

fn constant(call: &Call<'_>) -> Option<Sizes> {
    let node = call.node;
    if let Some(tensor) = node.tensor("value") {
        return of_tensor(tensor).sizes;
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
fn recurrent(call: &Call<'_>) -> Vec<Option<Sizes>> {
    let Some(&[first, second, _]) = call.shape(0) else { return Vec::new() };
    let last = call.node.int_or("layout", 0) == 1;
    let (sequence, batch) = if last { (second, first) } else { (first, second) };
    let directions = fixed(if call.node.string("direction") == Some("bidirectional") { 2 } else { 1 });
    let by_weight = || call.shape(2).and_then(|weight| *weight.get(2)?);
    let hidden: Size = call.node.int("hidden_size").map_or_else(by_weight, fixed);
    let (all, state) = match last {
        true => (vec![batch, sequence, directions, hidden], vec![batch, directions, hidden]),
        false => (vec![sequence, directions, batch, hidden], vec![directions, batch, hidden]),
    };
    vec![Some(all), Some(state.clone()), Some(state)]
}

/// Elementwise operators of several operands.
const BROADCAST: &[&str] = &[
    "Add",
    "And",
    "BitShift",
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
    "Div",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Max",
    "Mean",
    "Min",
    "Mod",
    "Mul",
    "Or",
    "PRelu",
    "Pow",
    "Sub",
    "Sum",
    "Where",
    "Xor",
];

/// Operators whose first output has the shape of their first input.
const KEEPS_SHAPE: &[&str] = &[
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Bernoulli",
    "BitwiseNot",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Cosh",
    "CumSum",
    "DequantizeLinear",
    "Elu",
    "Erf",
    "Exp",
    "EyeLike",
    "Floor",
    "Gelu",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "InstanceNormalization",
    "IsInf",
    "IsNaN",
    "LRN",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MeanVarianceNormalization",
    "Mish",
    "Neg",
    "Not",
    "QLinearLeakyRelu",
    "QLinearSigmoid",
    "QLinearSoftmax",
    "QuantizeLinear",
    "RMSNormalization",
    "RandomNormalLike",
    "RandomUniformLike",
    "Reciprocal",
    "Relu",
    "ReverseSequence",
    "Round",
    "Scatter",
    "ScatterElements",
    "ScatterND",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Swish",
    "Tan",
    "Tanh",
    "TensorScatter",
    "ThresholdedRelu",
    "Trilu",
];
