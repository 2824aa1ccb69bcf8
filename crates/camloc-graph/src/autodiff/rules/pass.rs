//! Operators through which the gradient passes as it is.

use super::super::call::{Answer, Call};
use super::super::gradient::Gradient;
use super::activation::rectified;
use crate::onnx::operators::properties::Properties;
use crate::onnx::proto::{DataType, NodeProto};

/// `x`. A choice of classes stays one.
pub(super) fn identity(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    if let Some(classes) = call.one_hot() {
        return Ok(Some(Gradient::OneHot(classes.to_owned())));
    }
    let (gradient, spread) = call.gradient()?;
    Ok(Some(Gradient::spread(gradient, spread)))
}

/// `x` in another element type: its gradient is in x's own.
pub(super) fn cast(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let (input, output) = (call.input(0)?, call.output()?);
    let to = call.graph.element_type(output);
    if call.node.standard_op() == "CastLike" && to.is_some_and(is_whole) {
        return Ok(None);
    }
    if let Some(classes) = call.one_hot() {
        return Ok(Some(Gradient::OneHot(classes.to_owned())));
    }
    let (gradient, spread) = call.gradient()?;
    let own = match call.graph.element_type(input) {
        Some(_) => call.cast_like(&gradient, input),
        None => call.op("CastLike", &[&gradient, input], vec![]),
    };
    Ok(Some(Gradient::spread(own, spread)))
}

/// Whether a `Cast` is to integers or truth values: then its output moves in steps.
pub(super) fn is_to_whole_numbers(node: &NodeProto) -> bool {
    let to = node.int("to").and_then(|to| DataType::try_from(i32::try_from(to).ok()?).ok());
    to.is_some_and(is_whole)
}

fn is_whole(element: DataType) -> bool {
    use DataType::*;
    matches!(
        element,
        Bool | Int4 | Int8 | Int16 | Int32 | Int64 | Uint4 | Uint8 | Uint16 | Uint32 | Uint64 | String
    )
}

/// `x` in steps (and, for `DequantizeLinear`, back by [`identity`]). The gradient passes straight through, as if there were no steps; that of the quantized
/// tensor is by the value it stands for.
///
/// Where the lowest step stands for zero, a rectifier may have been folded into the quantization (quantizers
/// leave out every `Relu` that this makes superfluous), and nothing passes there, as with `Relu` itself. At the
/// highest step all passes: calibration puts the strongest activations just there.
pub(super) fn quantize(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let (input, output) = (call.input(0)?, call.output()?);
    let rectified_already = call.graph.producer(input).is_some_and(|node| rectifies(node.standard_op()));
    let lowest = if rectified_already { None } else { rectifying_step(call) };
    let Some(lowest) = lowest else { return cast(call, position) };
    // Of the quantized value, not of x: one more consumer of that would keep the runtime from computing the
    // operator before in integers.
    let steps = call.cast_like(output, input);
    let lowest = call.constant(lowest, input);
    let mask = call.mask("Greater", &steps, &lowest);
    rectified(call, &mask)
}

fn rectifies(operator: &str) -> bool {
    Properties::of(operator).has(Properties::RECTIFIES)
}

/// The lowest step of a quantization, if that stands for zero.
fn rectifying_step(call: &Call<'_, '_>) -> Option<f64> {
    let Some(zero_point) = call.node.input_at(2) else {
        // Unsigned, from zero, if it does not say otherwise.
        let unsigned = [DataType::Undefined, DataType::Uint8, DataType::Uint16, DataType::Uint4];
        let output = call.node.int_or("output_dtype", DataType::Undefined as i64);
        return unsigned.iter().any(|&element| element as i64 == output).then_some(0.0);
    };
    let lowest = match call.graph.element_type(zero_point)? {
        DataType::Uint4 | DataType::Uint8 | DataType::Uint16 => 0,
        DataType::Int4 => -8,
        DataType::Int8 => i64::from(i8::MIN),
        DataType::Int16 => i64::from(i16::MIN),
        _ => return None,
    };
    let zeros = call.graph.ints(zero_point)?;
    zeros.iter().all(|&zero| zero == lowest).then_some(lowest as f64)
}

#[cfg(test)]
mod tests {
    use super::super::super::check::{Check, away_from};
    use super::super::super::rectifier::Rectifier;
    use super::*;
    use crate::onnx::build::{f32_tensor, int, node, raw_tensor};
    use crate::onnx::proto::TensorProto;

    #[test]
    fn identity() {
        for op in ["Identity", "Dropout"] {
            Check::of(node(op, "n", &["x"], &["y"], vec![])).input("x", &[2, 3], away_from(&[])).holds();
        }
    }

    #[test]
    fn casts() {
        let to = |element: DataType| vec![int("to", element as i64)];
        Check::of(node("Cast", "n", &["x"], &["y"], to(DataType::Double)))
            .then(node("Mul", "m", &["y", "y"], &["square"], vec![]))
            .then(node("Cast", "o", &["square"], &["last"], to(DataType::Float)))
            .input("x", &[2, 3], away_from(&[]))
            .f32_step(0.05)
            .holds();
        Check::of(node("CastLike", "n", &["x", "like"], &["y"], vec![]))
            .then(node("Mul", "m", &["y", "x"], &["last"], vec![]))
            .constants(&[f32_tensor("like", &[], &[0.0])])
            .input("x", &[2, 3], away_from(&[]))
            .holds();
    }

