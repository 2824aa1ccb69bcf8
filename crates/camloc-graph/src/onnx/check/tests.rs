//! How damaged models are refused, and that no bytes are a panic.

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::onnx::build::{
    self, Dim, f32_tensor, graph, i64_tensor, int, ints, model, node, subgraph, value_info,
};
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::{inline, load, opset};

fn value(name: &str) -> ValueInfoProto {
    value_info(name, DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(3)])
}

fn of(nodes: Vec<NodeProto>) -> ModelProto {
    model(graph("g", vec![value("x")], vec![value("y")], vec![f32_tensor("w", &[3], &[1.0; 3])], nodes))
}

fn names(model: &ModelProto) -> Vec<&str> {
    model.graph.as_ref().unwrap().node.iter().map(|node| node.name()).collect()
}

#[test]
fn nodes_are_put_in_order_and_otherwise_stay() {
    let nodes = || {
        vec![
            node("Add", "last", &["b", "a"], &["y"], vec![]),
            node("Relu", "first", &["x"], &["a"], vec![]),
            node("Mul", "second", &["a", "w"], &["b"], vec![]),
        ]
    };
    let mut shuffled = of(nodes());
    check(&mut shuffled).unwrap();
    assert_eq!(names(&shuffled), ["first", "second", "last"]);
    let sorted = shuffled.clone();
    check(&mut shuffled).unwrap();
    assert_eq!(shuffled, sorted);
}

#[test]
fn subgraphs_see_the_names_around_them() {
    let inner = |input: &str| {
        let nodes = vec![
            node("Neg", "second", &["p"], &["q"], vec![]),
            node("Relu", "first", &[input], &["p"], vec![]),
        ];
        vec![subgraph("then_branch", graph("inner", vec![], vec![value("q")], vec![], nodes))]
    };
    let mut found = of(vec![
        node("If", "if", &["x"], &["y"], inner("late")),
        node("Relu", "late", &["x"], &["late"], vec![]),
    ]);
    check(&mut found).unwrap();
    assert_eq!(names(&found), ["late", "if"]);
    let branch = found.graph.as_ref().unwrap().node[1].attribute[0].g.as_ref().unwrap();
    assert_eq!(branch.node[0].name(), "first");

    let mut lost = of(vec![node("If", "if", &["x"], &["y"], inner("nowhere"))]);
    let dangling = CheckError::Dangling { node: "if".into(), tensor: "nowhere".into() };
    assert_eq!(check(&mut lost), Err(dangling));
}

#[test]
fn what_is_damaged_is_named() {
    let relu = |inputs: &[&str], output: &str| node("Relu", "relu", inputs, &[output], vec![]);
    let error = |nodes| check(&mut of(nodes)).unwrap_err();
    assert_eq!(
        error(vec![relu(&["gone"], "y")]),
        CheckError::Dangling { node: "relu".into(), tensor: "gone".into() }
    );
    assert_eq!(error(vec![relu(&["x"], "z")]), CheckError::DanglingOutput { tensor: "y".into() });
    assert!(matches!(error(vec![relu(&["x"], "y"), relu(&["x"], "y")]), CheckError::MadeTwice { .. }));
    assert!(matches!(error(vec![relu(&["x"], "y"), relu(&["x"], "w")]), CheckError::MadeTwice { .. }));
    let waits = node("Add", "waits", &["x", "loop"], &["y"], vec![]);
    let loops = node("Neg", "loops", &["y"], &["loop"], vec![]);
    let cycle = error(vec![waits, loops]);
    assert!(matches!(cycle, CheckError::Cycle { .. }));
    assert!(!cycle.to_string().contains('\n') && cycle.to_string().contains("loop"), "{cycle}");

    let mut unversioned = of(vec![relu(&["x"], "y")]);
    unversioned.opset_import.clear();
    assert_eq!(check(&mut unversioned), Err(CheckError::NoOpset));
}

