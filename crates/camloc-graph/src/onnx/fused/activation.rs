//! Activations, alone and behind a convolution or a product.

use std::f64::consts::{FRAC_2_SQRT_PI, SQRT_2};

use super::Fused;
use crate::onnx::build::{self, float};

/// Of the approximation of a GELU by a hyperbolic tangent.
const CUBE: f64 = 0.044_715;

impl Fused<'_, '_> {
    /// `x / 2 * (1 + erf(x / √2))`.
    pub(super) fn gelu(&mut self) -> Option<()> {
        let x = self.input(0)?;
        self.gelu_of(&x)
    }

    pub(super) fn bias_gelu(&mut self) -> Option<()> {
        let (x, bias) = (self.input(0)?, self.input(1)?);
        let x = self.op("Add", &[&x, &bias], vec![]);
        self.gelu_of(&x)
    }

    fn gelu_of(&mut self, x: &str) -> Option<()> {
        let scaled = self.with("Div", x, SQRT_2);
        let error = self.op("Erf", &[&scaled], vec![]);
        let gate = self.with("Add", &error, 1.0);
        self.half_gated(x, &gate)
    }

    /// `x / 2 * (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    pub(super) fn fast_gelu(&mut self) -> Option<()> {
        let x = self.input(0)?;
        let bias = self.input(1);
        let x = self.plus(x, bias);
        let square = self.op("Mul", &[&x, &x], vec![]);
        let cube = self.op("Mul", &[&square, &x], vec![]);
        let cube = self.with("Mul", &cube, CUBE);
        let sum = self.op("Add", &[&x, &cube], vec![]);
        let scaled = self.with("Mul", &sum, FRAC_2_SQRT_PI / SQRT_2);
        let tanh = self.op("Tanh", &[&scaled], vec![]);
        let gate = self.with("Add", &tanh, 1.0);
        self.half_gated(&x, &gate)
    }

    fn half_gated(&mut self, x: &str, gate: &str) -> Option<()> {
        let product = self.op("Mul", &[x, gate], vec![]);
        let half = self.number(x, 0.5);
        self.last("Mul", &[&product, &half], vec![], 0)
    }

    /// `x * sigmoid(alpha x)`.
    pub(super) fn quick_gelu(&mut self) -> Option<()> {
        let x = self.input(0)?;
        let scaled = self.with("Mul", &x, self.node.float_or("alpha", 1.702).into());
        let gate = self.op("Sigmoid", &[&scaled], vec![]);
        self.last("Mul", &[&x, &gate], vec![], 0)
    }

    /// A convolution, perhaps plus another tensor, then an activation.
    pub(super) fn conv(&mut self) -> Option<()> {
        let mut attributes = self.attributes_without(&["activation", "activation_params"]);
        let parameters = self.node.find_attribute("activation_params").map(|found| found.floats.clone());
        let activation = self.node.string("activation").unwrap_or_default().to_owned();
        is_known(&activation).then_some(())?;
        let inputs: Vec<String> = (0..3).map_while(|index| self.input(index)).collect();
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let conv = self.op("Conv", &inputs, std::mem::take(&mut attributes));
        let other = self.input(3);
        let sum = self.plus(conv, other);
        self.activated(&sum, &activation, &parameters.unwrap_or_default())
    }

    /// A matrix product, then an activation.
    pub(super) fn gemm(&mut self) -> Option<()> {
        const OWN: [&str; 4] = ["activation", "activation_alpha", "activation_beta", "activation_gamma"];
        let activation = self.node.string("activation").unwrap_or_default().to_owned();
        is_known(&activation).then_some(())?;
        let parameters = OWN[1..].iter().map_while(|name| self.node.find_attribute(name));
        let parameters: Vec<f32> = parameters.map(|parameter| parameter.f()).collect();
        let inputs: Vec<String> = (0..3).map_while(|index| self.input(index)).collect();
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = self.attributes_without(&OWN);
        let product = self.op("Gemm", &inputs, attributes);
        self.activated(&product, &activation, &parameters)
    }

    fn activated(&mut self, x: &str, activation: &str, parameters: &[f32]) -> Option<()> {
        let at = |index: usize, default: f32| parameters.get(index).copied().unwrap_or(default);
        match activation {
            "" => self.last("Identity", &[x], vec![], 0),
            "LeakyRelu" => self.last(activation, &[x], vec![float("alpha", at(0, 0.01))], 0),
            "HardSigmoid" => {
                let attributes = vec![float("alpha", at(0, 0.2)), float("beta", at(1, 0.5))];
                self.last(activation, &[x], attributes, 0)
            }
            "Clip" => {
                let bounds = [at(0, f32::MIN), at(1, f32::MAX)].map(|bound| self.number(x, bound.into()));
                self.last(activation, &[x, &bounds[0], &bounds[1]], vec![], 0)
            }
            _ => self.last(activation, &[x], vec![], 0),
        }
    }

    /// A number of a tensor's element type.
    pub(super) fn number(&mut self, like: &str, value: f64) -> String {
        let element = self.graph.element_type(like).unwrap_or(crate::onnx::proto::DataType::Float);
        self.graph.add_initializer(build::scalar("camloc.number", element, value))
    }

    /// A tensor and a number through an operator.
    pub(super) fn with(&mut self, op: &str, tensor: &str, value: f64) -> String {
        self.graph.with(op, "camloc.part", tensor, value)
    }
}

fn is_known(activation: &str) -> bool {
    const KNOWN: [&str; 8] = ["", "Relu", "Tanh", "Sigmoid", "LeakyRelu", "Clip", "HardSigmoid", "HardSwish"];
    KNOWN.contains(&activation)
}
