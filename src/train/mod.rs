//! Teaching a classifier new objects from labels alone: a head is trained on the features of a frozen backbone, and
//! written with it as one model whose maps give boxes.
//!
//! ```text
//! folders of pictures ─► backbone (ONNX Runtime) ─► features on disk ─► head (autograd) ─► one ONNX model
//!     dataset              backbone, augment           features          head, fit            export
//! ```
//!
//! The backbone can't change: ONNX Runtime runs it, and does not differentiate it (docs/training.md).

mod augment;
mod backbone;
mod dataset;
mod error;
mod export;
mod features;
mod fit;
mod head;
mod patches;
mod split;
mod state;
mod thumbnail;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub(crate) use backbone::Backbone;
pub(crate) use dataset::{Dataset, Item, gather};
pub(crate) use error::TrainError;
pub(crate) use fit::Epoch;
pub(crate) use head::HeadKind;

use crate::digest::hex;
use crate::files::Stop;
use crate::source::SourceError;
use camloc_graph::onnx::proto::ModelProto;
use features::Features;
use fit::Pictures;
use head::Head;
use split::Candidate;
use state::State;

/// Fewer pictures of a class leave nothing to learn from, or nothing to check with.
const LEAST_PICTURES: usize = 5;

/// How a head is trained.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Which head.
    pub head: HeadKind,
    /// Channels of the convolutions of `acol` and `cam`. The paper has 1024, for 1000 classes and a day of GPU; 64 tell
    /// a few classes apart as well, in a minute.
    pub width: usize,
    /// `acol`: where the first branch's map reaches this share of its range, the second branch sees nothing. 0.6 gave
    /// the paper's best boxes; a lower one erases more.
    pub delta: f32,
    /// Passes over the pictures, at most.
    pub epochs: usize,
    /// Pictures of one step.
    pub batch: usize,
    /// The largest step of the weights (AdamW), after a warm-up of one epoch; it falls to 0 along a cosine.
    pub learning_rate: f64,
    /// How fast weights decay that the loss does not hold up.
    pub weight_decay: f64,
    /// After so many epochs without a lower held-out loss it ends early.
    pub patience: usize,
    /// The share of the pictures that is held out, 0..1.
    pub held_out: f64,
    /// Weights, order and the held-out pictures follow from this number.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            head: HeadKind::Acol,
            width: 64,
            delta: 0.6,
            epochs: 30,
            batch: 32,
            learning_rate: 1e-3,
            weight_decay: 1e-2,
            patience: 10,
            held_out: 0.2,
            seed: 0,
        }
    }
}

impl Settings {
    /// The learning rate after so many epochs: up along a line in the first, then down along a half cosine.
    fn rate(&self, epochs: f64) -> f64 {
        let falling = 0.5 * (1.0 + (std::f64::consts::PI * epochs / self.epochs as f64).cos());
        self.learning_rate * epochs.clamp(0.05, 1.0) * falling
    }
}

/// What to train, on what.
#[derive(Clone, Debug)]
pub(crate) struct Plan<'a> {
    /// The pictures.
    pub dataset: &'a Dataset,
    /// What the head sits on.
    pub backbone: &'a Backbone,
    /// How it is trained.
    pub settings: &'a Settings,
    /// The folder that features are kept in.
    pub cache: &'a Path,
    /// The file that holds the state of the run until it is through.
    pub state: PathBuf,
    /// Whether to go on with the run whose state is there.
    pub resume: bool,
}

/// What a run tells of while it goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Milestone {
    /// So many pictures were seen by the backbone.
    Seen(usize),
    /// An epoch is through.
    Epoch(Epoch),
}

/// A held-out picture, and what the head says of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    /// The picture and its true class.
    pub item: Item,
    /// The probability of each class.
    pub probabilities: Vec<f32>,
}

impl Judged {
    /// The most probable class.
    pub(crate) fn predicted(&self) -> usize {
        fit::best(&self.probabilities)
    }

