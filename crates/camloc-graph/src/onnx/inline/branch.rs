//! An `If` whose condition is known is its branch.

use std::collections::HashSet;

use super::super::attribute::is_default_domain;
use super::super::build;
use super::super::infer::Infos;
use super::super::proto::*;
use super::rename::{self, Renaming};

/// Puts the branch in the place of each `If` of the graph itself whose condition does not depend on
/// what is fed.
pub(super) fn take_known(graph: &mut GraphProto, opsets: &[OperatorSetIdProto]) {
    if !graph.node.iter().any(|node| node.standard_op() == "If") {
        return;
    }
    let opset =
        opsets.iter().find(|opset| is_default_domain(opset.domain())).map_or(1, |opset| opset.version());
    let mut infos = Infos::declared(graph);
    let mut taken = Taken { graph, names: HashSet::new() };
    rename::collect(taken.graph, &mut taken.names);
    // The nodes to come, the next one last: a branch may hold another `If`.
    let mut pending = std::mem::take(&mut taken.graph.node);
    pending.reverse();
    while let Some(mut node) = pending.pop() {
        let is_if = node.standard_op() == "If";
        let condition = || infos.get(node.input_at(0)?)?.ints()?.first().map(|&value| value != 0);
        match is_if.then(condition).flatten().and_then(|condition| branch(&mut node, condition)) {
            Some(branch) => {
                let (nodes, constants) = taken.body(branch, &node);
                constants.iter().for_each(|tensor| infos.add_tensor(tensor));
                taken.graph.initializer.extend(constants);
                pending.extend(nodes.into_iter().rev());
            }
            None => {
                infos.add_node(&node, opset);
                taken.graph.node.push(node);
            }
        }
    }
}

/// Takes the branch out of a node, if it has one with as many outputs as the node.
fn branch(node: &mut NodeProto, condition: bool) -> Option<GraphProto> {
    let name = if condition { "then_branch" } else { "else_branch" };
    let outputs = node.output.len();
    // Of one without outputs nobody uses anything.
    node.output.iter().find(|output| !output.is_empty())?;
    let attribute = node.attribute.iter_mut().find(|attribute| attribute.name() == name)?;
    attribute.g.take_if(|graph| graph.output.len() >= outputs && graph.input.is_empty()).map(|graph| *graph)
}

/// A graph that takes in branches.
struct Taken<'g> {
    graph: &'g mut GraphProto,
    /// Every name in the model so far.
    names: HashSet<String>,
}

impl Taken<'_> {
    /// The nodes and constants of a branch. What it has of its own gets fresh names, for the other branch
    /// may use the same; names of the graph around it are the graph's.
    fn body(&mut self, mut branch: GraphProto, node: &NodeProto) -> (Vec<NodeProto>, Vec<TensorProto>) {
        let prefix =
            format!("{}.", node.output.iter().find(|output| !output.is_empty()).map_or("if", String::as_str));
        let own: Vec<String> = rename::own_names(&branch).map(str::to_owned).collect();
        let mut renaming = Renaming::chosen(&mut self.names);
        let made: HashSet<&String> = branch.node.iter().flat_map(|node| &node.output).collect();
        let mut copies = Vec::new();
        for (inner, outer) in branch.output.iter().zip(&node.output).filter(|(_, outer)| !outer.is_empty()) {
            let inner = inner.name().to_owned();
            if made.contains(&inner) && !renaming.has(&inner) {
                renaming.set(&inner, outer)
            } else {
                // A constant or a tensor from outside is handed on.
                copies.push((inner, outer))
            }
        }
        for name in &own {
            if !renaming.has(name) {
                renaming.set_fresh(name, &prefix);
            }
        }
        branch.node.iter_mut().for_each(|node| renaming.node(node));
        for tensor in &mut branch.initializer {
            tensor.name = Some(renaming.name(tensor.name()));
        }
        for mut sparse in std::mem::take(&mut branch.sparse_initializer) {
            if let Some(tensor) = &mut sparse.values {
                tensor.name = Some(renaming.name(tensor.name()));
            }
            self.graph.sparse_initializer.push(sparse);
        }
        for mut value in std::mem::take(&mut branch.value_info) {
            value.name = Some(renaming.name(value.name()));
            self.graph.value_info.push(value);
        }
        let copy = |(inner, outer): (String, &String)| {
            let from = renaming.name(&inner);
            build::node("Identity", outer, &[&from], &[outer], vec![])
        };
        branch.node.extend(copies.into_iter().map(copy));
        (branch.node, branch.initializer)
    }
}
