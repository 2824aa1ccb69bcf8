//! Walking back from a tensor, along what carries the picture.

use crate::onnx::graph::Graph;
use crate::onnx::proto::NodeProto;

/// No head has as many nodes in a row; a hostile file could, behind each of its many outputs.
pub(super) const MAX_WALK: usize = 128;
/// No node of a head has as many operands.
pub(super) const MAX_OPERANDS: usize = 8;

/// The first tensor, walking back, that is not made by a node to pass.
pub(super) fn back<'g>(graph: &'g Graph<'_>, from: &'g str, pass: impl Fn(&'g NodeProto) -> bool) -> &'g str {
    let mut tensor = from;
    for _ in 0..MAX_WALK {
        match graph.producer(tensor).filter(|node| pass(node)).and_then(|node| data(graph, node)) {
            Some(input) => tensor = input,
            None => break,
        }
    }
    tensor
}

/// The input that carries the picture: the first one that is not constant.
pub(super) fn data<'g>(graph: &Graph<'_>, node: &'g NodeProto) -> Option<&'g str> {
    let mut inputs = node.input.iter().take(MAX_OPERANDS).map(String::as_str);
    inputs.find(|name| !name.is_empty() && !graph.is_constant(name))
}
