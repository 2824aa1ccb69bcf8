//! A classifier that says where it looks: preprocessing, the explained graph and its labels together.

use crate::explain::{self, ExplainError, Explanation, Method, Request};
use crate::frame::Picture;
use crate::maps::ClassMap;
use crate::model::{Channels, Classifier, Labels, Preprocessing, Preprocessor};
use crate::onnx::load::{OnnxError, encode};
use crate::onnx::proto::ModelProto;
use crate::runtime::{ExplainedSession, Options, RuntimeError};
use crate::view::View;

use super::stats::{Stage, Stats};

/// Why a classifier can't be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainerError {
    /// The graph can't be rewritten.
    #[error("{model} can't be explained: {source}")]
    Explain {
        /// The model's title.
        model: String,
        /// What stands in the way.
        source: Box<ExplainError>,
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
    explanation: Explanation,
    preprocessor: Preprocessor,
    session: ExplainedSession,
    /// The output that holds the class scores.
    scores: String,
    /// What the model takes for nothing.
    neutral: [u8; 3],
    /// What other methods are made from.
    base: Option<Box<Base>>,
}

/// A model before it was explained, and what was asked.
struct Base {
    model: ModelProto,
    request: Request,
    options: Options,
}

impl Explainer {
    /// Rewrites the classifier's graph so that it explains itself, and loads it. A model that explains itself
    /// already is loaded as it is.
    ///
    /// [`crate::runtime::init`] must have been called.
    pub fn new(
        classifier: Classifier,
        request: &Request,
        options: &Options,
    ) -> Result<Explainer, ExplainerError> {
        Explainer::build(classifier, request, options, false)
    }

    /// As [`Explainer::new`], for [`Explainer::next_method`]: the model as it was is kept in memory.
    pub fn switchable(
        classifier: Classifier,
        request: &Request,
        options: &Options,
    ) -> Result<Explainer, ExplainerError> {
        Explainer::build(classifier, request, options, true)
    }

    fn build(
        mut classifier: Classifier,
        request: &Request,
        options: &Options,
        switchable: bool,
    ) -> Result<Explainer, ExplainerError> {
        if request.refine {
            classifier.fix_size();
        }
        let Classifier { mut model, title, labels, preprocessing, output, .. } = classifier;
        let scores = request.output.clone().unwrap_or(output);
        let neutral = neutral(&preprocessing);
        let options = Options { shape: Some(preprocessing.input_shape(1)), ..options.clone() };
        let preprocessor = Preprocessor::new(&preprocessing);
        let (base, (explanation, session)) = match is_answered(&mut model, request) {
            Some(explanation) => {
                let session = load(&model, &explanation, request, &options, &title)?;
                (None, (explanation, session))
            }
            None => {
                let base = switchable.then(|| {
                    Box::new(Base {
                        model: model.clone(),
                        request: request.clone(),
                        options: options.clone(),
                    })
                });
                (base, rewrite(model, request, &options, &title)?)
            }
        };
        Ok(Explainer { title, labels, explanation, preprocessor, session, scores, neutral, base })
    }

    /// Goes on to the next method that this model allows, at the same layer. Nothing changes where there is none,
    /// or where the explainer was not made [`switchable`](Explainer::switchable).
    pub fn next_method(&mut self) {
        let Some(base) = &self.base else { return };
        let methods: Vec<Method> = Method::all().collect();
        // The closed forms have names of their own.
        let now = methods.iter().position(|method| method.name() == self.explanation.method).unwrap_or(0);
        let following = methods.iter().cycle().skip(now + 1).take(methods.len() - 1);
        for &method in following {
            let request = Request { method: Some(method), ..base.request.clone() };
            match rewrite(base.model.clone(), &request, &base.options, &self.title) {
                Ok((explanation, session)) => {
                    (self.explanation, self.session) = (explanation, session);
                    return;
                }
                Err(error) => tracing::info!("{method} is left out: {error}"),
            }
        }
    }

