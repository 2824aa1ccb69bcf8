//! What is known of a tensor without running the model: its element type, its shape, and its values where it is small.
//!
//! A size that is open until run time gets two values, one for each of two imagined worlds, and every rule computes in
//! both. What comes out equal in both is known; what differs is open.

pub(crate) mod size;
pub(super) mod values;

use std::sync::Arc;

use super::proto::{DataType, TensorProto};
use super::tensor;
use size::{Sizes, fixed, known};
use values::{MAX_VALUES, Values};

/// A shape whose rank is known: `None` for a size known only at run time.
pub(super) type Shape = Vec<Option<i64>>;

/// No network has tensors of more axes; a hostile one could double them at every node.
pub(super) const MAX_RANK: usize = 16;
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
    pub(super) sizes: Option<Sizes>,
    /// Its values, if it is small and follows from sizes and constants.
    pub(super) values: Option<Arc<Values>>,
    /// Whether it depends on no input.
    pub(super) constant: bool,
}

impl TensorInfo {
    pub(super) fn new(element: Option<DataType>, sizes: Option<Sizes>) -> TensorInfo {
        let sizes = sizes.filter(|sizes| sizes.len() <= MAX_RANK).map(believed);
        let shape = sizes.as_ref().map(|sizes| sizes.iter().map(|&size| known(size)).collect());
        TensorInfo { element, shape, sizes, values: None, constant: false }
    }

    /// What a constant is.
    pub(super) fn of_constant(tensor: &TensorProto) -> TensorInfo {
        let sizes = tensor.dims.iter().map(|&dim| fixed(dim).filter(|_| dim >= 0)).collect();
        let info = TensorInfo::new(element(tensor.data_type()), Some(sizes));
        let small = tensor::element_count(&tensor.dims).is_some_and(|count| count <= MAX_VALUES);
        let ints = || tensor::ints(tensor).map(Values::of_ints);
        let values =
            small.then(|| ints().or_else(|| tensor::doubles(tensor).map(Values::of_floats))).flatten();
        TensorInfo { constant: true, values: values.map(Arc::new), ..info }
    }

    /// The values of an integer or Boolean tensor that turned out constant.
    pub(super) fn ints(&self) -> Option<Vec<i64>> {
        self.values.as_ref()?.ints()?.iter().map(|&value| known(value)).collect()
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
    pub(super) fn refine(&mut self, declared: &TensorInfo) {
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

/// Sizes without those that no tensor has: below zero, or of more than [`MAX_ELEMENTS`].
fn believed(sizes: Sizes) -> Sizes {
    let known = sizes.iter().filter_map(|&size| known(size));
    let fits = |count: &i64| *count <= MAX_ELEMENTS;
    match known.map(|size| size.max(1)).try_fold(1_i64, |count, size| count.checked_mul(size).filter(fits)) {
        Some(_) => {
            sizes.into_iter().map(|size| size.filter(|worlds| worlds.iter().all(|&size| size >= 0))).collect()
        }
        None => vec![None; sizes.len()],
    }
}

/// An element type that is one.
pub(super) fn element(element: DataType) -> Option<DataType> {
    (element != DataType::Undefined).then_some(element)
}
