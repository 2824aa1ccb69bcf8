//! A classifier that says where it looks: preprocessing, the explained graph and its labels together.

use std::time::Duration;

use camloc_graph::explain::{self, Link, MadeBy, Method};
use camloc_graph::onnx::proto::ModelProto;

use super::black_box::Estimate;
use super::closer::Closer;
use super::engine::{Engine, Run};
use super::explanation::{Class, Explanation, Heatmap};
use super::scorer::Scorer;
use super::sense::{Answer, Sense};
use super::switch::Base;
use super::{ExplainerBuilder, ExplainerError, Request};
use crate::frame::Picture;
use crate::localize::{GRID, Localizer, Normalizer};
use crate::maps::ClassMap;
use crate::model::{BACKGROUND, Channels, Classifier, Labels, Preprocessing, Preprocessor};
use crate::origin::Origin;
use crate::runtime::{Options, RuntimeError};
use crate::view::View;

/// Explains pictures: [`explain`](Explainer::explain) one whole, [`explain_into`](Explainer::explain_into) frame after
/// frame. [`Explainer::open`], [`Explainer::default_model`] and [`Explainer::of`] make one.
pub struct Explainer {
    title: String,
    labels: Labels,
    pub(super) explanation: explain::Explanation,
    preprocessor: Preprocessor,
    pub(super) engine: Engine,
    /// The output that holds the class scores.
    scores: String,
    /// What those scores are.
    link: Link,
    /// What the model takes for nothing.
    neutral: [u8; 3],
    /// The class that says that none of the others is there. It lies nowhere, so it has no map unless it is asked for.
    background: Option<usize>,
    /// The class that is explained instead of the best ones.
    asked: Option<usize>,
    /// What other methods are made from.
    pub(super) base: Option<Box<Base>>,
    /// What was shown before the counterfactual.
    pub(super) aside: Option<(explain::Explanation, Engine)>,
    /// Of how many maps what they mark is looked at again.
    closer: usize,
    second_look: Closer,
    /// The class scores of the whole picture, where parts of it were looked at since.
    at_first: Option<Vec<f32>>,
    /// The value that is explained, `output[3,17]`, where it is no class's score.
    value: Option<String>,
    /// Whether the maps are of a detector's detections.
    detector: bool,
    sense: Sense,
    /// The plain model, if it was asked for.
    scorer: Option<Scorer>,
    /// What [`Explainer::explain`] makes boxes and heat with.
    localizer: Localizer,
    normalizer: Normalizer,
}

impl Explainer {
    /// A classifier, explained: [`Explainer::of`] with a request and options, where ONNX Runtime is loaded.
    ///
    /// # Errors
    /// As for [`ExplainerBuilder::build`].
    pub fn new(
        classifier: Classifier,
        request: &Request,
        options: &Options,
    ) -> Result<Explainer, ExplainerError> {
        Explainer::build(Explainer::of(classifier).request(request.clone()).options(options.clone()))
    }

    pub(super) fn build(asked: ExplainerBuilder) -> Result<Explainer, ExplainerError> {
        let ExplainerBuilder { mut classifier, request, options, boxes, switchable, scoring } = asked;
        if let Some(output) = &request.output {
            classifier.output.clone_from(output);
        }
        // One value of an output is no class's score, which only the explained graph tells.
        let plain = scoring && request.index.is_empty() && classifier.detector.is_none();
        let scorer = plain.then(|| Scorer::new(&classifier, &options)).transpose()?;
        // Which layer is the last one may be known at this size only.
        classifier.fix_size();
        let request = request.of(&classifier);
        let Classifier { model, title, labels, preprocessing, output: scores, .. } = classifier;
        let link = request.link.unwrap_or_else(|| Link::of(&model, &scores));
        let neutral = neutral(&preprocessing);
        let background = labels.names().iter().position(|name| name == BACKGROUND);
        let background = background.filter(|class| !request.targets.contains(class));
        let run = Run::new(&title, &options, &preprocessing);
        let preprocessor = Preprocessor::new(&preprocessing);
        let value = value_name(&request, &scores);
        let detector =
            request.detector.is_some() && request.method.is_none_or(|method| !method.is_black_box());
        let (base, (explanation, engine)) = match is_answered(&model, &request) {
            Some(explanation) => {
                let engine = Engine::load(&model, &explanation, &request, &run)?;
                (None, (explanation, engine))
            }
            None => {
                let base = switchable.then(|| {
                    Box::new(Base { model: model.clone(), request: request.clone(), run: run.clone() })
                });
                (base, Engine::prepare(model, &request, &run)?)
            }
        };
        Ok(Explainer {
            title,
            labels,
            explanation,
            preprocessor,
            engine,
            scores,
            link,
            neutral,
            background,
            asked: None,
            base,
            aside: None,
            closer: request.closer,
            value,
            detector,
            sense: Sense::default(),
            second_look: Closer::default(),
            at_first: None,
            scorer,
            localizer: Localizer::new(boxes),
            normalizer: Normalizer::default(),
        })
    }

