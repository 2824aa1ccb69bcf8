//! A model's structure, checked once, so that nothing later meets nonsense.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::attribute::is_default_domain;
use super::proto::*;
use super::tensor;
use super::visit::each_tensor;

/// What is wrong with a model's structure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The standard's operators are used in no version.
    #[error("the model does not say which operator set it is written in; export it again")]
    NoOpset,
    /// A version that never was.
    #[error("the model says it is written in operator set {version}, which does not exist; export it again")]
    NoSuchOpset {
        /// What it says.
        version: i64,
    },
    /// Operators in one kind of processor's own layout.
    #[error(
        "ONNX Runtime has optimised this model for one kind of processor ({operator} of {NCHWC}); give the model that it \
         was made from, or save it at the level \"extended\" (ORT_ENABLE_EXTENDED)"
    )]
    ForOneProcessor {
        /// One of the operators.
        operator: String,
    },
    /// An input that nothing makes.
    #[error(
        "node {node:?} uses tensor {tensor:?}, which nothing makes; the model is damaged, export it again"
    )]
    Dangling {
        /// The node: its name, or its operator.
        node: String,
        /// The tensor.
        tensor: String,
    },
    /// An output of the model, or of a function or subgraph of it, that nothing makes.
    #[error("the model's output {tensor:?} is made by nothing; the model is damaged, export it again")]
    DanglingOutput {
        /// The output.
        tensor: String,
    },
    /// Two makers of one tensor.
    #[error(
        "tensor {tensor:?} is made twice, the second time by {by}; the model is damaged, export it again"
    )]
    MadeTwice {
        /// The tensor.
        tensor: String,
        /// A node, or what else makes it.
        by: String,
    },
    /// A node that waits for its own output.
    #[error("node {node:?} needs tensor {tensor:?}, which needs that node: a cycle; export the model again")]
    Cycle {
        /// A node of the cycle: its name, or its operator.
        node: String,
        /// The input that it waits for.
        tensor: String,
    },
    /// So many nodes that nothing could be done with them.
    #[error(
        "the model has {count} nodes, over the limit of {MAX_NODES}, which no classifier comes near; simplify it"
    )]
    TooManyNodes {
        /// How many it has, with those of its functions and subgraphs.
        count: usize,
    },
    /// A node with very many inputs and very many outputs.
    #[error(
        "node {node:?} has {inputs} inputs and {outputs} outputs, which no operator has; the model is damaged, export it \
         again"
    )]
    TooManyOperands {
        /// The node: its name, or its operator.
        node: String,
        /// How many inputs it has.
        inputs: usize,
        /// How many outputs it has.
        outputs: usize,
    },
    /// A constant of which the data are too few or too many.
    #[error(
        "the data of tensor {tensor:?} do not fill its shape {shape:?}; the model is damaged, download or export it again"
    )]
    TensorData {
        /// The tensor; perhaps without a name.
        tensor: String,
        /// What it claims.
        shape: Vec<i64>,
    },
}

/// Where ONNX Runtime has operators whose channels lie in blocks, as wide as the processor's registers.
const NCHWC: &str = "com.microsoft.nchwc";

/// The most nodes of a model. What is written for each of them takes about a kilobyte while it is worked on.
pub const MAX_NODES: usize = 100_000;

/// Refuses a model of more than [`MAX_NODES`] nodes.
///
/// # Errors
///
/// [`CheckError::TooManyNodes`].
pub fn check_size(model: &ModelProto) -> Result<(), CheckError> {
    fn within(nodes: &[NodeProto]) -> usize {
        let graphs = nodes.iter().flat_map(NodeProto::subgraphs);
        nodes.len() + graphs.map(|graph| within(&graph.node)).sum::<usize>()
    }
    let functions = model.functions.iter().map(|function| &function.node);
    let count = model.graph.iter().map(|graph| &graph.node).chain(functions).map(|nodes| within(nodes)).sum();
    if count > MAX_NODES { Err(CheckError::TooManyNodes { count }) } else { Ok(()) }
}

