//! Class maps (Lin et al. 2014; ACoL's form of CAM): where a convolution has a channel for each
//! class and global average pooling makes the scores, the class's channel is its map, without ReLU.

use super::super::features::{Grid, Maps};
use super::super::head::Head;
use super::super::outputs::as_f32;
use super::super::subject::Subject;
use super::cam::places;
use crate::onnx::build;
use crate::onnx::edit::GraphEditor;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, head: &Head) -> Maps {
    let (graph, numbers) = (&mut *subject.graph, &subject.choice.numbers);
    let places = places(graph, head, &head.features);
    // Each picture has classes of its own, so the channel is named anew for every place.
    let column = graph.reshape("camloc.column", numbers, &[0, 0, 1]);
    let across = places_shape(graph, head, &places);
    let channels = graph.op("Expand", "camloc.channels", &[&column, &across], vec![]);
    let axis = build::int("axis", 1);
    let maps = graph.op("GatherElements", "camloc.picked", &[&places, &channels], vec![axis]);
    let tensor = as_f32(graph, &maps);
    Maps::by_picture(tensor, Grid::of(graph, &head.features, head.layout))
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