    /// What the classifier says of `picture`, and where it looks.
    ///
    /// # Errors
    /// If the model fails.
    pub fn explain(&mut self, picture: &Picture) -> Result<Explanation, RuntimeError> {
        let mut maps = Vec::new();
        let view = self.explain_into(picture, &mut maps)?;
        let mut detections = Vec::new();
        self.localizer.locate(&maps, view, picture.size(), &mut detections);
        let preset = self.localizer.settings.preset;
        let values = maps.first().and_then(|map| self.normalizer.normalize(map, preset));
        let values = values.map_or_else(|| vec![0.0; GRID * GRID], <[f32]>::to_vec);
        let class = |map: &ClassMap| Class {
            index: map.class_id,
            name: self.labels.name(map.class_id).into_owned(),
            probability: map.score,
        };
        Ok(Explanation {
            classes: maps.iter().map(class).collect(),
            detections,
            heatmap: Heatmap { width: GRID, height: GRID, values, view },
            maps,
            made_by: self.origin(),
        })
    }

    /// The maps alone, for frame after frame: one per class, best first, in `maps`, whose memory is reused. Returns the
    /// part of the picture that the maps cover. [`Localizer`] makes boxes of them.
    ///
    /// # Errors
    /// If the model fails.
    pub fn explain_into(
        &mut self,
        picture: &Picture,
        maps: &mut Vec<ClassMap>,
    ) -> Result<View, RuntimeError> {
        let view = self.preprocessor.run(picture, self.engine.inputs_mut(1)?);
        self.answer(std::slice::from_mut(maps), &mut |_| true)?;
        self.look_closer(picture, view, maps)?;
        Ok(view)
    }

    /// How many pictures a pass can take, up to the [`Options::batch`] it was made with.
    pub(crate) fn batch(&self) -> usize {
        self.engine.batch()
    }

    /// As [`Explainer::explain_into`], for this class instead of the best ones; `None` goes back to those.
    /// [`Explainer::class_scores`] then has what the model says of all classes.
    pub(crate) fn explain_class(
        &mut self,
        picture: &Picture,
        class: Option<usize>,
        maps: &mut Vec<ClassMap>,
    ) -> Result<View, RuntimeError> {
        self.engine.set_class(class, self.explanation.count)?;
        self.asked = class;
        self.explain_into(picture, maps)
    }

    /// The probability of a class in `picture`, without any map, 0..1. It costs a plain forward pass where the explainer was
    /// made for [`scoring`](ExplainerBuilder::scoring), or the method is a black box; else a pass with its maps,
    /// after which `Explainer::class_scores` is of this picture.
    ///
    /// # Errors
    /// If the model fails.
    pub fn score(&mut self, picture: &Picture, class: usize) -> Result<f32, RuntimeError> {
        if let Some(scorer) = &mut self.scorer {
            return Ok(scorer.score(picture)?.get(class).copied().unwrap_or_default());
        }
        match &mut self.engine {
            Engine::Graph(_) => {
                let asked = self.engine.targets().map(<[i64]>::to_vec);
                self.engine.set_class(Some(class), self.explanation.count)?;
                self.preprocessor.run(picture, self.engine.inputs_mut(1)?);
                let mut maps = [Vec::new()];
                self.engine.explain(&mut maps, &mut |_| true)?;
                asked.map_or(Ok(()), |asked| self.engine.set_targets(&asked))?;
                Ok(maps[0].first().map_or(0.0, |map| map.score))
            }
            Engine::BlackBox(network) => {
                self.preprocessor.run(picture, network.input_mut());
                network.score(class)
            }
        }
    }

