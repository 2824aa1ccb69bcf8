use super::*;
use crate::onnx::build::*;
use crate::onnx::proto::*;

fn op(op_type: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    node(op_type, &format!("{output}_node"), inputs, &[output], attributes)
}

/// A classifier of pictures, `x` to `logits`.
struct Network {
    constants: Vec<TensorProto>,
    nodes: Vec<NodeProto>,
    size: i64,
}

impl Network {
    fn new(size: i64) -> Network {
        Network { constants: Vec::new(), nodes: Vec::new(), size }
    }

    /// Appends a node, and initializers of 0.5 for those of its inputs that come with a shape.
    fn op(
        mut self,
        op_type: &str,
        inputs: &[&str],
        output: &str,
        attributes: Vec<AttributeProto>,
    ) -> Network {
        self.nodes.push(op(op_type, inputs, output, attributes));
        self
    }

    fn constant(mut self, name: &str, dims: &[i64]) -> Network {
        self.constants.push(f32_tensor(name, dims, &vec![0.5; dims.iter().product::<i64>() as usize]));
        self
    }

    fn list(mut self, name: &str, values: &[i64]) -> Network {
        self.constants.push(i64_tensor(name, &[values.len() as i64], values));
        self
    }

    /// A convolution of 3 x 3 that keeps the size, with its weights.
    fn conv(self, input: &str, output: &str, channels: [i64; 2]) -> Network {
        let weight = format!("{output}.weight");
        let [from, to] = channels;
        let network = self.constant(&weight, &[to, from, 3, 3]);
        network.op("Conv", &[input, &weight], output, vec![ints("pads", &[1, 1, 1, 1])])
    }

    /// A linear layer with a bias, after `hint` and `output`.
    fn linear(self, input: &str, output: &str, features: [i64; 2]) -> Network {
        let [weight, bias, product] = ["weight", "bias", "product"].map(|part| format!("{output}.{part}"));
        let network = self.constant(&weight, &features).constant(&bias, &features[1..]);
        let network = network.op("MatMul", &[input, &weight], &product, vec![]);
        network.op("Add", &[&product, &bias], output, vec![])
    }

    fn head(self, features: &str, channels: i64) -> Network {
        let network = self.op("GlobalAveragePool", &[features], "gap", vec![]);
        let network = network.op("Flatten", &["gap"], "flat", vec![]).constant("class", &[channels, 6]);
        network.op("Gemm", &["flat", "class"], "logits", vec![])
    }

    fn with<T>(&self, look: impl FnOnce(&Graph<'_>) -> T) -> T {
        let dims = [1, 3, self.size, self.size].map(Dim::Fixed);
        let input = value_info("x", DataType::Float, &dims);
        let output = value_info("logits", DataType::Float, &[Dim::Fixed(1), Dim::Fixed(6)]);
        let graph = graph("g", vec![input], vec![output], self.constants.clone(), self.nodes.clone());
        look(&Graph::new(&model(graph)))
    }

    /// Names of the candidates, the default first.
    fn candidates(&self) -> Vec<String> {
        self.with(|graph| candidates(graph, "logits").into_iter().map(|layer| layer.tensor).collect())
    }

    fn select(&self, words: &[&str]) -> Result<Vec<String>, LayerError> {
        let layers = self.with(|graph| select(graph, "logits", words))?;
        Ok(layers.into_iter().map(|layer| layer.tensor).collect())
    }
}

#[test]
fn a_residual_block_ends_after_its_sum() {
    let network = Network::new(8)
        .conv("x", "stem", [3, 4])
        .op("Relu", &["stem"], "a", vec![])
        .op("MaxPool", &["a"], "pool", vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])])
        .conv("pool", "c1", [4, 4])
        .op("Relu", &["c1"], "b", vec![])
        .conv("b", "c2", [4, 4])
        .op("Add", &["c2", "pool"], "sum", vec![])
        .op("Relu", &["sum"], "block", vec![])
        .head("block", 4);
    assert_eq!(network.candidates(), ["block", "b", "pool", "a"]);
    let layer = network.with(|graph| candidates(graph, "logits").remove(0));
    assert_eq!((layer.layout, layer.channels, layer.size), (Layout::Nchw, Some(4), Some((4, 4))));
    let field = layer.field.unwrap();
    assert_eq!((field.size, field.stride, field.centre), (Some([12.0; 2]), [2.0; 2], [1.0; 2]));
}

