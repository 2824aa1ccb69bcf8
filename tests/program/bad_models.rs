//! What a broken or hostile model file gets: one line that says what is wrong with which file and what to do, exit 1,
//! in bounded time and memory. `tests/hostile` does the same to the library with many more.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use camloc_graph::onnx::build::*;
use camloc_graph::onnx::load::encode;
use camloc_graph::onnx::proto::*;

use super::support::{assert_refused, folder, names_in, run, stdout, text};

fn golden() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/residual.onnx")).unwrap()
}

/// Asserts that both commands that only read a model refuse this file with these words, and write nothing.
#[track_caller]
fn refuses(bytes: &[u8], words: &[&str]) {
    let folder = folder();
    let file = folder.path().join("model.onnx");
    fs::write(&file, bytes).unwrap();
    refuses_file(&file, words);
    assert_eq!(names_in(folder.path()), ["model.onnx"], "nothing is written");
}

#[track_caller]
fn refuses_file(file: &Path, words: &[&str]) {
    let start = Instant::now();
    assert_refused(&run(["-q", "inspect", text(file)]), 1, words);
    let out = file.with_extension("out");
    assert_refused(&run(["-q", "export", text(file), "-o", text(&out)]), 1, words);
    assert!(start.elapsed() < Duration::from_secs(60), "it took {:?}", start.elapsed());
}

/// A classifier: a convolution, these nodes from tensor `a` to tensor `b`, a pooling, a linear layer.
fn classifier(middle: Vec<NodeProto>) -> ModelProto {
    let x = value_info("x", DataType::Float, &[1, 3, 32, 32].map(Dim::Fixed));
    let y = value_info("y", DataType::Float, &[1, 4].map(Dim::Fixed));
    let constants = vec![
        f32_tensor("kernel", &[6, 3, 1, 1], &[0.1; 18]),
        f32_tensor("weight", &[6, 4], &[0.2; 24]),
        f32_tensor("number", &[], &[0.5]),
    ];
    let mut nodes = vec![node("Conv", "conv", &["x", "kernel"], &["a"], vec![])];
    nodes.extend(middle);
    nodes.extend([
        node("GlobalAveragePool", "pool", &["b"], &["p"], vec![]),
        node("Flatten", "flatten", &["p"], &["f"], vec![]),
        node("MatMul", "linear", &["f", "weight"], &["y"], vec![]),
    ]);
    model(graph("g", vec![x], vec![y], constants, nodes))
}

fn relu() -> Vec<NodeProto> {
    vec![node("Relu", "relu", &["a"], &["b"], vec![])]
}

#[track_caller]
fn refuses_model(model: &ModelProto, words: &[&str]) {
    refuses(&encode(model).unwrap(), words);
}

/// A classifier, changed.
fn changed(change: impl FnOnce(&mut GraphProto)) -> ModelProto {
    let mut model = classifier(relu());
    change(model.graph.as_mut().unwrap());
    model
}

#[test]
fn the_classifier_itself_is_fine() {
    let folder = folder();
    let file = folder.path().join("model.onnx");
    fs::write(&file, encode(&classifier(relu())).unwrap()).unwrap();
    assert!(stdout(&run(["inspect", text(&file)])).contains("global average pooling of b"));
}

#[test]
fn a_name_may_be_of_any_length() {
    let folder = folder();
    let file = folder.path().join("model.onnx");
    let long = "n".repeat(70_000);
    let renamed = |name: &mut String| {
        if name == "b" {
            name.clone_from(&long);
        }
    };
    let model = changed(|graph| {
        graph
            .node
            .iter_mut()
            .flat_map(|node| node.input.iter_mut().chain(&mut node.output))
            .for_each(renamed);
    });
    fs::write(&file, encode(&model).unwrap()).unwrap();
    assert!(stdout(&run(["inspect", text(&file)])).contains(&format!("-1  {long}  ")));
}

