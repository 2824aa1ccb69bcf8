//! A classifier that says where it looks: preprocessing, the explained graph and its labels together.

use crate::explain::{self, ExplainError, Explanation, Request};
use crate::frame::Picture;
use crate::maps::ClassMap;
use crate::model::{Classifier, Labels, Preprocessor};
use crate::onnx::load::{self, OnnxError};
use crate::runtime::{ExplainedSession, Options, RuntimeError};
use crate::view::View;

use super::stats::{Stage, Stats};

/// Why a classifier can't be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainerError {
    /// The graph has no closed-form map.
    #[error("{model} can't be explained: {source}")]
    Explain {
        /// The model's title.
        model: String,
        /// What was found instead.
        source: ExplainError,
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
}

/// Explains pictures, one at a time.
pub struct Explainer {
    title: String,
    labels: Labels,
    top_k: usize,
    explanation: Explanation,
    preprocessor: Preprocessor,
    session: ExplainedSession,
}

impl Explainer {
    /// Rewrites the classifier's graph so that it explains itself, and loads it.
    ///
    /// [`crate::runtime::init`] must have been called.
    pub fn new(
        mut classifier: Classifier,
        request: &Request,
        options: &Options,
    ) -> Result<Explainer, ExplainerError> {
        let title = classifier.title;
        let explanation = explain::explain(&mut classifier.model, request)
            .map_err(|source| ExplainerError::Explain { model: title.clone(), source })?;
        let model = load::encode(&classifier.model)
            .map_err(|source| ExplainerError::Encode { model: title.clone(), source })?;
        let shape = Some(classifier.preprocessing.input_shape(1));
        let refused = |source| ExplainerError::Run { model: title.clone(), source };
        let mut session =
            ExplainedSession::load(&model, &Options { shape, ..options.clone() }).map_err(refused)?;
        if !request.targets.is_empty() {
            let targets: Vec<i64> = request.targets.iter().map(|&class| class as i64).collect();
            session.set_targets(&targets).map_err(refused)?;
        }
        let preprocessor = Preprocessor::new(&classifier.preprocessing);
        let top_k = request.top_k.min(explanation.classes);
        Ok(Explainer { title, labels: classifier.labels, top_k, explanation, preprocessor, session })
    }

    /// Explains `picture`: one map per class, best first, in `maps` (its memory is reused). Returns the
    /// part of the picture that the maps cover.
    pub fn explain(&mut self, picture: &Picture, maps: &mut Vec<ClassMap>) -> Result<View, RuntimeError> {
        self.explain_timed(picture, maps, &Stats::default())
    }

    /// As [`Explainer::explain`], with each stage clocked.
    pub(super) fn explain_timed(
        &mut self,
        picture: &Picture,
        maps: &mut Vec<ClassMap>,
        stats: &Stats,
    ) -> Result<View, RuntimeError> {
        let input = self.session.input_mut();
        let view = stats.time(Stage::Preprocess, || self.preprocessor.run(picture, input));
        stats.time(Stage::Forward, || self.session.explain(maps))?;
        Ok(view)
    }

    /// How many classes are explained in one pass.
    pub fn top_k(&self) -> usize {
        self.top_k
    }

    /// Model, method and execution provider, as in `EfficientNet-Lite0 · cam · CPU`.
    pub fn summary(&self) -> String {
        format!("{} · {} · {}", self.title, self.explanation.method, self.provider())
    }

    /// The model's title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The classes' names.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The method and the target layer.
    pub fn explanation(&self) -> &Explanation {
        &self.explanation
    }

    /// The execution provider that runs the graph.
    pub fn provider(&self) -> &str {
        self.session.session().provider()
    }
}
