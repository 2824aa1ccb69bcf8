//! The gradient of a model's scalar, as more outputs of the model: [`gradient`].

use super::error::AutodiffError;
use super::rectifier::Rectifier;
use super::reverse::{Seed, filled, gradients};
use crate::onnx::build::{self, Dim};
use crate::onnx::check::{self, CheckError};
use crate::onnx::edit::GraphEditor;
use crate::onnx::inline::{self, InlineError};
use crate::onnx::opset::{self, OpsetError};
use crate::onnx::proto::{DataType, ModelProto};

/// The operator set that gradients are written in: the first that can scatter and add.
const OPSET: i64 = 16;

/// Why a model has no gradient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GradientError {
    /// The model is damaged.
    #[error(transparent)]
    Damaged(#[from] CheckError),
    /// Its own functions can't be written out.
    #[error(transparent)]
    Functions(#[from] InlineError),
    /// Its operators are too old and can't be brought forward.
    #[error(transparent)]
    OldOperators(#[from] OpsetError),
    /// An operator has no rule, or a tensor does not lead to the scalar.
    #[error(transparent)]
    Autodiff(#[from] AutodiffError),
}

/// Appends the gradient of the tensor `scalar` by each tensor in `by`, and returns the names of the new outputs, in that
/// order. Each has the shape and the type of the tensor that it belongs to.
///
/// Any tensor of the graph may be named: inputs, weights, what is in between. Of a `scalar` with several values it is
/// the gradient of their sum. The model's own outputs keep their values; its operator set may be raised.
///
/// # Errors
/// When the model is damaged or too old, an operator on the way has no rule, a tensor does not lead to `scalar`, or its
/// shape is not known. The model then computes what it did.
pub fn gradient(model: &mut ModelProto, scalar: &str, by: &[&str]) -> Result<Vec<String>, GradientError> {
    check::check(model)?;
    inline::inline(model)?;
    opset::raise(model, OPSET)?;
    let mut graph = GraphEditor::new(model);
    let seed = ones_like(&mut graph, scalar);
    let tensors: Vec<String> = by.iter().map(|&tensor| tensor.to_owned()).collect();
    let seed = Seed::Given { tensor: seed, count: 1 };
    let found = gradients(&mut graph, scalar, &seed, &tensors, Rectifier::Plain)?;
    let full = found.iter().zip(&tensors).map(|(found, tensor)| filled(&mut graph, found, tensor, 1));
    let full = full.collect::<Result<Vec<String>, AutodiffError>>()?;
    let outputs = full.iter().zip(&tensors).map(|(full, tensor)| {
        let output = graph.op("Identity", &format!("{tensor}.gradient"), &[full], vec![]);
        let element = graph.element_type(tensor).unwrap_or(DataType::Float);
        let sizes = graph.shape(tensor).unwrap_or_default();
        let sizes: Vec<Dim<'_>> = sizes.iter().map(|size| size.map_or(Dim::Unknown, Dim::Fixed)).collect();
        let info = build::value_info(&output, element, &sizes);
        graph.add_output(info);
        output
    });
    Ok(outputs.collect())
}

/// A tensor of ones, of another's shape and type.
fn ones_like(graph: &mut GraphEditor<'_>, tensor: &str) -> String {
    let element = graph.element_type(tensor).unwrap_or(DataType::Float);
    let shape = graph.op("Shape", "gradient.shape", &[tensor], vec![]);
    let one = build::tensor("value", build::f32_tensor("", &[1], &[1.0]));
    let ones = graph.op("ConstantOfShape", "gradient.ones", &[&shape], vec![one]);
    match element {
        DataType::Float => ones,
        other => graph.op("Cast", "gradient.ones", &[&ones], vec![build::int("to", other as i64)]),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::onnx::build::{f32_tensor, graph, int, model, node, value_info};
    use crate::testing::Session;

    const SHAPE: [usize; 2] = [2, 3];

    /// The mean of the squares of `x w`, for x `[2, 3]` and w `[3, 4]`; `x` is the input.
    fn network(weights: &[f32]) -> ModelProto {
        let sizes = SHAPE.map(|size| Dim::Fixed(size as i64));
        model(graph(
            "squares",
            vec![value_info("x", DataType::Float, &sizes)],
            vec![value_info("loss", DataType::Float, &[])],
            vec![f32_tensor("w", &[3, 4], weights)],
            vec![
                node("MatMul", "product", &["x", "w"], &["y"], vec![]),
                node("Mul", "square", &["y", "y"], &["squares"], vec![]),
                node("ReduceMean", "mean", &["squares"], &["loss"], vec![int("keepdims", 0)]),
            ],
        ))
    }

    fn numbers(count: usize, seed: f32) -> Vec<f32> {
        (0..count).map(|place| (seed + 1.7 * place as f32).sin()).collect()
    }

    fn run(model: &ModelProto, x: &[f32]) -> Session {
        let mut session = Session::load(&model.encode_to_vec(), Some(&SHAPE)).unwrap();
        session.input_mut().copy_from_slice(x);
        session.run().unwrap();
        session
    }

    #[test]
    fn inputs_and_weights_get_the_gradient_that_differences_give() {
        let (x, w) = (numbers(6, 0.3), numbers(12, 0.9));
        let mut differentiated = network(&w);
        let names = gradient(&mut differentiated, "loss", &["x", "w"]).unwrap();
        assert_eq!(names, ["x.gradient", "w.gradient"]);
        let found = run(&differentiated, &x);
        let loss = |x: &[f32], w: &[f32]| f64::from(run(&network(w), x).floats("loss").1[0]);
        assert_eq!(f64::from(found.floats("loss").1[0]), loss(&x, &w), "its own outputs keep their values");
        let moved = |values: &[f32], place: usize, by: f32| {
            let mut values = values.to_vec();
            values[place] += by;
            values
        };
        const STEP: f32 = 1e-2;
        let slope = |above: f64, below: f64| (above - below) / f64::from(2.0 * STEP);
        let by_x = |place| slope(loss(&moved(&x, place, STEP), &w), loss(&moved(&x, place, -STEP), &w));
        let by_w = |place| slope(loss(&x, &moved(&w, place, STEP)), loss(&x, &moved(&w, place, -STEP)));
        let expected = [(0..6).map(by_x).collect::<Vec<_>>(), (0..12).map(by_w).collect()];
        for ((name, shape), expected) in
            [("x.gradient", [2, 3]), ("w.gradient", [3, 4])].iter().zip(&expected)
        {
            let (found_shape, found) = found.floats(name);
            assert_eq!(found_shape, shape);
            for (found, expected) in found.iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-3, "{name}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn what_does_not_lead_to_the_scalar_is_named() {
        let mut alone = network(&numbers(12, 0.9));
        let error = gradient(&mut alone, "y", &["loss"]).unwrap_err();
        assert!(matches!(error, GradientError::Autodiff(AutodiffError::Independent { .. })), "{error}");
    }
}
