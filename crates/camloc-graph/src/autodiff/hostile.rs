//! Nodes as only a hostile file has them: a rule refuses them or makes something of them, but never panics, and never
//! writes much.

use super::*;
use crate::onnx::build::*;
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::proto::*;

const HUGE: [i64; 6] = [i64::MAX, i64::MIN, 1 << 60, -(1 << 60), 1 << 40, 0];

/// What the gradient through one node `y` of an input `x` of this shape says; `y` may be declared.
#[track_caller]
fn through(
    node: NodeProto,
    shape: &[i64],
    declared: Option<&[i64]>,
    constants: &[TensorProto],
) -> Option<String> {
    let fixed = |name: &str, shape: &[i64]| {
        value_info(name, DataType::Float, &shape.iter().map(|&size| Dim::Fixed(size)).collect::<Vec<_>>())
    };
    let outputs = declared.map(|shape| fixed("y", shape)).into_iter().collect();
    let seed = value_info("g", DataType::Float, &[]);
    let mut model = model(graph("g", vec![fixed("x", shape), seed], outputs, constants.to_vec(), vec![node]));
    let mut refusal = None;
    for count in [1, 2] {
        let mut graph = GraphEditor::new(&mut model);
        let seed = Seed::Given { tensor: "g".into(), count };
        refusal = gradients(&mut graph, "y", &seed, &["x".into()], Rectifier::Plain).err();
    }
    let graph = model.graph.unwrap();
    let bytes: usize = graph.initializer.iter().map(|tensor| tensor.raw_data().len()).sum();
    assert!(bytes < 10 << 20 && graph.node.len() < 10_000, "{bytes} bytes, {} nodes", graph.node.len());
    refusal.map(|refusal| refusal.to_string())
}

