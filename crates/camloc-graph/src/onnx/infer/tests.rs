//! Shapes, element types and values that follow from operators.

use crate::onnx::build::{
    self, Dim, f32_tensor, graph, i64_tensor, int, ints, model, node, string, value_info,
};
use crate::onnx::graph::Graph;
use crate::onnx::proto::*;

/// What is known of the output of one operator on `x` `[N, 8, 7, 9]`, a weight `w` and integers `i`.
fn shape(op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> Option<Vec<Option<i64>>> {
    let dims = [Dim::Symbol("N"), Dim::Fixed(8), Dim::Fixed(7), Dim::Fixed(9)];
    let x = value_info("x", DataType::Float, &dims);
    let unknown = ValueInfoProto { name: Some("unknown".into()), ..Default::default() };
    let constants = vec![
        f32_tensor("w", &[4, 8, 3, 3], &[0.0; 4 * 8 * 9]),
        f32_tensor("matrix", &[9, 5], &[0.0; 45]),
        i64_tensor("i", &[2], &[0, -1]),
        i64_tensor("axes", &[2], &[2, 3]),
    ];
    let node = node(op, "node", inputs, &["y"], attributes);
    let model = model(graph("g", vec![x, unknown], vec![], constants, vec![node]));
    Graph::new(&model).shape("y").map(<[_]>::to_vec)
}

#[test]
fn shapes_follow_from_operators() {
    let n = None;
    let dims = |sizes: [i64; 3]| Some(std::iter::once(n).chain(sizes.map(Some)).collect::<Vec<_>>());
    assert_eq!(shape("Conv", &["x", "w"], vec![]), dims([4, 5, 7]));
    let attributes = vec![ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 2]), ints("dilations", &[2, 1])];
    assert_eq!(shape("Conv", &["x", "w"], attributes), dims([4, 3, 5]));
    let attributes = vec![string("auto_pad", "SAME_UPPER"), ints("strides", &[2, 2])];
    assert_eq!(shape("Conv", &["x", "w"], attributes), dims([4, 4, 5]));
    assert_eq!(shape("Conv", &["unknown", "w"], vec![]), Some(vec![n, Some(4), n, n]));
    assert_eq!(shape("MaxPool", &["x"], vec![ints("kernel_shape", &[7, 9])]), dims([8, 1, 1]));
    assert_eq!(shape("GlobalAveragePool", &["x"], vec![]), dims([8, 1, 1]));
    assert_eq!(shape("ReduceMean", &["x", "axes"], vec![]), dims([8, 1, 1]));
    assert_eq!(
        shape("ReduceMean", &["x"], vec![ints("axes", &[-1, 2]), int("keepdims", 0)]),
        Some(vec![n, Some(8)])
    );
    assert_eq!(shape("Flatten", &["x"], vec![]), Some(vec![n, Some(504)]));
    assert_eq!(shape("Reshape", &["x", "i"], vec![]), Some(vec![n, Some(504)]));
    assert_eq!(shape("Reshape", &["unknown", "i"], vec![]), Some(vec![n, n]));
    assert_eq!(shape("Transpose", &["x"], vec![ints("perm", &[0, 2, 3, 1])]), dims([7, 9, 8]));
    assert_eq!(shape("Concat", &["x", "x"], vec![int("axis", 1)]), dims([16, 7, 9]));
    assert_eq!(shape("Add", &["matrix", "unknown"], vec![]), None);
    assert_eq!(shape("MatMul", &["x", "matrix"], vec![]), dims([8, 7, 5]));
    assert_eq!(shape("Gather", &["x", "i"], vec![int("axis", 1)]), dims([2, 7, 9]));
    assert_eq!(
        shape("Unsqueeze", &["matrix"], vec![ints("axes", &[0, -1])]),
        Some([1, 9, 5, 1].map(Some).into())
    );
    assert_eq!(shape("Squeeze", &["x", "axes"], vec![]), Some(vec![n, Some(8)]));
    assert_eq!(shape("Relu", &["x"], vec![]), dims([8, 7, 9]));
    assert_eq!(shape("SomethingElse", &["x"], vec![]), None);
}

#[test]
fn nonsense_is_unknown() {
    assert_eq!(shape("Transpose", &["x"], vec![ints("perm", &[0, 9])]), None);
    assert_eq!(shape("Concat", &["x"], vec![int("axis", i64::MIN)]), None);
    assert_eq!(shape("Flatten", &["x"], vec![int("axis", 7)]), None);
    assert_eq!(shape("Conv", &["x", "matrix"], vec![]), None);
    let windows = shape("MaxPool", &["x"], vec![ints("kernel_shape", &[i64::MAX, -1])]);
    assert_eq!(windows, Some(vec![None, Some(8), None, None]));
}

