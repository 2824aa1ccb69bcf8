//! The run over a dataset: several pictures in flight, one model.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::dataset::{Dataset, Faults, Sample};
use super::journal::{Journal, JournalError};
use super::measure::Measurer;
use super::metrics::PixelScores;
use super::record::{Entry, Record};
use crate::localize::Settings;
use crate::pipeline::Explainer;
use crate::runtime::RuntimeError;
use crate::source::Stop;

/// Why a run ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
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

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How maps become boxes.
    pub settings: Settings,
    /// Whether faithfulness is measured, which takes 450 forward passes a picture.
    pub faithfulness: bool,
    /// Pictures in flight, at least 1.
    pub workers: usize,
}

/// What a run found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// One for each sample that could be measured, in the dataset's order.
    pub records: Vec<Record>,
    /// The scores of pixels, where there are true masks.
    pub pixels: PixelBlocks,
    /// What was wrong with the truth and its pictures.
    pub faults: Faults,
    /// How many samples are not done, as the run was stopped.
    pub left: usize,
}

/// At most this many blocks of pixels: 16 KB each, however many pictures.
const BLOCKS: usize = 256;

/// The scores of pixels by block of pictures, from which pictures are drawn anew: each video or photo is a block of its
/// own, or shares it with others where there are more than 256.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PixelBlocks {
    blocks: BTreeMap<usize, PixelScores>,
}

impl PixelBlocks {
    fn add(&mut self, unit: usize, pixels: &PixelScores) {
        self.blocks.entry(unit % BLOCKS).or_default().merge(pixels, 1);
    }

    /// The blocks, in a fixed order.
    pub fn blocks(&self) -> Vec<&PixelScores> {
        self.blocks.values().collect()
    }
}

/// What is done so far. Pixels are summed up as they come: they are 16 KB a picture.
struct Collected<'a> {
    samples: &'a [Sample],
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
        Collected { samples, places, units, entries, pixels: PixelBlocks::default(), done: 0 }
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

    fn open(&self) -> Vec<usize> {
        (0..self.samples.len()).filter(|&i| self.entries[i].is_none()).collect()
    }

    fn outcome(self, mut faults: Faults) -> Outcome {
        let left = self.samples.len() - self.done;
        let mut records = Vec::new();
        for entry in self.entries.into_iter().flatten() {
            entry.faults.into_iter().for_each(|fault| faults.add(fault));
            records.extend(entry.record);
        }
        Outcome { records, pixels: self.pixels, faults, left }
    }
}

/// Measures every sample of a dataset that the journal does not have yet; `observe` is told how many are done.
///
/// A stop lets what is in flight finish.
pub fn run(
    dataset: &Dataset,
    explainer: &Mutex<Explainer>,
    plan: Plan,
    mut journal: Option<&mut Journal>,
    stop: &Stop,
    observe: &mut dyn FnMut(usize),
) -> Result<Outcome, RunError> {
    let mut collected = Collected::new(&dataset.samples);
    if let Some(journal) = &mut journal {
        journal.replay(|entry| collected.add(entry))?;
    }
    observe(collected.done);
    let (open, next, give_up) = (collected.open(), AtomicUsize::new(0), Stop::new());
    let (send, receive) = bounded(plan.workers.max(1));
    let work = Work { samples: &dataset.samples, open: &open, next: &next, stops: [stop, &give_up] };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.workers.max(1))
            .map(|_| {
                let measurer = Measurer::new(explainer, plan.settings, plan.faithfulness);
                let (work, send) = (&work, send.clone());
                scope.spawn(move || work.run(measurer, &send))
            })
            .collect();
        drop(send);
        let ended = collect(&receive, &mut collected, journal, observe);
        // Threads must not wait for a collector that is gone.
        give_up.stop();
        drop(receive);
        let died = threads.into_iter().map(|thread| thread.join()).any(|joined| joined.is_err());
        ended.and(if died { Err(RunError::Died) } else { Ok(()) })
    })?;
    Ok(collected.outcome(dataset.faults.clone()))
}

/// What threads share.
struct Work<'a> {
    samples: &'a [Sample],
    /// Places of the samples to do.
    open: &'a [usize],
    /// The first that is not taken, by place in `open`.
    next: &'a AtomicUsize,
    stops: [&'a Stop; 2],
}

type Done = Result<Entry, RuntimeError>;

impl Work<'_> {
    fn run(&self, mut measurer: Measurer<'_>, send: &Sender<Done>) {
        while !self.stops.iter().any(|stop| stop.is_stopped()) {
            let Some(&i) = self.open.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            if send.send(measurer.measure(&self.samples[i])).is_err() {
                return;
            }
        }
    }
}

fn collect(
    receive: &Receiver<Done>,
    collected: &mut Collected<'_>,
    mut journal: Option<&mut Journal>,
    observe: &mut dyn FnMut(usize),
) -> Result<(), RunError> {
    for entry in receive {
        let entry = entry?;
        if let Some(journal) = &mut journal {
            journal.add(&entry)?;
        }
        collected.add(entry);
        observe(collected.done);
    }
    Ok(())
}
