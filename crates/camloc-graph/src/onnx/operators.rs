//! What operators mean: their attributes and operands, read once for all who follow a graph. Shape inference, the layers
//! that a map can be made of, receptive fields and gradients ask here, so that they can't disagree.
//!
//! One file holds one operator or family; [`properties`] has a row for each operator with what is true of it as a whole.

pub(crate) mod axes;
pub(crate) mod pad;
pub(crate) mod properties;
pub(crate) mod resize;
pub(crate) mod slice;
pub(crate) mod split;
pub(crate) mod window;

use std::collections::HashMap;

use super::known::TensorInfo;
use super::known::size::{Size, Sizes, fixed};
use super::known::values::Values;
use super::proto::{DataType, NodeProto};
use properties::Properties;

/// A node, and what is known of its operands without running it.
#[derive(Clone, Copy)]
pub(crate) struct Operator<'g> {
    pub(crate) node: &'g NodeProto,
    /// The version of the default domain's operators.
    pub(crate) opset: i64,
    infos: &'g HashMap<String, TensorInfo>,
}

impl<'g> Operator<'g> {
    pub(super) fn new(
        node: &'g NodeProto,
        opset: i64,
        infos: &'g HashMap<String, TensorInfo>,
    ) -> Operator<'g> {
        Operator { node, opset, infos }
    }

    /// The operator of the default domain that makes the same shapes of the same operands: itself, or the one that a
    /// fused operator of the runtime begins with. `""` where there is none.
    pub(crate) fn name(&self) -> &'g str {
        name(self.node)
    }

    /// What is true of the operator.
    pub(crate) fn properties(&self) -> Properties {
        Properties::of(self.name())
    }

    /// What is known of an operand.
    pub(super) fn input(&self, index: usize) -> Option<&'g TensorInfo> {
        self.infos.get(self.node.input_at(index)?)
    }

    pub(super) fn input_element(&self, index: usize) -> Option<DataType> {
        self.input(index)?.element
    }

    pub(super) fn shape(&self, index: usize) -> Option<&'g [Size]> {
        self.input(index)?.sizes.as_deref()
    }

    pub(super) fn values(&self, index: usize) -> Option<&'g Values> {
        self.input(index)?.values.as_deref()
    }

    /// An integer operand in both worlds.
    pub(super) fn sizes(&self, index: usize) -> Option<&'g [Size]> {
        self.values(index)?.ints()
    }

    /// An integer operand that is known.
    pub(super) fn ints(&self, index: usize) -> Option<Vec<i64>> {
        self.input(index)?.ints()
    }

    /// Whether a list is given, as an attribute or as an input.
    fn has_list(&self, name: &str, index: usize) -> bool {
        self.node.ints(name).is_some() || self.node.input_at(index).is_some()
    }

    /// A list that newer operator sets take as an input and older ones as an attribute, in both worlds.
    fn entries(&self, name: &str, index: usize) -> Option<Sizes> {
        match self.node.ints(name) {
            Some(values) => Some(values.iter().map(|&value| fixed(value)).collect()),
            None => self.sizes(index).map(<[_]>::to_vec),
        }
    }

    /// The same list, if all of it is known.
    fn list(&self, name: &str, index: usize) -> Option<Vec<i64>> {
        self.node.ints(name).map(<[_]>::to_vec).or_else(|| self.ints(index))
    }

    /// Whether the outputs depend on no input of the model.
    pub(super) fn is_constant(&self) -> bool {
        // A subgraph may reach for anything; a random operator differs each time.
        let mut inputs = self.node.input.iter().filter(|name| !name.is_empty());
        !Properties::of(self.node.op_type()).has(Properties::RANDOM)
            && self.node.subgraphs().next().is_none()
            && inputs.all(|name| self.infos.get(name).is_some_and(|info| info.constant))
    }
}

/// The operator of the default domain that makes the same shapes as a node's: see [`Operator::name`].
pub(crate) fn name(node: &NodeProto) -> &str {
    match (node.domain(), node.op_type()) {
        ("com.microsoft", "FusedConv") => "Conv",
        ("com.microsoft", "FusedGemm") => "Gemm",
        ("com.microsoft", "Gelu" | "FastGelu" | "QuickGelu" | "BiasGelu") => "Gelu",
        (
            "com.microsoft",
            op @ ("QuantizeLinear"
            | "DequantizeLinear"
            | "QLinearAdd"
            | "QLinearMul"
            | "QLinearLeakyRelu"
            | "QLinearSigmoid"
            | "QLinearSoftmax"
            | "QLinearGlobalAveragePool"),
        ) => op,
        _ => node.standard_op(),
    }
}

/// The position of the second factor, term or weight: quantised operators have the first one's scale and zero point between.
pub(crate) fn second_operand(operator: &str) -> usize {
    match operator {
        "QLinearConv" | "QLinearMatMul" | "QLinearAdd" | "QLinearMul" => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use crate::onnx::build::{Dim, graph, model, value_info};
    use crate::onnx::graph::Graph;
    use crate::onnx::operators::Operator;
    use crate::onnx::proto::{DataType, ModelProto, NodeProto, TensorProto};

    /// A node on `x`, of these sizes (below zero they are open), and constants.
    pub(super) fn on(sizes: &[i64], constants: Vec<TensorProto>, node: NodeProto) -> ModelProto {
        let size = |&size: &i64| if size < 0 { Dim::Unknown } else { Dim::Fixed(size) };
        let dims: Vec<Dim<'_>> = sizes.iter().map(size).collect();
        model(graph("g", vec![value_info("x", DataType::Float, &dims)], vec![], constants, vec![node]))
    }

    /// What is read of the one node of a model.
    pub(super) fn read<T>(model: &ModelProto, read: impl FnOnce(&Operator<'_>) -> T) -> T {
        let graph = Graph::new(model);
        read(&graph.operator(&graph.nodes()[0]))
    }
}