    /// A score for each class, as the model gives them, in another picture than the one explained last. A black box can
    /// still go on asking about that.
    pub(super) fn scores(&mut self, picture: &Picture) -> Result<Vec<f32>, RuntimeError> {
        match &mut self.engine {
            Engine::Graph(_) => {
                self.preprocessor.run(picture, self.engine.inputs_mut(1)?);
                self.engine.explain(&mut [Vec::new()], &mut |_| true)?;
                Ok(self.scores_of_pass().unwrap_or_default().to_vec())
            }
            Engine::BlackBox(network) => {
                self.preprocessor.run(picture, network.input_mut());
                Ok(network.logits()?.to_vec())
            }
        }
    }

    /// A score for each class, as the model gives them for the picture explained last: logits or probabilities. `None`
    /// where the model has no output of them, or where several pictures were explained together.
    pub(crate) fn class_scores(&self) -> Option<&[f32]> {
        self.at_first.as_deref().or_else(|| self.scores_of_pass())
    }

    /// Class scores, as [`Explainer::class_scores`] has them, as probabilities, 0..1.
    pub(crate) fn probabilities(&self, scores: &[f32]) -> Vec<f32> {
        match &self.engine {
            Engine::Graph(_) => self.link.probabilities(scores),
            // It asks for logits, whatever the model says.
            Engine::BlackBox(_) if self.link == Link::Sigmoid => Link::Sigmoid.probabilities(scores),
            Engine::BlackBox(_) => Link::Softmax.probabilities(scores),
        }
    }

    /// The class scores of the last pass.
    fn scores_of_pass(&self) -> Option<&[f32]> {
        let session = match &self.engine {
            Engine::Graph(session) => session.session(),
            Engine::BlackBox(network) => return network.class_scores(),
        };
        let others = session.outputs().map(|(name, _)| name).filter(|name| !name.starts_with("camloc."));
        let outputs = std::iter::once(self.scores.as_str()).chain(others);
        let values = outputs.filter_map(|name| Some(session.floats(name).ok()?.1));
        values.into_iter().find(|values| values.len() == self.explanation.classes)
    }

    /// The colour (RGB) that becomes 0 in the model's input: what it takes for nothing.
    pub(crate) fn neutral_colour(&self) -> [u8; 3] {
        self.neutral
    }

    /// Prepares a picture for the next pass: it takes the place `at` of `of` in it, no more than [`Explainer::batch`].
    pub(crate) fn prepare(&mut self, picture: &Picture, at: usize, of: usize) -> Result<View, RuntimeError> {
        let inputs = self.engine.inputs_mut(of)?;
        let each = inputs.len() / of.max(1);
        Ok(self.preprocessor.run(picture, &mut inputs[at * each..][..each]))
    }

    /// As [`Explainer::explain_into`] for pictures that were [prepared](Explainer::prepare), in one pass. A black box tells
    /// `go_on` after each batch how many variants it has asked about and how many there are, and ends where that says no.
    pub(crate) fn explain_prepared(
        &mut self,
        pictures: &[&Picture],
        views: &[View],
        maps: &mut [Vec<ClassMap>],
        go_on: &mut dyn FnMut((usize, usize)) -> bool,
    ) -> Result<(), RuntimeError> {
        self.answer(maps, go_on)?;
        let seen = pictures.iter().zip(views).zip(maps);
        seen.into_iter().try_for_each(|((picture, &view), maps)| self.look_closer(picture, view, maps))
    }

