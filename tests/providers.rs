//! Real execution providers give the CPU's maps, by every method, and leave nothing to the CPU that they don't leave of the
//! plain model, but for a few nodes of WebGPU that are named below: OpenVINO on the processor, and WebGPU on Mesa's
//! software Vulkan, each where it can be had.
//!
//! A process holds one ONNX Runtime, so each provider is tried in a process of its own: this program again, which is told
//! the provider. By hand, for a provider that no test asks for:
//! `CAMLOC_PROVIDER=cuda cargo test --test providers -- --ignored`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use camloc::assets::{Asset, Store};
use camloc::frame::Picture;
use camloc::maps::ClassMap;
use camloc::model::Classifier;
use camloc::runtime::{self, Node, Options, Provider, Session};
use camloc::{Explainer, ExplainerError};
use camloc::{Method, Request};
use camloc_graph::explain;
use camloc_graph::onnx::build::{Dim, f32_tensor, graph, i64_tensor, model, node, value_info};
use camloc_graph::onnx::load::encode;
use camloc_graph::onnx::proto::DataType;

/// How far a map may be from the CPU's, as a share of its range.
const TOLERANCE: f32 = 1e-3;

/// The same for the plain gradient of EfficientNet-Lite0: a value within rounding of a ReLU6's edge passes or not, and
/// with it all that stands before it. CUDA and OpenVINO agree there, and are 5.4e-3 from the CPU.
const AT_AN_EDGE: f32 = 1e-2;

/// The only nodes that WebGPU leaves to the CPU of an explained graph and not of the plain one, by operator and name.
///
/// Its provider casts to 64-bit integers and not from them, and the input `camloc.targets`, one number a class, has 64 bits
/// by contract. The gradient of a max pooling asks where the largest values are, in a second output that WebGPU's pooling
/// does not have and that is of 64-bit integers by ONNX's definition; asking otherwise takes the CPU two to six times as long.
const LEFT_BY_WEBGPU: [(&str, &str); 4] = [
    ("Cast", "camloc.target_numbers"),
    ("MaxPool", "camloc.pool_largest"),
    ("Reshape", "camloc.pool_places"),
    ("Expand", "camloc.pool_places"),
];

#[test]
fn openvino_gives_the_maps_of_the_cpu() {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return skip("openvino_gives_the_maps_of_the_cpu", "OpenVINO is pinned for Linux on x86-64");
    }
    try_on("openvino", &[]);
}

#[test]
fn webgpu_gives_the_maps_of_the_cpu() {
    let test = "webgpu_gives_the_maps_of_the_cpu";
    let mesa = Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/mesa/usr");
    let driver = mesa.join("share/vulkan/icd.d/lvp_icd.json");
    if !driver.is_file() {
        return skip(test, "no software Vulkan: scripts/setup.sh fetches Mesa on Debian 12");
    }
    let libraries = mesa.join("lib/x86_64-linux-gnu");
    let variables = [
        ("LD_LIBRARY_PATH", libraries.to_str().unwrap()),
        ("VK_DRIVER_FILES", driver.to_str().unwrap()),
        ("ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER", "1"),
    ];
    try_on("webgpu", &variables);
}

/// Runs the comparison below in a process of its own.
fn try_on(provider: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "every_method_gives_the_maps_of_the_cpu", "--ignored", "--nocapture"]);
    let output = command.env("CAMLOC_PROVIDER", provider).envs(variables.iter().copied()).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

/// Skips are counted: `make test` prints them.
fn skip(test: &str, reason: &str) {
    use std::io::Write as _;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{test}: {reason}").unwrap();
}

