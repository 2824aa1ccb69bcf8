//! What every method adds: the choice of classes, their scores, and the declaration of all outputs.

use super::error::ExplainError;
use super::probabilities::Link;
use super::request::Request;
use super::scores::Scores;
use crate::onnx::build::{self, Dim};
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::proto::{DataType, DimensionValue, TypeValue};

/// The input that locks classes.
pub(super) const TARGETS: &str = "camloc.targets";
/// The classes explained.
pub(super) const CLASSES: &str = "camloc.classes";
/// Their probabilities.
pub(super) const SCORES: &str = "camloc.scores";
/// Their maps.
pub(super) const MAPS: &str = "camloc.maps";

/// The maps before they are refined.
pub(super) const RAW: &str = "camloc.raw_maps";

/// The classes that the branch explains: [`CLASSES`].
pub(super) struct Choice {
    /// The same classes as i32 `[N, K]`, for all further work: with 64 bits not every execution provider computes.
    pub numbers: String,
    /// How many, K.
    pub count: usize,
}

/// Whether a request fits a model.
pub(super) fn check(graph: &Graph<'_>, request: &Request, classes: usize) -> Result<(), ExplainError> {
    if let Some(&tensor) = [TARGETS, CLASSES, SCORES, MAPS, RAW].iter().find(|name| graph.has_name(name)) {
        return Err(ExplainError::AlreadyExplained { tensor: tensor.into() });
    }
    if let Some(&target) = request.targets.iter().find(|&&target| target >= classes) {
        return Err(ExplainError::NoSuchClass { target, classes });
    }
    if request.top_k == 0 && request.targets.is_empty() { Err(ExplainError::NothingAsked) } else { Ok(()) }
}

/// Appends the choice of classes and their scores.
pub(super) fn choose(graph: &mut GraphEditor<'_>, scores: &Scores, request: &Request) -> Choice {
    let targets: Vec<i64> = if request.targets.is_empty() {
        vec![-1; request.top_k.min(scores.classes)]
    } else {
        request.targets.iter().map(|&target| target as i64).collect()
    };
    let count = targets.len();
    add_targets(graph, &targets);

    let logits = rows(graph, &scores.logits, scores.classes);
    // More slots than classes can only be targets; the ranks then repeat the last class.
    let ranked = count.min(scores.classes);
    let k = graph.add_ints("camloc.k", &[ranked as i64]);
    let best = graph.fresh_name("camloc.best");
    let mut ranks = graph.fresh_name("camloc.ranks");
    let name = graph.fresh_name("camloc.topk");
    graph.push(build::node("TopK", &name, &[&logits, &k], &[&best, &ranks], vec![]));
    ranks = match graph.numbers(scores.classes) {
        Some(numbers) => graph.op("Gather", "camloc.ranked", &[&numbers, &ranks], vec![]),
        None => graph.cast("camloc.ranked", &ranks, DataType::Int32),
    };
    if ranked < count {
        let slots: Vec<i64> = (0..count).map(|slot| slot.min(ranked - 1) as i64).collect();
        let slots = graph.add_ints("camloc.slots", &slots);
        ranks = graph.op("Gather", "camloc.ranks", &[&ranks, &slots], vec![build::int("axis", 1)]);
    }
    let numbers = targets_or(graph, &ranks);
    graph.cast(CLASSES, &numbers, DataType::Int64);

    let probabilities = match &scores.probabilities {
        Some(own) => rows(graph, own, scores.classes),
        // One logit is for or against: its probability is not shared out among classes.
        None if scores.classes == 1 || scores.link == Link::Sigmoid => {
            graph.op("Sigmoid", "camloc.probabilities", &[&logits], vec![])
        }
        None => graph.op("Softmax", "camloc.probabilities", &[&logits], vec![build::int("axis", 1)]),
    };
    graph.op("GatherElements", SCORES, &[&probabilities, CLASSES], vec![build::int("axis", 1)]);
    Choice { numbers, count }
}

/// The targets, and where one is below zero the class that stands in its place; i32.
fn targets_or(graph: &mut GraphEditor<'_>, classes: &str) -> String {
    let targets = graph.cast("camloc.target_numbers", TARGETS, DataType::Int32);
    let zero = graph.add_number("camloc.zero", 0);
    let by_rank = graph.op("Less", "camloc.by_rank", &[&targets, &zero], vec![]);
    graph.op("Where", "camloc.chosen", &[&by_rank, classes, &targets], vec![])
}

