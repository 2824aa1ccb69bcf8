//! Makes a model flat: calls of its own functions become the functions' nodes, an `If` whose
//! condition is known becomes its branch, and operators that stand for several are written out (`fused`). All that reads models afterwards meets plain operators.

mod branch;
mod rename;

use std::collections::{HashMap, HashSet};

use prost::Message;

use super::attribute::is_default_domain;
use super::fused;
use super::proto::*;
use rename::Renaming;

/// Why a model's functions cannot be written out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InlineError {
    /// A function calls itself, perhaps through others.
    #[error(
        "the model's function {function:?} calls itself, which no runtime can run; export the model again"
    )]
    Cycle {
        /// One function of the cycle.
        function: String,
    },
    /// The functions call each other so often that they would fill the memory.
    #[error(
        "the model's functions, written out, would be {bytes} bytes, over {limit}; export the model without functions"
    )]
    TooLarge {
        /// What they would need.
        bytes: u64,
        /// What they may.
        limit: u64,
    },
    /// Subgraphs within functions within subgraphs, over and over.
    #[error(
        "the model's function {function:?} nests subgraphs over {MAX_DEPTH} deep; export the model without functions"
    )]
    TooDeep {
        /// The function.
        function: String,
    },
    /// A call expects more than the function gives.
    #[error(
        "node {node:?} expects {wanted} outputs of the model's function {function:?}, which has {given}; the model is \
         damaged, export it again"
    )]
    TooFewOutputs {
        /// The node that calls; perhaps without a name.
        node: String,
        /// The function.
        function: String,
        /// How many outputs the node has.
        wanted: usize,
        /// How many the function has.
        given: usize,
    },
    /// The function is written for another version of the operators that it uses.
    #[error(
        "the model's function {function:?} is written in operator set {own} of domain {domain:?}, the model itself in \
         {model}; export the model with one operator set"
    )]
    OtherOpset {
        /// The function.
        function: String,
        /// The domain of the operators.
        domain: String,
        /// The function's version.
        own: i64,
        /// The model's version.
        model: i64,
    },
}

/// Subgraphs deeper than this cannot be read back from a file.
const MAX_DEPTH: usize = 32;

/// Writes out the model's functions and takes the branches that are known.
///
/// # Errors
///
/// When functions call themselves, grow beyond all bounds, lack outputs, or are of another operator set.
/// The model is then as it was.
pub fn inline(model: &mut ModelProto) -> Result<(), InlineError> {
    inline_functions(model)?;
    if let Some(graph) = &mut model.graph {
        branch::take_known(graph, &model.opset_import);
    }
    fused::write_out(model);
    Ok(())
}

/// How a node names the function that it calls.
type Key = (String, String, String);

fn key(domain: &str, name: &str, overload: &str) -> Key {
    let domain = if is_default_domain(domain) { "" } else { domain };
    (domain.into(), name.into(), overload.into())
}

fn inline_functions(model: &mut ModelProto) -> Result<(), InlineError> {
    if model.functions.is_empty() {
        return Ok(());
    }
    let calls = Calls::of(&model.functions);
    let order = calls.order(&model.functions)?;
    calls.check_size(model, &order)?;
    calls.check_outputs(model)?;
    check_opsets(model, &calls)?;

    let functions = std::mem::take(&mut model.functions);
    let domains: HashSet<&str> = functions.iter().map(|function| function.domain()).collect();
    if let Some(graph) = &mut model.graph {
        let mut names = HashSet::new();
        rename::collect(graph, &mut names);
        let mut writer = Writer { functions: &functions, calls: &calls, names, count: 0 };
        writer.graph(graph);
    }
    import_domains(model, &functions);
    let used = model.graph.as_ref().map(used_domains).unwrap_or_default();
    model.opset_import.retain(|opset| !domains.contains(opset.domain()) || used.contains(opset.domain()));
    Ok(())
}

/// The functions by name, and which each of them calls.
struct Calls {
    index: HashMap<Key, usize>,
}

impl Calls {
    fn of(functions: &[FunctionProto]) -> Calls {
        let keys = functions.iter().map(|f| key(f.domain(), f.name(), f.overload()));
        Calls { index: keys.enumerate().map(|(index, key)| (key, index)).collect() }
    }

    fn function(&self, node: &NodeProto) -> Option<usize> {
        self.index.get(&key(node.domain(), node.op_type(), node.overload())).copied()
    }

