//! Functions and branches written out.

use super::*;
use crate::onnx::build::{
    self, Dim, f32_tensor, float, graph, i64_tensor, model, node, subgraph, value_info,
};

fn value(name: &str) -> ValueInfoProto {
    value_info(name, DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(3)])
}

fn call(
    function: &str,
    name: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto { domain: Some("own".into()), ..node(function, name, inputs, outputs, attributes) }
}

fn function(name: &str, inputs: &[&str], outputs: &[&str], nodes: Vec<NodeProto>) -> FunctionProto {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    FunctionProto {
        name: Some(name.into()),
        domain: Some("own".into()),
        input: owned(inputs),
        output: owned(outputs),
        node: nodes,
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        ..Default::default()
    }
}

fn of(nodes: Vec<NodeProto>, functions: Vec<FunctionProto>) -> ModelProto {
    let mut model = model(graph("g", vec![value("x")], vec![value("y")], vec![], nodes));
    model.functions = functions;
    model.opset_import.push(OperatorSetIdProto { domain: Some("own".into()), version: Some(1) });
    model
}

/// Operators with their inputs and outputs, one line each.
fn lines(model: &ModelProto) -> Vec<String> {
    let line = |node: &NodeProto| {
        format!("{} {} -> {}", node.op_type(), node.input.join(","), node.output.join(","))
    };
    model.graph.as_ref().unwrap().node.iter().map(line).collect()
}

fn refers(name: &str, to: &str) -> AttributeProto {
    AttributeProto { ref_attr_name: Some(to.into()), f: None, ..float(name, 0.0) }
}

#[test]
fn functions_within_functions_get_names_and_attributes() {
    let leaky = node("LeakyRelu", "leaky", &["a"], &["t"], vec![refers("alpha", "slope")]);
    let inner = function("Inner", &["a"], &["t"], vec![leaky]);
    let nodes = vec![
        call("Inner", "", &["a"], &["t"], vec![refers("slope", "s")]),
        node("Add", "add", &["t", "b"], &["c"], vec![]),
    ];
    let mut outer = function("Outer", &["a", "b"], &["c"], nodes);
    outer.attribute_proto = vec![float("s", 0.5)];
    let calls = vec![
        call("Outer", "one", &["x", "x"], &["t"], vec![float("s", 0.25)]),
        call("Outer", "", &["t"], &["y"], vec![]),
    ];
    let mut flat = of(calls, vec![inner, outer]);
    inline(&mut flat).unwrap();
    assert_eq!(
        lines(&flat),
        ["LeakyRelu x -> one.1.t", "Add one.1.t,x -> t", "LeakyRelu t -> Outer.3.t", "Add Outer.3.t, -> y",]
    );
    let nodes = &flat.graph.as_ref().unwrap().node;
    assert_eq!([&nodes[0], &nodes[2]].map(|node| node.float_or("alpha", 0.0)), [0.25, 0.5]);
    assert!(flat.functions.is_empty());
    assert_eq!(flat.opset_import.len(), 1, "nobody uses the functions' domain any more");
}

#[test]
fn an_attribute_without_a_value_is_the_operators_own() {
    let leaky = node("LeakyRelu", "", &["a"], &["t"], vec![refers("alpha", "slope")]);
    let mut flat =
        of(vec![call("F", "", &["x"], &["y"], vec![])], vec![function("F", &["a"], &["t"], vec![leaky])]);
    inline(&mut flat).unwrap();
    assert!(flat.graph.unwrap().node[0].attribute.is_empty());
}

#[test]
fn an_input_that_is_handed_on_is_copied_and_an_output_left_out_stays_inside() {
    let relu = node("Relu", "", &["a"], &["t"], vec![]);
    let both = function("F", &["a"], &["a", "t"], vec![relu]);
    let mut flat = of(vec![call("F", "f", &["x"], &["y", ""], vec![])], vec![both]);
    inline(&mut flat).unwrap();
    assert_eq!(lines(&flat), ["Relu x -> f.1.t", "Identity x -> y"]);
}

#[test]
fn functions_are_written_out_in_subgraphs_of_functions() {
    let relu = function("R", &["a"], &["t"], vec![node("Relu", "", &["a"], &["t"], vec![])]);
    let branch = graph("b", vec![], vec![value("z")], vec![], vec![call("R", "", &["a"], &["z"], vec![])]);
    let chooses = node("If", "", &["c"], &["r"], vec![subgraph("then_branch", branch)]);
    let nodes = vec![call("F", "f", &["x", "x"], &["y"], vec![])];
    let mut flat = of(nodes, vec![relu, function("F", &["a", "c"], &["r"], vec![chooses])]);
    inline(&mut flat).unwrap();
    let node = &flat.graph.as_ref().unwrap().node[0];
    let branch = node.attribute[0].g.as_ref().unwrap();
    assert_eq!((branch.node[0].op_type(), branch.node[0].input[0].as_str()), ("Relu", "x"));
    assert_eq!(branch.node[0].output[0], branch.output[0].name());
}

