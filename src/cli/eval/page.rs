//! The results as a page.

use anyhow::Result;
use camloc::eval::dataset::Dataset;
use camloc::eval::report::{Fault, Report, Row, Score, Series};
use camloc::eval::summary::{FoundAt, Metric, Part};
use camloc::eval::{record::Record, results::Subject};

use super::table::{number, title};
use super::{Evaluated, Evaluation, pictures};

/// How many of the best and of the worst pictures are shown.
const SHOWN: usize = 12;

/// Columns of the tables by class and by video.
const COLUMNS: [&str; 7] = ["gt_known_loc", "top1", "top1_loc", "box_iou", "mask_iou", "pointing", "jitter"];

pub(super) fn page(evaluation: &Evaluation<'_>, dataset: &Dataset, evaluated: &Evaluated) -> Result<Report> {
    let Evaluated { subject, outcome, summary, .. } = evaluated;
    let mut ranked: Vec<&Record> = outcome.records.iter().collect();
    ranked.sort_by(|a, b| b.iou.total_cmp(&a.iou));
    let half = ranked.len().div_ceil(2).min(SHOWN);
    let best = &ranked[..half];
    let worst: Vec<&Record> = ranked.iter().rev().take((ranked.len() - half).min(SHOWN)).copied().collect();
    let columns: Vec<&str> = COLUMNS.into_iter().filter(|key| summary.metric(key).is_some()).collect();
    let rows = |parts: &std::collections::BTreeMap<String, Part>| {
        parts.iter().map(|(name, part)| row(name, part, &columns)).collect()
    };
    Ok(Report {
        dataset: subject.dataset.clone(),
        summary: sentence(subject, outcome.records.len()),
        scores: summary.metrics.iter().map(score).collect(),
        curves: summary.found_at.iter().map(series).collect(),
        best: pictures::thumbnails(evaluation, dataset, best)?,
        worst: pictures::thumbnails(evaluation, dataset, &worst)?,
        classes: rows(&summary.per_class),
        sequences: rows(&summary.per_sequence),
        columns: std::iter::once("pictures")
            .chain(columns.iter().map(|key| title(key).0))
            .map(str::to_owned)
            .collect(),
        faults: outcome.faults.kinds().map(fault).collect(),
        settings: subject.settings.iter().map(|(name, value)| ((*name).to_owned(), plain(value))).collect(),
        command: command(),
    })
}

fn sentence(subject: &Subject, pictures: usize) -> String {
    let Subject { model, method, layer, .. } = subject;
    format!("{pictures} pictures, {model}, {method} at {layer}")
}

fn score(metric: &Metric) -> Score {
    let (name, is_share) = title(metric.key);
    let baseline = |(key, value): &(&str, f64)| (key.replace('_', " "), *value);
    let threshold = metric.threshold.map(|threshold| format!("best threshold {threshold:.2}"));
    Score {
        name: name.to_owned(),
        meaning: meaning(metric.key).to_owned(),
        interval: Some(metric.interval),
        unit: if is_share { String::new() } else { "x".to_owned() },
        baselines: metric.baselines.iter().map(baseline).collect(),
        note: threshold.unwrap_or_default(),
    }
}

fn meaning(key: &str) -> &'static str {
    match key {
        "top1" => "a right class is the first",
        "top5" => "a right class is among the first five",
        "gt_known_loc" => "the box of the right class overlaps a true one by half or more",
        "top1_loc" => "that, and the class is right",
        "box_acc_v2" => "the same at an overlap of 0.3, 0.5 and 0.7, on average",
        "max_box_acc" => "at the one threshold that is best for this set",
        "max_box_acc_v2" => "any contour, overlaps of 0.3, 0.5 and 0.7, each at its best threshold",
        "box_iou" => "mean overlap of the box with the true one",
        "mask_iou" => "mean overlap of the regions found with the true mask",
        "px_ap" => "average precision of pixels over all thresholds",
        "pointing" => "the map's peak lies in a true box",
        "insertion_auc" => "probability while the hottest pixels come back first",
        "deletion_auc" => "probability while the hottest pixels go first; low is good",
        "average_drop" => "probability lost where only the map's place is left; low is good",
        "increase_in_confidence" => "probability rises where only the map's place is left",
        "jitter" => "change of the box from frame to frame over that of the truth",
        _ => "",
    }
}

fn series(found: &FoundAt) -> Series {
    let contours = if found.any { "any contour" } else { "largest contour" };
    Series { name: format!("{contours}, IoU {}", found.iou), points: found.points.clone() }
}

fn row(name: &str, part: &Part, columns: &[&str]) -> Row {
    let cell = |key: &&str| part.scores.get(*key).map_or_else(String::new, |value| number(key, *value));
    let cells = std::iter::once(part.n.to_string()).chain(columns.iter().map(cell)).collect();
    Row { name: name.to_owned(), cells }
}

fn fault((kind, count, examples): (&str, usize, &[String])) -> Fault {
    Fault { kind: kind.to_owned(), count, examples: examples.to_vec() }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The command line, as a shell takes it.
fn command() -> String {
    let quoted = |arg: String| {
        let plain = !arg.is_empty() && arg.chars().all(|c| c.is_alphanumeric() || "-_./:=,+%@".contains(c));
        if plain { arg } else { format!("'{}'", arg.replace('\'', r"'\''")) }
    };
    let arguments = std::env::args_os().skip(1).map(|arg| quoted(arg.to_string_lossy().into_owned()));
    std::iter::once("camloc".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}