    /// Every call within nodes, and how many subgraphs deep it is.
    fn each(&self, nodes: &[NodeProto], depth: usize, visit: &mut dyn FnMut(usize, usize, &NodeProto)) {
        for node in nodes {
            if let Some(function) = self.function(node) {
                visit(function, depth, node);
            }
            node.subgraphs().for_each(|graph| self.each(&graph.node, depth + 1, visit));
        }
    }

    /// The functions so that each comes after those that it calls.
    fn order(&self, functions: &[FunctionProto]) -> Result<Vec<usize>, InlineError> {
        let mut callers = vec![Vec::new(); functions.len()];
        let mut missing = vec![0_usize; functions.len()];
        for (caller, function) in functions.iter().enumerate() {
            self.each(&function.node, 0, &mut |called, _, _| {
                callers[called].push(caller);
                missing[caller] += 1;
            });
        }
        let mut order: Vec<usize> = (0..functions.len()).filter(|&index| missing[index] == 0).collect();
        let mut next = 0;
        while let Some(&called) = order.get(next) {
            next += 1;
            for &caller in &callers[called] {
                missing[caller] -= 1;
                if missing[caller] == 0 {
                    order.push(caller);
                }
            }
        }
        match missing.iter().position(|&missing| missing > 0) {
            Some(index) => Err(InlineError::Cycle { function: functions[index].name().into() }),
            None => Ok(order),
        }
    }

    /// Refuses calls that expect more outputs than there are.
    fn check_outputs(&self, model: &ModelProto) -> Result<(), InlineError> {
        let mut error = None;
        let main = model.graph.iter().map(|graph| &graph.node);
        for nodes in main.chain(model.functions.iter().map(|function| &function.node)) {
            self.each(nodes, 0, &mut |called, _, node| {
                let function = &model.functions[called];
                let (wanted, given) = (node.output.len(), function.output.len());
                if wanted > given {
                    let (node, function) = (node.name().into(), function.name().into());
                    error = Some(InlineError::TooFewOutputs { node, function, wanted, given });
                }
            });
        }
        error.map_or(Ok(()), Err)
    }

    /// Refuses what would become too large or too deep, before anything is written.
    fn check_size(&self, model: &ModelProto, order: &[usize]) -> Result<(), InlineError> {
        const ROOM: u64 = 16 << 20;
        let own = |nodes: &[NodeProto]| nodes.iter().map(|node| node.encoded_len() as u64).sum::<u64>();
        let (mut sizes, mut depths) = (vec![0_u64; order.len()], vec![0_usize; order.len()]);
        for &index in order {
            let function = &model.functions[index];
            let (mut size, mut depth) = (own(&function.node), nesting(&function.node));
            self.each(&function.node, 0, &mut |called, at, _| {
                size = size.saturating_add(sizes[called]);
                depth = depth.max(at + depths[called]);
            });
            if depth > MAX_DEPTH {
                return Err(InlineError::TooDeep { function: function.name().into() });
            }
            (sizes[index], depths[index]) = (size, depth);
        }
        let nodes = model.graph.as_ref().map_or(&[][..], |graph| &graph.node);
        let (mut bytes, mut too_deep) = (0_u64, None);
        self.each(nodes, 0, &mut |called, at, _| {
            bytes = bytes.saturating_add(sizes[called]);
            if at + depths[called] > MAX_DEPTH {
                too_deep = Some(called);
            }
        });
        if let Some(called) = too_deep {
            return Err(InlineError::TooDeep { function: model.functions[called].name().into() });
        }
        let limit = (model.encoded_len() as u64).saturating_mul(8).saturating_add(ROOM);
        if bytes > limit { Err(InlineError::TooLarge { bytes, limit }) } else { Ok(()) }
    }
}

/// How many subgraphs deep nodes go.
fn nesting(nodes: &[NodeProto]) -> usize {
    let graphs = nodes.iter().flat_map(NodeProto::subgraphs);
    graphs.map(|graph| 1 + nesting(&graph.node)).max().unwrap_or(0)
}

fn version(opsets: &[OperatorSetIdProto], domain: &str) -> Option<i64> {
    let same = |opset: &&OperatorSetIdProto| {
        opset.domain() == domain || (is_default_domain(domain) && is_default_domain(opset.domain()))
    };
    opsets.iter().find(same).map(|opset| opset.version())
}

