//! Every method against reference maps, computed in float64 by PyTorch on three tiny networks (`golden/make.py`).
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use camloc::assets::{Asset, Store};
use camloc::model::Classifier;
use camloc::runtime::{Options, Session, init};
use camloc::{Explainer, Method, Picture, Request};
use camloc_graph::explain;
use camloc_graph::onnx::load::{encode, load};
use serde_json::Value;

/// How far a map may be from the reference, as a share of the reference's range. Grad-CAM++ and XGrad-CAM divide by
/// what may be nearly zero: there single precision itself is the limit, which the manifest tells.
const TOLERANCE: f32 = 1e-4;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Shape and values of an array file.
fn array(file: &str) -> (Vec<usize>, Vec<f32>) {
    let file = npyz::NpyFile::new(BufReader::new(File::open(golden().join(file)).unwrap())).unwrap();
    let shape = file.shape().iter().map(|&size| size as usize).collect();
    (shape, file.into_vec().unwrap())
}

/// The methods as the manifest calls them.
fn method(name: &str) -> Method {
    match name {
        "guided_backprop" => explain::Method::GuidedBackprop.into(),
        "input_gradient" => explain::Method::Gradient.into(),
        name => name.parse().unwrap(),
    }
}

/// The reference as a map: of gradients by colours the largest magnitude, `[N, K, 3, H, W]` to `[N, K, H, W]`.
fn reference(file: &str) -> (Vec<usize>, Vec<f32>) {
    let (shape, values) = array(file);
    let [n, k, colours, h, w] = shape[..] else { return (shape, values) };
    let area = h * w;
    let largest = |at: usize| {
        let (slot, place) = (at / area, at % area);
        (0..colours).map(|colour| values[(slot * colours + colour) * area + place].abs()).fold(0.0, f32::max)
    };
    (vec![n, k, h, w], (0..n * k * area).map(largest).collect())
}

/// The distance of a map from its reference, as a share of the reference's range.
fn distance(found: &[f32], expected: &[f32], any_sign: bool) -> f32 {
    let low = expected.iter().copied().fold(f32::INFINITY, f32::min);
    let high = expected.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let along: f32 = found.iter().zip(expected).map(|(a, b)| a * b).sum();
    let sign = if any_sign && along < 0.0 { -1.0 } else { 1.0 };
    let most = found.iter().zip(expected).map(|(a, b)| (a - sign * b).abs()).fold(0.0, f32::max);
    most / (high - low).max(f32::MIN_POSITIVE)
}

fn agrees(network: &str) {
    let store = Store::open().unwrap();
    init(&store.get(Asset::OnnxRuntime, &mut |_| ()).unwrap()).unwrap();
    let manifest: Value =
        serde_json::from_reader(File::open(golden().join("manifest.json")).unwrap()).unwrap();
    let about = &manifest["networks"][network];
    let (shape, picture) = array(&format!("{network}/input.npy"));
    let (_, logits) = array(&format!("{network}/logits.npy"));
    let targets = about["classes"].as_array().unwrap().iter().map(|class| class.as_u64().unwrap() as usize);
    let targets: Vec<usize> = targets.collect();
    let mut wrong = Vec::new();
    for (key, _) in about["maps"].as_object().unwrap() {
        let (layer, name) =
            key.split_once('.').map_or((None, key.as_str()), |(layer, name)| (Some(layer), name));
        let tensor = layer.map(|layer| about["layers"][layer]["tensors"][0].as_str().unwrap().to_owned());
        let mut model = load(&golden().join(format!("{network}.onnx"))).unwrap();
        let request = Request {
            targets: targets.clone(),
            method: Some(method(name)),
            layers: tensor.into_iter().collect(),
            refine: false,
            ..Request::default()
        };
        explain::explain(&mut model, &request.one_pass().unwrap())
            .unwrap_or_else(|error| panic!("{network} {key}: {error}"));
        let options = Options { threads: 1, shape: Some(shape.clone()), ..Options::default() };
        let mut session = Session::load(&encode(&model).unwrap(), &options).unwrap();
        let classes: Vec<i64> = targets.iter().map(|&class| class as i64).collect();
        session.set_targets(&classes).unwrap();
        session.input_mut().copy_from_slice(&picture);
        session.run().unwrap();
        assert!(distance(session.floats("logits").unwrap().1, &logits, false) < 1e-5);

        let (expected_shape, expected) = reference(&format!("{network}/{key}.npy"));
        let (found_shape, found) = session.floats("camloc.maps").unwrap();
        assert_eq!(found_shape, expected_shape, "{network} {key}");
        let area = expected_shape[2] * expected_shape[3];
        for (found, expected) in found.chunks(area).zip(expected.chunks(area)) {
            let distance = distance(found, expected, name.contains("eigen"));
            if distance.is_nan() || distance > TOLERANCE {
                wrong.push(format!("{key}: {distance:.1e}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{network}: {wrong:?}");
}

#[test]
fn a_residual_network_with_squeeze_and_excitation() {
    agrees("residual");
}

#[test]
fn a_plain_network_with_two_linear_layers() {
    agrees("plain");
}

#[test]
fn a_vision_transformer() {
    agrees("vit");
}

#[test]
fn a_window_goes_from_one_method_to_the_next_and_comes_around() {
    let store = Store::open().unwrap();
    init(&store.get(Asset::OnnxRuntime, &mut |_| ()).unwrap()).unwrap();
    let classifier = Classifier::open(&golden().join("residual.onnx"), None).unwrap();
    let mut explainer = Explainer::of(classifier).switchable().build().unwrap();
    let picture = picture();
    let mut seen = Vec::new();
    let mut maps = Vec::new();
    for _ in 0..=Method::all().count() {
        explainer.explain_into(&picture, &mut maps).unwrap();
        assert!(maps[0].values.iter().all(|value| value.is_finite()), "{}", explainer.origin());
        seen.push(explainer.explanation().method.to_string());
        explainer.next_method();
    }
    let expected: Vec<&str> = Method::all().map(Method::name).chain(["cam"]).collect();
    assert_eq!(seen, expected);
}

/// 48 x 40 pixels.
fn picture() -> Picture {
    let byte = |at: u32| (at * 37 % 251) as u8;
    Picture::from_rgb(48, 40, (0..48 * 40 * 3).map(byte).collect()).unwrap()
}
