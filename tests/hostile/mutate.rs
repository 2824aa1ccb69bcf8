//! Bytes become a damaged network, and camloc does with it what it does with any model file.
//!
//! Shared by the bounded test beside this file and by the fuzz target, which finds the bytes that matter.

use camloc::{Method, Request, inspect};
use camloc_graph::autodiff::operators;
use camloc_graph::explain::{Fusion, explain, recognise};
use camloc_graph::onnx::build::{self, Dim};
use camloc_graph::onnx::check::check;
use camloc_graph::onnx::load::{encode, parse};
use camloc_graph::onnx::proto::*;

use super::networks;

/// Takes bytes for a model, or else for a network and what to do to it, and rewrites that. A model that is refused
/// is fine; a panic is not, nor is a damaged model as the answer.
pub(crate) fn rewrite(bytes: &[u8]) {
    let mut choices = Choices { bytes };
    if let Ok(model) = parse(bytes) {
        // Behind its own end a model has nothing to choose by; its length does as well as anything.
        let length = [bytes.len() as u8, (bytes.len() >> 8) as u8];
        return all(model, &mut Choices { bytes: &length });
    }
    let mut model = networks::network(choices.below(networks::COUNT));
    for _ in 0..choices.below(12) {
        mutate(&mut model, &mut choices);
    }
    if choices.byte() < 240 {
        return all(model, &mut choices);
    }
    let Ok(mut file) = encode(&model) else { return };
    damage(&mut file, &mut choices);
    if let Ok(model) = parse(&file) {
        all(model, &mut choices);
    }
}

/// All that the library does with a model.
fn all(mut model: ModelProto, choices: &mut Choices<'_>) {
    let request = request(&model, choices);
    // It tries every method, which takes its time.
    if choices.byte() >= 252 {
        let _ = inspect(&model, &request);
    }
    let outputs: Vec<String> = outputs(&model).map(str::to_owned).collect();
    if request.one_pass().is_ok_and(|request| explain(&mut model, &request).is_ok()) {
        check(&mut model).expect("what was written is sound");
        let file = encode(&model).expect("what was written is no larger than a model may be");
        let again = parse(&file).expect("what was written can be read");
        assert!(recognise(&again).is_some(), "what was written is recognised");
        let expected =
            outputs.iter().map(String::as_str).chain(["camloc.classes", "camloc.scores", "camloc.maps"]);
        assert!(self::outputs(&again).eq(expected), "the model's own outputs stay, and three are new");
    }
}

fn outputs(model: &ModelProto) -> impl Iterator<Item = &str> {
    model.graph.iter().flat_map(|graph| &graph.output).map(|output| output.name())
}

fn request(model: &ModelProto, choices: &mut Choices<'_>) -> Request {
    let methods: Vec<Method> = Method::all().collect();
    let method = choices.pick(&methods).filter(|_| choices.byte() < 240);
    let layers = match choices.below(8) {
        0 => vec!["-2".into()],
        1 => vec!["-1".into(), "-3".into()],
        2 | 3 => vec![choices.tensor(model)],
        _ => vec![],
    };
    let rare = |choices: &mut Choices<'_>| choices.byte() >= 240;
    Request {
        top_k: 1 + choices.below(3),
        targets: if rare(choices) { vec![0, choices.below(5)] } else { vec![] },
        output: rare(choices).then(|| choices.tensor(model)),
        index: if rare(choices) { vec![choices.below(4)] } else { vec![] },
        method,
        layers,
        refine: choices.below(2) == 0,
        fusion: if choices.below(2) == 0 { Fusion::Mean } else { Fusion::Max },
        closer: choices.below(2),
        ..Request::default()
    }
}

/// Changes a file at some places, and perhaps cuts it.
fn damage(file: &mut Vec<u8>, choices: &mut Choices<'_>) {
    for _ in 0..=choices.below(4) {
        let place = choices.below(file.len());
        file[place] ^= choices.byte();
    }
    if choices.below(4) == 0 {
        file.truncate(choices.below(file.len()));
    }
}

