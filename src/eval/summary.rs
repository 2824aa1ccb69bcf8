//! From the records of a run to its scores.

use std::collections::BTreeMap;

use serde::Serialize;

use super::metrics::{
    Curve, CurveScanner, MaxBoxAcc, PixelScores, Rect, Stability, V2_IOUS, baseline, on_grid, pointing,
    stability,
};
use super::record::{Baseline, ITEM_METRICS, ItemMetric, Pixels, Record};
use super::run::Outcome;
use super::statistics::{Bootstrap, Interval, Units};

/// One score of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Metric {
    /// The name, a key of the JSON.
    #[serde(skip)]
    pub key: &'static str,
    /// The score and its 95 % interval.
    #[serde(flatten)]
    pub interval: Interval,
    /// How many pictures (videos, for jitter) it is of.
    pub n: usize,
    /// The threshold that is best for this set, where the score is that of the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// What one scores without a look at the picture.
    #[serde(skip)]
    pub baselines: Vec<(&'static str, f64)>,
}

/// The scores of a part of a set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Part {
    /// How many pictures it has.
    pub n: usize,
    /// Scores by the metrics' names; those that do not apply are left out.
    #[serde(flatten)]
    pub scores: BTreeMap<&'static str, f64>,
}

/// The share of pictures found at each threshold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundAt {
    /// The least overlap with a true box.
    pub iou: f64,
    /// Whether any contour counts, or the largest only.
    pub any: bool,
    /// Threshold as a share of the map's peak, and share of pictures, each 0..1.
    pub points: Vec<(f64, f64)>,
}

/// Everything about a run in figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    /// The scores of the whole set, in the order in which they are printed.
    pub metrics: Vec<Metric>,
    /// Scores by class.
    pub per_class: BTreeMap<String, Part>,
    /// Scores by video.
    pub per_sequence: BTreeMap<String, Part>,
    /// Shares of pictures found against the threshold of the map.
    pub found_at: Vec<FoundAt>,
}

impl Summary {
    /// The scores of a run. Where the set has videos, each is one observation, and scores are means of videos.
    pub(crate) fn new(outcome: &Outcome, bootstrap: Bootstrap) -> Summary {
        let records: Vec<&Record> = outcome.records.iter().collect();
        let steadiness = steadiness(&records);
        let mut metrics: Vec<Metric> =
            ITEM_METRICS.iter().filter_map(|metric| item_metric(metric, &records, bootstrap)).collect();
        let units = units(&records);
        let curves = || records.iter().map(|record| &record.curve);
        let largest = MaxBoxAcc::largest(curves(), &units);
        let after = metrics.iter().position(|metric| metric.key == "box_iou").unwrap_or(metrics.len());
        let three = V2_IOUS.map(|iou| MaxBoxAcc::any(curves(), &units, iou));
        metrics.splice(after..after, max_box_acc(&largest, &three, &records, &units, bootstrap));
        metrics.extend(px_ap(&outcome.pixels.blocks(), &records, bootstrap));
        metrics.extend(jitter(&steadiness, bootstrap));
        let mut per_sequence = parts(&records, |record| record.sequence.clone());
        for (sequence, found) in &steadiness {
            if let Some(part) = per_sequence.get_mut(*sequence) {
                part.scores.extend(found.jitter.map(|jitter| ("jitter", jitter)));
                part.scores.insert("box_change", found.predicted);
                part.scores.insert("truth_change", found.truth);
                part.scores.insert("missing", found.missing);
            }
        }
        let found_at = found_at(&largest, &three);
        let per_class = parts(&records, |record| Some(record.class.clone()));
        Summary { metrics, per_class, per_sequence, found_at }
    }

    /// The score of this name.
    pub(crate) fn metric(&self, key: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.key == key)
    }
}

/// Each video is a unit, and each photo.
pub(super) fn units(records: &[&Record]) -> Units {
    Units::by_key(records.iter().map(|record| match &record.sequence {
        Some(sequence) => (true, sequence.as_str()),
        None => (false, record.name.as_str()),
    }))
}

/// The mean over units.
fn mean(values: &[f64], units: &Units) -> f64 {
    let means = units.means(values);
    exact(means.iter().sum::<f64>() / means.len().max(1) as f64)
}

