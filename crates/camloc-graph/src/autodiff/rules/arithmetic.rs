//! Arithmetic, with broadcasting.

use super::super::call::{Answer, Call, Missing};
use super::super::gradient::Gradient;
use crate::onnx::proto::DataType;

/// `a + b`, or more operands. A bias that is added to the class scores leaves a choice of classes one.
pub(super) fn add(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let (output, operand) = (call.output()?, call.input(position)?);
    if let Some(classes) = call.one_hot()
        && call.shape(output)? == call.shape(operand)?
    {
        return Ok(Some(Gradient::OneHot(classes.to_owned())));
    }
    let (gradient, spread) = call.gradient()?;
    call.unbroadcast(gradient, spread, output, operand).map(Some)
}

/// `a - b`.
pub(super) fn sub(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position == 0 {
        return add(call, position);
    }
    let (gradient, spread) = call.gradient()?;
    let gradient = call.unbroadcast(gradient, spread, call.output()?, call.input(1)?)?;
    each(call, gradient, |call, gradient| call.op("Neg", &[gradient], vec![]))
}

/// The mean of some operands.
pub(super) fn mean(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let (output, count) = (call.output()?, call.node.input.len() as f64);
    let (gradient, spread) = call.gradient()?;
    let gradient = call.unbroadcast(gradient, spread, output, call.input(position)?)?;
    each(call, gradient, |call, gradient| call.with("Div", gradient, count))
}

/// `-x`.
pub(super) fn neg(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let (gradient, spread) = call.gradient()?;
    let negative = call.op("Neg", &[&gradient], vec![]);
    Ok(Some(Gradient::spread(negative, spread)))
}

/// `a * b`.
pub(super) fn mul(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let (output, operand, other) = (call.output()?, call.input(position)?, call.input(1 - position)?);
    product(call, output, operand, other)
}

/// `a / b`.
pub(super) fn div(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let (output, a, b) = (call.output()?, call.input(0)?, call.input(1)?);
    if position == 0 {
        return scaled(call, "Div", output, a, b);
    }
    let ratio = call.op("Div", &[output, b], vec![]);
    let slope = call.op("Neg", &[&ratio], vec![]);
    product(call, output, b, &slope)
}

/// The gradient of `operand`, where the gradient of the output is to be multiplied with `factor`, which
/// broadcasts to the output.
pub(super) fn product(call: &mut Call<'_, '_>, output: &str, operand: &str, factor: &str) -> Answer {
    scaled(call, "Mul", output, operand, factor)
}

/// As [`product`], or with a division.
fn scaled(call: &mut Call<'_, '_>, op: &str, output: &str, operand: &str, factor: &str) -> Answer {
    let (gradient, spread) = call.gradient()?;
    let product = call.op(op, &[&gradient, factor], vec![]);
    // Where the factor is the same along an axis too, so is the product.
    let (rank, sizes) = (call.rank(output)?, call.shape(factor)?);
    let same = |axis: usize| (axis + sizes.len()).checked_sub(rank).is_none_or(|at| sizes[at] == Some(1));
    let spread = spread.into_iter().filter(|&axis| same(axis)).collect();
    call.unbroadcast(product, spread, output, operand).map(Some)
}

/// Does something to a gradient's values, each on its own.
fn each(
    call: &mut Call<'_, '_>,
    gradient: Gradient,
    act: impl Fn(&mut Call<'_, '_>, &str) -> String,
) -> Answer {
    Ok(Some(match gradient {
        Gradient::Tensor { name, spread } => Gradient::Tensor { name: act(call, &name), spread },
        one_hot => one_hot,
    }))
}

/// The most operands of which one is the largest: each of them is compared for each of them.
const MOST_RIVALS: usize = 16;

/// The largest or smallest of some operands. Where several are, they share the gradient evenly.
pub(super) fn extreme(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let (output, operand) = (call.output()?, call.input(position)?);
    if call.node.input.len() > MOST_RIVALS {
        return Err(Missing::because(format!("it has over {MOST_RIVALS} operands")));
    }
    let masks: Vec<String> = (0..call.node.input.len())
        .map(|index| call.input(index).map(|input| call.mask("Equal", input, output)))
        .collect::<Result<_, _>>()?;
    let mut count: Option<String> = None;
    for mask in &masks {
        count = Some(match count {
            Some(count) => call.op("Add", &[&count, mask], vec![]),
            None => mask.clone(),
        });
    }
    match (masks.len(), count) {
        (2.., Some(count)) => {
            let share = call.op("Div", &[&masks[position], &count], vec![]);
            product(call, output, operand, &share)
        }
        _ => super::pass::identity(call, position),
    }
}

