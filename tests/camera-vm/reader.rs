//! Classifiers that know the test's pictures, so that camloc itself says what it sees: one reads the number of a frame
//! of the [film](crate::film), others recognise colour bars.

use std::path::Path;

use camloc_graph::onnx::build::{Dim, f32_tensor, graph, int, ints, model, node, value_info};
use camloc_graph::onnx::load::encode;
use camloc_graph::onnx::proto::{DataType, NodeProto, TensorProto};

use crate::film::{BITS, COLUMNS, FIRST, LENGTH, is_bright};

/// Height and width of the input: blocks are 4 pixels wide.
const INPUT: (usize, usize) = (32, 4 * COLUMNS);
/// Horizontal bands of 4 pixels that are compared with each other.
const BANDS: usize = 8;

/// What the reader calls a frame whose bands show different numbers.
pub(crate) const TORN: &str = "torn";

/// Writes a model of one class for each number, and one for torn frames.
///
/// For each column of blocks, a convolution says by how much it is bright, by how much dark, and by how much each band
/// is brighter or darker than the next. The linear layer adds up what speaks for each number.
pub(crate) fn write_reader(path: &Path) {
    let channels = 2 + 2 * (BANDS - 1);
    let mut kernels = Vec::new();
    let mut kernel = |level: &dyn Fn(usize) -> f32| {
        let rows = (0..INPUT.0).map(|y| level(y * BANDS / INPUT.0));
        let plane: Vec<f32> = rows.flat_map(|value| [value; 4]).collect();
        kernels.extend(plane.repeat(3));
    };
    let (whole, band) = (1.0 / (12 * INPUT.0) as f32, BANDS as f32 / (12 * INPUT.0) as f32);
    for sign in [1.0, -1.0] {
        kernel(&|_| sign * whole);
    }
    for at in 1..BANDS {
        for sign in [1.0, -1.0] {
            kernel(&|y| sign * band * (f32::from(u8::from(y == at)) - f32::from(u8::from(y + 1 == at))));
        }
    }
    let mut bias = vec![0.0; channels];
    (bias[0], bias[1]) = (-0.5, 0.5);

    let number = |number: u32| {
        let says = move |channel: usize, column: usize| match (channel, column.wrapping_sub(FIRST) < BITS) {
            (0, true) if is_bright(number, column) => 16.0,
            (1, true) if !is_bright(number, column) => 16.0,
            (0 | 1, true) => -16.0,
            _ => 0.0,
        };
        (0..channels).flat_map(move |channel| (0..COLUMNS).map(move |column| says(channel, column)))
    };
    // One block that differs between two bands outweighs all that speaks for the number.
    let torn = (0..channels * COLUMNS).map(|feature| if feature < 2 * COLUMNS { 0.0 } else { 400.0 });
    let weights: Vec<f32> = (0..LENGTH).flat_map(number).chain(torn).collect();
    let conv =
        node("Conv", "conv", &["image", "kernels", "bias"], &["blocks"], vec![ints("strides", &[32, 4])]);
    let tensors = vec![
        f32_tensor("kernels", &[channels as i64, 3, 32, 4], &kernels),
        f32_tensor("bias", &[channels as i64], &bias),
    ];
    let labels = (0..LENGTH).map(|number| number.to_string()).chain([TORN.to_owned()]);
    write(path, labels.collect(), vec![conv], tensors, &weights);
}

/// Writes a model of two classes: `bars` for eight bars of these colours from left to right over the picture's lower
/// half, and `something else` where a channel of one is off by more than an eighth of the scale.
pub(crate) fn write_bars(path: &Path, colours: [[f32; 3]; 8]) {
    let width = INPUT.1 / colours.len();
    // The mean of each channel in the middle of each bar.
    let is_inside = |y: usize, x: usize| y >= INPUT.0 / 2 && (2..width - 2).contains(&x);
    let share = 1.0 / (INPUT.0 / 2 * (width - 4)) as f32;
    let plane = |is_same: bool| {
        let inside = move |at: usize| is_same && is_inside(at / width, at % width);
        (0..INPUT.0 * width).map(move |at| if inside(at) { share } else { 0.0 })
    };
    let kernels: Vec<f32> = (0..9).flat_map(|pair| plane(pair / 3 == pair % 3)).collect();
    let expected: Vec<f32> = (0..3).flat_map(|channel| colours.map(|colour| colour[channel])).collect();
    let nodes = vec![
        node("Conv", "conv", &["image", "kernels"], &["means"], vec![ints("strides", &[32, width as i64])]),
        node("Sub", "differ", &["means", "expected"], &["differences"], vec![]),
        node("Abs", "abs", &["differences"], &["off"], vec![]),
        node("Sub", "within", &["eighth", "off"], &["near"], vec![]),
        node("Neg", "beyond", &["near"], &["far"], vec![]),
        node("Concat", "concat", &["near", "far"], &["blocks"], vec![int("axis", 1)]),
    ];
    let tensors = vec![
        f32_tensor("kernels", &[3, 3, INPUT.0 as i64, width as i64], &kernels),
        f32_tensor("expected", &[1, 3, 1, 8], &expected),
        f32_tensor("eighth", &[1], &[0.125]),
    ];
    // All bars but the last, which is black, speak for bars, so that there is a place to draw a box around.
    let bars = (0..48).map(|at| if at < 24 && at % 8 < 7 { 100.0 } else { 0.0 });
    let something_else = (0..48).map(|at| if at < 24 { 0.0 } else { 10_000.0 });
    let weights: Vec<f32> = bars.chain(something_else).collect();
    write(path, vec!["bars".into(), "something else".into()], nodes, tensors, &weights);
}

/// Writes a model whose classes are a linear layer over the features `blocks`, where they are positive, and its manifest.
fn write(
    path: &Path,
    labels: Vec<String>,
    mut nodes: Vec<NodeProto>,
    mut tensors: Vec<TensorProto>,
    weights: &[f32],
) {
    let (classes, features) = (labels.len() as i64, (weights.len() / labels.len()) as i64);
    nodes.extend([
        node("Relu", "relu", &["blocks"], &["features"], vec![]),
        node("Flatten", "flatten", &["features"], &["flat"], vec![]),
        node("Gemm", "linear", &["flat", "weights"], &["logits"], vec![int("transB", 1)]),
    ]);
    tensors.push(f32_tensor("weights", &[classes, features], weights));
    let [channels, height, width] = [3, INPUT.0 as i64, INPUT.1 as i64].map(Dim::Fixed);
    let batch = Dim::Symbol("N");
    let graph = graph(
        "reader",
        vec![value_info("image", DataType::Float, &[batch, channels, height, width])],
        vec![value_info("logits", DataType::Float, &[batch, Dim::Fixed(classes)])],
        tensors,
        nodes,
    );
    std::fs::write(path, encode(&model(graph)).expect("a model")).expect("a model's file");
    let manifest = format!("fit = 'squash'\nrange = 1\nmean = 0\nstd = 1\nlabels = {labels:?}\n");
    std::fs::write(path.with_extension("toml"), manifest).expect("a manifest");
}
