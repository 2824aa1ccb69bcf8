//! What is known of tensors without running the model: element types, shapes, and the values of small
//! tensors, as declared and as they follow from the operators.
//!
//! A size that is open until run time gets two values, one for each of two imagined worlds, and every
//! rule computes in both. What comes out equal in both is known; what differs is open. Where a rule is
//! missing, an operand is unknown, or the two worlds could agree by chance, the answer is "unknown",
//! never a guess.

mod arithmetic;
mod element;
mod moves;
mod reduce;
mod shape;
mod size;
mod value;
mod windows;

use std::collections::HashMap;
use std::sync::Arc;

use super::proto::*;
use super::tensor;
use size::{Size, Sizes, Symbols};
use value::{MAX_VALUES, Values};

/// A shape whose rank is known: `None` for a size known only at run time.
pub type Shape = Vec<Option<i64>>;

/// No network has tensors of more axes; a hostile one could double them at every node.
const MAX_RANK: usize = 16;
/// No machine holds tensors of more elements. What claims to is not believed, so that whoever multiplies the known
/// sizes of a tensor need not fear an overflow.
const MAX_ELEMENTS: i64 = 1 << 40;

/// What is known of one tensor.
#[derive(Clone, Debug, Default)]
pub(super) struct TensorInfo {
    /// The type of its elements.
    pub(super) element: Option<DataType>,
    /// Its shape; `None` when not even the rank is known.
    pub(super) shape: Option<Shape>,
    /// Its shape in both worlds.
    sizes: Option<Sizes>,
    /// Its values, if it is small and follows from sizes and constants.
    values: Option<Arc<Values>>,
    /// Whether it depends on no input.
    pub(super) constant: bool,
}

impl TensorInfo {
    fn new(element: Option<DataType>, sizes: Option<Sizes>) -> TensorInfo {
        let sizes = sizes.filter(|sizes| sizes.len() <= MAX_RANK).map(believed);
        let shape = sizes.as_ref().map(|sizes| sizes.iter().map(|&size| size::known(size)).collect());
        TensorInfo { element, shape, sizes, values: None, constant: false }
    }

    fn with_values(self, values: Option<Values>) -> TensorInfo {
        TensorInfo { values: values.map(Arc::new), ..self }
    }

    /// The values of an integer or Boolean tensor that turned out constant.
    pub(super) fn ints(&self) -> Option<Vec<i64>> {
        self.values.as_ref()?.ints()?.iter().map(|&value| size::known(value)).collect()
    }

    /// The values of a floating point tensor that turned out constant.
    pub(super) fn floats(&self) -> Option<Vec<f32>> {
        let known = |value: &Option<[f64; 2]>| value.filter(|[a, b]| a == b).map(|[a, _]| a as f32);
        self.values.as_ref()?.floats()?.iter().map(known).collect()
    }

    /// Forgets the values: somebody may feed this tensor.
    pub(super) fn fed(&mut self) {
        (self.values, self.constant) = (None, false);
    }

    /// Fills in from a declaration what is not known.
    fn refine(&mut self, declared: &TensorInfo) {
        let sizes = match (self.sizes.take(), &declared.sizes) {
            (Some(own), Some(declared)) if own.len() == declared.len() => {
                Some(own.into_iter().zip(declared).map(|(own, &declared)| own.or(declared)).collect())
            }
            (own, declared) => own.or_else(|| declared.clone()),
        };
        let TensorInfo { values, constant, .. } = std::mem::take(self);
        *self = TensorInfo { values, constant, ..TensorInfo::new(self.element.or(declared.element), sizes) };
    }
}

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
        self.infos.insert(tensor.name().to_owned(), of_tensor(tensor));
    }

    /// What follows for the outputs of a node.
    pub(super) fn add_node(&mut self, node: &NodeProto, opset: i64) {
        let call = Call { infos: &self.infos, opset, node };
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
        Some(TensorInfo::new(element::known(tensor.elem_type()), sizes))
    }
}

