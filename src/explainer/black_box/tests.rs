//! The methods on the real runtime: against reference maps (`tests/golden/black_box.py`) and on networks whose answers
//! are known.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::*;
use crate::runtime::init_for_tests;
use camloc_graph::onnx::build::*;
use camloc_graph::onnx::load;
use camloc_graph::onnx::proto::DataType;

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

fn array(file: &str) -> (Vec<usize>, Vec<f32>) {
    let file = npyz::NpyFile::new(BufReader::new(File::open(golden(file)).unwrap())).unwrap();
    let shape = file.shape().iter().map(|&size| size as usize).collect();
    (shape, file.into_vec().unwrap())
}

/// A black box around a network of which a picture is `[3, height, width]`.
fn open(model: ModelProto, method: Method, request: &Request, size: (usize, usize)) -> BlackBox {
    init_for_tests();
    let input = Input { height: size.0, width: size.1, channels: 3, interleaved: false };
    let options = Options { threads: 1, shape: Some(vec![1, 3, size.0, size.1]), ..Options::default() };
    BlackBox::load(model, method, request, input, &options).unwrap().0
}

/// The maps of a picture after all variants, or after at least so many.
fn ask(network: &mut BlackBox, picture: &[f32], variants: usize) -> Vec<ClassMap> {
    network.input_mut().copy_from_slice(picture);
    network.begin().unwrap();
    while network.advance().unwrap() && network.asked().0 < variants {}
    let mut maps = Vec::new();
    network.read(&mut maps);
    maps
}

fn distance(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let range = expected.iter().copied().fold(f32::NEG_INFINITY, f32::max)
        - expected.iter().copied().fold(f32::INFINITY, f32::min);
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / range
}

#[test]
fn score_cam_and_ablation_cam_are_those_of_the_reference() {
    let networks = [
        ("residual", "middle", "/block1/act2/Relu_output_0", [3, 1]),
        ("residual", "last", "/block2/act2/Relu_output_0", [3, 1]),
        // Channels below zero.
        ("plain", "middle", "/features/features.5/BatchNormalization_output_0", [6, 1]),
        ("plain", "last", "/features/features.8/MaxPool_output_0", [6, 1]),
        // A shortcut passes by, and places are tokens behind a class token.
        ("vit", "middle", "/blocks/blocks.0/attn/proj/Add_output_0", [1, 8]),
        ("vit", "last", "/blocks/blocks.1/norm1/LayerNormalization_output_0", [1, 8]),
    ];
    for (name, layer, tensor, classes) in networks {
        let (shape, pictures) = array(&format!("{name}/input.npy"));
        let picture = &pictures[..pictures.len() / shape[0]];
        for method in [Method::ScoreCam, Method::AblationCam] {
            let model = load::load(&golden(&format!("{name}.onnx"))).unwrap();
            let (targets, layers) = (classes.to_vec(), vec![tensor.to_owned()]);
            let request = Request { targets, layers, ..Request::default() };
            let mut network = open(model, method, &request, (shape[2], shape[3]));
            let maps = ask(&mut network, picture, usize::MAX);
            assert_eq!(network.progress().unwrap().error, Some(0.0));
            let (size, expected) = array(&format!("{name}/{layer}.{method}.npy"));
            for (map, expected) in maps.iter().zip(expected.chunks(size[1] * size[2])) {
                assert_eq!((map.height, map.width), (size[1], size[2]));
                let distance = distance(&map.values, expected);
                assert!(distance < 1e-4, "{name} {layer} {method} class {}: {distance:e}", map.class_id);
            }
        }
    }
}

