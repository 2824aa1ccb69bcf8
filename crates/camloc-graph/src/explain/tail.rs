//! The part of a network between a layer and the class scores, to be run on other activations than the picture's own.

use std::collections::HashSet;

use crate::onnx::graph::Graph;
use crate::onnx::proto::NodeProto;

/// The nodes between a layer and the scores.
pub(super) struct Tail {
    /// In the order in which they run.
    pub(super) nodes: Vec<NodeProto>,
    /// What they use that varies with the picture and does not come through the layer: shortcuts around it.
    pub(super) passing: Vec<String>,
}

impl Tail {
    /// Finds them.
    ///
    /// # Errors
    /// Words about a control flow operator behind the layer.
    pub(super) fn behind(graph: &Graph<'_>, layer: &str, logits: &str) -> Result<Tail, String> {
        let mut behind = HashSet::from([layer]);
        let mut after = Vec::new();
        for node in graph.nodes() {
            if node.input.iter().any(|input| behind.contains(input.as_str())) {
                behind.extend(node.output.iter().map(String::as_str));
                after.push(node);
            }
        }
        let mut wanted = HashSet::from([logits]);
        let (mut nodes, mut passing) = (Vec::new(), Vec::new());
        for node in after.into_iter().rev() {
            if !node.output.iter().any(|output| wanted.contains(output.as_str())) {
                continue;
            }
            if node.subgraphs().next().is_some() {
                return Err(format!("there is a {} behind it", node.op_type()));
            }
            for input in node.input.iter().filter(|input| !input.is_empty()) {
                let passes = !behind.contains(input.as_str()) && !graph.is_constant(input);
                if passes && !passing.contains(input) {
                    passing.push(input.clone());
                }
                wanted.insert(input);
            }
            nodes.push(node.clone());
        }
        nodes.reverse();
        Ok(Tail { nodes, passing })
    }
}
