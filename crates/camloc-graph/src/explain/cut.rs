//! The part of a classifier in front of a layer, as a model of its own: what a new head is trained on.

use super::error::ExplainError;
use super::head::Layout;
use super::layers::{self, Layer};
use super::outputs::as_f32;
use super::prepare::prepare;
use super::request::Request;
use super::{features, scores};
use crate::onnx::build::{Dim, node, value_info};
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::operators::properties::Properties;
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

/// Cuts a model behind the one layer that `request` names, else where a new head gives the best boxes: the last layer, or
/// what that one only expands. What is left puts out [`FEATURES`] and nothing else, whatever the order of the layer's axes.
///
/// # Errors
/// When the request does not fit the model, or the layer's size is open.
pub fn cut(model: &mut ModelProto, request: &Request) -> Result<Cut, ExplainError> {
    prepare(model)?;
    opset::raise(model, CUT_OPSET)?;
    let mut graph = GraphEditor::new(model);
    let scores = scores::find(&graph, request)?;
    let layer = if request.layers.is_empty() {
        layer_for_a_head(&graph, &layers::candidates(&graph, &scores.logits)).cloned()
    } else {
        Some(layers::select(&graph, &scores.logits, &request.layers)?.swap_remove(0))
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
    drop(graph);
    if let Some(graph) = &mut model.graph {
        graph.output.retain(|output| output.name() == FEATURES);
    }
    prune(model);
    Ok(Cut { layer: layer.tensor, shape })
}

/// The layer that a new head gives the best boxes from: the last one that has places, or what that one only expands.
/// docs/training.md has the figures.
fn layer_for_a_head<'l>(graph: &Graph<'_>, candidates: &'l [Layer]) -> Option<&'l Layer> {
    let has_places = |layer: &&Layer| layer.size.is_some_and(|(rows, columns)| rows * columns > 1);
    let mut found = candidates.iter().filter(has_places);
    let last = found.next()?;
    Some(found.next().filter(|before| is_expansion(graph, before, last)).unwrap_or(last))
}

/// Whether each place of `layer` is a linear layer of the same place of `before`, which has fewer channels, and perhaps an
/// activation function: mobile networks end so. It tells no place more, and a head on it has several times the weights.
fn is_expansion(graph: &Graph<'_>, before: &Layer, layer: &Layer) -> bool {
    let producer = |tensor: &str| graph.producer(tensor);
    let conv = match producer(&layer.tensor) {
        Some(node) if graph.operator(node).properties().has(Properties::ACTIVATES) => {
            node.input_at(0).and_then(producer)
        }
        node => node,
    };
    let Some(conv) = conv.filter(|node| node.standard_op() == "Conv") else { return false };
    let window = graph.operator(conv).window();
    window.is_some_and(|window| window.is_pointwise())
        && conv.input_at(0) == Some(before.tensor.as_str())
        && before.channels < layer.channels
}

/// Makes the layer an output, channels first.
fn expose(graph: &mut GraphEditor<'_>, layer: &Layer, [channels, rows, columns]: [usize; 3]) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{f32_tensor, graph, int, model};

    /// A network whose last convolution, of `side`, goes from 4 to `channels` channels on 5 x 6 places.
    fn network(side: i64, channels: i64) -> ModelProto {
        let image = [Dim::Symbol("N"), Dim::Fixed(3), Dim::Fixed(5 + side - 1), Dim::Fixed(6 + side - 1)];
        let last = [channels, 4, side, side];
        let constants = vec![
            f32_tensor("first", &[4, 3, 1, 1], &[0.5; 12]),
            f32_tensor("last", &last, &vec![0.5; last.iter().product::<i64>() as usize]),
            f32_tensor("rows", &[channels, 2], &vec![0.5; 2 * channels as usize]),
        ];
        let nodes = vec![
            node("Conv", "narrow", &["image", "first"], &["narrow"], vec![]),
            node("Conv", "conv", &["narrow", "last"], &["conv"], vec![]),
            node("Relu", "wide", &["conv"], &["wide"], vec![]),
            node("GlobalAveragePool", "pool", &["wide"], &["pool"], vec![]),
            node("Flatten", "flat", &["pool"], &["flat"], vec![int("axis", 1)]),
            node("MatMul", "scores", &["flat", "rows"], &["scores"], vec![]),
        ];
        let inputs = vec![value_info("image", DataType::Float, &image)];
        let outputs = vec![value_info("scores", DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(2)])];
        model(graph("g", inputs, outputs, constants, nodes))
    }

    #[test]
    fn a_head_sits_on_the_last_layer_but_not_on_an_expansion_of_the_one_before() {
        let layer_of = |side, channels| cut(&mut network(side, channels), &Request::default()).unwrap();
        assert_eq!(layer_of(1, 8), Cut { layer: "narrow".into(), shape: [4, 5, 6] });
        assert_eq!(layer_of(1, 3), Cut { layer: "wide".into(), shape: [3, 5, 6] });
        assert_eq!(layer_of(3, 8), Cut { layer: "wide".into(), shape: [8, 5, 6] });
    }

    #[test]
    fn what_is_left_is_the_layer_and_what_it_needs() {
        let mut model = network(1, 8);
        let request = Request { layers: vec!["wide".into()], ..Request::default() };
        assert_eq!(cut(&mut model, &request).unwrap().layer, "wide");
        let graph = model.graph.unwrap();
        let outputs: Vec<&str> = graph.output.iter().map(|output| output.name()).collect();
        assert_eq!(outputs, [FEATURES]);
        assert!(graph.initializer.iter().all(|tensor| tensor.name() != "rows"));
        assert!(graph.node.iter().all(|node| node.op_type() != "GlobalAveragePool"));
    }

    #[test]
    fn a_layer_without_places_is_refused() {
        let request = Request { layers: vec!["pool".into()], ..Request::default() };
        let words = cut(&mut network(1, 8), &request).unwrap_err().to_string();
        assert!(words.contains("pool"), "{words}");
    }
}
