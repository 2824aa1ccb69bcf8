//! The stage that makes boxes and pictures of maps.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, never, select};

use super::controls::Look;
use super::incoming::Asked;
use super::playback::{Playback, Step};
use super::stages::{Drawn, Explained, Model};
use super::{Controls, Stage, Stats};
use crate::explainer::explanation::mark;
use crate::files::Stop;
use crate::frame::{Picture, PicturePool};
use crate::localize::{Detection, Localizer, Segmentation, Segmenter};
use crate::maps::{Change, ClassMap, WhatIf};
use crate::model::Labels;
use crate::render::{Mark, Renderer, Scene, Style};
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
    /// Where other maps of a paused frame are asked for.
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
        let mut playback = Playback::default();
        loop {
            let ask = |frame| self.to_refine.try_send(Asked { stream: self.stream, frame }).is_ok();
            let mut step = playback.follow(&self.controls.look(), ask);
            if step == Step::Wait {
                step = select! {
                    recv(if playback.takes_frames() { &explained } else { &nothing }) -> next => match next {
                        Ok(next) => playback.take(next),
                        Err(_) => playback.end(),
                    },
                    recv(changes) -> _ => playback.look_again(),
                    default(LOOK) => if stop.is_stopped() { playback.stop() } else { Step::Wait },
                };
            }
            let listened = match (step, playback.current()) {
                (Step::Draw { again }, Some(frame)) => to_show.send(self.draw(frame, again, stats)).is_ok(),
                (Step::End, _) => false,
                _ => true,
            };
            if !listened {
                break;
            }
        }
    }

    /// The frame as it is to be shown: `again` if it was shown before, in another look.
    fn draw(&mut self, item: &mut Explained, again: bool, stats: &Stats) -> Drawn {
        let look = self.controls.look();
        self.follow_look(&item.model, look.rank);
        let mut detections = Vec::new();
        let mut segmentation = self.segmenter.is_some().then(|| spare(&mut self.segmentations));
        let pixels = segmentation.as_mut().and_then(Arc::get_mut);
        let maps = stats.time(Stage::Localize, || self.locate(item, &look, &mut detections, pixels));
        let maps = &item.maps[maps];
        let overlay = self.renderer.as_mut().map(|renderer| {
            stats.time(Stage::Render, || {
                let (width, height) = item.frame.picture.size();
                let mut picture = self.pool.picture(width, height);
                let captioned = self.captioned;
                paint(renderer, &look.style, item, maps, &detections, captioned, &mut picture);
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

    /// Boxes of the classes shown, and their pixels if they are wanted. Returns which maps those classes have.
    fn locate(
        &mut self,
        item: &mut Explained,
        look: &Look,
        detections: &mut Vec<Detection>,
        mut pixels: Option<&mut Segmentation>,
    ) -> Range<usize> {
        let (picture, time) = (&item.frame.picture, item.frame.time);
        // Other maps of a paused frame are no new moment.
        let mut tracking = self.tracking.as_mut().filter(|_| !item.again);
        // The same frame in another look has the same time, which is no new moment either.
        if let Some(tracking) = &mut tracking {
            tracking.smooth(picture, &mut item.maps, time);
        }
        let count = item.maps.len();
        let shown = match look.rank {
            Some(rank) => rank.min(count)..(rank + 1).min(count),
            None => 0..self.top_k.min(count),
        };
        let maps = &item.maps[shown.clone()];
        self.localizer.settings.threshold = look.threshold;
        self.localizer.locate(maps, item.view, picture.size(), detections);
        if let (Some(segmenter), Some(pixels)) = (&mut self.segmenter, &mut pixels) {
            segmenter.segment(maps, &self.localizer.settings, detections, item.view, picture, pixels);
        }
        if let Some(tracking) = tracking {
            tracking.follow(detections, picture.size(), time);
            if let Some(pixels) = pixels {
                pixels.rename(detections);
            }
            // Following changes what is how probable, and the surest comes first.
            detections.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        shown
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

/// Draws the heat of the maps shown, boxes and what stands beside them over the frame.
fn paint(
    renderer: &mut Renderer,
    style: &Style,
    item: &Explained,
    maps: &[ClassMap],
    detections: &[Detection],
    captioned: bool,
    picture: &mut Picture,
) {
    let tags: Vec<String> = detections.iter().map(|d| tag(&item.model, d)).collect();
    let marks: Vec<Mark> = detections.iter().zip(&tags).map(|(d, tag)| mark(d, tag, maps)).collect();
    let heat: Vec<&ClassMap> = maps.iter().collect();
    let frame = &item.frame;
    let scene =
        Scene { source: &frame.picture, view: item.view, heat: &heat, marks: &marks, time: frame.time };
    if item.again {
        // What few questions made of the frame says nothing of how hot many make it.
        renderer.forget_heat();
    }
    renderer.draw(&scene, style, picture);
    if let Some(what_if) = item.what_if.as_ref().filter(|_| captioned) {
        renderer.caption("without it", &in_words(&item.model.labels, what_if), picture);
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
pub(super) fn in_words(labels: &Labels, what_if: &WhatIf) -> String {
    let change = |change: &Change| {
        format!("{} {:.2} → {:.2}", labels.name(change.class_id), change.before, change.after)
    };
    what_if.changes.iter().map(change).collect::<Vec<_>>().join(", ")
}

/// What stands beside a box.
fn tag(model: &Model, detection: &Detection) -> String {
    model.origin.tag(&model.labels.name(detection.class_id), detection.score)
}
