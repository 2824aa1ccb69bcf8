//! Which part of every tensor the class scores depend on.
//!
//! A transformer that classifies by its class token no longer looks at the places of the picture after
//! its last attention: a map of what comes there is blank. Walking back from the scores shows where
//! that begins.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::space::{MOST_PARTS, Spaces, strides};
use crate::onnx::graph::Graph;
use crate::onnx::known::size::known;
use crate::onnx::operators::Operator;
use crate::onnx::operators::properties::Properties;
use crate::onnx::proto::{GraphProto, NodeProto};

/// The part of a tensor that the class scores depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// Any of it, as far as is known.
    All,
    /// Only these indices of an axis.
    Only(usize, Range<usize>),
    /// Only these indices of an axis that is folded into another.
    Folded(Fold, Range<usize>),
}

/// An axis of `size` that is folded into another, perhaps with axes in front of it and behind: tokens, after
/// `[N, T, C]` became `[N * T, C]`. Its neighbours are `step` apart along that axis, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fold {
    axis: usize,
    step: i64,
    size: i64,
}

impl Demand {
    fn join(self, other: Demand) -> Demand {
        match (self, other) {
            (Demand::Only(a, first), Demand::Only(b, second)) if a == b => {
                Demand::Only(a, first.start.min(second.start)..first.end.max(second.end))
            }
            (Demand::Folded(a, first), Demand::Folded(b, second)) if a == b => {
                Demand::Folded(a, first.start.min(second.start)..first.end.max(second.end))
            }
            _ => Demand::All,
        }
    }

    /// The same part after its axis moved; all where the axis is gone.
    fn moved(self, to: impl Fn(usize) -> Option<usize>) -> Demand {
        match self {
            Demand::Only(axis, range) => to(axis).map_or(Demand::All, |axis| Demand::Only(axis, range)),
            Demand::Folded(fold, range) => {
                to(fold.axis).map_or(Demand::All, |axis| Demand::Folded(Fold { axis, ..fold }, range))
            }
            Demand::All => Demand::All,
        }
    }

    fn axis(&self) -> Option<usize> {
        match self {
            Demand::Only(axis, _) | Demand::Folded(Fold { axis, .. }, _) => Some(*axis),
            Demand::All => None,
        }
    }

    /// Whether an axis is one of several indices, and not one that is spread over all of them. An open size that holds a
    /// folded axis is.
    fn is_spread(&self, shape: &[Option<i64>], axis: usize) -> bool {
        match shape.get(axis) {
            Some(Some(size)) => *size > 1,
            Some(None) => matches!(self, Demand::Folded(..)),
            None => false,
        }
    }

    /// The same part of a tensor of the same elements, in the same order, under another shape.
    fn reshaped(&self, from: &[Option<i64>], to: &[Option<i64>]) -> Option<Demand> {
        let (axis, step, size, range) = match self {
            Demand::All => return None,
            Demand::Only(axis, range) => (*axis, 1, (*from.get(*axis)?)?, range),
            Demand::Folded(fold, range) => (fold.axis, fold.step, fold.size, range),
        };
        let apart = (*strides(from).get(axis)?)?.checked_mul(step).filter(|&apart| apart > 0 && size > 1)?;
        let steps = strides(to);
        let own = (0..to.len()).find(|&own| steps[own] == Some(apart) && to[own] == Some(size));
        if let Some(own) = own {
            return Some(Demand::Only(own, range.clone()));
        }
        let cycle = |own: &usize| {
            let step = steps[*own].filter(|&step| step > 0 && apart % step == 0).map(|step| apart / step)?;
            let turns = match to[*own] {
                Some(whole) => whole % step.checked_mul(size)? == 0,
                None => to[..*own].iter().all(|&before| before == Some(1)),
            };
            turns.then_some(Demand::Folded(Fold { axis: *own, step, size }, range.clone()))
        };
        // The axis that holds it is the last that is that large.
        (0..to.len()).rev().find_map(|own| cycle(&own))
    }
}