/// Appends the choice of one value of an output that holds no class scores. The scores become all of its values,
/// `[N, C]`, and the value itself is the score.
pub(super) fn choose_value(
    graph: &mut GraphEditor<'_>,
    scores: &mut Scores,
    request: &Request,
) -> Result<Choice, ExplainError> {
    let place = place(graph, &scores.output, &request.index)?;
    scores.logits = graph.reshape("camloc.values", &scores.output, &[-1, scores.classes as i64]);
    scores.probabilities = None;
    scores.head = None;
    add_targets(graph, &[place as i64]);
    let values = rows(graph, &scores.logits, scores.classes);
    let column = graph.slice("camloc.column", &values, 1, 0, 1);
    let shape = graph.op("Shape", "camloc.column", &[&column], vec![]);
    // There is no rank among values: -1 stands for the place asked for.
    // It is below the number of values, which i32 counts.
    let place = graph.add_number("camloc.place", place as i32);
    let chosen = targets_or(graph, &place);
    let numbers = graph.op("Expand", "camloc.chosen", &[&chosen, &shape], vec![]);
    graph.cast(CLASSES, &numbers, DataType::Int64);
    graph.op("GatherElements", SCORES, &[&values, CLASSES], vec![build::int("axis", 1)]);
    Ok(Choice { numbers, count: 1 })
}

/// Where a value lies among all of an output's values for one picture.
pub(super) fn place(graph: &Graph<'_>, output: &str, index: &[usize]) -> Result<usize, ExplainError> {
    let sizes: Option<Vec<usize>> = graph
        .shape(output)
        .and_then(|shape| shape.get(1..)?.iter().map(|&size| usize::try_from(size?).ok()).collect());
    let sizes = sizes.ok_or_else(|| ExplainError::UnknownClasses { output: output.into() })?;
    let inside = index.len() == sizes.len() && index.iter().zip(&sizes).all(|(&at, &size)| at < size);
    if !inside {
        let shape = format!("{sizes:?}");
        return Err(ExplainError::NoSuchPlace { output: output.into(), shape, index: index.to_vec() });
    }
    Ok(index.iter().zip(&sizes).fold(0, |place, (&at, &size)| place * size + at))
}

/// An input that may be left out needs file format 4.
pub(super) fn add_targets(graph: &mut GraphEditor<'_>, targets: &[i64]) {
    graph.raise_ir_version(4);
    let count = targets.len() as i64;
    graph.add_initializer(build::i64_tensor(TARGETS, &[count], targets));
    graph.add_input(build::value_info(TARGETS, DataType::Int64, &[Dim::Fixed(count)]));
}

/// A tensor of one value for each class as f32 `[N, C]`.
pub(super) fn rows(graph: &mut GraphEditor<'_>, tensor: &str, classes: usize) -> String {
    let tensor = as_f32(graph, tensor);
    if graph.shape(&tensor).is_some_and(|shape| shape.len() == 2) {
        return tensor;
    }
    let shape = graph.add_ints("camloc.rows_shape", &[-1, classes as i64]);
    graph.op("Reshape", "camloc.rows", &[&tensor, &shape], vec![])
}

/// A tensor as f32; itself if it is known to be.
pub(super) fn as_f32(graph: &mut GraphEditor<'_>, tensor: &str) -> String {
    match graph.element_type(tensor) {
        Some(DataType::Float) => tensor.into(),
        _ => graph.cast("camloc.f32", tensor, DataType::Float),
    }
}

/// Declares the three outputs.
pub(super) fn declare(
    graph: &mut GraphEditor<'_>,
    output: &str,
    choice: &Choice,
    map_size: Option<(usize, usize)>,
) {
    let batch = batch(graph, output);
    let batch = match &batch {
        Some(DimensionValue::DimValue(size)) => Dim::Fixed(*size),
        Some(DimensionValue::DimParam(symbol)) => Dim::Symbol(symbol),
        None => Dim::Unknown,
    };
    let count = Dim::Fixed(choice.count as i64);
    let [height, width] = match map_size {
        Some((height, width)) => [Dim::Fixed(height as i64), Dim::Fixed(width as i64)],
        None => [Dim::Unknown, Dim::Unknown],
    };
    graph.add_output(build::value_info(CLASSES, DataType::Int64, &[batch, count]));
    graph.add_output(build::value_info(SCORES, DataType::Float, &[batch, count]));
    graph.add_output(build::value_info(MAPS, DataType::Float, &[batch, count, height, width]));
}

/// The first dimension of an output, as the model declares it.
fn batch(graph: &Graph<'_>, output: &str) -> Option<DimensionValue> {
    let output = graph.outputs().iter().find(|value| value.name() == output)?;
    let Some(TypeValue::TensorType(tensor)) = &output.r#type.as_ref()?.value else { return None };
    tensor.shape.as_ref()?.dim.first()?.value.clone()
}
