//! What a model offers, by any method, without changing it.

use camloc_graph::explain::{self, ExplainError, Layer, Scores};
use camloc_graph::onnx::proto::ModelProto;

use super::{Method, Request, black_box};

/// What a model offers.
#[derive(Debug)]
pub struct Inspection {
    /// The class scores and what they were found from.
    pub scores: Scores,
    /// What makes the scores, in words.
    pub head: String,
    /// The layers that a map can be made of, the last first.
    pub layers: Vec<Layer>,
    /// Which of them is taken by default.
    pub default_layer: usize,
    /// Every method, and whether it can be had at the layers asked for, or why not.
    pub methods: Vec<(Method, Result<(), ExplainError>)>,
}

/// Looks what a model offers for a request; its method is not heeded.
///
/// # Errors
/// When there are no class scores to explain.
pub fn inspect(model: &ModelProto, request: &Request) -> Result<Inspection, ExplainError> {
    let explain::Inspection { scores, head, layers, default_layer, methods } =
        explain::inspect(model, &request.rewrite(None))?;
    let one_pass = methods.into_iter().map(|(method, fits)| (Method::OnePass(method), fits));
    let many = black_box::Method::ALL.into_iter();
    let many = many.map(|method| (Method::ManyPasses(method), black_box::fits(model, method, request)));
    let methods = one_pass.chain(many).collect();
    Ok(Inspection { scores, head, layers, default_layer, methods })
}
