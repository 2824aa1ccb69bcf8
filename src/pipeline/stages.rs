//! The threads upstream of the outputs.

use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::controls::Choice;
use super::{Explainer, PipelineError, Stage, Stats};
use crate::explainer::black_box::Estimate;
use crate::files::Stop;
use crate::frame::{Frame, Picture};
use crate::localize::{Detection, Segmentation};
use crate::maps::{ClassMap, WhatIf};
use crate::model::Labels;
use crate::origin::Origin;
use crate::source::{Event, FrameSource, Notice};
use crate::view::View;

/// The first failure of any stage; what fails afterwards fails because of it.
#[derive(Default)]
pub(super) struct Failure(Mutex<Option<PipelineError>>);

impl Failure {
    pub(super) fn note(&self, error: PipelineError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) fn into_result(self) -> Result<(), PipelineError> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

/// Who explains a frame. Another method or another model is another one.
pub(super) struct Model {
    /// The model, its method, and where its nodes run.
    pub(super) origin: Origin,
    /// The classes' names.
    pub(super) labels: Labels,
    /// What keys had chosen when it began.
    pub(super) choice: Choice,
}

impl Model {
    pub(super) fn of(explainer: &Explainer, choice: Choice) -> Arc<Model> {
        Arc::new(Model { origin: explainer.origin(), labels: explainer.labels().clone(), choice })
    }
}

/// A frame and what the model says of it.
pub(super) struct Explained {
    pub(super) frame: Arc<Frame>,
    pub(super) view: View,
    pub(super) maps: Vec<ClassMap>,
    pub(super) model: Arc<Model>,
    /// How far a black box has asked about it.
    pub(super) progress: Option<Estimate>,
    /// What is said without what the map shown marks.
    pub(super) what_if: Option<WhatIf>,
    /// A better map of the paused frame, or one by another method.
    pub(super) again: bool,
}

/// A frame's results, ready to be shown or written.
pub(super) struct Drawn {
    /// The stream that it comes from.
    pub(super) stream: usize,
    pub(super) frame: Arc<Frame>,
    pub(super) overlay: Option<Picture>,
    pub(super) detections: Vec<Detection>,
    /// The best of the classes shown, and its probability.
    pub(super) best: Option<(usize, f32)>,
    pub(super) segmentation: Option<Arc<Segmentation>>,
    pub(super) model: Arc<Model>,
    /// How far a black box has asked about it.
    pub(super) progress: Option<Estimate>,
    /// What is said without what the map shown marks.
    pub(super) what_if: Option<WhatIf>,
    /// The same frame in another look: for the window only.
    pub(super) again: bool,
}

/// Reads frames until the source ends. `waiting` is the far end of `to_infer` where the source is live:
/// old frames are taken back through it. A file has `None` and waits for its turn.
pub(super) fn capture(
    mut source: Box<dyn FrameSource>,
    to_infer: Sender<Frame>,
    waiting: Option<Receiver<Frame>>,
    tell: impl Fn(Notice),
    stop: &Stop,
    stats: &Stats,
) -> Result<(), PipelineError> {
    let mut expected = 0;
    while !stop.is_stopped() {
        match stats.time(Stage::Capture, || source.next()) {
            Ok(Event::Frame(frame)) => {
                if waiting.is_some() {
                    stats.drop_frames(frame.seq.saturating_sub(expected));
                }
                expected = frame.seq + 1;
                let sent = match &waiting {
                    Some(waiting) => send_newest(&to_infer, waiting, frame, stats),
                    None => to_infer.send(frame).is_ok(),
                };
                if !sent {
                    break;
                }
            }
            Ok(Event::Notice(notice)) => tell(notice),
            Ok(Event::End) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Hands over a live frame; a frame that still waits is older and gives way.
fn send_newest(to_infer: &Sender<Frame>, waiting: &Receiver<Frame>, mut frame: Frame, stats: &Stats) -> bool {
    loop {
        match to_infer.try_send(frame) {
            Ok(()) => return true,
            Err(TrySendError::Disconnected(_)) => return false,
            Err(TrySendError::Full(back)) => frame = back,
        }
        if waiting.try_recv().is_ok() {
            stats.drop_frames(1);
        }
    }
}
