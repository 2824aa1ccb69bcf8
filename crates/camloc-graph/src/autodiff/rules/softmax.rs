//! Softmax and its logarithm. Both rules need the output only.

use super::super::call::{Answer, Call};
use super::super::gradient::Gradient;

/// `y = exp(x) / Σ exp(x)`: the gradient is `y * (g - Σ g y)`.
pub(super) fn softmax(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let output = call.output()?;
    let axis = call.axis(call.rank(output)?)?;
    let (gradient, _) = call.gradient()?;
    let weighted = call.op("Mul", &[&gradient, output], vec![]);
    let mean = call.sum(&weighted, &[axis], true);
    let centred = call.op("Sub", &[&gradient, &mean], vec![]);
    Ok(Some(Gradient::dense(call.op("Mul", &[&centred, output], vec![]))))
}

/// `y = x - log Σ exp(x)`: the gradient is `g - exp(y) * Σ g`.
pub(super) fn log_softmax(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let output = call.output()?;
    let axis = call.axis(call.rank(output)?)?;
    let gradient = call.dense()?;
    let sum = call.sum(&gradient, &[axis], true);
    let shares = call.op("Exp", &[output], vec![]);
    let pull = call.op("Mul", &[&sum, &shares], vec![]);
    Ok(Some(Gradient::dense(call.op("Sub", &[&gradient, &pull], vec![]))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, away_from};
    use crate::onnx::build::{i64_tensor, int, node};

    const OPS: &[&str] = &["Softmax", "LogSoftmax"];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn along_any_axis(
            shape in prop::collection::vec(1..4_i64, 1..5),
            axis in -4..4_i64,
            op in prop::sample::select(OPS),
        ) {
            let rank = shape.len() as i64;
            let attributes = if (-rank..rank).contains(&axis) { vec![int("axis", axis)] } else { vec![] };
            Check::of(node(op, "n", &["x"], &["y"], attributes)).input("x", &shape, away_from(&[])).holds();
        }
    }

    #[test]
    fn twice() {
        for op in OPS {
            let check = Check::of(node(op, "n", &["x"], &["y"], vec![])).input("x", &[2, 5], away_from(&[]));
            check.of_gradient().holds();
        }
    }

    #[test]
    fn of_a_gradient_that_is_the_same_everywhere() {
        for op in OPS {
            Check::of(node("Mul", "n", &["x", "x"], &["u"], vec![]))
                .then(node(op, "m", &["u"], &["v"], vec![int("axis", 1)]))
                .then(node("ReduceSum", "o", &["v", "axes"], &["y"], vec![int("keepdims", 0)]))
                .constants(&[i64_tensor("axes", &[2], &[1, 2])])
                .input("x", &[2, 4, 3], away_from(&[]))
                .holds();
        }
    }
}
