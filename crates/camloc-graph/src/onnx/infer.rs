//! What is known of tensors without running the model: element types, shapes, and the values of small
//! tensors, as declared and as they follow from the operators.
//!
//! Where a rule is missing, an operand is unknown, or the two worlds of [`known`](super::known) could agree by chance, the
//! answer is "unknown", never a guess.

mod arithmetic;
mod element;
mod moves;
mod reduce;
mod shape;
mod value;
mod windows;

use std::collections::HashMap;

use super::known::TensorInfo;
use super::known::size::{self, Symbols};
use super::operators::Operator;
use super::proto::*;

/// What is known of every tensor of a graph.
#[derive(Debug, Default)]
pub(super) struct Infos {
    infos: HashMap<String, TensorInfo>,
    symbols: Symbols,
    /// How much work values may still cost, so that no file can ask for more time or memory than that.
    budget: usize,
}

impl Infos {
    /// What a graph declares of its own tensors.
    pub(super) fn declared(graph: &GraphProto) -> Infos {
        /// Values, 24 bytes each.
        const BUDGET: usize = 1 << 21;
        let mut infos = Infos { budget: BUDGET, ..Default::default() };
        graph.input.iter().for_each(|input| infos.add_input(input));
        for value in graph.value_info.iter().chain(&graph.output) {
            if !infos.infos.contains_key(value.name())
                && let Some(info) = infos.of_value(value, false)
            {
                infos.infos.insert(value.name().to_owned(), info);
            }
        }
        graph.initializer.iter().for_each(|tensor| infos.add_tensor(tensor));
        infos
    }

    pub(super) fn get(&self, tensor: &str) -> Option<&TensorInfo> {
        self.infos.get(tensor)
    }

    /// A node, with what is known of its operands.
    pub(super) fn operator<'g>(&'g self, node: &'g NodeProto, opset: i64) -> Operator<'g> {
        Operator::new(node, opset, &self.infos)
    }

    /// An input, which a caller will feed.
    pub(super) fn add_input(&mut self, input: &ValueInfoProto) {
        if let Some(info) = self.infos.get_mut(input.name()) {
            info.fed();
        } else if let Some(info) = self.of_value(input, true) {
            self.infos.insert(input.name().to_owned(), info);
        }
    }

    /// A constant.
    pub(super) fn add_tensor(&mut self, tensor: &TensorProto) {
        self.infos.insert(tensor.name().to_owned(), TensorInfo::of_constant(tensor));
    }

    /// What follows for the outputs of a node.
    pub(super) fn add_node(&mut self, node: &NodeProto, opset: i64) {
        let call = Operator::new(node, opset, &self.infos);
        let constant = call.is_constant();
        let mut shapes = shape::outputs(&call);
        shapes.resize(node.output.len(), None);
        let mut found = Vec::new();
        for (index, sizes) in shapes.into_iter().enumerate() {
            found.push(TensorInfo { constant, ..TensorInfo::new(element::output(&call, index), sizes) });
        }
        for (index, info) in found.iter_mut().enumerate() {
            info.values = value::output(&call, index, info, &mut self.budget);
        }
        for (name, mut info) in node.output.iter().zip(found).filter(|(name, _)| !name.is_empty()) {
            if let Some(declared) = self.infos.get(name) {
                info.refine(declared);
            }
            self.infos.insert(name.clone(), info);
        }
    }

    /// What a declaration says. The first axis of an input is its batch.
    fn of_value(&mut self, value: &ValueInfoProto, is_input: bool) -> Option<TensorInfo> {
        let Some(TypeValue::TensorType(tensor)) = &value.r#type.as_ref()?.value else { return None };
        let mut size = |(axis, dim): (usize, &Dimension)| match &dim.value {
            Some(DimensionValue::DimValue(size)) if *size > 0 => size::fixed(*size),
            Some(DimensionValue::DimParam(symbol)) if !symbol.is_empty() => {
                self.symbols.named(symbol, is_input && axis == 0)
            }
            _ if is_input => self.symbols.unnamed(axis == 0),
            _ => None,
        };
        let sizes = tensor.shape.as_ref().map(|shape| shape.dim.iter().enumerate().map(&mut size).collect());
        Some(TensorInfo::new(super::known::element(tensor.elem_type()), sizes))
    }
}

#[cfg(test)]
mod tests;
