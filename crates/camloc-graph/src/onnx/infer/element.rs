//! The element types of what operators put out.

use crate::onnx::known::element as known;
use crate::onnx::operators::Operator;
use crate::onnx::operators::properties::Properties;
use crate::onnx::proto::*;

/// The element type of an output.
pub(super) fn output(call: &Operator<'_>, index: usize) -> Option<DataType> {
    let node = call.node;
    let input = |index| call.input_element(index);
    let attribute = |name| known(DataType::try_from(node.int(name)? as i32).ok()?);
    match (call.name(), index) {
        ("", _) => None,
        ("Cast", _) => attribute("to"),
        ("Shape" | "Size" | "ArgMax" | "ArgMin" | "NonZero" | "NonMaxSuppression", _) => {
            Some(DataType::Int64)
        }
        ("MaxPool" | "TopK", 1) | ("Unique", 1..) => Some(DataType::Int64),
        ("Dropout", 1) => Some(if call.opset < 10 { input(0)? } else { DataType::Bool }),
        _ if call.properties().has(Properties::TELLS_TRUTH) => Some(DataType::Bool),
        ("Constant", _) => constant(node),
        ("ConstantOfShape", _) => {
            node.tensor("value").map_or(Some(DataType::Float), |t| known(t.data_type()))
        }
        ("QuantizeLinear", _) => input(2).or_else(|| attribute("output_dtype")).or(Some(DataType::Uint8)),
        ("DequantizeLinear" | "Where" | "CastLike", _) => input(1),
        ("OneHot", _) => input(2),
        ("DynamicQuantizeLinear", 1) => Some(DataType::Float),
        ("DynamicQuantizeLinear", _) => Some(DataType::Uint8),
        ("ConvInteger" | "MatMulInteger", _) => Some(DataType::Int32),
        ("QLinearConv" | "QLinearMatMul", _) => input(7),
        ("LayerNormalization", 1..) => attribute("stash_type").or(Some(DataType::Float)),
        ("BatchNormalization", 1..) => input(3).or_else(|| input(0)),
        ("RandomNormal" | "RandomUniform", _) => attribute("dtype").or(Some(DataType::Float)),
        ("RandomNormalLike" | "RandomUniformLike" | "EyeLike" | "Bernoulli", _) => {
            attribute("dtype").or_else(|| input(0))
        }
        ("Multinomial", _) => attribute("dtype").or(Some(DataType::Int32)),
        ("If" | "Loop" | "Scan", _) => None,
        (op, _) if op.starts_with("Sequence") || op.starts_with("Optional") => None,
        // Of one type are all operands of these.
        (
            "Add" | "Sub" | "Mul" | "Div" | "Conv" | "Gemm" | "MatMul" | "Concat" | "Min" | "Max" | "Sum",
            _,
        ) => (0..node.input.len()).find_map(input),
        _ => input(0),
    }
}

fn constant(node: &NodeProto) -> Option<DataType> {
    let value = node.attribute.iter().find(|attribute| attribute.name().contains("value"))?;
    match value.name() {
        "value" => known(value.t.as_ref()?.data_type()),
        "value_float" | "value_floats" => Some(DataType::Float),
        "value_int" | "value_ints" => Some(DataType::Int64),
        "value_string" | "value_strings" => Some(DataType::String),
        "sparse_value" => known(value.sparse_tensor.as_ref()?.values.as_ref()?.data_type()),
        _ => None,
    }
}
