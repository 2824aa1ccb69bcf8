//! Methods that need no gradient: they ask the network about many variants of one picture, so they work on every
//! model, and cost as many forward passes as there are variants.
//!
//! A `BlackBox` holds the network; `BlackBox::begin` takes a picture, `BlackBox::advance` asks about one batch
//! of variants, and `BlackBox::read` gives the maps at any time: after all variants they are the method's own, before
//! that the best that can be said so far, with an estimate of their error. All classes share the passes.

mod ablation_cam;
mod asked;
mod channels;
mod convergence;
mod estimate;
mod input;
mod method;
mod occlusion;
mod probe;
mod rise;
mod score;
mod score_cam;
mod settings;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use estimate::Estimate;
pub(crate) use input::Input;
pub use method::Method;
pub use settings::{Fill, Settings, UnknownFill};

use camloc_graph::explain::{CUT, ExplainError, Explanation, FeatureMap, Plain};
use camloc_graph::onnx::load::OnnxError;
use camloc_graph::onnx::proto::ModelProto;

use super::Request;
use crate::maps::ClassMap;
use crate::origin::Placement;
use crate::runtime::{Options, RuntimeError};
use ablation_cam::AblationCam;
use asked::Asked;
use convergence::Convergence;
use occlusion::Occlusion;
use probe::Probe;
use rise::Rise;
use score::{Score, ranked};
use score_cam::ScoreCam;

/// Why a model can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum BlackBoxError {
    /// The request does not fit the model.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// The model is too large for a file.
    #[error(transparent)]
    Encode(#[from] OnnxError),
    /// ONNX Runtime refuses it.
    #[error(transparent)]
    Run(#[from] RuntimeError),
    /// Wherever the patch lies, it covers the whole picture.
    #[error(
        "a patch of {patch} pixels covers all of the {width}x{height} that the model sees; take a smaller --patch"
    )]
    PatchTooLarge {
        /// Its side in pixels.
        patch: usize,
        /// Width of the model's input in pixels.
        width: usize,
        /// Height of the model's input in pixels.
        height: usize,
    },
}

/// Whether a model can be asked by a method.
///
/// # Errors
/// Where the request does not fit the model.
pub(crate) fn fits(model: &ModelProto, method: Method, request: &Request) -> Result<(), ExplainError> {
    Plain::fits(model, method.name(), method.ask(), &request.rewrite(None))
}

/// A network and one method to ask it.
pub(crate) struct BlackBox {
    method: Method,
    settings: Settings,
    input: Input,
    whole: Asked,
    /// The network behind the layer, where it is asked alone.
    tail: Option<Asked>,
    layer: Option<FeatureMap>,
    /// The output with the layer's values.
    layer_output: String,
    /// Classes to explain; `None` by rank.
    targets: Vec<Option<usize>>,
    /// The picture, as the model takes it.
    picture: Vec<f32>,
    job: Option<Job>,
}

/// The questions about one picture.
struct Job {
    probe: Box<dyn Probe>,
    /// What variants are made of: the picture, or what the network behind the layer takes.
    original: Vec<f32>,
    classes: Vec<usize>,
    /// What the network says of the picture itself: of the classes, `[K]`, and of all, as logits.
    before: Vec<Score>,
    logits: Vec<f32>,
    done: usize,
    convergence: Convergence,
}

