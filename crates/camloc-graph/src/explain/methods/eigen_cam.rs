//! EigenCAM (Muhammad & Yeasin 2020): the activations, centred over the places, projected on their first principal
//! direction. EigenGrad-CAM does the same with gradient times activation.
//!
//! The direction comes from squaring the Gram matrix of the smaller side, nine times: that is 512 steps
//! of power iteration. Its sign is arbitrary; here the map goes up where the activations do.

use super::super::error::ExplainError;
use super::super::features::{Grid, Maps, activations, mean};
use super::super::layers::Layer;
use super::super::subject::Subject;
use crate::onnx::build::{self, int};
use crate::onnx::edit::GraphEditor;
use crate::onnx::proto::DataType;

/// How often the Gram matrix is squared.
const SQUARINGS: usize = 9;
/// Plain steps afterwards, which remove what the squarings rounded.
const STEPS: usize = 2;

/// Appends one map for all chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let count = subject.count() as i64;
    let graph = &mut *subject.graph;
    let activations = activations(graph, layer);
    let axis = graph.add_ints("camloc.axes", &[0]);
    let alone = graph.op("Unsqueeze", "camloc.alone", &[&activations, &axis], vec![]);
    let map = component(graph, &alone, layer);
    let times = graph.add_ints("camloc.times", &[count, 1, 1]);
    let tensor = graph.op("Expand", "camloc.each", &[&map, &times], vec![]);
    Ok(Maps::by_class(tensor, Grid::of(graph, &layer.tensor, layer.layout)))
}

/// Appends the maps of the chosen classes.
pub(super) fn append_with_gradient(
    subject: &mut Subject<'_, '_>,
    layer: &Layer,
) -> Result<Maps, ExplainError> {
    let (activations, gradient) = subject.features(layer)?;
    let graph = &mut *subject.graph;
    let products = graph.op("Mul", "camloc.products", &[&gradient.tensor, &activations], vec![]);
    let tensor = component(graph, &products, layer);
    Ok(Maps::by_class(tensor, Grid::of(graph, &layer.tensor, layer.layout)))
}

/// `[K, N, P]`: `[K, N, C, P]` projected on its first principal direction.
fn component(graph: &mut GraphEditor<'_>, tensor: &str, layer: &Layer) -> String {
    let middle = mean(graph, tensor);
    let centred = graph.op("Sub", "camloc.centred", &[tensor, &middle], vec![]);
    let turned = graph.transpose("camloc.turned", &centred, &[0, 1, 3, 2]);
    let places = layer.size.map(|(height, width)| height * width);
    let by_channel = layer.channels.zip(places).is_some_and(|(channels, places)| channels < places);
    let map = if by_channel {
        let gram = graph.op("MatMul", "camloc.gram", &[&centred, &turned], vec![]);
        let direction = principal(graph, &gram);
        graph.op("MatMul", "camloc.projected", &[&turned, &direction], vec![])
    } else {
        // Of the other side's Gram matrix the eigenvector is the map itself, but for its length.
        let gram = graph.op("MatMul", "camloc.gram", &[&turned, &centred], vec![]);
        let shape = principal(graph, &gram);
        let image = graph.op("MatMul", "camloc.image", &[&gram, &shape], vec![]);
        let length = length(graph, &image);
        let scale = graph.op("Sqrt", "camloc.scale", &[&length], vec![]);
        graph.op("Mul", "camloc.projected", &[&shape, &scale], vec![])
    };
    let map = signed(graph, &map, &centred);
    let axis = graph.add_ints("camloc.axes", &[3]);
    graph.op("Squeeze", "camloc.component", &[&map, &axis], vec![])
}

