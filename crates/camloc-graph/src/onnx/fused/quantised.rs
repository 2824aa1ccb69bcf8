//! Operators of quantised tensors, as `quantize_static` writes them without `DequantizeLinear`: what they stand for, between
//! steps back to numbers and steps from them. The runtime makes its own of that again.

use super::Fused;
use crate::onnx::build::int;
use crate::onnx::proto::{AttributeProto, DataType};

/// A tensor, its scale, its zero point: places among a node's inputs.
type Steps = [usize; 3];

impl Fused<'_, '_> {
    /// A node of quantised tensors.
    pub(super) fn quantised(&mut self) -> Option<()> {
        let plain = || self.attributes_without(&["channels_last", "opset"]);
        let first_channels = self.node.int_or("channels_last", 0) == 0;
        let (op, operands, result, attributes): (&str, &[Steps], [usize; 2], _) = match self.node.op_type() {
            "QLinearConv" => ("Conv", &[[0, 1, 2], [3, 4, 5]], [6, 7], plain()),
            "QLinearMatMul" => ("MatMul", &[[0, 1, 2], [3, 4, 5]], [6, 7], plain()),
            "QGemm" => ("Gemm", &[[0, 1, 2], [3, 4, 5]], [7, 8], plain()),
            "QLinearAdd" => ("Add", &[[0, 1, 2], [3, 4, 5]], [6, 7], vec![]),
            "QLinearMul" => ("Mul", &[[0, 1, 2], [3, 4, 5]], [6, 7], vec![]),
            "QLinearSigmoid" => ("Sigmoid", &[[0, 1, 2]], [3, 4], vec![]),
            "QLinearLeakyRelu" => ("LeakyRelu", &[[0, 1, 2]], [3, 4], plain()),
            "QLinearSoftmax" => ("Softmax", &[[0, 1, 2]], [3, 4], plain()),
            "QLinearGlobalAveragePool" if first_channels => {
                ("GlobalAveragePool", &[[0, 1, 2]], [3, 4], vec![])
            }
            "QLinearAveragePool" if first_channels => ("AveragePool", &[[0, 1, 2]], [3, 4], plain()),
            "QLinearReduceMean" if self.graph.opset() < 18 => ("ReduceMean", &[[0, 1, 2]], [3, 4], plain()),
            "QLinearConcat" => return self.concat(),
            "MaxPool" => return self.pool(),
            _ => return None,
        };
        let mut inputs = Vec::new();
        for (at, &steps) in operands.iter().enumerate() {
            let axis = if at == 1 { self.weight_axis(op, steps[0]) } else { None };
            inputs.push(self.number_of(steps, axis)?);
        }
        if let Some(bias) = self.bias(op)? {
            inputs.push(bias);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.in_steps(op, &inputs, attributes, result)
    }

    /// The axis of a weight along which each slice has a scale of its own.
    fn weight_axis(&self, op: &str, weight: usize) -> Option<i64> {
        let rank = self.graph.rank(self.node.input_at(weight)?)? as i64;
        match op {
            "Conv" => Some(0),
            "Gemm" => Some(i64::from(self.node.int_or("transB", 0) == 0)),
            _ => Some(rank - 1),
        }
    }

    /// A quantised operand as numbers.
    fn number_of(&mut self, [tensor, scale, zero]: Steps, axis: Option<i64>) -> Option<String> {
        let (tensor, scale, zero) = (self.input(tensor)?, self.input(scale)?, self.input(zero));
        let single = self.graph.shape(&scale).is_none_or(|shape| shape.iter().all(|&size| size == Some(1)));
        let axis = axis.filter(|_| !single).map(|axis| int("axis", axis));
        Some(self.dequantised(&tensor, &scale, zero.as_deref(), axis))
    }

    fn dequantised(
        &mut self,
        tensor: &str,
        scale: &str,
        zero: Option<&str>,
        axis: Option<AttributeProto>,
    ) -> String {
        let (scale, zero) = match axis {
            Some(_) => (scale.to_owned(), zero.map(str::to_owned)),
            // One of a single value may be a list, which would want an axis.
            None => (self.as_scalar(scale), zero.map(|zero| self.as_scalar(zero))),
        };
        let inputs: Vec<&str> = [tensor, &scale].into_iter().chain(zero.as_deref()).collect();
        self.op("DequantizeLinear", &inputs, axis.into_iter().collect())
    }

    fn as_scalar(&mut self, tensor: &str) -> String {
        match self.graph.rank(tensor) {
            Some(0) | None => tensor.to_owned(),
            Some(_) => self.graph.reshape("camloc.part", tensor, &[]),
        }
    }

    /// The bias as numbers: its steps are those of the product. `Some(None)` where there is none.
    fn bias(&mut self, op: &str) -> Option<Option<String>> {
        let bias = match op {
            "Conv" => self.input(8),
            "Gemm" => self.input(6),
            _ => None,
        };
        let Some(bias) = bias else { return Some(None) };
        let scales = [self.input(1)?, self.input(4)?].map(|scale| self.as_list_or_scalar(&scale));
        let scale = self.op("Mul", &[&scales[0], &scales[1]], vec![]);
        let axis = (self.graph.rank(&scale) == Some(1)).then(|| int("axis", 0));
        let steps = self.graph.element_type(&bias) == Some(DataType::Int32);
        Some(Some(if steps { self.dequantised(&bias, &scale, None, axis) } else { bias }))
    }

    /// A scale of a single value as a scalar, any other as it is.
    fn as_list_or_scalar(&mut self, scale: &str) -> String {
        match self.graph.shape(scale) {
            Some([Some(1)]) => self.as_scalar(scale),
            _ => scale.to_owned(),
        }
    }

    /// The node's operator on numbers, and its result in steps again, if it has any.
    fn in_steps(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        [scale, zero]: [usize; 2],
    ) -> Option<()> {
        let Some(scale) = self.input(scale) else { return self.last(op, inputs, attributes, 0) };
        let zero = self.input(zero);
        let numbers = self.op(op, inputs, attributes);
        let scale = self.as_scalar(&scale);
        let zero = zero.map(|zero| self.as_scalar(&zero));
        let inputs: Vec<&str> = [&numbers[..], &scale].into_iter().chain(zero.as_deref()).collect();
        self.last("QuantizeLinear", &inputs, vec![], 0)
    }

    /// Inputs are the result's scale and zero point, then three for each part.
    fn concat(&mut self) -> Option<()> {
        let parts = (2..self.node.input.len()).step_by(3);
        let parts: Vec<String> =
            parts.map(|at| self.number_of([at, at + 1, at + 2], None)).collect::<Option<_>>()?;
        let inputs: Vec<&str> = parts.iter().map(String::as_str).collect();
        let attributes = self.attributes_without(&[]);
        self.in_steps("Concat", &inputs, attributes, [0, 1])
    }

    /// A pooling of steps takes some of them as they are: that of numbers, between the same steps, does so too.
    fn pool(&mut self) -> Option<()> {
        let x = self.input(0)?;
        let steps = matches!(self.graph.element_type(&x), Some(DataType::Int8 | DataType::Uint8));
        let (scale, zero) = self.steps_of(&x).filter(|_| steps && self.has_one_output())?;
        let numbers = self.dequantised(&x, &scale, zero.as_deref(), None);
        let attributes = self.attributes_without(&[]);
        let pooled = self.op("MaxPool", &[&numbers], attributes);
        let inputs: Vec<&str> = [&pooled[..], &scale].into_iter().chain(zero.as_deref()).collect();
        self.last("QuantizeLinear", &inputs, vec![], 0)
    }

    /// Scale and zero point of a quantised tensor, by what made it.
    fn steps_of(&self, tensor: &str) -> Option<(String, Option<String>)> {
        let node = self.graph.producer(tensor)?;
        match node.standard_op() {
            "QuantizeLinear" => Some((node.input_at(1)?.to_owned(), node.input_at(2).map(str::to_owned))),
            _ => None,
        }
    }
}
