//! The fused maps of adversarial complementary learning (Zhang et al. 2018): one branch's class maps show the part that
//! tells the class best, the other's, made of features from which that part was erased, show the rest. Each is brought
//! to 0..1, and a place has the greater of both.

use super::super::head::Head;
use super::class_maps;
use crate::onnx::graph::Graph;

pub(in super::super) const METHOD: &str = "acol";

/// The output of a model with an ACoL head that holds the first branch's class maps, f32 `[N, C, h, w]`, the ones that
/// its class scores are the means of.
pub const FIRST_MAPS: &str = "camloc.maps_a";
/// The output that holds the second branch's class maps, f32 `[N, C, h, w]`, of features without what the first one finds
/// of the predicted class.
pub const ERASED_MAPS: &str = "camloc.maps_b";

/// Keeps a flat map's range above zero.
const FLAT: f64 = 1e-12;

/// Appends the maps under a name, f32 `[N, K, h, w]`, for classes `[N, K]`.
pub(in super::super) fn append(graph: &mut Graph<'_>, head: &Head, classes: &str, name: &str) {
    let second = Head { features: ERASED_MAPS.into(), ..head.clone() };
    let [first, second] = [head, &second].map(|branch| {
        let maps = class_maps::append(graph, branch, classes, "camloc.branch");
        let least = graph.reduce("ReduceMin", "camloc.least", &maps, &[2, 3], true);
        let most = graph.reduce("ReduceMax", "camloc.most", &maps, &[2, 3], true);
        let range = graph.op("Sub", "camloc.range", &[&most, &least], vec![]);
        let range = graph.with("Add", "camloc.range", &range, FLAT);
        let above = graph.op("Sub", "camloc.above", &[&maps, &least], vec![]);
        graph.op("Div", "camloc.share", &[&above, &range], vec![])
    });
    graph.op("Max", name, &[&first, &second], vec![]);
}
