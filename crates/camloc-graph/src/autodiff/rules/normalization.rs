//! Normalizations.
//!
//! All that standardize (`x̂ = (x - mean) / deviation` over some axes) have one gradient: what the values have
//! in common and what runs along `x̂` cannot change the output, so both are taken out of it.

use super::super::call::{Answer, Call, Missing};
use super::super::composite::apart;
use super::super::gradient::Gradient;
use super::arithmetic::product;
use crate::onnx::build;
use crate::onnx::proto::DataType;

/// Batch normalization at inference: a constant factor for each channel.
pub(super) fn batch(call: &mut Call<'_, '_>, position: usize) -> Answer {
    only_values(position)?;
    if call.node.int_or("training_mode", 0) != 0 {
        return Err(Missing::because("it is in training mode; export the model for inference"));
    }
    let (input, scale, variance) = (call.input(0)?, call.input(1)?, call.input(4)?);
    // All of this is constant, and folded when the model is loaded.
    let variance = call.with("Add", variance, epsilon(call));
    let deviation = call.op("Sqrt", &[&variance], vec![]);
    let deviation = call.cast_like(&deviation, scale);
    let factor = call.op("Div", &[scale, &deviation], vec![]);
    let factor = call.cast_like(&factor, input);
    let factor = behind_channels(call, &factor, input)?;
    product(call, input, input, &factor)
}

/// Standardized over the axes from `axis` on, then scaled.
pub(super) fn layer(call: &mut Call<'_, '_>, position: usize) -> Answer {
    only_values(position)?;
    for further in [1, 2] {
        if call.dense_of(further)?.is_some() {
            return Err(Missing::because("the target depends on its mean or deviation as well"));
        }
    }
    last_axes(call, true)
}

/// As [`layer`], without a mean.
pub(super) fn root_mean_square(call: &mut Call<'_, '_>, position: usize) -> Answer {
    only_values(position)?;
    last_axes(call, false)
}

fn last_axes(call: &mut Call<'_, '_>, centred: bool) -> Answer {
    let (input, scale) = (call.input(0)?, call.input(1)?);
    let rank = call.rank(input)?;
    let first = call.axis(rank)?;
    let axes: Vec<usize> = (first..rank).collect();
    let x = apart(call.graph, input);
    let x = wide(call, &x);
    let standard = Standard::of(call, &x, &axes, centred, Guard::Within(epsilon(call)))?;
    let scale = call.cast_like(scale, &x);
    let gradient = scaled(call, &x, &scale)?;
    standard.back(call, &gradient, input)
}

/// Each channel of each picture standardized, then scaled.
pub(super) fn instance(call: &mut Call<'_, '_>, position: usize) -> Answer {
    only_values(position)?;
    let (input, scale) = (call.input(0)?, call.input(1)?);
    let axes: Vec<usize> = (2..call.rank(input)?).collect();
    let x = wide(call, input);
    let standard = Standard::of(call, &x, &axes, true, Guard::Within(epsilon(call)))?;
    let scale = call.cast_like(scale, &x);
    let scale = behind_channels(call, &scale, input)?;
    let gradient = scaled(call, &x, &scale)?;
    standard.back(call, &gradient, input)
}