#[test]
fn data_must_fill_the_shape() {
    for dims in [&[4][..], &[1 << 60], &[i64::MAX, i64::MAX], &[-3], &[]] {
        let mut model = of(vec![node("Relu", "relu", &["x"], &["y"], vec![])]);
        model.graph.as_mut().unwrap().initializer[0].dims = dims.to_vec();
        let error = CheckError::TensorData { tensor: "w".into(), shape: dims.to_vec() };
        assert_eq!(check(&mut model), Err(error));
    }
    let constant = build::tensor("value", TensorProto { dims: vec![9], ..i64_tensor("c", &[1], &[1]) });
    let mut model = of(vec![
        node("Constant", "c", &[], &["c"], vec![constant]),
        node("Relu", "relu", &["x"], &["y"], vec![]),
    ]);
    assert!(matches!(check(&mut model), Err(CheckError::TensorData { .. })));
}

#[test]
fn very_many_nodes_take_linear_time() {
    const COUNT: usize = MAX_NODES;
    let name = |index: usize| if index == COUNT { "y".into() } else { format!("t{index}") };
    let relu = |index: usize| {
        let input = if index == 0 { "x".into() } else { name(index) };
        node("Relu", "", &[&input], &[&name(index + 1)], vec![])
    };
    let mut model = of((0..COUNT).rev().map(relu).collect());
    let start = std::time::Instant::now();
    check(&mut model).unwrap();
    let mut graph = GraphEditor::new(&mut model);
    assert_eq!(graph.shape("y"), Some(&[None, Some(3)][..]));
    for _ in 0..1000 {
        graph.op("Relu", "same_hint", &["y"], vec![]);
    }
    assert!(start.elapsed().as_secs() < 30, "quadratic time would be hours");
}

/// A small model with something of everything: a function, a branch, shapes that are computed.
fn everything() -> ModelProto {
    let branch =
        |op: &str| graph("b", vec![], vec![value("z")], vec![], vec![node(op, "", &["r"], &["z"], vec![])]);
    let branches = vec![subgraph("then_branch", branch("Relu")), subgraph("else_branch", branch("Neg"))];
    let nodes = vec![
        node("Softmax", "softmax", &["x"], &["s"], vec![]),
        node("Shape", "shape", &["s"], &["shape"], vec![]),
        node("Gather", "gather", &["shape", "one"], &["width"], vec![]),
        node("Equal", "equal", &["width", "three"], &["c"], vec![]),
        NodeProto { domain: Some("own".into()), ..node("Twice", "twice", &["s"], &["d"], vec![]) },
        node("Squeeze", "squeeze", &["d"], &["q"], vec![ints("axes", &[0])]),
        node("Reshape", "reshape", &["d", "shape"], &["r"], vec![]),
        node("If", "if", &["c"], &["y"], branches),
    ];
    let constants = vec![i64_tensor("one", &[], &[1]), i64_tensor("three", &[], &[3])];
    let mut model = model(graph("g", vec![value("x")], vec![value("y")], constants, nodes));
    model.opset_import[0].version = Some(12);
    model.functions = vec![FunctionProto {
        name: Some("Twice".into()),
        domain: Some("own".into()),
        input: vec!["a".into()],
        output: vec!["b".into()],
        node: vec![node("Add", "add", &["a", "a"], &["b"], vec![int("unused", 1)])],
        ..Default::default()
    }];
    model
}

fn through(mut model: ModelProto) {
    if check(&mut model).is_ok() && inline::inline(&mut model).is_ok() {
        check(&mut model).unwrap();
        let before = model.clone();
        if opset::raise(&mut model, 17).is_err() {
            assert_eq!(model, before);
        }
    }
    let graph = Graph::new(&model);
    for output in graph.nodes().iter().flat_map(|node| &node.output) {
        let _ = (graph.ints(output), graph.floats(output), graph.rank(output), graph.is_constant(output));
    }
}

