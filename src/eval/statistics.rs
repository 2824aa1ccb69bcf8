//! How sure a score is: bootstrap intervals over pictures or whole sequences, and paired comparison.

use std::collections::HashMap;
use std::hash::Hash;

/// What is drawn in a resample: single pictures, or whole sequences of a video set, whose frames are too
/// alike to count as evidence each.
///
/// A unit's value is the mean of its items, and units weigh the same, so that a long video doesn't outvote a
/// short one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Units {
    unit_of: Vec<usize>,
    sizes: Vec<u32>,
}

impl Units {
    /// Each of `items` pictures is a unit.
    pub(crate) fn each(items: usize) -> Units {
        Units { unit_of: (0..items).collect(), sizes: vec![1; items] }
    }

    /// Items of the same key (a sequence's name) are one unit; units are numbered as they first appear.
    pub(crate) fn by_key<K: Eq + Hash>(keys: impl IntoIterator<Item = K>) -> Units {
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
    pub(crate) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// By item, its unit and its share of the unit's mean.
    pub(crate) fn items(&self) -> impl Iterator<Item = (usize, f64)> {
        self.unit_of.iter().map(|&unit| (unit, 1.0 / f64::from(self.sizes[unit])))
    }

    /// The mean of each unit's items; items beyond the units' are left out.
    pub(crate) fn means(&self, items: &[f64]) -> Vec<f64> {
        let mut means = vec![0.0; self.len()];
        items.iter().zip(&self.unit_of).for_each(|(value, &unit)| means[unit] += value);
        means.iter_mut().zip(&self.sizes).for_each(|(sum, &size)| *sum /= f64::from(size));
        means
    }
}

/// A value with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Interval {
    /// The value of the set itself.
    pub value: f64,
    /// The 2.5th percentile of the resamples.
    pub low: f64,
    /// The 97.5th percentile of the resamples.
    pub high: f64,
}

/// The comparison of two runs on the same units.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Difference {
    /// New less old.
    pub difference: Interval,
    /// The share of resamples in which new was above old, 0..1.
    pub above: f64,
}