/// Sizes without those that no tensor has: below zero, or of more than [`MAX_ELEMENTS`].
fn believed(sizes: Sizes) -> Sizes {
    let known = sizes.iter().filter_map(|&size| size::known(size));
    let fits = |count: &i64| *count <= MAX_ELEMENTS;
    match known.map(|size| size.max(1)).try_fold(1_i64, |count, size| count.checked_mul(size).filter(fits)) {
        Some(_) => {
            sizes.into_iter().map(|size| size.filter(|worlds| worlds.iter().all(|&size| size >= 0))).collect()
        }
        None => vec![None; sizes.len()],
    }
}

/// What a constant is.
fn of_tensor(tensor: &TensorProto) -> TensorInfo {
    let sizes = tensor.dims.iter().map(|&dim| size::fixed(dim).filter(|_| dim >= 0)).collect();
    let info = TensorInfo::new(element::known(tensor.data_type()), Some(sizes));
    let small = tensor::element_count(&tensor.dims).is_some_and(|count| count <= MAX_VALUES);
    let ints = || tensor::ints(tensor).map(Values::of_ints);
    let values = small.then(|| ints().or_else(|| tensor::doubles(tensor).map(Values::of_floats))).flatten();
    TensorInfo { constant: true, ..info.with_values(values) }
}

/// One operator call.
struct Call<'g> {
    infos: &'g HashMap<String, TensorInfo>,
    opset: i64,
    node: &'g NodeProto,
}

impl<'g> Call<'g> {
    /// The operator: of the default domain, or the one that means the same in the runtime's own.
    fn operator(&self) -> &'g str {
        match (self.node.domain(), self.node.op_type()) {
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
            _ => self.node.standard_op(),
        }
    }

    fn input(&self, index: usize) -> Option<&'g TensorInfo> {
        self.infos.get(self.node.input_at(index)?)
    }

    fn input_element(&self, index: usize) -> Option<DataType> {
        self.input(index)?.element
    }

    fn shape(&self, index: usize) -> Option<&'g [Size]> {
        self.input(index)?.sizes.as_deref()
    }

    fn values(&self, index: usize) -> Option<&'g Values> {
        self.input(index)?.values.as_deref()
    }

    /// An integer operand in both worlds.
    fn sizes(&self, index: usize) -> Option<&'g [Size]> {
        self.values(index)?.ints()
    }

    /// An integer operand that is known.
    fn ints(&self, index: usize) -> Option<Vec<i64>> {
        self.input(index)?.ints()
    }

    /// A list that newer operator sets take as an input and older ones as an attribute.
    fn list(&self, name: &str, index: usize) -> Option<Vec<i64>> {
        self.node.ints(name).map(<[_]>::to_vec).or_else(|| self.ints(index))
    }

    /// Axes given as an attribute or as an input.
    fn axes(&self, rank: usize, index: usize) -> Option<Vec<usize>> {
        self.list("axes", index)?.into_iter().map(|axis| wrap_axis(axis, rank)).collect()
    }

    fn axis(&self, default: i64, rank: usize) -> Option<usize> {
        wrap_axis(self.node.int_or("axis", default), rank)
    }

    /// Whether the outputs depend on no input of the model.
    fn is_constant(&self) -> bool {
        // A subgraph may reach for anything; a random operator differs each time.
        let op = self.node.op_type();
        let random = op.starts_with("Random") || matches!(op, "Bernoulli" | "Multinomial");
        let mut inputs = self.node.input.iter().filter(|name| !name.is_empty());
        !random
            && self.node.subgraphs().next().is_none()
            && inputs.all(|name| self.infos.get(name).is_some_and(|info| info.constant))
    }
}

/// An axis counted from the end when negative; `None` outside the rank.
pub fn wrap_axis(axis: i64, rank: usize) -> Option<usize> {
    let rank = rank as i64;
    let axis = if axis < 0 { axis.checked_add(rank)? } else { axis };
    (0..rank).contains(&axis).then_some(axis as usize)
}

#[cfg(test)]
mod tests;
