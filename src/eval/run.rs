//! The run over a dataset: several pictures or videos in flight, one model; the frames of a video come in order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use super::journal::{Journal, JournalError};
use super::measure::Measurer;
use super::record::{Entry, Pixels, Record};
use crate::dataset::{Dataset, Faults, Sample};
use crate::explainer::Explainer;
use crate::files::Stop;
use crate::localize::Settings;
use crate::runtime::RuntimeError;
use crate::track::Tracking;
use crate::workers::{self, Died, Results};

/// Why a run ended before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The model failed.
    #[error(transparent)]
    Model(#[from] RuntimeError),
    /// The journal can't be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A thread died of a defect in camloc.
    #[error("a measuring thread died: this is a defect of camloc, please report it")]
    Died,
}

impl From<Died> for RunError {
    fn from(_: Died) -> RunError {
        RunError::Died
    }
}

/// How to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How maps become boxes.
    pub settings: Settings,
    /// Whether masks follow the picture's edges.
    pub edges: bool,
    /// Whether records keep their masks.
    pub masks: bool,
    /// Whether faithfulness is measured, which takes 450 forward passes a picture.
    pub faithfulness: bool,
    /// Frames a second of videos, above 0, if boxes are followed from frame to frame; `None`: each frame stands for
    /// itself, as pictures do.
    pub followed_at: Option<f64>,
    /// Pictures or videos in flight, at least 1.
    pub workers: usize,
}

/// What a run found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// One for each sample that could be measured, in the dataset's order.
    pub records: Vec<Record>,
    /// The scores of pixels, where there are true masks.
    pub pixels: PixelBlocks,
    /// What was wrong with the truth and its pictures.
    pub faults: Faults,
    /// How many samples are not done, as the run was stopped; all of a video whose frames are not all done.
    pub left: usize,
}

/// At most this many blocks of pixels: 32 KB each, however many pictures.
const BLOCKS: usize = 256;

/// The scores of pixels by block of pictures, from which pictures are drawn anew: each video or photo is a block of its
/// own, or shares it with others where there are more than 256.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PixelBlocks {
    blocks: BTreeMap<usize, Pixels>,
}

impl PixelBlocks {
    fn add(&mut self, unit: usize, pixels: &Pixels) {
        self.blocks.entry(unit % BLOCKS).or_default().merge(pixels, 1);
    }

    /// The blocks, in a fixed order.
    pub(crate) fn blocks(&self) -> Vec<&Pixels> {
        self.blocks.values().collect()
    }
}

/// What is measured in one go: the places of the samples that are frames of a video, in order, or of one sample.
type Piece = Vec<usize>;

/// Each video is a piece if its boxes are followed; one that shows several classes is a piece for each, as classes
/// that are asked for by name are followed each on its own.
fn pieces(samples: &[Sample], followed: bool) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut videos = HashMap::new();
    for (i, sample) in samples.iter().enumerate() {
        let next = pieces.len();
        let piece = match &sample.sequence {
            Some(sequence) if followed => *videos.entry((sequence, &sample.class)).or_insert(next),
            _ => next,
        };
        match pieces.get_mut(piece) {
            Some(piece) => piece.push(i),
            None => pieces.push(vec![i]),
        }
    }
    pieces
}

/// What is done so far. Pixels are summed up as they come: they are 32 KB a picture.
struct Collected<'a> {
    places: HashMap<&'a str, usize>,
    /// By sample, the number of its video, or of itself.
    units: Vec<usize>,
    entries: Vec<Option<Entry>>,
    pixels: PixelBlocks,
    done: usize,
}

impl<'a> Collected<'a> {
    fn new(samples: &'a [Sample]) -> Collected<'a> {
        let places = samples.iter().zip(0..).map(|(sample, i)| (sample.name.as_str(), i)).collect();
        let mut numbers = HashMap::new();
        let mut unit = |sample: &'a Sample| {
            let next = numbers.len();
            *numbers
                .entry((&sample.sequence, sample.sequence.is_none().then_some(&sample.name)))
                .or_insert(next)
        };
        let units = samples.iter().map(&mut unit).collect();
        let entries = samples.iter().map(|_| None).collect();
        Collected { places, units, entries, pixels: PixelBlocks::default(), done: 0 }
    }

    /// Takes an entry of one of the samples in, unless it is there.
    fn add(&mut self, mut entry: Entry) {
        let Some(&i) = self.places.get(entry.name.as_str()) else { return };
        if self.entries[i].is_some() {
            return;
        }
        if let Some(pixels) = entry.pixels.take() {
            self.pixels.add(self.units[i], &pixels);
        }
        self.entries[i] = Some(entry);
        self.done += 1;
    }