/// One change of a network.
fn mutate(model: &mut ModelProto, choices: &mut Choices<'_>) {
    let (change, tensor) = (choices.below(32), choices.tensor(model));
    if change == 0 {
        let version = Some(choices.number());
        return model.opset_import.iter_mut().for_each(|opset| opset.version = version);
    }
    let Some(graph) = &mut model.graph else { return };
    match change {
        1 => change_ends(graph, &tensor, choices),
        2 | 3 => change_constant(graph, choices),
        4 | 5 => change_value(graph, choices),
        6..16 => insert(graph, choices),
        _ => change_node(graph, tensor, change, choices),
    }
}

/// Changes what a graph is given, gives, or declares.
fn change_ends(graph: &mut GraphProto, tensor: &str, choices: &mut Choices<'_>) {
    match choices.below(5) {
        0 => graph.output.push(value(tensor, choices)),
        1 => graph.input.push(value(tensor, choices)),
        2 => graph.output.truncate(choices.below(2)),
        3 => graph.output.insert(0, value(tensor, choices)),
        _ => graph.value_info.push(value(tensor, choices)),
    }
}

/// Changes a node, or the order of nodes.
fn change_node(graph: &mut GraphProto, tensor: String, change: usize, choices: &mut Choices<'_>) {
    let count = graph.node.len();
    let place = choices.below(count);
    let constant = if (16..19).contains(&change) { new_constant(graph, choices) } else { String::default() };
    let fresh = fresh_name(choices);
    let Some(node) = graph.node.get_mut(place) else { return };
    let position = choices.below(node.input.len() + 1);
    match (change, node.input.get_mut(position)) {
        (16..19, Some(input)) => *input = constant,
        (16..19, None) => node.input.push(constant),
        (19, Some(input)) => *input = tensor,
        (19, None) => node.input.push(tensor),
        (20, _) => node.input.truncate(position),
        (21, _) if choices.below(4) == 0 => node.output.push(tensor),
        (21, _) => node.output.push(fresh),
        (22, _) => node.output.truncate(choices.below(2)),
        (23, _) => node.attribute.truncate(choices.below(3)),
        (24..26, _) => node.op_type = Some(operator(choices)),
        (26, _) => graph.node.swap(place, choices.below(count)),
        (27, _) => drop(graph.node.remove(place)),
        _ => node.attribute.insert(0, attribute(choices)),
    }
}