#[test]
fn composites_end_where_they_end_and_gates_are_no_layers() {
    let network = Network::new(8)
        .constant("unit", &[])
        .constant("reduce", &[2, 4, 1, 1])
        .constant("expand", &[4, 2, 1, 1])
        .conv("x", "c1", [3, 4])
        .op("Sigmoid", &["c1"], "s1", vec![])
        .op("Mul", &["c1", "s1"], "silu", vec![])
        // Squeeze and excitation.
        .op("GlobalAveragePool", &["silu"], "squeezed", vec![])
        .op("Conv", &["squeezed", "reduce"], "reduced", vec![])
        .op("Relu", &["reduced"], "r", vec![])
        .op("Conv", &["r", "expand"], "expanded", vec![])
        .op("HardSigmoid", &["expanded"], "gate", vec![])
        .op("Mul", &["gate", "silu"], "excited", vec![])
        .conv("excited", "projected", [4, 4])
        // HardSwish in pieces.
        .conv("projected", "c2", [4, 4])
        .op("Add", &["c2", "unit"], "shifted", vec![])
        .op("Clip", &["shifted"], "clipped", vec![])
        .op("Mul", &["c2", "clipped"], "product", vec![])
        .op("Div", &["product", "unit"], "hardswish", vec![])
        // What some exporters leave of an adaptive pooling.
        .op("AveragePool", &["hardswish"], "alias", vec![ints("kernel_shape", &[1, 1])])
        .head("alias", 4);
    assert_eq!(network.candidates(), ["hardswish", "projected", "excited", "silu"]);
}

#[test]
fn class_maps_and_concatenations_are_layers() {
    let network = Network::new(8)
        .conv("x", "c1", [3, 4])
        .op("Relu", &["c1"], "a", vec![])
        .conv("x", "c2", [3, 4])
        .op("Relu", &["c2"], "b", vec![])
        .op("Concat", &["a", "b"], "joined", vec![int("axis", 1)])
        .conv("joined", "maps", [8, 6])
        .op("Relu", &["maps"], "positive", vec![])
        .op("GlobalAveragePool", &["positive"], "gap", vec![])
        .op("Flatten", &["gap"], "logits", vec![]);
    assert_eq!(network.candidates(), ["positive", "joined"]);
}

/// A transformer of two blocks on 4 patches, its norms and activations in pieces if asked.
fn transformer(in_pieces: bool) -> Network {
    let mut network = Network::new(8)
        .constant("patch", &[4, 3, 4, 4])
        .list("sequence", &[1, 4, -1])
        .constant("class_token", &[1, 1, 4])
        .constant("position", &[1, 5, 4])
        .constant("scale", &[4])
        .constant("unit", &[])
        .op("Conv", &["x", "patch"], "patches", vec![ints("strides", &[4, 4])])
        .op("Reshape", &["patches", "sequence"], "folded", vec![])
        .op("Transpose", &["folded"], "tokens", vec![ints("perm", &[0, 2, 1])])
        .op("Concat", &["class_token", "tokens"], "joined", vec![int("axis", 1)])
        .op("Add", &["joined", "position"], "block0", vec![]);
    let norm = |network: Network, input: &str, name: &str| {
        if !in_pieces {
            return network.op("LayerNormalization", &[input, "scale", "scale"], name, vec![]);
        }
        let [mean, apart, square, variance, deviation, normal, scaled] =
            ["mean", "apart", "square", "variance", "deviation", "normal", "scaled"]
                .map(|part| format!("{name}.{part}"));
        network
            .op("ReduceMean", &[input], &mean, vec![ints("axes", &[-1])])
            .op("Sub", &[input, &mean], &apart, vec![])
            .op("Mul", &[&apart, &apart], &square, vec![])
            .op("ReduceMean", &[&square], &variance, vec![ints("axes", &[-1])])
            .op("Sqrt", &[&variance], &deviation, vec![])
            .op("Div", &[&apart, &deviation], &normal, vec![])
            .op("Mul", &[&normal, "scale"], &scaled, vec![])
            .op("Add", &[&scaled, "scale"], name, vec![])
    };
    for block in 1..=2 {
        let name = |part: &str| format!("{part}{block}");
        let input = format!("block{}", block - 1);
        network = norm(network, &input, &name("norm1_"));
        for part in ["q", "k", "v"] {
            network = network.linear(&name("norm1_"), &name(part), [4, 4]);
        }
        network = network
            .op("Transpose", &[&name("k")], &name("keys"), vec![ints("perm", &[0, 2, 1])])
            .op("MatMul", &[&name("q"), &name("keys")], &name("scores"), vec![])
            .op("Softmax", &[&name("scores")], &name("attention"), vec![])
            .op("MatMul", &[&name("attention"), &name("v")], &name("seen"), vec![])
            .linear(&name("seen"), &name("projected"), [4, 4])
            .op("Add", &[&input, &name("projected")], &name("middle"), vec![]);
        network = norm(network, &name("middle"), &name("norm2_"));
        network = network.linear(&name("norm2_"), &name("hidden"), [4, 8]);
        network = if in_pieces {
            network
                .op("Erf", &[&name("hidden")], &name("erf"), vec![])
                .op("Add", &[&name("erf"), "unit"], &name("one"), vec![])
                .op("Mul", &[&name("hidden"), &name("one")], &name("gelu"), vec![])
        } else {
            network.op("Gelu", &[&name("hidden")], &name("gelu"), vec![])
        };
        network = network.linear(&name("gelu"), &name("out"), [8, 4]).op(
            "Add",
            &[&name("middle"), &name("out")],
            &name("block"),
            vec![],
        );
    }
    norm(network, "block2", "final").constant("class", &[4, 6])
}