/// What the class scores depend on.
pub(super) struct Demands<'g> {
    demands: HashMap<&'g str, Demand>,
    users: HashMap<&'g str, BTreeSet<usize>>,
}

impl<'g> Demands<'g> {
    /// Walks back from the class scores along all that varies with the picture.
    pub(super) fn of(graph: &'g Graph<'_>, spaces: &Spaces<'g, '_>, logits: &'g str) -> Demands<'g> {
        let mut found = Demands { demands: HashMap::from([(logits, Demand::All)]), users: HashMap::new() };
        for (index, node) in graph.nodes().iter().enumerate().rev() {
            let wanted: Vec<Option<Demand>> =
                node.output.iter().map(|output| found.demands.get(output.as_str()).cloned()).collect();
            let operator = graph.operator(node);
            if wanted.iter().all(Option::is_none) || operator.properties().has(Properties::OF_SIZES) {
                continue;
            }
            let call = Call { graph, node, operator, wanted: &wanted };
            for (position, input) in node.input.iter().enumerate() {
                if let Some(demand) = spaces.varies(input).then(|| call.demand(position)).flatten() {
                    // Shapes of a damaged model contradict each other.
                    let rank = graph.shape(input).map_or(0, <[_]>::len);
                    found.add(input, index, demand.moved(|axis| (axis < rank).then_some(axis)));
                }
            }
            for input in node.subgraphs().flat_map(captured).filter(|input| spaces.varies(input)) {
                found.add(input, index, Demand::All);
            }
        }
        found
    }

    fn add(&mut self, tensor: &'g str, user: usize, demand: Demand) {
        let joined = match self.demands.remove(tensor) {
            Some(known) => known.join(demand),
            None => demand,
        };
        self.demands.insert(tensor, joined);
        self.users.entry(tensor).or_default().insert(user);
    }

    /// The part of a tensor that matters; `None` when nothing of it does.
    pub(super) fn get(&self, tensor: &str) -> Option<&Demand> {
        self.demands.get(tensor)
    }

    /// The positions of the nodes that carry a tensor on to the class scores.
    pub(super) fn users(&self, tensor: &str) -> impl Iterator<Item = usize> {
        self.users.get(tensor).into_iter().flatten().copied()
    }
}

/// What a subgraph uses, of itself or from around it.
fn captured(graph: &GraphProto) -> Vec<&str> {
    let inputs = graph.node.iter().flat_map(|node| node.input.iter().map(String::as_str));
    let outputs = graph.output.iter().map(|output| output.name());
    let inner = graph.node.iter().flat_map(|node| node.subgraphs().flat_map(captured));
    inputs.chain(outputs).chain(inner).collect()
}

/// One operator call, seen from its outputs.
struct Call<'a, 'g, 'm> {
    graph: &'g Graph<'m>,
    node: &'g NodeProto,
    operator: Operator<'g>,
    wanted: &'a [Option<Demand>],
}