/// Standardized over some axes, without a scale.
pub(super) fn mean_variance(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let input = call.input(0)?;
    let rank = call.rank(input)?;
    let axes = call.node.ints("axes").unwrap_or(&[0, 2, 3]);
    let mut axes = axes.iter().map(|&axis| call.wrapped(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    let x = wide(call, input);
    let standard = Standard::of(call, &x, &axes, true, Guard::Beside(1e-9))?;
    let gradient = call.dense()?;
    let gradient = call.cast_like(&gradient, &x);
    standard.back(call, &gradient, input)
}

/// Groups of channels standardized, then scaled: each channel, or (before operator set 21) each group.
pub(super) fn group(call: &mut Call<'_, '_>, position: usize) -> Answer {
    only_values(position)?;
    let (input, scale) = (call.input(0)?, call.input(1)?);
    let groups = call.node.int_or("num_groups", 1);
    let [scales] = call.shape(scale)?[..] else { return Err(Missing::shape(scale)) };
    let x = wide(call, input);
    let scale = call.cast_like(scale, &x);
    let split = call.graph.add_ints("camloc.groups", &[0, groups, -1]);
    let grouped = call.op("Reshape", &[&x, &split], vec![]);
    let standard = Standard::of(call, &grouped, &[2], true, Guard::Within(epsilon(call)))?;
    let mut gradient = call.dense()?;
    gradient = call.cast_like(&gradient, &x);
    let by_channel = scales != Some(groups) || call.shape(input)?.get(1) == Some(&Some(groups));
    if by_channel {
        let scale = behind_channels(call, &scale, input)?;
        gradient = call.op("Mul", &[&gradient, &scale], vec![]);
    }
    let lead = call.lead().map(|lead| lead as i64);
    let split: Vec<i64> = lead.map(|_| 0).into_iter().chain([0, groups, -1]).collect();
    let split = call.graph.add_ints("camloc.groups", &split);
    gradient = call.op("Reshape", &[&gradient, &split], vec![]);
    if !by_channel {
        let scale = behind_channels(call, &scale, &grouped)?;
        gradient = call.op("Mul", &[&gradient, &scale], vec![]);
    }
    let gradient = standard.pull(call, &gradient)?;
    let gradient = call.shaped(&gradient, input)?;
    Ok(Some(Gradient::dense(call.cast_like(&gradient, input))))
}

/// Only the gradient by the values that are normalized is known.
fn only_values(position: usize) -> Result<(), Missing> {
    match position {
        0 => Ok(()),
        _ => Err(Missing::because("its parameters are computed from the picture")),
    }
}

fn epsilon(call: &Call<'_, '_>) -> f64 {
    call.node.float_or("epsilon", 1e-5).into()
}

/// A tensor in at least 32 bits: in 16 the squares that add up to a variance may be infinite.
fn wide(call: &mut Call<'_, '_>, tensor: &str) -> String {
    match call.element(tensor) {
        DataType::Float16 | DataType::Bfloat16 => {
            call.op("Cast", &[tensor], vec![build::int("to", DataType::Float as i64)])
        }
        _ => tensor.to_owned(),
    }
}

/// One value a channel, `[C]`, in the form that broadcasts to `like`, `[N, C, …]`.
fn behind_channels(call: &mut Call<'_, '_>, values: &str, like: &str) -> Result<String, Missing> {
    let behind = call.rank(like)?.saturating_sub(2) as i64;
    if behind == 0 {
        return Ok(values.to_owned());
    }
    let axes: Vec<i64> = (1..=behind).collect();
    let axes = call.graph.add_ints("camloc.axes", &axes);
    Ok(call.op("Unsqueeze", &[values, &axes], vec![]))
}

/// The gradient of the first output in full, times a scale, in the element type of `like`.
fn scaled(call: &mut Call<'_, '_>, like: &str, scale: &str) -> Result<String, Missing> {
    let gradient = call.dense()?;
    let gradient = call.cast_like(&gradient, like);
    Ok(call.op("Mul", &[&gradient, scale], vec![]))
}

/// What keeps a deviation from being zero.
enum Guard {
    /// Added to the variance.
    Within(f64),
    /// Added to the deviation itself.
    Beside(f64),
}

/// A standardized tensor.
struct Standard {
    /// `x̂`, `[…]`.
    values: String,
    /// The deviation, of size 1 along the axes.
    deviation: String,
    /// How many values were standardized together, a scalar.
    count: String,
    axes: Vec<usize>,
    centred: bool,
}

impl Standard {
    /// Computes it anew; the operator keeps its statistics to itself.
    fn of(
        call: &mut Call<'_, '_>,
        x: &str,
        axes: &[usize],
        centred: bool,
        guard: Guard,
    ) -> Result<Standard, Missing> {
        let count = call.count(x, axes)?;
        let mut values = x.to_owned();
        if centred {
            let sum = call.total(x, axes);
            let mean = call.op("Div", &[&sum, &count], vec![]);
            values = call.op("Sub", &[x, &mean], vec![]);
        }
        let squares = call.op("Mul", &[&values, &values], vec![]);
        let sum = call.total(&squares, axes);
        let mut variance = call.op("Div", &[&sum, &count], vec![]);
        if let Guard::Within(epsilon) = guard {
            variance = call.with("Add", &variance, epsilon);
        }
        let mut deviation = call.op("Sqrt", &[&variance], vec![]);
        if let Guard::Beside(epsilon) = guard {
            deviation = call.with("Add", &deviation, epsilon);
        }
        let values = call.op("Div", &[&values, &deviation], vec![]);
        Ok(Standard { values, deviation, count, axes: axes.to_vec(), centred })
    }

    /// From the gradient of `x̂` that of x: `(g - mean(g) - x̂ mean(g x̂)) / deviation`.
    fn pull(&self, call: &mut Call<'_, '_>, gradient: &str) -> Result<String, Missing> {
        let along = call.op("Mul", &[gradient, &self.values], vec![]);
        let along = self.mean(call, &along);
        let along = call.op("Mul", &[&self.values, &along], vec![]);
        let mut across = call.op("Sub", &[gradient, &along], vec![]);
        if self.centred {
            let common = self.mean(call, gradient);
            across = call.op("Sub", &[&across, &common], vec![]);
        }
        Ok(call.op("Div", &[&across, &self.deviation], vec![]))
    }

    fn mean(&self, call: &mut Call<'_, '_>, gradient: &str) -> String {
        let sum = call.sum(gradient, &self.axes, true);
        call.op("Div", &[&sum, &self.count], vec![])
    }

    /// As [`Standard::pull`], in the element type of the node's input.
    fn back(&self, call: &mut Call<'_, '_>, gradient: &str, input: &str) -> Answer {
        let gradient = self.pull(call, gradient)?;
        Ok(Some(Gradient::dense(call.cast_like(&gradient, input))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, away_from, positive};
    use super::super::super::rectifier::Rectifier;
    use super::*;
    use crate::onnx::build::{f32_tensor, float, i64_tensor, int, ints, node};

    /// Positive values without a pattern.
    fn variances(count: i64) -> Vec<f32> {
        positive()(count as usize, 5)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn batch(spatial in prop::collection::vec(1..4_i64, 0..3), channels in 1..4_i64, open: bool, summed: bool) {
            let shape = [&[2, channels], &spatial[..]].concat();
            let mut check = Check::of(node("BatchNormalization", "n", &["x", "s", "b", "m", "v"], &["y"], vec![float("epsilon", 0.1)]))
                .noise("s", &[channels])
                .noise("b", &[channels])
                .noise("m", &[channels])
                .constants(&[f32_tensor("v", &[channels], &variances(channels))])
                .input("x", &shape, away_from(&[]))
                .open(open);
            // Behind a sum the gradient is the same along an axis.
            if summed {
                let sum = node("ReduceSum", "m", &["y", "axes"], &["sum"], vec![int("keepdims", 0)]);
                check = check.then(sum).constants(&[i64_tensor("axes", &[1], &[-1])]);
            }
            check.holds();
        }

        #[test]
        fn layer(
            shape in prop::collection::vec(1..4_i64, 3), axis in -3..3_i64, bias: bool, open: bool, twice: bool,
        ) {
            let first = axis.rem_euclid(3) as usize;
            let inputs: &[&str] = if bias { &["x", "s", "b"] } else { &["x", "s"] };
            let attributes = vec![int("axis", axis), float("epsilon", 0.1)];
            let check = Check::of(node("LayerNormalization", "n", inputs, &["y"], attributes))
                .noise("s", &shape[first..])
                .noise("b", &shape[first..])
                .input("x", &shape, away_from(&[]));
            if twice { check.of_gradient().holds() } else { check.open(open).holds() }
        }

        #[test]
        fn root_mean_square(shape in prop::collection::vec(1..4_i64, 3), axis in -3..3_i64) {
            let attributes = vec![int("axis", axis), float("epsilon", 0.1)];
            Check::of(node("RMSNormalization", "n", &["x", "s"], &["y"], attributes))
                .opset(23)
                .noise("s", &shape[axis.rem_euclid(3) as usize..])
                .input("x", &shape, away_from(&[]))
                .holds();
        }

        #[test]
        fn instance(spatial in prop::collection::vec(2..4_i64, 1..3), channels in 1..4_i64, open: bool) {
            let attributes = vec![float("epsilon", 0.5)];
            Check::of(node("InstanceNormalization", "n", &["x", "s", "b"], &["y"], attributes))
                .noise("s", &[channels])
                .noise("b", &[channels])
                .input("x", &[&[2, channels], &spatial[..]].concat(), away_from(&[]))
                .open(open)
                .f32_step(0.01)
                .holds();
        }

        #[test]
        fn group(each in 1..4_i64, groups in 1..4_i64, by_channel: bool, open: bool) {
            let (channels, opset) = (each * groups, if by_channel { 21 } else { 18 });
            let scales = if by_channel { channels } else { groups };
            let attributes = vec![int("num_groups", groups), float("epsilon", 0.5)];
            Check::of(node("GroupNormalization", "n", &["x", "s", "b"], &["y"], attributes))
                .opset(opset)
                .noise("s", &[scales])
                .noise("b", &[scales])
                .input("x", &[2, channels, 2, 3], away_from(&[]))
                .open(open)
                .f32_step(0.01)
                .holds();
        }

    }

    #[test]
    fn mean_variance() {
        for attributes in [vec![], vec![ints("axes", &[1, -1])]] {
            Check::of(node("MeanVarianceNormalization", "n", &["x"], &["y"], attributes))
                .input("x", &[2, 3, 2, 3], away_from(&[]))
                .f32_step(0.02)
                .holds();
        }
    }

    #[test]
    fn in_half_precision_squares_do_not_overflow() {
        let of = |element| {
            Check::of(node("LayerNormalization", "n", &["x", "s"], &["y"], vec![]))
                .constants(&[f32_tensor("s", &[4], &[1.0, 2.0, -1.0, 0.5])])
                .input("x", &[1, 4], away_from(&[]))
                .element(element)
                .gradient_at(&[-100.0, 300.0, 500.0, 80.0], Rectifier::Plain)
        };
        let (half, double) = (of(DataType::Float16), of(DataType::Double));
        for (half, double) in half.into_iter().zip(double) {
            assert!((half - double).abs() < 0.01 * double.abs(), "{half} is not {double}");
        }
    }
}
