//! [`Rectifier`]: plain or guided backpropagation.

/// What the gradient of a rectifier is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rectifier {
    /// The true one.
    #[default]
    Plain,
    /// Guided backpropagation (Springenberg et al. 2015): through `Relu`, and through a `Clip` or a quantization
    /// whose lower bound is zero, only what is positive passes.
    Guided,
}
