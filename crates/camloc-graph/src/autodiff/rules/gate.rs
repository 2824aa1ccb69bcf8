//! Activations that are their input times a gate: `x * g(x)`.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

use super::super::call::{Answer, Call, Missing};
use super::activation::{bell, rest};
use crate::onnx::build::float;

/// `x * h` with `h = max(0, min(1, x / 6 + 1 / 2))`.
///
/// The slope is 0 where h is, 1 where h is, and `2 h - 1/2` between; the sum of h rounded down and up is
/// 0, 2 and 1 there.
pub(super) fn hard_swish(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let attributes = vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)];
    let gate = call.op("HardSigmoid", &[call.input(0)?], attributes);
    let [down, up] = ["Floor", "Ceil"].map(|round| call.op(round, &[&gate], vec![]));
    let steps = call.op("Add", &[&down, &up], vec![]);
    let steps = call.with("Mul", &steps, 0.5);
    let twice = call.op("Add", &[&gate, &gate], vec![]);
    let slope = call.op("Sub", &[&twice, &steps], vec![]);
    call.times(&slope)
}

/// `y = x * s` with `s = sigmoid(alpha * x)`; `y' = s + alpha * (y - y * s)`.
pub(super) fn swish(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let (alpha, output) = (f64::from(call.node.float_or("alpha", 1.0)), call.output()?);
    let mut gate = call.input(0)?.to_owned();
    if alpha != 1.0 {
        gate = call.with("Mul", &gate, alpha);
    }
    gate = call.op("Sigmoid", &[&gate], vec![]);
    let closed = rest(call, &gate);
    let mut slope = call.op("Mul", &[output, &closed], vec![]);
    if alpha != 1.0 {
        slope = call.with("Mul", &slope, alpha);
    }
    slope = call.op("Add", &[&slope, &gate], vec![]);
    call.times(&slope)
}

/// `x * t` with `t = tanh(log(1 + exp(x)))`; `y' = t + x * (1 - t²) * sigmoid(x)`.
pub(super) fn mish(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let x = call.input(0)?;
    let softplus = call.op("Softplus", &[x], vec![]);
    let gate = call.op("Tanh", &[&softplus], vec![]);
    let square = call.op("Mul", &[&gate, &gate], vec![]);
    let closed = rest(call, &square);
    let sigmoid = call.op("Sigmoid", &[x], vec![]);
    let change = call.op("Mul", &[&closed, &sigmoid], vec![]);
    let change = call.op("Mul", &[x, &change], vec![]);
    let slope = call.op("Add", &[&gate, &change], vec![]);
    call.times(&slope)
}

/// `x` times the normal distribution's `Φ(x)`, or the approximation of that by `tanh`.
pub(super) fn gelu(call: &mut Call<'_, '_>, _: usize) -> Answer {
    match call.node.string("approximate").unwrap_or("none") {
        "none" => gelu_exact(call),
        "tanh" => gelu_tanh(call),
        other => Err(Missing::because(format!("its approximation {other} is not known"))),
    }
}

/// With `u = -x / √2`: `y' = (1 - erf(u)) / 2 - u * exp(-u²) / √π`.
///
/// The sign keeps these nodes apart from those of a Gelu that is written in pieces. The runtime would merge
/// equal ones, and then not fuse the pieces, which moves the model's own outputs by a bit.
fn gelu_exact(call: &mut Call<'_, '_>) -> Answer {
    let u = call.with("Mul", call.input(0)?, -FRAC_1_SQRT_2);
    let bell = bell(call, &u, FRAC_2_SQRT_PI);
    let change = call.op("Mul", &[&u, &bell], vec![]);
    let gate = call.op("Erf", &[&u], vec![]);
    let gate = rest(call, &gate);
    let slope = call.op("Sub", &[&gate, &change], vec![]);
    let slope = call.with("Mul", &slope, 0.5);
    call.times(&slope)
}

/// With `t = tanh(k * (x + c * x³))`: `y' = (1 + t + x * (1 - t²) * k * (1 + 3 c x²)) / 2`.
fn gelu_tanh(call: &mut Call<'_, '_>) -> Answer {
    let (k, c) = ((2.0 / PI).sqrt(), 0.044715);
    let x = call.input(0)?;
    let square = call.op("Mul", &[x, x], vec![]);
    // k * (1 + c x²) and k * (1 + 3 c x²).
    let [inner, outer] = [c, 3.0 * c].map(|factor| {
        let scaled = call.with("Mul", &square, k * factor);
        call.with("Add", &scaled, k)
    });
    let inner = call.op("Mul", &[x, &inner], vec![]);
    let gate = call.op("Tanh", &[&inner], vec![]);
    let gate_square = call.op("Mul", &[&gate, &gate], vec![]);
    let closed = rest(call, &gate_square);
    let change = call.op("Mul", &[x, &outer], vec![]);
    let change = call.op("Mul", &[&change, &closed], vec![]);
    let gate = call.with("Add", &gate, 1.0);
    let slope = call.op("Add", &[&gate, &change], vec![]);
    let slope = call.with("Mul", &slope, 0.5);
    call.times(&slope)
}

#[cfg(test)]
mod tests {
    use super::super::super::check::{Check, away_from};
    use crate::onnx::build::{f32_tensor, float, node, string};

    #[test]
    fn hard_swish() {
        // Three times as far, to reach both bends.
        let of = || {
            Check::of(node("Mul", "n", &["x", "three"], &["u"], vec![]))
                .then(node("HardSwish", "m", &["u"], &["y"], vec![]))
                .constants(&[f32_tensor("three", &[], &[3.0])])
                .input("x", &[2, 3, 4], away_from(&[-1.0, 1.0]))
                .f32_step(0.01)
        };
        of().holds();
        of().of_gradient().holds();
    }

    #[test]
    fn of_newer_operator_sets() {
        for (op, opset, attributes) in [
            ("Mish", 18, vec![]),
            ("Gelu", 20, vec![]),
            ("Gelu", 20, vec![string("approximate", "tanh")]),
            ("Swish", 24, vec![]),
            ("Swish", 24, vec![float("alpha", 1.7)]),
        ] {
            let of = || {
                let check = Check::of(node(op, "n", &["x"], &["y"], attributes.clone())).opset(opset);
                check.input("x", &[2, 3, 4], away_from(&[])).f32_step(0.02)
            };
            of().holds();
            of().of_gradient().holds();
        }
    }
}
