//! Finer-CAM (Zhang et al. 2025): Grad-CAM of `y_t - ȳ`, where `ȳ` is the mean of the scores of the three classes
//! nearest to the class t, weighted with their probabilities: what tells t from what is like it.
//!
//! The weights `m_k` are the softmax over the three, and move with the scores. So the seed is one for t and
//! `-m_k (1 + y_k - ȳ)` for each of the three.

use super::super::error::ExplainError;
use super::super::features::Maps;
use super::super::layers::Layer;
use super::super::outputs::{CLASSES, rows};
use super::super::subject::Subject;
use super::grad_cam;
use crate::autodiff::Seed;
use crate::onnx::build::{self, int};
use crate::onnx::edit::GraphEditor;
use crate::onnx::proto::DataType;

/// How many classes are compared with.
const COMPARED: usize = 3;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let seed = seed(subject);
    grad_cam::append_from(subject, layer, &seed)
}

/// The gradient of `y_t - ȳ` by the logits, for each chosen class t.
fn seed(subject: &mut Subject<'_, '_>) -> Seed {
    let (classes, count) = (subject.scores.classes, subject.count());
    let graph = &mut *subject.graph;
    let logits = rows(graph, &subject.scores.logits, classes);

    // [N, K, C]: how far each class is from the chosen one, which itself comes first, at no distance.
    let own = graph.op("GatherElements", "camloc.own", &[&logits, CLASSES], vec![int("axis", 1)]);
    let [one, two] = [1, 2].map(|axis| graph.add_ints("camloc.axes", &[axis]));
    let own = graph.op("Unsqueeze", "camloc.own", &[&own, &two], vec![]);
    let all = graph.op("Unsqueeze", "camloc.all", &[&logits, &one], vec![]);
    let distance = graph.op("Sub", "camloc.distance", &[&all, &own], vec![]);
    let distance = graph.op("Abs", "camloc.distance", &[&distance], vec![]);
    let column = graph.op("Unsqueeze", "camloc.column", &[&subject.choice.numbers, &two], vec![]);
    // A class of the same score must not take its place.
    let own = compared_with_itself(graph, "Equal", &column);
    let first = graph.op("Neg", "camloc.first", &[&own], vec![]);
    let axis = || vec![int("axis", 2)];
    let order = graph.op("ScatterElements", "camloc.order", &[&distance, &column, &first], axis());
    let near = (COMPARED + 1).min(classes) as i64;
    let k = graph.add_ints("camloc.k", &[near]);
    let (values, nearest) = (graph.fresh_name("camloc.distances"), graph.fresh_name("camloc.nearest"));
    let attributes = vec![int("axis", 2), int("largest", 0)];
    graph.push(build::node("TopK", &nearest, &[&order, &k], &[&values, &nearest], attributes));

    let times = graph.add_ints("camloc.each", &[1, count as i64, 1]);
    let each = graph.op("Expand", "camloc.each", &[&all, &times], vec![]);
    let scores = graph.op("GatherElements", "camloc.compared", &[&each, &nearest], axis());
    let scores = graph.slice("camloc.compared", &scores, 2, 1, i64::MAX);
    let against = against(graph, &scores);
    let values = graph.op("Concat", "camloc.seed_values", &[&own, &against], axis());
    let nothing = compared_with_itself(graph, "Less", &distance);
    let seed = graph.op("ScatterElements", "camloc.seed", &[&nothing, &nearest, &values], axis());
    Seed::Given { tensor: as_seed(subject, &seed), count }
}

/// A tensor of the shape of another, f32: ones for `Equal` of integers, zeros for `Less`. It asks for no shape, which not
/// every execution provider computes itself.
fn compared_with_itself(graph: &mut GraphEditor<'_>, comparison: &str, tensor: &str) -> String {
    let holds = graph.op(comparison, "camloc.compared", &[tensor, tensor], vec![]);
    graph.cast("camloc.filled", &holds, DataType::Float)
}

/// The gradient of `-ȳ` by the compared classes' scores `[N, K, 3]`.
fn against(graph: &mut GraphEditor<'_>, scores: &str) -> String {
    let shares = graph.op("Softmax", "camloc.shares", &[scores], vec![int("axis", 2)]);
    let weighted = graph.op("Mul", "camloc.weighted", &[&shares, scores], vec![]);
    let mean = graph.reduce("ReduceSum", "camloc.mean", &weighted, &[2], true);
    let offset = graph.op("Sub", "camloc.offset", &[scores, &mean], vec![]);
    let offset = graph.with("Add", "camloc.offset", &offset, 1.0);
    let against = graph.op("Mul", "camloc.against", &[&shares, &offset], vec![]);
    graph.op("Neg", "camloc.against", &[&against], vec![])
}

/// A seed `[N, K, C]` in the shape of the logits' gradient.
fn as_seed(subject: &mut Subject<'_, '_>, seed: &str) -> String {
    let (count, classes, logits) = (subject.count(), subject.scores.classes as i64, &subject.scores.logits);
    let graph = &mut *subject.graph;
    let seed = match count {
        1 => graph.reshape("camloc.seed", seed, &[-1, classes]),
        _ => graph.transpose("camloc.seed", seed, &[1, 0, 2]),
    };
    let lead = usize::from(count != 1);
    let further = graph.shape(logits).map_or(0, |shape| shape.len().saturating_sub(2));
    let seed = match further {
        0 => seed,
        _ => {
            let axes: Vec<i64> = (0..further).map(|axis| (lead + 2 + axis) as i64).collect();
            let axes = graph.add_ints("camloc.axes", &axes);
            graph.op("Unsqueeze", "camloc.seed", &[&seed, &axes], vec![])
        }
    };
    match graph.element_type(logits) {
        None | Some(DataType::Float) => seed,
        Some(element) => graph.cast("camloc.seed", &seed, element),
    }
}