#[test]
#[ignore = "needs a provider, by CAMLOC_PROVIDER"]
fn every_method_gives_the_maps_of_the_cpu() {
    let name = std::env::var("CAMLOC_PROVIDER").expect("CAMLOC_PROVIDER");
    let provider: Provider = name.parse().unwrap();
    let store = Store::open().unwrap();
    load_runtime(provider, &store);
    // Each new shape costs software Vulkan seconds, and each graph OpenVINO a compilation.
    let names: &[&str] = match provider {
        Provider::WebGpu | Provider::OpenVino => &["residual", "plain"],
        _ => &["residual", "plain", "vit"],
    };
    let file = |name: &&str| -> PathBuf { ["tests", "golden", &format!("{name}.onnx")].iter().collect() };
    let mut networks: Vec<Classifier> =
        names.iter().map(|name| Classifier::open(&file(name), None).unwrap()).collect();
    if names.len() > 2 {
        networks.push(Classifier::default_model(&store, &mut |_| ()).unwrap());
    }
    let mut wrong = Vec::new();
    for classifier in networks {
        let mut compared = 0;
        for method in Method::all().map(Some).chain([None]) {
            let name = format!("{} {}", classifier.title, method.map_or("auto", Method::name));
            let Some(off) = compare(&classifier, method, provider) else { continue };
            compared += 1;
            println!("{name}: {off:.1e}");
            let at_an_edge =
                classifier.title == "EfficientNet-Lite0" && method == Some(explain::Method::Gradient.into());
            if off.is_nan() || off > if at_an_edge { AT_AN_EDGE } else { TOLERANCE } {
                wrong.push(format!("{name} is {off:.1e} off"));
            }
            if method.is_none_or(|method| !method.is_black_box()) {
                wrong.extend(
                    falls_back(&classifier, method, provider).map(|nodes| format!("{name}: {nodes}")),
                );
            }
        }
        assert!(compared > 15, "{}: only {compared} methods", classifier.title);
    }
    wrong.extend(wrong_convolutions(provider));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a provider says otherwise than the CPU of 3x3 convolutions from few channels. WebGPU's plugin would, where their
/// number is a multiple of three and not of four.
fn wrong_convolutions(provider: Provider) -> Vec<String> {
    const CHANNELS: [i64; 12] = [1, 3, 5, 6, 9, 10, 12, 15, 18, 21, 24, 30];
    let wave = |at: usize| (at as f32 * 0.7).sin();
    let mut tensors = vec![i64_tensor("start", &[1], &[0]), i64_tensor("axis", &[1], &[1])];
    let (mut nodes, mut outputs) = (Vec::new(), Vec::new());
    for channels in CHANNELS {
        let [count, some, weights, output] =
            ["count", "some", "weights", "y"].map(|name| format!("{name}{channels}"));
        let values: Vec<f32> = (0..8 * channels as usize * 9).map(wave).collect();
        tensors.push(i64_tensor(&count, &[1], &[channels]));
        tensors.push(f32_tensor(&weights, &[8, channels, 3, 3], &values));
        nodes.push(node("Slice", &some, &["x", "start", &count, "axis"], &[&some], vec![]));
        nodes.push(node("Conv", &output, &[&some, &weights], &[&output], vec![]));
        outputs.push(value_info(&output, DataType::Float, &[1, 8, 6, 6].map(Dim::Fixed)));
    }
    let input = value_info("x", DataType::Float, &[1, 30, 8, 8].map(Dim::Fixed));
    let model = encode(&model(graph("convolutions", vec![input], outputs, tensors, nodes))).unwrap();
    let [expected, found] = [Provider::Cpu, provider].map(|provider| {
        let options = Options { provider: Some(provider), threads: 2, ..Options::default() };
        let mut session = Session::load(&model, &options).unwrap();
        session.input_mut().iter_mut().enumerate().for_each(|(at, value)| *value = wave(3 * at));
        session.run().unwrap();
        CHANNELS.map(|channels| session.floats(&format!("y{channels}")).unwrap().1.to_vec())
    });
    let wrong =
        CHANNELS.iter().zip(expected.iter().zip(&found)).filter_map(|(channels, (expected, found))| {
            let off = expected.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("convolution from {channels} channels: {off:.1e}");
            (off > TOLERANCE).then(|| format!("a convolution from {channels} channels is {off:.1e} off"))
        });
    wrong.collect()
}

fn load_runtime(provider: Provider, store: &Store) {
    let get = |asset| store.get(asset, &mut |_| ()).unwrap();
    runtime::init(&get(match provider {
        Provider::Cuda | Provider::TensorRt => Asset::OnnxRuntimeCuda,
        Provider::OpenVino => Asset::OnnxRuntimeOpenVino,
        _ => Asset::OnnxRuntime,
    }))
    .unwrap();
    if provider == Provider::WebGpu {
        runtime::add_plugin(&get(Asset::WebGpuPlugin)).unwrap();
    }
}

fn request(method: Option<Method>) -> Request {
    // Refined maps are those of `auto`, which the program shows.
    let mut request = Request { top_k: 2, method, refine: method.is_none(), ..Request::default() };
    request.black_box.masks = 64;
    request.black_box.channels = Some(16);
    request.black_box.batch = 4;
    request
}

/// How far the provider's maps are from the CPU's, as a share of their range; `None` where the model does not allow the
/// method.
fn compare(classifier: &Classifier, method: Option<Method>, provider: Provider) -> Option<f32> {
    let there = maps(classifier, method, provider)?;
    let cpu = maps(classifier, method, Provider::Cpu)?;
    assert_eq!(there.len(), cpu.len());
    let eigen = method.is_some_and(|method| method.name().contains("eigen"));
    let pairs = there.iter().zip(&cpu);
    Some(pairs.map(|(found, expected)| distance(found, expected, eigen)).fold(0.0, f32::max))
}

fn maps(classifier: &Classifier, method: Option<Method>, provider: Provider) -> Option<Vec<ClassMap>> {
    let options = Options { provider: Some(provider), threads: 2, ..Options::default() };
    let mut explainer = match Explainer::new(classifier.clone(), &request(method), &options) {
        Ok(explainer) => explainer,
        Err(ExplainerError::Explain { .. }) => return None,
        Err(error) => panic!("{method:?}: {error}"),
    };
    let byte = |at: u32| (at * 37 % 251) as u8;
    let picture = Picture::from_rgb(64, 48, (0..64 * 48 * 3).map(byte).collect()).unwrap();
    let mut maps = Vec::new();
    explainer.explain_into(&picture, &mut maps).unwrap();
    Some(maps)
}

fn distance(found: &ClassMap, expected: &ClassMap, any_sign: bool) -> f32 {
    assert_eq!(found.class_id, expected.class_id);
    let low = expected.values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = expected.values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let along: f32 = found.values.iter().zip(&expected.values).map(|(a, b)| a * b).sum();
    let sign = if any_sign && along < 0.0 { -1.0 } else { 1.0 };
    let off = found.values.iter().zip(&expected.values).map(|(a, b)| (a - sign * b).abs());
    let most = off.fold(0.0, |most: f32, off| if off.is_nan() { off } else { most.max(off) });
    most / (high - low).max(f32::MIN_POSITIVE)
}

/// The nodes that the CPU runs of the explained graph and does not run of the plain one, but for [`LEFT_BY_WEBGPU`].
fn falls_back(classifier: &Classifier, method: Option<Method>, provider: Provider) -> Option<String> {
    let mut classifier = classifier.clone();
    classifier.fix_size();
    let shape = Some(classifier.preprocessing.input_shape(1));
    let options = Options { provider: Some(provider), shape, threads: 2, ..Options::default() };
    let on_cpu = |classifier: &Classifier| -> Vec<Node> {
        let session = Session::load(&encode(&classifier.model).unwrap(), &options).unwrap();
        session.nodes().iter().filter(|node| node.provider == "CPU").cloned().collect()
    };
    let mut plain = on_cpu(&classifier);
    explain::explain(&mut classifier.model, &request(method).one_pass().unwrap()).unwrap();
    let more = on_cpu(&classifier).into_iter().filter(|node| {
        // The model's own nodes may have been merged under other names.
        let own = !node.name.starts_with("camloc.");
        let same = plain.iter().position(|other| own && other.operator == node.operator);
        same.map(|at| plain.swap_remove(at)).is_none() && !is_left(node, provider)
    });
    let more: Vec<String> = more.map(|node| format!("{} {}", node.operator, node.name)).collect();
    (!more.is_empty()).then(|| format!("{} nodes fall back: {}", more.len(), more.join(", ")))
}

/// Whether a provider is known to leave a node to the CPU. Equal names have been told apart by a number behind.
fn is_left(node: &Node, provider: Provider) -> bool {
    let name = node.name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
    provider == Provider::WebGpu && LEFT_BY_WEBGPU.contains(&(&node.operator, name))
}
