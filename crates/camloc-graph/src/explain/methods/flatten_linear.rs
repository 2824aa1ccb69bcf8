//! One linear layer on the flattened features (LeNet): every place has weights of its own, so
//! `map[i, j] = sum_c W[class, c, i, j] * A[c, i, j]`, which HiResCAM (Draelos & Carin 2020) reduces
//! to. Its sum over all places is the logit less the bias.

use super::super::head::{Head, Layout, Linear};
use super::super::outputs::as_f32;
use super::cam::class_weights;
use crate::onnx::build;
use crate::onnx::edit::GraphEditor;

pub(in super::super) const METHOD: &str = "flatten-linear";

/// Appends the maps of the chosen classes under a name, f32 `[N, K, h, w]`.
pub(in super::super) fn append(graph: &mut GraphEditor<'_>, head: &Head, linear: &Linear, name: &str) {
    let features = as_f32(graph, &head.features);
    let weights = class_weights(graph, linear);
    let (per_class, one_class) = shapes(graph, &features);
    let weights = graph.op("Reshape", "camloc.weights", &[&weights, &per_class], vec![]);
    let features = graph.op("Reshape", "camloc.features", &[&features, &one_class], vec![]);
    let products = graph.op("Mul", "camloc.products", &[&weights, &features], vec![]);
    let channel_axis = if head.layout == Layout::Nchw { 2 } else { 4 };
    graph.reduce("ReduceSum", name, &products, &[channel_axis], false);
}

/// Targets of reshapes that put an axis of classes before the three axes of the features: of as many
/// classes as there are (weights), and of one (features).
fn shapes(graph: &mut GraphEditor<'_>, features: &str) -> (String, String) {
    let known: Option<Vec<i64>> =
        graph.shape(features).and_then(|shape| shape.get(1..)?.iter().copied().collect());
    if let Some(axes) = known {
        let per_class = graph.add_ints("camloc.weights_shape", &[&[0, 0], &axes[..]].concat());
        return (per_class, graph.add_ints("camloc.features_shape", &[&[-1, 1], &axes[..]].concat()));
    }
    let shape = graph.op("Shape", "camloc.shape", &[features], vec![]);
    let at = |graph: &mut GraphEditor<'_>, axes: &[i64]| {
        let axes = graph.add_ints("camloc.axes", axes);
        graph.op("Gather", "camloc.sizes", &[&shape, &axes], vec![build::int("axis", 0)])
    };
    let (batch, axes) = (at(graph, &[0]), at(graph, &[1, 2, 3]));
    let (kept, one) = (graph.add_ints("camloc.kept", &[0, 0]), graph.add_ints("camloc.one", &[1]));
    let axis = || vec![build::int("axis", 0)];
    let per_class = graph.op("Concat", "camloc.weights_shape", &[&kept, &axes], axis());
    (per_class, graph.op("Concat", "camloc.features_shape", &[&batch, &one, &axes], axis()))
}
