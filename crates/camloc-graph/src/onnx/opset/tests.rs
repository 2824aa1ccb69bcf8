//! Old models before and after, bit for bit on the real runtime.

use prost::Message;

use super::*;
use crate::onnx::build::{
    Dim, f32_tensor, float, floats, graph, i64_tensor, ints, model, node, string, value_info,
};
use crate::testing::Session;

const SHAPE: [usize; 4] = [2, 4, 6, 5];

/// A model of one operator on `x` `[N, 4, 6, 5]`, with weights to choose from.
fn old(
    opset: i64,
    op: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: Vec<AttributeProto>,
) -> ModelProto {
    let dims = [Dim::Symbol("N"), Dim::Fixed(4), Dim::Fixed(6), Dim::Fixed(5)];
    let x = value_info("x", DataType::Float, &dims);
    let y = value_info("y", DataType::Float, &[]);
    let y = ValueInfoProto { r#type: y.r#type.map(without_shape), ..y };
    let constants = vec![
        f32_tensor("scales", &[4], &[1.0, 1.0, 2.0, 1.5]),
        f32_tensor("smaller", &[4], &[1.0, 1.0, 0.5, 0.4]),
        f32_tensor("mixed", &[4], &[1.0, 1.0, 0.5, 2.0]),
        f32_tensor("four", &[4], &[0.5, 1.0, 1.5, 2.0]),
        i64_tensor("two", &[1], &[2]),
    ];
    let constants = constants.into_iter().filter(|tensor| inputs.contains(&tensor.name())).collect();
    let mut model = model(graph(
        "old",
        vec![x],
        vec![y],
        constants,
        vec![node(op, "old_node", inputs, outputs, attributes)],
    ));
    model.opset_import[0].version = Some(opset);
    model
}

fn without_shape(mut of: TypeProto) -> TypeProto {
    if let Some(TypeValue::TensorType(tensor)) = &mut of.value {
        tensor.shape = None;
    }
    of
}

fn run(model: &ModelProto) -> (Vec<usize>, Vec<u32>) {
    let mut session = Session::load(&model.encode_to_vec(), Some(&SHAPE)).unwrap();
    for (index, value) in session.input_mut().iter_mut().enumerate() {
        *value = ((index * 37) % 101) as f32 / 50.0 - 1.0;
    }
    session.run().unwrap();
    let (shape, values) = session.floats("y");
    (shape.to_vec(), values.iter().map(|value| value.to_bits()).collect())
}

#[test]
fn results_stay_the_same_bits() {
    let axis = |axis| vec![int("axis", axis)];
    for plain in [
        old(7, "Clip", &["x"], &["y"], vec![float("min", -0.5), float("max", 0.25)]),
        old(9, "Clip", &["x"], &["y"], vec![float("max", 0.25)]),
        old(8, "Pad", &["x"], &["y"], vec![ints("pads", &[0, 0, 1, 1, 0, 0, 2, 0]), float("value", 1.5)]),
        old(
            8,
            "Pad",
            &["x"],
            &["y"],
            vec![ints("pads", &[0, 0, 1, 1, 0, 0, 2, 0]), string("mode", "reflect")],
        ),
        old(8, "Slice", &["x"], &["y"], vec![ints("starts", &[1]), ints("ends", &[3]), ints("axes", &[2])]),
        old(9, "TopK", &["x"], &["y", "places"], vec![int("k", 2)]),
        old(10, "TopK", &["x", "two"], &["y", "places"], vec![]),
        old(7, "Upsample", &["x"], &["y"], vec![floats("scales", &[1.0, 1.0, 2.0, 1.5])]),
        old(9, "Upsample", &["x", "scales"], &["y"], vec![string("mode", "linear")]),
        old(10, "Resize", &["x", "scales"], &["y"], vec![]),
        old(10, "Resize", &["x", "smaller"], &["y"], vec![]),
        old(10, "Resize", &["x", "smaller"], &["y"], vec![string("mode", "linear")]),
        old(7, "Dropout", &["x"], &["y", "mask"], vec![float("ratio", 0.3)]),
        old(9, "BatchNormalization", &["x", "four", "four", "four", "four"], &["y"], vec![]),
        old(9, "Softmax", &["x"], &["y"], vec![]),
        old(11, "Softmax", &["x"], &["y"], axis(2)),
        old(11, "Softmax", &["x"], &["y"], axis(-1)),
        old(12, "LogSoftmax", &["x"], &["y"], vec![]),
        old(8, "Hardmax", &["x"], &["y"], axis(2)),
        old(9, "ReduceSum", &["x"], &["y"], vec![ints("axes", &[1, 3]), int("keepdims", 0)]),
        old(9, "Unsqueeze", &["x"], &["y"], vec![ints("axes", &[0, 2])]),
        old(9, "Split", &["x"], &["y", "rest"], vec![int("axis", 1), ints("split", &[1, 3])]),
    ] {
        let op = plain.graph.as_ref().unwrap().node[0].op_type().to_owned();
        let before = run(&plain);
        for needed in [11, 13, 17] {
            let mut raised = plain.clone();
            raise(&mut raised, needed).unwrap();
            assert!(raised.opset_import[0].version() >= needed);
            assert_eq!(run(&raised), before, "{op} in operator set {needed}");
        }
    }
}

#[test]
fn limits_have_the_type_of_the_tensor() {
    let mut model = old(8, "Clip", &["x"], &["y"], vec![float("min", 0.0), float("max", 6.0)]);
    let graph = model.graph.as_mut().unwrap();
    graph.input = vec![value_info("x", DataType::Float16, &[Dim::Unknown])];
    raise(&mut model, 17).unwrap();
    let constants = model.graph.unwrap().initializer;
    assert!(constants.iter().all(|tensor| tensor.data_type() == DataType::Float16));
    assert_eq!(super::super::tensor::floats(&constants[1]), Some(vec![6.0]));
}

#[test]
fn subgraphs_are_brought_forward_too() {
    let inner = graph(
        "inner",
        vec![],
        vec![value_info("z", DataType::Float, &[])],
        vec![],
        vec![node("ReduceSum", "sum", &["x"], &["z"], vec![ints("axes", &[1])])],
    );
    let mut model = old(9, "If", &["c"], &["y"], vec![build::subgraph("then_branch", inner)]);
    raise(&mut model, 13).unwrap();
    let graph = model.graph.unwrap();
    let sum = &graph.node[0].attribute[0].g.as_ref().unwrap().node[0];
    assert!(sum.attribute.is_empty());
    assert_eq!(sum.input[1], graph.initializer[0].name());
}

#[test]
fn what_cannot_be_kept_is_named_and_left() {
    let spatial = vec![int("spatial", 0)];
    for (plain, operator) in [
        (old(10, "Resize", &["x", "mixed"], &["y"], vec![]), "Resize"),
        (old(8, "BatchNormalization", &["x"; 5], &["y"], spatial), "BatchNormalization"),
        (old(8, "BatchNormalization", &["x"; 5], &["y", "mean"], vec![]), "BatchNormalization"),
        (old(9, "Dropout", &["x"], &["z", "y"], vec![]), "Dropout"),
        (old(6, "Relu", &["x"], &["y"], vec![]), "Relu"),
        (old(8, "Mystery", &["x"], &["y"], vec![]), "Mystery"),
        (old(8, "Upsample", &["x", "scales"], &["y"], vec![]), "Upsample"),
    ] {
        let mut model = plain.clone();
        let error = raise(&mut model, 17).unwrap_err();
        assert_eq!((error.operator.as_str(), error.node.as_str()), (operator, "old_node"));
        assert!(error.to_string().contains(operator) && !error.to_string().contains('\n'));
        assert_eq!(model, plain);
    }
}

#[test]
fn a_new_model_stays_as_it_is() {
    let plain = old(17, "Mystery", &["x"], &["y"], vec![]);
    let mut model = plain.clone();
    raise(&mut model, 17).unwrap();
    assert_eq!(model, plain);
}
