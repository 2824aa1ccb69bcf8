//! MaxBoxAcc and MaxBoxAccV2: the share of pictures found at the one threshold that is best for the set.

use super::curve::{Curve, THRESHOLDS};
use crate::eval::statistics::Units;

/// A score with the threshold that gave it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct AtBest {
    /// The share of pictures found, 0..1.
    pub value: f64,
    /// The threshold, as a share of the map's peak (`k / 255`).
    pub threshold: f64,
}

/// The IoUs that MaxBoxAccV2 averages over.
pub(crate) const V2_IOUS: [f64; 3] = [0.3, 0.5, 0.7];

/// Which pictures are found at which thresholds, ready for [`MaxBoxAcc::weighted`].
///
/// A picture is found at a few runs of thresholds, so only where it comes and goes is kept: a resample of
/// 10,000 pictures costs 0.1 ms.
#[derive(Clone, Debug)]
pub(crate) struct MaxBoxAcc {
    steps: Vec<Step>,
    /// Where each unit's steps begin, and where the last one's end.
    starts: Vec<usize>,
}

/// By how much a unit's share of found pictures changes at a threshold.
#[derive(Clone, Copy, Debug)]
struct Step {
    at: u8,
    change: f64,
}

impl MaxBoxAcc {
    /// MaxBoxAcc (Choe et al., CVPR 2020): the largest contour, IoU of 0.5.
    pub(crate) fn largest<'a>(curves: impl IntoIterator<Item = &'a Curve>, units: &Units) -> MaxBoxAcc {
        MaxBoxAcc::new(curves, units, |curve, k| curve.largest(k) >= 0.5)
    }

    /// One term of MaxBoxAccV2: any contour with any true box, at an IoU of [`V2_IOUS`].
    pub(crate) fn any<'a>(curves: impl IntoIterator<Item = &'a Curve>, units: &Units, iou: f64) -> MaxBoxAcc {
        MaxBoxAcc::new(curves, units, |curve, k| curve.best(k) >= iou)
    }

    fn new<'a>(
        curves: impl IntoIterator<Item = &'a Curve>,
        units: &Units,
        found: impl Fn(&Curve, usize) -> bool,
    ) -> MaxBoxAcc {
        let mut by_unit = vec![Vec::new(); units.len()];
        for (curve, (unit, share)) in curves.into_iter().zip(units.items()) {
            let mut before = false;
            for (at, k) in (0..=u8::MAX).zip(0..THRESHOLDS) {
                let now = found(curve, k);
                if now != before {
                    by_unit[unit].push(Step { at, change: if now { share } else { -share } });
                }
                before = now;
            }
        }
        let mut acc = MaxBoxAcc { steps: Vec::new(), starts: vec![0] };
        for steps in by_unit {
            acc.steps.extend(steps);
            acc.starts.push(acc.steps.len());
        }
        acc
    }

    /// The share of pictures found at each threshold `k / 255`, 0..1, units weighing the same.
    pub(crate) fn shares(&self) -> Vec<f64> {
        self.weighted_shares(&vec![1; self.starts.len() - 1]).to_vec()
    }

    /// The best threshold, the least of equals, and its score.
    pub(crate) fn at_best(&self) -> AtBest {
        best(&self.shares())
    }

    /// The score of a resample that drew unit `i` `weights[i]` times; the threshold is chosen in it.
    pub(crate) fn weighted(&self, weights: &[u32]) -> f64 {
        best(&self.weighted_shares(weights)).value
    }

    fn weighted_shares(&self, weights: &[u32]) -> [f64; THRESHOLDS] {
        let mut shares = [0.0; THRESHOLDS];
        for (unit, &weight) in self.starts.windows(2).zip(weights).filter(|(_, weight)| **weight > 0) {
            for step in &self.steps[unit[0]..unit[1]] {
                shares[usize::from(step.at)] += step.change * f64::from(weight);
            }
        }
        let total = f64::from(weights.iter().sum::<u32>().max(1));
        let mut sum = 0.0;
        for share in &mut shares {
            sum += *share;
            *share = sum / total;
        }
        shares
    }
}

