//! Explained models on the real runtime, against maps written out by hand.
//!
//! All classifiers here begin with `features = Relu(x)`, so the test knows the feature map: it is the
//! rectified picture. Height and width differ, so that a swapped axis shows.

mod damage;
mod detector;
mod heads;
mod old_models;
mod outputs;
mod requests;

use prost::Message;

use super::{ExplainError, Explanation, Fusion, Method, Request, explain};
use crate::onnx::build::*;
use crate::onnx::proto::*;
use crate::onnx::prune::prune;
use crate::testing::Session;

const BATCH: usize = 2;
const CHANNELS: usize = 3;
const HEIGHT: usize = 4;
const WIDTH: usize = 5;
const CLASSES: usize = 6;
const PLACES: usize = HEIGHT * WIDTH;

/// Numbers without a pattern, -1..1.
pub(super) fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

/// Of an initializer that nothing uses every runtime warns, each time that it loads the file.
#[track_caller]
pub(super) fn assert_all_used(model: &ModelProto) {
    let mut needed = model.clone();
    prune(&mut needed);
    let names = |model: &ModelProto| {
        let graph = model.graph.clone().unwrap_or_default();
        let constants = graph.initializer.iter().map(|tensor| tensor.name().to_owned());
        constants.chain(graph.node.iter().map(|node| node.name().to_owned())).collect::<Vec<_>>()
    };
    let needed = names(&needed);
    let unused: Vec<String> = names(model).into_iter().filter(|name| !needed.contains(name)).collect();
    assert!(unused.is_empty(), "nothing uses {unused:?}");
}

/// `[C, F]`
fn weights() -> Vec<f32> {
    noise(CLASSES * CHANNELS, 7)
}

fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

fn bias() -> TensorProto {
    f32_tensor("bias", &[CLASSES as i64], &noise(CLASSES, 9))
}

fn by_class() -> TensorProto {
    f32_tensor("weight", &[CLASSES as i64, CHANNELS as i64], &weights())
}

fn by_feature() -> TensorProto {
    f32_tensor("weight", &[CHANNELS as i64, CLASSES as i64], &transposed(&weights(), CLASSES, CHANNELS))
}

fn pointwise() -> TensorProto {
    f32_tensor("weight", &[CLASSES as i64, CHANNELS as i64, 1, 1], &weights())
}

fn op(op_type: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    node(op_type, &format!("{output}_node"), inputs, &[output], attributes)
}

/// A classifier from `x` `[N, 3, h, w]` to `logits`, after `features = Relu(x)`.
struct Classifier {
    constants: Vec<TensorProto>,
    nodes: Vec<NodeProto>,
    /// The output, and its shape after the batch.
    output: (&'static str, &'static [i64]),
    dims: [Dim<'static>; 4],
    opset: i64,
}

impl Classifier {
    fn new(constants: Vec<TensorProto>, nodes: Vec<NodeProto>) -> Classifier {
        let (n, h, w) = (Dim::Symbol("N"), Dim::Symbol("H"), Dim::Symbol("W"));
        let dims = [n, Dim::Fixed(CHANNELS as i64), h, w];
        Classifier { constants, nodes, output: ("logits", &[CLASSES as i64]), dims, opset: OPSET }
    }

    fn fixed(mut self) -> Classifier {
        self.dims = [BATCH, CHANNELS, HEIGHT, WIDTH].map(|size| Dim::Fixed(size as i64));
        self
    }

    fn opset(mut self, opset: i64) -> Classifier {
        self.opset = opset;
        self
    }

    fn output(mut self, name: &'static str, shape: &'static [i64]) -> Classifier {
        self.output = (name, shape);
        self
    }

