//! An explanation is a graph rewrite: a classifier goes in, and comes out with a branch that outputs
//! its activation maps next to its own outputs, which stay as they were.
//!
//! | output | type | meaning |
//! |---|---|---|
//! | `camloc.classes` | i64 `[N, K]` | the classes explained |
//! | `camloc.scores` | f32 `[N, K]` | their probabilities |
//! | `camloc.maps` | f32 `[N, K, h, w]` | raw maps at feature resolution |
//!
//! The input `camloc.targets`, i64 `[K]`, may be left out: it locks classes, -1 stands for "by rank".

mod cam;
mod class_maps;
mod flatten_linear;
pub mod head;
mod outputs;
#[cfg(test)]
mod tests;

use crate::onnx::graph::Graph;
use crate::onnx::opset;
use crate::onnx::proto::ModelProto;
use head::{Form, Head};

/// The oldest operator set with all that a closed form needs (`GatherElements`).
const NEEDED_OPSET: i64 = 11;

/// What to explain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// How many classes, by rank, at most as many as the model has; not heeded with `targets`.
    pub top_k: usize,
    /// Classes to explain whatever their rank, in this order, and no others; empty: the `top_k` best.
    /// They are the default of `camloc.targets`, which whoever runs the model may override.
    pub targets: Vec<usize>,
    /// The output that holds the class scores; `None`: the first one whose head is understood.
    pub output: Option<String>,
}

/// What was done to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The method, as the program names it: `cam`, `class-maps` or `flatten-linear`.
    pub method: &'static str,
    /// The target layer: the tensor that the maps are made of.
    pub layer: String,
    /// The tensor of class scores before any softmax.
    pub logits: String,
    /// How many classes the model tells apart.
    pub classes: usize,
    /// Rows and columns of the maps, when they do not depend on the picture.
    pub map_size: Option<(usize, usize)>,
}

/// Why a model cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// The head has no closed form that is known here.
    #[error(
        "the head of this model (output {output:?}) is {found}: no closed-form map; supported: global average pooling \
         then one linear layer; a convolution of class maps, then global average pooling; one linear layer on \
         flattened features"
    )]
    UnsupportedHead {
        /// The output walked back from.
        output: String,
        /// What stands there: operators, nodes, tensors.
        found: String,
    },
    /// The asked output does not exist, or the model has none.
    #[error("the model has no output {output:?}; its outputs are: {outputs}")]
    NoSuchOutput {
        /// The output asked for.
        output: String,
        /// The ones that there are.
        outputs: String,
    },
    /// The classes cannot be counted.
    #[error(
        "the model does not say how many classes its output {output:?} has; export it with that size fixed"
    )]
    UnknownClasses {
        /// The output.
        output: String,
    },
    /// `top_k` is zero and there are no targets.
    #[error("no class to explain was asked for; ask for at least one")]
    NothingAsked,
    /// A class that the model does not have.
    #[error("class {target} does not exist: the model has {classes} classes, 0 to {}", classes - 1)]
    NoSuchClass {
        /// The class asked for.
        target: usize,
        /// How many classes there are, at least one.
        classes: usize,
    },
    /// There are maps in it already.
    #[error("this model is explained already (it has a tensor {tensor:?}); give the model it was made from")]
    AlreadyExplained {
        /// The tensor found.
        tensor: String,
    },
    /// Its operators are too old and cannot be brought forward.
    #[error(
        "this model is written in operator set {opset}, maps need 11 or newer, and its operator {operator} does not \
         mean the same there; export it again with operator set 17"
    )]
    OldOperators {
        /// The model's operator set.
        opset: i64,
        /// What stands in the way.
        operator: String,
    },
}

/// Adds the maps to a model, in the closed form that its head allows.
///
/// # Errors
///
/// When the head has none, the request does not fit the model, or its operators are too old. The
/// model is then as it was.
pub fn explain(model: &mut ModelProto, request: &Request) -> Result<Explanation, ExplainError> {
    let graph = Graph::new(model);
    let head = head::find_from(&graph, request.output.as_deref())?;
    outputs::check(&graph, request, head.classes)?;
    opset::raise(model, NEEDED_OPSET)
        .map_err(|error| ExplainError::OldOperators { opset: error.opset, operator: error.operator })?;

    let mut graph = Graph::new(model);
    let choice = outputs::choose(&mut graph, &head, request);
    let method = append_maps(&mut graph, &head, &choice.classes);
    let map_size = head.map_size(&graph);
    outputs::declare(&mut graph, &head, &choice, map_size);
    graph.set_metadata("camloc.method", method);
    graph.set_metadata("camloc.layer", &head.features);
    graph.set_metadata("camloc.version", env!("CARGO_PKG_VERSION"));
    let Head { features: layer, logits, classes, .. } = head;
    Ok(Explanation { method, layer, logits, classes, map_size })
}

/// Appends `camloc.maps` for the chosen classes `[N, K]`, and says by which method.
fn append_maps(graph: &mut Graph<'_>, head: &Head, classes: &str) -> &'static str {
    match &head.form {
        Form::Pooled(linear) => {
            cam::append(graph, head, linear, classes);
            cam::METHOD
        }
        Form::ClassMaps => {
            class_maps::append(graph, head, classes);
            class_maps::METHOD
        }
        Form::Flattened(linear) => {
            flatten_linear::append(graph, head, linear, classes);
            flatten_linear::METHOD
        }
    }
}
