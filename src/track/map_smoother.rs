//! Exponential smoothing of each class's map over time.

use std::time::Duration;

use crate::maps::ClassMap;

/// Time constant of a still scene's maps, in seconds.
///
/// Three DAVIS sequences: longer ones lag behind a running dog, shorter ones leave more for the boxes' filter.
const TIME_CONSTANT: f64 = 0.1;

/// Correlation with the smoothed map above which a map is smoothed fully: the noise of a camera before a still
/// scene leaves 0.99, a slowly swimming swan 0.98.
const STILL: f64 = 0.98;

/// Correlation below which a map is shown as it is: what is seen moves faster than smoothing could follow.
const MOVING: f64 = 0.9;

/// Correlation of the first map with every map before it below which the scene is another one. A running dog and a
/// drifting car stay above, from frame to frame and from each third frame to the next, however their class
/// changes; of two frames of different videos three in five lie below.
const CUT: f64 = 0.6;

/// Cells that are enough to tell how much two maps are alike.
const SAMPLES: usize = 1024;

/// Seconds after which a class that is not seen is forgotten.
const KEEP: f64 = 0.5;

/// Whether a frame goes on with the scene of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Continuity {
    /// The same scene, or nothing to tell by.
    Same,
    /// Another scene, or a clock that was set back: nothing known of the frames before is of use.
    Cut,
}

/// Smooths the maps of frame after frame; keeps its buffers.
#[derive(Debug, Default)]
pub(crate) struct MapSmoother {
    classes: Vec<Smoothed>,
    spare: Vec<Vec<f32>>,
    last: Duration,
}

/// The map of one class, smoothed over the frames so far.
#[derive(Debug)]
struct Smoothed {
    class_id: usize,
    /// Rows and columns.
    shape: (usize, usize),
    values: Vec<f32>,
    seen: Duration,
}

impl MapSmoother {
    /// Replaces the values of each map of a frame by the average of its class's maps of the last tenth of a second.
    ///
    /// A class that is new, that was away, or whose map changed much keeps its map as it is; so does a map with
    /// values that are not finite. `time` is the frame's presentation time: gaps count as the time that they are, and
    /// the same time again changes nothing.
    pub(crate) fn smooth(&mut self, maps: &mut [ClassMap], time: Duration) -> Continuity {
        let continuity = if self.is_cut(maps, time) { Continuity::Cut } else { Continuity::Same };
        if continuity == Continuity::Cut {
            self.forget();
        }
        self.last = time;
        let age = |seen: Duration| time.saturating_sub(seen).as_secs_f64();
        while let Some(old) = self.classes.iter().position(|known| age(known.seen) > KEEP) {
            self.spare.push(self.classes.swap_remove(old).values);
        }
        // Several maps of a detector may be of one class: which goes with which is not known here.
        for map in maps.iter_mut().filter(|map| map.bounds.is_none()) {
            let shape = (map.height, map.width);
            match self.classes.iter_mut().find(|known| known.class_id == map.class_id) {
                Some(known) if known.shape == shape => known.follow(map, age(known.seen)),
                Some(known) => known.take(map),
                None => {
                    let values = self.spare.pop().unwrap_or_default();
                    let mut new = Smoothed { class_id: map.class_id, shape, values, seen: time };
                    new.take(map);
                    self.classes.push(new);
                }
            }
            if let Some(known) = self.classes.iter_mut().find(|known| known.class_id == map.class_id) {
                known.seen = time;
            }
        }
        continuity
    }

    /// Forgets every map, as before another method or another scene.
    pub(crate) fn forget(&mut self) {
        self.spare.extend(self.classes.drain(..).map(|known| known.values));
    }

    /// Whether the clock was set back, or the first map resembles no map known of any class.
    fn is_cut(&self, maps: &[ClassMap], time: Duration) -> bool {
        let Some(first) = maps.first() else { return time < self.last };
        let alike = self.classes.iter().filter(|known| known.shape == (first.height, first.width));
        let nearest = alike.filter_map(|known| correlation(&known.values, &first.values)).reduce(f64::max);
        time < self.last || nearest.is_some_and(|nearest| nearest < CUT)
    }
}

