//! Large networks, shaped so that whatever looks at everything for everything never ends.

use std::time::Duration;

use camloc_graph::explain::{Method, Request, explain};
use camloc_graph::onnx::build::*;
use camloc_graph::onnx::proto::*;
use cpu_time::ThreadTime;

use super::networks::with_nodes;

/// Makes a network of this many parts.
type Shape = fn(usize) -> ModelProto;

fn relu(from: &str, to: &str) -> NodeProto {
    node("Relu", "", &[from], &[to], vec![])
}

/// The name of a part; the last one is `b`.
fn part(index: usize, count: usize) -> String {
    if index + 1 == count { "b".into() } else { format!("t{index}") }
}

fn graph_of(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.get_or_insert_default()
}

fn chain(count: usize, op: &str) -> ModelProto {
    let name = |index: usize| if index == 0 { "a".into() } else { part(index - 1, count) };
    with_nodes((0..count).map(|index| node(op, "", &[&name(index)], &[&name(index + 1)], vec![])).collect())
}

const SHAPES: &[(&str, Shape)] = &[
    ("a chain of rectifiers", |count| chain(count, "Relu")),
    ("a chain of what passes everything", |count| chain(count, "Identity")),
    ("a chain of an unknown operator", |count| chain(count, "Unknown")),
    ("an unknown operator behind a chain", |count| {
        let mut model = chain(count, "Relu");
        let nodes = &mut graph_of(&mut model).node;
        let pool = nodes.len() - 4;
        nodes[pool].op_type = Some("Unknown".into());
        nodes.insert(pool, node("MaxPool", "", &["b"], &["bb"], vec![ints("kernel_shape", &[1, 1])]));
        nodes[pool + 1].input = vec!["bb".into()];
        nodes[pool + 1].op_type = Some("Det".into());
        model
    }),
    ("a chain from the end on, every part an output", |count| {
        let mut model = with_nodes(vec![]);
        let graph = graph_of(&mut model);
        for index in 0..count {
            let from = if index == 0 { "l".into() } else { format!("o{}", index - 1) };
            let to = format!("o{index}");
            graph.node.push(node("Identity", "", &[&from], &[&to], vec![]));
            graph.output.insert(0, value_info(&to, DataType::Float, &[Dim::Unknown, Dim::Fixed(4)]));
        }
        model
    }),
    ("an unknown operator in front of a chain", |count| {
        let mut model = chain(count, "Relu");
        graph_of(&mut model).node[1].op_type = Some("Unknown".into());
        model
    }),
    ("many outputs without a head", |count| {
        let mut model = with_nodes(vec![]);
        let graph = graph_of(&mut model);
        graph.node.retain(|node| node.name() != "pool" && node.name() != "softmax");
        graph.node[2].input[0] = "a".into();
        graph.output.clear();
        for index in 0..count {
            let from = if index == 0 { "l".into() } else { format!("o{}", index - 1) };
            graph.node.push(node("Identity", "", &[&from], &[&format!("o{index}")], vec![]));
            graph
                .output
                .insert(0, value_info(&format!("o{index}"), DataType::Float, &[Dim::Unknown, Dim::Fixed(4)]));
        }
        model
    }),
    ("one factor of many products", |count| {
        let mut nodes = vec![node("Mul", "", &["a", "number"], &["half"], vec![])];
        for index in 0..count {
            let from = if index == 0 { "a".into() } else { part(index - 1, count) };
            nodes.push(node("Mul", "", &[&from, "half"], &[&part(index, count)], vec![]));
        }
        with_nodes(nodes)
    }),
    ("a part of many parts joined", |count| {
        let names: Vec<String> = (0..count).map(|index| format!("t{index}")).collect();
        let mut nodes: Vec<NodeProto> = names.iter().map(|name| relu("a", name)).collect();
        let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
        nodes.push(node("Concat", "", &inputs, &["j"], vec![int("axis", 1)]));
        nodes.push(node("Slice", "", &["j", "two", "three", "one"], &["b"], vec![]));
        let mut model = with_nodes(nodes);
        let bounds =
            [("one", 1), ("two", 2), ("three", 8)].map(|(name, value)| i64_tensor(name, &[1], &[value]));
        graph_of(&mut model).initializer.extend(bounds);
        model
    }),
    ("many branches that nobody uses", |count| {
        let value = || value_info("z", DataType::Float, &[]);
        let no = tensor("value", f32_tensor("", &[], &[0.0]));
        let branch = |name| subgraph(name, graph(name, vec![], vec![value()], vec![], vec![relu("a", "z")]));
        let unused = || node("If", "", &["no"], &[""], vec![branch("then_branch"), branch("else_branch")]);
        let mut nodes = vec![node("Constant", "", &[], &["no"], vec![no])];
        nodes.extend((0..count).map(|_| unused()));
        nodes.push(relu("a", "b"));
        with_nodes(nodes)
    }),
    ("many nodes between many others", |count| {
        let names: Vec<String> = (0..count).map(|index| format!("t{index}")).collect();
        let mut nodes: Vec<NodeProto> = names.iter().map(|name| relu("a", name)).collect();
        let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
        nodes.push(node("Identity", "", &inputs, &["i"], vec![]));
        nodes.extend((0..count).map(|index| relu("i", &format!("u{index}"))));
        let names: Vec<String> = (0..count).map(|index| format!("u{index}")).collect();
        let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
        nodes.push(node("Sum", "", &inputs, &["b"], vec![]));
        with_nodes(nodes)
    }),
    ("a sum of many constants", |count| {
        let names: Vec<String> = (0..count).map(|index| format!("c{index}")).collect();
        let inputs: Vec<&str> = std::iter::once("a").chain(names.iter().map(String::as_str)).collect();
        let mut model = with_nodes(vec![node("Sum", "", &inputs, &["b"], vec![])]);
        graph_of(&mut model).initializer.extend(names.iter().map(|name| f32_tensor(name, &[], &[1.0])));
        model
    }),
    ("a sum of many branches", |count| {
        let names: Vec<String> = (0..count).map(|index| format!("t{index}")).collect();
        let mut nodes: Vec<NodeProto> = names.iter().map(|name| relu("a", name)).collect();
        let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
        nodes.push(node("Sum", "", &inputs, &["b"], vec![]));
        with_nodes(nodes)
    }),
    ("the largest of many branches", |count| {
        let names: Vec<String> = (0..count).map(|index| format!("t{index}")).collect();
        let mut nodes: Vec<NodeProto> = names.iter().map(|name| relu("a", name)).collect();
        let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
        nodes.push(node("Max", "", &inputs, &["b"], vec![]));
        with_nodes(nodes)
    }),
    ("many branches joined", |count| {
        let names: Vec<String> = (0..count).map(|index| format!("t{index}")).collect();
        let mut nodes: Vec<NodeProto> = names.iter().map(|name| relu("a", name)).collect();
        let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
        nodes.push(node("Concat", "", &inputs, &["b"], vec![int("axis", 2)]));
        with_nodes(nodes)
    }),
    ("one split into many", |count| {
        let names: Vec<String> = (0..count).map(|index| part(index, count)).collect();
        let outputs: Vec<&str> = names.iter().map(String::as_str).collect();
        with_nodes(vec![node("Split", "", &["a"], &outputs, vec![int("axis", 2)])])
    }),
    ("a node with many inputs and outputs", |count| {
        let names: Vec<String> = (0..count).map(|index| part(index, count)).collect();
        let outputs: Vec<&str> = names.iter().map(String::as_str).collect();
        with_nodes(vec![node("Concat", "", &vec!["a"; count], &outputs, vec![int("axis", 2)])])
    }),
    ("many inputs", |count| {
        let mut model = with_nodes(vec![relu("a", "b")]);
        let inputs =
            (0..count).map(|index| value_info(&format!("i{index}"), DataType::Float, &[Dim::Fixed(1)]));
        graph_of(&mut model).input.extend(inputs);
        model
    }),
    ("many inputs with a constant each", |count| {
        let mut model = with_nodes(vec![relu("a", "b")]);
        model.ir_version = Some(3);
        for index in 0..count {
            let name = format!("i{index}");
            graph_of(&mut model).input.push(value_info(&name, DataType::Float, &[Dim::Fixed(1)]));
            graph_of(&mut model).initializer.push(f32_tensor(&name, &[1], &[1.0]));
        }
        model
    }),
    ("many operator sets and nodes", |count| {
        let mut model = chain(count, "Relu");
        let opset = |index| OperatorSetIdProto { domain: Some(format!("d{index}")), version: Some(1) };
        model.opset_import = (0..count).map(opset).chain(std::mem::take(&mut model.opset_import)).collect();
        model
    }),
    ("many branches that are known", |count| {
        let value = || value_info("z", DataType::Float, &[]);
        let mut nodes =
            vec![node("Constant", "", &[], &["no"], vec![tensor("value", f32_tensor("", &[], &[0.0]))])];
        for index in 0..count {
            let from = if index == 0 { "a".into() } else { part(index - 1, count) };
            let inner = node("Relu", "", &[&from], &["z"], vec![]);
            let branch =
                |name| subgraph(name, graph(name, vec![], vec![value()], vec![], vec![inner.clone()]));
            let both = vec![branch("then_branch"), branch("else_branch")];
            nodes.push(node("If", "", &["no"], &[&part(index, count)], both));
        }
        with_nodes(nodes)
    }),
    ("many functions, each called", |count| {
        let call = |index: usize| {
            let from = if index == 0 { "a".into() } else { part(index - 1, count) };
            let call = node(&format!("F{index}"), "", &[&from], &[&part(index, count)], vec![]);
            NodeProto { domain: Some("own".into()), ..call }
        };
        let mut model = with_nodes((0..count).map(call).collect());
        model.opset_import.push(OperatorSetIdProto { domain: Some("own".into()), version: Some(1) });
        let function = |index| FunctionProto {
            name: Some(format!("F{index}")),
            domain: Some("own".into()),
            input: vec!["in".into()],
            output: vec!["out".into()],
            node: vec![relu("in", "out")],
            ..Default::default()
        };
        model.functions = (0..count).map(function).collect();
        model
    }),
    ("many shapes computed", |count| {
        let mut nodes = vec![node("Shape", "", &["a"], &["s0"], vec![])];
        for index in 0..count {
            let (from, to) = (format!("s{index}"), format!("s{}", index + 1));
            nodes.push(node("Concat", "", &[&from], &[&to], vec![int("axis", 0)]));
        }
        nodes.push(node("Reshape", "", &["a", &format!("s{count}")], &["b"], vec![]));
        with_nodes(nodes)
    }),
    ("a large index used often", |count| {
        let name = |index: usize| if index == 0 { "a".into() } else { part(index - 1, count) };
        let gather =
            |index| node("Gather", "", &[&name(index), "large"], &[&name(index + 1)], vec![int("axis", 2)]);
        let mut model = with_nodes((0..count).map(gather).collect());
        let values: Vec<i64> = (0..count as i64).map(|index| index % 8).collect();
        graph_of(&mut model).initializer.push(i64_tensor("large", &[count as i64], &values));
        model
    }),
    ("many names alike", |count| {
        let mut model = chain(count, "Relu");
        for (index, node) in graph_of(&mut model).node.iter_mut().enumerate() {
            node.name = Some(format!("camloc.gradient_{index}"));
        }
        model
    }),
];

