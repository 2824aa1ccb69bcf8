//! The reverse pass: from the target back along the edges, each node's rule once for each input that
//! leads to what was asked for.

use std::collections::{HashMap, HashSet};

use super::call::{Call, Missing};
use super::error::AutodiffError;
use super::gradient::Gradient;
use super::rectifier::Rectifier;
use super::{composite, rules};
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::proto::{DataType, NodeProto};

/// What the gradient of the target itself is.
#[derive(Clone, Debug)]
pub(crate) enum Seed {
    /// One value of each picture's: the target is `[N, C]`, perhaps with further axes of size 1, and
    /// `classes` is a tensor i32 `[N, K]` of indices into C: with 64 bits not every execution provider computes.
    Classes {
        /// The tensor of classes.
        classes: String,
        /// How many, K.
        count: usize,
    },
    /// A tensor that is the gradient: of the target's shape, after an axis of `count` if that is over 1.
    Given {
        /// The tensor.
        tensor: String,
        /// How many gradients it holds, K.
        count: usize,
    },
}

/// Appends the gradients of `target` by each tensor in `by`, and returns them in that order.
///
/// # Errors
///
/// When an operator on the way has no rule, or one of the tensors does not lead to the target. Nodes may
/// have been appended by then; nobody uses them.
pub(crate) fn gradients(
    graph: &mut GraphEditor<'_>,
    target: &str,
    seed: &Seed,
    by: &[String],
    rectifier: Rectifier,
) -> Result<Vec<Gradient>, AutodiffError> {
    let way = Way::find(graph, target, by);
    let mut pass = Pass { target, rectifier, lead: seed.count(), found: HashMap::new() };
    pass.plant(graph, seed)?;
    for &index in way.nodes.iter().rev() {
        let whole = way.composites.get(&index);
        let Some(node) = whole.or(graph.nodes().get(index)).cloned() else { continue };
        pass.through(graph, &node, &way).map_err(|missing| way.unsupported(graph, index, missing))?;
    }
    let take = |tensor: &String| {
        let independent = || AutodiffError::Independent { target: target.into(), tensor: tensor.clone() };
        pass.found.get(tensor).cloned().ok_or_else(independent)
    };
    by.iter().map(take).collect()
}

/// The tensors from which every operator on the way to a target has a rule. A rule may still refuse a node for its
/// attributes.
pub(crate) fn differentiable<'g>(graph: &'g Graph<'_>, target: &'g str) -> HashSet<&'g str> {
    let mut ways = HashMap::from([(target, true)]);
    for node in graph.nodes().iter().rev().filter(|node| !rules::is_flat(node)) {
        let outputs = node.output.iter().filter(|output| moves(graph, node, output));
        let found = outputs.filter_map(|output| ways.get(output.as_str()).copied());
        if let Some(clear) = found.reduce(|a, b| a && b) {
            let clear = clear && rules::of(node).is_some();
            uses(node).for_each(|input| *ways.entry(input).or_insert(true) &= clear);
        }
    }
    ways.into_iter().filter(|(_, clear)| *clear).map(|(tensor, _)| tensor).collect()
}

/// The positions of the nodes through which a target depends on a tensor, in the graph's order.
pub(crate) fn between(graph: &Graph<'_>, tensor: &str, target: &str) -> Vec<usize> {
    Way::find(graph, target, &[tensor.to_owned()]).nodes
}

/// A gradient of `tensor` by `count` seeds in full: of the tensor's shape, after an axis of `count` if that is over 1.
///
/// # Errors
///
/// When the shape of the tensor is not known.
pub(crate) fn filled(
    graph: &mut GraphEditor<'_>,
    gradient: &Gradient,
    tensor: &str,
    count: usize,
) -> Result<String, AutodiffError> {
    let node = NodeProto::default();
    let mut call = Call::new(graph, &node, &[], (count != 1).then_some(count), Rectifier::Plain);
    let full = call.tensor(gradient, tensor).and_then(|(name, spread)| call.fill(&name, &spread, tensor));
    full.map_err(|_| AutodiffError::UnknownTarget { target: tensor.into() })
}

impl Seed {
    /// The size of the axis in front of every gradient; `None` where it is not there.
    fn count(&self) -> Option<usize> {
        let (Seed::Classes { count, .. } | Seed::Given { count, .. }) = self;
        (*count != 1).then_some(*count)
    }
}

/// The nodes between the tensors asked for and the target.
struct Way {
    target: String,
    /// Their positions, in the graph's order.
    nodes: Vec<usize>,
    /// The tensors asked for and all that depend on them.
    dependent: HashSet<String>,
    /// Where the last node of an operator in pieces stands: the whole operator. Its other nodes get no gradient,
    /// because nothing else uses them.
    composites: HashMap<usize, NodeProto>,
}

impl Way {
    fn find(graph: &Graph<'_>, target: &str, by: &[String]) -> Way {
        let mut dependent: HashSet<String> = by.iter().cloned().collect();
        let mut after = Vec::new();
        for (index, node) in graph.nodes().iter().enumerate() {
            if !rules::is_flat(node) && uses(node).any(|input| dependent.contains(input)) {
                dependent.extend(node.output.iter().filter(|name| moves(graph, node, name)).cloned());
                after.push(index);
            }
        }
        let mut wanted = HashSet::from([target]);
        let mut nodes = Vec::new();
        for index in after.into_iter().rev() {
            let Some(node) = graph.nodes().get(index) else { continue };
            if node.output.iter().any(|output| wanted.contains(output.as_str())) {
                // What was asked for is not passed: its own producer is not on the way, unless another
                // tensor asked for lies behind.
                nodes.push(index);
                wanted.extend(uses(node).filter(|input| dependent.contains(*input)));
            }
        }
        nodes.reverse();
        let composites = nodes.iter().filter_map(|&index| Some((index, composite::at(graph, index)?)));
        let composites = composites
            .filter(|(_, whole)| whole.input_at(0).is_some_and(|values| dependent.contains(values)));
        Way { target: target.into(), composites: composites.collect(), nodes, dependent }
    }

