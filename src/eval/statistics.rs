//! How sure a score is: bootstrap intervals over pictures or whole sequences, and paired comparison.

use std::collections::HashMap;
use std::hash::Hash;

/// What is drawn in a resample: single pictures, or whole sequences of a video set, whose frames are too
/// alike to count as evidence each.
///
/// A unit's value is the mean of its items, and units weigh the same, so that a long video doesn't outvote a
/// short one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    unit_of: Vec<usize>,
    sizes: Vec<u32>,
}

impl Units {
    /// Each of `items` pictures is a unit.
    pub fn each(items: usize) -> Units {
        Units { unit_of: (0..items).collect(), sizes: vec![1; items] }
    }

    /// Items of the same key (a sequence's name) are one unit; units are numbered as they first appear.
    pub fn by_key<K: Eq + Hash>(keys: impl IntoIterator<Item = K>) -> Units {
        let mut numbers = HashMap::new();
        let mut units = Units { unit_of: Vec::new(), sizes: Vec::new() };
        for key in keys {
            let next = numbers.len();
            let unit = *numbers.entry(key).or_insert(next);
            if unit == units.sizes.len() {
                units.sizes.push(0);
            }
            units.sizes[unit] += 1;
            units.unit_of.push(unit);
        }
        units
    }

    /// How many units there are.
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// By item, its unit and its share of the unit's mean.
    pub fn items(&self) -> impl Iterator<Item = (usize, f64)> {
        self.unit_of.iter().map(|&unit| (unit, 1.0 / f64::from(self.sizes[unit])))
    }

    /// The mean of each unit's items; items beyond the units' are left out.
    pub fn means(&self, items: &[f64]) -> Vec<f64> {
        let mut means = vec![0.0; self.len()];
        items.iter().zip(self.items()).for_each(|(value, (unit, share))| means[unit] += value * share);
        means
    }
}

/// A value with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// The value of the set itself.
    pub value: f64,
    /// The 2.5th percentile of the resamples.
    pub low: f64,
    /// The 97.5th percentile of the resamples.
    pub high: f64,
}

/// The comparison of two runs on the same units.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Difference {
    /// New less old.
    pub difference: Interval,
    /// The share of resamples in which new was above old, 0..1.
    pub above: f64,
}

/// The percentile bootstrap (Efron, 1979), the same for the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// How often the set is drawn anew.
    pub resamples: usize,
    /// What the draws follow from.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Bootstrap {
        Bootstrap { resamples: 2000, seed: 0 }
    }
}

impl Bootstrap {
    /// The interval of a statistic of `units` units, given how often each unit was drawn; a statistic that
    /// chooses a threshold chooses it anew in each resample.
    ///
    /// `None` without units or resamples.
    pub fn statistic(&self, units: usize, mut statistic: impl FnMut(&[u32]) -> f64) -> Option<Interval> {
        let value = statistic(&vec![1; units]);
        let mut drawn = self.draws(units, statistic);
        interval(value, &mut drawn)
    }

    /// The interval of the mean over units of the items' means.
    pub fn mean(&self, items: &[f64], units: &Units) -> Option<Interval> {
        let means = units.means(items);
        self.statistic(means.len(), |weights| weighted_mean(&means, weights))
    }

    /// The difference of a statistic between two runs, drawn together: `(new, old)` of each resample.
    pub fn difference(
        &self,
        units: usize,
        mut statistic: impl FnMut(&[u32]) -> (f64, f64),
    ) -> Option<Difference> {
        let mut less = |weights: &[u32]| {
            let (new, old) = statistic(weights);
            new - old
        };
        let value = less(&vec![1; units]);
        let mut drawn = self.draws(units, less);
        let above = drawn.iter().filter(|&&difference| difference > 0.0).count();
        let above = above as f64 / drawn.len().max(1) as f64;
        Some(Difference { difference: interval(value, &mut drawn)?, above })
    }

    /// The difference of the means of two runs, item by item.
    pub fn difference_of_means(&self, new: &[f64], old: &[f64], units: &Units) -> Option<Difference> {
        let (new, old) = (units.means(new), units.means(old));
        self.difference(units.len(), |weights| (weighted_mean(&new, weights), weighted_mean(&old, weights)))
    }

    fn draws(&self, units: usize, mut statistic: impl FnMut(&[u32]) -> f64) -> Vec<f64> {
        if units == 0 {
            return Vec::new();
        }
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut weights = vec![0; units];
        let mut draw = || {
            weights.fill(0);
            (0..units).for_each(|_| weights[random.usize(..units)] += 1);
            statistic(&weights)
        };
        (0..self.resamples).map(|_| draw()).collect()
    }
}

/// The mean of units of which unit `i` was drawn `weights[i]` times.
pub fn weighted_mean(means: &[f64], weights: &[u32]) -> f64 {
    let sum: f64 = means.iter().zip(weights).map(|(mean, &weight)| mean * f64::from(weight)).sum();
    sum / f64::from(weights.iter().sum::<u32>().max(1))
}

fn interval(value: f64, drawn: &mut [f64]) -> Option<Interval> {
    drawn.sort_unstable_by(f64::total_cmp);
    let last = drawn.len().checked_sub(1)?;
    let at = |share: f64| drawn[((share * last as f64).round() as usize).min(last)];
    Some(Interval { value, low: at(0.025), high: at(0.975) })
}
