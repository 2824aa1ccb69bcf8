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
//!
//! ```
//! use camloc_graph::explain::{Method, Request, explain};
//! use camloc_graph::onnx::build::{Dim, f32_tensor, graph, model, node, value_info};
//! use camloc_graph::onnx::proto::DataType;
//!
//! // Any ONNX classifier will do (`camloc_graph::onnx::load::load`); here is one of four features and two classes.
//! let image = [Dim::Symbol("N"), Dim::Fixed(4), Dim::Fixed(8), Dim::Fixed(8)];
//! let nodes = vec![
//!     node("Relu", "relu", &["image"], &["features"], vec![]),
//!     node("GlobalMaxPool", "pool", &["features"], &["pooled"], vec![]),
//!     node("Flatten", "flatten", &["pooled"], &["flat"], vec![]),
//!     node("MatMul", "linear", &["flat", "weight"], &["logits"], vec![]),
//! ];
//! let mut classifier = model(graph(
//!     "classifier",
//!     vec![value_info("image", DataType::Float, &image)],
//!     vec![value_info("logits", DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(2)])],
//!     vec![f32_tensor("weight", &[4, 2], &[0.5; 8])],
//!     nodes,
//! ));
//! let request = Request { top_k: 1, method: Some(Method::LayerCam), ..Request::default() };
//! let done = explain(&mut classifier, &request)?;
//! assert_eq!((done.layer.as_str(), done.map_size), ("features", Some((8, 8))));
//! let outputs: Vec<&str> = classifier.graph.iter().flat_map(|g| &g.output).map(|output| output.name()).collect();
//! assert_eq!(outputs, ["logits", "camloc.classes", "camloc.scores", "camloc.maps"]);
//! # Ok::<(), camloc_graph::explain::ExplainError>(())
//! ```

mod class_output;
mod cut;
mod demand;
mod error;
mod feature_map;
mod features;
mod fusion;
pub mod head;
mod inspect;
pub mod layers;
mod methods;
mod outputs;
mod plain;
mod probabilities;
pub mod randomise;
pub mod receptive_field;
mod recognise;
mod refine;
mod scores;
mod space;
mod subject;
mod tail;
#[cfg(test)]
mod tests;
mod walk;

pub use class_output::{ClassOutput, class_outputs};
pub use cut::{Cut, FEATURES, cut};
pub use error::ExplainError;
pub use feature_map::FeatureMap;
pub use fusion::Fusion;
pub use head::{ERASED_MAPS, FIRST_MAPS};
pub use inspect::{Inspection, inspect};
pub use layers::{Layer, LayerError};
pub use methods::Method;
pub use plain::{Ask, CUT, Plain, Probabilities};
pub use probabilities::{Link, probabilities};
pub use recognise::recognise;
pub use refine::Unrefined;
pub use scores::Scores;

use crate::autodiff::AutodiffError;
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::proto::{ModelProto, StringStringEntryProto};
use crate::onnx::prune::prune_behind;
use crate::onnx::{check, inline, opset};
use features::Maps;
use head::{Form, Head};
use methods::{acol, cam, class_maps, flatten_linear};
use outputs::{Choice, MAPS};
use recognise::{CLASSES_KEY, GUIDES_KEY, LAYER_KEY, METHOD_KEY};
use subject::Subject;

/// What to explain, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// How many classes, by rank, at most as many as the model has; not heeded with `targets`.
    pub top_k: usize,
    /// Classes to explain whatever their rank, in this order, and no others; empty: the `top_k` best.
    /// They are the default of `camloc.targets`, which whoever runs the model may override.
    pub targets: Vec<usize>,
    /// The output that holds the class scores; `None`: the first one that does.
    pub output: Option<String>,
    /// Where in `output`, behind its batch axis, the one value lies that is explained, if it holds no class scores: a
    /// regressor's number, a detector's score of one box. Empty: it holds class scores.
    pub index: Vec<usize>,
    /// The method; `None`: the closed form where the head has one, else Grad-CAM.
    pub method: Option<Method>,
    /// The target layers: names of tensors or nodes, or `-1` for the last, `-2` for the one before; none: the last.
    pub layers: Vec<String>,
    /// How the maps of several layers become one.
    pub fusion: Fusion,
    /// Whether the maps are refined where a finer grid is known: each place of it takes the evidence of the coarse
    /// cells that the network describes like it. Without, they are as the method's paper has them.
    pub refine: bool,
}