fn by_class_token(in_pieces: bool) -> Network {
    let mut network = transformer(in_pieces);
    network.constants.push(i64_tensor("first", &[], &[0]));
    network.op("Gather", &["final", "first"], "token", vec![int("axis", 1)]).op(
        "Gemm",
        &["token", "class"],
        "logits",
        vec![],
    )
}

#[test]
fn a_class_token_leaves_the_norm_before_the_last_attention() {
    let expected = ["norm1_2", "block1", "norm2_1", "middle1", "norm1_1", "block0", "patches"];
    for in_pieces in [false, true] {
        let network = by_class_token(in_pieces);
        assert_eq!(network.candidates(), expected, "in pieces: {in_pieces}");
        let layer = network.with(|graph| candidates(graph, "logits").remove(0));
        assert_eq!(layer.layout, Layout::Tokens { prefix: 1, grid: (2, 2) });
        assert_eq!((layer.channels, layer.size), (Some(4), Some((2, 2))));
        let field = layer.field.unwrap();
        assert_eq!((field.size, field.stride, field.centre), (None, [4.0; 2], [2.0; 2]));
    }
}

#[test]
fn a_mean_over_tokens_leaves_the_last_norm() {
    let network = transformer(false)
        .op("ReduceMean", &["final"], "mean", vec![ints("axes", &[1]), int("keepdims", 0)])
        .op("Gemm", &["mean", "class"], "logits", vec![]);
    assert_eq!(network.candidates()[..3], ["final", "norm2_2", "middle2"]);
}

#[test]
fn words_name_tensors_nodes_and_places_from_the_end() {
    let network = by_class_token(false);
    assert_eq!(network.select(&[]).unwrap(), ["norm1_2"]);
    assert_eq!(network.select(&["-1", "-2"]).unwrap(), ["norm1_2", "block1"]);
    assert_eq!(network.select(&["middle1_node", "patches"]).unwrap(), ["middle1", "patches"]);
    // Not one of the candidates, but a map all the same.
    assert_eq!(network.select(&["gelu1"]).unwrap(), ["gelu1"]);
}

#[test]
fn words_without_a_layer_are_told_why() {
    let network = by_class_token(false).op("Relu", &["patches"], "aside", vec![]);
    let error = |word| network.select(&[word]).unwrap_err();
    assert_eq!(error("-8"), LayerError::TooFarBack { place: -8, count: 7 });
    let LayerError::NoSuchLayer { name, nearest } = error("norm1-2") else { panic!() };
    assert_eq!((name.as_str(), nearest[0].as_str()), ("norm1-2", "norm1_2"));
    assert!(matches!(error("3"), LayerError::NoSuchLayer { .. }));
    assert_eq!(
        error("token").to_string(),
        "the tensor \"token\" [1, 4] has no known rows and columns, so it has no map; `camloc inspect` lists \
         layers that have"
    );
    assert!(matches!(error("aside"), LayerError::NoInfluence { .. }));
    let flat = Network::new(8).op("Flatten", &["x"], "logits", vec![]);
    assert_eq!(flat.select(&["-1"]), Err(LayerError::NoLayers { logits: "logits".into() }));
}
