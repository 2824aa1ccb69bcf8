//! The results as a page.

use std::collections::BTreeMap;

use crate::dataset::Dataset;
use crate::eval::compare::Comparison;
use crate::eval::record::Record;
use crate::eval::report::{Against, Chart, Compared, Fault, Gallery, Report, Score, Series, Table, Unit};
use crate::eval::results::Subject;
use crate::eval::statistics::Difference;
use crate::eval::summary::{FoundAt, Metric, Part};
use anyhow::Result;

use super::super::report::count;
use super::words::{is_share, less_is_better, meaning, number, title};
use super::{Evaluated, Evaluation, pictures};

/// How many of the best and of the worst pictures are shown.
const SHOWN: usize = 12;

/// Columns of the tables by class and by video.
const COLUMNS: [&str; 7] = ["gt_known_loc", "top1", "top1_loc", "box_iou", "mask_iou", "pointing", "jitter"];

pub(super) fn page(evaluation: &Evaluation<'_>, dataset: &Dataset, evaluated: &Evaluated) -> Result<Report> {
    let Evaluated { subject, outcome, summary, comparison } = evaluated;
    let mut ranked: Vec<&Record> = outcome.records.iter().collect();
    ranked.sort_by(|a, b| b.iou.total_cmp(&a.iou));
    let half = ranked.len().div_ceil(2);
    let videos = summary.per_sequence.len();
    let best = few(ranked[..half].iter().copied(), videos);
    let worst = few(ranked[half..].iter().rev().copied(), videos);
    let columns: Vec<&str> = COLUMNS.into_iter().filter(|key| summary.metric(key).is_some()).collect();
    Ok(Report {
        title: subject.dataset.clone(),
        summary: sentence(subject, outcome.records.len()),
        scores: summary.metrics.iter().map(score).collect(),
        against: comparison.as_ref().map(against),
        charts: vec![Chart {
            title: "Pictures found".to_owned(),
            along: "threshold, share of the map's peak".to_owned(),
            series: summary.found_at.iter().map(series).collect(),
            ..Chart::default()
        }],
        galleries: vec![
            Gallery {
                title: "Best pictures".to_owned(),
                pictures: pictures::thumbnails(evaluation, dataset, &best)?,
            },
            Gallery {
                title: "Worst pictures".to_owned(),
                pictures: pictures::thumbnails(evaluation, dataset, &worst)?,
            },
        ],
        tables: vec![
            table("By video", "video", &summary.per_sequence, &columns),
            table("By class", "class", &summary.per_class, &columns),
        ]
        .into_iter()
        .filter(|table| !table.rows.is_empty())
        .collect(),
        faults: outcome.faults.kinds().map(fault).collect(),
        settings: subject.settings.iter().map(|(name, value)| ((*name).to_owned(), plain(value))).collect(),
        command: command(),
    })
}

/// The first of these, but not all of one video: neighbouring frames are alike.
fn few<'a>(ranked: impl Iterator<Item = &'a Record>, videos: usize) -> Vec<&'a Record> {
    let most = SHOWN.div_ceil(videos.max(1));
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let fits = |record: &&'a Record| match &record.sequence {
        None => true,
        Some(sequence) => {
            let count = shown.entry(sequence).or_default();
            *count += 1;
            *count <= most
        }
    };
    ranked.filter(fits).take(SHOWN).collect()
}

fn sentence(subject: &Subject, pictures: usize) -> String {
    let Subject { model, method, layer, .. } = subject;
    format!("{}, {model}, {method} at {layer}", count(pictures, "picture"))
}

fn unit(key: &str) -> Unit {
    if is_share(key) { Unit::Share } else { Unit::Times }
}

fn score(metric: &Metric) -> Score {
    let key = metric.key;
    let baseline = |(name, value): &(&str, f64)| (name.replace('_', " "), *value);
    let threshold = metric.threshold.map(|threshold| format!(": {threshold:.2}")).unwrap_or_default();
    Score {
        name: title(key).to_owned(),
        meaning: format!("{}{threshold}", meaning(key)),
        interval: metric.interval,
        unit: unit(key),
        less_is_better: less_is_better(key),
        baselines: metric.baselines.iter().map(baseline).collect(),
    }
}

fn against(comparison: &Comparison) -> Against {
    let compared = |(key, difference): &(&str, Difference)| Compared {
        name: title(key).to_owned(),
        unit: unit(key),
        less_is_better: less_is_better(key),
        difference: *difference,
    };
    Against {
        other: format!("{} ({} of both)", comparison.against, count(comparison.pairs, "picture")),
        scores: comparison.metrics.0.iter().map(compared).collect(),
    }
}

fn series(found: &FoundAt) -> Series {
    let contours = if found.any { "any contour" } else { "largest contour" };
    Series { name: format!("{contours}, IoU {}", found.iou), points: found.points.clone() }
}

fn table(heading: &str, first: &str, parts: &BTreeMap<String, Part>, columns: &[&str]) -> Table {
    let row = |(name, part): (&String, &Part)| {
        let cell = |key: &&str| part.scores.get(*key).map_or_else(String::new, |value| number(key, *value));
        [name.clone(), part.n.to_string()].into_iter().chain(columns.iter().map(cell)).collect()
    };
    let titles = [first, "pictures"].into_iter().chain(columns.iter().map(|key| title(key)));
    Table {
        title: heading.to_owned(),
        columns: titles.map(str::to_owned).collect(),
        rows: parts.iter().map(row).collect(),
    }
}

fn fault((kind, count, examples): (&str, usize, &[String])) -> Fault {
    Fault { kind: kind.to_owned(), count, examples: examples.to_vec() }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The command line, as a shell takes it.
pub(in crate::cli) fn command() -> String {
    let quoted = |arg: String| {
        let plain = !arg.is_empty() && arg.chars().all(|c| c.is_alphanumeric() || "-_./:=,+%@".contains(c));
        if plain { arg } else { format!("'{}'", arg.replace('\'', r"'\''")) }
    };
    let arguments = std::env::args_os().skip(1).map(|arg| quoted(arg.to_string_lossy().into_owned()));
    std::iter::once("camloc".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}