/// Checks a model, and puts its nodes into an order in which every input exists before it is used. It
/// takes time and memory in proportion to the model.
///
/// # Errors
///
/// The first thing found wrong; the nodes may then be in another order.
pub fn check(model: &mut ModelProto) -> Result<(), CheckError> {
    check_size(model)?;
    each_tensor(model, &mut |tensor| {
        if tensor::is_filled(tensor) {
            Ok(())
        } else {
            Err(CheckError::TensorData { tensor: tensor.name().into(), shape: tensor.dims.clone() })
        }
    })?;
    model.functions.iter_mut().try_for_each(check_function)?;
    let Some(graph) = &mut model.graph else { return Ok(()) };
    if let Some(node) = graph.node.iter().find(|node| node.domain() == NCHWC) {
        return Err(CheckError::ForOneProcessor { operator: node.op_type().into() });
    }
    match model.opset_import.iter().find(|opset| is_default_domain(opset.domain())) {
        Some(opset) if opset.version() < 1 => {
            return Err(CheckError::NoSuchOpset { version: opset.version() });
        }
        None if uses_standard(graph) => return Err(CheckError::NoOpset),
        _ => {}
    }
    check_graph(graph, None)
}

/// A function is a graph whose tensors have no types.
fn check_function(function: &mut FunctionProto) -> Result<(), CheckError> {
    let value = |name: &String| ValueInfoProto { name: Some(name.clone()), ..Default::default() };
    let mut graph = GraphProto {
        input: function.input.iter().map(value).collect(),
        output: function.output.iter().map(value).collect(),
        node: std::mem::take(&mut function.node),
        ..Default::default()
    };
    let checked = check_graph(&mut graph, None);
    function.node = graph.node;
    checked
}

fn uses_standard(graph: &GraphProto) -> bool {
    let mut nodes = graph.node.iter();
    nodes.any(|node| is_default_domain(node.domain()) || node.subgraphs().any(uses_standard))
}

/// The tensors that a subgraph sees: of the graph around it, and of those around that one.
struct Scope<'s> {
    names: HashSet<String>,
    outer: Option<&'s Scope<'s>>,
}

fn visible(mut scope: Option<&Scope<'_>>, name: &str) -> bool {
    while let Some(Scope { names, outer }) = scope {
        if names.contains(name) {
            return true;
        }
        scope = *outer;
    }
    false
}

fn check_graph(graph: &mut GraphProto, outer: Option<&Scope<'_>>) -> Result<(), CheckError> {
    if let Some(order) = order(graph, outer)? {
        let mut nodes: Vec<Option<NodeProto>> =
            std::mem::take(&mut graph.node).into_iter().map(Some).collect();
        graph.node = order.into_iter().filter_map(|index| nodes[index].take()).collect();
    }
    if graph.node.iter().any(|node| node.subgraphs().next().is_some()) {
        let names = given(graph).chain(graph.node.iter().flat_map(|node| &node.output).map(String::as_str));
        let scope = Scope { names: names.map(str::to_owned).collect(), outer };
        for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
            for graph in attribute.g.as_deref_mut().into_iter().chain(&mut attribute.graphs) {
                check_graph(graph, Some(&scope))?;
            }
        }
    }
    Ok(())
}

/// What a graph has before its first node runs.
fn given(graph: &GraphProto) -> impl Iterator<Item = &str> {
    graph.input.iter().map(|input| input.name()).chain(constants(graph))
}

fn constants(graph: &GraphProto) -> impl Iterator<Item = &str> {
    let sparse = graph.sparse_initializer.iter().filter_map(|sparse| sparse.values.as_ref());
    graph.initializer.iter().chain(sparse).map(|tensor| tensor.name())
}

