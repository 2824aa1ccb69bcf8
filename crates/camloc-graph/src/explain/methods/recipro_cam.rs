//! Recipro-CAM (Byun & Lee 2022): what the rest of the network says of each place alone. The layer is copied once for
//! each of its places, each copy keeps one place and is zero elsewhere, and the part behind the layer runs on all
//! copies as one batch; the map is the class's probability. It needs no gradient, and one run serves all classes.

use std::collections::HashMap;

use super::super::error::ExplainError;
use super::super::features::{Grid, Maps};
use super::super::head::Layout;
use super::super::layers::Layer;
use super::super::outputs::rows;
use super::super::subject::Subject;
use super::super::tail::Tail;
use crate::onnx::build::{self, int};
use crate::onnx::edit::GraphEditor;
use crate::onnx::proto::NodeProto;

/// More copies than this are a batch that no machine wants to run.
const MOST_PLACES: usize = 28 * 28;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let refused =
        |why: String| ExplainError::NotForLayer { method: "reciprocam", layer: layer.tensor.clone(), why };
    let (height, width) = layer.size.ok_or_else(|| refused("its size is open".into()))?;
    let places = height.saturating_mul(width);
    if places == 0 {
        return Err(refused("it has no places".into()));
    }
    if places > MOST_PLACES {
        return Err(refused(format!("its {places} places would be a batch of {places}; take a later layer")));
    }
    if prefix(layer) > MOST_PLACES {
        return Err(refused(format!("it has {} tokens that are no place", prefix(layer))));
    }
    let tail = Tail::behind(subject.graph, &layer.tensor, &subject.scores.logits).map_err(refused)?;
    if let Some(input) = tail.passing.last() {
        return Err(refused(format!("{input} passes by it; take a layer through which everything passes")));
    }
    let copies = copies(subject.graph, layer, places);
    let logits = repeat(tail, subject.graph, &layer.tensor, &copies, &subject.scores.logits, places);

    let (classes, count) = (subject.scores.classes as i64, subject.count() as i64);
    let graph = &mut *subject.graph;
    let scores = rows(graph, &logits, subject.scores.classes);
    let scores = graph.op("Softmax", "camloc.alone", &[&scores], vec![int("axis", 1)]);
    let scores = graph.reshape("camloc.alone", &scores, &[-1, places as i64, classes]);
    let axis = graph.add_ints("camloc.axes", &[1]);
    let chosen = graph.op("Unsqueeze", "camloc.chosen", &[&subject.choice.numbers, &axis], vec![]);
    let each = graph.add_ints("camloc.each", &[1, places as i64, count]);
    let chosen = graph.op("Expand", "camloc.chosen", &[&chosen, &each], vec![]);
    let picked = graph.op("GatherElements", "camloc.picked", &[&scores, &chosen], vec![int("axis", 2)]);
    let tensor = graph.transpose("camloc.picked", &picked, &[2, 0, 1]);
    Ok(Maps::by_class(tensor, Grid::of(graph, &layer.tensor, layer.layout)))
}

/// How many tokens come before the places.
fn prefix(layer: &Layer) -> usize {
    match layer.layout {
        Layout::Tokens { prefix, .. } => prefix,
        Layout::Nchw | Layout::Nhwc => 0,
    }
}

/// `[N * P, …]`: the layer once for each place, which alone it keeps.
fn copies(graph: &mut GraphEditor<'_>, layer: &Layer, places: usize) -> String {
    let (height, width) = layer.size.unwrap_or_default();
    let prefix = prefix(layer);
    let mut kept = vec![0.0; places * (prefix + places)];
    for (place, row) in kept.chunks_mut(prefix + places).enumerate() {
        row[..prefix].fill(1.0);
        row[prefix + place] = 1.0;
    }
    let (places, height, width) = (places as i64, height as i64, width as i64);
    let shape: &[i64] = match layer.layout {
        Layout::Nchw => &[places, 1, height, width],
        Layout::Nhwc => &[places, height, width, 1],
        Layout::Tokens { .. } => &[places, prefix as i64 + places, 1],
    };
    let mask = graph.add_initializer(build::f32_tensor("camloc.one_place", shape, &kept));
    let mask = match graph.element_type(&layer.tensor) {
        None | Some(crate::onnx::proto::DataType::Float) => mask,
        Some(element) => graph.cast("camloc.one_place", &mask, element),
    };
    let axis = graph.add_ints("camloc.axes", &[1]);
    let lone = graph.op("Unsqueeze", "camloc.lone", &[&layer.tensor, &axis], vec![]);
    let each = graph.op("Mul", "camloc.copies", &[&lone, &mask], vec![]);
    // The first two axes, pictures and places, become one batch.
    let rest: Option<Vec<i64>> =
        graph.shape(&layer.tensor).and_then(|shape| shape.get(1..)?.iter().copied().collect());
    let shape = match rest {
        Some(rest) => graph.add_ints("camloc.shape", &[&[-1], &rest[..]].concat()),
        None => {
            let rest = graph.op("Shape", "camloc.rest", &[&layer.tensor], vec![int("start", 1)]);
            let hole = graph.add_ints("camloc.hole", &[-1]);
            graph.op("Concat", "camloc.shape", &[&hole, &rest], vec![int("axis", 0)])
        }
    };
    graph.op("Reshape", "camloc.copies", &[&each, &shape], vec![])
}

/// Appends the nodes of a tail once more, from `copies` in place of the layer, and returns what they make of it.
fn repeat(
    tail: Tail,
    graph: &mut GraphEditor<'_>,
    layer: &str,
    copies: &str,
    logits: &str,
    places: usize,
) -> String {
    let batch = graph.shape(layer).and_then(|shape| *shape.first()?);
    let mut names = HashMap::from([(layer.to_owned(), copies.to_owned())]);
    for mut node in tail.nodes {
        if let ("Reshape", Some(batch)) = (node.standard_op(), batch) {
            larger(graph, &mut node, batch, places);
        }
        for input in &mut node.input {
            if let Some(name) = names.get(input) {
                input.clone_from(name);
            }
        }
        for output in node.output.iter_mut().filter(|output| !output.is_empty()) {
            let name = graph.fresh_name("camloc.tail");
            names.insert(std::mem::replace(output, name.clone()), name);
        }
        node.name = node.output.first().cloned();
        graph.push(node);
    }
    names.get(logits).cloned().unwrap_or_else(|| copies.to_owned())
}

/// Of a model with a fixed batch, a reshape may name the batch; the copies are more.
fn larger(graph: &mut GraphEditor<'_>, node: &mut NodeProto, batch: i64, places: usize) {
    let Some(target) = node.input_at(1).and_then(|target| graph.ints(target)) else { return };
    if target.first() == Some(&batch) {
        let target = [&[batch * places as i64], &target[1..]].concat();
        node.input[1] = graph.add_ints("camloc.larger", &target);
    }
}
