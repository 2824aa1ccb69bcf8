//! Operators that stand for several, written out: what ONNX Runtime's optimiser and its quantiser make, and attention as
//! newer operator sets have it. Everything behind then meets the plain operators that they are made of.
//!
//! The runtime joins them again when it loads the model. Where it joins them otherwise than they were, the model's outputs
//! differ from its own by what a 32-bit sum in another order does.

mod activation;
mod attention;
mod norm;
mod product;
mod quantised;

use super::edit::GraphEditor;
use super::proto::{AttributeProto, ModelProto, NodeProto};

/// The domain of the runtime's own operators.
const RUNTIME: &str = "com.microsoft";

/// Writes out what can be; the rest stays as it is.
pub(super) fn write_out(model: &mut ModelProto) {
    let Some(graph) = &mut model.graph else { return };
    // A pooling is only looked at among others.
    if !graph.node.iter().any(|node| is_fused(node) && node.standard_op() != "MaxPool") {
        return;
    }
    let nodes = std::mem::take(&mut graph.node);
    let mut graph = GraphEditor::new(model);
    for name in nodes.iter().flat_map(|node| node.input.iter().chain(&node.output).chain(&node.name)) {
        if !graph.has_name(name) {
            graph.fresh_name(name);
        }
    }
    for node in nodes {
        let written = is_fused(&node) && Fused { graph: &mut graph, node: &node }.write_out().is_some();
        if !written {
            graph.push(node);
        }
    }
}

fn is_fused(node: &NodeProto) -> bool {
    node.domain() == RUNTIME
        || matches!(
            node.standard_op(),
            "Attention"
                | "LayerNormalization"
                | "SimplifiedLayerNormalization"
                | "QLinearConv"
                | "QLinearMatMul"
                | "MaxPool"
        )
}

/// One such node, and the graph that its parts are added to.
struct Fused<'a, 'm> {
    graph: &'a mut GraphEditor<'m>,
    node: &'a NodeProto,
}

impl Fused<'_, '_> {
    /// Adds the parts. `None`: nothing was added that anybody uses, and the node stays.
    fn write_out(&mut self) -> Option<()> {
        match self.node.op_type() {
            "FusedConv" => self.conv(),
            "FusedGemm" => self.gemm(),
            "FusedMatMul" | "TransposeMatMul" => self.matmul(),
            "DynamicQuantizeMatMul" => self.dynamic_matmul(),
            "MatMulIntegerToFloat" => self.integer_matmul(),
            "Gelu" if self.is_runtimes() => self.gelu(),
            "BiasGelu" => self.bias_gelu(),
            "FastGelu" => self.fast_gelu(),
            "QuickGelu" => self.quick_gelu(),
            "LayerNormalization" if self.graph.opset() < norm::LAYER_NORM_OPSET => self.layer_norm(),
            "SimplifiedLayerNormalization" => self.simplified_norm(),
            "SkipLayerNormalization" => self.skip_norm(true),
            "SkipSimplifiedLayerNormalization" => self.skip_norm(false),
            "Attention" if self.is_runtimes() => self.packed_attention(),
            "Attention" => self.standard_attention(),
            "MultiHeadAttention" => self.multi_head_attention(),
            _ => self.quantised(),
        }
    }

    fn is_runtimes(&self) -> bool {
        self.node.domain() == RUNTIME
    }

    fn input(&self, index: usize) -> Option<String> {
        self.node.input_at(index).map(str::to_owned)
    }

    /// Whether none of these inputs is given.
    fn lacks(&self, inputs: &[usize]) -> bool {
        inputs.iter().all(|&index| self.node.input_at(index).is_none())
    }

    /// Whether nobody asks for an output behind the first.
    fn has_one_output(&self) -> bool {
        (1..self.node.output.len()).all(|index| self.node.output_at(index).is_none())
    }

    /// A part.
    fn op(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        self.graph.op(op, "camloc.part", inputs, attributes)
    }

    /// The part that makes an output of the node.
    fn last(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        output: usize,
    ) -> Option<()> {
        let output = self.node.output_at(output)?;
        self.graph.push(super::build::node(op, output, inputs, &[output], attributes));
        Some(())
    }

    /// A sum with what may be left out.
    fn plus(&mut self, values: String, term: Option<String>) -> String {
        match term {
            Some(term) => self.op("Add", &[&values, &term], vec![]),
            None => values,
        }
    }

    /// The node's attributes without some that its parts do not have.
    fn attributes_without(&self, names: &[&str]) -> Vec<AttributeProto> {
        let kept = self.node.attribute.iter().filter(|attribute| !names.contains(&attribute.name()));
        kept.cloned().collect()
    }
}

#[cfg(test)]
mod tests;
