//! A model of one number, for or against: made one of two classes.

use super::probabilities::Link;
use crate::onnx::build::{self, Dim, int};
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::proto::{DataType, ModelProto, NodeProto};

/// What is behind the name of an output that was made one of two classes.
const BOTH: &str = ".both";

/// The name of the model's own output, of one that [`both_sides`] may have made.
pub fn own_side(output: &str) -> &str {
    output.strip_suffix(BOTH).unwrap_or(output)
}

/// Whether the one value of an output is a probability: it ends in a sigmoid.
pub fn is_one_probability(model: &ModelProto, output: &str) -> bool {
    let graph = Graph::new(model);
    Link::of(model, output) == Link::Identity && sigmoid(&graph, output).is_some()
}

/// Adds an output `[N, 2]` to a model whose `output` holds one probability or one logit for each picture: how probable it is
/// that not, and that it is. Its logits are `[-z, z]`, so the map of the first class is that of the second, negated.
/// Returns its name.
pub fn both_sides(model: &mut ModelProto, output: &str) -> String {
    let mut graph = GraphEditor::new(model);
    let name = format!("{output}{BOTH}");
    if graph.is_output(&name) {
        return name;
    }
    let logit = sigmoid(&graph, output).and_then(|node| node.input_at(0)).unwrap_or(output).to_owned();
    let both = both_logits(&mut graph, &logit);
    let shares = graph.op("Sigmoid", &name, &[&both], vec![]);
    let element = graph.element_type(&shares).unwrap_or(DataType::Float);
    graph.add_output(build::value_info(&shares, element, &[Dim::Unknown, Dim::Fixed(2)]));
    shares
}

/// The node that makes a probability of a logit.
fn sigmoid<'g>(graph: &'g Graph<'_>, output: &'g str) -> Option<&'g NodeProto> {
    const SHAPES: [&str; 6] = ["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast"];
    let mut tensor = output;
    for _ in 0..SHAPES.len() {
        let node = graph.producer(tensor)?;
        match node.standard_op() {
            "Sigmoid" => return Some(node),
            op if SHAPES.contains(&op) => tensor = node.input_at(0)?,
            _ => return None,
        }
    }
    None
}

/// `[-z, z]`: by a linear layer with the weight of both, where a linear layer makes z, so that its closed form is kept.
fn both_logits(graph: &mut GraphEditor<'_>, logit: &str) -> String {
    let linear = graph.producer(logit).filter(|node| node.standard_op() == "Gemm").cloned();
    let linear = linear.filter(|node| node.input.iter().skip(1).all(|input| graph.is_constant(input)));
    if let Some(mut node) = linear {
        let axis = i64::from(node.int_or("transB", 0) == 0);
        let widened: Vec<String> = (1..node.input.len())
            .map(|index| {
                let own = node.input[index].clone();
                let (own, axis) =
                    if index == 1 { (own, axis) } else { (graph.reshape("camloc.bias", &own, &[-1]), 0) };
                pair(graph, &own, axis)
            })
            .collect();
        node.input.splice(1.., widened);
        let inputs: Vec<&str> = node.input.iter().map(String::as_str).collect();
        return graph.op("Gemm", "camloc.both", &inputs, node.attribute.clone());
    }
    let column = graph.reshape("camloc.column", logit, &[-1, 1]);
    pair(graph, &column, 1)
}

/// A tensor behind its negative.
fn pair(graph: &mut GraphEditor<'_>, tensor: &str, axis: i64) -> String {
    let against = graph.op("Neg", "camloc.against", &[tensor], vec![]);
    graph.op("Concat", "camloc.both", &[&against, tensor], vec![int("axis", axis)])
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::explain::{Request, explain};
    use crate::onnx::build::{f32_tensor, graph, model, node, value_info};
    use crate::testing::Session;

    /// A network of one sigmoid, its logit made by these nodes from pooled features `f` `[1, 2]`.
    fn binary(nodes: Vec<NodeProto>) -> ModelProto {
        let image = [1, 2, 2, 5].map(Dim::Fixed);
        let mut all = vec![
            node("Relu", "features", &["x"], &["features"], vec![]),
            node("GlobalAveragePool", "pool", &["features"], &["pool"], vec![]),
            node("Flatten", "flat", &["pool"], &["f"], vec![]),
        ];
        all.extend(nodes);
        all.push(node("Sigmoid", "p", &["z"], &["p"], vec![]));
        let constants = vec![f32_tensor("w", &[1, 2], &[2.0, -1.0]), f32_tensor("b", &[1], &[-0.5])];
        let x = value_info("x", DataType::Float, &image);
        let p = value_info("p", DataType::Float, &[1, 1].map(Dim::Fixed));
        model(graph("g", vec![x], vec![p], constants, all))
    }

    #[test]
    fn the_class_that_it_is_not_has_the_rest_of_the_probability_and_the_negated_map() {
        let gemm = node("Gemm", "z", &["f", "w", "b"], &["z"], vec![int("transB", 1)]);
        let mean = node("ReduceMean", "z", &["f"], &["z"], vec![build::ints("axes", &[1])]);
        for (made_by, method) in [(gemm, "cam"), (mean, "gradcam")] {
            let mut model = binary(vec![made_by]);
            assert!(is_one_probability(&model, "p"));
            let output = both_sides(&mut model, "p");
            let request = Request { targets: vec![0, 1], output: Some(output), ..Request::default() };
            assert_eq!(explain(&mut model, &request).unwrap().method.name(), method);
            let mut session = Session::load(&model.encode_to_vec(), None).unwrap();
            session.input_mut().copy_from_slice(&[
                1., 2., 0., 4., 1., 3., 0., 1., 0., 0., 2., 5., 1., 7., 0., 3., 2., 1., 0., 0.,
            ]);
            session.set_targets(&[0, 1]);
            session.run().unwrap();
            let p = session.floats("p").1[0];
            let scores = session.floats("camloc.scores").1;
            assert!((scores[0] - (1.0 - p)).abs() < 1e-6 && (scores[1] - p).abs() < 1e-6, "{scores:?} {p}");
            let (against, for_it) = session.floats("camloc.maps").1.split_at(10);
            assert!(for_it.iter().any(|&value| value != 0.0));
            assert!(against.iter().zip(for_it).all(|(a, b)| (a + b).abs() < 1e-6), "{against:?} {for_it:?}");
        }
    }
}
