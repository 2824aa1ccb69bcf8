//! Activations: `gradient * f'(x)`, each value on its own.
//!
//! Where `f'` follows from the output at no cost, the output is used: an input with one more consumer can
//! keep the runtime from fusing the activation into the convolution before it.

use std::f64::consts::FRAC_2_SQRT_PI;

use super::super::call::{Answer, Call};
use super::super::gradient::Gradient;
use super::super::rectifier::Rectifier;
use super::arithmetic::product;

/// `max(x, 0)`.
pub(super) fn relu(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let output = call.output()?;
    let mask = above(call, output, 0.0);
    rectified(call, &mask)
}

/// The gradient of a rectifier that is open where `mask` is one. Guided backpropagation lets only positive
/// gradients through.
pub(super) fn rectified(call: &mut Call<'_, '_>, mask: &str) -> Answer {
    if call.rectifier == Rectifier::Guided {
        let (gradient, _) = call.gradient()?;
        let positive = call.op("Relu", &[&gradient], vec![]);
        return Ok(Some(Gradient::dense(call.op("Mul", &[&positive, mask], vec![]))));
    }
    call.times(mask)
}

/// `min(max(x, low), high)`; at the bounds themselves the gradient is zero, as for the rectifier.
///
/// One that clips at zero from below, as ReLU6 does, is a rectifier, and guided backpropagation guides it.
pub(super) fn clip(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let output = call.output()?;
    let mut inside: Option<String> = None;
    for (bound, comparison) in [(1, "Greater"), (2, "Less")] {
        if let Some(bound) = call.node.input_at(bound) {
            let holds = call.op(comparison, &[output, bound], vec![]);
            inside = Some(match inside {
                Some(other) => call.op("And", &[&other, &holds], vec![]),
                None => holds,
            });
        }
    }
    let Some(inside) = inside else { return super::pass::identity(call, position) };
    let mask = call.cast_like(&inside, output);
    let low = call.node.input_at(1).and_then(|low| call.graph.floats(low));
    match low.as_deref() {
        Some([0.0]) => rectified(call, &mask),
        _ => call.times(&mask),
    }
}

/// `x` where that is positive, `alpha * x` elsewhere.
pub(super) fn leaky_relu(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let alpha = f64::from(call.node.float_or("alpha", 0.01));
    // With a negative alpha the output says nothing of the input's sign.
    let sign = if alpha < 0.0 { call.input(0)? } else { call.output()? };
    let mask = above(call, sign, 0.0);
    let slope = choose(call, &mask, alpha, 1.0);
    call.times(&slope)
}

/// `x` where that is positive, `slope * x` elsewhere; by both.
pub(super) fn prelu(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let (x, slope) = (call.input(0)?, call.input(1)?);
    if position == 1 {
        let below = call.with("Min", x, 0.0);
        return product(call, call.output()?, slope, &below);
    }
    let mask = above(call, x, 0.0);
    let one = call.constant(1.0, slope);
    let rest = call.op("Sub", &[&one, slope], vec![]);
    let rest = call.op("Mul", &[&mask, &rest], vec![]);
    let slope = call.op("Add", &[slope, &rest], vec![]);
    call.times(&slope)
}

/// `x` where that is positive, `alpha * (exp(x) - 1)` elsewhere.
pub(super) fn elu(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let alpha = call.node.float_or("alpha", 1.0);
    exponential(call, alpha.into(), 1.0, 1.0)
}

/// `gamma` times an exponential unit of `alpha`.
pub(super) fn selu(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let alpha = call.node.float_or("alpha", 1.673_263_2);
    let gamma = call.node.float_or("gamma", 1.050_701);
    exponential(call, alpha.into(), gamma.into(), 1.0)
}

/// `x` where that is positive, `alpha * (exp(x / alpha) - 1)` elsewhere.
pub(super) fn celu(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let alpha = call.node.float_or("alpha", 1.0);
    exponential(call, 1.0, 1.0, alpha.into())
}

/// The slope `scale` where x is positive, `scale * alpha * exp(x / width)` elsewhere.
fn exponential(call: &mut Call<'_, '_>, alpha: f64, scale: f64, width: f64) -> Answer {
    let x = call.input(0)?;
    let mut slope = call.with("Min", x, 0.0);
    if width != 1.0 {
        slope = call.with("Div", &slope, width);
    }
    slope = call.op("Exp", &[&slope], vec![]);
    if scale * alpha != 1.0 {
        slope = call.with("Mul", &slope, scale * alpha);
    }
    if alpha != 1.0 {
        let mask = above(call, x, 0.0);
        let rest = call.with("Mul", &mask, scale * (1.0 - alpha));
        slope = call.op("Add", &[&slope, &rest], vec![]);
    }
    call.times(&slope)
}