fn best(shares: &[f64]) -> AtBest {
    let mut at_best = AtBest { value: 0.0, threshold: 0.0 };
    for (k, &value) in shares.iter().enumerate() {
        // Shares of long videos are sums of rounded parts.
        if value > at_best.value + 1e-12 {
            at_best = AtBest { value, threshold: k as f64 / 255.0 };
        }
    }
    at_best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::metrics::{CurveScanner, Rect, baseline, on_grid};
    use crate::localize::GRID;

    /// The curves of blobs of growing size around the middle, for an object of half the grid's side.
    fn curves() -> Vec<Curve> {
        let mut scanner = CurveScanner::default();
        let truth = [[56, 56, 167, 167]];
        let blob = |spread: f32| {
            let square = |i: usize| ((i as f32 - 111.5) / spread).powi(2);
            let value = |i: usize| (-square(i % GRID) - square(i / GRID)).exp();
            (0..GRID * GRID).map(value).collect::<Vec<f32>>()
        };
        [20.0, 40.0, 50.0, 160.0].iter().map(|&spread| scanner.normalised(&blob(spread), &truth)).collect()
    }

    #[test]
    fn the_score_is_that_of_the_one_threshold_that_is_best_for_all() {
        let curves = curves();
        let acc = MaxBoxAcc::largest(&curves, &Units::each(4));
        for (k, share) in acc.shares().iter().enumerate() {
            let found = curves.iter().filter(|curve| curve.largest(k) >= 0.5).count();
            assert_eq!(*share, found as f64 / 4.0);
        }
        let AtBest { value, threshold } = acc.at_best();
        assert_eq!(value, acc.shares().iter().copied().fold(0.0, f64::max));
        assert_eq!(value, 0.5, "one threshold finds the blobs of like size, and none finds all");
        assert!(threshold > 0.0);
        for one in 0..4 {
            let alone = [0, 1, 2, 3].map(|unit| u32::from(unit == one));
            assert_eq!(acc.weighted(&alone), 1.0, "each blob has a threshold of its own");
        }
    }

    #[test]
    fn drawing_a_picture_twice_is_having_it_twice() {
        let mut curves = curves();
        let drawn = MaxBoxAcc::any(&curves, &Units::each(4), 0.7).weighted(&[2, 1, 0, 1]);
        curves.swap_remove(2);
        curves.push(curves[0].clone());
        assert_eq!(drawn, MaxBoxAcc::any(&curves, &Units::each(4), 0.7).at_best().value);
    }

    #[test]
    fn a_sequence_weighs_as_much_as_another_however_long() {
        let curves = curves();
        let units = Units::by_key(["a", "a", "a", "b"]);
        let acc = MaxBoxAcc::largest(&curves, &units);
        let b_alone = acc.weighted(&[0, 1]);
        assert_eq!(b_alone, 1.0);
        let k = (0..THRESHOLDS).find(|&k| curves[3].largest(k) >= 0.5).unwrap();
        let of_a = curves[..3].iter().filter(|curve| curve.largest(k) >= 0.5).count();
        assert!((acc.shares()[k] - (of_a as f64 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_centre_map_finds_every_centred_square() {
        let mut scanner = CurveScanner::default();
        let map = baseline::centre_map();
        let curve = |side: f64| {
            let (low, high) = (112.0 - side / 2.0, 112.0 + side / 2.0);
            let truth = Rect { x0: low, y0: low, x1: high, y1: high };
            scanner.normalised(&map, &[on_grid(&truth, (224, 224))])
        };
        let curves: Vec<Curve> = [12.0, 40.0, 100.0, 180.0, 224.0].map(curve).to_vec();
        for curve in &curves {
            let acc = MaxBoxAcc::any([curve], &Units::each(1), 0.7);
            assert_eq!(acc.at_best().value, 1.0);
        }
    }

    #[test]
    fn no_picture_has_no_score() {
        let acc = MaxBoxAcc::largest(&[], &Units::each(0));
        assert_eq!((acc.at_best().value, acc.weighted(&[])), (0.0, 0.0));
    }
}
