//! Which value of a map counts as full heat: [`HeatScale`].

use std::time::Duration;

use crate::maps::ClassMap;

/// Seconds in which the scale closes 63 % of the distance to a higher peak.
const RISE_TIME: f32 = 0.5;
/// Seconds in which the scale closes 63 % of the distance to a lower peak.
const FALL_TIME: f32 = 2.0;
/// The scale grows at most by e^3, twentyfold, a second: 10.5 % from one frame to the next at 30 frames a second.
const RISE_LIMIT: f32 = 3.0;
/// The scale shrinks at most by e a second: 3.3 % from one frame to the next at 30 frames a second.
const FALL_LIMIT: f32 = 1.0;
/// A class unseen for so long is forgotten; its scale would have followed the new peak by now anyway.
const MEMORY: Duration = Duration::from_secs(10);

/// The value of a class's map that is drawn as full heat.
///
/// Raw maps have no fixed range, so heat is a map's value over a scale. Were the scale the brightest pixel of
/// each frame, the whole picture would flicker with that one pixel, and an empty scene would glow like a
/// full one. A [live](HeatScale::live) scale therefore *follows* the peak of its class, in ratios (that is,
/// in the logarithm), because peaks of two maps compare by factors:
///
/// - towards a higher peak with a time constant of 0.5 s, but never by more than a factor e^(3 dt);
/// - towards a lower peak with a time constant of 2 s, but never by more than a factor e^(dt);
/// - `dt` is the time since the class was last seen, taken from the frames and not from the clock, so a video
///   looks the same however fast it is worked through. The longer a class was away, the less its old scale
///   counts; after 10 s it is forgotten.
///
/// The first map of a class has no past: its own peak is the scale. Values below 0, NaN and infinities never
/// count as a peak. A [still](HeatScale::still) scale is each map's own peak, as papers show photos.
#[derive(Clone, Debug)]
pub struct HeatScale {
    follows: bool,
    classes: Vec<Followed>,
}

#[derive(Clone, Debug)]
struct Followed {
    class_id: usize,
    scale: f32,
    seen: Duration,
}

impl HeatScale {
    /// For a camera or a video: follows the peaks over time.
    pub fn live() -> HeatScale {
        HeatScale { follows: true, classes: Vec::new() }
    }

    /// For photos, each on its own: a map's own peak.
    pub fn still() -> HeatScale {
        HeatScale { follows: false, classes: Vec::new() }
    }

    /// Forgets the past: the next map of each class is the first.
    pub fn forget(&mut self) {
        self.classes.clear();
    }

    /// The value of `map` that is full heat at `time`, the frame's presentation time; > 0 and finite.
    ///
    /// `None` if the map holds nothing above 0, which is then no heat at all.
    pub fn follow(&mut self, map: &ClassMap, time: Duration) -> Option<f32> {
        let peak = peak(&map.values)?;
        if !self.follows {
            return Some(peak);
        }
        self.classes.retain(|class| time.saturating_sub(class.seen) < MEMORY);
        let Some(class) = self.classes.iter_mut().find(|class| class.class_id == map.class_id) else {
            self.classes.push(Followed { class_id: map.class_id, scale: peak, seen: time });
            return Some(peak);
        };
        // A source that starts over (a looped video) makes no step, and goes on from its new time.
        let dt = time.saturating_sub(class.seen).as_secs_f32();
        class.seen = time;
        class.scale = step(class.scale, peak, dt);
        Some(class.scale)
    }
}

/// The highest finite value above 0.
fn peak(values: &[f32]) -> Option<f32> {
    // Smaller than the smallest normal number is no signal, and would overflow when divided by.
    values.iter().copied().filter(|v| v.is_finite() && *v >= f32::MIN_POSITIVE).reduce(f32::max)
}