/// The percentile bootstrap (Efron, 1979), the same for the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bootstrap {
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
    pub(crate) fn statistic(
        &self,
        units: usize,
        mut statistic: impl FnMut(&[u32]) -> f64,
    ) -> Option<Interval> {
        let value = statistic(&vec![1; units]);
        let mut drawn = self.draws(units, statistic);
        interval(value, &mut drawn)
    }

    /// The interval of the mean over units of the items' means.
    pub(crate) fn mean(&self, items: &[f64], units: &Units) -> Option<Interval> {
        let means = units.means(items);
        self.statistic(means.len(), |weights| weighted_mean(&means, weights))
    }

    /// The difference of a statistic between two runs, drawn together: `(new, old)` of each resample.
    pub(crate) fn difference(
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
    pub(crate) fn difference_of_means(&self, new: &[f64], old: &[f64], units: &Units) -> Option<Difference> {
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
pub(crate) fn weighted_mean(means: &[f64], weights: &[u32]) -> f64 {
    let sum: f64 = means.iter().zip(weights).map(|(mean, &weight)| mean * f64::from(weight)).sum();
    sum / f64::from(weights.iter().sum::<u32>().max(1))
}

fn interval(value: f64, drawn: &mut [f64]) -> Option<Interval> {
    drawn.sort_unstable_by(f64::total_cmp);
    let last = drawn.len().checked_sub(1)?;
    let at = |share: f64| drawn[((share * last as f64).round() as usize).min(last)];
    Some(Interval { value, low: at(0.025), high: at(0.975) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 240 hits among 400 pictures.
    fn hits() -> Vec<f64> {
        (0..400).map(|i| if i % 5 < 3 { 1.0 } else { 0.0 }).collect()
    }

    #[test]
    fn the_interval_of_a_share_is_the_textbooks() {
        let interval = Bootstrap::default().mean(&hits(), &Units::each(400)).unwrap();
        assert_eq!(interval.value, 0.6);
        // 1.96 * sqrt(0.6 * 0.4 / 400)
        assert!((interval.high - 0.648).abs() < 0.005, "{interval:?}");
        assert!((interval.low - 0.552).abs() < 0.005, "{interval:?}");
    }

    #[test]
    fn nineteen_of_twenty_intervals_hold_the_truth() {
        let mut random = fastrand::Rng::with_seed(7);
        let bootstrap = Bootstrap { resamples: 400, seed: 1 };
        let holds = (0..400).filter(|_| {
            let sample: Vec<f64> = (0..80).map(|_| f64::from(u8::from(random.f64() < 0.7))).collect();
            let interval = bootstrap.mean(&sample, &Units::each(80)).unwrap();
            interval.low <= 0.7 && 0.7 <= interval.high
        });
        let share = holds.count() as f64 / 400.0;
        assert!((0.91..=0.98).contains(&share), "{share}");
    }

    #[test]
    fn the_same_seed_has_the_same_interval_and_another_seed_another() {
        let values: Vec<f64> = (0..50).map(f64::from).collect();
        let with = |seed| Bootstrap { resamples: 200, seed }.mean(&values, &Units::each(50));
        assert_eq!(with(3), with(3));
        assert_ne!(with(3), with(4));
    }

    #[test]
    fn frames_of_one_video_are_not_so_many_pictures() {
        let (bootstrap, hits) = (Bootstrap::default(), hits());
        // Four videos, of which two and a half are found in every frame.
        let sorted: Vec<f64> = (0..400).map(|i| if i < 240 { 1.0 } else { 0.0 }).collect();
        let videos = Units::by_key((0..400).map(|i| i / 100));
        let by_video = bootstrap.mean(&sorted, &videos).unwrap();
        let by_picture = bootstrap.mean(&hits, &Units::each(400)).unwrap();
        assert_eq!(videos.len(), 4);
        assert!((by_video.value - by_picture.value).abs() < 1e-12);
        assert!(by_video.high - by_video.low > 5.0 * (by_picture.high - by_picture.low));
    }

    #[test]
    fn a_long_video_does_not_outvote_a_short_one() {
        let units = Units::by_key(["long", "long", "long", "short"]);
        let Interval { value, low, high } = Bootstrap::default().mean(&[1.0, 1.0, 0.4, 0.0], &units).unwrap();
        assert!((value - 0.4).abs() < 1e-12 && low == 0.0 && (high - 0.8).abs() < 1e-12);
    }

    #[test]
    fn a_video_that_is_found_throughout_scores_one_exactly() {
        let units = Units::by_key([0; 49]);
        assert_eq!(units.means(&[1.0; 49]), [1.0]);
    }

    #[test]
    fn a_pair_of_runs_is_compared_picture_by_picture() {
        let old: Vec<f64> = (0..200).map(|i| f64::from(i % 10) / 10.0).collect();
        let new: Vec<f64> = old.iter().map(|value| value + 0.02).collect();
        let (bootstrap, units) = (Bootstrap::default(), Units::each(200));
        let better = bootstrap.difference_of_means(&new, &old, &units).unwrap();
        let Interval { value, low, high } = better.difference;
        assert!((value - 0.02).abs() < 1e-9 && low > 0.019 && high < 0.021, "what both share cancels");
        assert_eq!(better.above, 1.0);
        let same = bootstrap.difference_of_means(&old, &old, &units).unwrap();
        assert_eq!((same.difference.low, same.difference.high, same.above), (0.0, 0.0, 0.0));
    }

    #[test]
    fn nothing_to_draw_has_no_interval() {
        assert_eq!(Bootstrap::default().mean(&[], &Units::each(0)), None);
        assert_eq!(Bootstrap { resamples: 0, seed: 0 }.mean(&[1.0], &Units::each(1)), None);
        assert_eq!(Bootstrap::default().difference_of_means(&[], &[], &Units::each(0)), None);
    }

    proptest! {
        #[test]
        fn the_interval_of_a_mean_lies_among_the_values(values in prop::collection::vec(-1e3..1e3f64, 1..30)) {
            let bootstrap = Bootstrap { resamples: 100, seed: 5 };
            let Interval { low, high, .. } = bootstrap.mean(&values, &Units::each(values.len())).unwrap();
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(least - 1e-9 <= low && low <= high && high <= greatest + 1e-9);
        }
    }
}
