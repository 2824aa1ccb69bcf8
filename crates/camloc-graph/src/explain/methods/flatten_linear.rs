//! One linear layer on the flattened features (LeNet): every place has weights of its own, so
//! `map[i, j] = sum_c W[class, c, i, j] * A[c, i, j]`, which HiResCAM (Draelos & Carin 2020) reduces
//! to. Its sum over all places is the logit less the bias.

use super::super::features::{Grid, Maps};
use super::super::head::{Head, Layout, Linear};
use super::super::outputs::as_f32;
use super::super::subject::Subject;
use super::cam::class_weights;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, head: &Head, linear: &Linear) -> Maps {
    let graph = &mut *subject.graph;
    let features = as_f32(graph, &head.features);
    let weights = class_weights(graph, linear);
    // An axis of classes comes before channels and places: as many as there are (weights), or one (features).
    let channels = graph.shape(&head.features).and_then(|shape| *shape.get(head.layout.channel_axis())?);
    let first = head.layout == Layout::Nchw;
    let axes = if first { [channels.unwrap_or(-1), -1] } else { [-1, channels.unwrap_or(-1)] };
    let weights = graph.reshape("camloc.weights", &weights, &[&[0, 0], &axes[..]].concat());
    let features = graph.reshape("camloc.features", &features, &[&[0, 1], &axes[..]].concat());
    let products = graph.op("Mul", "camloc.products", &[&weights, &features], vec![]);
    let tensor = graph.reduce("ReduceSum", "camloc.weighted", &products, &[if first { 2 } else { 3 }], false);
    Maps::by_picture(tensor, Grid::of(graph, &head.features, head.layout))
}
