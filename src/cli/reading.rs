//! How a model was read: of each fact its value, and where that is said.

use crate::model::{Classifier, Fit, Preprocessing};
use camloc_graph::explain::Link;
use serde_json::{Value, json};

/// One fact.
pub(super) struct Row {
    pub(super) fact: &'static str,
    pub(super) value: String,
    pub(super) from: String,
}

/// All facts, in the order in which they are told.
pub(super) fn rows(classifier: &Classifier) -> Vec<Row> {
    let row = |source: &crate::model::Source| Row {
        fact: source.fact,
        value: value(classifier, source.fact),
        from: source.origin.clone(),
    };
    classifier.sources.iter().map(row).collect()
}

fn value(classifier: &Classifier, fact: &str) -> String {
    let Preprocessing { width, height, fit, filter, channels, layout, mean, std } = &classifier.preprocessing;
    match fact {
        "size" => format!("{width}x{height}"),
        "layout" => layout.to_string(),
        "channels" => channels.to_string(),
        "scale, mean and std" => {
            let (mean, std) = (channelwise(mean), channelwise(std));
            format!("(pixel - {mean}) / {std}, pixels of 0 to 255")
        }
        "fit" => fit.to_string(),
        "filter" => format!("{filter:?}").to_lowercase(),
        "output" => classifier.output.clone(),
        "labels" => labels(classifier),
        "scores" => match classifier.link {
            Some(Link::Sigmoid) => "logits, each for or against its own class".to_owned(),
            Some(Link::Identity) => "probabilities".to_owned(),
            _ => "logits, of which one class is the case".to_owned(),
        },
        _ => String::new(),
    }
}

/// One number where all channels have the same.
fn channelwise(values: &[f64; 3]) -> String {
    let short = |value: f64| format!("{}", (value * 1000.0).round() / 1000.0);
    match values {
        [first, rest @ ..] if rest.iter().all(|value| value == first) => short(*first),
        [first, second, third] => format!("[{}, {}, {}]", short(*first), short(*second), short(*third)),
    }
}

fn labels(classifier: &Classifier) -> String {
    const SHOWN: usize = 3;
    match classifier.labels.names() {
        [] => "none".to_owned(),
        names => {
            let first = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if names.len() > SHOWN { ", …" } else { "" };
            format!("{} ({first}{more})", names.len())
        }
    }
}

/// The same for programs; `from` says where each is said.
pub(super) fn json(classifier: &Classifier) -> Value {
    let Preprocessing { width, height, fit, filter, channels, layout, mean, std } = &classifier.preprocessing;
    let (rule, share) = match fit {
        Fit::Crop(share) => ("crop", Some(share)),
        Fit::Squash => ("squash", None),
        Fit::Stretch(share) => ("stretch", Some(share)),
        Fit::Letterbox(_) => ("letterbox", None),
    };
    let from: serde_json::Map<String, Value> =
        classifier.sources.iter().map(|source| (source.fact.to_owned(), json!(source.origin))).collect();
    json!({
        "title": classifier.title,
        "input": classifier.input,
        "output": classifier.output,
        "size": {"width": width, "height": height},
        "layout": layout.to_string(),
        "channels": channels.to_string(),
        "mean": mean,
        "std": std,
        "fit": rule,
        "crop": share,
        "filter": filter,
        "labels": classifier.labels.names(),
        "from": from,
        "assumed": classifier.assumed,
        "notes": classifier.notes,
    })
}
