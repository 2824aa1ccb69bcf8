use prost::Message;

use super::super::build::*;
use super::super::graph::Graph;
use super::super::inline::inline;
use super::super::proto::*;
use super::RUNTIME;
use crate::testing::Session;

/// Values without a pattern, of -1 to 1.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / f64::from(1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn constant(name: &str, dims: &[i64]) -> TensorProto {
    f32_tensor(name, dims, &noise(dims.iter().product::<i64>() as usize))
}

fn runtimes(op: &str, inputs: &[&str], outputs: &[&str], attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto { domain: Some(RUNTIME.into()), ..node(op, op, inputs, outputs, attributes) }
}

/// A model of nodes from `x` of a shape to `y`, in an operator set.
fn model_of(opset: i64, shape: &[i64], constants: Vec<TensorProto>, nodes: Vec<NodeProto>) -> ModelProto {
    let dims: Vec<Dim<'_>> = shape.iter().map(|&size| Dim::Fixed(size)).collect();
    let x = value_info("x", DataType::Float, &dims);
    let mut y = value_info("y", DataType::Float, &[]);
    if let Some(TypeValue::TensorType(tensor)) = y.r#type.as_mut().and_then(|of| of.value.as_mut()) {
        tensor.shape = None;
    }
    let mut model = model(graph("g", vec![x], vec![y], constants, nodes));
    model.opset_import[0].version = Some(opset);
    model.opset_import.push(OperatorSetIdProto { domain: Some(RUNTIME.into()), version: Some(1) });
    model
}

fn run(model: &ModelProto) -> Vec<f32> {
    let mut session = Session::load(&model.encode_to_vec(), None).unwrap();
    let count = session.input_mut().len();
    session.input_mut().copy_from_slice(&noise(count));
    session.run().unwrap();
    session.floats("y").1.to_vec()
}

/// Sees that a model is written out in standard operators and says the same, within a share of its largest value.
#[track_caller]
fn same(mut model: ModelProto, share: f32) {
    let before = run(&model);
    inline(&mut model).unwrap();
    let graph = Graph::new(&model);
    let left: Vec<&str> =
        graph.nodes().iter().filter(|n| n.domain() == RUNTIME).map(|n| n.op_type()).collect();
    assert!(left.is_empty(), "{left:?}");
    let after = run(&model);
    let largest = before.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (before, after) in before.iter().zip(&after) {
        assert!((before - after).abs() <= share * largest, "{before} became {after}");
    }
}

#[test]
fn activations() {
    for op in ["Gelu", "FastGelu", "QuickGelu"] {
        same(model_of(13, &[2, 5], vec![], vec![runtimes(op, &["x"], &["y"], vec![])]), 1e-5);
    }
    for op in ["BiasGelu", "FastGelu"] {
        let nodes = vec![runtimes(op, &["x", "b"], &["y"], vec![])];
        same(model_of(13, &[2, 5], vec![constant("b", &[5])], nodes), 1e-5);
    }
}

#[test]
fn convolutions_and_products() {
    for (activation, parameters) in [
        ("Relu", vec![]),
        ("Clip", vec![-0.1, 0.3]),
        ("LeakyRelu", vec![0.2]),
        ("HardSigmoid", vec![0.2, 0.5]),
    ] {
        let attributes = vec![
            string("activation", activation),
            floats("activation_params", &parameters),
            ints("pads", &[1, 1, 1, 1]),
        ];
        let nodes = vec![runtimes("FusedConv", &["x", "w", "b"], &["y"], attributes)];
        let constants = vec![constant("w", &[4, 3, 3, 3]), constant("b", &[4])];
        same(model_of(13, &[1, 3, 5, 5], constants, nodes), 1e-5);
    }
    let attributes = vec![float("alpha", 0.5), int("transA", 1), int("transB", 1)];
    let nodes = vec![runtimes("FusedMatMul", &["x", "w"], &["y"], attributes)];
    same(model_of(13, &[2, 3, 4], vec![constant("w", &[5, 3])], nodes), 1e-5);
    let attributes = vec![string("activation", "Relu"), int("transB", 1)];
    let nodes = vec![runtimes("FusedGemm", &["x", "w", "b"], &["y"], attributes)];
    same(model_of(13, &[2, 3], vec![constant("w", &[5, 3]), constant("b", &[5])], nodes), 1e-5);
}

#[test]
fn norms_in_old_and_new_operator_sets() {
    for opset in [13, 17] {
        let constants = vec![constant("skip", &[2, 3, 4]), constant("scale", &[4]), constant("bias", &[4])];
        let nodes = vec![
            runtimes(
                "SkipLayerNormalization",
                &["x", "skip", "scale", "bias"],
                &["n", "", "", "s"],
                vec![float("epsilon", 1e-5)],
            ),
            node("Add", "y", &["n", "s"], &["y"], vec![]),
        ];
        same(model_of(opset, &[2, 3, 4], constants, nodes), 1e-4);
    }
    let nodes = vec![node("LayerNormalization", "n", &["x", "scale"], &["y"], vec![])];
    let mut old = model_of(13, &[2, 3, 4], vec![constant("scale", &[4])], nodes);
    let before = run(&old);
    inline(&mut old).unwrap();
    assert!(Graph::new(&old).nodes().iter().all(|node| node.op_type() != "LayerNormalization"));
    assert!(before.iter().zip(run(&old)).all(|(before, after)| (before - after).abs() < 1e-4));
}

