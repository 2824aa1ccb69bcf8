//! Reductions over axes, which older operator sets take as an attribute and newer ones as an input.

use super::super::call::{Answer, Call, Missing};
use super::super::gradient::Gradient;
use super::arithmetic::{inverse, inverse_of_positive};

/// `Σ x`. The gradient is the same along the axes, and is stored once.
pub(super) fn sum(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let Some(reduced) = Reduction::of(call, position)? else { return Ok(None) };
    Ok(Some(Gradient::spread(reduced.gradient, reduced.spread)))
}

/// The mean, likewise.
pub(super) fn mean(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let Some(reduced) = Reduction::of(call, position)? else { return Ok(None) };
    let count = call.count(call.input(0)?, &reduced.axes)?;
    let share = call.op("Div", &[&reduced.gradient, &count], vec![]);
    Ok(Some(Gradient::spread(share, reduced.spread)))
}

/// The largest or smallest value. Where several are, they share the gradient evenly.
pub(super) fn extreme(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let Some(reduced) = Reduction::of_some(call, position)? else { return Ok(None) };
    let output = reduced.output(call)?;
    let mask = call.mask("Equal", call.input(0)?, &output);
    let count = call.total(&mask, &reduced.axes);
    let share = call.op("Div", &[&reduced.gradient, &count], vec![]);
    Ok(Some(Gradient::dense(call.op("Mul", &[&share, &mask], vec![]))))
}

/// `Σ |x|`; nothing passes at zero.
pub(super) fn l1(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let Some(reduced) = Reduction::of_some(call, position)? else { return Ok(None) };
    let sign = call.sign(call.input(0)?);
    Ok(Some(Gradient::dense(call.op("Mul", &[&reduced.gradient, &sign], vec![]))))
}

/// `y = √Σ x²`: `x / y`, and where y is zero nothing passes.
pub(super) fn l2(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let Some(reduced) = Reduction::of_some(call, position)? else { return Ok(None) };
    let output = reduced.output(call)?;
    let inverse = inverse_of_positive(call, &output);
    let scaled = call.op("Mul", &[&reduced.gradient, &inverse], vec![]);
    Ok(Some(Gradient::dense(call.op("Mul", &[&scaled, call.input(0)?], vec![]))))
}

/// `Σ x²`: `2 x`.
pub(super) fn sum_square(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let Some(reduced) = Reduction::of_some(call, position)? else { return Ok(None) };
    let twice = call.with("Mul", &reduced.gradient, 2.0);
    Ok(Some(Gradient::dense(call.op("Mul", &[&twice, call.input(0)?], vec![]))))
}

/// `y = log Σ x`: `1 / exp(y)`, the same along the axes.
pub(super) fn log_sum(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let Some(reduced) = Reduction::of_some(call, position)? else { return Ok(None) };
    let output = reduced.output(call)?;
    let sum = call.op("Exp", &[&output], vec![]);
    let gradient = call.op("Div", &[&reduced.gradient, &sum], vec![]);
    // What the gradient was spread along besides, the sum need not be.
    let spread = reduced.spread.into_iter().filter(|axis| reduced.axes.contains(axis)).collect();
    Ok(Some(Gradient::spread(gradient, spread)))
}

/// `y = log Σ exp(x)`: the shares `exp(x - y)`.
pub(super) fn log_sum_exp(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let Some(reduced) = Reduction::of_some(call, position)? else { return Ok(None) };
    let output = reduced.output(call)?;
    let log = call.op("Sub", &[call.input(0)?, &output], vec![]);
    let shares = call.op("Exp", &[&log], vec![]);
    Ok(Some(Gradient::dense(call.op("Mul", &[&reduced.gradient, &shares], vec![]))))
}

/// The product: `y / x`. Through a factor of exactly zero nothing passes.
pub(super) fn prod(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let Some(reduced) = Reduction::of_some(call, position)? else { return Ok(None) };
    let output = reduced.output(call)?;
    let inverse = inverse(call, call.input(0)?);
    let scaled = call.op("Mul", &[&reduced.gradient, &output], vec![]);
    Ok(Some(Gradient::dense(call.op("Mul", &[&scaled, &inverse], vec![]))))
}

/// A reduction, and the gradient of its output in the form that broadcasts to the input's.
struct Reduction {
    /// The axes that were reduced.
    axes: Vec<usize>,
    keeps: bool,
    gradient: String,
    /// The axes of the input along which the gradient is the same, the reduced ones among them.
    spread: Vec<usize>,
}

impl Reduction {
    /// `None` for the gradient by the axes.
    fn of(call: &mut Call<'_, '_>, position: usize) -> Result<Option<Reduction>, Missing> {
        if position > 0 {
            return Ok(None);
        }
        let (axes, keeps) = (axes(call)?, call.operator().keeps_axes());
        let (mut gradient, mut spread) = call.gradient()?;
        if !keeps && !axes.is_empty() {
            gradient = call.unsqueeze(&gradient, &axes);
            let rank = call.rank(call.input(0)?)?;
            let kept: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
            spread = spread.into_iter().filter_map(|axis| kept.get(axis).copied()).collect();
        }
        spread.extend(&axes);
        Ok(Some(Reduction { axes, keeps, gradient, spread }))
    }