/// What was done to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The method, as the program names it; the closed forms are `cam`, `class-maps`, `acol` and `flatten-linear`.
    pub method: String,
    /// The target layer: the tensor that the maps are made of; several are joined by commas.
    pub layer: String,
    /// The tensor of class scores before any softmax.
    pub logits: String,
    /// How many classes the model tells apart.
    pub classes: usize,
    /// How many of them are explained in one pass, K.
    pub count: usize,
    /// Rows and columns of the maps, when they do not depend on the picture.
    pub map_size: Option<(usize, usize)>,
    /// The layers that the maps were refined with, joined by commas; empty: they are as the method's paper has them.
    pub guides: String,
    /// Why they were not refined although that was asked for.
    pub unrefined: Option<Unrefined>,
}

/// The operator set that closed forms are written in.
const CLOSED_FORM_OPSET: i64 = 11;
/// The operator set that the refinement of maps is written in: the first in which a resize needs sizes alone.
const REFINE_OPSET: i64 = 13;
/// The operator set that gradients are written in: the first that can scatter and add.
const GRADIENT_OPSET: i64 = 16;

/// Adds the maps to a model.
///
/// # Errors
///
/// When the request does not fit the model, an operator on the way has no gradient, or the model's operators are
/// too old. The model then computes what it did, in an operator set that may have been raised.
pub fn explain(model: &mut ModelProto, request: &Request) -> Result<Explanation, ExplainError> {
    prepare(model)?;
    let graph = Graph::new(model);
    let scores = scores::find(&graph, request)?;
    outputs::check(&graph, request, scores.classes)?;
    let closed = closed_form(&scores, request)?;
    opset::raise(
        model,
        match (closed, request.refine) {
            (true, false) => CLOSED_FORM_OPSET,
            (true, true) => REFINE_OPSET,
            (false, _) => GRADIENT_OPSET,
        },
    )?;
    let before = Extent::of(model);
    let done = append(model, request, scores, closed);
    match (&done, &mut model.graph) {
        (Err(_), _) => before.restore(model),
        // A method may have begun what it then had no use for.
        (Ok(_), Some(graph)) => drop(prune_behind(graph, before.nodes, before.initializers)),
        (Ok(_), None) => {}
    }
    done
}

/// Refuses what is damaged, and makes the graph flat.
fn prepare(model: &mut ModelProto) -> Result<(), ExplainError> {
    check::check(model)?;
    inline::inline(model)?;
    // Functions that are written out may be many more nodes.
    Ok(check::check_size(model)?)
}

/// Whether the request is answered by the closed form of the head.
fn closed_form(scores: &Scores, request: &Request) -> Result<bool, ExplainError> {
    match (request.method, &scores.head) {
        (Some(Method::Cam), Some(_)) => Ok(true),
        (Some(Method::Cam), None) => Err(ExplainError::NoClosedForm { output: scores.output.clone() }),
        (None, Some(head)) => Ok(request.layers.iter().all(|layer| layer == "-1" || *layer == head.features)),
        _ => Ok(false),
    }
}

fn append(
    model: &mut ModelProto,
    request: &Request,
    mut scores: Scores,
    closed: bool,
) -> Result<Explanation, ExplainError> {
    let mut graph = GraphEditor::new(model);
    let name = if request.refine { refine::RAW } else { MAPS };
    let choice = match request.index.is_empty() {
        true => outputs::choose(&mut graph, &scores, request),
        false => outputs::choose_value(&mut graph, &mut scores, request)?,
    };
    let (method, layer, map_size) = match (&scores.head, closed) {
        (Some(head), true) => append_closed(&mut graph, head, &choice, name),
        _ => append_method(&mut graph, request, &scores, &choice, name)?,
    };
    let (map_size, guides, unrefined) = if request.refine {
        match refine::append(&mut graph, &scores.logits, map_size) {
            Ok((size, guides)) => (Some(size), guides, None),
            Err(why) => (map_size, String::new(), Some(why)),
        }
    } else {
        (map_size, String::new(), None)
    };
    outputs::declare(&mut graph, &scores.output, &choice, map_size);
    graph.set_metadata(METHOD_KEY, method);
    graph.set_metadata(LAYER_KEY, &layer);
    graph.set_metadata(CLASSES_KEY, &scores.classes.to_string());
    if !guides.is_empty() {
        graph.set_metadata(GUIDES_KEY, &guides);
    }
    graph.set_metadata("camloc.version", env!("CARGO_PKG_VERSION"));
    let Scores { logits, classes, .. } = scores;
    Ok(Explanation { method: method.into(), layer, logits, classes, count: choice.count, map_size, guides, unrefined })
}