fn op(operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> NodeProto {
    node(operator, "n", inputs, &["y"], attributes)
}

#[test]
fn absurd_windows() {
    let kernel = [f32_tensor("w", &[3, 3, 2, 2], &[0.0; 36])];
    for value in HUGE {
        for name in
            ["pads", "strides", "dilations", "output_padding", "output_shape", "group", "kernel_shape"]
        {
            for length in [1, 2, 4] {
                let absurd = || match name {
                    "group" => int(name, value),
                    _ => ints(name, &vec![value; length]),
                };
                for operator in ["Conv", "ConvTranspose"] {
                    through(op(operator, &["x", "w"], vec![absurd()]), &[1, 3, 8, 8], None, &kernel);
                }
                for operator in ["AveragePool", "MaxPool"] {
                    let attributes = vec![absurd(), ints("kernel_shape", &[2, 2]), int("ceil_mode", 1)];
                    through(op(operator, &["x"], attributes), &[1, 3, 8, 8], None, &[]);
                }
            }
        }
    }
    // A kernel that nobody could write out, and an output that has no axes for it.
    let large = || ints("kernel_shape", &[65535, 65535]);
    let said =
        through(op("AveragePool", &["x"], vec![large(), ints("strides", &[2, 2])]), &[1, 3, 8, 8], None, &[]);
    assert!(said.unwrap().contains("places"));
    let tiled = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
    through(op("AveragePool", &["x"], tiled), &[1, 3], Some(&[1, 3, 4]), &[]);
}

#[test]
fn absurd_pads_indices_and_blocks() {
    for value in HUGE {
        let pads = [i64_tensor("p", &[4], &[value; 4])];
        through(op("Pad", &["x", "p"], vec![]), &[2, 3], None, &pads);
        through(op("Pad", &["x", "p"], vec![string("mode", "reflect")]), &[2, 3], None, &pads);
        let index = [i64_tensor("i", &[1], &[value])];
        through(op("Gather", &["x", "i"], vec![]), &[4, 3], None, &index);
        through(op("Gather", &["x", "i"], vec![]), &[0, 3], None, &index);
        let words = ["s", "e", "a", "t"].map(|name| {
            i64_tensor(
                name,
                &[1],
                &[if name == "a" {
                    0
                } else if name == "t" {
                    -1
                } else {
                    value
                }],
            )
        });
        for size in [0, 4] {
            through(op("Slice", &["x", "s", "e", "a", "t"], vec![]), &[size, 3], Some(&[size, 3]), &words);
        }
        through(
            op("DepthToSpace", &["x"], vec![int("blocksize", value), string("mode", "CRD")]),
            &[1, 4, 2, 2],
            None,
            &[],
        );
        through(op("LRN", &["x"], vec![int("size", value)]), &[1, 4, 2, 2], None, &[]);
        let sizes = [i64_tensor("sizes", &[4], &[1, 4, value, value])];
        through(op("Resize", &["x", "", "", "sizes"], vec![]), &[1, 4, 2, 2], None, &sizes);
    }
    assert!(through(op("LRN", &["x"], vec![int("size", 5)]), &[1, 1 << 20, 2, 2], None, &[]).is_some());
}

#[test]
fn shapes_that_contradict_each_other() {
    for shape in [&[0, 5][..], &[1 << 40, 1 << 40], &[1 << 60, 4], &[4]] {
        for declared in [&[5, 0][..], &[1 << 40, 1 << 40], &[2], &[], &[1, 1, 1, 1, 1]] {
            for operator in [
                "Reshape",
                "Transpose",
                "MatMul",
                "Gemm",
                "Flatten",
                "Expand",
                "Softmax",
                "Add",
                "GlobalMaxPool",
            ] {
                let other = [f32_tensor("w", &[1], &[0.0])];
                through(op(operator, &["x", "w"], vec![]), shape, Some(declared), &other);
                through(op(operator, &["w", "x"], vec![]), shape, Some(declared), &other);
                through(op(operator, &["w", "w", "x", "x"], vec![]), shape, Some(declared), &other);
            }
        }
    }
}

#[test]
fn a_node_of_very_many_operands_is_refused() {
    assert!(through(op("Max", &["x"; 17], vec![]), &[2, 3], None, &[]).unwrap().contains("over 16 operands"));
    assert!(through(op("Concat", &["x"; 300], vec![]), &[2, 3], None, &[]).unwrap().contains("over 256"));
}

#[test]
fn a_long_chain_of_products_does_not_overflow_the_stack() {
    let name = |index: usize| if index == 0 { "x".into() } else { format!("t{index}") };
    let product = |index| node("Mul", "", &[&name(index), "half"], &[&name(index + 1)], vec![]);
    let x = value_info("x", DataType::Float, &[Dim::Fixed(2)]);
    let nodes = (0..50_000).map(product).collect();
    let model = model(graph("g", vec![x], vec![], vec![f32_tensor("half", &[], &[0.5])], nodes));
    let graph = Graph::new(&model);
    assert_eq!(between(&graph, "x", "t50000").len(), 50_000);
}

#[test]
fn what_has_a_gradient_all_the_way_is_told_for_all_tensors_at_once() {
    let nodes = vec![
        node("Relu", "", &["x"], &["a"], vec![]),
        node("Unknown", "", &["a"], &["b"], vec![]),
        node("Relu", "", &["b"], &["c"], vec![]),
        node("Relu", "", &["a"], &["d"], vec![]),
        node("Add", "", &["c", "d"], &["y"], vec![]),
        node("Relu", "", &["y"], &["after"], vec![]),
    ];
    let x = value_info("x", DataType::Float, &[Dim::Fixed(2)]);
    let model = model(graph("g", vec![x], vec![], vec![], nodes));
    let graph = Graph::new(&model);
    let mut found: Vec<&str> = differentiable(&graph, "y").into_iter().collect();
    found.sort_unstable();
    assert_eq!(found, ["b", "c", "d", "y"], "a leads to y by the unknown operator as well");
}