/// `x` where that is over `alpha`, else zero.
pub(super) fn thresholded_relu(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let alpha = call.node.float_or("alpha", 1.0);
    let mask = above(call, call.input(0)?, alpha.into());
    call.times(&mask)
}

/// `x` moved towards zero by `bias` where it is further off than `lambd`, else zero.
pub(super) fn shrink(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let distance = call.node.float_or("lambd", 0.5);
    let size = call.op("Abs", &[call.input(0)?], vec![]);
    let mask = above(call, &size, distance.into());
    call.times(&mask)
}

/// `y = 1 / (1 + exp(-x))`, `y' = y * (1 - y)`.
pub(super) fn sigmoid(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let output = call.output()?;
    let rest = rest(call, output);
    let slope = call.op("Mul", &[output, &rest], vec![]);
    call.times(&slope)
}

/// `y = tanh(x)`, `y' = 1 - y²`.
pub(super) fn tanh(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let output = call.output()?;
    let square = call.op("Mul", &[output, output], vec![]);
    let slope = rest(call, &square);
    call.times(&slope)
}

/// `y = x / (1 + |x|)`, `y' = (1 - |y|)²`.
pub(super) fn softsign(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let size = call.op("Abs", &[call.output()?], vec![]);
    let root = rest(call, &size);
    let slope = call.op("Mul", &[&root, &root], vec![]);
    call.times(&slope)
}

/// `log(1 + exp(x))`, whose slope is the sigmoid.
pub(super) fn softplus(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let slope = call.op("Sigmoid", &[call.input(0)?], vec![]);
    call.times(&slope)
}

/// `max(0, min(1, alpha * x + beta))`.
pub(super) fn hard_sigmoid(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let (alpha, output) = (call.node.float_or("alpha", 0.2), call.output()?);
    let [zero, one] = [0.0, 1.0].map(|value| call.constant(value, output));
    let over = call.op("Greater", &[output, &zero], vec![]);
    let under = call.op("Less", &[output, &one], vec![]);
    let inside = call.op("And", &[&over, &under], vec![]);
    let mask = call.cast_like(&inside, output);
    let slope = call.with("Mul", &mask, alpha.into());
    call.times(&slope)
}

/// The error function, whose slope is `2 / √π * exp(-x²)`.
pub(super) fn erf(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let slope = bell(call, call.input(0)?, FRAC_2_SQRT_PI);
    call.times(&slope)
}

/// The sine, whose slope is the cosine.
pub(super) fn sin(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let slope = call.op("Cos", &[call.input(0)?], vec![]);
    call.times(&slope)
}

/// The cosine, whose slope is the sine turned round.
pub(super) fn cos(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let sine = call.op("Sin", &[call.input(0)?], vec![]);
    let slope = call.op("Neg", &[&sine], vec![]);
    call.times(&slope)
}

/// One where a tensor is greater than a number, else zero.
fn above(call: &mut Call<'_, '_>, tensor: &str, bound: f64) -> String {
    let bound = call.constant(bound, tensor);
    call.mask("Greater", tensor, &bound)
}

/// `off` where a mask is zero, `on` where it is one.
fn choose(call: &mut Call<'_, '_>, mask: &str, off: f64, on: f64) -> String {
    let step = call.with("Mul", mask, on - off);
    call.with("Add", &step, off)
}

/// `1 - tensor`.
pub(super) fn rest(call: &mut Call<'_, '_>, tensor: &str) -> String {
    let one = call.constant(1.0, tensor);
    call.op("Sub", &[&one, tensor], vec![])
}

/// `height * exp(-x²)`.
pub(super) fn bell(call: &mut Call<'_, '_>, x: &str, height: f64) -> String {
    let square = call.op("Mul", &[x, x], vec![]);
    let top = call.constant(height.ln(), x);
    let exponent = call.op("Sub", &[&top, &square], vec![]);
    call.op("Exp", &[&exponent], vec![])
}

#[cfg(test)]
mod tests {
    use super::super::super::check::{Check, away_from};
    use super::super::super::rectifier::Rectifier;
    use crate::onnx::build::{f32_tensor, float, node};
    use crate::onnx::proto::AttributeProto;

    /// A check of an activation that bends or jumps at `kinks`.
    fn of(op: &str, attributes: Vec<AttributeProto>, kinks: &'static [f32]) -> Check {
        Check::of(node(op, "n", &["x"], &["y"], attributes)).input("x", &[2, 3, 4], away_from(kinks))
    }

