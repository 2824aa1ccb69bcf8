//! What Google's Teachable Machine leaves beside a model of pictures: `metadata.json`.

use serde_json::Value;

use super::super::manifest::{FitName, LabelSource, Manifest, PerChannel, Size};
use super::super::names;
use super::pixels;

/// From `metadata.json`; nothing where it is not Teachable Machine's.
pub(super) fn metadata(metadata: &Value) -> Manifest {
    if !["tmVersion", "tfjsVersion", "packageName"].iter().any(|key| metadata.get(*key).is_some()) {
        return Manifest::default();
    }
    let labels = metadata.get("labels").and_then(|labels| names::from_json(labels).ok());
    Manifest {
        size: metadata.get("imageSize").and_then(pixels).or(Some(224)).map(Size::Square),
        // The largest centred square, in -1..1.
        fit: Some(FitName::Crop),
        crop: Some(1.0),
        range: Some(255.0),
        mean: Some(PerChannel::All(127.5)),
        std: Some(PerChannel::All(127.5)),
        labels: labels.map(LabelSource::List),
        ..Manifest::default()
    }
}
