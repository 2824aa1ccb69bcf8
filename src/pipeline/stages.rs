//! The threads upstream of the outputs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, never, select};

use super::{Controls, Explainer, PipelineError, Stage, Stats};
use crate::frame::{Frame, Picture, PicturePool};
use crate::localize::{Detection, Localizer, Segmentation, Segmenter};
use crate::maps::ClassMap;
use crate::model::Labels;
use crate::render::{Mark, Renderer, Scene};
use crate::source::{Event, FrameSource, Notice, Stop};
use crate::track::Tracking;
use crate::view::View;

/// How often a paused stage looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);

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

/// A frame and what the model says of it.
pub(super) struct Explained {
    frame: Arc<Frame>,
    view: View,
    maps: Vec<ClassMap>,
    model: Arc<str>,
}

/// A frame's results, ready to be shown or written.
pub(super) struct Drawn {
    pub(super) frame: Arc<Frame>,
    pub(super) overlay: Option<Picture>,
    pub(super) detections: Vec<Detection>,
    pub(super) segmentation: Option<Arc<Segmentation>>,
    /// Model, method and execution provider.
    pub(super) model: Arc<str>,
    /// The same frame in another look: for the window only.
    pub(super) again: bool,
}

/// Reads frames until the source ends. `waiting` is the far end of `to_infer` where the source is live:
/// old frames are taken back through it. A file has `None` and waits for its turn.
pub(super) fn capture(
    mut source: Box<dyn FrameSource>,
    to_infer: Sender<Frame>,
    waiting: Option<Receiver<Frame>>,
    notices: Sender<Notice>,
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
            // Nobody listens any more only when the run is over.
            Ok(Event::Notice(notice)) => drop(notices.send(notice)),
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

pub(super) fn infer(
    mut explainer: Explainer,
    frames: Receiver<Frame>,
    to_draw: Sender<Explained>,
    controls: &Controls,
    stats: &Stats,
) -> Result<(), PipelineError> {
    let mut model: Arc<str> = explainer.summary().into();
    let mut steps = controls.look().method_steps;
    for frame in frames {
        let asked = controls.look().method_steps;
        if asked != steps {
            explainer.next_method();
            (model, steps) = (explainer.summary().into(), asked);
        }
        let mut maps = Vec::new();
        let view = explainer.explain_timed(&frame.picture, &mut maps, stats)?;
        if to_draw.send(Explained { frame: Arc::new(frame), view, maps, model: model.clone() }).is_err() {
            break;
        }
    }
    Ok(())
}

/// From maps to boxes to a picture.
pub(super) struct Draw<'a> {
    pub(super) localizer: Localizer,
    pub(super) segmenter: Option<Segmenter>,
    /// Those of the last frames, for their buffers.
    pub(super) segmentations: Vec<Arc<Segmentation>>,
    pub(super) tracking: Option<Tracking>,
    /// The model with its method and the rank that are followed.
    pub(super) followed: Option<(Arc<str>, Option<usize>)>,
    pub(super) renderer: Option<Renderer>,
    pub(super) top_k: usize,
    pub(super) labels: &'a Labels,
    pub(super) controls: &'a Controls,
    pub(super) pool: PicturePool,
}