    /// Explains `picture`: one map per class, best first, in `maps` (its memory is reused). Returns the
    /// part of the picture that the maps cover.
    pub fn explain(&mut self, picture: &Picture, maps: &mut Vec<ClassMap>) -> Result<View, RuntimeError> {
        self.explain_timed(picture, maps, &Stats::default())
    }

    /// As [`Explainer::explain`], for this class instead of the best ones; `None` goes back to those. One forward
    /// pass, whose class scores [`Explainer::class_scores`] has.
    pub fn explain_class(
        &mut self,
        picture: &Picture,
        class: Option<usize>,
        maps: &mut Vec<ClassMap>,
    ) -> Result<View, RuntimeError> {
        let target = class.and_then(|class| i64::try_from(class).ok()).unwrap_or(-1);
        self.session.set_targets(&vec![target; self.explanation.count])?;
        self.explain(picture, maps)
    }

    /// A score for each class from the last forward pass, as the model gives them: logits or probabilities. `None`
    /// where the model has no output of them.
    pub fn class_scores(&self) -> Option<&[f32]> {
        let (session, classes) = (self.session.session(), self.explanation.classes);
        let others = session.outputs().map(|(name, _)| name).filter(|name| !name.starts_with("camloc."));
        let outputs = std::iter::once(self.scores.as_str()).chain(others);
        let values = outputs.filter_map(|name| Some(session.floats(name).ok()?.1));
        values.into_iter().find(|values| values.len() == classes)
    }

    /// The colour (RGB) that becomes 0 in the model's input: what it takes for nothing.
    pub fn neutral_colour(&self) -> [u8; 3] {
        self.neutral
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
        self.explanation.count
    }

    /// Model, method and execution provider, as in `EfficientNet-Lite0 · cam · CPU`.
    pub fn summary(&self) -> String {
        let refined = if self.explanation.guides.is_empty() { "" } else { " refined" };
        format!("{} · {}{refined} · {}", self.title, self.explanation.method, self.provider())
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

/// The colour that becomes 0 in the input.
fn neutral(preprocessing: &Preprocessing) -> [u8; 3] {
    let [first, second, third] = preprocessing.mean.map(|mean| mean.round().clamp(0.0, 255.0) as u8);
    match preprocessing.channels {
        Channels::Rgb => [first, second, third],
        Channels::Bgr => [third, second, first],
        Channels::Gray => [first; 3],
    }
}

/// What a model explains already, if that is what was asked.
fn is_answered(model: &mut ModelProto, request: &Request) -> Option<Explanation> {
    let found = explain::recognise(model)?;
    let method = request.method.is_none_or(|method| method.name() == found.method);
    let layer = request.layers.is_empty() || request.layers.join(",") == found.layer;
    (method && layer).then_some(found)
}

/// Has a model explain itself, and loads it.
fn rewrite(
    mut model: ModelProto,
    request: &Request,
    options: &Options,
    title: &str,
) -> Result<(Explanation, ExplainedSession), ExplainerError> {
    let explanation = explain::explain(&mut model, request)
        .map_err(|source| ExplainerError::Explain { model: title.into(), source: Box::new(source) })?;
    let session = load(&model, &explanation, request, options, title)?;
    Ok((explanation, session))
}

/// Loads an explained model, locked on the classes asked for.
fn load(
    model: &ModelProto,
    explanation: &Explanation,
    request: &Request,
    options: &Options,
    title: &str,
) -> Result<ExplainedSession, ExplainerError> {
    let bytes = encode(model).map_err(|source| ExplainerError::Encode { model: title.into(), source })?;
    let refused = |source| ExplainerError::Run { model: title.into(), source };
    let mut session = ExplainedSession::load(&bytes, options).map_err(refused)?;
    if let Some(&last) = request.targets.last() {
        // A model from a file may explain more classes than are asked for; the last is then asked for again.
        let mut targets: Vec<i64> = request.targets.iter().map(|&class| class as i64).collect();
        targets.resize(explanation.count.max(targets.len()), last as i64);
        session.set_targets(&targets).map_err(refused)?;
    }
    Ok(session)
}