/// Puts a node of any operator in front of what a node uses.
fn insert(graph: &mut GraphProto, choices: &mut Choices<'_>) {
    let place = choices.below(graph.node.len());
    let (operator, output) = (operator(choices), fresh_name(choices));
    let mut inputs = Vec::new();
    for _ in 0..choices.below(4) {
        inputs.push(match choices.below(3) {
            0 => String::new(),
            _ => new_constant(graph, choices),
        });
    }
    let attributes = (0..choices.below(4)).map(|_| attribute(choices)).collect();
    let Some(used) = graph.node.get_mut(place).and_then(|node| node.input.first_mut()) else { return };
    inputs.insert(0, std::mem::replace(used, output.clone()));
    if choices.below(16) == 0 {
        inputs.reverse();
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    graph.node.insert(place, build::node(&operator, &output, &inputs, &[&output], attributes));
}

/// A name that was not given before: there are fewer bytes each time.
fn fresh_name(choices: &Choices<'_>) -> String {
    format!("new{}", choices.bytes.len())
}

/// A constant that no node has yet.
fn new_constant(graph: &mut GraphProto, choices: &mut Choices<'_>) -> String {
    let name = format!("constant{}", graph.initializer.len());
    graph.initializer.push(tensor(&name, choices));
    name
}

fn tensor(name: &str, choices: &mut Choices<'_>) -> TensorProto {
    match choices.below(4) {
        0 => {
            let dims: Vec<i64> = (0..choices.below(5)).map(|_| choices.below(7) as i64).collect();
            let count = dims.iter().product::<i64>() as usize;
            build::f32_tensor(name, &dims, &vec![0.5; count])
        }
        1 => build::f32_tensor(name, &[], &[choices.real()]),
        2 => build::i64_tensor(name, &[], &[choices.number()]),
        _ => {
            let numbers = choices.numbers();
            build::i64_tensor(name, &[numbers.len() as i64], &numbers)
        }
    }
}

/// Changes the shape or the values of a constant.
fn change_constant(graph: &mut GraphProto, choices: &mut Choices<'_>) {
    let place = choices.below(graph.initializer.len());
    let Some(constant) = graph.initializer.get_mut(place) else { return };
    match choices.below(5) {
        0 => constant.dims = choices.numbers(),
        1 => constant.dims.push(1),
        2 => constant.dims.reverse(),
        3 => constant.data_type = Some(choices.below(24) as i32),
        _ => *constant = tensor(constant.name.clone().unwrap_or_default().as_str(), choices),
    }
}

/// Declares an input, an output or a tensor in between differently.
fn change_value(graph: &mut GraphProto, choices: &mut Choices<'_>) {
    let values = graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info);
    let mut values: Vec<&mut ValueInfoProto> = values.collect();
    let place = choices.below(values.len());
    if let Some(old) = values.get_mut(place) {
        **old = value(&old.name.clone().unwrap_or_default(), choices);
    }
}

fn value(name: &str, choices: &mut Choices<'_>) -> ValueInfoProto {
    let dims = (0..choices.below(6)).map(|_| match choices.below(4) {
        0 => Dim::Unknown,
        1 => Dim::Symbol("N"),
        2 => Dim::Fixed(choices.below(9) as i64),
        _ => Dim::Fixed(choices.number()),
    });
    let dims: Vec<Dim<'_>> = dims.collect();
    let element = match choices.below(8) {
        0 => DataType::Int64,
        1 => DataType::Uint8,
        2 => DataType::Float16,
        _ => DataType::Float,
    };
    build::value_info(name, element, &dims)
}

fn operator(choices: &mut Choices<'_>) -> String {
    const OTHERS: &[&str] = &[
        "Attention",
        "BitShift",
        "Constant",
        "ConstantOfShape",
        "ConvInteger",
        "Det",
        "If",
        "LSTM",
        "LRN",
        "Loop",
        "LpPool",
        "MaxUnpool",
        "NonZero",
        "OneHot",
        "Optional",
        "QLinearConv",
        "Range",
        "Scan",
        "SequenceAt",
        "Shape",
        "Size",
        "TopK",
        "Unique",
        "Unknown",
        "Upsample",
    ];
    let known: Vec<&str> = operators().chain(OTHERS.iter().copied()).collect();
    choices.pick(&known).unwrap_or_default().into()
}