    fn model(&self) -> ModelProto {
        let mut nodes = vec![op("Relu", &["x"], "features", vec![])];
        nodes.extend(self.nodes.iter().cloned());
        let batch = self.dims[..1].iter().copied();
        let shape: Vec<_> = batch.chain(self.output.1.iter().map(|&size| Dim::Fixed(size))).collect();
        let output = value_info(self.output.0, DataType::Float, &shape);
        let input = value_info("x", DataType::Float, &self.dims);
        let mut model = model(graph("classifier", vec![input], vec![output], self.constants.clone(), nodes));
        model.opset_import[0].version = Some(self.opset);
        model.ir_version = Some(8);
        model
    }
}

/// What a session says of the picture `x`: outputs by name.
fn run(model: &ModelProto, targets: Option<&[i64]>, shape: &[usize]) -> Session {
    let mut session = Session::load(&model.encode_to_vec(), Some(shape)).unwrap();
    if let Some(targets) = targets {
        session.set_targets(targets);
    }
    let picture = noise(shape.iter().product(), 3);
    session.input_mut().copy_from_slice(&picture);
    session.run().unwrap();
    session
}

/// The feature map as `features[picture][channel][place]`, for pictures `[N, F, h, w]`.
fn feature(picture: usize, channel: usize, place: usize) -> f32 {
    noise(BATCH * CHANNELS * PLACES, 3)[(picture * CHANNELS + channel) * PLACES + place].max(0.0)
}

fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < 1e-5, "value {index} is {found}, not {expected}");
    }
}

/// Explains a classifier and checks all that the contract promises; `map` gives the expected map of a
/// class at a place of a picture.
fn check(classifier: &Classifier, map: impl Fn(usize, usize, usize) -> f32) -> Explanation {
    check_shaped(classifier, &[BATCH, CHANNELS, HEIGHT, WIDTH], map)
}

fn check_shaped(
    classifier: &Classifier,
    shape: &[usize],
    map: impl Fn(usize, usize, usize) -> f32,
) -> Explanation {
    let plain = classifier.model();
    let mut explained = plain.clone();
    let request = Request { top_k: 3, ..Default::default() };
    let explanation = explain(&mut explained, &request).unwrap();

    let before = run(&plain, None, shape);
    let after = run(&explained, None, shape);
    let (_, own) = before.floats(classifier.output.0);
    assert_eq!(after.floats(classifier.output.0).1, own, "own outputs are bit-identical");

    let (classes_shape, classes) = after.integers("camloc.classes");
    assert_eq!(classes_shape, [BATCH, 3]);
    let (maps_shape, maps) = after.floats("camloc.maps");
    assert_eq!(maps_shape, [BATCH, 3, HEIGHT, WIDTH]);
    let (_, scores) = after.floats("camloc.scores");
    for picture in 0..BATCH {
        let own = &own[picture * CLASSES..][..CLASSES];
        let mut ranked: Vec<usize> = (0..CLASSES).collect();
        ranked.sort_by(|&a, &b| own[b].total_cmp(&own[a]));
        let exponents: Vec<f32> = own.iter().map(|logit| logit.exp()).collect();
        let sum: f32 = exponents.iter().sum();
        for (rank, &class) in ranked[..3].iter().enumerate() {
            let slot = picture * 3 + rank;
            assert_eq!(classes[slot], class as i64);
            let score = if classifier.output.0 == "logits" { exponents[class] / sum } else { own[class] };
            assert_near(&scores[slot..=slot], &[score]);
            let expected: Vec<f32> = (0..PLACES).map(|place| map(class, picture, place)).collect();
            assert_near(&maps[slot * PLACES..][..PLACES], &expected);
        }
    }

    let locked = run(&explained, Some(&[5, -1, 2]), shape);
    let classes = locked.integers("camloc.classes").1;
    assert_eq!([classes[0], classes[2], classes[3], classes[5]], [5, 2, 5, 2]);
    let expected: Vec<f32> = (0..PLACES).map(|place| map(2, 1, place)).collect();
    assert_near(&locked.floats("camloc.maps").1[5 * PLACES..], &expected);
    explanation
}

fn cam(class: usize, picture: usize, place: usize) -> f32 {
    let weights = weights();
    (0..CHANNELS).map(|channel| weights[class * CHANNELS + channel] * feature(picture, channel, place)).sum()
}

fn pooled_gemm() -> Classifier {
    Classifier::new(
        vec![by_class(), bias()],
        vec![
            op("GlobalAveragePool", &["features"], "gap", vec![]),
            op("Flatten", &["gap"], "flat", vec![]),
            op("Gemm", &["flat", "weight", "bias"], "logits", vec![int("transB", 1)]),
        ],
    )
}
