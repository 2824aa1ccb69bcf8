//! Why there is no explainer: [`ExplainerError`].

use camloc_graph::explain::ExplainError;
use camloc_graph::onnx::load::OnnxError;

use super::black_box::BlackBoxError;
use crate::assets::AssetError;
use crate::model::ModelError;
use crate::runtime::RuntimeError;

/// Why a classifier can't be explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainerError {
    /// The graph can't be rewritten.
    #[error("{model} can't be explained: {source}{}", can(methods))]
    Explain {
        /// The model's title.
        model: String,
        /// What stands in the way.
        source: Box<ExplainError>,
        /// The methods that can explain it, where it is for the method that it can't.
        methods: Vec<&'static str>,
    },
    /// The settings of a method of many passes do not fit the model.
    #[error("{model} can't be explained: {source}")]
    Unfit {
        /// The model's title.
        model: String,
        /// What does not fit.
        source: BlackBoxError,
    },
    /// The explained graph is too large for a file.
    #[error("{model} can't be explained: {source}")]
    Encode {
        /// The model's title.
        model: String,
        /// The limit that it passed.
        source: OnnxError,
    },
    /// ONNX Runtime refuses the explained graph.
    #[error("{model} can't be run: {source}")]
    Run {
        /// The model's title.
        model: String,
        /// ONNX Runtime's reason.
        source: RuntimeError,
    },
    /// The model can't be opened.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// ONNX Runtime, or the default model, can't be fetched.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// ONNX Runtime can't be loaded.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

fn can(methods: &[&str]) -> String {
    match methods {
        [] => String::new(),
        methods => format!("; what can be had: --method {}", methods.join(", ")),
    }
}
