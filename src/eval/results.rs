//! The results of a run as JSON (`docs/evaluating.md` documents it), and those of an earlier run read back.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::compare::Comparison;
use super::metrics::Rect;
use super::record::{ITEM_METRICS, Record};
use super::run::Outcome;
use super::summary::Summary;

/// Version of the JSON; changes only when a key changes its meaning or goes.
const SCHEMA: u32 = 1;

/// What was evaluated, and how.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Subject {
    /// The dataset's name.
    pub dataset: String,
    /// The name of its format.
    pub format: &'static str,
    /// How many samples it has.
    pub samples: usize,
    /// The model's title.
    pub model: String,
    /// The method that made the maps, `cam refined` where they are refined.
    pub method: String,
    /// The layer that they are of.
    pub layer: String,
    /// Settings by name.
    pub settings: BTreeMap<&'static str, Value>,
}

/// The results as one JSON object.
pub(crate) fn to_json(
    subject: &Subject,
    outcome: &Outcome,
    summary: &Summary,
    comparison: Option<&Comparison>,
) -> Value {
    let mut object = Map::new();
    object.insert("schema".into(), json!(SCHEMA));
    object.insert(
        "dataset".into(),
        json!({"name": subject.dataset, "format": subject.format, "samples": subject.samples,
            "evaluated": outcome.records.len()}),
    );
    object.insert(
        "model".into(),
        json!({"title": subject.model, "method": subject.method, "layer": subject.layer}),
    );
    object.insert("settings".into(), json!(subject.settings));
    for metric in &summary.metrics {
        object.insert(metric.key.into(), json!(metric));
    }
    let baselines = summary.metrics.iter().filter(|metric| !metric.baselines.is_empty());
    let baselines: Map<String, Value> = baselines
        .map(|metric| {
            (metric.key.to_owned(), json!(metric.baselines.iter().copied().collect::<BTreeMap<_, _>>()))
        })
        .collect();
    object.insert("baselines".into(), baselines.into());
    object.insert("per_class".into(), json!(summary.per_class));
    object.insert("per_sequence".into(), json!(summary.per_sequence));
    object.insert("faults".into(), json!(outcome.faults));
    if let Some(comparison) = comparison {
        object.insert("comparison".into(), json!(comparison));
    }
    object.insert("items".into(), outcome.records.iter().map(item).collect());
    Value::Object(object)
}

fn item(record: &Record) -> Value {
    let corners = |bbox: &Rect| [bbox.x0, bbox.y0, bbox.x1, bbox.y1];
    let mut item = Map::new();
    item.insert("name".into(), json!(record.name));
    item.insert("class".into(), json!(record.class));
    if let Some(sequence) = &record.sequence {
        item.insert("sequence".into(), json!(sequence));
    }
    item.insert("class_id".into(), json!(record.explained));
    item.insert("predicted".into(), json!(record.predicted));
    item.insert("score".into(), json!(record.score));
    item.insert("width".into(), json!(record.size.0));
    item.insert("height".into(), json!(record.size.1));
    item.insert("truth".into(), json!(record.truth.iter().map(corners).collect::<Vec<_>>()));
    item.insert("box".into(), json!(record.bbox.as_ref().map(corners)));
    item.insert("peak".into(), json!(record.peak));
    for metric in &ITEM_METRICS {
        if let Some(value) = (metric.of)(record) {
            item.insert(metric.key.into(), json!(value));
        }
    }
    Value::Object(item)
}

/// An earlier run, as far as it is compared with.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Earlier {
    /// Its dataset.
    pub dataset: EarlierDataset,
    /// Its scores by video.
    #[serde(default)]
    pub(super) per_sequence: HashMap<String, HashMap<String, Value>>,
    items: Vec<Map<String, Value>>,
}

/// The dataset of an earlier run.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EarlierDataset {
    /// Its name.
    pub name: String,
}

/// A file is no earlier run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EarlierError {
    /// It is not there.
    #[error("{name} does not exist")]
    Missing {
        /// The file.
        name: String,
    },
    /// It can't be read.
    #[error("{name} can't be read: {}", .source.kind())]
    Unreadable {
        /// The file.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It has other content.
    #[error("{name} is not what camloc eval --json writes: {reason}")]
    NotResults {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

impl Earlier {
    /// The runs in a file, one for each dataset.
    pub(crate) fn read(path: &Path) -> Result<Vec<Earlier>, EarlierError> {
        let name = || path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => EarlierError::Missing { name: name() },
            _ => EarlierError::Unreadable { name: name(), source },
        })?;
        let wrong =
            |error: serde_json::Error| EarlierError::NotResults { name: name(), reason: error.to_string() };
        let value: Value = serde_json::from_slice(&bytes).map_err(wrong)?;
        match value.get("datasets") {
            Some(datasets) => serde_json::from_value(datasets.clone()).map_err(wrong),
            None => Ok(vec![serde_json::from_value(value).map_err(wrong)?]),
        }
    }

    /// By the samples' names, the values of a metric.
    pub(super) fn values(&self, key: &str) -> HashMap<&str, f64> {
        let value = |item: &'_ Map<String, Value>| item.get(key)?.as_f64();
        self.items.iter().filter_map(|item| Some((item.get("name")?.as_str()?, value(item)?))).collect()
    }

    /// How many of these names it has.
    pub(super) fn common<'a>(&self, names: impl Iterator<Item = &'a str>) -> usize {
        let mine: std::collections::HashSet<&str> =
            self.items.iter().filter_map(|item| item.get("name")?.as_str()).collect();
        names.filter(|name| mine.contains(name)).count()
    }
}