/// The first eigenvector `[K, N, S, 1]`, of length 1, of symmetric matrices `[K, N, S, S]`.
fn principal(graph: &mut GraphEditor<'_>, gram: &str) -> String {
    let mut power = scaled(graph, gram);
    for squaring in 1..=SQUARINGS {
        power = graph.op("MatMul", "camloc.power", &[&power, &power], vec![]);
        // Between, an entry grows to at most S to the power of 8 - 1, far from what overflows.
        if squaring % 3 == 0 {
            power = scaled(graph, &power);
        }
    }
    // By now every column is a multiple of the eigenvector; the longest one is furthest from zero.
    let squares = graph.op("Mul", "camloc.squares", &[&power, &power], vec![]);
    // The matrix is symmetric: it has the same rows.
    let lengths = graph.reduce("ReduceSum", "camloc.lengths", &squares, &[3], false);
    let one = graph.add_ints("camloc.k", &[1]);
    let (value, longest) = (graph.fresh_name("camloc.longest"), graph.fresh_name("camloc.longest_at"));
    graph.push(build::node("TopK", &longest, &[&lengths, &one], &[&value, &longest], vec![]));
    let row = graph.op("GatherND", "camloc.row", &[&power, &longest], vec![int("batch_dims", 2)]);
    let axis = graph.add_ints("camloc.axes", &[3]);
    let mut vector = graph.op("Unsqueeze", "camloc.vector", &[&row, &axis], vec![]);
    for _ in 0..STEPS {
        vector = graph.op("MatMul", "camloc.vector", &[gram, &vector], vec![]);
        vector = unit(graph, &vector);
    }
    vector
}

/// A matrix of which the largest entry is 1; zero stays zero. Those of squares lie on the diagonal, and are positive.
fn scaled(graph: &mut GraphEditor<'_>, matrix: &str) -> String {
    let largest = graph.reduce("ReduceMax", "camloc.largest", matrix, &[-2, -1], true);
    let largest = graph.with("Add", "camloc.largest", &largest, f64::from(f32::MIN_POSITIVE));
    graph.op("Div", "camloc.power", &[matrix, &largest], vec![])
}

/// A vector of length 1; zero stays zero.
fn unit(graph: &mut GraphEditor<'_>, tensor: &str) -> String {
    let length = length(graph, tensor);
    let length = graph.with("Add", "camloc.length", &length, f64::from(f32::MIN_POSITIVE));
    graph.op("Div", "camloc.unit", &[tensor, &length], vec![])
}

/// The root of the sum of squares over the last two axes.
fn length(graph: &mut GraphEditor<'_>, tensor: &str) -> String {
    // Squares of large activations would overflow; the largest value is taken out first.
    let size = graph.op("Abs", "camloc.size", &[tensor], vec![]);
    let largest = graph.reduce("ReduceMax", "camloc.largest", &size, &[-2, -1], true);
    let largest = graph.with("Add", "camloc.largest", &largest, f64::from(f32::MIN_POSITIVE));
    let scaled = graph.op("Div", "camloc.scaled", &[tensor, &largest], vec![]);
    let squares = graph.op("Mul", "camloc.squares", &[&scaled, &scaled], vec![]);
    let sum = graph.reduce("ReduceSum", "camloc.sum", &squares, &[-2, -1], true);
    let root = graph.op("Sqrt", "camloc.root", &[&sum], vec![]);
    graph.op("Mul", "camloc.length", &[&root, &largest], vec![])
}

/// A map `[K, N, P, 1]` with the sign that goes along with the sum of the channels `[K, N, C, P]`.
fn signed(graph: &mut GraphEditor<'_>, map: &str, centred: &str) -> String {
    let total = graph.reduce("ReduceSum", "camloc.total", centred, &[2], true);
    let along = graph.op("MatMul", "camloc.along", &[&total, map], vec![]);
    // Where they are not related at all, any sign is right, but not zero.
    let zero = graph.add_float("camloc.zero", 0.0);
    let against = graph.op("Less", "camloc.against", &[&along, &zero], vec![]);
    let against = graph.cast("camloc.against", &against, DataType::Float);
    let sign = graph.with("Mul", "camloc.sign", &against, -2.0);
    let sign = graph.with("Add", "camloc.sign", &sign, 1.0);
    graph.op("Mul", "camloc.signed", &[map, &sign], vec![])
}
