use super::*;
use crate::onnx::build::*;
use crate::onnx::proto::*;

fn op(op_type: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    node(op_type, output, inputs, &[output], attributes)
}

fn constant(name: &str, dims: &[i64]) -> TensorProto {
    f32_tensor(name, dims, &vec![0.5; dims.iter().product::<i64>() as usize])
}

fn list(name: &str, values: &[i64]) -> TensorProto {
    i64_tensor(name, &[values.len() as i64], values)
}

fn fixed(dims: &[i64]) -> Vec<Dim<'static>> {
    dims.iter().map(|&size| Dim::Fixed(size)).collect()
}

/// The layout of every named tensor of a graph fed with `x`; `known` declares shapes.
fn layouts<const COUNT: usize>(
    input: &[i64],
    constants: Vec<TensorProto>,
    nodes: Vec<NodeProto>,
    known: &[(&str, &[i64])],
    tensors: [&str; COUNT],
) -> [Option<Layout>; COUNT] {
    let input = value_info("x", DataType::Float, &fixed(input));
    let mut model = model(graph("g", vec![input], vec![], constants, nodes));
    let declared = known.iter().map(|(name, dims)| value_info(name, DataType::Float, &fixed(dims)));
    model.graph.as_mut().unwrap().value_info.extend(declared);
    let graph = Graph::new(&model);
    let spaces = Spaces::of(&graph);
    tensors.map(|tensor| spaces.layout(tensor))
}

fn tokens(prefix: usize, rows: usize, columns: usize) -> Option<Layout> {
    Some(Layout::Tokens { prefix, grid: (rows, columns) })
}

/// Patches of a picture of 8 x 12 as tokens `[1, 6, 5]`.
fn patches() -> (Vec<TensorProto>, Vec<NodeProto>) {
    let constants = vec![constant("patch", &[5, 3, 4, 4]), list("flat", &[0, 5, -1])];
    let nodes = vec![
        op("Conv", &["x", "patch"], "conv", vec![ints("strides", &[4, 4])]),
        op("Reshape", &["conv", "flat"], "folded", vec![]),
        op("Transpose", &["folded"], "tokens", vec![ints("perm", &[0, 2, 1])]),
    ];
    (constants, nodes)
}

const PICTURE: [i64; 4] = [1, 3, 8, 12];

#[test]
fn convolutions_and_what_goes_over_channels_keep_the_map_and_poolings_of_all_end_it() {
    let constants =
        vec![constant("w", &[5, 3, 3, 3]), constant("one", &[5, 5, 1, 1]), constant("scale", &[5])];
    let nodes = vec![
        op("Conv", &["x", "w"], "conv", vec![]),
        op("Relu", &["conv"], "relu", vec![]),
        op("GlobalAveragePool", &["relu"], "gap", vec![]),
        op("Conv", &["gap", "one"], "squeezed", vec![]),
        op("Sigmoid", &["squeezed"], "gate", vec![]),
        op("Mul", &["gate", "relu"], "gated", vec![]),
        op("Transpose", &["gated"], "last", vec![ints("perm", &[0, 2, 3, 1])]),
        op("LayerNormalization", &["last", "scale"], "norm", vec![]),
        op("ReduceMean", &["norm"], "mean", vec![ints("axes", &[1, 2])]),
    ];
    let found = layouts(
        &PICTURE,
        constants,
        nodes,
        &[],
        ["relu", "gated", "norm", "gap", "squeezed", "gate", "mean"],
    );
    let nhwc = Some(Layout::Nhwc);
    assert_eq!(found, [Some(Layout::Nchw), Some(Layout::Nchw), nhwc, None, None, None, None]);
}

#[test]
fn a_picture_with_channels_last_is_followed_too() {
    let nodes = vec![op("Relu", &["x"], "relu", vec![])];
    assert_eq!(layouts(&[1, 8, 12, 3], vec![], nodes, &[], ["x", "relu"]), [Some(Layout::Nhwc); 2]);
}

#[test]
fn class_and_register_tokens_come_before_the_grid_and_may_be_cut_off() {
    let (mut constants, mut nodes) = patches();
    constants.extend([constant("two", &[1, 2, 5]), constant("position", &[1, 8, 5])]);
    constants.extend([constant("w", &[5, 7]), constant("scale", &[5])]);
    constants.extend([list("1", &[1]), list("2", &[2]), list("end", &[i64::MAX])]);
    constants.push(i64_tensor("zero", &[], &[0]));
    let cut = |from, to| op("Slice", &["added", from, "end", "1"], to, vec![]);
    nodes.extend([
        op("Concat", &["two", "tokens"], "joined", vec![int("axis", 1)]),
        op("Add", &["joined", "position"], "added", vec![]),
        op("MatMul", &["added", "w"], "hidden", vec![]),
        cut("1", "registers"),
        cut("2", "places"),
        op("Gather", &["added", "zero"], "class", vec![int("axis", 1)]),
        op("Concat", &["tokens", "two"], "behind", vec![int("axis", 1)]),
    ]);
    let known: [(&str, &[i64]); 2] = [("registers", &[1, 7, 5]), ("places", &[1, 6, 5])];
    let names = ["tokens", "hidden", "registers", "places", "class", "behind", "folded"];
    let found = layouts(&PICTURE, constants, nodes, &known, names);
    let expected = [tokens(0, 2, 3), tokens(2, 2, 3), tokens(1, 2, 3), tokens(0, 2, 3), None, None, None];
    assert_eq!(found, expected);
}