fn attribute(choices: &mut Choices<'_>) -> AttributeProto {
    const NAMES: &[&str] = &[
        "align_corners",
        "allowzero",
        "alpha",
        "antialias",
        "auto_pad",
        "axes",
        "axis",
        "batch_dims",
        "beta",
        "blocksize",
        "ceil_mode",
        "coordinate_transformation_mode",
        "count_include_pad",
        "cubic_coeff_a",
        "detect_negative",
        "dilations",
        "else_branch",
        "end",
        "epsilon",
        "equation",
        "exclude_outside",
        "exclusive",
        "gamma",
        "group",
        "k",
        "keep_aspect_ratio_policy",
        "keepdims",
        "kernel_shape",
        "mode",
        "nearest_mode",
        "noop_with_empty_axes",
        "num_groups",
        "num_outputs",
        "output_padding",
        "output_shape",
        "p",
        "pads",
        "perm",
        "reduction",
        "reverse",
        "scales",
        "shape",
        "split",
        "start",
        "stash_type",
        "storage_order",
        "strides",
        "then_branch",
        "to",
        "transA",
        "transB",
        "upper",
        "value",
        "value_ints",
    ];
    const TEXTS: &[&str] = &[
        "",
        "SAME_UPPER",
        "SAME_LOWER",
        "VALID",
        "NOTSET",
        "constant",
        "reflect",
        "edge",
        "wrap",
        "nearest",
        "linear",
        "cubic",
        "half_pixel",
        "align_corners",
        "asymmetric",
        "pytorch_half_pixel",
        "tf_crop_and_resize",
        "floor",
        "ceil",
        "round_prefer_ceil",
        "DCR",
        "CRD",
        "add",
        "mul",
        "max",
        "none",
        "tanh",
        "not_larger",
        "not_smaller",
        "stretch",
        "nchw,oc->nohw",
        "nchw->nc",
        "...hw->...wh",
        "ij,jk->ik",
        "nchw,nchw->nchw",
        "nchw,nchw->",
        "nn->n",
    ];
    let name = choices.pick(NAMES).unwrap_or_default();
    match (name, choices.below(8)) {
        ("then_branch" | "else_branch", _) => {
            let output = build::value_info("z", DataType::Float, &[]);
            let node = build::node("Relu", "inner", &["a"], &["z"], vec![]);
            build::subgraph(name, build::graph("branch", vec![], vec![output], vec![], vec![node]))
        }
        ("value", _) => build::tensor(name, tensor("", choices)),
        (_, 0 | 1) => build::int(name, choices.number()),
        (_, 2 | 3) => build::string(name, choices.pick(TEXTS).unwrap_or_default()),
        (_, 4) => build::float(name, choices.real()),
        (_, 5) => build::floats(name, &[choices.real(), choices.real()]),
        _ => build::ints(name, &choices.numbers()),
    }
}

/// Bytes, read as choices; behind their end every choice is the first.
struct Choices<'b> {
    bytes: &'b [u8],
}

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        first
    }

    /// A number below a count; 0 if that is 0.
    fn below(&mut self, count: usize) -> usize {
        let wide = if count > 256 { usize::from(self.byte()) << 8 } else { 0 };
        (wide + usize::from(self.byte())) % count.max(1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len())).copied()
    }

    /// A number, most often small, sometimes where arithmetic breaks.
    fn number(&mut self) -> i64 {
        const LARGE: &[i64] = &[
            i64::MAX,
            i64::MIN,
            i64::MAX - 1,
            i64::MIN + 1,
            1 << 32,
            1 << 40,
            1 << 60,
            -(1 << 40),
            i32::MAX as i64,
            i32::MIN as i64,
            1 << 16,
            1000,
            224,
        ];
        match self.byte() {
            byte @ 0..200 => i64::from(byte % 16) - 3,
            byte => LARGE[usize::from(byte - 200) % LARGE.len()],
        }
    }

    fn numbers(&mut self) -> Vec<i64> {
        (0..self.below(9)).map(|_| self.number()).collect()
    }

    fn real(&mut self) -> f32 {
        const REALS: &[f32] =
            &[0.0, 1.0, -1.0, 0.5, 2.0, 1e-30, 3e38, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e9, 0.333];
        self.pick(REALS).unwrap_or_default()
    }

    /// The name of a tensor of the graph.
    fn tensor(&mut self, model: &ModelProto) -> String {
        let Some(graph) = &model.graph else { return String::new() };
        let made = graph.node.iter().flat_map(|node| &node.output).map(String::as_str);
        let given = graph.input.iter().map(|input| input.name());
        let constants = graph.initializer.iter().map(|tensor| tensor.name());
        let names: Vec<&str> = made.chain(given).chain(constants).collect();
        self.pick(&names).unwrap_or_default().into()
    }
}
