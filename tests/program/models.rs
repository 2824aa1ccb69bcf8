//! Models of one's own, as files.

use std::fs;
use std::path::{Path, PathBuf};

use camloc_graph::onnx::build::{self, Dim};
use camloc_graph::onnx::proto::{DataType, ModelProto, StringStringEntryProto};

use super::support::{assert_refused, cat, folder, json_lines, run, stdout, text};

/// A classifier of three classes, red, green and blue: the mean of each channel.
fn colours(input: &[Dim]) -> ModelProto {
    let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let graph = build::graph(
        "colours",
        vec![build::value_info("image", DataType::Float, input)],
        vec![build::value_info("logits", DataType::Float, &[1, 3].map(Dim::Fixed))],
        vec![build::f32_tensor("weight", &[3, 3], &identity)],
        vec![
            build::node("Relu", "relu", &["image"], &["features"], vec![]),
            build::node("GlobalAveragePool", "pool", &["features"], &["pooled"], vec![]),
            build::node("Flatten", "flatten", &["pooled"], &["flat"], vec![]),
            build::node("Gemm", "linear", &["flat", "weight"], &["logits"], vec![]),
        ],
    );
    build::model(graph)
}

fn save(folder: &Path, model: &ModelProto) -> PathBuf {
    let path = folder.join("colours.onnx");
    fs::write(&path, camloc_graph::onnx::load::encode(model).unwrap()).unwrap();
    path
}

const MANIFEST: &str = "size = 8\nfit = 'squash'\nmean = 0\nstd = 255\nlabels = ['red', 'green', '파랑']\n";

fn picture(folder: &Path) -> PathBuf {
    // Blue on the right half, red on a small patch at the left.
    let picture = image::RgbImage::from_fn(64, 64, |x, y| match (x, y) {
        (32.., _) => image::Rgb([0, 0, 255]),
        (4..=11, 4..=11) => image::Rgb([255, 0, 0]),
        _ => image::Rgb([0, 0, 0]),
    });
    let path = folder.join("picture.png");
    picture.save(&path).unwrap();
    path
}

#[test]
fn a_model_with_a_manifest_is_explained_with_its_own_labels() {
    let folder = folder();
    let model = save(folder.path(), &colours(&[1, 3, 8, 8].map(Dim::Fixed)));
    fs::write(model.with_extension("toml"), MANIFEST).unwrap();
    let photo = picture(folder.path());
    let output = run(["image", text(&photo), "--model", text(&model), "--json", "-", "--class", "파랑,red"]);
    let lines = json_lines(&stdout(&output));
    let found = |label: &str| {
        let detections = lines[0]["detections"].as_array().unwrap().clone();
        let found = detections.into_iter().find(|d| d["label"] == label);
        found.unwrap_or_else(|| panic!("no {label} in {}", lines[0]))
    };
    let edges = |label: &str| -> Vec<u64> {
        found(label)["box"].as_array().unwrap().iter().map(|edge| edge.as_u64().unwrap()).collect()
    };
    let (blue, red) = (edges("파랑"), edges("red"));
    assert!((26..=32).contains(&blue[0]) && blue[1] == 0 && blue[2..] == [64, 64], "{blue:?}");
    assert!(red[2] <= 20 && red[3] <= 20, "{red:?}");
    // Labels of any script are drawn, not boxed characters: see render's tests; here the program must not fail.
    stdout(&run(["image", text(&photo), "--model", text(&model), "-o", text(folder.path())]));
}

#[test]
fn without_a_manifest_it_says_in_one_line_what_it_assumed() {
    let folder = folder();
    let model = save(folder.path(), &colours(&[1, 3, 8, 8].map(Dim::Fixed)));
    let output = run(["image", text(&cat()), "--model", text(&model), "--json", "-"]);
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    stdout(&output);
    assert_eq!(said.lines().filter(|line| line.contains("assuming")).count(), 1, "{said}");
}

