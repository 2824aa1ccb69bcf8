//! Why a model cannot be explained.

use super::layers::LayerError;
use crate::autodiff::AutodiffError;
use crate::onnx::check::CheckError;
use crate::onnx::inline::InlineError;
use crate::onnx::opset::OpsetError;

/// Why a model cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// The head has no closed form that is known here.
    #[error(
        "output {output:?} has no closed form (global average pooling then one linear layer; a convolution of class \
         maps, then pooling; one linear layer on flattened features); take --method gradcam"
    )]
    NoClosedForm {
        /// The output walked back from.
        output: String,
    },
    /// The graph cannot be differentiated.
    #[error("{source}{}", nearest.as_ref().map_or(String::new(), |layer| format!("; the nearest layer with a map is {layer}: --layer {layer}")))]
    Gradient {
        /// What stands in the way.
        source: Box<AutodiffError>,
        /// The nearest layer from which a map can be had.
        nearest: Option<String>,
    },
    /// A method cannot be had at a layer.
    #[error("{method} cannot be had at layer {layer}: {why}")]
    NotForLayer {
        /// The method.
        method: &'static str,
        /// The layer.
        layer: String,
        /// Why, and what to do.
        why: String,
    },
    /// There is no image input to differentiate by.
    #[error(
        "this model has no image input [N, channels, h, w], so there is no map of its pixels; take a method of layers"
    )]
    NoImage,
    /// The model is damaged.
    #[error(transparent)]
    Damaged(#[from] CheckError),
    /// Its own functions cannot be written out.
    #[error(transparent)]
    Functions(#[from] InlineError),
    /// There is no such layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The place asked for is not in an output.
    #[error("output {output:?} has the shape {shape} behind its batch axis; {index:?} is not a place in it")]
    NoSuchPlace {
        /// The output.
        output: String,
        /// Its sizes.
        shape: String,
        /// The place asked for.
        index: Vec<usize>,
    },
    /// The asked output does not exist, or the model has none.
    #[error("the model has no output {output:?}; its outputs are: {outputs}")]
    NoSuchOutput {
        /// The output asked for.
        output: String,
        /// The ones that there are.
        outputs: String,
    },
    /// The output is no list of class scores.
    #[error(
        "output {output:?} holds values at places, {shape}, as detectors and segmentations have them, and no class scores; \
         name the one to explain: --target {output}:{example}"
    )]
    NotScores {
        /// The output.
        output: String,
        /// Its sizes, `?` for open ones.
        shape: String,
        /// Where one value lies.
        example: String,
    },
    /// The classes cannot be counted.
    #[error(
        "the model does not say how many classes its output {output:?} has; export it with that size fixed"
    )]
    UnknownClasses {
        /// The output.
        output: String,
    },
    /// `top_k` is zero and there are no targets.
    #[error("no class to explain was asked for; ask for at least one")]
    NothingAsked,
    /// A class that the model does not have.
    #[error("class {target} does not exist: the model has {classes} classes, 0 to {}", classes - 1)]
    NoSuchClass {
        /// The class asked for.
        target: usize,
        /// How many classes there are, at least one.
        classes: usize,
    },
    /// There are maps in it already.
    #[error("this model is explained already (it has a tensor {tensor:?}); give the model it was made from")]
    AlreadyExplained {
        /// The tensor found.
        tensor: String,
    },
    /// Its operators are too old and cannot be brought forward.
    #[error(transparent)]
    OldOperators(#[from] OpsetError),
}

impl From<AutodiffError> for ExplainError {
    fn from(source: AutodiffError) -> ExplainError {
        ExplainError::Gradient { source: Box::new(source), nearest: None }
    }
}
