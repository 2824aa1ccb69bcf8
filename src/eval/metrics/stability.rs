//! How much a box shakes from frame to frame, against how much the object itself moves.

use super::Rect;

/// How steady the boxes of one sequence are.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Stability {
    /// Mean change of the predicted box from frame to frame, in diagonals of the true box.
    pub predicted: f64,
    /// Mean change of the true box over the same frames, in the same unit.
    pub truth: f64,
    /// The jitter: `predicted / truth`. 1.0 is as steady as the truth; `None` where the truth holds still.
    pub jitter: Option<f64>,
    /// Share of frames with a true box that have no predicted box, 0..1.
    pub missing: f64,
}

/// The stability of one sequence; the boxes of frame `i` are `predicted[i]` and `truth[i]`.
///
/// The change between two neighbouring frames is the length of the difference of (centre x, centre y, width,
/// height), divided by the diagonal of the *true* box in the later one, so that a box does not get steadier by
/// being larger. Pairs of frames count where both have a true box. A predicted box that comes or goes between
/// them counts as a change of one diagonal, more than a box that stays on its object ever changes; a pair
/// without any predicted box says nothing of steadiness and is left out, but its frames count as `missing`.
/// `None` where no two neighbouring frames have a true box.
pub(crate) fn stability(predicted: &[Option<Rect>], truth: &[Option<Rect>]) -> Option<Stability> {
    let (mut with_truth, mut pairs, mut sum_predicted, mut sum_truth) = (0_u32, 0_u32, 0.0, 0.0);
    for (p, t) in predicted.windows(2).zip(truth.windows(2)) {
        let (Some(before), Some(now)) = (&t[0], &t[1]) else { continue };
        let diagonal = now.diagonal();
        with_truth += 1;
        let moved = match (&p[0], &p[1]) {
            (Some(before), Some(now)) => change(before, now) / diagonal,
            (None, None) => continue,
            _ => 1.0,
        };
        if diagonal > 0.0 {
            pairs += 1;
            sum_predicted += moved;
            sum_truth += change(before, now) / diagonal;
        }
    }
    let mean = |sum: f64| sum / f64::from(pairs.max(1));
    (with_truth > 0).then(|| Stability {
        predicted: mean(sum_predicted),
        truth: mean(sum_truth),
        jitter: (sum_truth > 0.0).then(|| sum_predicted / sum_truth),
        missing: missing(predicted, truth),
    })
}

fn missing(predicted: &[Option<Rect>], truth: &[Option<Rect>]) -> f64 {
    let with_truth = predicted.iter().zip(truth).filter(|(_, truth)| truth.is_some());
    let missing = with_truth.clone().filter(|(predicted, _)| predicted.is_none()).count();
    missing as f64 / with_truth.count().max(1) as f64
}

fn change(from: &Rect, to: &Rect) -> f64 {
    let ((x0, y0), (x1, y1)) = (from.centre(), to.centre());
    (x1 - x0).hypot(y1 - y0).hypot((to.width() - from.width()).hypot(to.height() - from.height()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn square(x: f64, side: f64) -> Option<Rect> {
        Some(Rect { x0: x, y0: 20.0, x1: x + side, y1: 20.0 + side })
    }

    /// An object that drifts to the right and grows.
    fn drift() -> Vec<Option<Rect>> {
        (0..40).map(|i| square(2.0 * f64::from(i), 50.0 + f64::from(i % 7))).collect()
    }

    fn jitter(predicted: &[Option<Rect>], truth: &[Option<Rect>]) -> f64 {
        stability(predicted, truth).unwrap().jitter.unwrap()
    }

    #[test]
    fn a_box_that_equals_the_truth_is_as_steady_as_the_truth() {
        let steady = stability(&drift(), &drift()).unwrap();
        assert_eq!((steady.jitter, steady.missing), (Some(1.0), 0.0));
        assert_eq!(steady.predicted, steady.truth);
    }

    #[test]
    fn a_larger_box_that_moves_alike_is_not_steadier() {
        let truth: Vec<_> = (0..40).map(|i| square(f64::from(i * i), 50.0)).collect();
        let larger: Vec<_> = (0..40).map(|i| square(f64::from(i * i), 500.0)).collect();
        assert!((jitter(&larger, &truth) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_box_that_flickers_is_punished_and_one_that_is_never_there_is_missing() {
        let flickering: Vec<_> = drift().iter().enumerate().map(|(i, r)| r.filter(|_| i % 2 == 0)).collect();
        let steady = stability(&flickering, &drift()).unwrap();
        assert_eq!((steady.predicted, steady.missing), (1.0, 0.5));
        assert!(steady.jitter.unwrap() > 10.0);
        let never = stability(&[None; 40], &drift()).unwrap();
        assert_eq!((never.jitter, never.missing), (None, 1.0));
    }

    #[test]
    fn a_still_truth_has_no_ratio_but_the_boxes_change_is_told() {
        let still = [square(0.0, 10.0); 3];
        let shaking = [square(0.0, 10.0), square(1.0, 10.0), square(0.0, 10.0)];
        let steady = stability(&shaking, &still).unwrap();
        assert_eq!((steady.jitter, steady.truth), (None, 0.0));
        assert!((steady.predicted - 1.0 / 200.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn frames_without_truth_are_left_out() {
        let truth = [square(0.0, 10.0), None, square(50.0, 10.0), square(51.0, 10.0)];
        let predicted = [square(0.0, 10.0), square(9.0, 10.0), square(50.0, 10.0), square(51.0, 10.0)];
        assert_eq!(jitter(&predicted, &truth), 1.0);
        assert_eq!(stability(&predicted[..2], &truth[..2]), None);
        assert_eq!(stability(&[], &[]), None);
        let point = [square(0.0, 0.0); 2];
        assert_eq!(stability(&point, &point).unwrap().jitter, None);
    }

    proptest! {
        #[test]
        fn noise_makes_a_box_less_steady(noise in prop::collection::vec(-9.0..9.0f64, 40), gain in 1.5..3.0f64) {
            // Still but for a step, so that no noise can cancel the truth's motion.
            let truth: Vec<_> = (0..40).map(|i| square(if i < 20 { 0.0 } else { 0.1 }, 50.0)).collect();
            let shaken = |gain: f64| -> Vec<_> {
                noise.iter().map(|n| square(n * gain, 50.0)).collect()
            };
            let (little, much) = (jitter(&shaken(1.0), &truth), jitter(&shaken(gain), &truth));
            prop_assert!(little > 1.0);
            prop_assert!((much / little - gain).abs() < 1e-6);
        }
    }
}
