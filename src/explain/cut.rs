//! The part of a classifier in front of a layer, as a model of its own: what a new head is trained on.

use super::head::Layout;
use super::layers::{self, Layer};
use super::outputs::as_f32;
use super::{ExplainError, Request, features, prepare, scores};
use crate::onnx::build::{Dim, node, value_info};
use crate::onnx::graph::Graph;
use crate::onnx::opset;
use crate::onnx::proto::{DataType, ModelProto};
use crate::onnx::prune::prune;

/// The output of a model that was cut: f32 `[N, C, h, w]`.
pub const FEATURES: &str = "camloc.features";

/// The operator set that a new head is written in.
const CUT_OPSET: i64 = 13;

/// Where a model was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The layer: the tensor that the features are.
    pub layer: String,
    /// Its channels, rows and columns.
    pub shape: [usize; 3],
}

/// Cuts a model behind the one layer that `request` names, else the one of [`layer_for_a_head`]. What is left puts out
/// [`FEATURES`] and nothing else, whatever the order of the layer's axes.
///
/// # Errors
/// When the request does not fit the model, or the layer's size is open.
pub fn cut(model: &mut ModelProto, request: &Request) -> Result<Cut, ExplainError> {
    prepare(model)?;
    opset::raise(model, CUT_OPSET)?;
    let mut graph = Graph::new(model);
    let scores = scores::find(&graph, request)?;
    let layer = match request.layers.is_empty() {
        true => layer_for_a_head(&layers::candidates(&graph, &scores.logits)).cloned(),
        false => Some(layers::select(&graph, &scores.logits, &request.layers)?.swap_remove(0)),
    };
    let layer = layer.ok_or_else(|| layers::LayerError::NoLayers { logits: scores.logits.clone() })?;
    let shape = match (layer.channels, layer.size) {
        (Some(channels), Some((rows, columns))) if rows * columns > 1 => [channels, rows, columns],
        (_, size) => {
            let why = match size {
                Some(_) => "it has a single place, so there is nothing to find on it; take an earlier layer",
                None => "its size is open; fix the input's size, as with --input-size",
            };
            return Err(ExplainError::NotForLayer {
                method: "training",
                layer: layer.tensor,
                why: why.into(),
            });
        }
    };
    expose(&mut graph, &layer, shape);
    if let Some(graph) = &mut model.graph {
        graph.output.retain(|output| output.name() == FEATURES);
    }
    prune(model);
    Ok(Cut { layer: layer.tensor, shape })
}

/// The layer that a new head gives the best boxes from: the last one on the grid that is twice as fine as the last
/// layer's, where there is one (docs/training.md has the figures).
fn layer_for_a_head(candidates: &[Layer]) -> Option<&Layer> {
    let last = candidates.iter().find(|layer| layer.size.is_some_and(|(rows, columns)| rows * columns > 1))?;
    let (rows, columns) = last.size?;
    let finer = candidates
        .iter()
        .find(|layer| layer.size.is_some_and(|size| size.0 >= 2 * rows - 1 && size.1 >= 2 * columns - 1));
    Some(finer.unwrap_or(last))
}

/// Makes the layer an output, channels first.
fn expose(graph: &mut Graph<'_>, layer: &Layer, [channels, rows, columns]: [usize; 3]) {
    let tensor = as_f32(graph, &layer.tensor);
    let first = features::channels_first(graph, &tensor, layer.layout, 0);
    let size = [channels, rows, columns].map(|size| size as i64);
    match layer.layout {
        Layout::Tokens { .. } => {
            let shape = graph.add_ints("camloc.features_shape", &[0, size[0], size[1], size[2]]);
            graph.push(node("Reshape", FEATURES, &[&first, &shape], &[FEATURES], vec![]));
        }
        Layout::Nchw | Layout::Nhwc => {
            graph.push(node("Identity", FEATURES, &[&first], &[FEATURES], vec![]));
        }
    }
    let dims = [Dim::Symbol("N"), Dim::Fixed(size[0]), Dim::Fixed(size[1]), Dim::Fixed(size[2])];
    graph.add_output(value_info(FEATURES, DataType::Float, &dims));
}
