//! Values divided by how large they and their neighbours are.

use super::super::call::{Answer, Call, Missing};
use super::super::gradient::Gradient;
use super::arithmetic::inverse_of_positive;
use crate::onnx::build::f32_tensor;

/// The most channels of a local response normalization.
const MOST_CHANNELS: i64 = 4096;

/// `x / |x|` along an axis, by the sum of sizes (p = 1) or the Euclidean length (p = 2). A vector of zeros
/// stays one, and nothing passes there.
pub(super) fn lp(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let (input, output) = (call.input(0)?, call.output()?);
    let axis = call.axis(call.rank(input)?)?;
    let (norm, slope) = match call.node.int_or("p", 2) {
        1 => {
            let sizes = call.op("Abs", &[input], vec![]);
            (call.total(&sizes, &[axis]), call.sign(input))
        }
        _ => {
            let squares = call.op("Mul", &[input, input], vec![]);
            let norm = call.total(&squares, &[axis]);
            (call.op("Sqrt", &[&norm], vec![]), output.to_owned())
        }
    };
    let (gradient, _) = call.gradient()?;
    let along = call.op("Mul", &[&gradient, output], vec![]);
    let along = call.sum(&along, &[axis], true);
    let along = call.op("Mul", &[&along, &slope], vec![]);
    let across = call.op("Sub", &[&gradient, &along], vec![]);
    let inverse = inverse_of_positive(call, &norm);
    Ok(Some(Gradient::dense(call.op("Mul", &[&across, &inverse], vec![]))))
}

/// `y = x * d^-beta` with `d = bias + alpha / size * Σ x²` over neighbouring channels.
///
/// The sums over neighbours are products with a banded matrix, which is exact in every execution provider
/// and differentiable in turn.
pub(super) fn local_response(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let (input, node) = (call.input(0)?, call.node);
    let channels = call.shape(input)?.get(1).copied().flatten().ok_or_else(|| Missing::shape(input))?;
    // The matrix has as many rows and columns.
    if channels > MOST_CHANNELS {
        return Err(Missing::because(format!("its {channels} channels are over {MOST_CHANNELS}")));
    }
    let [alpha, beta, bias] = [("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)]
        .map(|(name, value)| f64::from(node.float_or(name, value)));
    let size = node.int_or("size", 1);
    if !(1..=MOST_CHANNELS).contains(&size) {
        return Err(Missing::because(format!("its size {size}")));
    }
    // Channel c sees those from c - (size - 1) / 2, rounded down, to c + (size - 1) / 2, rounded up.
    let (before, after) = ((size - 1) / 2, size / 2);
    let weight = alpha / size as f64;
    let seen = band(call, channels, before, after, weight);
    let seen_by = band(call, channels, after, before, 2.0 * beta * weight);
    let flat = call.graph.add_ints("camloc.flat", &[0, 0, -1]);
    let x = call.op("Reshape", &[input, &flat], vec![]);
    let squares = call.op("Mul", &[&x, &x], vec![]);
    let sums = call.op("MatMul", &[&seen, &squares], vec![]);
    let d = call.with("Add", &sums, bias);
    let factor = call.with("Pow", &d, -beta);
    let gradient = call.dense()?;
    let flat: Vec<i64> = call.lead().map(|_| 0).into_iter().chain([0, 0, -1]).collect();
    let flat = call.graph.add_ints("camloc.flat", &flat);
    let gradient = call.op("Reshape", &[&gradient, &flat], vec![]);
    let own = call.op("Mul", &[&gradient, &factor], vec![]);
    // Of the neighbours: 2 alpha beta / size * x Σ g y / d, with g y = own * x.
    let share = call.op("Div", &[&x, &d], vec![]);
    let shares = call.op("Mul", &[&own, &share], vec![]);
    let shares = call.op("MatMul", &[&seen_by, &shares], vec![]);
    let shares = call.op("Mul", &[&shares, &x], vec![]);
    let whole = call.op("Sub", &[&own, &shares], vec![]);
    Ok(Some(Gradient::dense(call.shaped(&whole, input)?)))
}

/// A matrix `[size, size]` that is `value` from `before` left of its diagonal to `after` right of it.
fn band(call: &mut Call<'_, '_>, size: i64, before: i64, after: i64, value: f64) -> String {
    let near = |row: i64, column: i64| (row - before..=row + after).contains(&column);
    let values: Vec<f32> = (0..size)
        .flat_map(|row| (0..size).map(move |column| if near(row, column) { value as f32 } else { 0.0 }))
        .collect();
    let matrix = call.graph.add_initializer(f32_tensor("camloc.band", &[size, size], &values));
    match call.node.input_at(0) {
        Some(input) => call.cast_like(&matrix, input),
        None => matrix,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, away_from, positive};
    use super::super::super::rectifier::Rectifier;
    use crate::onnx::build::{float, int, node};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn local_response(channels in 1..7_i64, size in prop::sample::select(&[1, 3, 5][..]), twice: bool) {
            let attributes = vec![int("size", size), float("alpha", 0.5), float("beta", 0.6), float("bias", 0.8)];
            let check = Check::of(node("LRN", "n", &["x"], &["y"], attributes))
                .input("x", &[2, channels, 2, 2], away_from(&[]))
                .f32_step(0.02);
            if twice { check.of_gradient().holds() } else { check.holds() }
        }

        #[test]
        fn lp(shape in prop::collection::vec(1..4_i64, 3), axis in -3..3_i64, p in 1..3_i64, twice: bool) {
            let check = Check::of(node("LpNormalization", "n", &["x"], &["y"], vec![int("axis", axis), int("p", p)]))
                .input("x", &shape, away_from(&[0.0]));
            if twice { check.of_gradient().holds() } else { check.holds() }
        }
    }

    #[test]
    fn a_vector_of_zeros_is_no_danger() {
        for p in [1, 2] {
            let lp = Check::of(node("LpNormalization", "n", &["x"], &["y"], vec![int("p", p)]));
            let gradient = lp.input("x", &[1, 2], positive()).gradient_at(&[0.0; 2], Rectifier::Plain);
            assert_eq!(gradient, [0.0; 2]);
        }
    }
}