/// An order in which every input exists, as positions; `None` when the nodes are in such an order.
fn order(graph: &GraphProto, outer: Option<&Scope<'_>>) -> Result<Option<Vec<usize>>, CheckError> {
    let makers = makers(graph)?;
    let given: HashSet<&str> = given(graph).collect();
    // For each node the nodes that wait for it, and how many it waits for itself.
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); graph.node.len()];
    let mut missing = vec![0_usize; graph.node.len()];
    let mut sorted = true;
    for (index, node) in graph.node.iter().enumerate() {
        let mut used = HashSet::new();
        free_names(node, &mut used);
        for name in used {
            match makers.get(name) {
                Some(&maker) => {
                    sorted &= maker < index;
                    waiting[maker].push(index);
                    missing[index] += 1;
                }
                None if given.contains(name) || visible(outer, name) => {}
                None => return Err(CheckError::Dangling { node: label(node), tensor: name.into() }),
            }
        }
    }
    let exists = |name: &str| makers.contains_key(name) || given.contains(name) || visible(outer, name);
    if let Some(output) = graph.output.iter().find(|output| !exists(output.name())) {
        return Err(CheckError::DanglingOutput { tensor: output.name().into() });
    }
    if sorted {
        return Ok(None);
    }
    // As near to the given order as can be.
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..missing.len()).filter(|&index| missing[index] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for &next in &waiting[index] {
            missing[next] -= 1;
            if missing[next] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    match graph.node.iter().zip(&missing).find(|(_, missing)| **missing > 0) {
        None => Ok(Some(order)),
        Some((node, _)) => Err(cycle(graph, node, &makers, &missing)),
    }
}

/// Follows unmade inputs from a node until one repeats: that one is on a cycle.
fn cycle(
    graph: &GraphProto,
    from: &NodeProto,
    makers: &HashMap<&str, usize>,
    missing: &[usize],
) -> CheckError {
    let (mut node, mut seen) = (from, HashSet::new());
    loop {
        let mut used = HashSet::new();
        free_names(node, &mut used);
        let waits = |name: &&&str| makers.get(**name).is_some_and(|&maker| missing[maker] > 0);
        let Some(tensor) = used.iter().filter(waits).min() else {
            return CheckError::Cycle { node: label(node), tensor: String::new() };
        };
        let maker = makers[*tensor];
        if !seen.insert(maker) {
            return CheckError::Cycle { node: label(node), tensor: (*tensor).into() };
        }
        node = &graph.node[maker];
    }
}

/// A node with more pairs of an input and an output is refused, if it has many of both: whoever looks at all inputs for
/// each output would never end.
const MOST_PAIRS: usize = 1 << 16;

/// Which node makes each tensor.
fn makers(graph: &GraphProto) -> Result<HashMap<&str, usize>, CheckError> {
    let twice = |tensor: &str, by: &str| CheckError::MadeTwice { tensor: tensor.into(), by: by.into() };
    let mut given = HashSet::new();
    if let Some(input) = graph.input.iter().find(|input| !given.insert(input.name())) {
        return Err(twice(input.name(), "another input"));
    }
    // An initializer may well have the name of an input.
    let mut fixed = HashSet::new();
    if let Some(name) = constants(graph).find(|name| !name.is_empty() && !fixed.insert(*name)) {
        return Err(twice(name, "another initializer"));
    }
    let mut makers = HashMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        let (inputs, outputs) = (node.input.len(), node.output.len());
        if inputs.min(outputs) > 8 && inputs.saturating_mul(outputs) > MOST_PAIRS {
            return Err(CheckError::TooManyOperands { node: label(node), inputs, outputs });
        }
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            let taken = given.contains(output.as_str()) || fixed.contains(output.as_str());
            if taken || makers.insert(output.as_str(), index).is_some() {
                return Err(twice(output, &format!("node {:?}", label(node))));
            }
        }
    }
    Ok(makers)
}

/// What a node uses from outside, itself or within its subgraphs.
fn free_names<'n>(node: &'n NodeProto, used: &mut HashSet<&'n str>) {
    used.extend(node.input.iter().filter(|name| !name.is_empty()).map(String::as_str));
    for graph in node.subgraphs() {
        let mut inner = HashSet::new();
        graph.node.iter().for_each(|node| free_names(node, &mut inner));
        inner.extend(graph.output.iter().map(|output| output.name()));
        for name in given(graph).chain(graph.node.iter().flat_map(|node| &node.output).map(String::as_str)) {
            inner.remove(name);
        }
        used.extend(inner);
    }
}

/// What to call a node.
fn label(node: &NodeProto) -> String {
    if node.name().is_empty() { node.op_type().into() } else { node.name().into() }
}

#[cfg(test)]
mod tests;
