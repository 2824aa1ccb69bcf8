//! The results for a person.

use std::io::{self, Write};

use crate::eval::statistics::Interval;
use crate::eval::summary::Metric;

use super::super::report::count;
use super::Evaluated;
use super::words::{less_is_better, number, title};

/// The metric's name, with a word where less is better.
fn name(key: &str) -> String {
    let note = match key {
        "jitter" => " (truth = 1)",
        key if less_is_better(key) => " (low is good)",
        _ => "",
    };
    format!("{}{note}", title(key))
}

fn interval(key: &str, interval: &Interval) -> String {
    format!("{} to {}", number(key, interval.low), number(key, interval.high))
}

/// The scores of one dataset, the baselines beside them.
pub(super) fn print(evaluated: &Evaluated, out: &mut dyn Write) -> io::Result<()> {
    let Evaluated { subject, outcome, summary, comparison } = evaluated;
    let videos = match summary.per_sequence.len() {
        0 => String::new(),
        videos => format!(" in {}, scores are means of videos", count(videos, "video")),
    };
    let pictures = count(outcome.records.len(), "picture");
    writeln!(out, "{}: {pictures}{videos}", subject.dataset)?;
    writeln!(out, "{} · {} at {}", subject.model, subject.method, subject.layer)?;
    writeln!(out)?;
    writeln!(
        out,
        "{:<27} {:>6}  {:<15} {:>6}  {:>6} {:>6} {:>6}",
        "per cent", "", "95 % interval", "n", "centre", "full", "point"
    )?;
    for metric in &summary.metrics {
        print_metric(metric, out)?;
    }
    if let Some(comparison) = comparison {
        writeln!(out)?;
        writeln!(out, "against {}, on the {} pictures of both", comparison.against, comparison.pairs)?;
        for (key, found) in &comparison.metrics.0 {
            let sure = found.difference.low > 0.0 || found.difference.high < 0.0;
            let verdict = match sure {
                true => "",
                false if found.difference.low == found.difference.high => "  (the same)",
                false => "  (may be chance)",
            };
            let (difference, range) = (number(key, found.difference.value), interval(key, &found.difference));
            writeln!(out, "{:<27} {:>6}  {range:<15}{verdict}", name(key), signed(&difference))?;
        }
    }
    print_videos(evaluated, out)?;
    writeln!(out)
}

fn print_metric(metric: &Metric, out: &mut dyn Write) -> io::Result<()> {
    let key = metric.key;
    let baseline = |names: &[&str]| {
        let found = metric.baselines.iter().find(|(baseline, _)| names.contains(baseline));
        found.map_or_else(String::new, |(_, value)| number(key, *value))
    };
    let threshold =
        metric.threshold.map(|threshold| format!("  best threshold {threshold:.2}")).unwrap_or_default();
    let line = format!(
        "{:<27} {:>6}  {:<15} {:>6}  {:>6} {:>6} {:>6}{threshold}",
        name(key),
        number(key, metric.interval.value),
        interval(key, &metric.interval),
        metric.n,
        baseline(&["centre_box", "centre_map"]),
        baseline(&["full_image"]),
        baseline(&["centre_point"]),
    );
    writeln!(out, "{}", line.trim_end())
}

fn print_videos(evaluated: &Evaluated, out: &mut dyn Write) -> io::Result<()> {
    let columns = ["gt_known_loc", "box_iou", "pointing", "jitter"];
    let summary = &evaluated.summary;
    if summary.per_sequence.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(
        out,
        "{:<27} {:>6} {:>13} {:>8} {:>9} {:>7}",
        "video", "frames", "GT-known Loc", "box IoU", "pointing", "jitter"
    )?;
    for (name, part) in &summary.per_sequence {
        let cell =
            |key: &str| part.scores.get(key).map_or_else(|| "-".to_owned(), |value| number(key, *value));
        let [loc, iou, pointing, jitter] = columns.map(cell);
        writeln!(out, "{name:<27} {:>6} {loc:>13} {iou:>8} {pointing:>9} {jitter:>7}", part.n)?;
    }
    Ok(())
}

/// One line for each of several datasets.
pub(super) fn print_lines(all: &[Evaluated], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<27} {:>6} {:>13} {:>10} {:>9} {:>7}",
        "dataset", "n", "GT-known Loc", "Top-1 Loc", "pointing", "jitter"
    )?;
    for evaluated in all {
        let cell = |key: &str| {
            let found = evaluated.summary.metric(key);
            found.map_or_else(|| "-".to_owned(), |metric| number(key, metric.interval.value))
        };
        let [loc, top1_loc, pointing, jitter] = ["gt_known_loc", "top1_loc", "pointing", "jitter"].map(cell);
        let (name, n) = (&evaluated.subject.dataset, evaluated.outcome.records.len());
        writeln!(out, "{name:<27} {n:>6} {loc:>13} {top1_loc:>10} {pointing:>9} {jitter:>7}")?;
    }
    Ok(())
}

fn signed(number: &str) -> String {
    if number.starts_with('-') { number.to_owned() } else { format!("+{number}") }
}