impl BlackBox {
    /// Loads a classifier for a method; `input` says how its pictures lie in
    /// memory, which is in `options` as the shape of one picture.
    ///
    /// # Errors
    /// Where the request does not fit the model, or ONNX Runtime refuses it.
    pub(crate) fn load(
        model: ModelProto,
        method: Method,
        request: &Request,
        input: Input,
        options: &Options,
    ) -> Result<(BlackBox, Explanation), BlackBoxError> {
        let network = Plain::new(model, method.name(), method.ask(), &request.rewrite(None))?;
        let settings = &request.black_box;
        let patch = settings.patch_for(input);
        if method == Method::Occlusion && patch > input.width.max(input.height) {
            return Err(BlackBoxError::PatchTooLarge { patch, width: input.width, height: input.height });
        }
        let shape = options.shape.clone().unwrap_or_default();
        let wished = match settings.batch {
            0 => 2 * options.thread_count(),
            batch => batch,
        };
        let whole = Asked::load(&network.model, &network, options, &shape[1.min(shape.len())..], wished)?;
        let tail = match &network.tail {
            Some((tail, values)) => Some(Asked::load(tail, &network, options, &[*values], wished)?),
            None => None,
        };
        if whole.batch == 1 && wished > 1 {
            tracing::warn!("this model takes one picture at a time: its variants are run one by one");
        }
        let explanation = explanation(method, request, input, &network);
        let targets = match network.value {
            Some(place) => vec![Some(place)],
            None if request.targets.is_empty() => vec![None; explanation.count],
            None => request.targets.iter().map(|&class| Some(class)).collect(),
        };
        let layer_output = match (&network.tail, &network.layer) {
            (Some(_), _) => CUT.to_owned(),
            (None, Some((tensor, _))) => tensor.clone(),
            (None, None) => String::new(),
        };
        let black_box = BlackBox {
            method,
            settings: settings.clone(),
            input,
            whole,
            tail,
            layer: network.layer.map(|(_, map)| map),
            layer_output,
            targets,
            picture: vec![0.0; input.len()],
            job: None,
        };
        Ok((black_box, explanation))
    }

    /// The picture as the model takes it, to be written before [`BlackBox::begin`].
    pub(crate) fn input_mut(&mut self) -> &mut [f32] {
        &mut self.picture
    }

    /// Chooses the classes to explain, as many as the request asked for; `None` takes the class that ranks there.
    pub(crate) fn set_targets(&mut self, targets: &[Option<usize>]) {
        self.targets = targets.to_vec();
    }

    /// A logit for each class, from one pass over the picture in [`BlackBox::input_mut`]; the one that was begun with
    /// stays as it is.
    ///
    /// # Errors
    /// If the model fails.
    pub(crate) fn logits(&mut self) -> Result<&[f32], RuntimeError> {
        self.look()?;
        self.whole.row(0)
    }

    /// The probability of a class, as [`BlackBox::logits`].
    ///
    /// # Errors
    /// If the model fails.
    pub(crate) fn score(&mut self, class: usize) -> Result<f32, RuntimeError> {
        self.look()?;
        let mut scores = Vec::new();
        self.whole.scores(0, &[class], &mut scores)?;
        Ok(scores.first().map_or(0.0, |score| score.probability))
    }

    /// Runs the network on the picture.
    fn look(&mut self) -> Result<(), RuntimeError> {
        for sample in self.whole.session.input_mut().chunks_exact_mut(self.picture.len().max(1)) {
            sample.copy_from_slice(&self.picture);
        }
        self.whole.session.run()
    }

    /// Asks about the picture itself; variants of it are then to come.
    ///
    /// # Errors
    /// If the model fails.
    pub(crate) fn begin(&mut self) -> Result<(), RuntimeError> {
        self.job = None;
        self.look()?;
        let logits = self.whole.row(0)?.to_vec();
        let mut classes = ranked(&logits);
        classes.truncate(self.targets.len());
        let last = classes.last().copied().unwrap_or_default();
        classes.resize(self.targets.len(), last);
        classes.iter_mut().zip(&self.targets).for_each(|(class, target)| *class = target.unwrap_or(*class));
        let mut before = Vec::new();
        self.whole.scores(0, &classes, &mut before)?;
        let activations = match self.layer {
            Some(_) => self.whole.sample(&self.layer_output)?.to_vec(),
            None => Vec::new(),
        };
        let probe: Box<dyn Probe> = match (self.method, self.layer) {
            (Method::ScoreCam, Some(map)) => {
                Box::new(ScoreCam::new(self.input, map, &activations, self.settings.channels))
            }
            (Method::AblationCam, Some(map)) => {
                Box::new(AblationCam::new(map, &activations, self.settings.channels, &before))
            }
            (Method::Rise, _) => Box::new(Rise::new(&self.settings, self.input, classes.len())),
            _ => Box::new(Occlusion::new(&self.settings, self.input, &self.picture, &before)),
        };
        let original = match &mut self.tail {
            Some(tail) => {
                tail.must_agree(&activations, &logits)?;
                activations
            }
            None => self.picture.clone(),
        };
        let convergence = Convergence::default();
        self.job = Some(Job { probe, original, classes, before, logits, done: 0, convergence });
        Ok(())
    }