#[test]
fn classes_go_by_rank_unless_they_are_named_and_one_pass_serves_all() {
    let (shape, pictures) = array("residual/input.npy");
    let (picture, size) = (&pictures[..pictures.len() / shape[0]], (shape[2], shape[3]));
    let (_, logits) = array("residual/logits.npy");
    let order = ranked(&logits[..10]);
    let model = || load::load(&golden("residual.onnx")).unwrap();
    let ranks = Request { top_k: 3, ..Request::default() };
    let mut network = open(model(), Method::Occlusion, &ranks, size);
    let maps = ask(&mut network, picture, usize::MAX);
    assert_eq!(maps.iter().map(|map| map.class_id).collect::<Vec<_>>(), order[..3]);
    assert!(maps.windows(2).all(|pair| pair[0].score >= pair[1].score) && maps[0].score < 1.0);
    let second = Request { targets: vec![order[1]], ..Request::default() };
    let alone = ask(&mut open(model(), Method::Occlusion, &second, size), picture, usize::MAX);
    assert_eq!(alone[0], maps[1]);
    network.set_targets(&[Some(7); 3]);
    assert!(ask(&mut network, picture, usize::MAX).iter().all(|map| map.class_id == 7));
    assert_eq!(network.score(order[0]).unwrap(), maps[0].score);
}

/// A network whose one class is as probable as the mean of the picture's red channel in the left third says:
/// `[N, 3, 6, 9]` to `[N, 1]`. With `batch`, it takes so many pictures.
fn left_third(batch: Option<i64>) -> ModelProto {
    let weight: Vec<f32> = (0..162).map(|at| if at < 54 && at % 9 < 3 { 4.0 / 18.0 } else { 0.0 }).collect();
    let batch = batch.map_or(Dim::Symbol("N"), Dim::Fixed);
    let sizes = [batch, Dim::Fixed(3), Dim::Fixed(6), Dim::Fixed(9)];
    let nodes = vec![
        node("Flatten", "flat", &["x"], &["flat"], vec![]),
        node("MatMul", "linear", &["flat", "weight"], &["logits"], vec![]),
    ];
    model(graph(
        "left",
        vec![value_info("x", DataType::Float, &sizes)],
        vec![value_info("logits", DataType::Float, &[batch, Dim::Fixed(1)])],
        vec![f32_tensor("weight", &[162, 1], &weight)],
        nodes,
    ))
}

fn request(black_box: Settings) -> Request {
    Request { top_k: 1, black_box, ..Request::default() }
}

#[test]
fn a_model_of_one_picture_at_a_time_gives_the_same_map() {
    let settings = Settings { patch: Some(3), stride: Some(3), masks: 50, batch: 7, ..Settings::default() };
    for method in [Method::Occlusion, Method::Rise] {
        let maps = [None, Some(1), Some(3)].map(|batch| {
            let mut network = open(left_third(batch), method, &request(settings.clone()), (6, 9));
            assert_eq!(network.whole.batch, batch.map_or(7, |batch| batch as usize));
            ask(&mut network, &[1.0; 162], usize::MAX)
        });
        assert_eq!(maps[0], maps[1]);
        assert_eq!(maps[0], maps[2]);
    }
}

#[test]
fn occlusion_tells_how_much_probability_goes() {
    let settings = Settings { patch: Some(3), stride: Some(3), ..Settings::default() };
    let mut network = open(left_third(None), Method::Occlusion, &request(settings), (6, 9));
    let maps = ask(&mut network, &[1.0; 162], usize::MAX);
    let sigmoid = |logit: f32| 1.0 / (1.0 + (-logit).exp());
    let drop = sigmoid(4.0) - sigmoid(2.0);
    assert_eq!((maps[0].height, maps[0].width), (2, 3));
    for (found, expected) in maps[0].values.iter().zip([drop, 0.0, 0.0, drop, 0.0, 0.0]) {
        assert!((found - expected).abs() < 1e-6, "{:?}", maps[0].values);
    }
}

/// Root mean square of the difference, as a share of the range.
fn rms(found: &[f32], expected: &[f32]) -> f32 {
    let low = expected.iter().copied().fold(f32::INFINITY, f32::min);
    let high = expected.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let squares: f32 = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum();
    (squares / found.len() as f32).sqrt() / (high - low)
}

