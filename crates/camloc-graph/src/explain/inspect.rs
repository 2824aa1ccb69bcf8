//! What a model offers to explain, without changing it.

use super::error::ExplainError;
use super::extent::Extent;
use super::head::{Form, Head};
use super::layers::{self, Layer};
use super::method::Method;
use super::prepare::prepare;
use super::request::Request;
use super::rewrite::{CLOSED_FORM_OPSET, GRADIENT_OPSET, REFINE_OPSET, explain};
use super::scores::{self, Scores};
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::opset;
use crate::onnx::outline::outline;
use crate::onnx::proto::ModelProto;

/// What a model offers.
#[derive(Debug)]
pub struct Inspection {
    /// The class scores and what they were found from; of a detector, as many as it has classes.
    pub scores: Scores,
    /// What makes the scores, in words.
    pub head: String,
    /// The layers that a map can be made of, the last first.
    pub layers: Vec<Layer>,
    /// Which of them is taken by default: the first; of a detector the first that feeds all of its grids.
    pub default_layer: usize,
    /// Every method, and whether it can be had at the layers asked for, or why not.
    pub methods: Vec<(Method, Result<(), ExplainError>)>,
}

/// Looks what a model offers for a request; its method is not heeded.
///
/// # Errors
///
/// When there are no class scores to explain.
pub fn inspect(model: &ModelProto, request: &Request) -> Result<Inspection, ExplainError> {
    // Every method is tried, on a copy without the weights, which none of them looks at.
    let model = &mut outline(model)?;
    prepare(model)?;
    // What a method appends is taken away again by its place behind the rest, so the rest has to stay as it is. A model that can't
    // be raised so far is refused by the methods that need it.
    for version in [CLOSED_FORM_OPSET, REFINE_OPSET, GRADIENT_OPSET] {
        let _ = opset::raise(model, version);
    }
    let (scores, layers, default_layer, head) = match &request.detector {
        Some(detector) => {
            let before = Extent::of(model);
            let (scores, layers, usual) = detector.offers(&mut GraphEditor::new(model));
            before.restore(model);
            (
                scores,
                layers,
                usual,
                "boxes and their scores; each detection's map comes from gradients".to_owned(),
            )
        }
        None => {
            let graph = Graph::new(model);
            let scores = scores::find(&graph, request)?;
            let layers = layers::candidates(&graph, &scores.logits);
            let head = describe(scores.head.as_ref());
            (scores, layers, 0, head)
        }
    };
    let tried = |method: Method| {
        let before = Extent::of(model);
        let done = explain(model, &Request { method: Some(method), ..request.clone() });
        before.restore(model);
        (method, done.map(|_| ()))
    };
    let methods = Method::all().map(tried).collect();
    Ok(Inspection { scores, head, layers, default_layer, methods })
}

fn describe(head: Option<&Head>) -> String {
    let Some(Head { features, form, .. }) = head else {
        return "no closed form; its maps come from gradients".into();
    };
    match form {
        Form::Pooled(linear) => {
            let count = linear.features.map_or(String::new(), |count| format!(" of {count} features"));
            format!("global average pooling of {features}, then one linear layer{count}")
        }
        Form::ClassMaps => format!("global average pooling of class maps in {features}"),
        Form::Acol => format!("two branches of class maps, {features} and what they leave (ACoL)"),
        Form::Flattened(_) => format!("one linear layer on the flattened {features}"),
    }
}
