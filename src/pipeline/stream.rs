//! One of the streams that share a model: its source, what is made of its maps, and the threads of both.

use std::thread::{Scope, ScopedJoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::drawing::Draw;
use super::incoming::Asked;
use super::stages::{self, Drawn, Explained, Failure};
use super::{Controls, SPARE, Stats, WAITING};
use crate::files::Stop;
use crate::frame::{Frame, PicturePool};
use crate::localize::{Localizer, Segmenter};
use crate::render::Renderer;
use crate::source::{FrameSource, Notice};
use crate::track::Tracking;

/// A source, and what is made of its maps.
pub(crate) struct Stream {
    /// Where frames come from.
    pub source: Box<dyn FrameSource>,
    /// Turns maps into boxes.
    pub localizer: Localizer,
    /// Finds their pixels; needed when an output [wants masks](super::Output::wants_masks).
    pub segmenter: Option<Segmenter>,
    /// Follows boxes over frames that follow each other in time; `None` for photos.
    pub tracking: Option<Tracking>,
    /// Draws; needed when an output [wants a picture](super::Output::wants_picture).
    pub renderer: Option<Renderer>,
}

/// What the threads of all streams share.
#[derive(Clone)]
pub(super) struct Shared<'a> {
    pub(super) controls: &'a Controls,
    pub(super) stop: &'a Stop,
    pub(super) stats: &'a Stats,
    pub(super) failed: &'a Failure,
    pub(super) top_k: usize,
    /// Whether what is said without the region stands in the picture.
    pub(super) captioned: bool,
    pub(super) to_refine: Sender<Asked>,
    pub(super) to_show: Sender<Drawn>,
    pub(super) to_tell: Sender<(usize, Notice)>,
}

/// A stream that runs.
pub(super) struct Running<'scope> {
    /// Its frames, on their way to the model.
    pub(super) frames: Receiver<Frame>,
    /// Where the model's answers go.
    pub(super) to_draw: Sender<Explained>,
    pub(super) threads: [(&'static str, ScopedJoinHandle<'scope, ()>); 2],
}

impl Stream {
    /// Starts the threads that capture and draw. `place` is the stream's among the others.
    pub(super) fn start<'scope>(
        self,
        place: usize,
        shared: Shared<'scope>,
        scope: &'scope Scope<'scope, '_>,
    ) -> Running<'scope> {
        let Stream { source, localizer, segmenter, tracking, renderer } = self;
        let Shared { controls, stop, stats, failed, top_k, captioned, to_refine, to_show, to_tell } = shared;
        let (to_infer, frames) = bounded(WAITING);
        let (to_draw, explained) = bounded(WAITING);
        let draw = Draw {
            stream: place,
            localizer,
            segmenter,
            segmentations: Vec::new(),
            tracking,
            followed: None,
            renderer,
            top_k,
            controls,
            pool: PicturePool::new(SPARE),
            to_refine,
            captioned,
        };
        let live = source.info().live;
        let waiting = live.then(|| frames.clone());
        let capture = scope.spawn(move || {
            // Nobody listens any more only when the run is over.
            let tell = |notice| drop(to_tell.send((place, notice)));
            if let Err(error) = stages::capture(source, to_infer, waiting, tell, stop, stats) {
                failed.note(error);
                // Who watches a camera wants to know at once; of files, the others are worth having.
                if live {
                    stop.stop();
                }
            }
        });
        let drawing = scope.spawn(move || draw.run(explained, to_show, stop, stats));
        Running { frames, to_draw, threads: [("capture", capture), ("drawing", drawing)] }
    }
}