    /// Whether that is the true one.
    pub(crate) fn is_right(&self) -> bool {
        self.predicted() == self.item.class
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Trained {
    /// The epochs, in order.
    pub epochs: Vec<Epoch>,
    /// The number of the epoch whose weights were taken.
    pub best: usize,
    /// The held-out pictures.
    pub held_out: Vec<Judged>,
    /// How many pictures were learned from.
    pub learned: usize,
    /// Pictures that can't be read, and why.
    pub unreadable: Vec<(String, SourceError)>,
    /// Classes whose pictures are all of one burst, so that the held-out ones are like those learned from.
    pub single_bursts: Vec<String>,
    head: Head,
    state: State,
}

/// Trains a head. `observe` is told how far it is, from several threads at first.
///
/// # Errors
/// If a class has too few pictures, the backbone can't be run, or the disk is full. If `stop` stops it after an epoch,
/// what was best so far is returned.
pub(crate) fn train(
    plan: &Plan<'_>,
    stop: &Stop,
    observe: &(dyn Fn(Milestone) + Sync),
) -> Result<Trained, TrainError> {
    let Plan { dataset, backbone, settings, .. } = plan;
    let features = Features::new(plan.cache, backbone, dataset.items.len());
    let seen = features.make(&dataset.items, backbone, stop, &|count| observe(Milestone::Seen(count)))?;
    let mut unreadable = Vec::new();
    let mut readable: Vec<&Item> = Vec::new();
    for (item, seen) in dataset.items.iter().zip(seen) {
        match seen {
            Ok(()) => readable.push(item),
            Err(error) => unreadable.push((item.name.clone(), error)),
        }
    }
    enough(dataset, &readable)?;
    let (learned, held_out, single_bursts) = parted(plan, &features, &readable)?;

    let [channels, ..] = backbone.shape();
    let classes = dataset.classes.len();
    let mut random = fastrand::Rng::with_seed(settings.seed);
    let head = Head::new(settings.head, [channels, settings.width, classes], settings.delta, &mut random)?;
    let run = run_id(plan, &features, &readable);
    let mut state =
        if plan.resume { State::resume(&plan.state, run, &head)? } else { State::new(&plan.state, run) };
    let asked = (*settings, classes);
    fit::fit(&head, &learned, &held_out, asked, &mut state, stop, &mut |epoch| {
        observe(Milestone::Epoch(epoch))
    })?;

    let probabilities = held_out.probabilities(&head, settings.batch)?;
    let judged = held_out.items.iter().zip(probabilities);
    let judged = judged.map(|(&item, probabilities)| Judged { item: item.clone(), probabilities }).collect();
    Ok(Trained {
        epochs: state.epochs().to_vec(),
        best: state.best_epoch().map_or(0, |epoch| epoch.number),
        held_out: judged,
        learned: learned.items.len(),
        unreadable,
        single_bursts,
        head,
        state,
    })
}

impl Trained {
    /// The share of the held-out pictures whose class is the most probable one, 0..1.
    pub(crate) fn accuracy(&self) -> f64 {
        let right = self.held_out.iter().filter(|judged| judged.is_right()).count();
        right as f64 / self.held_out.len().max(1) as f64
    }

    /// The head and its backbone as one model called `title`, with preprocessing and labels in its metadata.
    ///
    /// # Errors
    /// If a weight can't be read.
    pub(crate) fn model(&self, plan: &Plan<'_>, title: &str) -> Result<ModelProto, TrainError> {
        let about = export::described(plan.settings.head, plan.backbone, self.best, plan.settings.seed);
        export::export(plan.backbone, &self.head, &plan.dataset.classes, title, &about)
    }

    /// Takes away what an unfinished run leaves: call it once the model is written.
    pub(crate) fn close(self) {
        self.state.close();
    }
}

/// Whether each class has pictures to learn from and to check with.
fn enough(dataset: &Dataset, readable: &[&Item]) -> Result<(), TrainError> {
    for (class, name) in dataset.classes.iter().enumerate() {
        let count = readable.iter().filter(|item| item.class == class).count();
        if count < LEAST_PICTURES {
            return Err(TrainError::TooFew { class: name.clone(), count, least: LEAST_PICTURES });
        }
    }
    Ok(())
}

/// The pictures to learn from, those held out, and the classes that have a single burst.
fn parted<'a>(
    plan: &Plan<'_>,
    features: &'a Features,
    readable: &[&'a Item],
) -> Result<(Pictures<'a>, Pictures<'a>, Vec<String>), TrainError> {
    let thumbnails = readable.iter().map(|item| features.thumbnail(item)).collect::<Result<Vec<_>, _>>()?;
    let candidates: Vec<Candidate<'_>> = readable
        .iter()
        .zip(&thumbnails)
        .map(|(item, thumbnail)| Candidate { name: &item.name, class: item.class, thumbnail })
        .collect();
    let Settings { held_out, seed, .. } = plan.settings;
    let split = split::split(&candidates, plan.dataset.classes.len(), *held_out, *seed);
    let side = |wanted: bool| {
        let items = readable.iter().zip(&split.held_out).filter(|(_, out)| **out == wanted);
        Pictures { features, items: items.map(|(&item, _)| item).collect() }
    };
    let bursts = plan.dataset.classes.iter().zip(&split.bursts);
    let single = bursts.filter(|(_, bursts)| **bursts == 1).map(|(name, _)| name.clone()).collect();
    Ok((side(false), side(true), single))
}

/// The same for two runs only if one can go on with the other.
fn run_id(plan: &Plan<'_>, features: &Features, items: &[&Item]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?} {:?} {}", plan.settings, plan.dataset.classes, features.views));
    hash.update(&plan.backbone.fingerprint);
    items.iter().for_each(|item| hash.update(format!("{} {}", item.name, item.class)));
    hex(&hash.finalize()[..16])
}
