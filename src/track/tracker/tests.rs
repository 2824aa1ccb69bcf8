use proptest::prelude::*;

use super::*;
use crate::localize::iou;

const FRAME: (u32, u32) = (1000, 800);
const CAT: usize = 281;
const DOG: usize = 207;

/// A box by its centre and size.
fn found(class_id: usize, x: f64, y: f64, width: f64, height: f64) -> Detection {
    let bbox = bounding_box([x, y, width, height], FRAME);
    let peak = (bbox.x0, bbox.y0);
    Detection { class_id, score: 0.5, bbox, peak, outline: vec![], area: 1.0, track: None }
}

/// What a tracker makes of the detections of a frame at `seconds`.
fn follow(tracker: &mut Tracker, seconds: f64, detections: &[Detection]) -> Vec<Detection> {
    let mut detections = detections.to_vec();
    tracker.follow(&mut detections, FRAME, Duration::from_secs_f64(seconds));
    detections
}

fn ids(detections: &[Detection]) -> Vec<u64> {
    detections.iter().map(|detection| detection.track.unwrap()).collect()
}

/// Deterministic noise, -1..1 and evenly spread.
fn noise(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*seed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Mean step of a box's measures from frame to frame, in pixels.
fn unrest(boxes: &[BoundingBox]) -> f64 {
    let step = |pair: &[BoundingBox]| {
        let (a, b) = (measures(&pair[0]), measures(&pair[1]));
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    };
    boxes.windows(2).map(step).sum::<f64>() / (boxes.len() - 1) as f64
}

#[test]
fn a_noisy_box_on_a_still_scene_holds_still() {
    let (mut tracker, mut seed) = (Tracker::new(true), 1);
    let (mut seen, mut shown) = (Vec::new(), Vec::new());
    for i in 0..240 {
        let mut shake = || 12.0 * noise(&mut seed);
        let frame = [found(CAT, 500.0 + shake(), 400.0 + shake(), 300.0 + shake(), 200.0 + shake())];
        seen.push(frame[0].bbox);
        shown.push(follow(&mut tracker, f64::from(i) / 24.0, &frame)[0].bbox);
    }
    let (before, after) = (unrest(&seen[24..]), unrest(&shown[24..]));
    assert!(before > 15.0 && after < 0.8, "{before} px became {after} px a frame");
    let truth = found(CAT, 500.0, 400.0, 300.0, 200.0).bbox;
    let worst = shown[24..].iter().map(|bbox| iou(bbox, &truth)).fold(1.0, f32::min);
    assert!(worst > 0.9, "an overlap of {worst}");
}

/// How far the box lags behind one that starts to move by its own width in a second, in seconds: at most, and in the
/// end.
fn lag(fps: u32) -> (f64, f64) {
    let mut tracker = Tracker::new(true);
    let mut lags = Vec::new();
    for i in 0..4 * fps {
        let seconds = f64::from(i) / f64::from(fps);
        let x = 200.0 + 150.0 * (seconds - 1.0).max(0.0);
        let shown = follow(&mut tracker, seconds, &[found(CAT, x, 400.0, 150.0, 150.0)]);
        lags.push((x - measures(&shown[0].bbox)[0]) / 150.0);
        assert_eq!(shown[0].track, Some(1));
    }
    (lags.iter().copied().fold(0.0, f64::max), *lags.last().unwrap())
}

#[test]
fn a_moving_box_is_followed_with_little_lag_at_any_frame_rate() {
    for fps in [10, 24, 60] {
        let (most, last) = lag(fps);
        assert!(most < 0.1 && last.abs() < 0.01, "{most} s and {last} s at {fps} frames a second");
    }
    assert!((lag(10).0 - lag(60).0).abs() < 0.04, "{:?} {:?}", lag(10), lag(60));
}

#[test]
fn stillness_does_not_depend_on_the_frame_rate() {
    let spread = |fps: u32| {
        let (mut tracker, mut seed) = (Tracker::new(true), 7);
        let mut error = Vec::new();
        for i in 0..20 * fps {
            // A wobble of a quarter of a second, as the frames of one moment see the same.
            if i % (fps / 4) == 0 {
                seed += 1;
            }
            let x = 500.0 + 15.0 * noise(&mut seed.clone());
            let shown =
                follow(&mut tracker, f64::from(i) / f64::from(fps), &[found(CAT, x, 400.0, 200.0, 200.0)]);
            error.push((measures(&shown[0].bbox)[0] - 500.0).abs());
        }
        error.iter().sum::<f64>() / error.len() as f64
    };
    let (slow, fast) = (spread(12), spread(60));
    assert!((slow / fast - 1.0).abs() < 0.2, "{slow} px and {fast} px");
}

#[test]
fn an_object_that_leaves_for_a_moment_comes_back_as_itself_and_one_that_was_away_longer_is_new() {
    let mut tracker = Tracker::new(true);
    let cat = [found(CAT, 500.0, 400.0, 200.0, 200.0)];
    for i in 0..10 {
        assert_eq!(ids(&follow(&mut tracker, f64::from(i) / 10.0, &cat)), [1]);
        assert!(follow(&mut tracker, f64::from(i) / 10.0 + 0.05, &[]).is_empty());
    }
    assert_eq!(ids(&follow(&mut tracker, 1.8, &cat)), [1]);
    assert!(follow(&mut tracker, 2.5, &[]).is_empty());
    assert_eq!(ids(&follow(&mut tracker, 2.9, &cat)), [2]);
}

#[test]
fn two_objects_that_cross_keep_their_numbers() {
    let mut tracker = Tracker::new(true);
    for i in 0..=48 {
        let t = f64::from(i) / 24.0;
        let right = found(CAT, 250.0 + 250.0 * t, 350.0, 160.0, 160.0);
        let left = found(CAT, 750.0 - 250.0 * t, 420.0, 160.0, 160.0);
        // The order of a frame's boxes says nothing.
        let mut frame = [right.clone(), left.clone()];
        if i % 2 == 1 {
            frame.reverse();
        }
        let shown = follow(&mut tracker, t, &frame);
        let of = |id| shown.iter().find(|shown| shown.track == Some(id)).unwrap().bbox;
        assert!(iou(&of(1), &right.bbox) > 0.6 && iou(&of(2), &left.bbox) > 0.6, "at {t} s");
    }
}

#[test]
fn look_alikes_are_one_object_under_one_label() {
    let mut tracker = Tracker::new(true);
    for i in 0..48 {
        let class_id = if i % 2 == 1 { CAT + 1 } else { CAT };
        let shown = follow(&mut tracker, f64::from(i) / 24.0, &[found(class_id, 500.0, 400.0, 200.0, 200.0)]);
        assert_eq!((shown[0].class_id, shown[0].track), (CAT, Some(1)));
    }
}

#[test]
fn classes_that_were_asked_for_never_change_into_each_other() {
    let mut tracker = Tracker::new(false);
    let place = |class_id| found(class_id, 500.0, 400.0, 200.0, 200.0);
    assert_eq!(ids(&follow(&mut tracker, 0.0, &[place(CAT), place(DOG)])), [1, 2]);
    let shown = follow(&mut tracker, 0.1, &[place(DOG)]);
    assert_eq!((shown[0].class_id, shown[0].track), (DOG, Some(2)));
    assert_eq!(ids(&follow(&mut tracker, 0.2, &[place(DOG + 1)])), [3]);
}

#[test]
fn each_stays_in_its_place_with_its_mean_probability() {
    let mut tracker = Tracker::new(true);
    let cat = Detection { score: 0.9, ..found(CAT, 200.0, 400.0, 200.0, 200.0) };
    let dog = Detection { score: 0.3, ..found(DOG, 700.0, 400.0, 200.0, 200.0) };
    follow(&mut tracker, 0.0, &[cat.clone(), dog.clone()]);
    let doubt = Detection { score: 0.35, ..cat };
    let sure = Detection { score: 0.4, ..dog };
    let shown = follow(&mut tracker, 0.1, &[sure, doubt]);
    assert_eq!([shown[0].class_id, shown[1].class_id], [DOG, CAT]);
    assert!(shown[0].score < shown[1].score, "the mean counts");
}

#[test]
fn the_same_frame_again_moves_nothing_and_another_look_shows_at_once() {
    let mut tracker = Tracker::new(true);
    let first = [found(CAT, 500.0, 400.0, 200.0, 200.0)];
    let next = [found(CAT, 530.0, 400.0, 200.0, 200.0)];
    follow(&mut tracker, 0.0, &first);
    let shown = follow(&mut tracker, 0.1, &next);
    assert_ne!(shown[0].bbox, next[0].bbox, "smoothed");
    for _ in 0..5 {
        assert_eq!(follow(&mut tracker, 0.1, &next), shown);
    }
    let higher_threshold = [found(CAT, 520.0, 410.0, 120.0, 90.0)];
    let again = follow(&mut tracker, 0.1, &higher_threshold);
    assert_eq!((again[0].bbox, again[0].track), (higher_threshold[0].bbox, Some(1)));
}

#[test]
fn a_clock_set_back_another_size_and_a_cut_begin_anew() {
    let mut tracker = Tracker::new(true);
    let cat = [found(CAT, 300.0, 300.0, 200.0, 200.0)];
    assert_eq!(ids(&follow(&mut tracker, 5.0, &cat)), [1]);
    assert_eq!(ids(&follow(&mut tracker, 4.9, &cat)), [2]);
    let mut smaller = cat.to_vec();
    tracker.follow(&mut smaller, (640, 480), Duration::from_secs(5));
    assert_eq!(ids(&smaller), [3]);
    tracker.forget();
    let shown = follow(&mut tracker, 5.1, &cat);
    assert_eq!(
        (ids(&shown), shown[0].bbox),
        (vec![4], cat[0].bbox),
        "where it is seen, not on the way there"
    );
}

proptest! {
    #[test]
    fn whatever_comes_boxes_lie_in_the_frame_and_numbers_are_unique(
        frames in prop::collection::vec(
            (
                prop::collection::vec(
                    ((0usize..3), prop::num::f32::ANY, -200.0..1200.0f64, -200.0..1000.0f64, 0.0..1500.0f64, 0.0..1500.0f64),
                    0..6,
                ),
                0u64..100_000,
            ),
            0..30,
        ),
        look_alikes: bool,
    ) {
        let mut tracker = Tracker::new(look_alikes);
        for (boxes, millis) in frames {
            let boxes: Vec<Detection> = boxes
                .into_iter()
                .map(|(class_id, score, x, y, width, height)| Detection { score, ..found(class_id, x, y, width, height) })
                .collect();
            let shown = follow(&mut tracker, millis as f64 / 1e3, &boxes);
            for detection in &shown {
                let bbox = detection.bbox;
                prop_assert!(bbox.x0 < bbox.x1 && bbox.x1 <= FRAME.0 && bbox.y0 < bbox.y1 && bbox.y1 <= FRAME.1);
                let (x, y) = detection.peak;
                prop_assert!(bbox.x0 <= x && x < bbox.x1 && bbox.y0 <= y && y < bbox.y1);
                prop_assert!(detection.score.is_finite());
            }
            let mut numbers = ids(&shown);
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert_eq!(numbers.len(), boxes.len());
        }
    }
}
