//! Two runs on the same pictures, pair by pair.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::record::{ITEM_METRICS, Record};
use super::results::Earlier;
use super::run::Outcome;
use super::statistics::{Bootstrap, Difference, Units};
use super::summary::{Summary, units};

/// Nothing to compare.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{against} has results of {theirs}, which shares no picture with {ours}: nothing to compare")]
pub(crate) struct NoPairs {
    against: String,
    theirs: String,
    ours: String,
}

/// How much better a run is than an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Comparison {
    /// The earlier run's file.
    pub against: String,
    /// How many pictures both have.
    pub pairs: usize,
    /// The differences by metric, new less old.
    pub metrics: Differences,
}

/// Differences by the metrics' names, in the order in which they are printed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Differences(pub Vec<(&'static str, Difference)>);

impl Serialize for Differences {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, Difference { difference, above }) in &self.0 {
            let object = serde_json::json!({
                "difference": difference.value, "low": difference.low, "high": difference.high, "above": above,
            });
            map.serialize_entry(key, &object)?;
        }
        map.end()
    }
}

/// Compares a run with an earlier one, on the pictures that both have.
///
/// # Errors
/// If there is no such picture.
pub(crate) fn compare(
    dataset: &str,
    outcome: &Outcome,
    summary: &Summary,
    earlier: &Earlier,
    against: &str,
    bootstrap: Bootstrap,
) -> Result<Comparison, NoPairs> {
    let pairs = earlier.common(outcome.records.iter().map(|record| record.name.as_str()));
    if pairs == 0 {
        let (theirs, ours) = (earlier.dataset.name.clone(), dataset.to_owned());
        return Err(NoPairs { against: against.to_owned(), theirs, ours });
    }
    let mut differences = Vec::new();
    for metric in &ITEM_METRICS {
        let before = earlier.values(metric.key);
        let pair = |record: &'_ Record| Some(((metric.of)(record)?, *before.get(record.name.as_str())?));
        let both: Vec<&Record> = outcome.records.iter().filter(|record| pair(record).is_some()).collect();
        let (new, old): (Vec<f64>, Vec<f64>) = both.iter().filter_map(|record| pair(record)).unzip();
        let found = bootstrap.difference_of_means(&new, &old, &units(&both));
        differences.extend(found.map(|found| (metric.key, found)));
    }
    let jitter = jitter(summary, earlier, bootstrap);
    differences.extend(jitter.map(|found| ("jitter", found)));
    Ok(Comparison { against: against.to_owned(), pairs, metrics: Differences(differences) })
}

fn jitter(summary: &Summary, earlier: &Earlier, bootstrap: Bootstrap) -> Option<Difference> {
    let pair = |(name, part): (&String, &super::summary::Part)| {
        let before = earlier.per_sequence.get(name)?.get("jitter")?.as_f64()?;
        Some((*part.scores.get("jitter")?, before))
    };
    let (new, old): (Vec<f64>, Vec<f64>) = summary.per_sequence.iter().filter_map(pair).unzip();
    bootstrap.difference_of_means(&new, &old, &Units::each(new.len()))
}
