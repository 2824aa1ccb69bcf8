//! Norms over the last axes, alone and behind a residual addition.

use super::Fused;
use crate::onnx::build::{float, int};

/// The operator set from which on a layer norm is an operator.
pub(super) const LAYER_NORM_OPSET: i64 = 17;

impl Fused<'_, '_> {
    /// A layer norm in an operator set that has none.
    pub(super) fn layer_norm(&mut self) -> Option<()> {
        let x = self.input(0)?;
        let rank = self.graph.rank(&x)? as i64;
        let last = matches!(self.node.int_or("axis", -1), axis if axis == -1 || axis == rank - 1);
        (last && self.has_one_output()).then_some(())?;
        let (scale, bias) = (self.input(1)?, self.input(2));
        self.normalised(&x, &scale, bias, self.node.float_or("epsilon", 1e-5), true)
    }

    /// A norm by the root of the mean square.
    pub(super) fn simplified_norm(&mut self) -> Option<()> {
        let x = self.input(0)?;
        let rank = self.graph.rank(&x)? as i64;
        let last = matches!(self.node.int_or("axis", -1), axis if axis == -1 || axis == rank - 1);
        (last && self.has_one_output()).then_some(())?;
        let scale = self.input(1)?;
        self.normalised(&x, &scale, None, self.node.float_or("epsilon", 1e-5), false)
    }

    /// The sum of two tensors, and perhaps a bias, then a norm; the sum is the fourth output.
    pub(super) fn skip_norm(&mut self, centred: bool) -> Option<()> {
        let (x, skip, scale) = (self.input(0)?, self.input(1)?, self.input(2)?);
        let (shift, bias) = if centred { (self.input(3), self.input(4)) } else { (None, self.input(3)) };
        // Mean and deviation are of use in training only.
        [1, 2].iter().all(|&index| self.node.output_at(index).is_none()).then_some(())?;
        let x = self.plus(x, bias);
        let sum = match self.node.output_at(3) {
            Some(sum) => {
                self.last("Add", &[&x, &skip], vec![], 3)?;
                sum.to_owned()
            }
            None => self.op("Add", &[&x, &skip], vec![]),
        };
        self.normalised(&sum, &scale, shift, self.node.float_or("epsilon", 1e-12), centred)
    }

    fn normalised(
        &mut self,
        x: &str,
        scale: &str,
        bias: Option<String>,
        epsilon: f32,
        centred: bool,
    ) -> Option<()> {
        if centred && self.graph.opset() >= LAYER_NORM_OPSET {
            let inputs: Vec<&str> = [x, scale].into_iter().chain(bias.as_deref()).collect();
            let attributes = vec![int("axis", -1), float("epsilon", epsilon)];
            return self.last("LayerNormalization", &inputs, attributes, 0);
        }
        let apart = if centred {
            let mean = self.graph.reduce("ReduceMean", "camloc.part", x, &[-1], true);
            self.op("Sub", &[x, &mean], vec![])
        } else {
            x.to_owned()
        };
        let square = self.op("Mul", &[&apart, &apart], vec![]);
        let variance = self.graph.reduce("ReduceMean", "camloc.part", &square, &[-1], true);
        let above = self.with("Add", &variance, epsilon.into());
        let root = self.op("Sqrt", &[&above], vec![]);
        let standard = self.op("Div", &[&apart, &root], vec![]);
        match bias {
            Some(bias) => {
                let scaled = self.op("Mul", &[&standard, scale], vec![]);
                self.last("Add", &[&scaled, &bias], vec![], 0)
            }
            None => self.last("Mul", &[&standard, scale], vec![], 0),
        }
    }
}
