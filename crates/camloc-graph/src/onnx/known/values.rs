//! The values of small tensors in both worlds.

use super::size::{Size, fixed};

/// The most values of a tensor that are computed.
pub(crate) const MAX_VALUES: usize = 1024;

/// A floating point number in both worlds.
pub(crate) type Real = Option<[f64; 2]>;

/// The values of a tensor in both worlds, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    /// Of an integer or Boolean tensor.
    Ints(Vec<Size>),
    /// Of a floating point tensor.
    Floats(Vec<Real>),
}

impl Values {
    pub(crate) fn of_ints(values: Vec<i64>) -> Values {
        Values::Ints(values.into_iter().map(fixed).collect())
    }

    pub(crate) fn of_floats(values: Vec<f64>) -> Values {
        Values::Floats(values.into_iter().map(|value| Some([value; 2])).collect())
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Values::Ints(values) => values.len(),
            Values::Floats(values) => values.len(),
        }
    }

    pub(crate) fn ints(&self) -> Option<&[Size]> {
        match self {
            Values::Ints(values) => Some(values),
            Values::Floats(_) => None,
        }
    }

    pub(crate) fn floats(&self) -> Option<&[Real]> {
        match self {
            Values::Floats(values) => Some(values),
            Values::Ints(_) => None,
        }
    }

    /// The values at these places; what lies outside is not known.
    pub(crate) fn pick(&self, places: &[Option<usize>]) -> Values {
        fn pick<T: Copy>(values: &[Option<T>], places: &[Option<usize>]) -> Vec<Option<T>> {
            places.iter().map(|place| *values.get((*place)?)?).collect()
        }
        match self {
            Values::Ints(values) => Values::Ints(pick(values, places)),
            Values::Floats(values) => Values::Floats(pick(values, places)),
        }
    }
}
