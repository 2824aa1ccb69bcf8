//! The stage that makes boxes and pictures of maps.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, never, select};

use super::incoming::Asked;
use super::stages::{Drawn, Explained, Model};
use super::{Controls, Stage, Stats};
use crate::frame::PicturePool;
use crate::localize::{Detection, Localizer, Segmentation, Segmenter};
use crate::maps::{Change, ClassMap, WhatIf};
use crate::model::Labels;
use crate::render::{Mark, Renderer, Scene};
use crate::source::Stop;
use crate::track::Tracking;

/// How often a paused stage looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);

/// From maps to boxes to a picture, for one stream.
pub(super) struct Draw<'a> {
    pub(super) stream: usize,
    pub(super) localizer: Localizer,
    pub(super) segmenter: Option<Segmenter>,
    /// Those of the last frames, for their buffers.
    pub(super) segmentations: Vec<Arc<Segmentation>>,
    pub(super) tracking: Option<Tracking>,
    /// The model with its method and the rank that are followed.
    pub(super) followed: Option<(Arc<Model>, Option<usize>)>,
    pub(super) renderer: Option<Renderer>,
    pub(super) top_k: usize,
    pub(super) controls: &'a Controls,
    pub(super) pool: PicturePool,
    /// Where better maps of a frame that stands still are asked for.
    pub(super) to_refine: Sender<Asked>,
    /// Whether what is said without the region stands in the picture.
    pub(super) captioned: bool,
}

