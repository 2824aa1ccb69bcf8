//! Undoing what a network has learned, layer by layer, for the check by Adebayo et al. (NeurIPS 2018): an explanation
//! that stays the same does not explain what was learned.

use crate::onnx::graph::Graph;
use crate::onnx::operators::properties::Properties;
use crate::onnx::proto::{DataType, ModelProto, TensorProto};

/// How many operators may stand between a weight and the layer that uses it, such as a transposition.
const HOPS: usize = 4;

/// The names of the weights that layers have learned, the layer nearest to the outputs first: initializers of two axes or
/// more, of floats or quantised, that a convolution, a linear layer or a matrix product multiplies with.
pub fn weights(model: &ModelProto) -> Vec<String> {
    let graph = Graph::new(model);
    let mut found: Vec<String> = Vec::new();
    for node in graph.nodes().iter().rev() {
        let factors = match node.standard_op() {
            "Conv" | "ConvTranspose" => 1..2,
            "Gemm" | "MatMul" => 0..2,
            _ => continue,
        };
        for name in factors.filter_map(|at| node.input_at(at)).filter_map(|name| weight(&graph, name)) {
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

/// The initializer behind a tensor, if it is a weight.
fn weight(graph: &Graph<'_>, tensor: &str) -> Option<String> {
    let mut name = tensor;
    for _ in 0..HOPS {
        match graph.producer(name) {
            Some(node) if graph.operator(node).properties().has(Properties::SAME_VALUES) => {
                name = node.input_at(0)?;
            }
            _ => break,
        }
    }
    let value = graph.producer(name).is_none().then(|| graph.constant(name))??;
    (value.dims.len() >= 2 && element_bytes(value).is_some()).then(|| name.to_owned())
}

/// Shuffles the values of each of these weights among themselves, the same way for the same `seed`: their mean, spread
/// and every other statistic stay, what they mean is gone.
pub fn shuffle(model: &mut ModelProto, weights: &[String], seed: u64) {
    let tensors = model.graph.iter_mut().flat_map(|graph| &mut graph.initializer);
    for tensor in tensors {
        // Each weight has a shuffle of its own, whichever others are shuffled with it.
        let Some(at) = weights.iter().position(|name| name == tensor.name()) else { continue };
        let mut random = fastrand::Rng::with_seed(seed ^ (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let Some(size) = element_bytes(tensor) else { continue };
        random.shuffle(&mut tensor.float_data);
        random.shuffle(&mut tensor.double_data);
        random.shuffle(&mut tensor.int32_data);
        if let Some(raw) = &mut tensor.raw_data {
            let mut order: Vec<usize> = (0..raw.len() / size).collect();
            random.shuffle(&mut order);
            let from = raw.clone();
            for (to, at) in raw.chunks_exact_mut(size).zip(order) {
                to.copy_from_slice(&from[at * size..(at + 1) * size]);
            }
        }
    }
}

/// Bytes of one value of a tensor of floats, or of the bytes that stand for them in a quantised model.
fn element_bytes(tensor: &TensorProto) -> Option<usize> {
    match tensor.data_type() {
        DataType::Float => Some(4),
        DataType::Double => Some(8),
        DataType::Float16 | DataType::Bfloat16 => Some(2),
        DataType::Uint8 | DataType::Int8 => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{Dim, f32_tensor, graph, model, node, raw_tensor, value_info};
    use crate::onnx::tensor::floats;

    /// Two convolutions, the second with its weight behind a transposition, and a linear layer with a bias.
    fn network() -> ModelProto {
        let nodes = vec![
            node("Conv", "a", &["x", "wa"], &["ta"], vec![]),
            node("Transpose", "t", &["wb"], &["wbt"], vec![]),
            node("Conv", "b", &["ta", "wbt"], &["tb"], vec![]),
            node("Gemm", "c", &["tb", "wc", "bias"], &["tc"], vec![]),
            node("Add", "d", &["tc", "table"], &["y"], vec![]),
        ];
        let values: Vec<f32> = (0..12_u8).map(f32::from).collect();
        let tensor = |name, dims: &[i64]| f32_tensor(name, dims, &values);
        let mut stored = tensor("wb", &[3, 4]);
        (stored.raw_data, stored.float_data) = (None, values.clone());
        let weights = vec![
            tensor("wa", &[3, 4, 1, 1]),
            stored,
            tensor("wc", &[4, 3]),
            tensor("bias", &[12]),
            tensor("table", &[4, 3]),
        ];
        let sizes = [Dim::Unknown; 4];
        let x = value_info("x", DataType::Float, &sizes);
        model(graph("g", vec![x], vec![value_info("y", DataType::Float, &sizes[..2])], weights, nodes))
    }

    #[test]
    fn quantised_weights_are_weights() {
        let nodes = vec![
            node("DequantizeLinear", "d", &["bytes", "scale"], &["w"], vec![]),
            node("Conv", "a", &["x", "w"], &["y"], vec![]),
        ];
        let bytes: Vec<u8> = (0..64).collect();
        let constants = vec![
            raw_tensor("bytes", DataType::Uint8, &[8, 8, 1, 1], bytes.clone()),
            f32_tensor("scale", &[], &[0.1]),
        ];
        let info = |name| value_info(name, DataType::Float, &[Dim::Unknown; 4]);
        let mut model = model(graph("g", vec![info("x")], vec![info("y")], constants, nodes));
        assert_eq!(weights(&model), ["bytes"]);
        shuffle(&mut model, &["bytes".to_owned()], 0);
        let mut shuffled = model.graph.unwrap().initializer.remove(0).raw_data.unwrap();
        assert_ne!(shuffled, bytes);
        shuffled.sort_unstable();
        assert_eq!(shuffled, bytes);
    }

    fn values(model: &ModelProto, name: &str) -> Vec<f32> {
        let tensors = &model.graph.as_ref().unwrap().initializer;
        floats(tensors.iter().find(|tensor| tensor.name() == name).unwrap()).unwrap()
    }

    #[test]
    fn weights_are_found_from_the_top_down() {
        assert_eq!(weights(&network()), ["wc", "wb", "wa"]);
    }

    #[test]
    fn a_shuffle_keeps_every_value_and_touches_nothing_else() {
        let (before, mut after) = (network(), network());
        shuffle(&mut after, &["wc".to_owned(), "wb".to_owned()], 7);
        for name in ["wc", "wb"] {
            let (old, mut new) = (values(&before, name), values(&after, name));
            assert_ne!(old, new, "{name}");
            new.sort_by(f32::total_cmp);
            assert_eq!(old, new, "{name}");
        }
        for name in ["wa", "bias", "table"] {
            assert_eq!(values(&before, name), values(&after, name));
        }
    }

    #[test]
    fn the_same_seed_shuffles_alike_and_a_further_weight_changes_no_earlier_one() {
        let shuffled = |names: &[&str], seed| {
            let mut model = network();
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            shuffle(&mut model, &names, seed);
            values(&model, "wc")
        };
        assert_eq!(shuffled(&["wc"], 1), shuffled(&["wc", "wb", "wa"], 1));
        assert_ne!(shuffled(&["wc"], 1), shuffled(&["wc"], 2));
    }
}
