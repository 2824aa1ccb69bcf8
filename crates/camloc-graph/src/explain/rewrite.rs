//! The rewrite: a classifier gets the branch that outputs its maps.

use super::detector::Detector;
use super::error::ExplainError;
use super::explanation::Explanation;
use super::extent::Extent;
use super::features::Maps;
use super::layers::{self, Layer};
use super::method::{MadeBy, Method};
use super::outputs::{self, Choice, MAPS};
use super::prepare::prepare;
use super::recognise::{CLASSES_KEY, GUIDES_KEY, LAYER_KEY, METHOD_KEY};
use super::request::Request;
use super::scores::{self, Scores};
use super::subject::Subject;
use super::{fusion, methods, refine};
use crate::autodiff::AutodiffError;
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::opset;
use crate::onnx::proto::ModelProto;

/// The operator set that closed forms are written in.
pub(super) const CLOSED_FORM_OPSET: i64 = 11;
/// The operator set that the refinement of maps is written in: the first in which a resize needs sizes alone.
pub(super) const REFINE_OPSET: i64 = 13;
/// The operator set that gradients are written in: the first that can scatter and add.
pub(super) const GRADIENT_OPSET: i64 = 16;

/// Adds the maps to a model.
///
/// # Errors
///
/// When the request does not fit the model, an operator on the way has no gradient, or the model's operators are
/// too old. The model then computes what it did, in an operator set that may have been raised.
pub fn explain(model: &mut ModelProto, request: &Request) -> Result<Explanation, ExplainError> {
    prepare(model)?;
    if let Some(detector) = &request.detector {
        outputs::check(&Graph::new(model), request, detector.classes)?;
        opset::raise(model, GRADIENT_OPSET)?;
        let before = Extent::of(model);
        let done = append_detector(model, request, detector);
        return keep(model, before, done);
    }
    let graph = Graph::new(model);
    let scores = scores::find(&graph, request)?;
    outputs::check(&graph, request, scores.classes)?;
    let closed = closed_form(&scores, request)?;
    let opset = match (closed, request.refine) {
        (true, false) => CLOSED_FORM_OPSET,
        (true, true) => REFINE_OPSET,
        (false, _) => GRADIENT_OPSET,
    };
    opset::raise(model, opset)?;
    let before = Extent::of(model);
    let done = append(model, request, scores, closed);
    keep(model, before, done)
}

/// Takes away what was appended in vain.
fn keep(
    model: &mut ModelProto,
    before: Extent,
    done: Result<Explanation, ExplainError>,
) -> Result<Explanation, ExplainError> {
    match done {
        // A method may have begun what it then had no use for.
        Ok(_) => before.prune(model),
        Err(_) => before.restore(model),
    }
    done
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
    let name = if request.refine { outputs::RAW } else { MAPS };
    let choice = if request.index.is_empty() {
        outputs::choose(&mut graph, &scores, request)
    } else {
        outputs::choose_value(&mut graph, &mut scores, request)?
    };
    let (method, layer, maps) = match (&scores.head, closed) {
        (Some(head), true) => {
            let mut subject = Subject { graph: &mut graph, scores: &scores, choice: &choice };
            let maps = methods::append_closed(&mut subject, head);
            (MadeBy::Closed(head.form.closed_form()), head.features.clone(), vec![maps])
        }
        _ => append_method(&mut graph, request, &scores, &choice)?,
    };
    let map_size = fusion::finish(&mut graph, &maps, request.fusion, name);
    let (map_size, guides, unrefined) = if request.refine {
        match refine::append(&mut graph, &scores.logits, map_size) {
            Ok((size, guides)) => (Some(size), guides, None),
            Err(why) => (map_size, String::new(), Some(why)),
        }
    } else {
        (map_size, String::new(), None)
    };
    outputs::declare(&mut graph, &scores.output, &choice, map_size);
    graph.set_metadata(METHOD_KEY, method.name());
    graph.set_metadata(LAYER_KEY, &layer);
    graph.set_metadata(CLASSES_KEY, &scores.classes.to_string());
    if !guides.is_empty() {
        graph.set_metadata(GUIDES_KEY, &guides);
    }
    graph.set_metadata("camloc.version", env!("CARGO_PKG_VERSION"));
    let Scores { logits, classes, .. } = scores;
    Ok(Explanation { method, layer, logits, classes, count: choice.count, map_size, guides, unrefined })
}

/// Appends the maps of a detector's detections.
fn append_detector(
    model: &mut ModelProto,
    request: &Request,
    detector: &Detector,
) -> Result<Explanation, ExplainError> {
    if request.method == Some(Method::Cam) {
        return Err(ExplainError::NoClosedForm { output: detector.output.clone() });
    }
    let mut graph = GraphEditor::new(model);
    let scores = detector.scores(&mut graph);
    let choice = detector.choose(&mut graph, &scores, request);
    let (method, layer, maps) = append_method(&mut graph, request, &scores, &choice)?;
    let map_size = fusion::finish(&mut graph, &maps, request.fusion, MAPS);
    outputs::declare(&mut graph, &detector.output, &choice, map_size);
    graph.set_metadata(METHOD_KEY, method.name());
    graph.set_metadata(LAYER_KEY, &layer);
    graph.set_metadata(CLASSES_KEY, &detector.classes.to_string());
    graph.set_metadata("camloc.version", env!("CARGO_PKG_VERSION"));
    let (logits, classes, count) = (scores.logits, detector.classes, choice.count);
    Ok(Explanation {
        method,
        layer,
        logits,
        classes,
        count,
        map_size,
        guides: String::new(),
        unrefined: None,
    })
}

/// How maps are made, of which layers, and the maps of each.
type Appended = (MadeBy, String, Vec<Maps>);

/// Appends the maps of each layer, by a method that follows gradients, or runs part of the network.
fn append_method(
    graph: &mut GraphEditor<'_>,
    request: &Request,
    scores: &Scores,
    choice: &Choice,
) -> Result<Appended, ExplainError> {
    let method = request.method.unwrap_or(Method::GradCam);
    let layers = match &request.detector {
        Some(_) if request.layers.is_empty() => Detector::layer(graph, scores)?,
        _ => layers::select(graph, &scores.logits, &request.layers)?,
    };
    let layers = if method.has_layer() { &layers[..] } else { &layers[..layers.len().min(1)] };
    let mut maps: Vec<Maps> = Vec::new();
    for layer in layers {
        let mut subject = Subject { graph, scores, choice };
        let found = methods::append(method, &mut subject, layer);
        maps.push(found.map_err(|error| nearest(graph, scores, error))?);
    }
    let names: Vec<&str> = layers.iter().map(|layer| layer.tensor.as_str()).collect();
    let layer = if method.has_layer() { names.join(",") } else { "input".to_owned() };
    Ok((MadeBy::By(method), layer, maps))
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