#[test]
fn models_that_do_not_fit_are_refused_by_name() {
    let folder = folder();
    let refused = |name: &str, content: &[u8], words: &[&str]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        assert_refused(&run(["image", text(&cat()), "--model", text(&path), "--json", "-"]), 1, words);
    };
    let encode = |model: &ModelProto| camloc_graph::onnx::load::encode(model).unwrap();
    refused("empty.onnx", b"", &["empty.onnx"]);
    refused("text.onnx", b"this is a text file, renamed", &["text.onnx"]);
    let deep = colours(&[1, 3, 4, 8, 8].map(Dim::Fixed));
    refused("deep.onnx", &encode(&deep), &["deep.onnx", "image"]);
    let mut twins = colours(&[1, 3, 8, 8].map(Dim::Fixed));
    if let Some(graph) = &mut twins.graph {
        graph.input.push(build::value_info("mask", DataType::Float, &[1, 3, 8, 8].map(Dim::Fixed)));
    }
    refused("twins.onnx", &encode(&twins), &["twins.onnx", "mask"]);
    let mut strange = colours(&[1, 3, 8, 8].map(Dim::Fixed));
    if let Some(graph) = &mut strange.graph {
        graph.node[0].op_type = Some("Frobnicate".to_owned());
    }
    refused("strange.onnx", &encode(&strange), &["Frobnicate"]);
    let mut outside = colours(&[1, 3, 8, 8].map(Dim::Fixed));
    if let Some(graph) = &mut outside.graph {
        let weight = &mut graph.initializer[0];
        weight.raw_data = None;
        weight.data_location = Some(1);
        let location = ("location".to_owned(), "../../etc/passwd".to_owned());
        weight.external_data =
            vec![StringStringEntryProto { key: Some(location.0), value: Some(location.1) }];
    }
    refused("outside.onnx", &encode(&outside), &["outside.onnx", "../../etc/passwd"]);
    let missing = folder.path().join("missing.onnx");
    assert_refused(&run(["image", text(&cat()), "--model", text(&missing)]), 1, &["missing.onnx"]);
}

#[test]
fn a_list_of_labels_of_the_wrong_length_says_both_numbers() {
    let folder = folder();
    let model = save(folder.path(), &colours(&[1, 3, 8, 8].map(Dim::Fixed)));
    fs::write(model.with_extension("toml"), "labels = ['red', 'green']\n").unwrap();
    let output = run(["image", text(&cat()), "--model", text(&model), "--json", "-"]);
    assert_refused(&output, 1, &["2", "3"]);
}

#[test]
fn constant_and_broken_maps_give_no_box_and_no_panic() {
    let folder = folder();
    let model = save(folder.path(), &colours(&[1, 3, 8, 8].map(Dim::Fixed)));
    let photo = folder.path().join("grey.png");
    image::RgbImage::from_pixel(50, 40, image::Rgb([90, 90, 90])).save(&photo).unwrap();
    for std in ["255", "1e-45"] {
        fs::write(model.with_extension("toml"), MANIFEST.replace("std = 255", &format!("std = {std}")))
            .unwrap();
        let output = run(["image", text(&photo), "--model", text(&model), "--json", "-"]);
        let lines = json_lines(&stdout(&output));
        assert_eq!(lines[0]["detections"].as_array().unwrap().len(), 0, "std {std}");
    }
}

#[test]
fn the_bench_measures_a_model_whose_size_is_open() {
    let folder = folder();
    let model = save(folder.path(), &colours(&[Dim::Fixed(1), Dim::Fixed(3), Dim::Unknown, Dim::Unknown]));
    fs::write(model.with_extension("toml"), MANIFEST).unwrap();
    let output = run(["bench", "--model", text(&model), "--rounds", "1", "--frames", "5", "--json", "-"]);
    let figures: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    for key in [
        "forward_cpu_ms",
        "cam_branch_ratio",
        "video_json_ratio",
        "video_overlay_ratio",
        "live_latency_ms",
        "rss_mb",
    ] {
        assert!(figures[key].as_f64().unwrap() > 0.0, "{key} in {figures}");
    }
}

