//! The fused maps of adversarial complementary learning (Zhang et al. 2018): one branch's class maps show the part that
//! tells the class best, the other's, made of features from which that part was erased, show the rest. A place has the
//! greater of both.
//!
//! The paper brings each map to 0..1 before. That lifts the places that speak for no class well above 0, and what little a
//! branch finds to 1: docs/training.md has what it costs. Here the maps stay signed, as those of every method do.

use super::super::head::{ERASED_MAPS, Head};
use super::class_maps;
use crate::onnx::edit::GraphEditor;

pub(in super::super) const METHOD: &str = "acol";

/// Appends the maps under a name, f32 `[N, K, h, w]`, for the numbers of classes `[N, K]`.
pub(in super::super) fn append(graph: &mut GraphEditor<'_>, head: &Head, numbers: &str, name: &str) {
    let second = Head { features: ERASED_MAPS.into(), ..head.clone() };
    let [first, second] =
        [head, &second].map(|branch| class_maps::append(graph, branch, numbers, "camloc.branch"));
    graph.op("Max", name, &[&first, &second], vec![]);
}
