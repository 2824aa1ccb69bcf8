//! Which box is the one of the frame before, and where it is now.

use std::time::Duration;

use super::assignment::{assign, fit};
use super::geometry::{bounding_box, carry, measures};
use super::motion::Motion;
use super::votes::Votes;
use crate::localize::{BoundingBox, Detection};

/// Seconds that a track lives on without a box: as long as its votes count.
const KEEP: f64 = 1.0;

/// Follows boxes from frame to frame; keeps its buffers.
#[derive(Debug)]
pub(crate) struct Tracker {
    look_alikes: bool,
    tracks: Vec<Track>,
    /// How many tracks there were.
    born: u64,
    frame: (u32, u32),
    last: Duration,
    expected: Vec<BoundingBox>,
    pairs: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Track {
    id: u64,
    motion: Motion,
    votes: Votes,
    /// When it had its last box, and which.
    seen: Duration,
    found: BoundingBox,
}

impl Tracker {
    /// Nothing seen yet. With `look_alikes`, boxes of two classes in one place are one object, whose class is the
    /// one with most votes; without, as for classes that the user asked for by name, each class is followed alone.
    pub(crate) fn new(look_alikes: bool) -> Tracker {
        Tracker {
            look_alikes,
            tracks: Vec::new(),
            born: 0,
            frame: (0, 0),
            last: Duration::ZERO,
            expected: Vec::new(),
            pairs: Vec::new(),
        }
    }

    /// Gives each detection of the frame at `time` its track, and with it the track's smoothed box, its class by
    /// [`Votes`] and that class's probability; each stays in its place. `frame` is the frame's width and height in
    /// pixels.
    ///
    /// A track ends when it had no box for a second. Numbers count from 1 and no number comes back. The same time
    /// again is the same frame in another look (another threshold): boxes that changed are taken as they are, and
    /// nothing moves on. A time before the last one, and frames of another size, begin anew.
    pub(crate) fn follow(&mut self, detections: &mut [Detection], frame: (u32, u32), time: Duration) {
        if time < self.last || frame != self.frame {
            self.forget();
        }
        (self.last, self.frame) = (time, frame);
        self.tracks.retain(|track| track.away(time) <= KEEP);
        self.match_tracks(detections, time);
        for (i, detection) in detections.iter_mut().enumerate() {
            let track = match self.pairs[i] {
                Some(known) => {
                    self.tracks[known].see(detection, time);
                    &self.tracks[known]
                }
                None => {
                    self.born += 1;
                    self.tracks.push(Track::new(self.born, detection, time));
                    &self.tracks[self.tracks.len() - 1]
                }
            };
            detection.track = Some(track.id);
            if let Some((class_id, score)) = track.votes.winner() {
                (detection.class_id, detection.score) = (class_id, score);
            }
            carry(detection, bounding_box(track.motion.shown(), frame));
        }
    }

    /// Ends every track, as at a cut.
    pub(crate) fn forget(&mut self) {
        self.tracks.clear();
    }

    /// Finds the track of each detection by where it is expected at `time`.
    fn match_tracks(&mut self, detections: &[Detection], time: Duration) {
        let Tracker { tracks, expected, pairs, frame, look_alikes, .. } = self;
        expected.clear();
        expected.extend(tracks.iter().map(|track| {
            let away = track.away(time);
            // In the same frame, what was found before it was smoothed.
            if away > 0.0 { bounding_box(track.motion.after(away), *frame) } else { track.found }
        }));
        assign(tracks.len(), detections.len(), pairs, |track, found| {
            let detection = &detections[found];
            let same_class = tracks[track].votes.has(detection.class_id);
            if same_class || *look_alikes { fit(&expected[track], &detection.bbox, same_class) } else { 0 }
        });
    }
}

impl Track {
    fn new(id: u64, first: &Detection, time: Duration) -> Track {
        let mut votes = Votes::default();
        votes.add(first.class_id, first.score, time);
        Track { id, motion: Motion::new(measures(&first.bbox)), votes, seen: time, found: first.bbox }
    }

    /// Seconds since its last box.
    fn away(&self, time: Duration) -> f64 {
        time.saturating_sub(self.seen).as_secs_f64()
    }

    /// Goes on with a detection.
    fn see(&mut self, detection: &Detection, time: Duration) {
        let (away, seen) = (self.away(time), measures(&detection.bbox));
        if away > 0.0 {
            self.motion.follow(seen, away);
            self.votes.add(detection.class_id, detection.score, time);
        } else if detection.bbox != self.found {
            self.motion = Motion::new(seen);
        }
        (self.seen, self.found) = (time, detection.bbox);
    }
}

#[cfg(test)]
mod tests;