/// A detector as ultralytics writes it, of a 32 x 32 picture: 16 + 4 + 1 boxes of two classes. The scores of each place are how
/// blue it is and how red, its box is its cell.
fn detector() -> ModelProto {
    let cell = |stride: usize| {
        let side = 32 / stride;
        (0..side * side).map(move |at| {
            [(at % side) as f32 + 0.5, (at / side) as f32 + 0.5, 1.0, 1.0].map(|edge| edge * stride as f32)
        })
    };
    let cells: Vec<[f32; 4]> = [8, 16, 32].into_iter().flat_map(cell).collect();
    let cells: Vec<f32> = (0..4).flat_map(|edge| cells.iter().map(move |cell| cell[edge])).collect();
    let pool = |stride: i64, from: &str, to: &str| {
        let size = vec![build::ints("kernel_shape", &[stride; 2]), build::ints("strides", &[stride; 2])];
        build::node("AveragePool", to, &[from], &[to], size)
    };
    let head = |from: &str, to: &str| build::node("Conv", to, &[from, "weight"], &[to], vec![]);
    let flat = |from: &str, to: &str| build::node("Reshape", to, &[from, "flat"], &[to], vec![]);
    let join = |from: &[&str], to: &str, axis| {
        build::node("Concat", to, from, &[to], vec![build::int("axis", axis)])
    };
    let nodes = vec![
        pool(8, "image", "p3"),
        pool(2, "p3", "p4"),
        pool(2, "p4", "p5"),
        head("p3", "y3"),
        head("p4", "y4"),
        head("p5", "y5"),
        flat("y3", "f3"),
        flat("y4", "f4"),
        flat("y5", "f5"),
        join(&["f3", "f4", "f5"], "raw", 2),
        build::node("Sigmoid", "scores", &["raw"], &["scores"], vec![]),
        join(&["cells", "scores"], "output0", 1),
    ];
    let constants = vec![
        build::f32_tensor("weight", &[2, 3, 1, 1], &[-5.0, -5.0, 5.0, 5.0, -5.0, -5.0]),
        build::f32_tensor("cells", &[1, 4, 21], &cells),
        build::i64_tensor("flat", &[3], &[0, 0, -1]),
    ];
    let image = build::value_info("image", DataType::Float, &[1, 3, 32, 32].map(Dim::Fixed));
    let output = build::value_info("output0", DataType::Float, &[1, 6, 21].map(Dim::Fixed));
    let mut model = build::model(build::graph("detector", vec![image], vec![output], constants, nodes));
    let said = [("task", "detect"), ("imgsz", "[32, 32]"), ("names", "{0: 'blue thing', 1: 'red thing'}")];
    model.metadata_props = said
        .map(|(key, value)| StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) })
        .to_vec();
    model
}

#[test]
fn a_detectors_own_boxes_are_explained_and_exported() {
    let folder = folder();
    let model = save(folder.path(), &detector());
    // One red cell of 8 x 8 in black.
    let red = |x, y| {
        image::Rgb(if (16..24).contains(&x) && (8..16).contains(&y) { [255, 0, 0] } else { [0, 0, 0] })
    };
    let photo = folder.path().join("red.png");
    image::RgbImage::from_fn(32, 32, red).save(&photo).unwrap();
    let exported = folder.path().join("explained.onnx");
    stdout(&run(["export", text(&model), "-o", text(&exported), "--top-k", "1"]));
    for model in [&model, &exported] {
        let output = run(["image", text(&photo), "--model", text(model), "--top-k", "1", "--json", "-"]);
        let line = &json_lines(&stdout(&output))[0];
        assert_eq!(line["made_by"]["kind"], "detector", "{line}");
        let found = &line["detections"][0];
        assert_eq!((&found["label"], &found["class_id"]), (&"red thing".into(), &1.into()));
        assert_eq!(found["box"], serde_json::json!([16, 8, 24, 16]));
        // The sigmoid of 5.
        assert_eq!(found["score"], serde_json::json!(0.9933));
    }
}

#[test]
fn a_detector_is_inspected_as_one_and_what_it_is_fed_is_assumed_as_its_makers_have_it() {
    let folder = folder();
    let mut model = detector();
    model.metadata_props.clear();
    let output = run(["inspect", text(&save(folder.path(), &model)), "--json"]);
    let inspected: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let explains = &inspected["explains"];
    // The finest grid's pooling feeds the others, too.
    assert_eq!((&explains["classes"], &explains["default_layer"]), (&2.into(), &"p3".into()), "{explains}");
    let by = |name: &str| {
        let methods = explains["methods"].as_array().unwrap();
        methods.iter().find(|method| method["name"] == name).unwrap()["available"].clone()
    };
    assert_eq!((by("gradcam"), by("cam")), (true.into(), false.into()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("a detector's letterbox, pixels of 0..1"), "{said}");
}