    /// As [`Reduction::of`], for one that is no reduction without axes: the standard and ONNX Runtime differ
    /// on whether it then takes all, none, or none but does to each value what it does to many.
    fn of_some(call: &mut Call<'_, '_>, position: usize) -> Result<Option<Reduction>, Missing> {
        let reduction = Reduction::of(call, position)?;
        match &reduction {
            Some(Reduction { axes, .. }) if axes.is_empty() => {
                Err(Missing::because("it is to reduce no axes, and runtimes differ on what that means"))
            }
            _ => Ok(reduction),
        }
    }

    /// The output, in the form that broadcasts to the input.
    fn output(&self, call: &mut Call<'_, '_>) -> Result<String, Missing> {
        let output = call.output()?;
        if self.keeps || self.axes.is_empty() {
            return Ok(output.to_owned());
        }
        let axes: Vec<i64> = self.axes.iter().map(|&axis| axis as i64).collect();
        let axes = call.graph.add_ints("camloc.axes", &axes);
        Ok(call.op("Unsqueeze", &[output, &axes], vec![]))
    }
}

/// The axes that a node reduces, ascending.
fn axes(call: &Call<'_, '_>) -> Result<Vec<usize>, Missing> {
    let rank = call.rank(call.input(0)?)?;
    call.operator()
        .reduced(rank)
        .ok_or_else(|| Missing::because("its axes are computed, or not among its own"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, Draw, away_from, distinct, positive};
    use super::super::super::rectifier::Rectifier;
    use crate::onnx::build::{i64_tensor, int, ints, node};

    const OPS: &[&str] = &[
        "ReduceMean",
        "ReduceSum",
        "ReduceMax",
        "ReduceMin",
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSum",
        "ReduceLogSumExp",
        "ReduceSumSquare",
        "ReduceProd",
    ];

    fn draw(op: &str) -> Draw {
        match op {
            "ReduceMax" | "ReduceMin" => distinct(),
            "ReduceL1" | "ReduceProd" => away_from(&[0.0]),
            "ReduceLogSum" => positive(),
            _ => away_from(&[]),
        }
    }

    /// A reduction as operator set 17 or 18 writes it.
    fn reduce(op: &str, axes: Option<&[i64]>, keep: bool, opset: i64) -> Check {
        let mut attributes = vec![int("keepdims", keep.into())];
        let as_input = opset >= 18 || op == "ReduceSum";
        let (mut inputs, mut constants) = (vec!["x"], vec![]);
        match axes {
            Some(axes) if as_input => {
                inputs.push("axes");
                constants.push(i64_tensor("axes", &[axes.len() as i64], axes));
            }
            Some(axes) => attributes.push(ints("axes", axes)),
            None => {}
        }
        Check::of(node(op, "n", &inputs, &["y"], attributes)).constants(&constants).opset(opset)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn over_any_axes(
            op in prop::sample::select(OPS),
            shape in prop::collection::vec(1..4_i64, 3),
            axes in prop::option::of(prop::sample::subsequence(vec![0, -2, 2], 1..4)),
            keep: bool, open: bool, newer: bool,
        ) {
            reduce(op, axes.as_deref(), keep, if newer { 18 } else { 17 })
                .input("x", &shape, draw(op))
                .open(open)
                .holds();
        }

        #[test]
        fn behind_a_gradient_that_is_the_same_somewhere(
            op in prop::sample::select(OPS), keep: bool, axis in 0..3_i64, further in 0..2_i64,
        ) {
            reduce(op, Some(&[axis]), keep, 18)
                .then(node("ReduceSum", "m", &["y", "further"], &["last"], vec![int("keepdims", keep.into())]))
                .constants(&[i64_tensor("further", &[1], &[further])])
                .input("x", &[2, 3, 4], draw(op))
                .holds();
        }
    }

    #[test]
    fn twice() {
        for op in ["ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare", "ReduceProd"] {
            reduce(op, Some(&[1]), false, 18).input("x", &[2, 3], positive()).of_gradient().holds();
        }
    }

    #[test]
    fn none_if_so_asked() {
        for op in ["ReduceMean", "ReduceSum"] {
            Check::of(node(op, "n", &["x"], &["y"], vec![int("noop_with_empty_axes", 1)]))
                .opset(18)
                .input("x", &[2, 3], draw(op))
                .holds();
        }
    }

    #[test]
    fn equals_share_and_zero_is_no_danger() {
        let at = |op: &str, values: [f32; 3]| {
            reduce(op, None, true, 17).input("x", &[1, 3], positive()).gradient_at(&values, Rectifier::Plain)
        };
        assert_eq!(at("ReduceMax", [1.0, 2.0, 2.0]), [0.0, 0.5, 0.5]);
        assert_eq!(at("ReduceMin", [1.0, 1.0, 1.0]), [1.0 / 3.0; 3]);
        assert_eq!(at("ReduceL1", [1.0, 0.0, -1.0]), [1.0, 0.0, -1.0]);
        assert_eq!(at("ReduceL2", [0.0; 3]), [0.0; 3]);
        assert_eq!(at("ReduceLogSumExp", [-1e4, -1e4, 1e4]), [0.0, 0.0, 1.0]);
        assert!(at("ReduceProd", [0.0, 2.0, 3.0]).iter().all(|value| value.is_finite()));
    }
}