/// Refuses a function that means other operators by the same names.
fn check_opsets(model: &ModelProto, calls: &Calls) -> Result<(), InlineError> {
    for function in &model.functions {
        let plain = |node: &&NodeProto| calls.function(node).is_none();
        for domain in function.node.iter().filter(plain).map(|node| node.domain()).collect::<HashSet<_>>() {
            let versions = version(&function.opset_import, domain).zip(version(&model.opset_import, domain));
            if let Some((own, of_model)) = versions.filter(|(own, of_model)| own != of_model) {
                let (function, domain) = (function.name().into(), domain.into());
                return Err(InlineError::OtherOpset { function, domain, own, model: of_model });
            }
        }
    }
    Ok(())
}

/// Imports what only functions have imported so far.
fn import_domains(model: &mut ModelProto, functions: &[FunctionProto]) {
    let used = model.graph.as_ref().map(used_domains).unwrap_or_default();
    let used: HashSet<String> = used.into_iter().map(str::to_owned).collect();
    for opset in functions.iter().flat_map(|function| &function.opset_import) {
        if used.contains(opset.domain()) && version(&model.opset_import, opset.domain()).is_none() {
            model.opset_import.push(opset.clone());
        }
    }
}

fn used_domains(graph: &GraphProto) -> HashSet<&str> {
    let mut domains: HashSet<&str> = graph.node.iter().map(|node| node.domain()).collect();
    let graphs = graph.node.iter().flat_map(NodeProto::subgraphs);
    graphs.for_each(|graph| domains.extend(used_domains(graph)));
    domains
}

/// Writes functions in the place of their calls.
struct Writer<'f> {
    functions: &'f [FunctionProto],
    calls: &'f Calls,
    /// Every name in the model so far.
    names: HashSet<String>,
    /// How many calls were written out.
    count: usize,
}

impl Writer<'_> {
    fn graph(&mut self, graph: &mut GraphProto) {
        // The nodes to come, the next one last: a function's nodes may be calls themselves.
        let mut pending = std::mem::take(&mut graph.node);
        pending.reverse();
        while let Some(mut node) = pending.pop() {
            match self.calls.function(&node) {
                Some(function) => {
                    pending.extend(self.body(&self.functions[function], &node).into_iter().rev())
                }
                None => {
                    let graphs = node.attribute.iter_mut();
                    let graphs = graphs.flat_map(|a| a.g.as_deref_mut().into_iter().chain(&mut a.graphs));
                    graphs.for_each(|graph| self.graph(graph));
                    graph.node.push(node);
                }
            }
        }
    }

    /// The nodes of a function for one call.
    fn body(&mut self, function: &FunctionProto, call: &NodeProto) -> Vec<NodeProto> {
        self.count += 1;
        let prefix = match call.name() {
            "" => format!("{}.{}.", function.name(), self.count),
            name => format!("{name}.{}.", self.count),
        };
        let mut renaming = Renaming::all(&mut self.names, prefix);
        for (index, formal) in function.input.iter().enumerate() {
            renaming.set(formal, call.input_at(index).unwrap_or_default());
        }
        let mut copies = Vec::new();
        for (index, formal) in function.output.iter().enumerate() {
            let Some(actual) = call.output_at(index) else { continue };
            if renaming.has(formal) {
                // An input that is handed on, or an output named twice.
                copies.push((formal, actual));
            } else {
                renaming.set(formal, actual);
            }
        }
        let mut nodes = function.node.clone();
        for node in &mut nodes {
            renaming.node(node);
            // Only now, for a graph among them has the caller's names.
            set_attributes(node, function, call);
        }
        let copy = |(formal, actual): (&String, &str)| {
            let from = renaming.name(formal);
            super::build::node("Identity", actual, &[&from], &[actual], vec![])
        };
        nodes.extend(copies.into_iter().map(copy));
        nodes
    }
}

/// Gives attributes that refer to the function's own their values; one without a value goes.
fn set_attributes(node: &mut NodeProto, function: &FunctionProto, call: &NodeProto) {
    let value = |name: &str| {
        let default = || function.attribute_proto.iter().find(|attribute| attribute.name() == name);
        call.find_attribute(name).or_else(default)
    };
    node.attribute.retain_mut(|attribute| match attribute.ref_attr_name() {
        "" => true,
        name => match value(name) {
            Some(value) => {
                *attribute = AttributeProto { name: attribute.name.take(), ..value.clone() };
                true
            }
            None => false,
        },
    });
    for attribute in &mut node.attribute {
        for graph in attribute.g.as_deref_mut().into_iter().chain(&mut attribute.graphs) {
            graph.node.iter_mut().for_each(|node| set_attributes(node, function, call));
        }
    }
}

#[cfg(test)]
mod tests;