#[test]
fn element_types_follow_from_operators() {
    let half = build::raw_tensor("h", DataType::Float16, &[1], vec![0; 2]);
    let nodes = vec![
        node("Cast", "cast", &["h"], &["f"], vec![int("to", 1)]),
        node("Shape", "shape", &["f"], &["s"], vec![]),
        node("Mul", "mul", &["h", "h"], &["m"], vec![]),
        node("Mystery", "mystery", &["h"], &["q"], vec![]),
    ];
    let mut model = model(graph("g", vec![], vec![], vec![half], nodes));
    model.graph.as_mut().unwrap().node[3].domain = Some("elsewhere".into());
    let graph = Graph::new(&model);
    let found = ["f", "s", "m", "q"].map(|name| graph.element_type(name));
    assert_eq!(found, [Some(DataType::Float), Some(DataType::Int64), Some(DataType::Float16), None]);
}

/// A model on `x` `[N, 3, H, W]` with integers to compute with.
fn on_open_picture(nodes: Vec<NodeProto>) -> ModelProto {
    let dims = [Dim::Symbol("N"), Dim::Fixed(3), Dim::Symbol("H"), Dim::Unknown];
    let ints = [
        ("zero", 0),
        ("one", 1),
        ("two", 2),
        ("three", 3),
        ("minus", -1),
        ("half_way", 32),
        ("last", i64::MAX),
    ];
    let lists = ints.iter().map(|&(name, value)| i64_tensor(name, &[1], &[value]));
    let scalars = ints.iter().map(|&(name, value)| i64_tensor(&format!("{name}_"), &[], &[value]));
    model(graph(
        "g",
        vec![value_info("x", DataType::Float, &dims)],
        vec![],
        lists.chain(scalars).collect(),
        nodes,
    ))
}

fn op(op_type: &str, inputs: &[&str], output: &str) -> NodeProto {
    node(op_type, output, inputs, &[output], vec![])
}

fn with(op_type: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    node(op_type, output, inputs, &[output], attributes)
}

/// `x.view(x.size(0), -1)` as an older exporter writes it.
#[test]
fn the_rank_and_rest_of_a_computed_reshape_are_known() {
    let model = on_open_picture(vec![
        op("GlobalAveragePool", &["x"], "pooled"),
        op("Shape", &["pooled"], "shape"),
        op("Gather", &["shape", "zero_"], "batch"),
        op("Unsqueeze", &["batch", "zero"], "batch_list"),
        with("Concat", &["batch_list", "minus"], "target", vec![int("axis", 0)]),
        op("Reshape", &["pooled", "target"], "flat"),
    ]);
    let graph = Graph::new(&model);
    assert_eq!(graph.shape("flat"), Some(&[None, Some(3)][..]));
    assert_eq!((graph.ints("target"), graph.ints("batch")), (None, None));
    assert_eq!(graph.rank("batch_list"), Some(1));
}

/// `F.pad` as an older exporter writes it.
#[test]
fn paddings_behind_a_chain_of_operators_are_known() {
    let zeros = build::tensor("value", i64_tensor("", &[1], &[0]));
    let cast = || vec![int("to", DataType::Int64 as i64)];
    let mut model = on_open_picture(vec![
        with("Constant", &[], "given", vec![build::tensor("value", i64_tensor("", &[4], &[1, 2, 3, 4]))]),
        op("Shape", &["given"], "count"),
        with("Constant", &[], "eight", vec![build::tensor("value", i64_tensor("", &[1], &[8]))]),
        op("Sub", &["eight", "count"], "missing"),
        with("ConstantOfShape", &["missing"], "zeros", vec![zeros]),
        with("Concat", &["given", "zeros"], "all", vec![int("axis", 0)]),
        with("Constant", &[], "pairs", vec![build::tensor("value", i64_tensor("", &[2], &[-1, 2]))]),
        op("Reshape", &["all", "pairs"], "table"),
        op("Slice", &["table", "minus", "lowest", "zero", "minus"], "turned"),
        with("Transpose", &["turned"], "columns", vec![ints("perm", &[1, 0])]),
        op("Reshape", &["columns", "minus"], "list"),
        with("Cast", &["list"], "pads", cast()),
        op("Pad", &["x", "pads"], "padded"),
        op("Conv", &["padded", "weight"], "y"),
    ]);
    let graph = model.graph.as_mut().unwrap();
    graph.initializer.push(i64_tensor("lowest", &[1], &[i64::MIN + 1]));
    graph.initializer.push(f32_tensor("weight", &[8, 3, 3, 3], &[0.0; 216]));
    let graph = Graph::new(&model);
    assert_eq!(graph.ints("pads"), Some(vec![0, 0, 3, 1, 0, 0, 4, 2]));
    assert_eq!(graph.shape("y"), Some(&[None, Some(8), None, None][..]));
}

