//! Bringing an old model forward to the operator set that the maps are written in.

use super::ExplainError;
use crate::onnx::build;
use crate::onnx::graph::Graph;
use crate::onnx::proto::*;

/// The oldest operator set with all that the branch needs (`GatherElements`).
const NEEDED: i64 = 11;
/// From here on broadcasting is what it is today.
const OLDEST: i64 = 7;

/// Operators of one meaning in all operator sets from [`OLDEST`] to [`NEEDED`], which only gained
/// options. `Clip`, `Pad` and `Slice` are rewritten: their attributes became inputs.
const UNCHANGED: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "AveragePool",
    "Cast",
    "Ceil",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "Div",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "HardSigmoid",
    "Identity",
    "InstanceNormalization",
    "LRN",
    "LeakyRelu",
    "Less",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pow",
    "Reciprocal",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Selu",
    "Shape",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// Makes the operator set at least [`NEEDED`], if every operator of the model keeps its meaning.
///
/// # Errors
///
/// [`ExplainError::OldOperators`] naming the first that does not; the model is then as it was.
pub(super) fn raise(model: &mut ModelProto) -> Result<(), ExplainError> {
    let function = model.functions.first().map(|function| function.name().to_owned());
    let mut graph = Graph::new(model);
    let opset = graph.opset();
    if opset >= NEEDED {
        return Ok(());
    }
    let refused = |operator: &str| ExplainError::OldOperators { opset, operator: operator.into() };
    if let Some(function) = function {
        return Err(refused(&function));
    }
    let mut moves = Vec::new();
    for (index, node) in graph.nodes().iter().enumerate() {
        let inputs = (opset >= OLDEST).then(|| inputs_from_attributes(&graph, node)).flatten();
        moves.push((index, inputs.ok_or_else(|| refused(node.op_type()))?));
    }
    for (index, inputs) in moves.into_iter().filter(|(_, inputs)| !inputs.is_empty()) {
        let inputs =
            inputs.into_iter().map(|tensor| tensor.map_or(String::new(), |t| graph.add_initializer(t)));
        let inputs = inputs.collect();
        graph.attributes_to_inputs(index, MOVED, inputs);
    }
    graph.raise_opset(NEEDED);
    graph.raise_ir_version(4);
    Ok(())
}

/// Attributes that became inputs.
const MOVED: &[&str] = &["min", "max", "pads", "value", "starts", "ends", "axes"];

/// The inputs that a node needs in place of attributes, `None` for one left out; none at all for an
/// operator that is the same; `None` for one that is not.
fn inputs_from_attributes(graph: &Graph<'_>, node: &NodeProto) -> Option<Vec<Option<TensorProto>>> {
    let is_f32 = || graph.element_type(node.input_at(0)?).filter(|&element| element == DataType::Float);
    let float = |name| node.find_attribute(name).map(|value| build::f32_tensor(name, &[], &[value.f()]));
    let ints = |name| node.ints(name).map(|values| build::i64_tensor(name, &[values.len() as i64], values));
    match node.standard_op() {
        "Clip" => is_f32().map(|_| vec![float("min"), float("max")]),
        "Pad" => is_f32().map(|_| vec![ints("pads"), float("value")]),
        // It alone has had its inputs since 10.
        "Slice" if node.input.len() == 1 => Some(vec![ints("starts"), ints("ends"), ints("axes")]),
        "Slice" => Some(vec![]),
        "BatchNormalization" if node.output.len() == 1 && node.int("spatial").is_none() => Some(vec![]),
        "Dropout" if node.output.len() == 1 => Some(vec![]),
        op if UNCHANGED.contains(&op) => Some(vec![]),
        _ => None,
    }
}