#[test]
fn attention_keeps_the_places_that_look_and_tokens_go_back_to_a_map() {
    let (mut constants, mut nodes) = patches();
    constants.extend([constant("w", &[5, 8])]);
    constants.extend([list("heads", &[0, 6, 2, 4]), list("joined", &[0, 6, 8]), list("map", &[0, 8, 2, 3])]);
    let heads = |from: &str, to: &str, perm: &[i64]| {
        let split = format!("{from}_heads");
        [
            op("Reshape", &[from, "heads"], &split, vec![]),
            op("Transpose", &[&split], to, vec![ints("perm", perm)]),
        ]
    };
    nodes.push(op("MatMul", &["tokens", "w"], "q", vec![]));
    nodes.push(op("MatMul", &["tokens", "w"], "k", vec![]));
    nodes.extend(heads("q", "queries", &[0, 2, 1, 3]));
    nodes.extend(heads("k", "keys", &[0, 2, 3, 1]));
    nodes.extend([
        op("MatMul", &["queries", "keys"], "scores", vec![]),
        op("Softmax", &["scores"], "weights", vec![]),
        op("MatMul", &["weights", "queries"], "seen", vec![]),
        op("Transpose", &["seen"], "turned", vec![ints("perm", &[0, 2, 1, 3])]),
        op("Reshape", &["turned", "joined"], "out", vec![]),
        op("Transpose", &["out"], "channels", vec![ints("perm", &[0, 2, 1])]),
        op("Reshape", &["channels", "map"], "back", vec![]),
    ]);
    let found = layouts(&PICTURE, constants, nodes, &[], ["scores", "out", "back"]);
    assert_eq!(found, [None, tokens(0, 2, 3), Some(Layout::Nchw)]);
}

#[test]
fn mixing_over_places_loses_them_and_a_residual_gives_them_back() {
    let (mut constants, mut nodes) = patches();
    constants.push(constant("mix", &[6, 6]));
    nodes.extend([
        op("MatMul", &["folded", "mix"], "mixed", vec![]),
        op("Transpose", &["mixed"], "back", vec![ints("perm", &[0, 2, 1])]),
        op("Add", &["tokens", "back"], "sum", vec![]),
    ]);
    let found = layouts(&PICTURE, constants, nodes, &[], ["mixed", "back", "sum"]);
    assert_eq!(found, [None, None, tokens(0, 2, 3)]);
}

#[test]
fn windows_are_no_map_and_a_residual_ends_them() {
    // A map of 8 x 6 in windows of 2 x 3, as Swin does, there and back.
    let constants = vec![
        list("cut", &[1, 4, 2, 2, 3, 3]),
        list("windows", &[8, 6, 3]),
        list("whole", &[1, 8, 6, 3]),
        constant("mix", &[6, 6]),
    ];
    let nodes = vec![
        op("Reshape", &["x", "cut"], "cut_up", vec![]),
        op("Transpose", &["cut_up"], "sorted", vec![ints("perm", &[0, 1, 3, 2, 4, 5])]),
        op("Reshape", &["sorted", "windows"], "window", vec![]),
        op("MatMul", &["mix", "window"], "mixed", vec![]),
        op("Reshape", &["mixed", "cut"], "apart", vec![]),
        op("Transpose", &["apart"], "resorted", vec![ints("perm", &[0, 1, 3, 2, 4, 5])]),
        op("Reshape", &["resorted", "whole"], "merged", vec![]),
        op("Add", &["merged", "x"], "sum", vec![]),
    ];
    let found = layouts(&[1, 8, 6, 3], constants, nodes, &[], ["cut_up", "window", "mixed", "merged", "sum"]);
    assert_eq!(found, [None, None, None, None, Some(Layout::Nhwc)]);
}

#[test]
fn norms_over_groups_in_pieces_and_patches_by_reshape_are_followed() {
    let constants = vec![
        list("grouped", &[0, 2, -1]),
        list("map", &[1, 4, 8, 12]),
        list("patched", &[1, 4, 2, 4, 3, 4]),
        list("sequence", &[1, 6, 64]),
        constant("scale", &[2]),
        constant("w", &[4, 3, 1, 1]),
    ];
    let nodes = vec![
        op("Conv", &["x", "w"], "conv", vec![]),
        op("Reshape", &["conv", "grouped"], "groups", vec![]),
        op("InstanceNormalization", &["groups", "scale", "scale"], "normal", vec![]),
        op("Reshape", &["normal", "map"], "norm", vec![]),
        op("Reshape", &["norm", "patched"], "cut", vec![]),
        op("Transpose", &["cut"], "sorted", vec![ints("perm", &[0, 2, 4, 3, 5, 1])]),
        op("Reshape", &["sorted", "sequence"], "tokens", vec![]),
    ];
    let found = layouts(&PICTURE, constants, nodes, &[], ["groups", "norm", "tokens"]);
    assert_eq!(found, [None, Some(Layout::Nchw), tokens(0, 2, 3)]);
}

#[test]
fn a_picture_without_places_is_no_reason_to_divide() {
    let constants = vec![list("flat", &[1, 3, 0])];
    let nodes = vec![op("Reshape", &["x", "flat"], "y", vec![int("allowzero", 1)])];
    assert_eq!(layouts(&[1, 3, 8, 8], constants.clone(), nodes.clone(), &[], ["y"]), [None]);
    let empty = vec![list("none", &[0]), list("axes", &[2])];
    let nodes = [vec![op("Slice", &["x", "none", "none", "axes"], "x0", vec![])], nodes];
    let mut nodes = nodes.concat();
    nodes[1].input[0] = "x0".into();
    assert_eq!(layouts(&[1, 3, 8, 8], [constants, empty].concat(), nodes, &[], ["y"]), [None]);
}