impl Draw<'_> {
    /// Draws each frame as it comes; while paused, the last one again whenever its look changes.
    pub(super) fn run(
        mut self,
        explained: Receiver<Explained>,
        to_show: Sender<Drawn>,
        stop: &Stop,
        stats: &Stats,
    ) {
        let nothing = never();
        let mut last: Option<Explained> = None;
        loop {
            let paused = last.is_some() && self.controls.look().paused;
            let again = select! {
                recv(if paused { &nothing } else { &explained }) -> next => match next {
                    Ok(next) => { last = Some(next); false }
                    Err(_) => break,
                },
                recv(self.controls.changes()) -> _ => true,
                default(LOOK) => {
                    if paused && stop.is_stopped() {
                        break;
                    }
                    continue;
                }
            };
            let Some(frame) = &mut last else { continue };
            if to_show.send(self.draw(frame, again, stats)).is_err() {
                break;
            }
        }
    }

    fn draw(&mut self, item: &mut Explained, again: bool, stats: &Stats) -> Drawn {
        let look = self.controls.look();
        let (size, time) = (item.frame.picture.size(), item.frame.time);
        self.follow_look(&item.model, look.rank);
        let mut detections = Vec::new();
        let mut segmentation = self.segmenter.is_some().then(|| spare(&mut self.segmentations));
        let all = &mut item.maps[..];
        let maps = stats.time(Stage::Localize, || {
            // The same frame in another look has the same time, which is no new moment.
            if let Some(tracking) = &mut self.tracking {
                tracking.smooth(all, time);
            }
            let maps: &[ClassMap] = match look.rank {
                Some(rank) => all.get(rank..=rank).unwrap_or_default(),
                None => &all[..self.top_k.min(all.len())],
            };
            self.localizer.settings.threshold = look.threshold;
            self.localizer.locate(maps, item.view, size, &mut detections);
            let mut pixels = segmentation.as_mut().and_then(Arc::get_mut);
            if let (Some(segmenter), Some(pixels)) = (&mut self.segmenter, &mut pixels) {
                let (settings, picture) = (&self.localizer.settings, &item.frame.picture);
                segmenter.segment(maps, settings, &detections, item.view, picture, pixels);
            }
            if let Some(tracking) = &mut self.tracking {
                tracking.follow(&mut detections, size, time);
                if let Some(pixels) = pixels {
                    pixels.rename(&detections);
                }
                // Following changes what is how probable, and the surest comes first.
                detections.sort_by(|a, b| b.score.total_cmp(&a.score));
            }
            maps
        });
        let overlay = self.renderer.as_mut().map(|renderer| {
            stats.time(Stage::Render, || {
                let mut picture = self.pool.picture(size.0, size.1);
                let tags: Vec<String> = detections.iter().map(|d| tag(self.labels, d)).collect();
                let marks: Vec<Mark> =
                    detections.iter().zip(&tags).map(|(d, tag)| mark(d, tag, maps)).collect();
                let heat: Vec<&ClassMap> = maps.iter().collect();
                let scene =
                    Scene { source: &item.frame.picture, view: item.view, heat: &heat, marks: &marks, time };
                renderer.draw(&scene, &look.style, &mut picture);
                picture
            })
        });
        self.segmentations.extend(segmentation.clone());
        let (frame, model) = (item.frame.clone(), item.model.clone());
        Drawn { frame, overlay, detections, segmentation, model, again }
    }

    /// Maps of another method and boxes of another rank have nothing to do with those before.
    fn follow_look(&mut self, model: &Arc<str>, rank: Option<usize>) {
        let Some(tracking) = &mut self.tracking else { return };
        match &self.followed {
            Some(followed) if followed.0 != *model => tracking.forget(),
            Some(followed) if followed.1 != rank => tracking.forget_boxes(),
            Some(_) => return,
            None => {}
        }
        self.followed = Some((model.clone(), rank));
    }
}

/// A segmentation that nobody holds any more, or a new one.
fn spare(used: &mut Vec<Arc<Segmentation>>) -> Arc<Segmentation> {
    match used.iter_mut().position(|held| Arc::get_mut(held).is_some()) {
        Some(free) => used.swap_remove(free),
        None => Arc::default(),
    }
}

/// What stands beside a box: `tiger cat 83 %`.
fn tag(labels: &Labels, detection: &Detection) -> String {
    format!("{} {:.0} %", labels.name(detection.class_id), 100.0 * detection.score)
}

/// A detection as the renderer wants it; a class keeps its rank's colour.
fn mark<'a>(detection: &'a Detection, text: &'a str, maps: &[ClassMap]) -> Mark<'a> {
    let bbox = detection.bbox;
    Mark {
        bbox: (bbox.x0, bbox.y0, bbox.x1, bbox.y1),
        peak: detection.peak,
        outline: &detection.outline,
        class_slot: maps.iter().position(|map| map.class_id == detection.class_id).unwrap_or_default(),
        text,
    }
}
