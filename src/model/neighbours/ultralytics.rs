//! What ultralytics writes into a model's metadata: `task`, `imgsz`, `names`.

use super::super::detector_input::FILL;
use super::super::manifest::{FitName, LabelSource, Manifest, PerChannel, Size};
use super::super::names;
use super::super::preprocessing::Filter;

/// From the metadata; nothing where they are not ultralytics'.
pub(in crate::model) fn metadata<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Manifest {
    let (Some(task), Some(named)) = (get("task"), get("names")) else { return Manifest::default() };
    let size = get("imgsz").and_then(size);
    let labels = names::from_text(named).ok().map(LabelSource::List);
    let pixels = Manifest {
        size,
        labels,
        range: Some(1.0),
        mean: Some(PerChannel::All(0.0)),
        std: Some(PerChannel::All(1.0)),
        filter: Some(Filter::Bilinear),
        ..Manifest::default()
    };
    match task {
        // The shorter side becomes the input's, and the centre is cut out.
        "classify" => Manifest { fit: Some(FitName::Crop), crop: Some(1.0), ..pixels },
        "detect" | "segment" | "pose" | "obb" => {
            Manifest { fit: Some(FitName::Letterbox), fill: Some(FILL), ..pixels }
        }
        _ => Manifest::default(),
    }
}

/// `224`, or `[height, width]`.
fn size(text: &str) -> Option<Size> {
    let sides =
        text.trim().trim_matches(['[', ']', '(', ')']).split(',').map(|side| side.trim().parse().ok());
    match sides.collect::<Option<Vec<u32>>>()?[..] {
        [side] => Some(Size::Square(side)),
        [height, width] => Some(Size::HeightWidth([height, width])),
        _ => None,
    }
}
