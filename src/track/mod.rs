//! What frames that follow each other have in common: maps that don't flicker, boxes with an identity, and labels
//! by the majority of the last second.
//!
//! [`MapSmoother`] comes before localisation, [`Tracker`] after it, [`Tracking`] is both. They measure time in
//! seconds, never in frames, so that ten frames a second and sixty look alike. Photos have nothing to do with each
//! other and pass neither.

mod assignment;
mod geometry;
mod map_smoother;
mod motion;
mod tracker;
mod votes;

use std::time::Duration;

pub use map_smoother::{Continuity, MapSmoother};
pub use tracker::Tracker;
pub use votes::Votes;

use crate::localize::Detection;
use crate::maps::ClassMap;

/// Both halves, which a cut resets together.
#[derive(Debug)]
pub struct Tracking {
    smoother: MapSmoother,
    tracker: Tracker,
}

impl Tracking {
    /// Nothing seen yet; `look_alikes` as in [`Tracker::new`].
    pub fn new(look_alikes: bool) -> Tracking {
        Tracking { smoother: MapSmoother::default(), tracker: Tracker::new(look_alikes) }
    }

    /// Smooths the maps of the frame at `time`, once a frame.
    pub fn smooth(&mut self, maps: &mut [ClassMap], time: Duration) {
        if self.smoother.smooth(maps, time) == Continuity::Cut {
            self.tracker.forget();
        }
    }

    /// Follows the detections in those maps, as [`Tracker::follow`] says.
    pub fn follow(&mut self, detections: &mut [Detection], frame: (u32, u32), time: Duration) {
        self.tracker.follow(detections, frame, time);
    }

    /// Forgets maps and boxes, as before maps made by another method.
    pub fn forget(&mut self) {
        self.smoother.forget();
        self.tracker.forget();
    }

    /// Forgets the boxes, as before those of another class.
    pub fn forget_boxes(&mut self) {
        self.tracker.forget();
    }
}