/// `expand` as exporters write it: -1 keeps a size.
#[test]
fn a_choice_by_comparison_with_minus_one_is_known() {
    let ones = build::tensor("value", i64_tensor("", &[1], &[1]));
    let mut model = on_open_picture(vec![
        op("Shape", &["x"], "shape"),
        op("Gather", &["shape", "zero"], "batch"),
        with("Concat", &["batch", "minus", "minus"], "wanted", vec![int("axis", 0)]),
        op("Shape", &["wanted"], "rank"),
        with("ConstantOfShape", &["rank"], "ones", vec![ones]),
        op("Mul", &["ones", "minus"], "keeps"),
        op("Equal", &["wanted", "keeps"], "kept"),
        op("Where", &["kept", "ones", "wanted"], "target"),
        op("Expand", &["token", "target"], "tokens"),
    ]);
    model.graph.as_mut().unwrap().initializer.push(f32_tensor("token", &[1, 1, 192], &[0.0; 192]));
    let graph = Graph::new(&model);
    assert_eq!(graph.shape("tokens"), Some(&[None, Some(1), Some(192)][..]));
}

/// What both worlds happen to agree on must not be taken for known.
#[test]
fn nothing_that_depends_on_open_sizes_is_known() {
    let mut model = on_open_picture(vec![
        op("Shape", &["x"], "shape"),
        op("Gather", &["shape", "zero_"], "batch"),
        op("Gather", &["shape", "two_"], "height"),
        op("Gather", &["shape", "three_"], "width"),
        op("Mod", &["height", "half_way_"], "rest"),
        op("Div", &["batch", "half_way_"], "groups"),
        op("Equal", &["batch", "one_"], "is_single"),
        op("Greater", &["height", "half_way_"], "is_large"),
        op("Min", &["height", "half_way_"], "least"),
        op("Equal", &["height", "width"], "is_square"),
        op("Div", &["height", "width"], "ratio"),
        op("Sub", &["height", "width"], "difference"),
        op("Div", &["height", "height"], "unity"),
        op("Sub", &["height", "height"], "nothing"),
        op("Slice", &["x", "zero", "half_way", "two"], "cropped"),
        op("Slice", &["x", "zero", "one", "two"], "row"),
        op("Squeeze", &["x"], "squeezed"),
        op("Sum", &["x", "table"], "sum"),
        with("MaxPool", &["x"], "pooled", vec![ints("kernel_shape", &[3, 3]), ints("strides", &[900, 900])]),
    ]);
    model.graph.as_mut().unwrap().initializer.push(f32_tensor("table", &[1, 1, 7, 1], &[0.0; 7]));
    let graph = Graph::new(&model);
    for open in ["rest", "groups", "is_single", "is_large", "least", "is_square", "ratio", "difference"] {
        assert_eq!(graph.ints(open), None, "{open}");
    }
    assert_eq!((graph.ints("unity"), graph.ints("nothing")), (Some(vec![1]), Some(vec![0])));
    assert_eq!(graph.shape("cropped"), Some(&[None, Some(3), None, None][..]));
    assert_eq!(graph.shape("row"), Some(&[None, Some(3), Some(1), None][..]));
    assert_eq!(graph.shape("squeezed"), None);
    assert_eq!(graph.shape("sum"), Some(&[None, Some(3), None, None][..]));
    assert_eq!(graph.shape("pooled"), Some(&[None, Some(3), None, None][..]));
}