/// One operand where a condition holds, else the other.
pub(super) fn choice(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let (output, condition) = (call.output()?, call.input(0)?);
    let holds = match position {
        0 => return Ok(None),
        1 => condition.to_owned(),
        _ => call.op("Not", &[condition], vec![]),
    };
    let mask = call.cast_like(&holds, output);
    product(call, output, call.input(position)?, &mask)
}

/// `base ^ exponent`.
pub(super) fn pow(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let (output, base, exponent) = (call.output()?, call.input(0)?, call.input(1)?);
    if position == 1 {
        return exponent_of(call, output, base, exponent);
    }
    let known = call
        .graph
        .floats(exponent)
        .or_else(|| Some(call.graph.ints(exponent)?.into_iter().map(|value| value as f32).collect()));
    let slope = match known.as_deref() {
        Some([first, others @ ..]) if others.iter().all(|other| other == first) => {
            power_slope(call, output, base, f64::from(*first))?
        }
        // From 1 on the slope is finite at zero.
        Some(values) if values.iter().all(|&value| value >= 1.0) => {
            let exponent = call.cast_like(exponent, base);
            let less = call.with("Sub", &exponent, 1.0);
            let power = call.op("Pow", &[base, &less], vec![]);
            Some(call.op("Mul", &[&exponent, &power], vec![]))
        }
        _ => {
            let exponent = call.cast_like(exponent, base);
            let inverse = inverse(call, base);
            let slope = call.op("Mul", &[output, &inverse], vec![]);
            Some(call.op("Mul", &[&exponent, &slope], vec![]))
        }
    };
    match slope {
        Some(slope) => product(call, output, base, &slope),
        None => Ok(None),
    }
}

/// The slope of `base ^ p`, of `base`'s shape or the output's; `None` if it is zero.
fn power_slope(call: &mut Call<'_, '_>, output: &str, base: &str, p: f64) -> Result<Option<String>, Missing> {
    let power = match p {
        0.0 => return Ok(None),
        2.0 => base.to_owned(),
        3.0 => call.op("Mul", &[base, base], vec![]),
        // Infinite at zero, where the power is not: there nothing passes.
        p if p < 1.0 => {
            let inverse = inverse(call, base);
            call.op("Mul", &[output, &inverse], vec![])
        }
        _ => call.with("Pow", base, p - 1.0),
    };
    Ok(Some(call.with("Mul", &power, p)))
}

/// `y * log(base)`, and zero where the base is not positive.
fn exponent_of(call: &mut Call<'_, '_>, output: &str, base: &str, exponent: &str) -> Answer {
    let tiny = call.constant(smallest(call, base), base);
    let mask = call.mask("Greater", base, &tiny);
    let positive = call.op("Max", &[base, &tiny], vec![]);
    let log = call.op("Log", &[&positive], vec![]);
    let log = call.op("Mul", &[&mask, &log], vec![]);
    let slope = call.op("Mul", &[output, &log], vec![]);
    product(call, output, exponent, &slope)
}

/// `y = √x`, `y' = 1 / 2y`; at zero, where that is infinite, nothing passes.
pub(super) fn sqrt(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let inverse = inverse_of_positive(call, call.output()?);
    let slope = call.with("Mul", &inverse, 0.5);
    call.times(&slope)
}

/// `exp(x)`, its own slope.
pub(super) fn exp(call: &mut Call<'_, '_>, _: usize) -> Answer {
    call.times(call.output()?)
}

/// The natural logarithm.
pub(super) fn log(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let (gradient, _) = call.gradient()?;
    Ok(Some(Gradient::dense(call.op("Div", &[&gradient, call.input(0)?], vec![]))))
}