    #[test]
    fn a_cast_to_integers_is_flat() {
        let check = Check::of(node("Cast", "n", &["x"], &["i"], vec![int("to", DataType::Int64 as i64)]))
            .then(node("Cast", "m", &["i"], &["f"], vec![int("to", DataType::Float as i64)]))
            .then(node("Mul", "o", &["f", "x"], &["y"], vec![]))
            .input("x", &[1, 2], away_from(&[]))
            .element(DataType::Float);
        assert_eq!(check.gradient_at(&[2.5, -3.5], Rectifier::Plain), [2.0, -3.0]);
    }

    /// The gradient of `factor * DequantizeLinear(QuantizeLinear(f(x)))` at -9, -1, 1, 9, with a scale of 1/16.
    fn quantized(before: &str, zero: TensorProto, factor: f32, rectifier: Rectifier) -> Vec<f32> {
        let per_axis = zero.dims == [4];
        let scale: &[i64] = if per_axis { &[4] } else { &[] };
        let scale = f32_tensor("scale", scale, &[0.0625; 4][..if per_axis { 4 } else { 1 }]);
        Check::of(node(before, "n", &["x"], &["u"], vec![]))
            .then(node("QuantizeLinear", "q", &["u", "scale", "zero"], &["q"], vec![]))
            .then(node("DequantizeLinear", "d", &["q", "scale", "zero"], &["d"], vec![]))
            .then(node("Mul", "m", &["d", "factor"], &["y"], vec![]))
            .constants(&[scale, TensorProto { name: Some("zero".into()), ..zero }])
            .constants(&[f32_tensor("factor", &[], &[factor])])
            .input("x", &[1, 4], away_from(&[]))
            .element(DataType::Float)
            .gradient_at(&[-9.0, -1.0, 1.0, 9.0], rectifier)
    }

    #[test]
    fn quantization_passes_straight_through() {
        let int8 = |zero: i8, dims: &[i64]| {
            let count = dims.iter().product::<i64>() as usize;
            raw_tensor("", DataType::Int8, dims, vec![zero.to_le_bytes()[0]; count])
        };
        let plain = Rectifier::Plain;
        assert_eq!(quantized("Identity", int8(0, &[]), 3.0, plain), [3.0; 4]);
        assert_eq!(quantized("Identity", int8(0, &[4]), 3.0, plain), [3.0; 4]);
        assert_eq!(quantized("Relu", int8(-128, &[]), 3.0, plain), [0.0, 0.0, 3.0, 3.0]);
    }

    #[test]
    fn a_rectifier_folded_into_quantization_rectifies() {
        let int8 = || raw_tensor("", DataType::Int8, &[], vec![0x80]);
        let uint8 = || raw_tensor("", DataType::Uint8, &[4], vec![0; 4]);
        for zero in [int8, uint8] {
            assert_eq!(quantized("Identity", zero(), 3.0, Rectifier::Plain), [0.0, 0.0, 3.0, 3.0]);
            assert_eq!(quantized("Identity", zero(), -3.0, Rectifier::Plain), [0.0, 0.0, -3.0, -3.0]);
            assert_eq!(quantized("Identity", zero(), -3.0, Rectifier::Guided), [0.0; 4]);
        }
    }

    #[test]
    fn dynamic_quantization_passes_straight_through() {
        let check = Check::of(node("DynamicQuantizeLinear", "q", &["x"], &["q", "scale", "zero"], vec![]))
            .then(node("DequantizeLinear", "d", &["q", "scale", "zero"], &["d"], vec![]))
            .input("x", &[1, 3], away_from(&[]))
            .element(DataType::Float);
        assert_eq!(check.gradient_at(&[0.0, 3.0, -5.0], Rectifier::Plain), [1.0; 3]);
    }

    #[test]
    fn half_precision_agrees_with_double() {
        let chain = |element| {
            Check::of(node("Sigmoid", "n", &["x"], &["a"], vec![]))
                .then(node("Softmax", "m", &["a"], &["b"], vec![]))
                .then(node("Sqrt", "o", &["b"], &["c"], vec![]))
                .then(node("Div", "p", &["c", "a"], &["d"], vec![]))
                .then(node("ReduceL2", "q", &["d"], &["y"], vec![]))
                .input("x", &[1, 4], away_from(&[]))
                .element(element)
                .gradient_at(&[-1.0, 0.5, 0.0, 2.0], Rectifier::Plain)
        };
        let (half, double) = (chain(DataType::Float16), chain(DataType::Double));
        for (half, double) in half.into_iter().zip(double) {
            assert!(
                half != 0.0 && (half - double).abs() < 2e-3 * double.abs().max(0.5),
                "{half} is not {double}"
            );
        }
    }
}