/// What was appended: the method's name, the layers, and the size of the maps.
type Appended = (&'static str, String, Option<(usize, usize)>);

/// Appends the maps under a name, in the closed form of the head.
fn append_closed(graph: &mut GraphEditor<'_>, head: &Head, choice: &Choice, name: &str) -> Appended {
    let method = match &head.form {
        Form::Pooled(linear) => {
            cam::append(graph, head, linear, name);
            cam::METHOD
        }
        Form::ClassMaps => {
            class_maps::append(graph, head, &choice.numbers, name);
            class_maps::METHOD
        }
        Form::Acol => {
            acol::append(graph, head, &choice.numbers, name);
            acol::METHOD
        }
        Form::Flattened(linear) => {
            flatten_linear::append(graph, head, linear, name);
            flatten_linear::METHOD
        }
    };
    (method, head.features.clone(), head.map_size(graph))
}

/// Appends the maps under a name, by a method that follows gradients, or runs part of the network.
fn append_method(
    graph: &mut GraphEditor<'_>,
    request: &Request,
    scores: &Scores,
    choice: &Choice,
    name: &str,
) -> Result<Appended, ExplainError> {
    let method = request.method.unwrap_or(Method::GradCam);
    let layers = layers::select(graph, &scores.logits, &request.layers)?;
    let layers = if method.has_layer() { &layers[..] } else { &layers[..layers.len().min(1)] };
    let mut maps: Vec<Maps> = Vec::new();
    for layer in layers {
        let mut subject = Subject { graph, scores, choice };
        maps.push(method.append(&mut subject, layer).map_err(|error| nearest(graph, scores, error))?);
    }
    let map_size = fusion::finish(graph, &maps, request.fusion, name);
    let names: Vec<&str> = layers.iter().map(|layer| layer.tensor.as_str()).collect();
    let layer = if method.has_layer() { names.join(",") } else { "input".to_owned() };
    Ok((method.name(), layer, map_size))
}

/// Adds to a missing gradient the nearest layer from which there is one.
fn nearest(graph: &Graph<'_>, scores: &Scores, error: ExplainError) -> ExplainError {
    let ExplainError::Gradient { source, .. } = &error else { return error };
    let AutodiffError::Unsupported { index, .. } = source.as_ref() else { return error };
    let after = |layer: &&Layer| graph.position(&layer.tensor).is_some_and(|position| position >= *index);
    let clear = crate::autodiff::differentiable(graph, &scores.logits);
    let reaches = |layer: &&Layer| clear.contains(layer.tensor.as_str());
    let candidates = layers::candidates(graph, &scores.logits);
    let nearest = candidates.iter().rev().filter(after).find(reaches).map(|layer| layer.tensor.clone());
    ExplainError::Gradient { source: source.clone(), nearest }
}

/// How much there is of a model, so that what was appended can be taken away again.
struct Extent {
    nodes: usize,
    initializers: usize,
    inputs: usize,
    outputs: usize,
    metadata: Vec<StringStringEntryProto>,
}

impl Extent {
    fn of(model: &ModelProto) -> Extent {
        let graph = model.graph.as_ref();
        let count = |size: fn(&crate::onnx::proto::GraphProto) -> usize| graph.map_or(0, size);
        Extent {
            nodes: count(|graph| graph.node.len()),
            initializers: count(|graph| graph.initializer.len()),
            inputs: count(|graph| graph.input.len()),
            outputs: count(|graph| graph.output.len()),
            metadata: model.metadata_props.clone(),
        }
    }

    fn restore(self, model: &mut ModelProto) {
        model.metadata_props = self.metadata;
        let Some(graph) = &mut model.graph else { return };
        graph.node.truncate(self.nodes);
        graph.initializer.truncate(self.initializers);
        graph.input.truncate(self.inputs);
        graph.output.truncate(self.outputs);
    }
}
