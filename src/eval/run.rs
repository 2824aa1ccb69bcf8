//! The run over a dataset: several pictures in flight, one model.

use std::collections::HashMap;
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
    blocks: HashMap<usize, PixelScores>,
    units: HashMap<String, usize>,
}

impl PixelBlocks {
    /// Adds the pixels of one picture; pictures with the same key belong together.
    fn add(&mut self, key: &str, pixels: &PixelScores) {
        let next = self.units.len();
        let unit = *self.units.entry(key.to_owned()).or_insert(next);
        self.blocks.entry(unit % BLOCKS).or_default().merge(pixels, 1);
    }

    /// The blocks, in a fixed order.
    pub fn blocks(&self) -> Vec<&PixelScores> {
        let mut numbers: Vec<&usize> = self.blocks.keys().collect();
        numbers.sort();
        numbers.into_iter().filter_map(|number| self.blocks.get(number)).collect()
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
    let samples = &dataset.samples;
    let places: HashMap<&str, usize> =
        samples.iter().zip(0..).map(|(sample, i)| (sample.name.as_str(), i)).collect();
    let mut entries: Vec<Option<Entry>> = samples.iter().map(|_| None).collect();
    for entry in journal.as_mut().map(|journal| journal.take_done()).unwrap_or_default() {
        if let Some(&i) = places.get(entry.name.as_str()) {
            entries[i] = Some(entry);
        }
    }
    let open: Vec<usize> = (0..samples.len()).filter(|&i| entries[i].is_none()).collect();
    let mut done = samples.len() - open.len();
    observe(done);
    let next = AtomicUsize::new(0);
    let give_up = Stop::new();
    let (send, receive) = bounded(plan.workers.max(1));
    let work = Work { samples, open: &open, next: &next, stops: [stop, &give_up] };
    std::thread::scope(|scope| {
        let measurer = || Measurer::new(explainer, plan.settings, plan.faithfulness);
        let threads: Vec<_> = (0..plan.workers.max(1))
            .map(|_| {
                let (work, send, measurer) = (&work, send.clone(), measurer());
                scope.spawn(move || work.run(measurer, &send))
            })
            .collect();
        drop(send);
        let collected = collect(&receive, &mut entries, journal, &mut |_| {
            done += 1;
            observe(done);
        });
        // Threads must not wait for a collector that is gone.
        give_up.stop();
        drop(receive);
        let died = threads.into_iter().map(|thread| thread.join()).any(|joined| joined.is_err());
        collected.and(if died { Err(RunError::Died) } else { Ok(()) })
    })?;
    Ok(outcome(dataset, entries))
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

type Done = (usize, Result<Entry, RuntimeError>);

impl Work<'_> {
    fn run(&self, mut measurer: Measurer<'_>, send: &Sender<Done>) {
        while !self.stops.iter().any(|stop| stop.is_stopped()) {
            let Some(&i) = self.open.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            if send.send((i, measurer.measure(&self.samples[i]))).is_err() {
                return;
            }
        }
    }
}

fn collect(
    receive: &Receiver<Done>,
    entries: &mut [Option<Entry>],
    mut journal: Option<&mut Journal>,
    observe: &mut dyn FnMut(usize),
) -> Result<(), RunError> {
    for (i, entry) in receive {
        let entry = entry?;
        if let Some(journal) = &mut journal {
            journal.add(&entry)?;
        }
        entries[i] = Some(entry);
        observe(i);
    }
    Ok(())
}

fn outcome(dataset: &Dataset, entries: Vec<Option<Entry>>) -> Outcome {
    let mut outcome = Outcome { faults: dataset.faults.clone(), ..Outcome::default() };
    for entry in entries {
        let Some(entry) = entry else {
            outcome.left += 1;
            continue;
        };
        entry.faults.into_iter().for_each(|fault| outcome.faults.add(fault));
        if let Some(record) = entry.record {
            if let Some(pixels) = &entry.pixels {
                outcome.pixels.add(record.sequence.as_ref().unwrap_or(&record.name), pixels);
            }
            outcome.records.push(record);
        }
    }
    outcome
}
