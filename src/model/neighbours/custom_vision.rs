//! What Azure's Custom Vision, and whoever writes for Windows ML, says of a model: the metadata that ONNX defines for
//! pictures, and `metadata_properties.json` beside the file.

use serde_json::Value;

use super::super::manifest::{FitName, Manifest, PerChannel, Size};
use super::super::preprocessing::Channels;
use super::per_channel;

/// From the metadata that ONNX defines: `Image.BitmapPixelFormat` and `Image.NominalPixelRange`.
pub(in crate::model) fn metadata<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Manifest {
    let channels = match get("Image.BitmapPixelFormat") {
        Some("Gray8" | "Gray16") => Some(Channels::Gray),
        Some("Rgb8" | "Rgba8" | "Rgb16" | "Rgba16") => Some(Channels::Rgb),
        Some("Bgr8" | "Bgra8" | "Bgr16" | "Bgra16") => Some(Channels::Bgr),
        _ => None,
    };
    let (range, mean, std) = match get("Image.NominalPixelRange") {
        Some("NominalRange_0_255") => (255.0, 0.0, 1.0),
        Some("Normalized_0_1") => (1.0, 0.0, 1.0),
        Some("Normalized_1_1") => (255.0, 127.5, 127.5),
        // Studio swing: black at 16, white at 235.
        Some("NominalRange_16_235") => (219.0, -16.0, 1.0),
        _ => return Manifest { channels, ..Manifest::default() },
    };
    Manifest {
        channels,
        range: Some(range),
        mean: Some(PerChannel::All(mean)),
        std: Some(PerChannel::All(std)),
        ..Manifest::default()
    }
}

/// From `metadata_properties.json`; nothing where it is not Custom Vision's.
pub(super) fn properties(properties: &Value) -> Manifest {
    let get = |key: &str| properties.get(format!("CustomVision.Preprocess.{key}"))?.as_str();
    // Lists and numbers stand in it as texts.
    let number = |key: &str| get(key)?.parse::<u32>().ok().filter(|&number| number > 0);
    let list = |key: &str| per_channel(&serde_json::from_str(get(key)?).ok()?);
    let (Some(height), Some(width)) = (number("TargetHeight"), number("TargetWidth")) else {
        return Manifest::default();
    };
    let crop = number("CropHeight").zip(number("CropWidth"));
    let (fit, share) = match (get("CropMethod"), crop) {
        (Some("CenterCrop" | "CropCenter"), Some((cut, _))) => {
            (FitName::Crop, Some((f64::from(cut) / f64::from(height)).min(1.0)))
        }
        (Some("NoCrop"), _) => (FitName::Squash, None),
        _ => (FitName::Crop, Some(1.0)),
    };
    let (height, width) = crop.filter(|_| share.is_some_and(|share| share < 1.0)).unwrap_or((height, width));
    let mean = list("NormalizeMean");
    Manifest {
        size: Some(Size::HeightWidth([height, width])),
        fit: Some(fit),
        crop: share,
        range: mean.map(|_| 255.0),
        mean: mean.map(PerChannel::Each),
        std: list("NormalizeStd").filter(|_| mean.is_some()).map(PerChannel::Each),
        // Its networks take blue first.
        channels: Some(Channels::Bgr),
        ..Manifest::default()
    }
}