#[test]
fn time_grows_with_the_size() {
    const COUNT: usize = 10_000;
    // Many times what it takes, and far under what anything quadratic would.
    const LIMIT: Duration = Duration::from_secs(10);
    for (name, shape) in SHAPES {
        for method in [Method::GradCam, Method::Gradient] {
            let mut model = shape(COUNT);
            let request = Request { top_k: 1, method: Some(method), refine: true, ..Request::default() };
            let start = ThreadTime::now();
            let _ = explain(&mut model, &request);
            assert!(start.elapsed() < LIMIT, "{name}: {method:?} took {:?}", start.elapsed());
            let nodes = graph_of(&mut model).node.len();
            assert!(nodes < 40 * COUNT, "{name}: {method:?} made {nodes} nodes");
        }
    }
}

/// The most memory that this process has held at once, in bytes.
#[cfg(target_os = "linux")]
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of every process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak is told");
    let number = line.trim().trim_end_matches(" kB").parse::<usize>().expect("in kB");
    number * 1024
}

/// As [`with_nodes`], for pictures of this side.
#[cfg(target_os = "linux")]
fn of_side(side: i64, middle: Vec<NodeProto>, constants: Vec<TensorProto>) -> ModelProto {
    let mut model = with_nodes(middle);
    let sizes = [Dim::Fixed(1), Dim::Fixed(3), Dim::Fixed(side), Dim::Fixed(side)];
    graph_of(&mut model).input[0] = value_info("x", DataType::Float, &sizes);
    graph_of(&mut model).initializer.extend(constants);
    model
}

