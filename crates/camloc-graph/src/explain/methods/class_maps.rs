//! Class maps (Lin et al. 2014; ACoL's form of CAM): where a convolution has a channel for each
//! class and global average pooling makes the scores, the class's channel is its map, without ReLU.

use super::super::head::{Head, Layout};
use super::super::outputs::as_f32;
use super::cam::map_shape;
use crate::onnx::build;
use crate::onnx::edit::GraphEditor;

pub(in super::super) const METHOD: &str = "class-maps";

/// Appends the maps under a name, which is returned, f32 `[N, K, h, w]`, for the numbers of classes `[N, K]`.
pub(in super::super) fn append(
    graph: &mut GraphEditor<'_>,
    head: &Head,
    numbers: &str,
    name: &str,
) -> String {
    let mut features = head.features.clone();
    if head.layout == Layout::Nhwc {
        let perm = build::ints("perm", &[0, 3, 1, 2]);
        features = graph.op("Transpose", "camloc.features", &[&features], vec![perm]);
    }
    let flat = graph.add_ints("camloc.flat_shape", &[0, 0, -1]);
    let places = graph.op("Reshape", "camloc.places", &[&features, &flat], vec![]);

    // Each picture has classes of its own, so the channel is named anew for every place.
    let column = graph.add_ints("camloc.column_shape", &[0, 0, 1]);
    let column = graph.op("Reshape", "camloc.column", &[numbers, &column], vec![]);
    let across = places_shape(graph, head, &places);
    let channels = graph.op("Expand", "camloc.channels", &[&column, &across], vec![]);
    let axis = build::int("axis", 1);
    let maps = graph.op("GatherElements", "camloc.picked", &[&places, &channels], vec![axis]);
    let maps = as_f32(graph, &maps);
    let shape = map_shape(graph, head, &features);
    graph.op("Reshape", name, &[&maps, &shape], vec![])
}

/// `[1, 1, h * w]` for features `[N, C, h * w]`.
fn places_shape(graph: &mut GraphEditor<'_>, head: &Head, places: &str) -> String {
    if let Some((height, width)) = head.map_size(graph) {
        return graph.add_ints("camloc.across", &[1, 1, (height * width) as i64]);
    }
    let shape = graph.op("Shape", "camloc.places_shape", &[places], vec![]);
    let last = graph.add_ints("camloc.last", &[2]);
    let count = graph.op("Gather", "camloc.places_count", &[&shape, &last], vec![build::int("axis", 0)]);
    let ones = graph.add_ints("camloc.ones", &[1, 1]);
    graph.op("Concat", "camloc.across", &[&ones, &count], vec![build::int("axis", 0)])
}