/// The scale `dt` seconds later, with the map's peak at `peak`.
fn step(scale: f32, peak: f32, dt: f32) -> f32 {
    let distance = peak.ln() - scale.ln();
    let (time, limit) = if distance > 0.0 { (RISE_TIME, RISE_LIMIT) } else { (FALL_TIME, FALL_LIMIT) };
    let step = distance * (1.0 - (-dt / time).exp());
    let next = scale * step.clamp(-limit * dt, limit * dt).exp();
    next.clamp(f32::MIN_POSITIVE, f32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: Duration = Duration::from_millis(33);

    fn map(class_id: usize, peak: f32) -> ClassMap {
        ClassMap {
            class_id,
            score: 0.5,
            height: 1,
            width: 3,
            values: vec![-1.0, peak, f32::NAN],
            bounds: None,
        }
    }

    /// Runs `frames` frames of one peak and returns the last scale and the time after them.
    fn run(scale: &mut HeatScale, peak: f32, mut time: Duration, frames: u32) -> (f32, Duration) {
        let mut last = 0.0;
        for _ in 0..frames {
            last = scale.follow(&map(7, peak), time).unwrap();
            time += FRAME;
        }
        (last, time)
    }

    proptest! {
        #[test]
        fn an_isolated_bright_or_dark_frame_hardly_changes_the_scale(factor in 1e-6f32..1e6) {
            let mut scale = HeatScale::live();
            let (steady, time) = run(&mut scale, 2.0, Duration::ZERO, 30);
            prop_assert!((steady - 2.0).abs() < 1e-5);
            let flash = scale.follow(&map(7, 2.0 * factor), time).unwrap();
            prop_assert!((0.96 * steady..1.11 * steady).contains(&flash), "{steady} became {flash}");
        }

        #[test]
        fn the_scale_is_always_a_number_to_divide_by(
            peaks in proptest::collection::vec(any::<f32>(), 1..40),
            times in proptest::collection::vec(0u64..1_000_000, 40),
        ) {
            let mut scale = HeatScale::live();
            for (peak, time) in peaks.into_iter().zip(times) {
                if let Some(scale) = scale.follow(&map(1, peak), Duration::from_millis(time)) {
                    prop_assert!(scale.is_finite() && scale > 0.0);
                }
            }
        }
    }

    #[test]
    fn a_lasting_change_is_followed_up_sooner_than_down() {
        let mut scale = HeatScale::live();
        let (_, time) = run(&mut scale, 1.0, Duration::ZERO, 30);
        let (up, time) = run(&mut scale, 4.0, time, 45);
        assert!(up > 3.5, "1.5 s after the rise: {up}");
        let (down, time) = run(&mut scale, 1.0, time, 45);
        assert!((1.5..2.6).contains(&down), "1.5 s after the fall: {down}");
        let (down, _) = run(&mut scale, 1.0, time, 300);
        assert!(down < 1.02, "12 s after the fall: {down}");
    }

    #[test]
    fn the_memory_of_a_vanished_class_fades() {
        let at_return = |gap_s: u64| {
            let mut scale = HeatScale::live();
            scale.follow(&map(7, 8.0), Duration::ZERO);
            scale.follow(&map(7, 1.0), Duration::from_secs(gap_s)).unwrap()
        };
        assert!(at_return(1) > 2.9);
        assert!(at_return(4) < 2.0);
        assert_eq!(at_return(11), 1.0);
    }

    #[test]
    fn classes_do_not_share_a_scale() {
        let mut scale = HeatScale::live();
        scale.follow(&map(1, 100.0), Duration::ZERO);
        assert_eq!(scale.follow(&map(2, 3.0), FRAME), Some(3.0));
    }

    #[test]
    fn a_video_that_starts_over_keeps_its_scale() {
        let mut scale = HeatScale::live();
        scale.follow(&map(7, 2.0), Duration::from_secs(60));
        assert_eq!(scale.follow(&map(7, 50.0), Duration::ZERO), Some(2.0));
        assert!(scale.follow(&map(7, 50.0), FRAME).unwrap() > 2.0);
    }

    #[test]
    fn a_still_scale_is_the_maps_own_peak() {
        let mut scale = HeatScale::still();
        assert_eq!(scale.follow(&map(7, 5.0), Duration::ZERO), Some(5.0));
        assert_eq!(scale.follow(&map(7, 0.1), Duration::ZERO), Some(0.1));
    }

    #[test]
    fn a_map_without_heat_has_no_scale() {
        for value in [0.0, -2.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(HeatScale::live().follow(&map(7, value), Duration::ZERO), None);
        }
    }
}