/// What a file only says of sizes costs nothing: each of these would take gigabytes written out. In a process of its own,
/// for the other tests take memory at the same time.
#[cfg(target_os = "linux")]
#[test]
fn sizes_that_are_only_claimed_take_no_memory() {
    const ALONE: &str = "CAMLOC_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "large::sizes_that_are_only_claimed_take_no_memory";
        let mut alone = std::process::Command::new(std::env::current_exe().expect("this test is a file"));
        let done = alone.args(["--exact", name]).env(ALONE, "1").output().expect("it runs again");
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    const SIDES: [i64; 3] = [1024, 2048, 1 << 18];
    const ROOM: usize = 256 << 20;
    const LIMIT: Duration = Duration::from_secs(10);
    let long = |name: &str, values: &[i64]| i64_tensor(name, &[values.len() as i64], values);
    let middle = |side: i64| -> Vec<(&str, Vec<NodeProto>, Vec<TensorProto>)> {
        let far = [1, 6, side, side];
        // A part that is computed from claimed sizes, taken together and added to the network's own.
        let joined = |made: Vec<NodeProto>| {
            let all = node("ReduceMax", "", &["made"], &["most"], vec![int("keepdims", 0)]);
            let added = node("Add", "", &["a", "most"], &["b"], vec![]);
            made.into_iter().chain([all, added]).collect::<Vec<_>>()
        };
        let one =
            |op: &str, inputs: &[&str], attributes| joined(vec![node(op, "", inputs, &["made"], attributes)]);
        vec![
            ("alone", vec![], vec![]),
            ("ReduceSum", one("ReduceSum", &["a"], vec![]), vec![]),
            ("ReduceProd", one("ReduceProd", &["a"], vec![]), vec![]),
            ("MaxPool", one("MaxPool", &["a"], vec![ints("kernel_shape", &[2, 2])]), vec![]),
            ("AveragePool", one("AveragePool", &["a"], vec![ints("kernel_shape", &[side, side])]), vec![]),
            ("Expand", one("Expand", &["number", "far"], vec![]), vec![long("far", &far)]),
            ("ConstantOfShape", one("ConstantOfShape", &["far"], vec![]), vec![long("far", &far)]),
            ("Tile", one("Tile", &["a", "far"], vec![]), vec![long("far", &[1, 1, 2, 2])]),
            (
                "Pad",
                one("Pad", &["a", "far"], vec![]),
                vec![long("far", &[0, 0, side, side, 0, 0, side, side])],
            ),
            ("Resize", one("Resize", &["a", "", "", "far"], vec![]), vec![long("far", &far)]),
            ("Concat", one("Concat", &["a", "a"], vec![int("axis", 1)]), vec![]),
            ("Where", one("Where", &["never", "a", "number"], vec![]), vec![long("never", &[0])]),
            (
                "Range",
                joined(vec![
                    node("Range", "", &["zero", "many", "step"], &["range"], vec![]),
                    node("Cast", "", &["range"], &["made"], vec![int("to", 1)]),
                ]),
                vec![
                    i64_tensor("zero", &[], &[0]),
                    i64_tensor("many", &[], &[side * side]),
                    i64_tensor("step", &[], &[1]),
                ],
            ),
            (
                "OneHot",
                one("OneHot", &["places", "many", "off_on"], vec![]),
                vec![
                    long("places", &[0, 1]),
                    i64_tensor("many", &[], &[side * side]),
                    f32_tensor("off_on", &[2], &[0.0, 1.0]),
                ],
            ),
        ]
    };
    let before = peak();
    for side in SIDES {
        for (name, nodes, constants) in middle(side) {
            let model = of_side(side, nodes, constants);
            let start = ThreadTime::now();
            for method in Method::all() {
                let request = Request { top_k: 1, method: Some(method), refine: true, ..Request::default() };
                let _ = explain(&mut model.clone(), &request);
            }
            assert!(start.elapsed() < LIMIT, "{name} of {side} took {:?}", start.elapsed());
            assert!(peak() < before + ROOM, "{name} of {side} took {} MB", (peak() - before) >> 20);
        }
    }
}