#[test]
fn files_that_are_no_model() {
    let noise: Vec<u8> =
        (0..50_000_u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    refuses(b"", &["model.onnx", "is empty"]);
    refuses(&noise, &["model.onnx", "is not an ONNX model"]);
    refuses(b"PK\x03\x04 a zip archive, such as PyTorch writes", &["model.onnx", "is not an ONNX model"]);
    refuses(b"\x89HDF\r\n\x1a\n\0\0\0\0", &["model.onnx", "is not an ONNX model"]);
    refuses(b"\x08\x08", &["model.onnx", "holds no graph"]);
}

#[test]
fn files_that_are_cut_short() {
    let bytes = golden();
    for part in [1, 2, 3, 5, 7] {
        refuses(&bytes[..bytes.len() * part / 8], &["model.onnx", "download"]);
    }
}

#[test]
fn names_that_are_no_text() {
    let mut bytes = encode(&classifier(relu())).unwrap();
    let place = bytes.windows(4).position(|word| word == b"relu").unwrap();
    bytes[place] = 0xff;
    refuses(&bytes, &["model.onnx", "is not an ONNX model, or it is damaged"]);
}

#[test]
fn graphs_that_are_none() {
    let model = changed(|graph| graph.node[1].input = vec!["nowhere".into()]);
    refuses_model(&model, &["\"relu\"", "\"nowhere\"", "nothing makes", "export it again"]);
    let model = changed(|graph| graph.node[0].input[0] = "p".into());
    refuses_model(&model, &["a cycle", "export the model again"]);
    let model = changed(|graph| graph.node[1].output = vec!["a".into()]);
    refuses_model(&model, &["\"a\" is made twice"]);
    let model = changed(|graph| graph.initializer.push(f32_tensor("kernel", &[], &[1.0])));
    refuses_model(&model, &["\"kernel\" is made twice"]);
    let model = changed(|graph| graph.output.clear());
    refuses_model(&model, &["output"]);
    let model = changed(|graph| graph.output[0].name = Some("nowhere".into()));
    refuses_model(&model, &["\"nowhere\" is made by nothing"]);
}

#[test]
fn tensors_that_claim_more_than_there_is() {
    for dims in [vec![1 << 60], vec![1 << 31, 1 << 31], vec![-1, 3], vec![i64::MAX, i64::MAX]] {
        let model = changed(|graph| graph.initializer[0].dims = dims);
        refuses_model(&model, &["\"kernel\"", "do not fill its shape"]);
    }
}

#[test]
fn sizes_that_nothing_has_are_refused_or_let_be() {
    // Resized to 2^40 places, and padded by as many: to work it out would take a matrix of that size.
    let sizes = i64_tensor("sizes", &[4], &[1, 6, 1 << 40, 1 << 40]);
    let resize = node("Resize", "resize", &["a", "", "", "sizes"], &["b"], vec![]);
    let mut model = classifier(vec![resize]);
    model.graph.as_mut().unwrap().initializer.push(sizes);
    let folder = folder();
    let file = folder.path().join("model.onnx");
    fs::write(&file, encode(&model).unwrap()).unwrap();
    let start = Instant::now();
    for method in ["gradcam", "reciprocam", "gradient", "fullgrad"] {
        let out = folder.path().join("out.onnx");
        let output = run(["-q", "export", text(&file), "-o", text(&out), "--method", method]);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
        assert!(fs::metadata(&out).map_or(0, |file| file.len()) < 1 << 20, "{method} writes no huge matrix");
    }
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
}

#[test]
fn a_million_nodes() {
    let name = |index: usize| match index {
        0 => "a".to_owned(),
        1_000_000 => "b".to_owned(),
        index => format!("t{index}"),
    };
    let relu = |index| node("Relu", "", &[&name(index)], &[&name(index + 1)], vec![]);
    refuses_model(
        &classifier((0..1_000_000).map(relu).collect()),
        &["model.onnx", "1000004 nodes", "simplify"],
    );
}

#[test]
fn a_small_file_that_would_fill_the_memory() {
    // Two bytes each in the file, a hundred times that in memory.
    let nodes = vec![NodeProto::default(); 100_000];
    let graph = GraphProto { node: nodes, ..Default::default() };
    let mut bytes = encode(&ModelProto { graph: Some(graph), ..Default::default() }).unwrap();
    // The same field again is more of the same graph.
    bytes = bytes.repeat(100);
    assert!(bytes.len() < 30 << 20);
    refuses(&bytes, &["model.onnx", "10000000 nodes", "simplify"]);
}

#[test]
fn subgraphs_without_end() {
    let mut inner = graph("g", vec![], vec![], vec![], vec![]);
    for _ in 0..200 {
        let outer = node("If", "if", &["number"], &["z"], vec![subgraph("then_branch", inner)]);
        inner = graph("g", vec![], vec![], vec![], vec![outer]);
    }
    refuses_model(&model(inner), &["model.onnx", "is not an ONNX model, or it is damaged"]);
}

/// A branch, or the body of a loop, that rectifies `a` to `z`.
fn body(name: &str, inputs: Vec<ValueInfoProto>, outputs: &[&str]) -> AttributeProto {
    let outputs = outputs.iter().map(|name| value_info(name, DataType::Float, &[])).collect();
    subgraph(name, graph(name, inputs, outputs, vec![], vec![node("Relu", "inner", &["a"], &["z"], vec![])]))
}

#[test]
fn control_flow_in_front_of_the_layer_is_named() {
    let both = || vec![body("then_branch", vec![], &["z"]), body("else_branch", vec![], &["z"])];
    let values = |names: &[(&str, DataType)]| -> Vec<ValueInfoProto> {
        names.iter().map(|(name, element)| value_info(name, *element, &[])).collect()
    };
    let turn = values(&[("turn", DataType::Int64), ("go", DataType::Bool), ("carried", DataType::Float)]);
    let condition = |nodes: Vec<NodeProto>| {
        let maximum = node("ReduceMax", "", &["x"], &["m"], vec![int("keepdims", 0)]);
        let greater = node("Greater", "", &["m", "number"], &["open"], vec![]);
        [vec![maximum, greater], nodes].concat()
    };
    let loops = body("body", turn, &["go", "z"]);
    let scan = vec![body("body", values(&[("carried", DataType::Float)]), &["z"]), int("num_scan_inputs", 0)];
    for (operator, nodes) in [
        ("If", condition(vec![node("If", "choose", &["open"], &["b"], both())])),
        ("Loop", condition(vec![node("Loop", "choose", &["", "open", "a"], &["b"], vec![loops])])),
        ("Scan", vec![node("Scan", "choose", &["a"], &["b"], scan)]),
    ] {
        let mut model = classifier(nodes);
        let shape = value_info("b", DataType::Float, &[1, 6, 32, 32].map(Dim::Fixed));
        model.graph.as_mut().unwrap().value_info.push(shape);
        let folder = folder();
        let file = folder.path().join("model.onnx");
        fs::write(&file, encode(&model).unwrap()).unwrap();
        let out = folder.path().join("out.onnx");
        let ask = ["-q", "export", text(&file), "-o", text(&out), "--method", "gradcam", "--layer", "a"];
        assert_refused(&run(ask), 1, &["no gradient through", operator, "choose", "no rule"]);
    }
    // One that is known beforehand is its branch.
    let never = tensor("value", raw_tensor("", DataType::Bool, &[], vec![0]));
    let known = vec![
        node("Constant", "", &[], &["never"], vec![never]),
        node("If", "choose", &["never"], &["b"], both()),
    ];
    let folder = folder();
    let (file, out) = (folder.path().join("model.onnx"), folder.path().join("out.onnx"));
    fs::write(&file, encode(&classifier(known)).unwrap()).unwrap();
    let said = stdout(&run(["export", text(&file), "-o", text(&out), "--method", "gradcam", "--layer", "a"]));
    assert!(said.contains("gradcam at a"), "{said}");
}

#[test]
fn weights_from_elsewhere() {
    let external = |location: &str| {
        changed(|graph| {
            let entry = |(key, value): (&str, &str)| StringStringEntryProto {
                key: Some(key.into()),
                value: Some(value.into()),
            };
            graph.initializer[0].raw_data = None;
            graph.initializer[0].data_location = Some(1);
            graph.initializer[0].external_data = [("location", location)].map(entry).to_vec();
        })
    };
    for location in ["../secret", "/etc/passwd", "a/../../secret"] {
        refuses_model(&external(location), &["model.onnx", location, "outside the model's own folder"]);
    }
    refuses_model(&external("missing.bin"), &["model.onnx", "\"missing.bin\", which is not beside it"]);
}

#[test]
fn operator_sets_that_are_none() {
    let with = |version: Option<i64>| {
        let mut model = classifier(relu());
        match version {
            Some(version) => model.opset_import[0].version = Some(version),
            None => model.opset_import.clear(),
        }
        model
    };
    refuses_model(&with(None), &["operator set", "export it again"]);
    for version in [0, -1, i64::MIN] {
        refuses_model(&with(Some(version)), &["operator set", "export it again"]);
    }
}

#[test]
fn a_folder_without_a_model_is_told_what_it_should_hold() {
    let folder = folder();
    let path: PathBuf = folder.path().join("model.onnx");
    fs::create_dir(&path).unwrap();
    refuses_file(&path, &["model.onnx", "holds no ONNX file"]);
}
