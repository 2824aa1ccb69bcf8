//! Matrix products that transpose, scale, or quantise what they multiply.

use super::Fused;
use crate::onnx::build::{self, int, ints};
use crate::onnx::proto::DataType;

impl Fused<'_, '_> {
    /// `alpha * A * B`, A and B perhaps transposed.
    pub(super) fn matmul(&mut self) -> Option<()> {
        let [batch_a, batch_b] = ["transBatchA", "transBatchB"].map(|name| self.node.int_or(name, 0));
        (batch_a == 0 && batch_b == 0).then_some(())?;
        let operands = [self.turned(0, "transA")?, self.turned(1, "transB")?];
        let operands = [&operands[0][..], &operands[1]];
        let alpha = self.node.float_or("alpha", 1.0);
        if alpha == 1.0 {
            return self.last("MatMul", &operands, vec![], 0);
        }
        let product = self.op("MatMul", &operands, vec![]);
        let alpha = self.number(operands[0], alpha.into());
        self.last("Mul", &[&product, &alpha], vec![], 0)
    }

    /// An operand, its last two axes swapped if the node says so.
    fn turned(&mut self, index: usize, attribute: &str) -> Option<String> {
        let operand = self.input(index)?;
        if self.node.int_or(attribute, 0) == 0 {
            return Some(operand);
        }
        let rank = self.graph.rank(&operand).filter(|&rank| rank >= 2)? as i64;
        let perm: Vec<i64> = (0..rank - 2).chain([rank - 1, rank - 2]).collect();
        Some(self.op("Transpose", &[&operand], vec![ints("perm", &perm)]))
    }

    /// The product of a tensor that is quantised by what is in it and of a quantised weight.
    pub(super) fn dynamic_matmul(&mut self) -> Option<()> {
        let (x, weight, scale) = (self.input(0)?, self.input(1)?, self.input(2)?);
        let [steps, step, zero] = ["steps", "step", "zero"].map(|_| self.graph.fresh_name("camloc.part"));
        let quantise = build::node("DynamicQuantizeLinear", &steps, &[&x], &[&steps, &step, &zero], vec![]);
        self.graph.push(quantise);
        self.integer_product([steps, weight, step, scale], [Some(zero), self.input(3)], self.input(4))
    }

    /// The product of quantised tensors, as floats.
    pub(super) fn integer_matmul(&mut self) -> Option<()> {
        let operands = [self.input(0)?, self.input(1)?, self.input(2)?, self.input(3)?];
        self.integer_product(operands, [self.input(4), self.input(5)], self.input(6))
    }

    fn integer_product(
        &mut self,
        [a, b, step_a, step_b]: [String; 4],
        [zero_a, zero_b]: [Option<String>; 2],
        bias: Option<String>,
    ) -> Option<()> {
        let zeros = [zero_a.unwrap_or_default(), zero_b.unwrap_or_default()];
        let mut inputs = vec![&a[..], &b, &zeros[0], &zeros[1]];
        while inputs.pop_if(|input| input.is_empty()).is_some() {}
        let product = self.op("MatMulInteger", &inputs, vec![]);
        let product = self.op("Cast", &[&product], vec![int("to", DataType::Float as i64)]);
        let step = self.op("Mul", &[&step_a, &step_b], vec![]);
        match bias {
            Some(bias) => {
                let product = self.op("Mul", &[&product, &step], vec![]);
                self.last("Add", &[&product, &bias], vec![], 0)
            }
            None => self.last("Mul", &[&product, &step], vec![], 0),
        }
    }
}
