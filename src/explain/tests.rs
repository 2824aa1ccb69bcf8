//! Every head on the real runtime, against maps written out by hand.
//!
//! All classifiers here begin with `features = Relu(x)`, so the test knows the feature map: it is the
//! rectified picture. Height and width differ, so that a swapped axis shows.

use proptest::prelude::*;
use prost::Message;

use super::{ExplainError, Explanation, Fusion, Method, Request, explain};
use crate::onnx::build::*;
use crate::onnx::load;
use crate::onnx::proto::*;
use crate::runtime::{Options, Session, init_for_tests};

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
    init_for_tests();
    let options = Options { threads: 1, shape: Some(shape.to_vec()), ..Options::default() };
    let mut session = Session::load(&model.encode_to_vec(), &options).unwrap();
    if let Some(targets) = targets {
        session.set_targets(targets).unwrap();
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
    let (_, own) = before.floats(classifier.output.0).unwrap();
    assert_eq!(after.floats(classifier.output.0).unwrap().1, own, "own outputs are bit-identical");

    let (classes_shape, classes) = after.integers("camloc.classes").unwrap();
    assert_eq!(classes_shape, [BATCH, 3]);
    let (maps_shape, maps) = after.floats("camloc.maps").unwrap();
    assert_eq!(maps_shape, [BATCH, 3, HEIGHT, WIDTH]);
    let (_, scores) = after.floats("camloc.scores").unwrap();
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
    let classes = locked.integers("camloc.classes").unwrap().1;
    assert_eq!([classes[0], classes[2], classes[3], classes[5]], [5, 2, 5, 2]);
    let expected: Vec<f32> = (0..PLACES).map(|place| map(2, 1, place)).collect();
    assert_near(&locked.floats("camloc.maps").unwrap().1[5 * PLACES..], &expected);
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

#[test]
fn cam_of_a_model_of_unknown_size() {
    let explanation = check(&pooled_gemm(), cam);
    assert_eq!((explanation.method.as_str(), explanation.layer.as_str()), ("cam", "features"));
    assert_eq!((explanation.classes, explanation.map_size), (CLASSES, None));
}

#[test]
fn cam_of_a_model_of_fixed_size() {
    assert_eq!(check(&pooled_gemm().fixed(), cam).map_size, Some((HEIGHT, WIDTH)));
}

#[test]
fn cam_in_older_and_newer_operator_sets() {
    for opset in [11, 12, 13, 18, 21] {
        check(&pooled_gemm().opset(opset), cam);
    }
}

#[test]
fn cam_through_a_scaled_gemm_and_a_softmax() {
    let constants = vec![by_feature(), bias()];
    let nodes = vec![
        op("ReduceMean", &["features"], "gap", vec![ints("axes", &[2, 3]), int("keepdims", 0)]),
        op("Gemm", &["gap", "weight", "bias"], "scores", vec![float("alpha", 0.5), float("beta", 2.0)]),
        op("Softmax", &["scores"], "probabilities", vec![int("axis", 1)]),
    ];
    let classifier = Classifier::new(constants, nodes).output("probabilities", &[CLASSES as i64]);
    let explanation = check(&classifier, |class, picture, place| 0.5 * cam(class, picture, place));
    assert_eq!(explanation.logits, "scores");
}

#[test]
fn cam_through_a_matmul_with_bias_and_axes_as_an_input() {
    let constants = vec![by_feature(), bias(), i64_tensor("axes", &[2], &[-1, -2])];
    let nodes = vec![
        op("ReduceMean", &["features", "axes"], "gap", vec![int("keepdims", 0)]),
        op("Dropout", &["gap"], "dropped", vec![]),
        op("MatMul", &["dropped", "weight"], "product", vec![]),
        op("Add", &["bias", "product"], "logits", vec![]),
    ];
    check(&Classifier::new(constants, nodes).opset(18), cam);
}

#[test]
fn cam_through_a_convolution_used_as_the_linear_layer() {
    let nodes = vec![
        op("GlobalAveragePool", &["features"], "gap", vec![]),
        op("Conv", &["gap", "weight", "bias"], "logits", vec![]),
    ];
    let classifier = Classifier::new(vec![pointwise(), bias()], nodes);
    check(&classifier.output("logits", &[CLASSES as i64, 1, 1]), cam);
}

#[test]
fn cam_through_means_one_axis_after_the_other() {
    let nodes = vec![
        op("ReduceMean", &["features"], "rows", vec![ints("axes", &[3]), int("keepdims", 0)]),
        op("ReduceMean", &["rows"], "gap", vec![ints("axes", &[2]), int("keepdims", 0)]),
        op("Gemm", &["gap", "weight"], "logits", vec![int("transB", 1)]),
    ];
    check(&Classifier::new(vec![by_class()], nodes), cam);
}

#[test]
fn cam_through_a_mean_over_folded_places() {
    let nodes = vec![
        op("Reshape", &["features", "fold"], "places", vec![]),
        op("ReduceMean", &["places"], "gap", vec![ints("axes", &[-1]), int("keepdims", 0)]),
        op("Gemm", &["gap", "weight"], "logits", vec![int("transB", 1)]),
    ];
    let constants = vec![by_class(), i64_tensor("fold", &[3], &[0, CHANNELS as i64, -1])];
    check(&Classifier::new(constants, nodes), cam);
}

#[test]
fn cam_through_an_average_pooling_of_the_whole_map() {
    let nodes = vec![
        op("AveragePool", &["features"], "gap", vec![ints("kernel_shape", &[HEIGHT as i64, WIDTH as i64])]),
        op("Reshape", &["gap", "flatten"], "flat", vec![]),
        op("Gemm", &["flat", "weight"], "logits", vec![int("transB", 1)]),
    ];
    let classifier = || {
        Classifier::new(vec![by_class(), i64_tensor("flatten", &[2], &[-1, CHANNELS as i64])], nodes.clone())
    };
    check(&classifier().fixed(), cam);
    check(&classifier(), cam);
}

#[test]
fn cam_through_a_transpose_to_channels_last() {
    let nodes = vec![
        op("Transpose", &["features"], "last", vec![ints("perm", &[0, 2, 3, 1])]),
        op("ReduceMean", &["last"], "gap", vec![ints("axes", &[1, 2]), int("keepdims", 0)]),
        op("MatMul", &["gap", "weight"], "logits", vec![]),
    ];
    assert_eq!(check(&Classifier::new(vec![by_feature()], nodes), cam).layer, "features");
}

#[test]
fn cam_of_features_that_are_channels_last_themselves() {
    let nodes = vec![
        op("ReduceMean", &["features"], "gap", vec![ints("axes", &[1, 2]), int("keepdims", 0)]),
        op("MatMul", &["gap", "weight"], "logits", vec![]),
    ];
    let mut classifier = Classifier::new(vec![by_feature()], nodes);
    classifier.dims = [Dim::Symbol("N"), Dim::Symbol("H"), Dim::Symbol("W"), Dim::Fixed(CHANNELS as i64)];
    let picture = noise(BATCH * CHANNELS * PLACES, 3);
    check_shaped(&classifier, &[BATCH, HEIGHT, WIDTH, CHANNELS], |class, number, place| {
        let at = |channel: usize| picture[(number * PLACES + place) * CHANNELS + channel].max(0.0);
        (0..CHANNELS).map(|channel| weights()[class * CHANNELS + channel] * at(channel)).sum()
    });
}

#[test]
fn cam_with_weights_that_are_quantised_or_transposed() {
    let pooled = |weight: NodeProto, transposed: i64| {
        vec![
            op("GlobalAveragePool", &["features"], "gap", vec![]),
            op("Flatten", &["gap"], "flat", vec![]),
            weight,
            op("Gemm", &["flat", "w"], "logits", vec![int("transB", transposed)]),
        ]
    };
    let turn = op("Transpose", &["weight"], "w", vec![ints("perm", &[1, 0])]);
    check(&Classifier::new(vec![by_class()], pooled(turn, 0)), cam);

    let steps: Vec<u8> = weights().iter().map(|weight| (weight * 100.0 + 128.0) as u8).collect();
    let constants = vec![
        raw_tensor("weight", DataType::Uint8, &[CLASSES as i64, CHANNELS as i64], steps.clone()),
        f32_tensor("scale", &[], &[0.01]),
        raw_tensor("zero", DataType::Uint8, &[], vec![128]),
    ];
    let restore = op("DequantizeLinear", &["weight", "scale", "zero"], "w", vec![]);
    check(&Classifier::new(constants, pooled(restore, 1)), |class, picture, place| {
        let weight = |channel: usize| (f32::from(steps[class * CHANNELS + channel]) - 128.0) * 0.01;
        (0..CHANNELS).map(|channel| weight(channel) * feature(picture, channel, place)).sum()
    });
}

#[test]
fn class_maps_are_the_convolution_before_its_relu() {
    let nodes = vec![
        op("Conv", &["features", "weight", "bias"], "class_maps", vec![]),
        op("Relu", &["class_maps"], "rectified", vec![]),
        op("GlobalAveragePool", &["rectified"], "gap", vec![]),
        op("Flatten", &["gap"], "logits", vec![]),
    ];
    let shift = noise(CLASSES, 9);
    let expected = |class: usize, picture, place| cam(class, picture, place) + shift[class];
    let classifier = || Classifier::new(vec![pointwise(), bias()], nodes.clone());
    let explanation = check(&classifier(), expected);
    assert_eq!((explanation.method.as_str(), explanation.layer.as_str()), ("class-maps", "class_maps"));
    check(&classifier().fixed(), expected);
}

#[test]
fn flattened_features_have_weights_of_their_own_at_every_place() {
    let size = CHANNELS * PLACES;
    let weights = noise(CLASSES * size, 11);
    let expected = |class: usize, picture: usize, place: usize| {
        let weight = |channel: usize| weights[class * size + channel * PLACES + place];
        (0..CHANNELS).map(|channel| weight(channel) * feature(picture, channel, place)).sum()
    };
    let nodes = vec![
        op("Flatten", &["features"], "flat", vec![]),
        op("Gemm", &["flat", "weight"], "logits", vec![int("transB", 1)]),
    ];
    let weight = f32_tensor("weight", &[CLASSES as i64, size as i64], &weights);
    let classifier = || Classifier::new(vec![weight.clone()], nodes.clone());
    assert_eq!(check(&classifier(), expected).method, "flatten-linear");
    assert_eq!(check(&classifier().fixed(), expected).map_size, Some((HEIGHT, WIDTH)));
    check(&classifier().opset(12), expected);
}

#[test]
fn flattened_features_may_be_channels_last() {
    let size = CHANNELS * PLACES;
    let weights = noise(size * CLASSES, 11);
    let nodes = vec![
        op("Transpose", &["features"], "last", vec![ints("perm", &[0, 2, 3, 1])]),
        op("Reshape", &["last", "flatten"], "flat", vec![]),
        op("MatMul", &["flat", "weight"], "logits", vec![]),
    ];
    let constants = vec![
        f32_tensor("weight", &[size as i64, CLASSES as i64], &weights),
        i64_tensor("flatten", &[2], &[-1, size as i64]),
    ];
    check(&Classifier::new(constants, nodes), |class, picture, place| {
        let weight = |channel: usize| weights[(place * CHANNELS + channel) * CLASSES + class];
        (0..CHANNELS).map(|channel| weight(channel) * feature(picture, channel, place)).sum()
    });
}

/// As exporters wrote in 2018: initializers are inputs, limits of `Clip` are attributes.
#[test]
fn an_old_model_is_brought_forward() {
    let mut classifier = pooled_gemm().opset(8);
    classifier
        .nodes
        .insert(0, op("Clip", &["features"], "clipped", vec![float("min", 0.1), float("max", 0.6)]));
    classifier.nodes[1].input[0] = "clipped".into();
    let plain = classifier.model();
    let mut old = plain.clone();
    old.ir_version = Some(3);
    let inputs = &mut old.graph.as_mut().unwrap().input;
    inputs.push(value_info(
        "weight",
        DataType::Float,
        &[Dim::Fixed(CLASSES as i64), Dim::Fixed(CHANNELS as i64)],
    ));
    inputs.push(value_info("bias", DataType::Float, &[Dim::Fixed(CLASSES as i64)]));

    let mut explained = old;
    explain(&mut explained, &Request { top_k: 1, ..Default::default() }).unwrap();
    let shape = [BATCH, CHANNELS, HEIGHT, WIDTH];
    let after = run(&explained, Some(&[4]), &shape);
    let before = run(&plain, None, &shape);
    assert_eq!(after.floats("logits").unwrap().1, before.floats("logits").unwrap().1);
    let expected: Vec<f32> = (0..PLACES)
        .map(|place| {
            let at = |channel| feature(0, channel, place).clamp(0.1, 0.6);
            (0..CHANNELS).map(|channel| weights()[4 * CHANNELS + channel] * at(channel)).sum()
        })
        .collect();
    assert_near(&after.floats("camloc.maps").unwrap().1[..PLACES], &expected);
}

#[test]
fn what_an_old_model_offers_is_what_it_can_be_asked_for() {
    let mut classifier = pooled_gemm().opset(8);
    let limits = vec![float("min", 0.1), float("max", 0.6)];
    classifier.nodes.insert(0, op("Clip", &["features"], "clipped", limits));
    classifier.nodes[1].input[0] = "clipped".into();
    let (old, request) = (classifier.fixed().model(), Request { top_k: 1, ..Request::default() });
    let super::Inspection { methods, .. } = super::inspect(&mut old.clone(), &request).unwrap();
    for (method, offered) in methods.iter().filter(|(method, _)| !method.is_black_box()) {
        let done = explain(&mut old.clone(), &Request { method: Some(*method), ..request.clone() });
        assert_eq!(offered.is_ok(), done.is_ok(), "{method}: {offered:?}, {done:?}");
    }
    assert!(methods.iter().filter(|(_, offered)| offered.is_ok()).count() > 10, "{methods:?}");
}

#[test]
fn what_cannot_be_brought_forward_is_named() {
    let mut classifier = pooled_gemm().opset(8);
    classifier.nodes.insert(0, op("Crop", &["features", "scales"], "larger", vec![]));
    classifier.nodes[1].input[0] = "larger".into();
    classifier.constants.push(f32_tensor("scales", &[4], &[1.0; 4]));
    let mut model = classifier.model();
    let before = model.clone();
    let error = explain(&mut model, &Request { top_k: 1, ..Default::default() }).unwrap_err();
    let ExplainError::OldOperators(error) = error else { panic!("{error}") };
    assert_eq!((error.opset, error.operator.as_str()), (8, "Crop"));
    assert_eq!(model, before);
}

#[test]
fn a_single_logit_is_scored_by_its_sigmoid() {
    let nodes = vec![
        op("GlobalAveragePool", &["features"], "gap", vec![]),
        op("Flatten", &["gap"], "flat", vec![]),
        op("Gemm", &["flat", "weight"], "logits", vec![int("transB", 1)]),
    ];
    let weight = f32_tensor("weight", &[1, CHANNELS as i64], &weights()[..CHANNELS]);
    let mut model = Classifier::new(vec![weight], nodes).output("logits", &[1]).model();
    explain(&mut model, &Request { top_k: 5, ..Default::default() }).unwrap();
    let session = run(&model, None, &[BATCH, CHANNELS, HEIGHT, WIDTH]);
    assert_eq!(session.integers("camloc.classes").unwrap(), (&[BATCH, 1][..], &[0, 0][..]));
    let logits = session.floats("logits").unwrap().1;
    let sigmoid: Vec<f32> = logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
    assert_near(session.floats("camloc.scores").unwrap().1, &sigmoid);
    let expected: Vec<f32> = (0..PLACES).map(|place| cam(0, 0, place)).collect();
    assert_near(&session.floats("camloc.maps").unwrap().1[..PLACES], &expected);
}

#[test]
fn one_of_more_classes_than_a_file_lists_is_chosen_as_well() {
    const SIDE: usize = 513;
    // Every place is a class of its own.
    let flat = vec![op("Flatten", &["features"], "logits", vec![])];
    let mut classifier = Classifier::new(vec![], flat).output("logits", &[(SIDE * SIDE) as i64]);
    classifier.dims[1..].copy_from_slice(&[1, SIDE as i64, SIDE as i64].map(Dim::Fixed));
    let mut model = classifier.model();
    explain(&mut model, &Request { top_k: 2, method: Some(Method::Gradient), ..Default::default() }).unwrap();
    let session = run(&model, None, &[1, 1, SIDE, SIDE]);
    let picture = noise(SIDE * SIDE, 3);
    let mut ranks: Vec<usize> = (0..SIDE * SIDE).collect();
    ranks.sort_by(|&a, &b| picture[b].total_cmp(&picture[a]));
    let best = [ranks[0] as i64, ranks[1] as i64];
    assert_eq!(session.integers("camloc.classes").unwrap().1, best);
    let maps = session.floats("camloc.maps").unwrap().1;
    for (map, &place) in maps.chunks(SIDE * SIDE).zip(&ranks) {
        assert_eq!((map[place], map.iter().sum()), (1.0, 1.0));
    }
}

#[test]
fn a_head_without_a_closed_form_has_its_maps_from_gradients() {
    let mut classifier = pooled_gemm();
    classifier.nodes.insert(2, op("LayerNormalization", &["flat", "scale"], "normal", vec![]));
    classifier.nodes[3].input[0] = "normal".into();
    classifier.constants.push(f32_tensor("scale", &[CHANNELS as i64], &[1.0; CHANNELS]));
    let request = Request { top_k: 1, method: Some(Method::Cam), ..Default::default() };
    let error = explain(&mut classifier.model(), &request).unwrap_err();
    assert!(error.to_string().contains("take --method gradcam"), "{error}");
}

#[test]
fn a_request_must_fit_the_model() {
    let ask = |top_k, targets: &[usize], output: Option<&str>| {
        let request = Request {
            top_k,
            targets: targets.to_vec(),
            output: output.map(str::to_owned),
            ..Default::default()
        };
        explain(&mut pooled_gemm().model(), &request).map(|_| ())
    };
    assert_eq!(ask(0, &[], None), Err(ExplainError::NothingAsked));
    assert_eq!(ask(1, &[2, 6], None), Err(ExplainError::NoSuchClass { target: 6, classes: 6 }));
    let missing = ExplainError::NoSuchOutput { output: "top".into(), outputs: "logits".into() };
    assert_eq!(ask(1, &[], Some("top")), Err(missing));
    assert_eq!(ask(1, &[2, 5], Some("logits")), Ok(()));
}

#[test]
fn locked_classes_are_the_default_of_an_exported_model() {
    let mut model = pooled_gemm().model();
    explain(&mut model, &Request { top_k: 1, targets: vec![4, 0], ..Default::default() }).unwrap();
    let graph = model.graph.unwrap();
    let targets = graph.initializer.iter().find(|tensor| tensor.name() == "camloc.targets").unwrap();
    assert_eq!(crate::onnx::tensor::ints(targets), Some(vec![4, 0]));
    assert!(graph.input.iter().any(|input| input.name() == "camloc.targets"));
}

#[test]
fn a_model_is_explained_once() {
    let mut model = pooled_gemm().model();
    let request = Request { top_k: 1, ..Default::default() };
    explain(&mut model, &request).unwrap();
    let once = model.clone();
    let error = explain(&mut model, &request).unwrap_err();
    assert_eq!(error, ExplainError::AlreadyExplained { tensor: "camloc.targets".into() });
    assert_eq!(model, once);
}

#[test]
fn an_explained_model_says_what_it_is() {
    let mut model = pooled_gemm().model();
    explain(&mut model, &Request { top_k: 1, ..Default::default() }).unwrap();
    let said: Vec<_> = model.metadata_props.iter().map(|entry| (entry.key(), entry.value())).collect();
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        ("camloc.method", "cam"),
        ("camloc.layer", "features"),
        ("camloc.class_count", "6"),
        ("camloc.version", version),
    ];
    assert_eq!(said, expected);
}