    /// Takes in what the journal has of whole pieces. A video that was left in the middle is begun again: its boxes
    /// depend on all frames before.
    fn resume(&mut self, journal: &mut Journal, pieces: &[Piece]) -> Result<(), JournalError> {
        let mut kept = vec![false; self.entries.len()];
        journal.replay(|entry| {
            self.places.get(entry.name.as_str()).into_iter().for_each(|&i| kept[i] = true);
        })?;
        for piece in pieces {
            let whole = piece.iter().all(|&i| kept[i]);
            piece.iter().for_each(|&i| kept[i] = whole);
        }
        journal.replay(|entry| {
            if self.places.get(entry.name.as_str()).is_some_and(|&i| kept[i]) {
                self.add(entry);
            }
        })
    }

    fn is_done(&self, piece: &Piece) -> bool {
        piece.iter().all(|&i| self.entries[i].is_some())
    }

    fn outcome(self, pieces: &[Piece], mut faults: Faults) -> Outcome {
        let left = pieces.iter().filter(|piece| !self.is_done(piece)).map(Vec::len).sum();
        let mut records = Vec::new();
        for entry in self.entries.into_iter().flatten() {
            entry.faults.into_iter().for_each(|fault| faults.add(fault));
            records.extend(entry.record);
        }
        Outcome { records, pixels: self.pixels, faults, left }
    }
}

/// Measures every sample of a dataset that the journal does not have yet; `observe` is told how many are done, first
/// of all how many were before.
///
/// A stop lets pictures in flight finish, but not videos, of which what is done is lost.
pub(crate) fn run(
    dataset: &Dataset,
    explainer: &Mutex<Explainer>,
    plan: Plan,
    mut journal: Option<&mut Journal>,
    stop: &Stop,
    observe: &mut dyn FnMut(usize),
) -> Result<Outcome, RunError> {
    let pieces = pieces(&dataset.samples, plan.followed_at.is_some());
    let mut collected = Collected::new(&dataset.samples);
    if let Some(journal) = &mut journal {
        collected.resume(journal, &pieces)?;
    }
    observe(collected.done);
    let open: Vec<&Piece> = pieces.iter().filter(|piece| !collected.is_done(piece)).collect();
    let measurer = || Measurer::new(explainer, plan);
    let work = |measurer: &mut Measurer<'_>, piece: &&Piece, results: &Results<'_, Done>| {
        let samples = piece.iter().map(|&i| &dataset.samples[i]);
        measure(measurer, samples, plan.followed_at, results);
    };
    workers::spread(&open, plan.workers, stop, measurer, work, |entry: Done| {
        let entry = entry?;
        if let Some(journal) = &mut journal {
            journal.add(&entry)?;
        }
        collected.add(entry);
        observe(collected.done);
        Ok::<(), RunError>(())
    })?;
    Ok(collected.outcome(&pieces, dataset.faults.clone()))
}

type Done = Result<Entry, RuntimeError>;

/// Measures the samples of a piece, in their order.
fn measure<'a>(
    measurer: &mut Measurer<'_>,
    samples: impl Iterator<Item = &'a Sample>,
    followed_at: Option<f64>,
    results: &Results<'_, Done>,
) {
    // A right class that takes another's place, such as one breed another's, is the same object.
    let mut tracking = Tracking::new(true);
    let mut first = None;
    for sample in samples {
        let first = *first.get_or_insert(sample.frame);
        let rate = followed_at.filter(|_| sample.sequence.is_some());
        let followed = rate.map(|rate| (&mut tracking, time(sample.frame.saturating_sub(first), rate)));
        if results.is_stopped() || !results.give(measurer.measure(sample, followed)) {
            return;
        }
    }
}

/// When a frame is shown.
fn time(frame: u64, rate: f64) -> Duration {
    Duration::try_from_secs_f64(frame as f64 / rate).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str, sequence: Option<&str>, class: &str) -> Sample {
        Sample { sequence: sequence.map(str::to_owned), ..Sample::bare(name, class) }
    }

    #[test]
    fn each_class_of_a_video_is_a_piece_and_so_is_each_picture() {
        let samples = [
            sample("park/1.jpg#cat", Some("park"), "cat"),
            sample("park/1.jpg#dog", Some("park"), "dog"),
            sample("park/2.jpg#cat", Some("park"), "cat"),
            sample("photo.jpg", None, "cat"),
            sample("park/2.jpg#dog", Some("park"), "dog"),
            sample("other.jpg", None, "cat"),
        ];
        assert_eq!(pieces(&samples, true), [vec![0, 2], vec![1, 4], vec![3], vec![5]]);
        assert_eq!(pieces(&samples, false).len(), 6);
    }

    #[test]
    fn no_number_of_a_frame_is_too_large() {
        assert_eq!(time(48, 24.0), Duration::from_secs(2));
        assert_eq!(time(u64::MAX, 1e-9), Duration::MAX);
    }
}