#[test]
fn arithmetic_is_that_of_the_type() {
    let small = |name: &str, value: u8| build::raw_tensor(name, DataType::Uint8, &[1], vec![value]);
    let to = |element: DataType| vec![int("to", element as i64)];
    let mut model = on_open_picture(vec![
        op("Add", &["big", "big"], "overflow"),
        op("Div", &["minus", "two"], "towards_zero"),
        op("Mod", &["minus", "three"], "like_divisor"),
        with("Mod", &["minus", "three"], "like_dividend", vec![int("fmod", 1)]),
        with("Cast", &["three"], "real", to(DataType::Float)),
        op("Div", &["one_real", "real"], "third"),
        op("Round", &["halves"], "even"),
        with("Cast", &["halves"], "cut", to(DataType::Int64)),
        op("ReduceProd", &["numbers"], "product"),
        op("Range", &["zero_", "three_", "two_"], "range"),
        op("Div", &["one", "zero"], "infinite"),
        op("NonZero", &["numbers"], "places"),
    ]);
    let graph = model.graph.as_mut().unwrap();
    graph.initializer.extend([
        small("big", 200),
        f32_tensor("one_real", &[], &[1.0]),
        f32_tensor("halves", &[4], &[0.5, 1.5, -2.5, -0.5]),
        i64_tensor("numbers", &[4], &[2, 0, 3, 4]),
    ]);
    let graph = Graph::new(&model);
    assert_eq!(graph.ints("overflow"), None);
    assert_eq!(graph.ints("towards_zero"), Some(vec![0]));
    assert_eq!((graph.ints("like_divisor"), graph.ints("like_dividend")), (Some(vec![2]), Some(vec![-1])));
    assert_eq!(graph.floats("third"), Some(vec![1.0 / 3.0]));
    assert_eq!(graph.floats("even"), Some(vec![0.0, 2.0, -2.0, -0.0]));
    assert_eq!(graph.ints("cut"), Some(vec![0, 1, -2, 0]));
    assert_eq!((graph.ints("product"), graph.ints("range")), (Some(vec![0]), Some(vec![0, 2])));
    assert_eq!((graph.ints("infinite"), graph.ints("places")), (None, Some(vec![0, 2, 3])));
}

/// A few bytes of a file must not fill the memory.
#[test]
fn huge_claims_stay_unknown() {
    let mut nodes = vec![
        op("ConstantOfShape", &["sizes"], "huge"),
        op("Expand", &["one", "sizes"], "wide"),
        op("Range", &["zero_", "last_", "one_"], "long"),
    ];
    nodes.extend((0..100_000).map(|index| op("ConstantOfShape", &["kilo"], &format!("full{index}"))));
    let mut model = on_open_picture(nodes);
    let graph = model.graph.as_mut().unwrap();
    graph.initializer.push(i64_tensor("sizes", &[2], &[1 << 40, 1 << 20]));
    graph.initializer.push(i64_tensor("kilo", &[1], &[1024]));
    let graph = Graph::new(&model);
    assert_eq!(graph.shape("huge"), Some(&[None, None][..]));
    assert_eq!((graph.floats("huge"), graph.ints("wide"), graph.ints("long")), (None, None, None));
    assert!(graph.floats("full0").is_some() && graph.floats("full99999").is_none());
}

#[test]
fn only_values_that_are_known_are_walked() {
    let mut model = on_open_picture(vec![
        op("Expand", &["one", "large"], "wide"),
        op("ReduceMax", &["wide"], "most"),
        op("ConstantOfShape", &["none"], "empty"),
        op("Concat", &["empty", "empty"], "joined"),
    ]);
    let graph = model.graph.as_mut().unwrap();
    graph.node[3].attribute.push(int("axis", 1));
    // Places for each of these would take 16 GB, and a step for each row of nothing an hour.
    graph.initializer.push(i64_tensor("large", &[2], &[1 << 15, 1 << 15]));
    graph.initializer.push(i64_tensor("none", &[2], &[1 << 40, 0]));
    let graph = Graph::new(&model);
    assert_eq!(graph.shape("most"), Some(&[Some(1), Some(1)][..]));
    assert_eq!((graph.ints("most"), graph.floats("joined")), (None, None));
}

#[test]
fn declarations_refine_what_does_not_follow() {
    let mut model = on_open_picture(vec![
        NodeProto { domain: Some("own".into()), ..op("Mystery", &["x"], "m") },
        op("Relu", &["m"], "r"),
    ]);
    let declared = [Dim::Symbol("N"), Dim::Fixed(10)];
    model.graph.as_mut().unwrap().value_info.push(value_info("m", DataType::Float, &declared));
    let graph = Graph::new(&model);
    assert_eq!(graph.shape("r"), Some(&[None, Some(10)][..]));
    assert_eq!(graph.element_type("r"), Some(DataType::Float));
}

#[test]
fn sizes_that_no_tensor_has_are_not_believed() {
    let declared = |dims: &[i64]| {
        let dims: Vec<Dim<'_>> = dims.iter().map(|&size| Dim::Fixed(size)).collect();
        let x = value_info("x", DataType::Float, &dims);
        let model = model(graph("g", vec![x], vec![], vec![], vec![]));
        Graph::new(&model).shape("x").map(<[_]>::to_vec)
    };
    assert_eq!(declared(&[1 << 20, 1 << 20]), Some(vec![Some(1 << 20); 2]));
    for dims in [&[1 << 20, 1 << 20, 2][..], &[i64::MAX, i64::MAX], &[1 << 60], &[3, 1 << 40]] {
        assert_eq!(declared(dims), Some(vec![None; dims.len()]), "{dims:?}");
    }
    assert_eq!(shape("TopK", &["x"], vec![int("k", -5)]).unwrap()[3], None);
}