#[test]
fn a_whole_model_goes_through() {
    let mut model = everything();
    check(&mut model).unwrap();
    inline::inline(&mut model).unwrap();
    let ops: Vec<_> = model.graph.as_ref().unwrap().node.iter().map(|node| node.op_type()).collect();
    assert_eq!(ops, ["Softmax", "Shape", "Gather", "Equal", "Add", "Squeeze", "Reshape", "Relu"]);
    opset::raise(&mut model, 17).unwrap();
    check(&mut model).unwrap();
    assert_eq!(Graph::new(&model).shape("y"), Some(&[None, Some(3)][..]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn damaged_bytes_are_never_a_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = everything().encode_to_vec();
        for (index, byte) in damage {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok(model) = load::parse(&bytes) {
            through(model);
        }
    }

    #[test]
    fn odd_numbers_are_never_a_panic(
        op in prop::sample::select(vec![
            "Slice", "Pad", "Tile", "Expand", "ConstantOfShape", "Range", "Gather", "Reshape", "Concat", "Split",
            "Transpose", "Squeeze", "Unsqueeze", "TopK", "Flatten", "MaxPool", "ConvTranspose", "Resize", "OneHot",
            "DepthToSpace", "ReduceProd", "Mod", "Div", "Pow", "GatherND", "Einsum", "Shape", "NonZero", "Where",
            "MaxUnpool", "LayerNormalization", "AveragePool", "Neg", "Abs", "Cast", "Size", "LSTM",
        ]),
        numbers in prop::collection::vec(
            prop::sample::select(vec![i64::MIN, -(1 << 40), -2, -1, 0, 1, 2, 3, 1 << 40, i64::MAX]), 1..5),
        inputs in prop::collection::vec(prop::sample::select(vec!["x", "n", "m", "s", ""]), 0..6),
        names in prop::collection::vec(prop::sample::select(vec![
            "axis", "axes", "pads", "starts", "ends", "split", "perm", "kernel_shape", "strides", "dilations", "k",
            "blocksize", "start", "end", "output_padding", "output_shape", "batch_dims", "to", "group",
        ]), 0..5),
    ) {
        let list = |name: &str| matches!(name,
            "axes" | "pads" | "starts" | "ends" | "split" | "perm" | "kernel_shape" | "strides" | "dilations"
            | "output_padding" | "output_shape");
        let attribute = |name: &&str| if list(name) { ints(name, &numbers) } else { int(name, numbers[0]) };
        let attributes = names.iter().map(attribute).collect();
        let dims = [Dim::Symbol("N"), Dim::Fixed(3), Dim::Unknown, Dim::Fixed(5)];
        let constants = vec![
            i64_tensor("n", &[numbers.len() as i64], &numbers),
            i64_tensor("m", &[1], &numbers[..1]),
            f32_tensor("s", &[4], &[1.0, 0.0, -3.0, 1e30]),
        ];
        let nodes = vec![
            node(op, "", &inputs, &["y", "z"], attributes),
            node("Reshape", "", &["x", "y"], &["r"], vec![]),
            node("Concat", "", &["y", "n"], &["c"], vec![int("axis", 0)]),
        ];
        through(model(graph("g", vec![value_info("x", DataType::Float, &dims)], vec![], constants, nodes)));
    }
}

#[test]
fn what_would_take_for_ever_is_refused() {
    let nodes = vec![node("Relu", "n", &["x"], &["y"], vec![]); MAX_NODES];
    let mut large = of(nodes.clone());
    large.functions.push(FunctionProto { node: nodes[..1].to_vec(), ..Default::default() });
    assert_eq!(check(&mut large), Err(CheckError::TooManyNodes { count: MAX_NODES + 1 }));

    let outputs: Vec<String> = (0..300).map(|index| format!("y{index}")).collect();
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let mut wide = of(vec![node("Split", "n", &["x"; 300], &outputs, vec![])]);
    wide.graph.as_mut().unwrap().output.clear();
    let refused = CheckError::TooManyOperands { node: "n".into(), inputs: 300, outputs: 300 };
    assert_eq!(check(&mut wide), Err(refused));
    wide.graph.as_mut().unwrap().node[0].input.truncate(1);
    assert_eq!(check(&mut wide), Ok(()));
}

#[test]
fn an_operator_set_that_never_was_is_refused() {
    for version in [0, -1, i64::MIN] {
        let mut model = of(vec![node("Relu", "n", &["x"], &["y"], vec![])]);
        model.opset_import[0].version = Some(version);
        assert_eq!(check(&mut model), Err(CheckError::NoSuchOpset { version }));
    }
}