    /// Looks again at what the best maps mark, and puts what it sees in their place. Nothing happens where that was not
    /// [asked](Request::closer), the method is a black box, or the model has no choice of classes.
    fn look_closer(
        &mut self,
        picture: &Picture,
        view: View,
        maps: &mut [ClassMap],
    ) -> Result<(), RuntimeError> {
        self.at_first = None;
        let Some(asked) = self.engine.targets().filter(|_| self.closer > 0).map(<[i64]>::to_vec) else {
            return Ok(());
        };
        self.at_first = self.scores_of_pass().map(<[f32]>::to_vec);
        let mut again = [Vec::new()];
        for map in maps.iter_mut().take(self.closer) {
            if map.bounds.is_some() {
                continue;
            }
            let Some(part) = self.second_look.part(map, view, picture.size()) else { continue };
            self.engine.set_class(Some(map.class_id), asked.len())?;
            self.preprocessor.run_part(picture, part.within(view), self.engine.inputs_mut(1)?);
            self.engine.explain(&mut again, &mut |_| true)?;
            if let [closer, ..] = again[0].as_slice() {
                self.second_look.lay(closer, part, map);
            }
        }
        self.engine.set_targets(&asked)
    }

    /// Fills `maps` for each of the pictures that are prepared.
    fn answer(
        &mut self,
        maps: &mut [Vec<ClassMap>],
        go_on: &mut dyn FnMut((usize, usize)) -> bool,
    ) -> Result<(), RuntimeError> {
        self.engine.explain(maps, go_on)?;
        let nowhere = self.background.filter(|_| self.asked != self.background);
        maps.iter_mut().for_each(|maps| maps.retain(|map| Some(map.class_id) != nowhere));
        maps.iter().for_each(|maps| self.look_for_sense(maps));
        Ok(())
    }

    /// Says of an answer, once, what makes no sense in it.
    fn look_for_sense(&mut self, maps: &[ClassMap]) {
        let picture = self.engine.picture();
        let mut sense = std::mem::take(&mut self.sense);
        let link = Some(self.link).filter(|_| self.value.is_none());
        let (scores, layer) = (self.scores_of_pass(), self.explanation.layer.as_str());
        let words = sense.of(&Answer { maps, scores, link, picture, layer });
        words.iter().for_each(|words| tracing::warn!("{}: {words}", self.title));
        self.sense = sense;
    }

    /// Goes on asking about the last picture for this long, and brings `maps` up to date. Nothing happens where the
    /// method is no black box.
    pub(crate) fn refine(&mut self, time: Duration, maps: &mut Vec<ClassMap>) -> Result<(), RuntimeError> {
        self.engine.refine(time, maps)
    }

    /// How far a black box has asked about the last picture.
    pub fn progress(&mut self) -> Option<Estimate> {
        self.engine.progress()
    }

    /// How many classes are explained in one pass.
    pub fn top_k(&self) -> usize {
        self.explanation.count
    }

    /// Model, method and where the model's nodes run.
    pub fn origin(&self) -> Origin {
        let refined = if self.explanation.guides.is_empty() { "" } else { " refined" };
        let closer = if self.closer > 0 && self.engine.targets().is_some() { " closer" } else { "" };
        Origin {
            model: self.title.clone(),
            method: format!("{}{refined}{closer}", self.explanation.method),
            against: self.explanation.method == MadeBy::By(Method::Counterfactual),
            placement: self.engine.placement(),
            value: self.value.clone(),
            detector: self.detector,
        }
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
    pub fn explanation(&self) -> &explain::Explanation {
        &self.explanation
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

/// What a value is called that is no class's score.
fn value_name(request: &Request, output: &str) -> Option<String> {
    let index: Vec<String> = request.index.iter().map(usize::to_string).collect();
    (!index.is_empty()).then(|| format!("{output}[{}]", index.join(",")))
}

/// What a model explains already, if that is what was asked.
fn is_answered(model: &ModelProto, request: &Request) -> Option<explain::Explanation> {
    let found = explain::recognise(model)?;
    let method = request.method.is_none_or(|method| method.name() == found.method.name());
    let layer = request.layers.is_empty() || request.layers.join(",") == found.layer;
    (method && layer).then_some(found)
}