#[test]
fn the_estimated_error_of_rise_is_near_the_true_one_and_falls() {
    let settings = |masks, seed| Settings { masks, seed, cells: 3, batch: 16, ..Settings::default() };
    let long = |masks, seed| {
        let mut network = open(left_third(None), Method::Rise, &request(settings(masks, seed)), (6, 9));
        let maps = ask(&mut network, &[1.0; 162], usize::MAX);
        (maps[0].values.clone(), network.progress().unwrap().error.unwrap())
    };
    let truth = long(60_000, 99).0;
    let mean = |masks: usize| {
        let runs: Vec<(f32, f32)> = (0..12)
            .map(|seed| {
                let (map, estimate) = long(masks, seed);
                (rms(&map, &truth), estimate)
            })
            .collect();
        let total = runs.iter().fold((0.0, 0.0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
        (total.0 / 12.0, total.1 / 12.0)
    };
    let (few, many) = (mean(160), mean(2560));
    for (error, estimate) in [few, many] {
        assert!((0.5..2.0).contains(&(estimate / error)), "true {error}, estimated {estimate}");
    }
    assert!(many.0 < 0.4 * few.0 && many.1 < 0.4 * few.1, "{few:?} {many:?}");
}

#[test]
fn a_map_is_there_at_any_time_and_says_how_far_it_is() {
    let settings = Settings { patch: Some(1), stride: Some(1), batch: 6, ..Settings::default() };
    let mut network = open(left_third(None), Method::Occlusion, &request(settings), (6, 9));
    assert!(network.progress().is_none());
    let picture: Vec<f32> = (0..162).map(|at| (at * 7 % 13) as f32 / 13.0).collect();
    let early = ask(&mut network, &picture, 12);
    let progress = network.progress().unwrap();
    assert_eq!((progress.done, progress.of, progress.what), (12, 54, "patches"));
    assert!(progress.error.is_some_and(|error| error > 0.0) && !progress.is_complete());
    assert!(progress.to_string().starts_with("12 of 54 patches, error about "), "{progress}");
    while network.advance().unwrap() {}
    let mut late = Vec::new();
    network.read(&mut late);
    assert_eq!(network.progress().unwrap().to_string(), "54 of 54 patches");
    assert_ne!(early, late);
    // Asking on changes nothing more.
    assert!(!network.advance().unwrap());
}

#[test]
fn a_model_that_says_the_same_of_everything_gives_maps_of_numbers() {
    for scale in [0.0, f32::NAN] {
        for method in Method::ALL {
            let nodes = vec![
                node("Relu", "relu", &["x"], &["features"], vec![]),
                node("GlobalAveragePool", "pool", &["features"], &["pooled"], vec![]),
                node("Flatten", "flat", &["pooled"], &["flat"], vec![]),
                node("MatMul", "linear", &["flat", "weight"], &["logits"], vec![]),
            ];
            let sizes = [Dim::Symbol("N"), Dim::Fixed(3), Dim::Fixed(6), Dim::Fixed(9)];
            let constant = model(graph(
                "constant",
                vec![value_info("x", DataType::Float, &sizes)],
                vec![value_info("logits", DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(2)])],
                vec![f32_tensor("weight", &[3, 2], &[scale; 6])],
                nodes,
            ));
            let settings = Settings { masks: 20, patch: Some(3), stride: Some(3), ..Settings::default() };
            let mut network = open(constant, method, &request(settings), (6, 9));
            let maps = ask(&mut network, &[1.0; 162], usize::MAX);
            assert!(maps[0].values.iter().all(|value| value.is_finite()), "{method} {scale}");
        }
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let fits = |method, request: &Request| fits(&left_third(None), method, request).unwrap_err().to_string();
    let words = fits(Method::Rise, &Request { targets: vec![4], ..Request::default() });
    assert!(words.contains("class 4 does not exist"), "{words}");
    let residual = load::load(&golden("residual.onnx")).unwrap();
    let two = Request { top_k: 1, layers: vec!["-1".into(), "-2".into()], ..Request::default() };
    let words = super::fits(&residual, Method::AblationCam, &two).unwrap_err().to_string();
    assert!(words.contains("it takes one layer"), "{words}");
}