    /// Asks about the next batch of variants. Returns whether there are more.
    ///
    /// # Errors
    /// If the model fails.
    pub(crate) fn advance(&mut self) -> Result<bool, RuntimeError> {
        let asked = self.tail.as_mut().unwrap_or(&mut self.whole);
        let Some(job) = &mut self.job else { return Ok(false) };
        let variants = job.done..(job.done + asked.batch).min(job.probe.variants());
        let size = job.original.len().max(1);
        for (variant, sample) in variants.clone().zip(asked.session.input_mut().chunks_exact_mut(size)) {
            job.probe.write(variant, &job.original, sample);
        }
        if !variants.is_empty() {
            asked.session.run()?;
        }
        let mut scores = Vec::new();
        for (at, variant) in variants.clone().enumerate() {
            asked.scores(at, &job.classes, &mut scores)?;
            job.probe.take(variant, &scores);
        }
        job.done = variants.end;
        job.convergence.note(job.probe.as_ref(), job.done);
        Ok(job.done < job.probe.variants())
    }

    /// Fills `maps` with what is known so far, one for each class. The buffers in `maps` are reused.
    pub(crate) fn read(&self, maps: &mut Vec<ClassMap>) {
        let Some(job) = &self.job else {
            maps.clear();
            return;
        };
        let (height, width) = job.probe.size();
        maps.resize_with(job.classes.len(), || ClassMap {
            class_id: 0,
            score: 0.0,
            height: 0,
            width: 0,
            values: Vec::new(),
            bounds: None,
        });
        let classes = job.classes.iter().zip(&job.before).enumerate();
        for (map, (slot, (&class_id, before))) in maps.iter_mut().zip(classes) {
            (map.class_id, map.score, map.height, map.width) = (class_id, before.probability, height, width);
            job.probe.map(slot, &mut map.values);
            // A damaged model says no number; a picture of that is of no use.
            map.values.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = 0.0);
        }
    }

    /// How long one picture may take.
    pub(crate) fn budget(&self) -> Option<Duration> {
        self.settings.budget
    }

    /// How many variants are asked about, and how many there are.
    pub(crate) fn asked(&self) -> (usize, usize) {
        self.job.as_ref().map_or((0, 0), |job| (job.done, job.probe.variants()))
    }

    /// How far the picture is asked about; `None` before the first.
    pub(crate) fn progress(&mut self) -> Option<Estimate> {
        let job = self.job.as_mut()?;
        let (done, of) = (job.done, job.probe.variants());
        let error = if done == of && !job.probe.is_estimate() {
            Some(0.0)
        } else {
            job.convergence.error(job.probe.as_ref(), done)
        };
        let what = match self.method {
            Method::Rise => "masks",
            Method::ScoreCam | Method::AblationCam => "channels",
            _ => "patches",
        };
        Some(Estimate { done, of, what, error })
    }

    /// A logit for each class, of the picture itself.
    pub(crate) fn class_scores(&self) -> Option<&[f32]> {
        self.job.as_ref().map(|job| &job.logits[..])
    }

    /// Where the nodes of the network run, and those of its part behind the layer, if that is asked alone.
    pub(crate) fn placement(&self) -> Placement {
        let sessions = std::iter::once(&self.whole).chain(&self.tail).map(|asked| asked.session.nodes());
        Placement::count(sessions.flatten().map(|node| node.provider.as_str()))
    }
}

fn explanation(method: Method, request: &Request, input: Input, network: &Plain) -> Explanation {
    let (layer, map_size) = match &network.layer {
        Some((tensor, map)) => (tensor.clone(), map.size),
        None if method == Method::Rise => ("input".to_owned(), (input.height, input.width)),
        None => ("input".to_owned(), occlusion::size(&request.black_box, input)),
    };
    Explanation {
        method: method.name().into(),
        layer,
        logits: network.logits.clone(),
        classes: network.classes,
        count: match request.targets.len() {
            _ if network.value.is_some() => 1,
            0 => request.top_k.min(network.classes),
            targets => targets,
        },
        map_size: Some(map_size),
        guides: String::new(),
        unrefined: None,
    }
}
