//! Why a graph cannot be differentiated.

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
