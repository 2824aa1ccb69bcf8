//! Reverse-mode differentiation of an ONNX graph, by ordinary ONNX nodes.
//!
//! [`gradient`] gives a model the gradient of a scalar by any of its tensors as more outputs. It walks from the scalar
//! back to the tensors asked for, and appends for every node on the way its vector-Jacobian product: the gradient of the
//! node's input, made of the gradient of its output. The result runs wherever inference runs; there is no tape and no
//! training framework. [`operators`] lists what can be differentiated; the rules stand in `rules`, one for each
//! operator, one file for each family.
//!
//! Class activation maps ask for more than that:
//!
//! **Several classes in one pass.** For K > 1 classes every gradient has one more axis, in front:
//! `[K, N, C, h, w]` for a tensor `[N, C, h, w]`. What the forward pass computed is used as it is, because
//! it broadcasts against the new axis; nothing is computed twice. For K = 1 the axis is not there.
//!
//! **What is the same everywhere is stored once.** Behind a global average pooling the gradient of
//! `[N, C, h, w]` is the same at every place. It stays `[N, C, 1, 1]` until an operator needs it in full,
//! so that Grad-CAM on such a network costs no more than plain CAM.

mod call;
#[cfg(test)]
mod check;
mod composite;
mod error;
mod gradient;
#[cfg(test)]
mod hostile;
mod of_model;
mod rectifier;
mod reverse;
mod rules;

pub(crate) use composite::apart;
pub use composite::has_norm_in_pieces;
pub use error::AutodiffError;
pub(crate) use gradient::Gradient;
pub use of_model::{GradientError, gradient};
pub(crate) use rectifier::Rectifier;
pub(crate) use reverse::{Seed, between, differentiable, filled, gradients};
pub use rules::operators;
