//! Convolutions and products of whole numbers, as `quantize_dynamic` writes them: of the steps of a quantised tensor, of
//! which the gradient is by the value that they stand for.

use super::super::call::{Answer, Call, Missing};
use super::super::gradient::Gradient;
use super::{conv, linear};
use crate::onnx::build::node;
use crate::onnx::graph::Graph;
use crate::onnx::proto::DataType;

/// `(A - zero) * (B - zero)`.
pub(super) fn matmul(call: &mut Call<'_, '_>, position: usize) -> Answer {
    of_numbers(call, position, "MatMul", linear::matmul)
}

/// A convolution of `x - zero` with `w - zero`.
pub(super) fn convolution(call: &mut Call<'_, '_>, position: usize) -> Answer {
    of_numbers(call, position, "Conv", conv::conv)
}

/// As the same operator of floats, by an operand over its scale.
fn of_numbers(call: &mut Call<'_, '_>, position: usize, op: &str, rule: super::Rule) -> Answer {
    if position > 1 {
        return Ok(None);
    }
    let operand = call.input(position)?;
    let scale = scale_of(call.graph, operand)
        .ok_or_else(|| Missing::because(format!("the scale of {operand} is not known")))?;
    let operands = [apart(call, 0)?, apart(call, 1)?];
    let mut numbers = node(op, "", &[&operands[0], &operands[1]], &[call.output()?], vec![]);
    numbers.attribute.clone_from(&call.node.attribute);
    let Some(gradient) = rule(&mut call.of(&numbers), position)? else { return Ok(None) };
    let (gradient, spread) = call.tensor(&gradient, operand)?;
    let gradient = call.op("Div", &[&gradient, &scale], vec![]);
    Ok(Some(Gradient::spread(gradient, spread)))
}

/// An operand less its zero point, as floats.
fn apart(call: &mut Call<'_, '_>, position: usize) -> Result<String, Missing> {
    let operand = call.input(position)?;
    let floats = call.graph.cast("camloc.steps", operand, DataType::Float);
    match call.node.input_at(position + 2) {
        Some(zero) => {
            let mut zero = call.graph.cast("camloc.zero", zero, DataType::Float);
            // One for each channel of a weight, which come first.
            if call.node.standard_op() == "ConvInteger" && call.graph.rank(&zero) == Some(1) {
                zero = call.graph.reshape("camloc.zero", &zero, &[-1, 1, 1, 1]);
            }
            Ok(call.op("Sub", &[&floats, &zero], vec![]))
        }
        None => Ok(floats),
    }
}

/// The scale of a quantised tensor, by what made it, past what only moves its values.
fn scale_of(graph: &Graph<'_>, tensor: &str) -> Option<String> {
    const MOVES: [&str; 8] =
        ["Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Gather", "MaxPool"];
    let mut tensor = tensor;
    for _ in 0..MOVES.len() {
        let node = graph.producer(tensor)?;
        match node.standard_op() {
            "DynamicQuantizeLinear" => return node.output_at(1).map(str::to_owned),
            "QuantizeLinear" => return node.input_at(1).map(str::to_owned),
            op if MOVES.contains(&op) => tensor = node.input_at(0)?,
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::super::check::{Check, away_from};
    use super::super::super::rectifier::Rectifier;
    use crate::onnx::build::{f32_tensor, int, ints, node, raw_tensor};
    use crate::onnx::proto::{DataType, TensorProto};

    fn weight(dims: &[i64], steps: &[i8]) -> TensorProto {
        let bytes = steps.iter().flat_map(|step| step.to_le_bytes()).collect();
        raw_tensor("w", DataType::Int8, dims, bytes)
    }

    /// The gradient of what `quantize_dynamic` writes for an operator, the scale of its weight being 1/2.
    fn gradient(op: &str, weight: TensorProto, shape: &[i64], at: &[f32]) -> Vec<f32> {
        let zero = raw_tensor("zw", DataType::Int8, &[], vec![1]);
        let attributes = if op == "ConvInteger" { vec![ints("pads", &[0, 0, 0, 0])] } else { Vec::new() };
        Check::of(node("DynamicQuantizeLinear", "q", &["x"], &["q", "scale", "zero"], vec![]))
            .then(node(op, "p", &["q", "w", "zero", "zw"], &["p"], attributes))
            .then(node("Cast", "c", &["p"], &["c"], vec![int("to", DataType::Float as i64)]))
            .then(node("Mul", "s", &["scale", "half"], &["s"], vec![]))
            .then(node("Mul", "m", &["c", "s"], &["y"], vec![]))
            .constants(&[weight, zero, f32_tensor("half", &[], &[0.5])])
            .input("x", shape, away_from(&[]))
            .element(DataType::Float)
            .gradient_at(at, Rectifier::Plain)
    }

    #[test]
    fn a_product_of_steps_passes_straight_through() {
        let weight = weight(&[3, 1], &[3, 1, -3]);
        assert_eq!(gradient("MatMulInteger", weight, &[1, 3], &[0.0, 3.0, -5.0]), [1.0, 0.0, -2.0]);
    }

    #[test]
    fn a_convolution_of_steps_passes_straight_through() {
        let weight = weight(&[1, 2, 1, 1], &[3, -3]);
        let found = gradient("ConvInteger", weight, &[1, 2, 1, 2], &[0.5, 3.0, -5.0, 1.0]);
        assert_eq!(found, [1.0, 1.0, -2.0, -2.0]);
    }
}
