//! The networks that are damaged: the golden ones, and small ones built here for what those lack.

use camloc_graph::onnx::build::{
    Dim, f32_tensor, float, graph, i64_tensor, ints, model, node, subgraph, value_info,
};
use camloc_graph::onnx::load::parse;
use camloc_graph::onnx::proto::*;

/// How many there are.
pub(crate) const COUNT: usize = 6;

/// The network at a place below [`COUNT`].
pub(crate) fn network(place: usize) -> ModelProto {
    let golden = |bytes: &[u8]| parse(bytes).expect("a golden network is sound");
    match place {
        0 => golden(include_bytes!("../golden/plain.onnx")),
        1 => golden(include_bytes!("../golden/residual.onnx")),
        2 => golden(include_bytes!("../golden/vit.onnx")),
        3 => classifier(),
        4 => branches(),
        _ => function(),
    }
}

fn picture() -> ValueInfoProto {
    value_info("x", DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(3), Dim::Fixed(8), Dim::Fixed(8)])
}

fn scores() -> ValueInfoProto {
    value_info("y", DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(4)])
}

/// A convolution, a rectifier, a global average pooling and a linear layer.
pub(crate) fn classifier() -> ModelProto {
    with_nodes(vec![])
}

/// As [`classifier`], with nodes from tensor `a` to tensor `b` in the middle; without any they are one.
pub(crate) fn with_nodes(middle: Vec<NodeProto>) -> ModelProto {
    let behind = if middle.is_empty() { "a" } else { "b" };
    let constants = vec![
        f32_tensor("kernel", &[6, 3, 3, 3], &[0.1; 162]),
        f32_tensor("weight", &[6, 4], &[0.2; 24]),
        f32_tensor("bias", &[4], &[0.3; 4]),
        f32_tensor("number", &[], &[0.5]),
        i64_tensor("shape", &[4], &[0, 6, 4, 16]),
    ];
    let mut nodes = vec![
        node("Conv", "conv", &["x", "kernel"], &["c"], vec![ints("pads", &[1, 1, 1, 1])]),
        node("Relu", "relu", &["c"], &["a"], vec![]),
    ];
    nodes.extend(middle);
    nodes.extend([
        node("GlobalAveragePool", "pool", &[behind], &["p"], vec![]),
        node("Flatten", "flatten", &["p"], &["f"], vec![]),
        node("Gemm", "linear", &["f", "weight", "bias"], &["l"], vec![float("alpha", 1.0)]),
        node("Softmax", "softmax", &["l"], &["y"], vec![]),
    ]);
    model(graph("classifier", vec![picture()], vec![scores()], constants, nodes))
}

/// Control flow, of which one condition is constant and the other is not.
fn branches() -> ModelProto {
    let value = |name: &str| value_info(name, DataType::Float, &[Dim::Unknown; 4]);
    let branch = |op: &str| {
        graph(op, vec![], vec![value("z")], vec![], vec![node(op, "inner", &["a"], &["z"], vec![])])
    };
    let both = || vec![subgraph("then_branch", branch("Relu")), subgraph("else_branch", branch("Abs"))];
    let condition = f32_tensor("never", &[], &[0.0]);
    let never =
        node("Constant", "", &[], &["never"], vec![camloc_graph::onnx::build::tensor("value", condition)]);
    let mut network = with_nodes(vec![
        never,
        node(
            "Cast",
            "",
            &["never"],
            &["no"],
            vec![camloc_graph::onnx::build::int("to", DataType::Bool as i64)],
        ),
        node("If", "known", &["no"], &["k"], both()),
        node("ReduceMax", "", &["k"], &["m"], vec![camloc_graph::onnx::build::int("keepdims", 0)]),
        node("Greater", "", &["m", "number"], &["open"], vec![]),
        node("If", "open", &["open"], &["o"], both()),
        node("Add", "sum", &["k", "o"], &["b"], vec![]),
    ]);
    if let Some(graph) = &mut network.graph {
        graph.value_info.push(value("o"));
    }
    network
}

/// A call of a function that the model defines itself.
fn function() -> ModelProto {
    let call =
        NodeProto { domain: Some("own".into()), ..node("Gate", "gate", &["a", "number"], &["b"], vec![]) };
    let mut network = with_nodes(vec![call]);
    let opsets =
        |domain: &str, version| OperatorSetIdProto { domain: Some(domain.into()), version: Some(version) };
    network.opset_import.push(opsets("own", 1));
    network.functions.push(FunctionProto {
        name: Some("Gate".into()),
        domain: Some("own".into()),
        input: vec!["in".into(), "factor".into()],
        output: vec!["out".into()],
        node: vec![
            node("Mul", "scale", &["in", "factor"], &["scaled"], vec![]),
            node("Sigmoid", "gate", &["scaled"], &["gate"], vec![]),
            node("Mul", "product", &["in", "gate"], &["out"], vec![]),
        ],
        opset_import: vec![opsets("", camloc_graph::onnx::build::OPSET)],
        ..Default::default()
    });
    network
}