/// A score without the last digits, in which the order of a sum shows: all of them are 1, not 1.0000000000000004.
fn exact(score: f64) -> f64 {
    (score * 1e12).round() / 1e12
}

fn exactly(Interval { value, low, high }: Interval) -> Interval {
    Interval { value: exact(value), low: exact(low), high: exact(high) }
}

fn item_metric(metric: &ItemMetric, records: &[&Record], bootstrap: Bootstrap) -> Option<Metric> {
    let applies: Vec<&Record> =
        records.iter().copied().filter(|record| (metric.of)(record).is_some()).collect();
    let values: Vec<f64> = applies.iter().filter_map(|record| (metric.of)(record)).collect();
    let units = units(&applies);
    let interval = exactly(bootstrap.mean(&values, &units)?);
    let mut baselines = Vec::new();
    for which in Baseline::ALL {
        let values: Vec<f64> = applies
            .iter()
            .filter_map(|record| (metric.of_box)(record, &box_of(record, which), which))
            .collect();
        if values.len() == applies.len() {
            baselines.push((which.key(), mean(&values, &units)));
        }
    }
    if metric.key == "pointing" {
        let hit = |record: &&Record| pointing(Some(baseline::centre_point(record.size)), &record.truth);
        let hits: Vec<f64> = applies.iter().map(|record| f64::from(u8::from(hit(record)))).collect();
        baselines.push(("centre_point", mean(&hits, &units)));
    }
    Some(Metric { key: metric.key, interval, n: values.len(), threshold: None, baselines })
}

fn box_of(record: &Record, which: Baseline) -> Rect {
    match which {
        Baseline::CentreBox => baseline::centre_box(record.size),
        Baseline::FullImage => baseline::full_image(record.size),
    }
}

/// The curves of the literature's centre baseline.
fn centre_curves(records: &[&Record]) -> Vec<Curve> {
    let boxes = CurveScanner::default().boxes(&baseline::centre_map());
    let truth =
        |record: &Record| record.truth.iter().map(|bbox| on_grid(bbox, record.size)).collect::<Vec<_>>();
    records.iter().map(|record| boxes.curve(&truth(record))).collect()
}

/// MaxBoxAcc and MaxBoxAccV2. The baseline of maps that have their best threshold is a map that has it too; the whole
/// picture, which has none, scores as at the fixed one.
fn max_box_acc(
    largest: &MaxBoxAcc,
    three: &[MaxBoxAcc],
    records: &[&Record],
    units: &Units,
    bootstrap: Bootstrap,
) -> Vec<Metric> {
    let full_image = |key: &str| {
        let metric = ITEM_METRICS.iter().find(|metric| metric.key == key)?;
        let which = Baseline::FullImage;
        let value = |r: &&Record| (metric.of_box)(r, &box_of(r, which), which).unwrap_or(0.0);
        Some((which.key(), mean(&records.iter().map(value).collect::<Vec<f64>>(), units)))
    };
    let centre = centre_curves(records);
    let centre_one = MaxBoxAcc::largest(&centre, units).at_best().value;
    let centre_three = V2_IOUS.map(|iou| MaxBoxAcc::any(&centre, units, iou).at_best().value);
    let centre_mean = centre_three.iter().sum::<f64>() / centre_three.len() as f64;
    let baselines = |key: &str, centre: f64| {
        std::iter::once(("centre_map", exact(centre))).chain(full_image(key)).collect()
    };
    let n = records.len();
    let one = bootstrap.statistic(units.len(), |weights| largest.weighted(weights)).map(|interval| Metric {
        key: "max_box_acc",
        interval: exactly(interval),
        n,
        threshold: Some(largest.at_best().threshold),
        baselines: baselines("gt_known_loc", centre_one),
    });
    let mean_of_three =
        |weights: &[u32]| three.iter().map(|acc| acc.weighted(weights)).sum::<f64>() / three.len() as f64;
    let v2 = bootstrap.statistic(units.len(), mean_of_three).map(|interval| Metric {
        key: "max_box_acc_v2",
        interval: exactly(interval),
        n,
        threshold: None,
        baselines: baselines("box_acc_v2", centre_mean),
    });
    one.into_iter().chain(v2).collect()
}