#[test]
fn the_output_with_a_head_is_chosen_among_several() {
    let mut model = pooled_gemm().model();
    let features = value_info("features", DataType::Float, &[Dim::Unknown; 4]);
    model.graph.as_mut().unwrap().output.insert(0, features);
    let explanation = explain(&mut model, &Request { top_k: 1, ..Default::default() }).unwrap();
    assert_eq!(explanation.logits, "logits");
}

proptest! {
    #[test]
    fn a_damaged_model_is_never_a_panic(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = pooled_gemm().model().encode_to_vec();
        for (index, byte) in damage {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok(mut model) = load::parse(&bytes) {
            let before = model.clone();
            if explain(&mut model, &Request { top_k: 2, ..Default::default() }).is_err() {
                prop_assert_eq!(model, before);
            }
        }
    }

    #[test]
    fn a_rewired_model_is_never_a_panic(wires in prop::collection::vec(any::<[prop::sample::Index; 3]>(), 1..4)) {
        let mut model = pooled_gemm().model();
        let graph = model.graph.as_mut().unwrap();
        for [node, input, source] in wires {
            let names: Vec<_> = graph.node.iter().flat_map(|node| node.output.clone()).collect();
            let node = node.get(&names).clone();
            let node = graph.node.iter_mut().find(|candidate| candidate.output[0] == node).unwrap();
            let input = input.index(node.input.len());
            node.input[input] = source.get(&names).clone();
        }
        let _ = explain(&mut model, &Request { top_k: 2, ..Default::default() });
    }
}

/// The maps of the one value at `index` of `output`, by a method.
fn maps_of(classifier: &Classifier, output: &str, index: &[usize], method: Method) -> (Vec<f32>, Vec<f32>) {
    let mut model = classifier.model();
    let request = Request {
        top_k: 1,
        output: Some(output.into()),
        index: index.to_vec(),
        method: Some(method),
        ..Default::default()
    };
    explain(&mut model, &request).unwrap();
    // A session sets the targets to "by rank"; their default in the file is the place asked for.
    let targets = &model.graph.as_ref().unwrap().initializer;
    let targets = targets.iter().find(|tensor| tensor.name() == "camloc.targets").unwrap();
    let place = crate::onnx::tensor::ints(targets).unwrap();
    let session = run(&model, Some(&place), &[BATCH, CHANNELS, HEIGHT, WIDTH]);
    let maps = session.floats("camloc.maps").unwrap().1.to_vec();
    let unlocked = run(&model, None, &[BATCH, CHANNELS, HEIGHT, WIDTH]);
    assert_eq!(unlocked.floats("camloc.maps").unwrap().1, maps, "-1 stands for the place asked for");
    (maps, session.floats("camloc.scores").unwrap().1.to_vec())
}

#[test]
fn a_regressors_number_is_explained() {
    let weight = f32_tensor("weight", &[1, CHANNELS as i64], &noise(CHANNELS, 11));
    let nodes = vec![
        op("GlobalAveragePool", &["features"], "gap", vec![]),
        op("Flatten", &["gap"], "flat", vec![]),
        op("Gemm", &["flat", "weight"], "age", vec![int("transB", 1)]),
    ];
    let regressor = Classifier::new(vec![weight], nodes).output("age", &[1]);
    let (maps, scores) = maps_of(&regressor, "age", &[0], Method::GradCam);
    let weights = noise(CHANNELS, 11);
    let map = |picture: usize, place: usize| -> f32 {
        let products = (0..CHANNELS).map(|channel| weights[channel] * feature(picture, channel, place));
        products.sum::<f32>() / PLACES as f32
    };
    for picture in 0..BATCH {
        let expected: Vec<f32> = (0..PLACES).map(|place| map(picture, place)).collect();
        assert_near(&maps[picture * PLACES..][..PLACES], &expected);
        assert_near(&scores[picture..=picture], &[expected.iter().sum()]);
    }
}

#[test]
fn a_detectors_score_of_one_anchor_looks_at_its_place() {
    let nodes = vec![
        op("Conv", &["features", "weight"], "grid", vec![]),
        op("Transpose", &["grid"], "last", vec![ints("perm", &[0, 2, 3, 1])]),
        op("Reshape", &["last", "anchors"], "boxes", vec![]),
    ];
    let anchors = i64_tensor("anchors", &[3], &[0, PLACES as i64, CLASSES as i64]);
    let detector = Classifier::new(vec![pointwise(), anchors], nodes)
        .fixed()
        .output("boxes", &[PLACES as i64, CLASSES as i64]);
    let (anchor, class) = (7, 2);
    let (maps, scores) = maps_of(&detector, "boxes", &[anchor, class], Method::HiResCam);
    for picture in 0..BATCH {
        let alone = cam(class, picture, anchor);
        let expected: Vec<f32> = (0..PLACES).map(|place| if place == anchor { alone } else { 0.0 }).collect();
        assert_near(&maps[picture * PLACES..][..PLACES], &expected);
        assert_near(&scores[picture..=picture], &[alone]);
    }
}

#[test]
fn an_answer_to_a_question_is_explained_by_where_it_was_seen() {
    // The question has become a constant, as `--input` makes of it: two words of a vocabulary of five.
    let words = f32_tensor("words", &[5, CHANNELS as i64], &noise(5 * CHANNELS, 13));
    let question = i64_tensor("question", &[2], &[4, 1]);
    let axis = i64_tensor("axis", &[1], &[0]);
    let nodes = vec![
        op("Gather", &["words", "question"], "embedded", vec![]),
        op("ReduceSum", &["embedded", "axis"], "asked", vec![]),
        op("GlobalAveragePool", &["features"], "gap", vec![]),
        op("Flatten", &["gap"], "seen", vec![]),
        op("Mul", &["seen", "asked"], "joined", vec![]),
        op("Gemm", &["joined", "weight", "bias"], "answers", vec![int("transB", 1)]),
    ];
    let network = Classifier::new(vec![words, question, axis, by_class(), bias()], nodes)
        .output("answers", &[CLASSES as i64]);
    let (maps, _) = maps_of(&network, "answers", &[5], Method::GradCam);
    let (weights, words) = (weights(), noise(5 * CHANNELS, 13));
    let asked = |channel: usize| words[4 * CHANNELS + channel] + words[CHANNELS + channel];
    let map = |picture: usize, place: usize| -> f32 {
        let product =
            |channel| weights[5 * CHANNELS + channel] * asked(channel) * feature(picture, channel, place);
        (0..CHANNELS).map(product).sum::<f32>() / PLACES as f32
    };
    let expected: Vec<f32> = (0..BATCH * PLACES).map(|at| map(at / PLACES, at % PLACES)).collect();
    assert_near(&maps, &expected);
}

#[test]
fn maps_of_several_layers_become_one() {
    let model = pooled_gemm().fixed().model();
    let layers = ["features", "x"].map(str::to_owned).to_vec();
    for (fusion, join) in
        [(Fusion::Mean, (|a, b| (a + b) / 2.0) as fn(f32, f32) -> f32), (Fusion::Max, f32::max)]
    {
        let mut fused = model.clone();
        let request = |layers: &[String]| Request {
            top_k: 1,
            method: Some(Method::HiResCam),
            layers: layers.to_vec(),
            fusion,
            ..Default::default()
        };
        explain(&mut fused, &request(&layers)).unwrap();
        let shape = [BATCH, CHANNELS, HEIGHT, WIDTH];
        let both = run(&fused, None, &shape).floats("camloc.maps").unwrap().1.to_vec();
        let alone = |layer: &String| {
            let mut one = model.clone();
            explain(&mut one, &request(std::slice::from_ref(layer))).unwrap();
            run(&one, None, &shape).floats("camloc.maps").unwrap().1.to_vec()
        };
        let alone: Vec<Vec<f32>> = layers.iter().map(alone).collect();
        for picture in 0..BATCH {
            let part = |maps: &[f32]| -> Vec<f32> {
                let map: Vec<f32> =
                    maps[picture * PLACES..][..PLACES].iter().map(|value| value.max(0.0)).collect();
                let most = map.iter().copied().fold(0.0, f32::max) + 1e-7;
                map.into_iter().map(|value| value / most).collect()
            };
            let expected: Vec<f32> =
                part(&alone[0]).into_iter().zip(part(&alone[1])).map(|(a, b)| join(a, b)).collect();
            assert_near(&both[picture * PLACES..][..PLACES], &expected);
        }
    }
}
