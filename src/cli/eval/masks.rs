//! The masks that were found, written as `camloc image` writes them.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use crate::dataset::{Dataset, MaskSource, Sample};
use crate::eval::record::Record;
use crate::localize::{Region, Runs, Segmentation};
use crate::sink::{Masked, MasksSink, Sink};
use anyhow::Result;

/// The files of a dataset, which nothing may replace.
pub(super) fn inputs(dataset: &Dataset) -> Vec<&Path> {
    fn mask(sample: &Sample) -> Option<&Path> {
        match &sample.mask {
            Some(MaskSource::File(path)) => Some(path),
            _ => None,
        }
    }
    let files = dataset.samples.iter().flat_map(|sample| [Some(sample.picture.as_path()), mask(sample)]);
    files.flatten().chain(dataset.files.iter().map(PathBuf::as_path)).collect()
}

/// Writes a mask for each picture that was measured; where two classes claim a pixel, the more probable one has it.
pub(super) fn write(
    mut sink: MasksSink,
    dataset: &Dataset,
    records: &[Record],
    labels: &[String],
) -> Result<PathBuf> {
    let mut given = HashSet::new();
    let by_name: HashMap<&str, &Sample> =
        dataset.samples.iter().map(|sample| (sample.name.as_str(), sample)).collect();
    let sample = |record: &'_ Record| by_name.get(record.name.as_str()).copied();
    let measured: Vec<(&Sample, &Record)> =
        records.iter().filter_map(|record| Some((sample(record)?, record))).collect();
    for of_one in measured.chunk_by(|a, b| a.0.picture == b.0.picture) {
        let Some((sample, _)) = of_one.first() else { continue };
        let file_name = sample.name.strip_suffix(&format!("#{}", sample.class)).unwrap_or(&sample.name);
        let below: PathBuf =
            Path::new(file_name).components().filter(|part| matches!(part, Component::Normal(_))).collect();
        // Where two pictures differ in their endings alone, the second keeps its own.
        let short = below.with_extension("");
        let name = if given.insert(short.clone()) { short } else { below };
        let records: Vec<&Record> = of_one.iter().map(|(_, record)| *record).collect();
        let segmentation = &joined(&records);
        let (file_name, frame) = (file_name.to_owned(), sample.frame);
        sink.add(&Masked { name, file_name, frame, time_s: 0.0, segmentation, labels })?;
    }
    Ok(Box::new(sink).finish()?.path.unwrap_or_default())
}

/// The masks of a picture's classes as one.
fn joined(records: &[&Record]) -> Segmentation {
    let mut joined = Segmentation::empty(records.first().map_or((0, 0), |record| record.size));
    let mut records = records.to_vec();
    records.sort_by(|a, b| a.score.total_cmp(&b.score));
    for (record, label) in records.into_iter().zip(1..=u8::MAX) {
        joined.regions.push(Region { class_id: record.explained, score: record.score, track: None });
        let runs =
            record.found.as_deref().and_then(|text| Runs::from_text(record.size.0, record.size.1, text));
        if let Some(runs) = runs {
            runs.paint(&mut joined.labels, label);
        }
    }
    joined
}
