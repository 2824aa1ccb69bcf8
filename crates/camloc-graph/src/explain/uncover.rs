//! Class scores that a model's outputs hide: behind names, behind ranks, without a batch.

use crate::onnx::graph::Graph;
use crate::onnx::proto::{
    DataType, Dimension, DimensionValue, ModelProto, NodeProto, TensorShapeProto, TensorType,
};
use crate::onnx::proto::{TypeProto, TypeValue, ValueInfoProto};

/// What was uncovered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uncovered {
    /// The names of the classes, where an output pairs scores with them.
    pub labels: Option<Vec<String>>,
    /// The outputs that were added: the scores that others are made of.
    pub outputs: Vec<String>,
}

/// Makes the scores that others are made of outputs of their own: those that a `ZipMap` pairs with names (which goes: few
/// can read such pairs), those of which only the best are put out, and those of the first picture of a batch.
pub fn uncover(model: &mut ModelProto) -> Uncovered {
    let mut found = Uncovered::default();
    let graph = Graph::new(model);
    let (mut added, mut gone) = (Vec::new(), Vec::new());
    for output in graph.outputs() {
        let Some(node) = graph.producer(output.name()) else { continue };
        let Some(scores) = node.input_at(0).filter(|_| hides_scores(&graph, node)) else { continue };
        if node.op_type() == "ZipMap" {
            found.labels = found.labels.or_else(|| labels(node));
            gone.push(output.name().to_owned());
        }
        let known =
            graph.is_output(scores) || added.iter().any(|value: &ValueInfoProto| value.name() == scores);
        if !known {
            added.push(declared(&graph, scores));
            found.outputs.push(scores.to_owned());
        }
    }
    drop(graph);
    if let Some(graph) = &mut model.graph {
        graph.output.retain(|output| !gone.iter().any(|name| name == output.name()));
        graph.node.retain(|node| {
            !(node.op_type() == "ZipMap" && node.output.iter().any(|made| gone.contains(made)))
        });
        graph.output.extend(added);
    }
    found
}

/// Whether a node puts out scores in another form than `[N, C]`.
fn hides_scores(graph: &Graph<'_>, node: &NodeProto) -> bool {
    let rank = |index: usize| node.input_at(index).and_then(|input| graph.rank(input));
    match node.op_type() {
        "ZipMap" => true,
        "ArgMax" | "TopK" => rank(0) == Some(2),
        "Gather" | "Squeeze" | "Slice" => {
            let out = node.output_at(0).and_then(|output| graph.rank(output));
            out == Some(1) && rank(0) == Some(2) && is_float(graph, node.input_at(0).unwrap_or_default())
        }
        _ => false,
    }
}

fn is_float(graph: &Graph<'_>, tensor: &str) -> bool {
    matches!(graph.element_type(tensor), None | Some(DataType::Float | DataType::Float16 | DataType::Double))
}

fn labels(node: &NodeProto) -> Option<Vec<String>> {
    let strings = node.find_attribute("classlabels_strings").map(|names| {
        names.strings.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect::<Vec<_>>()
    });
    let numbers =
        || node.ints("classlabels_int64s").map(|numbers| numbers.iter().map(i64::to_string).collect());
    strings.filter(|names| !names.is_empty()).or_else(numbers)
}

/// An output of what is known of a tensor.
fn declared(graph: &Graph<'_>, tensor: &str) -> ValueInfoProto {
    let size =
        |size: &Option<i64>| Dimension { value: size.map(DimensionValue::DimValue), ..Default::default() };
    let shape = graph.shape(tensor).map(|shape| TensorShapeProto { dim: shape.iter().map(size).collect() });
    let element = graph.element_type(tensor).unwrap_or(DataType::Float);
    let of = TensorType { elem_type: Some(element.into()), shape };
    let r#type = Some(TypeProto { value: Some(TypeValue::TensorType(of)), denotation: None });
    ValueInfoProto { name: Some(tensor.to_owned()), r#type, ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::class_outputs;
    use crate::onnx::build::{self, Dim, f32_tensor, graph, i64_tensor, int, model, node, value_info};
    use crate::onnx::proto::{AttributeProto, OperatorSetIdProto};

    /// A network whose logits `y` `[N, 5]` this node makes an output of.
    fn hidden(last: NodeProto, output: &[Dim<'_>]) -> ModelProto {
        let image = [Dim::Symbol("N"), Dim::Fixed(4), Dim::Fixed(8), Dim::Fixed(8)];
        let nodes = vec![
            node("GlobalAveragePool", "pool", &["x"], &["pool"], vec![]),
            node("Flatten", "flat", &["pool"], &["f"], vec![]),
            node("MatMul", "linear", &["f", "w"], &["y"], vec![]),
            last,
        ];
        let constants = vec![
            f32_tensor("w", &[4, 5], &[0.5; 20]),
            i64_tensor("3", &[1], &[3]),
            i64_tensor("0", &[], &[0]),
        ];
        let x = value_info("x", DataType::Float, &image);
        let out = value_info("out", DataType::Float, output);
        model(graph("g", vec![x], vec![out], constants, nodes))
    }

    #[test]
    fn names_ranks_and_a_missing_batch_are_looked_through() {
        let (n, three, five) = (Dim::Symbol("N"), Dim::Fixed(3), Dim::Fixed(5));
        let top = node("TopK", "top", &["y", "3"], &["out", "places"], vec![int("axis", 1)]);
        let first = node("Gather", "first", &["y", "0"], &["out"], vec![int("axis", 0)]);
        let best = node("ArgMax", "best", &["y"], &["out"], vec![int("axis", 1)]);
        for (last, shape) in [(top, vec![n, three]), (first, vec![five]), (best, vec![n, Dim::Fixed(1)])] {
            let mut model = hidden(last, &shape);
            let found = uncover(&mut model);
            assert_eq!(found, Uncovered { labels: None, outputs: vec!["y".to_owned()] });
            let chosen = class_outputs(&mut model, &[]);
            assert_eq!((chosen[0].name.as_str(), chosen[0].classes), ("y", Some(5)));
        }
    }

    #[test]
    fn the_names_of_a_zip_map_are_taken_and_it_goes() {
        let names = ["a", "b", "c", "d", "e"];
        let strings = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let attribute =
            AttributeProto { name: Some("classlabels_strings".into()), strings, ..build::string("", "") };
        let mut zip = node("ZipMap", "zip", &["y"], &["out"], vec![attribute]);
        zip.domain = Some("ai.onnx.ml".into());
        let mut model = hidden(zip, &[]);
        model.opset_import.push(OperatorSetIdProto { domain: Some("ai.onnx.ml".into()), version: Some(2) });
        let found = uncover(&mut model);
        assert_eq!(found.labels.as_deref(), Some(&names.map(str::to_owned)[..]));
        let graph = model.graph.unwrap();
        assert_eq!(graph.output.iter().map(|output| output.name()).collect::<Vec<_>>(), ["y"]);
        assert!(graph.node.iter().all(|node| node.op_type() != "ZipMap"));
    }

    #[test]
    fn what_hides_nothing_stays() {
        let plain = node("Softmax", "p", &["y"], &["out"], vec![int("axis", 1)]);
        let mut model = hidden(plain, &[Dim::Symbol("N"), Dim::Fixed(5)]);
        let before = model.clone();
        assert_eq!(uncover(&mut model), Uncovered::default());
        assert_eq!(model, before);
    }
}
