//! Dropping what no output of a model needs.

use std::collections::HashSet;

use super::graph::collect_used;
use super::proto::{GraphProto, ModelProto};

/// Drops the nodes and constants that none of the outputs depends on. Inputs stay: whoever feeds them need not know.
pub fn prune(model: &mut ModelProto) {
    let Some(graph) = &mut model.graph else { return };
    let used = prune_behind(graph, 0, 0);
    graph
        .sparse_initializer
        .retain(|tensor| tensor.values.as_ref().is_some_and(|values| used.contains(values.name())));
    graph.value_info.retain(|value| used.contains(value.name()));
}

/// Drops, of the nodes and constants behind these positions, those that none of the outputs depends on, and returns the
/// names of all tensors that outputs do depend on.
pub(crate) fn prune_behind(graph: &mut GraphProto, nodes: usize, constants: usize) -> HashSet<String> {
    let mut used: HashSet<String> = graph.output.iter().map(|output| output.name().to_owned()).collect();
    let mut kept = Vec::new();
    // Nodes stand in topological order, so whoever uses a tensor comes after whoever makes it.
    for (index, node) in std::mem::take(&mut graph.node).into_iter().enumerate().rev() {
        let needed = node.output.iter().any(|output| used.contains(output));
        if needed {
            collect_used(&node, &mut used);
        }
        if needed || index < nodes {
            kept.push(node);
        }
    }
    kept.reverse();
    graph.node = kept;
    let mut index = 0;
    graph.initializer.retain(|tensor| {
        index += 1;
        index <= constants || used.contains(tensor.name())
    });
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{Dim, f32_tensor, graph, model, node, subgraph, value_info};
    use crate::onnx::proto::DataType;

    #[test]
    fn what_an_output_needs_stays_also_what_a_branch_of_it_captures() {
        let value = |name: &str| value_info(name, DataType::Float, &[Dim::Fixed(1)]);
        let branch = |from: &str, to: &str| {
            graph(
                "branch",
                vec![],
                vec![value(to)],
                vec![],
                vec![node("Identity", to, &[from], &[to], vec![])],
            )
        };
        let branches =
            vec![subgraph("then_branch", branch("captured", "a")), subgraph("else_branch", branch("x", "b"))];
        let nodes = vec![
            node("Add", "captured", &["x", "kept"], &["captured"], vec![]),
            node("Add", "unused", &["x", "dropped"], &["unused"], vec![]),
            node("If", "if", &["which"], &["y"], branches),
        ];
        let constants = vec![f32_tensor("kept", &[1], &[1.0]), f32_tensor("dropped", &[1], &[1.0])];
        let inputs = vec![value("x"), value_info("which", DataType::Bool, &[])];
        let mut model = model(graph("g", inputs, vec![value("y")], constants, nodes));
        prune(&mut model);
        let graph = model.graph.unwrap();
        assert_eq!(graph.node.iter().map(|node| node.name()).collect::<Vec<_>>(), ["captured", "if"]);
        assert_eq!(graph.initializer.iter().map(|tensor| tensor.name()).collect::<Vec<_>>(), ["kept"]);
        assert_eq!(graph.input.len(), 2);
    }
}