    fn unsupported(&self, graph: &Graph<'_>, index: usize, missing: Missing) -> AutodiffError {
        let node = &graph.nodes()[index];
        AutodiffError::Unsupported {
            operator: match node.standard_op() {
                "" => format!("{}::{}", node.domain(), node.op_type()),
                standard => standard.to_owned(),
            },
            node: title(node).to_owned(),
            index,
            path: self.path(graph, index),
            why: missing.why,
        }
    }

    /// The operators after a node on one way to the target.
    fn path(&self, graph: &Graph<'_>, index: usize) -> String {
        const SHOWN: usize = 4;
        let nodes = graph.nodes();
        let after = |at: usize| {
            let made: HashSet<&String> = nodes[at].output.iter().collect();
            let uses = |next: usize| nodes[next].input.iter().any(|input| made.contains(input));
            self.nodes.iter().copied().find(|&next| next > at && uses(next))
        };
        let mut operators = Vec::new();
        let mut at = index;
        while let Some(next) = after(at) {
            if operators.len() == SHOWN {
                operators.push("…");
                break;
            }
            operators.push(nodes[next].op_type());
            at = next;
        }
        operators.push(&self.target);
        operators.join(" → ")
    }
}

/// Whether a tensor can move by a little: indices, such as those of a sort, cannot. Small integers are quantised
/// values, and stand for some that can; so do sums of their products. The scale of a dynamic quantization is held.
fn moves(graph: &Graph<'_>, node: &NodeProto, tensor: &str) -> bool {
    use DataType::{Bool, Int32, Int64, Uint32, Uint64};
    match node.standard_op() {
        "ConvInteger" | "MatMulInteger" => return true,
        "DynamicQuantizeLinear" => return node.output_at(0) == Some(tensor),
        _ => {}
    }
    let whole = matches!(graph.element_type(tensor), Some(Bool | Int32 | Int64 | Uint32 | Uint64));
    !tensor.is_empty() && !whole
}

/// What a node uses, itself or within its subgraphs.
fn uses(node: &NodeProto) -> Box<dyn Iterator<Item = &str> + '_> {
    let inner = node.subgraphs().flat_map(|graph| graph.node.iter().flat_map(uses));
    Box::new(node.input.iter().map(String::as_str).chain(inner))
}

fn title(node: &NodeProto) -> &str {
    match node.name() {
        "" => node.output_at(0).unwrap_or("without a name"),
        name => name,
    }
}

/// The most inputs or outputs of a node: some rules look at all of them for each of them.
const MOST_OPERANDS: usize = 256;

/// The state of one reverse pass.
struct Pass<'a> {
    target: &'a str,
    rectifier: Rectifier,
    lead: Option<usize>,
    /// The gradient of each tensor, of all its consumers so far.
    found: HashMap<String, Gradient>,
}

impl Pass<'_> {
    /// Gives the target its gradient.
    fn plant(&mut self, graph: &mut GraphEditor<'_>, seed: &Seed) -> Result<(), AutodiffError> {
        let gradient = match seed {
            Seed::Given { tensor, .. } => Gradient::dense(tensor.clone()),
            Seed::Classes { classes, .. } => {
                let known = graph.shape(self.target).and_then(|shape| *shape.get(1)?);
                known.ok_or_else(|| AutodiffError::UnknownTarget { target: self.target.into() })?;
                let by_class = match self.lead {
                    Some(_) => graph.op("Transpose", "camloc.by_class", &[classes], vec![]),
                    None => {
                        let flat = graph.add_ints("camloc.flat", &[-1]);
                        graph.op("Reshape", "camloc.by_class", &[classes, &flat], vec![])
                    }
                };
                Gradient::OneHot(by_class)
            }
        };
        self.found.insert(self.target.to_owned(), gradient);
        Ok(())
    }

    /// Takes the gradients of a node's outputs to its inputs.
    fn through(&mut self, graph: &mut GraphEditor<'_>, node: &NodeProto, way: &Way) -> Result<(), Missing> {
        let outputs: Vec<Option<Gradient>> =
            node.output.iter().map(|output| self.found.get(output).cloned()).collect();
        if outputs.iter().all(Option::is_none) {
            return Ok(());
        }
        let rule = rules::of(node).ok_or_else(Missing::rule)?;
        if node.input.len().max(node.output.len()) > MOST_OPERANDS {
            return Err(Missing::because(format!("it has over {MOST_OPERANDS} inputs or outputs")));
        }
        for (position, input) in node.input.iter().enumerate() {
            if !way.dependent.contains(input) {
                continue;
            }
            let mut call = Call::new(graph, node, &outputs, self.lead, self.rectifier);
            if let Some(gradient) = rule(&mut call, position)? {
                self.add(graph, node, input, gradient);
            }
        }
        Ok(())
    }

    /// Adds to the gradient of a tensor.
    fn add(&mut self, graph: &mut GraphEditor<'_>, node: &NodeProto, tensor: &str, gradient: Gradient) {
        let sum = match self.found.remove(tensor) {
            None => gradient,
            Some(first) => {
                let mut call = Call::new(graph, node, &[], self.lead, self.rectifier);
                call.add(first, gradient, tensor)
            }
        };
        self.found.insert(tensor.to_owned(), sum);
    }
}
