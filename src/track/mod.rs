//! What frames that follow each other have in common: maps that don't flicker, boxes with an identity, and labels
//! by the majority of the last second.
//!
//! [`MapSmoother`] comes before localisation, [`Tracker`] after it, [`Tracking`] is both. They measure time in
//! seconds, never in frames, so that ten frames a second and sixty look alike. Photos have nothing to do with each
//! other and pass neither.

mod assignment;
mod cut;
mod geometry;
mod map_smoother;
mod motion;
mod tracker;
mod votes;

use std::time::Duration;

pub(crate) use map_smoother::{Continuity, MapSmoother};
pub(crate) use tracker::Tracker;

use crate::frame::Picture;
use crate::localize::Detection;
use crate::maps::ClassMap;

/// Both halves, which a cut resets together.
pub(crate) struct Tracking {
    cuts: cut::CutDetector,
    smoother: MapSmoother,
    tracker: Tracker,
}

impl Tracking {
    /// Nothing seen yet; `look_alikes` as in [`Tracker::new`].
    pub(crate) fn new(look_alikes: bool) -> Tracking {
        Tracking {
            cuts: cut::CutDetector::default(),
            smoother: MapSmoother::default(),
            tracker: Tracker::new(look_alikes),
        }
    }

    /// Smooths the maps of a frame at `time`, as [`MapSmoother::smooth`] says. Maps and boxes end with their scene, be it
    /// that the `picture` or that the maps have nothing in common with those before.
    pub(crate) fn smooth(&mut self, picture: &Picture, maps: &mut [ClassMap], time: Duration) {
        if self.cuts.is_cut(picture) {
            self.forget();
        }
        if self.smoother.smooth(maps, time) == Continuity::Cut {
            self.tracker.forget();
        }
    }

    /// Follows the detections in those maps, as [`Tracker::follow`] says.
    pub(crate) fn follow(&mut self, detections: &mut [Detection], frame: (u32, u32), time: Duration) {
        self.tracker.follow(detections, frame, time);
    }

    /// Forgets maps and boxes, as before maps made by another method.
    pub(crate) fn forget(&mut self) {
        self.smoother.forget();
        self.tracker.forget();
    }

    /// Forgets the boxes, as before those of another class.
    pub(crate) fn forget_boxes(&mut self) {
        self.tracker.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::localize::Localizer;
    use crate::view::View;

    const FRAME: (u32, u32) = (700, 700);

    /// Maps of 7 x 7 cells with one hot block.
    fn hot(class_id: usize, x: usize, y: usize, side: usize) -> Vec<ClassMap> {
        let inside = |cell: usize| (x..x + side).contains(&(cell % 7)) && (y..y + side).contains(&(cell / 7));
        let values = (0..49).map(|cell| if inside(cell) { 5.0 } else { 0.2 }).collect();
        vec![ClassMap { class_id, score: 0.6, height: 7, width: 7, values, bounds: None }]
    }

    /// The one box in the maps of a frame.
    fn found(tracking: &mut Tracking, maps: &mut [ClassMap], seconds: f64) -> Detection {
        let (time, mut detections) = (Duration::from_secs_f64(seconds), Vec::new());
        tracking.smooth(&Picture::black(8, 8), maps, time);
        Localizer::default().locate(maps, View::whole(FRAME.0, FRAME.1), FRAME, &mut detections);
        tracking.follow(&mut detections, FRAME, time);
        detections.swap_remove(0)
    }

    #[test]
    fn a_cut_ends_tracks_even_where_boxes_overlap() {
        let mut tracking = Tracking::new(true);
        let before = found(&mut tracking, &mut hot(1, 1, 1, 4), 0.0);
        assert_eq!(found(&mut tracking, &mut hot(1, 1, 1, 4), 0.04), before);
        let after = found(&mut tracking, &mut hot(1, 3, 3, 2), 0.08);
        let alone = found(&mut Tracking::new(true), &mut hot(1, 3, 3, 2), 0.0);
        assert_eq!((after.track, after.bbox), (Some(2), alone.bbox));
    }

    #[test]
    fn a_cut_to_a_picture_with_the_same_map_ends_tracks_too() {
        let grey = |level: u8| Picture::from_rgb(8, 8, vec![level; 3 * 64]).unwrap();
        let mut tracking = Tracking::new(true);
        let mut track = |level: u8, class: usize, seconds: f64| {
            let (time, mut found) = (Duration::from_secs_f64(seconds), Vec::new());
            let maps = &mut hot(class, 1, 1, 4);
            tracking.smooth(&grey(level), maps, time);
            Localizer::default().locate(maps, View::whole(FRAME.0, FRAME.1), FRAME, &mut found);
            tracking.follow(&mut found, FRAME, time);
            (found[0].class_id, found[0].track)
        };
        assert_eq!(track(40, 1, 0.0), (1, Some(1)));
        assert_eq!(track(45, 2, 0.04), (1, Some(1)), "look-alikes are one object");
        assert_eq!(track(200, 2, 0.08), (2, Some(2)), "of another scene it is another");
    }

    #[test]
    fn the_same_frame_again_changes_nothing() {
        let mut tracking = Tracking::new(true);
        found(&mut tracking, &mut hot(1, 1, 1, 4), 0.0);
        let mut maps = hot(1, 1, 1, 4);
        maps[0].values[24] += 0.5;
        let first = found(&mut tracking, &mut maps, 0.04);
        let smoothed = maps.clone();
        for _ in 0..3 {
            assert_eq!(found(&mut tracking, &mut maps, 0.04), first);
            assert_eq!(maps, smoothed);
        }
    }
}