/// `y = 1 / x`, `y' = -y²`.
pub(super) fn reciprocal(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let output = call.output()?;
    let square = call.op("Mul", &[output, output], vec![]);
    let slope = call.op("Neg", &[&square], vec![]);
    call.times(&slope)
}

/// `|x|`; zero at zero.
pub(super) fn abs(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let sign = call.sign(call.input(0)?);
    call.times(&sign)
}

/// `1 / x`, but zero where x is zero.
pub(super) fn inverse(call: &mut Call<'_, '_>, x: &str) -> String {
    let size = call.op("Abs", &[x], vec![]);
    let sign = call.sign(x);
    over(call, &sign, &size)
}

/// As [`inverse`], of a tensor that is nowhere negative.
pub(super) fn inverse_of_positive(call: &mut Call<'_, '_>, x: &str) -> String {
    let zero = call.constant(0.0, x);
    let sign = call.mask("Greater", x, &zero);
    over(call, &sign, x)
}

fn over(call: &mut Call<'_, '_>, sign: &str, size: &str) -> String {
    let size = call.with("Max", size, smallest(call, size));
    call.op("Div", &[sign, &size], vec![])
}

/// A number of which the inverse is finite in a tensor's element type, and nearly the smallest such.
fn smallest(call: &Call<'_, '_>, tensor: &str) -> f64 {
    match call.element(tensor) {
        DataType::Float16 => 2.0_f64.powi(-14),
        DataType::Double => f64::MIN_POSITIVE,
        _ => f64::from(f32::MIN_POSITIVE),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, away_from, broadcasting, distinct, positive};
    use super::super::super::rectifier::Rectifier;
    use crate::onnx::build::{f32_tensor, i64_tensor, node, raw_tensor};
    use crate::onnx::proto::DataType;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn of_two_operands(
            shapes in broadcasting(),
            op in prop::sample::select(&["Add", "Sub", "Mul", "Div", "Sum", "Mean"][..]),
            swap: bool,
            summed: Option<bool>,
        ) {
            let inputs = if swap { ["b", "a"] } else { ["a", "b"] };
            let mut check = Check::of(node(op, "n", &inputs, &["y"], vec![]))
                .input("a", &shapes.0, away_from(&[0.0]))
                .input("b", &shapes.1, positive());
            // Behind a sum the gradient is the same along an axis.
            if let Some(last) = summed {
                let sum = node("ReduceSum", "m", &["y", "axes"], &["sum"], vec![]);
                check = check.then(sum).constants(&[i64_tensor("axes", &[1], &[-i64::from(last)])]);
            }
            if op == "Mean" { check.f32_only().holds() } else { check.holds() }
        }

        #[test]
        fn powers(shapes in broadcasting()) {
            Check::of(node("Pow", "n", &["a", "b"], &["y"], vec![]))
                .input("a", &shapes.0, positive())
                .input("b", &shapes.1, away_from(&[]))
                .holds();
        }

        #[test]
        fn chosen_by_a_condition(shapes in broadcasting(), which in 0..3_usize) {
            let condition: &[i64] = [&[1][..], &shapes.0, &shapes.1][which];
            let size = condition.iter().product::<i64>() as usize;
            let bytes = (0..size).map(|index| u8::from(index % 3 != 1)).collect();
            Check::of(node("Where", "n", &["c", "a", "b"], &["y"], vec![]))
                .constants(&[raw_tensor("c", DataType::Bool, condition, bytes)])
                .input("a", &shapes.0, away_from(&[]))
                .input("b", &shapes.1, away_from(&[]))
                .holds();
        }

        #[test]
        fn largest_and_smallest(shapes in broadcasting(), op in prop::sample::select(&["Max", "Min"][..])) {
            Check::of(node(op, "n", &["a", "b", "c"], &["y"], vec![]))
                .constants(&[f32_tensor("c", &[1], &[-0.07])])
                .input("a", &shapes.0, distinct())
                // Halfway between.
                .input("b", &shapes.1, Box::new(|count, seed| {
                    distinct()(count, seed).into_iter().map(|value| value + 0.05).collect()
                }))
                .f32_step(0.01)
                .holds();
        }
    }

    #[test]
    fn of_more_or_fewer_operands() {
        for op in ["Sum", "Mean", "Max", "Min"] {
            for inputs in [&["a"][..], &["a", "a", "a"]] {
                Check::of(node(op, "n", inputs, &["y"], vec![]))
                    .input("a", &[2, 3], away_from(&[]))
                    .f32_only()
                    .holds();
            }
        }
    }

    #[test]
    fn of_one_operand() {
        for op in ["Neg", "Abs", "Exp", "Reciprocal", "Log", "Sqrt"] {
            let of = || Check::of(node(op, "n", &["x"], &["y"], vec![])).input("x", &[2, 3], positive());
            of().holds();
            if !["Neg", "Abs"].contains(&op) {
                of().of_gradient().holds();
            }
        }
        for op in ["Neg", "Abs", "Reciprocal"] {
            Check::of(node(op, "n", &["x"], &["y"], vec![])).input("x", &[7], away_from(&[0.0])).holds();
        }
    }

    #[test]
    fn twice() {
        for (op, inputs) in
            [("Div", ["c", "x"]), ("Mul", ["x", "x"]), ("Pow", ["x", "x"]), ("Pow", ["c", "x"])]
        {
            Check::of(node(op, "n", &inputs, &["y"], vec![]))
                .constants(&[f32_tensor("c", &[3], &[0.5, 2.0, 3.0])])
                .input("x", &[2, 3], positive())
                .of_gradient()
                .holds();
        }
    }

    #[test]
    fn known_exponents() {
        let power =
            |exponent| Check::of(node("Pow", "n", &["x", "p"], &["y"], vec![])).constants(&[exponent]);
        for p in [2.0, 3.0, 4.0, 1.0, 0.5, 2.5, -1.0, -0.5] {
            power(f32_tensor("p", &[], &[p])).input("x", &[2, 3], positive()).holds();
        }
        power(i64_tensor("p", &[], &[2])).input("x", &[2, 3], away_from(&[])).holds();
        power(f32_tensor("p", &[3], &[1.0, 2.0, 3.5])).input("x", &[2, 3], positive()).holds();
        power(f32_tensor("p", &[3], &[-1.0, 0.5, 0.0])).input("x", &[2, 3], positive()).holds();
        power(f32_tensor("p", &[], &[2.5])).input("x", &[2, 3], positive()).of_gradient().holds();
        power(f32_tensor("p", &[], &[0.5])).input("x", &[2, 3], positive()).of_gradient().holds();
    }

    #[test]
    fn no_gradient_is_infinite_where_the_value_is_not() {
        for element in [DataType::Float, DataType::Double, DataType::Float16] {
            let root = Check::of(node("Sqrt", "n", &["x"], &["y"], vec![]));
            assert_eq!(
                root.element(element)
                    .input("x", &[1, 2], positive())
                    .gradient_at(&[0.0, 4.0], Rectifier::Plain),
                [0.0, 0.25]
            );
            for (p, expected) in [(0.5, [0.0, 0.25]), (2.0, [0.0, 8.0]), (1.0, [1.0, 1.0]), (1.5, [0.0, 3.0])]
            {
                let power = Check::of(node("Pow", "n", &["x", "p"], &["y"], vec![]));
                let power = power.constants(&[f32_tensor("p", &[], &[p])]).element(element);
                assert_eq!(
                    power.input("x", &[1, 2], positive()).gradient_at(&[0.0, 4.0], Rectifier::Plain),
                    expected
                );
            }
        }
        let of_exponent = Check::of(node("Pow", "n", &["x", "p"], &["y"], vec![]))
            .constants(&[f32_tensor("x", &[1, 3], &[0.0, 1.0, -2.0])])
            .input("p", &[1, 3], positive());
        assert_eq!(
            of_exponent.element(DataType::Float).gradient_at(&[2.0, 3.0, 2.0], Rectifier::Plain),
            [0.0; 3]
        );
    }

    #[test]
    fn equals_share() {
        let largest = Check::of(node("Max", "n", &["x", "c"], &["y"], vec![]))
            .constants(&[f32_tensor("c", &[], &[1.0])])
            .input("x", &[1, 3], positive());
        assert_eq!(largest.gradient_at(&[0.5, 1.0, 2.0], Rectifier::Plain), [0.0, 0.5, 1.0]);
    }
}
