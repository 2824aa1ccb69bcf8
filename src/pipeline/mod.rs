//! Threads, channels, back-pressure, statistics and shutdown.
//!
//! ```text
//! capture ──► preprocess + infer ──► localize + render ──► show or write
//!  thread          thread                 thread             the caller's thread
//! ```
//!
//! Every channel is bounded. A live source drops old frames itself (newest wins); a file waits, so its
//! frames are never lost and keep their order. When the source ends, is stopped, or a stage fails, the
//! channels close one after the other, and what is in flight is still written.

pub mod controls;
mod drawing;
mod engine;
pub mod explainer;
mod inference;
mod output;
mod stages;
pub mod stats;
mod what_if;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::bounded;

pub use controls::{Controls, Look};
pub use explainer::{Explainer, ExplainerError};
pub use output::{Attendant, Output};
pub use stats::{Stage, StageFigures, Stats};
pub use what_if::Eraser;

use crate::explain::black_box::Progress;
use crate::frame::PicturePool;
use crate::localize::{Localizer, Segmenter};
use crate::render::Renderer;
use crate::runtime::RuntimeError;
use crate::sink::{Finished, SinkError};
use crate::source::{FrameSource, Notice, SourceError, Stop};
use crate::track::Tracking;
use drawing::Draw;
use inference::Inference;
use output::Around;
use stages::Failure;

/// Frames that wait between two stages: one is ready while the next stage works.
const WAITING: usize = 1;

/// Pictures that may be idle: one being drawn, one waiting, one being written, one in the window.
const SPARE: usize = 4;

/// Why a run ended before its source did.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
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
pub enum News<'a> {
    /// This many frames are done.
    Done(u64),
    /// So many variants of the present picture are asked about, of so many.
    Asking(usize, usize),
    /// How far a black box has asked about a picture that is done.
    Asked(&'a Path, Progress),
    /// The source has something to say, such as that the camera stopped sending, or that a photo of a batch
    /// was skipped.
    Notice(&'a Notice),
}

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Summary {
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

/// A source, a model and what is made of its maps, ready to run.
pub struct Pipeline {
    /// Where frames come from.
    pub source: Box<dyn FrameSource>,
    /// Turns frames into maps.
    pub explainer: Explainer,
    /// Turns maps into boxes.
    pub localizer: Localizer,
    /// Finds their pixels; needed when an output [wants masks](Output::wants_masks).
    pub segmenter: Option<Segmenter>,
    /// Follows boxes over frames that follow each other in time; `None` for photos.
    pub tracking: Option<Tracking>,
    /// Draws; needed when an output [wants a picture](Output::wants_picture).
    pub renderer: Option<Renderer>,
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
    /// Runs until the source ends or the run is stopped, writing to `output` on this thread (a window
    /// must be on the main thread on macOS).
    ///
    /// # Errors
    /// The first thing that failed. When the source failed or was cut short, what came before it is written
    /// and the outputs are complete; when an output failed, that output leaves nothing behind.
    pub fn run(
        self,
        output: &mut Output<'_>,
        observe: &mut dyn FnMut(News),
    ) -> Result<Summary, PipelineError> {
        let Pipeline {
            source,
            explainer,
            localizer,
            segmenter,
            tracking,
            renderer,
            top_k,
            controls,
            stop,
            stats,
        } = self;
        let info = source.info().clone();
        let around = Around {
            photos: info.photos,
            source: PathBuf::from(info.name),
            controls: &controls,
            stop: &stop,
            stats: &stats,
        };
        let (to_refine, wanted) = bounded(1);
        let draw = Draw {
            localizer,
            segmenter,
            segmentations: Vec::new(),
            tracking,
            followed: None,
            renderer,
            top_k,
            controls: &controls,
            pool: PicturePool::new(SPARE),
            to_refine,
            // A window says it among its figures.
            captioned: output.window.is_none(),
        };
        let inference = Inference {
            explainer,
            controls: &controls,
            stop: &stop,
            stats: &stats,
            last: None,
            against: false,
            eraser: Eraser::default(),
        };
        let failure = Failure::default();
        let (to_infer, frames) = bounded(WAITING);
        let (to_draw, explained) = bounded(WAITING);
        let (to_show, drawn) = bounded(WAITING);
        let (to_tell, notices) = bounded(16);
        let waiting = info.live.then(|| frames.clone());

        let mut summary = std::thread::scope(|scope| {
            let capture = scope.spawn(|| {
                let ended = stages::capture(source, to_infer, waiting, to_tell, &stop, &stats);
                ended.unwrap_or_else(|error| failure.note(error));
            });
            let infer = scope.spawn(|| {
                let ended = inference.run(frames, wanted, to_draw);
                ended.unwrap_or_else(|error| failure.note(error));
            });
            let drawing = scope.spawn(|| draw.run(explained, to_show, &stop, &stats));
            let summary = output.run(&drawn, &notices, &around, observe).unwrap_or_else(|error| {
                failure.note(error);
                Summary::default()
            });
            let interrupted = stop.is_stopped();
            // Whatever the reason, nothing upstream has a purpose any more; it notices by its channel.
            stop.stop();
            drop((drawn, notices));
            for (thread, name) in [(capture, "capture"), (infer, "inference"), (drawing, "drawing")] {
                if thread.join().is_err() {
                    failure.note(PipelineError::StageDied(name));
                }
            }
            Summary { interrupted, ..summary }
        });
        match failure.into_result() {
            // What was read before the cut is worth keeping.
            Err(error @ PipelineError::Source(_)) => {
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
