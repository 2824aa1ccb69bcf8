//! Reverse-mode differentiation of an ONNX graph, by ordinary ONNX nodes.
//!
//! [`gradients`] walks from a target tensor back to the tensors asked for, and appends for every node on
//! the way what its vector-Jacobian product is: the gradient of the node's input, made of the gradient
//! of its output. The rules stand in `rules`, one for each operator, one file for each family. The
//! result runs wherever inference runs; there is no tape and no training framework.
//!
//! **Several classes in one pass.** For K > 1 classes every gradient has one more axis, in front:
//! `[K, N, C, h, w]` for a tensor `[N, C, h, w]`. What the forward pass computed is used as it is, because
//! it broadcasts against the new axis; nothing is computed twice. For K = 1 the axis is not there.
//!
//! **What is the same everywhere is stored once.** Behind a global average pooling the gradient of
//! `[N, C, h, w]` is the same at every place. It stays `[N, C, 1, 1]` until an operator needs it in full,
//! so that Grad-CAM on such a network costs no more than plain CAM; see [`Gradient`].

mod call;
#[cfg(test)]
mod check;
mod composite;
mod gradient;
#[cfg(test)]
mod hostile;
mod of_model;
mod reverse;
mod rules;

pub use composite::{apart, has_norm_in_pieces};
pub use gradient::Gradient;
pub use of_model::{GradientError, gradient};
pub use reverse::{Rectifier, Seed, between, differentiable, filled, gradients};
pub use rules::operators;

/// Why a graph cannot be differentiated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AutodiffError {
    /// There is no rule for an operator on the way.
    #[error("no gradient through {operator} (node {node}), which stands before {path}: {why}")]
    Unsupported {
        /// The operator, with its domain if that is not the standard's.
        operator: String,
        /// The node's name, or that of its first output.
        node: String,
        /// The node's position in the graph.
        index: usize,
        /// The operators from there to the target.
        path: String,
        /// What is missing.
        why: String,
    },
    /// The target does not depend on a tensor.
    #[error("{target} does not depend on {tensor}, so there is no gradient")]
    Independent {
        /// The tensor to differentiate.
        target: String,
        /// The tensor to differentiate by.
        tensor: String,
    },
    /// The shape of the target is not known well enough to choose one of its values.
    #[error(
        "the shape of {target} is not known; export the model with fixed sizes, or run it through ONNX's shape inference"
    )]
    UnknownTarget {
        /// The tensor to differentiate.
        target: String,
    },
}
