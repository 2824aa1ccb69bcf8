//! Branches of a network that see the picture mirrored, as what is trained on both sides is often asked twice.

use std::collections::HashMap;

use crate::onnx::graph::Graph;
use crate::onnx::proto::NodeProto;

/// The tensors that hold places in another order than the picture: those behind a mirror, up to where they meet what is
/// not, or are mirrored back. Each with the axes that were turned.
pub(super) fn mirrored<'g>(graph: &'g Graph<'_>) -> HashMap<&'g str, Vec<i64>> {
    let mut found: HashMap<&str, Vec<i64>> = HashMap::new();
    for node in graph.nodes() {
        let mut varying = node.input.iter().filter(|input| !input.is_empty() && !graph.is_constant(input));
        let first = varying.next().and_then(|input| found.get(input.as_str()).cloned()).unwrap_or_default();
        // With something beside it that is not turned so, it is no mirrored map of the picture.
        let same = varying.all(|input| found.get(input.as_str()).is_some_and(|turned| *turned == first));
        let mut turned = if same { first } else { Vec::new() };
        for axis in turned_axes(graph, node) {
            match turned.iter().position(|&known| known == axis) {
                Some(known) => drop(turned.remove(known)),
                None => turned.push(axis),
            }
        }
        if !turned.is_empty() {
            turned.sort_unstable();
            found.extend(node.output.iter().map(|output| (output.as_str(), turned.clone())));
        }
    }
    found
}

/// The axes along which a node takes all there is from the end to the start.
fn turned_axes(graph: &Graph<'_>, node: &NodeProto) -> Vec<i64> {
    if node.standard_op() != "Slice" {
        return Vec::new();
    }
    let list = |index: usize| node.input_at(index).and_then(|list| graph.ints(list));
    let (Some(axes), Some(steps)) = (list(3), list(4)) else { return Vec::new() };
    let rank = node.input_at(0).and_then(|data| graph.rank(data)).unwrap_or_default() as i64;
    let axes = axes.into_iter().zip(steps).filter(|(_, step)| *step == -1);
    axes.map(|(axis, _)| if axis < 0 { axis + rank } else { axis }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{Dim, graph, i64_tensor, model, node, value_info};
    use crate::onnx::proto::DataType;

    #[test]
    fn a_branch_is_mirrored_until_it_is_turned_back_or_meets_the_other() {
        let lists = [("minus", -1), ("end", i64::MIN), ("3", 3)];
        let constants = lists.map(|(name, value)| i64_tensor(name, &[1], &[value])).to_vec();
        let turn =
            |from: &str, to: &str| node("Slice", to, &[from, "minus", "end", "3", "minus"], &[to], vec![]);
        let nodes = vec![
            node("Relu", "plain", &["x"], &["plain"], vec![]),
            turn("x", "turned"),
            node("Relu", "other", &["turned"], &["other"], vec![]),
            turn("other", "back"),
            node("Add", "sum", &["plain", "other"], &["sum"], vec![]),
        ];
        let x = value_info("x", DataType::Float, &[1, 3, 8, 8].map(Dim::Fixed));
        let model = model(graph("g", vec![x], vec![], constants, nodes));
        let graph = Graph::new(&model);
        let mut found: Vec<&str> = mirrored(&graph).into_keys().collect();
        found.sort_unstable();
        assert_eq!(found, ["other", "turned"]);
    }
}
