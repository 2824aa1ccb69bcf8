//! MaxBoxAcc and MaxBoxAccV2: the share of pictures found at the one threshold that is best for the set.

use super::curve::{Curve, THRESHOLDS};
use crate::eval::statistics::Units;

/// A score with the threshold that gave it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct AtBest {
    /// The share of pictures found, 0..1.
    pub value: f64,
    /// The threshold, as a share of the map's peak (`k / 255`).
    pub threshold: f64,
}

/// The IoUs that MaxBoxAccV2 averages over.
pub const V2_IOUS: [f64; 3] = [0.3, 0.5, 0.7];

/// Which pictures are found at which thresholds, ready for [`MaxBoxAcc::weighted`].
#[derive(Clone, Debug)]
pub struct MaxBoxAcc {
    /// By unit, the share of its pictures found at each threshold.
    found: Vec<Vec<f64>>,
}

impl MaxBoxAcc {
    /// MaxBoxAcc (Choe et al., CVPR 2020): the largest contour, IoU of 0.5.
    pub fn largest(curves: &[Curve], units: &Units) -> MaxBoxAcc {
        MaxBoxAcc::new(curves, units, |curve, k| curve.largest(k) >= 0.5)
    }

    /// One term of MaxBoxAccV2: any contour with any true box, at an IoU of [`V2_IOUS`].
    pub fn any(curves: &[Curve], units: &Units, iou: f64) -> MaxBoxAcc {
        MaxBoxAcc::new(curves, units, |curve, k| curve.best(k) >= iou)
    }

    fn new(curves: &[Curve], units: &Units, found: impl Fn(&Curve, usize) -> bool) -> MaxBoxAcc {
        let mut shares = vec![vec![0.0; THRESHOLDS]; units.len()];
        for (curve, (unit, share)) in curves.iter().zip(units.items()) {
            for (k, sum) in shares[unit].iter_mut().enumerate() {
                *sum += if found(curve, k) { share } else { 0.0 };
            }
        }
        MaxBoxAcc { found: shares }
    }

    /// The share of pictures found at each threshold, 0..1, units weighing the same.
    pub fn shares(&self) -> Vec<f64> {
        self.weighted_shares(&vec![1; self.found.len()])
    }

    /// The best threshold and its score.
    pub fn at_best(&self) -> AtBest {
        best(&self.shares())
    }

    /// The score of a resample that drew unit `i` `weights[i]` times; the threshold is chosen in it.
    pub fn weighted(&self, weights: &[u32]) -> f64 {
        best(&self.weighted_shares(weights)).value
    }

    fn weighted_shares(&self, weights: &[u32]) -> Vec<f64> {
        let total = weights.iter().sum::<u32>().max(1);
        let mut sums = vec![0.0; THRESHOLDS];
        for (found, &weight) in self.found.iter().zip(weights) {
            sums.iter_mut().zip(found).for_each(|(sum, f)| *sum += f * f64::from(weight));
        }
        sums.iter().map(|sum| sum / f64::from(total)).collect()
    }
}

fn best(shares: &[f64]) -> AtBest {
    let mut at_best = AtBest { value: 0.0, threshold: 0.0 };
    for (k, &value) in shares.iter().enumerate() {
        if value > at_best.value {
            at_best = AtBest { value, threshold: k as f64 / 255.0 };
        }
    }
    at_best
}
