//! [`Gradient`]: the tensor that holds the gradient of another tensor.

/// The gradient of the target by one tensor of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gradient {
    /// One for a class, zero for the others: not computed yet, because what multiplies it with a matrix
    /// had better pick a row. Holds the classes' tensor: i32 `[N]`, or `[K, N]` for K > 1.
    OneHot(String),
    /// A tensor of the graph.
    Tensor {
        /// Its name. It has the differentiated tensor's shape, after an axis of K for K > 1 classes.
        name: String,
        /// Axes of the differentiated tensor along which the gradient is the same everywhere. It has
        /// size 1 there, whatever the differentiated tensor has.
        spread: Vec<usize>,
    },
}

impl Gradient {
    /// A gradient that is stored in full.
    pub(super) fn dense(name: String) -> Gradient {
        Gradient::Tensor { name, spread: Vec::new() }
    }

    /// A gradient that is the same along some axes.
    pub(super) fn spread(name: String, mut axes: Vec<usize>) -> Gradient {
        axes.sort_unstable();
        axes.dedup();
        Gradient::Tensor { name, spread: axes }
    }
}