impl Call<'_, '_, '_> {
    fn shape(&self, position: usize) -> Option<&[Option<i64>]> {
        self.graph.shape(self.node.input_at(position)?)
    }

    /// The part of an input that the wanted parts of the outputs depend on; `None` for nothing.
    fn demand(&self, position: usize) -> Option<Demand> {
        match self.operator.name() {
            "Concat" => self.concat(position),
            "Split" => Some(self.split().unwrap_or(Demand::All)),
            "Pad" if position == 0 => self.pad(),
            _ => Some(self.through(position).unwrap_or(Demand::All)),
        }
    }

    /// As [`Call::demand`] for operators that need something of every input; `None`: all of it.
    fn through(&self, position: usize) -> Option<Demand> {
        let (graph, node, operator) = (self.graph, self.node, self.operator);
        let properties = operator.properties();
        let demand = self.wanted.first()?.clone()?;
        let shape = self.shape(position)?;
        let rank = shape.len();
        let kept =
            |from: usize| Some(demand.clone()).filter(|demand| demand.axis().is_some_and(|axis| axis < from));
        let apart = |axis: usize| Some(demand.clone()).filter(|demand| demand.axis() != Some(axis));
        match operator.name() {
            "LayerNormalization" | "RMSNormalization" => kept(operator.axis(rank)?),
            // Before operator set 13 all axes from the named one on were one.
            "Softmax" | "LogSoftmax" | "Hardmax" if graph.opset() < 13 => kept(operator.axis(rank)?),
            "Softmax" | "LogSoftmax" | "Hardmax" | "LpNormalization" => apart(operator.axis(rank)?),
            "InstanceNormalization" | "GroupNormalization" | "MeanVarianceNormalization" | "LRN" => kept(1),
            "Expand" => self.spread(demand, shape),
            _ if properties.has(Properties::KEEPS_PLACES) => self.spread(demand, shape),
            "MatMul" => {
                let output = graph.shape(node.output_at(0)?)?.len();
                let contracted = if position == 0 { rank.checked_sub(1)? } else { rank.checked_sub(2)? };
                Some(demand.clone().moved(|axis| {
                    let axis = axis.checked_sub(output.checked_sub(rank)?)?;
                    (axis != contracted && demand.is_spread(shape, axis)).then_some(axis)
                }))
            }
            "Gemm" if position == 0 && node.int_or("transA", 0) == 0 => kept(1),
            "Transpose" => {
                let perm = operator.permutation(rank)?;
                Some(demand.moved(|axis| perm.get(axis).copied()))
            }
            _ if properties.has(Properties::RESHAPES) && position == 0 => {
                let output = graph.shape(node.output_at(0)?)?;
                demand.reshaped(output, shape)
            }
            "Gather" if position == 0 => {
                let indices = node.input_at(1)?;
                let axis = operator.axis(rank)?;
                let new = graph.shape(indices)?.len();
                let size = shape[axis]?;
                let from_front = |index: i64| if index < 0 { index.checked_add(size) } else { Some(index) };
                let taken = graph.ints(indices)?.into_iter().map(from_front);
                let taken = taken.map(|index| usize::try_from(index?).ok()).collect::<Option<Vec<_>>>()?;
                let (first, last) = (*taken.iter().min()?, *taken.iter().max()?);
                if first > 0 || last as i64 != size.saturating_sub(1) {
                    return Some(Demand::Only(axis, first..last + 1));
                }
                let behind = |old: usize| (old + 1).checked_sub(new).filter(|&old| old > axis);
                Some(demand.moved(|old| if old < axis { Some(old) } else { behind(old) }))
            }
            "Slice" if position == 0 => {
                let size = |axis: usize| usize::try_from(shape[axis]?).ok();
                let cuts = operator.parts_taken(shape)?;
                match cuts.iter().find(|cut| !cut.is_whole()) {
                    Some(cut) => Some(Demand::Only(cut.axis, cut.start..cut.end.or(size(cut.axis))?)),
                    None => Some(demand),
                }
            }
            _ if properties.has(Properties::REDUCES) && position == 0 => {
                let (gone, keep) = (operator.reduced(rank)?, operator.keeps_axes());
                let left: Vec<usize> = (0..rank).filter(|axis| keep || !gone.contains(axis)).collect();
                Some(demand.moved(|axis| left.get(axis).copied().filter(|axis| !gone.contains(axis))))
            }
            _ => None,
        }
    }

    /// Of an operand of this shape that is broadcast: an axis of size 1 is spread over all indices.
    fn spread(&self, demand: Demand, shape: &[Option<i64>]) -> Option<Demand> {
        let output = self.graph.shape(self.node.output_at(0)?)?.len();
        Some(demand.clone().moved(|axis| {
            let axis = axis.checked_sub(output.checked_sub(shape.len())?)?;
            demand.is_spread(shape, axis).then_some(axis)
        }))
    }

    fn concat(&self, position: usize) -> Option<Demand> {
        let demand = self.wanted.first()?.clone()?;
        let all = Some(Demand::All);
        if self.node.input.len() > MOST_PARTS {
            return all;
        }
        let Demand::Only(axis, range) = demand else { return all };
        let Some(rank) = self.shape(position).map(<[_]>::len) else { return all };
        if self.operator.axis(rank) != Some(axis) {
            return Some(Demand::Only(axis, range));
        }
        let size = |input: usize| usize::try_from((*self.shape(input)?.get(axis)?)?).ok();
        let Some(before) = (0..position).map(size).sum::<Option<usize>>() else { return all };
        let Some(own) = size(position) else { return (before < range.end).then_some(Demand::All) };
        let own = range.start.max(before)..range.end.min(before + own);
        (!own.is_empty()).then(|| Demand::Only(axis, own.start - before..own.end - before))
    }

    fn pad(&self) -> Option<Demand> {
        let demand = self.wanted.first()?.clone()?;
        let Demand::Only(axis, range) = demand else { return Some(Demand::All) };
        let known = || {
            let shape = self.shape(0).filter(|_| self.operator.pad_mode() == "constant")?;
            let margins = self.operator.margins(shape.len())?;
            // An axis that is not named stays.
            let begin =
                margins.iter().find(|margin| margin.axis == axis).map_or(Some(0), |it| known(it.begin))?;
            Some((begin, (*shape.get(axis)?)?))
        };
        let Some((begin, size)) = known() else { return Some(Demand::All) };
        let own = |index: usize| (index as i64).saturating_sub(begin).clamp(0, size) as usize;
        let own = own(range.start)..own(range.end);
        (!own.is_empty()).then_some(Demand::Only(axis, own))
    }

    fn split(&self) -> Option<Demand> {
        let (axis, ranges) = Some(self.operator).filter(|it| it.node.output.len() <= MOST_PARTS)?.ranges()?;
        let whole = ranges.last().map_or(0, |range| range.1);
        let wanted =
            self.wanted.iter().zip(&ranges).filter_map(|(wanted, &range)| Some((wanted.clone()?, range)));
        let range = wanted.clone().map(|(_, range)| range).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        if range != (0, whole) {
            return Some(Demand::Only(axis, range.0..range.1));
        }
        let joined = wanted.map(|(demand, _)| demand).reduce(Demand::join)?;
        Some(joined.moved(|old| (old != axis).then_some(old)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::*;
    use crate::onnx::proto::*;

    fn op(op_type: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
        node(op_type, output, inputs, &[output], attributes)
    }

    /// What `y` demands of tensors of a graph fed with `x` `[1, 6, 4]`.
    fn demands<const COUNT: usize>(
        constants: Vec<TensorProto>,
        nodes: Vec<NodeProto>,
        tensors: [&str; COUNT],
    ) -> [Option<Demand>; COUNT] {
        let input = value_info("x", DataType::Float, &[1, 6, 4].map(Dim::Fixed));
        let model = model(graph("g", vec![input], vec![], constants, nodes));
        let graph = Graph::new(&model);
        let spaces = Spaces::of(&graph);
        let demands = Demands::of(&graph, &spaces, "y");
        tensors.map(|tensor| demands.get(tensor).cloned())
    }

    fn list(name: &str, values: &[i64]) -> TensorProto {
        i64_tensor(name, &[values.len() as i64], values)
    }

    #[test]
    fn the_choice_of_a_token_reaches_back_to_the_rows_of_attention_and_no_further() {
        let constants = vec![
            f32_tensor("w", &[4, 4], &[0.5; 16]),
            f32_tensor("scale", &[4], &[0.5; 4]),
            list("heads", &[1, 6, 2, 2]),
            i64_tensor("first", &[], &[0]),
        ];
        let nodes = vec![
            op("Relu", &["x"], "a", vec![]),
            op("Transpose", &["a"], "keys", vec![ints("perm", &[0, 2, 1])]),
            op("MatMul", &["a", "w"], "queries", vec![]),
            op("MatMul", &["queries", "keys"], "scores", vec![]),
            op("Softmax", &["scores"], "weights", vec![int("axis", -1)]),
            op("MatMul", &["weights", "a"], "seen", vec![]),
            op("LayerNormalization", &["seen", "scale"], "norm", vec![]),
            op("Reshape", &["norm", "heads"], "split", vec![]),
            op("Gather", &["split", "first"], "y", vec![int("axis", 1)]),
        ];
        let names = ["split", "norm", "seen", "weights", "scores", "queries", "keys", "a", "x"];
        let found = demands(constants, nodes, names);
        let first = || Some(Demand::Only(1, 0..1));
        let (one, all) = ([first(), first(), first(), first(), first(), first()], Some(Demand::All));
        assert_eq!(found[..6], one);
        assert_eq!(found[6..], [all.clone(), all.clone(), all]);
    }

    #[test]
    fn tokens_that_are_folded_into_the_batch_are_found_again() {
        let constants = vec![
            f32_tensor("w", &[4, 4], &[0.5; 16]),
            list("fold", &[-1, 4]),
            list("norm", &[1, -1, 4, 1]),
            list("tokens", &[-1, 6, 4]),
            i64_tensor("first", &[], &[0]),
        ];
        let axes = vec![ints("axes", &[0, 2, 3])];
        let nodes = vec![
            op("Relu", &["x"], "a", vec![]),
            op("Reshape", &["a", "fold"], "rows", vec![]),
            op("Gemm", &["rows", "w"], "product", vec![]),
            op("Reshape", &["product", "norm"], "apart", vec![]),
            op("ReduceMean", &["apart"], "mean", axes),
            op("Sub", &["apart", "mean"], "centred", vec![]),
            op("Reshape", &["centred", "tokens"], "again", vec![]),
            op("Gather", &["again", "first"], "y", vec![int("axis", 1)]),
        ];
        let input = value_info("x", DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(6), Dim::Fixed(4)]);
        let model = model(graph("g", vec![input], vec![], constants, nodes));
        let graph = Graph::new(&model);
        let spaces = Spaces::of(&graph);
        let found = Demands::of(&graph, &spaces, "y");
        let folded = |axis| Some(Demand::Folded(Fold { axis, step: 1, size: 6 }, 0..1));
        assert_eq!(found.get("mean").cloned(), folded(1));
        assert_eq!(found.get("apart").cloned(), folded(1));
        assert_eq!(found.get("rows").cloned(), folded(0));
        assert_eq!(found.get("a"), Some(&Demand::Only(1, 0..1)));
    }

    #[test]
    fn slices_padding_and_joins_tell_the_range() {
        let constants = vec![
            list("1", &[1]),
            list("3", &[3]),
            list("pads", &[0, 2, 0, 0, 0, 0]),
            f32_tensor("mean", &[1, 1, 4], &[0.5; 4]),
        ];
        let nodes = vec![
            op("Relu", &["x"], "early", vec![]),
            op("Neg", &["x"], "late", vec![]),
            op("Concat", &["early", "late"], "joined", vec![int("axis", 1)]),
            op("Pad", &["joined", "pads"], "padded", vec![]),
            op("Sub", &["padded", "mean"], "apart", vec![]),
            op("Slice", &["apart", "1", "3", "1"], "y", vec![]),
        ];
        let found = demands(constants, nodes, ["apart", "padded", "joined", "early", "late"]);
        let only = |range| Some(Demand::Only(1, range));
        assert_eq!(found, [only(1..3), only(1..3), only(0..1), only(0..1), None]);
    }

    #[test]
    fn two_uses_demand_what_either_does_and_sizes_demand_nothing() {
        let constants = vec![i64_tensor("one", &[], &[1]), i64_tensor("four", &[], &[4])];
        let nodes = vec![
            op("Relu", &["x"], "a", vec![]),
            op("Gather", &["a", "one"], "b", vec![int("axis", 1)]),
            op("Gather", &["a", "four"], "c", vec![int("axis", 1)]),
            op("Neg", &["x"], "measured", vec![]),
            op("Shape", &["measured"], "size", vec![]),
            op("Add", &["b", "c"], "sum", vec![]),
            op("Expand", &["sum", "size"], "y", vec![]),
        ];
        assert_eq!(demands(constants, nodes, ["a", "measured"]), [Some(Demand::Only(1, 1..5)), None]);
    }
}