    #[test]
    fn relu() {
        of("Relu", vec![], &[0.0]).holds();
    }

    #[test]
    fn clip() {
        let bounds = [f32_tensor("low", &[], &[-0.5]), f32_tensor("high", &[], &[0.7])];
        for inputs in [&["x", "low", "high"][..], &["x", "", "high"], &["x", "low"], &["x"]] {
            Check::of(node("Clip", "n", inputs, &["y"], vec![]))
                .constants(&bounds)
                .input("x", &[2, 3, 4], away_from(&[-0.5, 0.7]))
                .holds();
        }
    }

    #[test]
    fn guided_backpropagation_guides_whatever_rectifies() {
        // Of y = -2 f(x) no gradient is positive, of y = 2 f(x) none is negative.
        let at = |op: &str, low: f32, factor: f32| {
            let bounds = [f32_tensor("low", &[], &[low]), f32_tensor("high", &[], &[1.0])];
            let inputs: &[&str] = if op == "Clip" { &["x", "low", "high"] } else { &["x"] };
            Check::of(node(op, "n", inputs, &["y"], vec![]))
                .then(node("Mul", "m", &["y", "factor"], &["scaled"], vec![]))
                .constants(&bounds)
                .constants(&[f32_tensor("factor", &[], &[factor])])
                .input("x", &[1, 3], away_from(&[]))
                .gradient_at(&[-0.5, 0.5, 2.0], Rectifier::Guided)
        };
        assert_eq!(at("Relu", 0.0, 2.0), [0.0, 2.0, 2.0]);
        assert_eq!(at("Relu", 0.0, -2.0), [0.0; 3]);
        assert_eq!(at("Clip", 0.0, 2.0), [0.0, 2.0, 0.0]);
        assert_eq!(at("Clip", 0.0, -2.0), [0.0; 3]);
        assert_eq!(at("Clip", -1.0, -2.0), [-2.0, -2.0, 0.0]);
    }

    #[test]
    fn leaky() {
        for alpha in [0.1, 0.0, 2.0, -0.5] {
            of("LeakyRelu", vec![float("alpha", alpha)], &[0.0]).f32_step(0.05).holds();
        }
        of("LeakyRelu", vec![], &[0.0]).f32_step(0.05).holds();
    }

    #[test]
    fn prelu() {
        for slope in [&[2, 3, 4][..], &[3, 1], &[1], &[]] {
            Check::of(node("PRelu", "n", &["x", "slope"], &["y"], vec![]))
                .input("x", &[2, 3, 4], away_from(&[0.0]))
                .input("slope", slope, away_from(&[]))
                .f32_step(0.05)
                .holds();
        }
    }

    #[test]
    fn exponential_units() {
        let alphas = |alpha| vec![float("alpha", alpha)];
        for (op, attributes) in [
            ("Elu", vec![]),
            ("Elu", alphas(0.4)),
            ("Elu", alphas(-0.4)),
            ("Selu", vec![]),
            ("Selu", vec![float("alpha", 0.7), float("gamma", 1.5)]),
            ("Celu", vec![]),
            ("Celu", alphas(0.6)),
        ] {
            of(op, attributes.clone(), &[0.0]).f32_step(0.02).holds();
            of(op, attributes, &[0.0]).f32_step(0.02).of_gradient().holds();
        }
    }

    #[test]
    fn thresholds() {
        of("ThresholdedRelu", vec![], &[1.0]).f32_step(0.05).holds();
        of("ThresholdedRelu", vec![float("alpha", -0.3)], &[-0.3]).f32_step(0.05).holds();
        of("Shrink", vec![], &[-0.5, 0.5]).f32_step(0.05).holds();
        of("Shrink", vec![float("lambd", 0.3), float("bias", 0.2)], &[-0.3, 0.3]).f32_step(0.05).holds();
        of("HardSigmoid", vec![], &[]).f32_step(0.05).holds();
        let steep = vec![float("alpha", 1.25), float("beta", 0.25)];
        of("HardSigmoid", steep, &[-0.2, 0.6]).f32_step(0.05).holds();
    }

    #[test]
    fn smooth_ones() {
        for op in ["Sigmoid", "Tanh", "Sin", "Cos"] {
            of(op, vec![], &[]).holds();
            of(op, vec![], &[]).of_gradient().holds();
        }
        for op in ["Erf", "Softplus", "Softsign"] {
            of(op, vec![], &[]).f32_step(0.02).holds();
            of(op, vec![], &[0.0]).f32_step(0.02).of_gradient().holds();
        }
    }
}