#[test]
fn attention_of_the_runtime() {
    let constants = vec![constant("w", &[4, 12]), constant("b", &[12])];
    let nodes = vec![runtimes("Attention", &["x", "w", "b"], &["y"], vec![int("num_heads", 2)])];
    same(model_of(13, &[2, 5, 4], constants, nodes), 1e-5);
    let constants = vec![constant("k", &[2, 3, 4]), constant("v", &[2, 3, 4]), constant("b", &[12])];
    let nodes =
        vec![runtimes("MultiHeadAttention", &["x", "k", "v", "b"], &["y"], vec![int("num_heads", 2)])];
    same(model_of(13, &[2, 5, 4], constants, nodes), 1e-5);
}

#[test]
fn attention_of_the_standard() {
    let heads = vec![int("q_num_heads", 2), int("kv_num_heads", 2)];
    let constants = vec![constant("k", &[2, 3, 4]), constant("v", &[2, 3, 4])];
    let packed = node("Attention", "a", &["x", "k", "v"], &["y"], heads);
    same(model_of(23, &[2, 5, 4], constants, vec![packed]), 1e-5);
    let constants =
        vec![constant("k", &[2, 2, 3, 4]), constant("v", &[2, 2, 3, 4]), constant("mask", &[5, 3])];
    let apart = node("Attention", "a", &["x", "k", "v", "mask"], &["y"], vec![float("scale", 0.7)]);
    same(model_of(23, &[2, 2, 5, 4], constants, vec![apart]), 1e-5);
}

fn steps(name: &str, element: DataType, dims: &[i64], values: &[u8]) -> TensorProto {
    raw_tensor(name, element, dims, values.to_vec())
}

#[test]
fn operators_of_quantised_tensors() {
    let weight: Vec<u8> = (0..24).map(|at| (at * 37 % 251) as u8).collect();
    let constants = vec![
        f32_tensor("s", &[], &[0.01]),
        steps("z", DataType::Uint8, &[], &[128]),
        steps("w", DataType::Int8, &[4, 6, 1, 1], &weight),
        f32_tensor("ws", &[4], &[0.01, 0.02, 0.03, 0.01]),
        steps("wz", DataType::Int8, &[4], &[0; 4]),
        raw_tensor(
            "b",
            DataType::Int32,
            &[4],
            [9_i32, -9, 90, 0].iter().flat_map(|v| v.to_le_bytes()).collect(),
        ),
        f32_tensor("ys", &[], &[0.02]),
        i64_tensor("flat", &[2], &[1, -1]),
        steps("g", DataType::Int8, &[4, 3], &weight[..12]),
        steps("gz", DataType::Int8, &[], &[0]),
    ];
    let nodes = vec![
        node("QuantizeLinear", "q", &["x", "s", "z"], &["q"], vec![]),
        node("QLinearConv", "c", &["q", "s", "z", "w", "ws", "wz", "ys", "z", "b"], &["c"], vec![]),
        runtimes("QLinearAdd", &["c", "ys", "z", "c", "ys", "z", "ys", "z"], &["a"], vec![]),
        node("MaxPool", "m", &["a"], &["m"], vec![ints("kernel_shape", &[2, 2])]),
        runtimes(
            "QLinearConcat",
            &["ys", "z", "m", "ys", "z", "m", "ys", "z"],
            &["cc"],
            vec![int("axis", 2)],
        ),
        runtimes("QLinearLeakyRelu", &["cc", "ys", "z", "ys", "z"], &["l"], vec![float("alpha", 0.1)]),
        runtimes("QLinearGlobalAveragePool", &["l", "ys", "z", "ys", "z"], &["p"], vec![]),
        node("Reshape", "f", &["p", "flat"], &["f"], vec![]),
        runtimes("QGemm", &["f", "ys", "z", "g", "s", "gz"], &["y"], vec![]),
    ];
    // A step more or less, where a value lies between two.
    same(model_of(13, &[1, 6, 3, 3], constants, nodes), 0.05);
}

#[test]
fn products_that_quantise_what_they_multiply() {
    let constants = vec![
        steps("w", DataType::Int8, &[3, 2], &[3, 200, 7, 90, 255, 1]),
        f32_tensor("s", &[], &[0.01]),
        constant("b", &[2]),
    ];
    let nodes = vec![runtimes("DynamicQuantizeMatMul", &["x", "w", "s", "", "b"], &["y"], vec![])];
    same(model_of(13, &[2, 3], constants, nodes), 1e-5);
}
