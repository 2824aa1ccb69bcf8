//! Class activation maps (Zhou et al. 2016): features weighted with the class's row of the linear
//! layer that follows their global average pooling, `map = sum_f W[class, f] * A[f]`, without ReLU.

use super::super::head::{Head, Layout, Linear};
use super::super::outputs::{CLASSES, as_f32};
use crate::onnx::build;
use crate::onnx::edit::GraphEditor;

pub(in super::super) const METHOD: &str = "cam";

/// Appends the maps of the chosen classes under a name, f32 `[N, K, h, w]`.
pub(in super::super) fn append(graph: &mut GraphEditor<'_>, head: &Head, linear: &Linear, name: &str) {
    let weights = class_weights(graph, linear);
    let mut features = as_f32(graph, &head.features);
    if head.layout == Layout::Nhwc {
        let perm = build::ints("perm", &[0, 3, 1, 2]);
        features = graph.op("Transpose", "camloc.features", &[&features], vec![perm]);
    }
    let flat = graph.add_ints("camloc.flat_shape", &[0, 0, -1]);
    let places = graph.op("Reshape", "camloc.places", &[&features, &flat], vec![]);
    let maps = graph.op("MatMul", "camloc.weighted", &[&weights, &places], vec![]);
    let shape = map_shape(graph, head, &features);
    graph.op("Reshape", name, &[&maps, &shape], vec![]);
}

/// The weights of the chosen classes, f32 `[N, K, F]`, gathered from the model's own tensor.
pub(super) fn class_weights(graph: &mut GraphEditor<'_>, linear: &Linear) -> String {
    let axis = build::int("axis", linear.class_axis as i64);
    let gathered = graph.op("Gather", "camloc.gathered", &[&linear.weight, CLASSES], vec![axis]);
    let mut weights = as_f32(graph, &gathered);
    if linear.class_axis == 1 {
        let perm = build::ints("perm", &[1, 2, 0]);
        weights = graph.op("Transpose", "camloc.weights", &[&weights], vec![perm]);
    } else if graph.shape(&linear.weight).is_none_or(|shape| shape.len() != 2) {
        let shape = graph.add_ints("camloc.weights_shape", &[0, 0, -1]);
        weights = graph.op("Reshape", "camloc.weights", &[&weights, &shape], vec![]);
    }
    if linear.alpha != 1.0 {
        let alpha = graph.add_float("camloc.alpha", linear.alpha);
        weights = graph.op("Mul", "camloc.weights", &[&weights, &alpha], vec![]);
    }
    weights
}

/// The target of a reshape from `[N, K, h * w]` to `[N, K, h, w]`, for features `[N, F, h, w]`.
pub(super) fn map_shape(graph: &mut GraphEditor<'_>, head: &Head, features: &str) -> String {
    if let Some((height, width)) = head.map_size(graph) {
        return graph.add_ints("camloc.map_shape", &[0, 0, height as i64, width as i64]);
    }
    let shape = graph.op("Shape", "camloc.features_shape", &[features], vec![]);
    let axes = graph.add_ints("camloc.map_axes", &[2, 3]);
    let size = graph.op("Gather", "camloc.map_size", &[&shape, &axes], vec![build::int("axis", 0)]);
    let kept = graph.add_ints("camloc.kept", &[0, 0]);
    graph.op("Concat", "camloc.map_shape", &[&kept, &size], vec![build::int("axis", 0)])
}
