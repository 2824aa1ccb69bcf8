//! Class activation maps (Zhou et al. 2016): features weighted with the class's row of the linear
//! layer that follows their global average pooling, `map = sum_f W[class, f] * A[f]`, without ReLU.

use super::super::features::{Grid, Maps, channels_first};
use super::super::head::{Head, Linear};
use super::super::outputs::{CLASSES, as_f32};
use super::super::subject::Subject;
use crate::onnx::build;
use crate::onnx::edit::GraphEditor;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, head: &Head, linear: &Linear) -> Maps {
    let graph = &mut *subject.graph;
    let weights = class_weights(graph, linear);
    let features = as_f32(graph, &head.features);
    let places = places(graph, head, &features);
    let tensor = graph.op("MatMul", "camloc.weighted", &[&weights, &places], vec![]);
    Maps::by_picture(tensor, Grid::of(graph, &head.features, head.layout))
}

/// A feature map of the head's layout as `[N, F, P]`.
pub(super) fn places(graph: &mut GraphEditor<'_>, head: &Head, features: &str) -> String {
    let first = channels_first(graph, features, head.layout, 0);
    graph.reshape("camloc.places", &first, &[0, 0, -1])
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