fn found_at(largest: &MaxBoxAcc, three: &[MaxBoxAcc]) -> Vec<FoundAt> {
    let points = |acc: &MaxBoxAcc| {
        acc.shares().into_iter().enumerate().map(|(k, share)| (k as f64 / 255.0, share)).collect()
    };
    let one = FoundAt { iou: 0.5, any: false, points: points(largest) };
    let any = V2_IOUS.iter().zip(three).map(|(&iou, acc)| FoundAt { iou, any: true, points: points(acc) });
    std::iter::once(one).chain(any).collect()
}

/// PxAP; the whole picture scores the same at every threshold.
fn px_ap(blocks: &[&Pixels], records: &[&Record], bootstrap: Bootstrap) -> Option<Metric> {
    let drawn = |weights: &[u32]| {
        let mut all = PixelScores::default();
        blocks.iter().zip(weights).for_each(|(block, &times)| all.merge(&block.map, times));
        all.average_precision().unwrap_or(0.0)
    };
    let interval = bootstrap.statistic(blocks.len(), drawn)?;
    let mut all = Pixels::default();
    blocks.iter().for_each(|block| all.merge(block, 1));
    let centre = all.centre.average_precision().map(|precision| ("centre_map", precision));
    let full_image = all.map.share_inside().map(|share| (Baseline::FullImage.key(), share));
    let baselines = centre.into_iter().chain(full_image).collect();
    let n = records.iter().filter(|record| record.mask.is_some()).count();
    Some(Metric { key: "px_ap", interval, n, threshold: None, baselines })
}

/// How steady the boxes of each video are, by class on it if it has several.
fn steadiness<'a>(records: &[&'a Record]) -> Vec<(&'a str, Stability)> {
    let mut frames: BTreeMap<(&str, &str), Vec<&Record>> = BTreeMap::new();
    for record in records {
        if let Some(sequence) = &record.sequence {
            frames.entry((sequence, &record.class)).or_default().push(record);
        }
    }
    let steadiness = |frames: &[&Record]| {
        let found: Vec<Option<Rect>> = frames.iter().map(|record| record.bbox).collect();
        let truth: Vec<Option<Rect>> = frames.iter().map(|record| nearest(record)).collect();
        stability(&found, &truth)
    };
    frames.iter().filter_map(|((name, _), frames)| Some((*name, steadiness(frames)?))).collect()
}

/// The true box that the one found overlaps most; the first where it overlaps none.
fn nearest(record: &Record) -> Option<Rect> {
    let overlap = |truth: &Rect| record.bbox.map_or(0.0, |bbox| bbox.iou(truth));
    let better = |a: Rect, b: &Rect| if overlap(b) > overlap(&a) { *b } else { a };
    let first = *record.truth.first()?;
    Some(record.truth.iter().fold(first, better))
}

fn jitter(steadiness: &[(&str, Stability)], bootstrap: Bootstrap) -> Option<Metric> {
    let values: Vec<f64> = steadiness.iter().filter_map(|(_, found)| found.jitter).collect();
    let interval = bootstrap.mean(&values, &Units::each(values.len()))?;
    Some(Metric { key: "jitter", interval, n: values.len(), threshold: None, baselines: vec![] })
}

fn parts(records: &[&Record], key: impl Fn(&Record) -> Option<String>) -> BTreeMap<String, Part> {
    let mut groups: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    for &record in records {
        if let Some(key) = key(record) {
            groups.entry(key).or_default().push(record);
        }
    }
    let part = |records: Vec<&Record>| {
        let score = |metric: &ItemMetric| {
            let applies: Vec<&Record> =
                records.iter().copied().filter(|r| (metric.of)(r).is_some()).collect();
            let values: Vec<f64> = applies.iter().filter_map(|record| (metric.of)(record)).collect();
            (!values.is_empty()).then(|| (metric.key, mean(&values, &units(&applies))))
        };
        Part { n: records.len(), scores: ITEM_METRICS.iter().filter_map(score).collect() }
    };
    groups.into_iter().map(|(name, records)| (name, part(records))).collect()
}