impl Draw<'_> {
    /// Draws each frame as it comes; while paused, the last one again whenever its look changes or a better map of it
    /// is there.
    pub(super) fn run(
        mut self,
        explained: Receiver<Explained>,
        to_show: Sender<Drawn>,
        stop: &Stop,
        stats: &Stats,
    ) {
        let nothing = never();
        let changes = self.controls.changes();
        let mut last: Option<Explained> = None;
        // Frames that came while better maps of the last one were awaited.
        let mut held: VecDeque<Explained> = VecDeque::new();
        let mut pause = Pause::Off;
        loop {
            pause = pause.follow(self.controls.look().paused, last.as_ref(), &self.to_refine, self.stream);
            if pause == Pause::Off
                && let Some(next) = held.pop_front()
            {
                if to_show.send(self.draw(last.insert(next), false, stats)).is_err() {
                    break;
                }
                continue;
            }
            let again = select! {
                recv(if pause == Pause::Still { &nothing } else { &explained }) -> next => match (next, &mut last) {
                    (Ok(next), Some(last)) if next.refined => {
                        if pause != Pause::Refining || next.frame.seq != last.frame.seq {
                            continue;
                        }
                        if next.progress.is_none_or(|progress| progress.is_complete()) {
                            pause = Pause::Still;
                        }
                        *last = next;
                        true
                    }
                    (Ok(next), Some(_)) if pause == Pause::Refining => {
                        held.push_back(next);
                        continue;
                    }
                    (Ok(next), _) => { last = Some(next); false }
                    // The source has ended while the picture stands still.
                    (Err(_), _) if pause == Pause::Refining => {
                        pause = Pause::Still;
                        continue;
                    }
                    (Err(_), _) => break,
                },
                recv(changes) -> _ => true,
                default(LOOK) => {
                    if pause != Pause::Off && stop.is_stopped() {
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
        let labels = &item.model.labels;
        let (size, time) = (item.frame.picture.size(), item.frame.time);
        self.follow_look(&item.model, look.rank);
        let mut detections = Vec::new();
        let mut segmentation = self.segmenter.is_some().then(|| spare(&mut self.segmentations));
        let all = &mut item.maps[..];
        let maps = stats.time(Stage::Localize, || {
            // The same frame in another look has the same time, which is no new moment.
            let tracking = self.tracking.as_mut().filter(|_| !item.refined);
            if let Some(tracking) = tracking {
                tracking.smooth(&item.frame.picture, all, time);
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
            // A better map of a frame that stands still is no new moment either.
            if let Some(tracking) = self.tracking.as_mut().filter(|_| !item.refined) {
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
                let tags: Vec<String> = detections.iter().map(|d| tag(&item.model, d)).collect();
                let marks: Vec<Mark> =
                    detections.iter().zip(&tags).map(|(d, tag)| mark(d, tag, maps)).collect();
                let heat: Vec<&ClassMap> = maps.iter().collect();
                let scene =
                    Scene { source: &item.frame.picture, view: item.view, heat: &heat, marks: &marks, time };
                if item.refined {
                    // What few questions made of the frame says nothing of how hot many make it.
                    renderer.forget_heat();
                }
                renderer.draw(&scene, &look.style, &mut picture);
                if let Some(what_if) = item.what_if.as_ref().filter(|_| self.captioned) {
                    renderer.caption("without it", &told(labels, what_if), &mut picture);
                }
                picture
            })
        });
        let best = maps.first().map(|map| (map.class_id, map.score));
        self.segmentations.extend(segmentation.clone());
        let (frame, model, progress) = (item.frame.clone(), item.model.clone(), item.progress);
        let what_if = item.what_if.clone();
        let stream = self.stream;
        Drawn { stream, frame, overlay, detections, best, segmentation, model, progress, what_if, again }
    }

    /// Maps of another method or model and boxes of another rank have nothing to do with those before.
    fn follow_look(&mut self, model: &Arc<Model>, rank: Option<usize>) {
        let Some(before) = self.followed.replace((model.clone(), rank)) else { return };
        let other_maps = !Arc::ptr_eq(&before.0, model);
        if let Some(renderer) = self.renderer.as_mut().filter(|_| other_maps) {
            renderer.forget_heat();
        }
        match &mut self.tracking {
            Some(tracking) if other_maps => tracking.forget(),
            Some(tracking) if before.1 != rank => tracking.forget_boxes(),
            _ => {}
        }
    }
}

/// Whether the picture stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// It moves.
    Off,
    /// It stands still, and better maps of it are on their way.
    Refining,
    /// It stands still.
    Still,
}

impl Pause {
    /// Follows the pause key. A frame of which a black box has more to say is asked about further.
    fn follow(
        self,
        paused: bool,
        last: Option<&Explained>,
        to_refine: &Sender<Asked>,
        stream: usize,
    ) -> Pause {
        match (self, paused, last) {
            (Pause::Off, true, Some(last)) => {
                let unfinished = last.progress.is_some_and(|progress| !progress.is_complete());
                let asked = Asked { stream, frame: last.frame.clone() };
                match unfinished && to_refine.try_send(asked).is_ok() {
                    true => Pause::Refining,
                    false => Pause::Still,
                }
            }
            (pause, true, Some(_)) => pause,
            _ => Pause::Off,
        }
    }
}

/// A segmentation that nobody holds any more, or a new one.
fn spare(used: &mut Vec<Arc<Segmentation>>) -> Arc<Segmentation> {
    match used.iter_mut().position(|held| Arc::get_mut(held).is_some()) {
        Some(free) => used.swap_remove(free),
        None => Arc::default(),
    }
}

/// What became of classes without a region: `dog 0.91 → 0.34, cat 0.08 → 0.55`.
pub(super) fn told(labels: &Labels, what_if: &WhatIf) -> String {
    let change = |change: &Change| {
        format!("{} {:.2} → {:.2}", labels.name(change.class_id), change.before, change.after)
    };
    what_if.changes.iter().map(change).collect::<Vec<_>>().join(", ")
}

/// What stands beside a box: `tiger cat 83 %`, or `against tiger cat 83 %`.
fn tag(model: &Model, detection: &Detection) -> String {
    let against = if model.origin.speaks_against() { "against " } else { "" };
    format!("{against}{} {:.0} %", model.labels.name(detection.class_id), 100.0 * detection.score)
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
