//! Threads, channels, back-pressure, statistics and shutdown.
//!
//! ```text
//! capture ──► preprocess + infer ──► localize + render ──► show or write
//!  thread          thread                 thread             the caller's thread
//! ```
//!
//! Several streams share the model: each has its own thread for capture and for drawing, and frames that wait at the same
//! time are explained in one pass.
//!
//! Every channel is bounded. A live source drops old frames itself (newest wins); a file waits, so its
//! frames are never lost and keep their order. When the sources end, are stopped, or a stage fails, the
//! channels close one after the other, and what is in flight is still written.

pub(crate) mod controls;
mod drawing;
mod incoming;
mod inference;
mod output;
mod playback;
mod stages;
pub(crate) mod stats;
mod stream;

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::bounded;

pub(crate) use controls::{Controls, Look};
pub(crate) use output::{Extension, Output};
pub(crate) use stats::{Stage, StageFigures, Stats};
pub(crate) use stream::Stream;

use crate::explainer::Explainer;
use crate::explainer::black_box::Estimate;
use crate::files::Stop;
use crate::runtime::RuntimeError;
use crate::sink::{Finished, SinkError};
use crate::source::{Notice, SourceError};
use incoming::Incoming;
use inference::Inference;
use output::{Around, Named};
use stages::Failure;
use stream::Shared;

/// Frames that wait between two stages: one is ready while the next stage works.
const WAITING: usize = 1;

/// Pictures that may be idle: one being drawn, one waiting, one being written, one in the window.
const SPARE: usize = 4;

/// Why a run ended before its source did.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PipelineError {
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The model failed on a frame.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// An output failed.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A stage died of a defect in camloc.
    #[error("the {0} stage died: this is a defect of camloc, please report it")]
    StageDied(&'static str),
}

/// What happens while the pipeline runs.
#[derive(Debug)]
pub(crate) enum News<'a> {
    /// This many frames are done.
    Done(u64),
    /// So many variants of the present picture are asked about, of so many.
    Asking(usize, usize),
    /// How far a black box has asked about a picture that is done.
    Asked(&'a Path, Estimate),
    /// The source has something to say, such as that the camera stopped sending, or that a photo of a batch
    /// was skipped.
    Notice(&'a Notice),
}

/// What a run did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    /// Frames that reached the outputs.
    pub frames: u64,
    /// Photos of a batch that could not be read.
    pub skipped: u64,
    /// Frames that a live source dropped.
    pub dropped: u64,
    /// Whether the run was stopped before its source ended.
    pub interrupted: bool,
    /// What was written, and where.
    pub outputs: Vec<Finished>,
}

/// Streams and the model that they share, ready to run.
pub(crate) struct Pipeline {
    /// At least one. A file that fails leaves the others running; a live source that fails ends the run.
    pub streams: Vec<Stream>,
    /// Turns frames into maps.
    pub explainer: Explainer,
    /// How many of the classes explained are localised and drawn, unless the window picks one.
    pub top_k: usize,
    /// What the window's keys change.
    pub controls: Arc<Controls>,
    /// Ends the run; what is in flight is still written.
    pub stop: Stop,
    /// Filled while the pipeline runs.
    pub stats: Arc<Stats>,
}

impl Pipeline {
    /// Runs until the sources end or the run is stopped, writing to `output` on this thread (a window
    /// must be on the main thread on macOS).
    ///
    /// # Errors
    /// The first thing that failed. What came before it is written, and the outputs are complete; an output that failed
    /// leaves nothing behind, and ends the run only if there is no other.
    pub(crate) fn run(
        self,
        output: &mut Output<'_>,
        observe: &mut dyn FnMut(News),
    ) -> Result<Summary, PipelineError> {
        let Pipeline { streams, explainer, top_k, controls, stop, stats } = self;
        let (controls, stop, stats) = (&*controls, &stop, &*stats);
        let failure = Failure::default();
        let (to_refine, wanted) = bounded(streams.len());
        let (to_show, drawn) = bounded(WAITING * streams.len());
        let (to_tell, notices) = bounded(16);
        let sources = streams.iter().map(|stream| Named::of(stream.source.info())).collect();
        let around = Around { sources, controls, stop, stats };
        // A window says among its figures what is said without the region.
        let captioned = output.display.is_none();
        let inference = Inference::new(explainer, controls, stop, stats);
        let failed = &failure;
        let mut summary = std::thread::scope(|scope| {
            #[rustfmt::skip]
            let shared = Shared { controls, stop, stats, failed, top_k, captioned, to_refine, to_show, to_tell };
            let (mut frames, mut to_draw, mut threads) = (Vec::new(), Vec::new(), Vec::new());
            for (place, stream) in streams.into_iter().enumerate() {
                let running = stream.start(place, shared.clone(), scope);
                frames.push(running.frames);
                to_draw.push(running.to_draw);
                threads.extend(running.threads);
            }
            // From here on only the streams hold the ends of its channels.
            drop(shared);
            let incoming = Incoming::new(frames, wanted);
            let infer = move || {
                let ended = inference.run(incoming, &to_draw);
                ended.unwrap_or_else(|error| failed.note(error));
            };
            threads.push(("inference", scope.spawn(infer)));
            let summary = output.run(&drawn, &notices, &around, observe).unwrap_or_else(|error| {
                failed.note(error);
                Summary::default()
            });
            let interrupted = stop.is_stopped();
            // Whatever the reason, nothing upstream has a purpose any more; it notices by its channel.
            stop.stop();
            drop((drawn, notices));
            for (name, thread) in threads {
                if thread.join().is_err() {
                    failed.note(PipelineError::StageDied(name));
                }
            }
            Summary { interrupted, ..summary }
        });
        match failure.into_result() {
            // What was done before is worth keeping; where nothing was, an older file is.
            Err(error) if summary.frames > 0 || matches!(error, PipelineError::Source(_)) => {
                output.finish().map_err(PipelineError::from).and(Err(error))
            }
            Err(error) => Err(error),
            Ok(()) => {
                summary.outputs = output.finish()?;
                summary.dropped = stats.dropped();
                Ok(summary)
            }
        }
    }
}