#[test]
fn what_cannot_be_written_out_is_refused_and_left() {
    let calls = |name: &str, other: &str, times: usize| {
        let outputs: Vec<String> = (0..times).map(|index| format!("t{index}")).collect();
        let nodes = outputs.iter().map(|output| call(other, "", &["a"], &[output], vec![])).collect();
        function(name, &["a"], &["t0"], nodes)
    };
    let main = || vec![call("F0", "", &["x"], &["y"], vec![])];
    let cyclic = of(main(), vec![calls("F0", "F1", 1), calls("F1", "F0", 1)]);
    let mut doubling: Vec<_> =
        (0..60).map(|level| calls(&format!("F{level}"), &format!("F{}", level + 1), 2)).collect();
    doubling.push(function("F60", &["a"], &["b"], vec![node("Relu", "", &["a"], &["b"], vec![])]));
    let mut other = function("F0", &["a"], &["b"], vec![node("Relu", "", &["a"], &["b"], vec![])]);
    other.opset_import[0].version = Some(12);
    let refused = |plain: ModelProto| {
        let mut model = plain.clone();
        let error = inline(&mut model).unwrap_err();
        assert!(!error.to_string().contains('\n'));
        assert_eq!(model, plain);
        error
    };
    let relu = function("F0", &["a"], &["b"], vec![node("Relu", "", &["a"], &["b"], vec![])]);
    let two = of(vec![call("F0", "two", &["x"], &["y", "z"], vec![])], vec![relu]);
    assert!(matches!(refused(two), InlineError::TooFewOutputs { wanted: 2, given: 1, .. }));
    assert!(matches!(refused(cyclic), InlineError::Cycle { .. }));
    assert!(matches!(refused(of(main(), doubling)), InlineError::TooLarge { .. }));
    assert!(matches!(refused(of(main(), vec![other])), InlineError::OtherOpset { own: 12, model: 17, .. }));
}

/// `If` on whether the given axis of `x` has the given size; each branch makes `p` and then `z`.
fn branching(axis: i64, size: i64) -> ModelProto {
    let branch = |op: &str| {
        let nodes = vec![node(op, "", &["x"], &["p"], vec![]), node("Mul", "", &["p", "k"], &["z"], vec![])];
        graph("b", vec![], vec![value("z")], vec![f32_tensor("k", &[], &[2.0])], nodes)
    };
    let nodes = vec![
        node("Shape", "", &["x"], &["shape"], vec![]),
        node("Gather", "", &["shape", "axis"], &["found"], vec![]),
        node("Equal", "", &["found", "size"], &["c"], vec![]),
        node(
            "If",
            "",
            &["c"],
            &["y"],
            vec![subgraph("then_branch", branch("Relu")), subgraph("else_branch", branch("Neg"))],
        ),
    ];
    let constants = vec![i64_tensor("axis", &[], &[axis]), i64_tensor("size", &[], &[size])];
    model(graph("g", vec![value("x")], vec![value("y")], constants, nodes))
}

#[test]
fn a_known_condition_is_its_branch() {
    for (size, op) in [(3, "Relu"), (4, "Neg")] {
        let mut model = branching(1, size);
        inline(&mut model).unwrap();
        assert_eq!(lines(&model)[3..], [format!("{op} x -> y.p"), "Mul y.p,y.k -> y".into()]);
        assert_eq!(model.graph.unwrap().initializer[2].name(), "y.k");
    }
}

#[test]
fn a_condition_on_the_batch_stays_open() {
    for size in [1, 2, 5] {
        let plain = branching(0, size);
        let mut model = plain.clone();
        inline(&mut model).unwrap();
        assert_eq!(model, plain, "a batch may well be {size}");
    }
    let mut model = branching(0, -1);
    inline(&mut model).unwrap();
    assert_eq!(lines(&model)[3], "Neg x -> y.p", "no size is below zero");
}

#[test]
fn a_branch_that_nobody_uses_is_left_alone() {
    let inner =
        || graph("b", vec![], vec![value("z")], vec![], vec![node("Relu", "", &["x"], &["z"], vec![])]);
    let both = || vec![subgraph("then_branch", inner()), subgraph("else_branch", inner())];
    let yes = build::tensor("value", build::raw_tensor("", DataType::Bool, &[], vec![1]));
    let mut model = of(
        vec![
            node("Constant", "", &[], &["yes"], vec![yes]),
            node("If", "", &["yes"], &[""], both()),
            node("If", "", &["yes"], &[], both()),
            node("If", "", &["yes"], &["y"], both()),
        ],
        vec![],
    );
    inline(&mut model).unwrap();
    assert_eq!(lines(&model), ["Constant  -> yes", "If yes -> ", "If yes -> ", "Relu x -> y"]);
}