impl Smoothed {
    /// Begins anew with a map.
    fn take(&mut self, map: &ClassMap) {
        self.shape = (map.height, map.width);
        self.values.clear();
        self.values.extend_from_slice(&map.values);
    }

    /// Moves on by `dt` seconds towards a map of the same shape, which becomes the smoothed one.
    fn follow(&mut self, map: &mut ClassMap, dt: f64) {
        // Without a correlation (a constant map, NaN, too few values) there is nothing to smooth.
        let alike = correlation(&self.values, &map.values).unwrap_or(0.0);
        let stillness = ((alike - MOVING) / (STILL - MOVING)).clamp(0.0, 1.0);
        if stillness == 0.0 {
            return self.take(map);
        }
        let share = 1.0 - (-dt / (TIME_CONSTANT * stillness)).exp();
        for (smoothed, value) in self.values.iter_mut().zip(&mut map.values) {
            let (before, now) = (f64::from(*smoothed), f64::from(*value));
            let next = (before + share * (now - before)) as f32;
            // What is not finite stays in its own frame.
            *smoothed = if next.is_finite() { next } else { *value };
            *value = *smoothed;
        }
    }
}

/// Pearson's correlation of two maps, -1..1, by evenly spread cells; `None` where one of them is constant, not finite
/// or of another size.
fn correlation(a: &[f32], b: &[f32]) -> Option<f64> {
    if a.len() != b.len() || a.is_empty() {
        return None;
    }
    let step = a.len().div_ceil(SAMPLES);
    let count = a.len().div_ceil(step) as f64;
    let mean = |values: &[f32]| values.iter().step_by(step).map(|&v| f64::from(v)).sum::<f64>() / count;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b).step_by(step) {
        let (a, b) = (f64::from(a) - mean_a, f64::from(b) - mean_b);
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    let correlation = ab / (aa.sqrt() * bb.sqrt());
    correlation.is_finite().then_some(correlation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(class_id: usize, values: &[f32]) -> ClassMap {
        ClassMap {
            class_id,
            score: 0.5,
            height: 1,
            width: values.len(),
            values: values.to_vec(),
            bounds: None,
        }
    }

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    const BASE: [f32; 6] = [0.0, 1.0, 4.0, 9.0, 3.0, -1.0];

    /// The base, a little brighter: perfectly correlated, so smoothed fully.
    fn brighter(by: f32) -> ClassMap {
        map(1, &BASE.map(|v| v + by))
    }

    fn smoothed(smoother: &mut MapSmoother, mut map: ClassMap, seconds: f64) -> Vec<f32> {
        smoother.smooth(std::slice::from_mut(&mut map), at(seconds));
        map.values
    }

    #[test]
    fn ten_and_sixty_frames_a_second_look_alike() {
        let after = |fps: usize| {
            let mut smoother = MapSmoother::default();
            smoothed(&mut smoother, brighter(0.0), 0.0);
            let frames = (1..=fps / 5).map(|i| i as f64 / fps as f64);
            frames.map(|t| smoothed(&mut smoother, brighter(1.0), t)).last().unwrap()[0]
        };
        assert!((after(10) - after(60)).abs() < 1e-3, "{} and {}", after(10), after(60));
        // Two time constants.
        assert!((after(60) - 0.865).abs() < 1e-3, "{}", after(60));
    }

    #[test]
    fn a_frame_after_a_gap_counts_as_the_time_that_passed() {
        let mut smoother = MapSmoother::default();
        smoothed(&mut smoother, brighter(0.0), 0.0);
        let value = smoothed(&mut smoother, brighter(1.0), 0.3)[0];
        assert!((value - 0.950).abs() < 1e-3, "{value}");
        assert_eq!(smoothed(&mut smoother, brighter(5.0), 1.0), brighter(5.0).values, "forgotten");
    }

    #[test]
    fn a_map_that_moved_is_followed_at_once() {
        let mut smoother = MapSmoother::default();
        smoothed(&mut smoother, map(1, &[0.0, 8.0, 2.0, 0.0, 1.0]), 0.0);
        let moved = [0.0, 7.0, 6.0, 0.0, 1.0];
        assert_eq!(smoothed(&mut smoother, map(1, &moved), 0.04), moved);
    }

    #[test]
    fn each_class_has_a_history_of_its_own() {
        let mut smoother = MapSmoother::default();
        let mut first = [map(1, &BASE), map(2, &BASE.map(|v| 10.0 - v))];
        smoother.smooth(&mut first, at(0.0));
        let mut second = [map(2, &BASE.map(|v| 10.5 - v)), map(1, &BASE.map(|v| v + 0.5))];
        smoother.smooth(&mut second, at(0.1));
        let step = 0.5 * 0.632;
        assert!((second[0].values[0] - (10.0 + step)).abs() < 1e-3, "{:?}", second[0]);
        assert!((second[1].values[0] - step).abs() < 1e-3, "{:?}", second[1]);
    }

    #[test]
    fn another_scene_and_a_clock_set_back_are_cuts_another_class_of_the_same_place_is_none() {
        let mut smoother = MapSmoother::default();
        let mut next =
            |class_id, values: &[f32], seconds| smoother.smooth(&mut [map(class_id, values)], at(seconds));
        assert_eq!(next(1, &BASE, 1.0), Continuity::Same);
        assert_eq!(next(2, &BASE, 1.1), Continuity::Same);
        let elsewhere = [5.0, 0.0, 0.0, 0.0, 1.0, 8.0];
        assert_eq!(next(2, &elsewhere, 1.2), Continuity::Cut);
        assert_eq!(next(2, &elsewhere, 1.3), Continuity::Same);
        assert_eq!(next(2, &elsewhere, 0.2), Continuity::Cut);
        assert_eq!(next(2, &[f32::NAN; 6], 0.3), Continuity::Same);
    }

    #[test]
    fn one_bad_value_in_a_large_map_is_gone_with_its_frame() {
        let large = map(1, &(0..5000).map(|i| (i as f32 / 700.0).sin()).collect::<Vec<_>>());
        let mut bad = large.clone();
        bad.values[1234] = f32::NAN;
        let mut smoother = MapSmoother::default();
        smoothed(&mut smoother, large.clone(), 0.0);
        let shown = smoothed(&mut smoother, bad, 0.04);
        assert!(shown[1234].is_nan() && shown.iter().filter(|v| v.is_nan()).count() == 1);
        assert_eq!(smoothed(&mut smoother, large.clone(), 0.08), large.values);
    }

    proptest! {
        #[test]
        fn what_is_smoothed_stays_between_what_was_seen(
            frames in prop::collection::vec((prop::array::uniform4(-1e30f32..1e30), 0.0..0.2f64), 1..20)
        ) {
            let mut smoother = MapSmoother::default();
            let (mut least, mut greatest) = ([f32::INFINITY; 4], [f32::NEG_INFINITY; 4]);
            let mut time = 0.0;
            for (values, dt) in frames {
                time += dt;
                let shown = smoothed(&mut smoother, map(3, &values), time);
                for i in 0..4 {
                    (least[i], greatest[i]) = (least[i].min(values[i]), greatest[i].max(values[i]));
                    prop_assert!((least[i]..=greatest[i]).contains(&shown[i]));
                }
            }
        }

        #[test]
        fn no_map_and_no_clock_can_break_it(
            frames in prop::collection::vec(
                (prop::collection::vec((0usize..3, 0usize..4, prop::collection::vec(prop::num::f32::ANY, 0..9)), 0..4), 0u64..3000),
                0..20,
            )
        ) {
            let mut smoother = MapSmoother::default();
            for (maps, millis) in frames {
                let mut maps: Vec<ClassMap> = maps
                    .into_iter()
                    .map(|(class_id, height, values)| ClassMap { class_id, score: f32::NAN, height, width: 3, values, bounds: None })
                    .collect();
                smoother.smooth(&mut maps, Duration::from_millis(millis));
            }
            // What came before does no harm to what comes after.
            prop_assert_eq!(smoothed(&mut smoother, map(0, &BASE), 100.0), BASE);
        }
    }
}
