//! What `timm` leaves beside a model: a `config.json` with `pretrained_cfg`.

use serde_json::Value;

use super::super::manifest::{FitName, LabelSource, Manifest, PerChannel, Size};
use super::super::preprocessing::{Channels, Filter};
use super::{per_channel, pixels};

/// From `config.json`; `None` where it is not timm's.
pub(super) fn config(config: &Value) -> Option<Manifest> {
    let own = config.get("pretrained_cfg").filter(|own| own.is_object())?;
    let mut says = data(own);
    says.labels = labels(config).or_else(|| labels(own)).map(LabelSource::List);
    Some(says)
}

/// From the settings of timm's own transformation: `input_size`, `crop_pct`, `interpolation`, `mean`, `std`.
pub(super) fn data(data: &Value) -> Manifest {
    let mut says = Manifest::default();
    if let Some([channels, height, width]) = data.get("input_size").and_then(three) {
        says.size = Some(Size::HeightWidth([height, width]));
        says.channels = (channels == 1).then_some(Channels::Gray);
    }
    says.filter = data.get("interpolation").and_then(Value::as_str).and_then(filter);
    if let Some(mean) = data.get("mean").and_then(per_channel) {
        let std = data.get("std").and_then(per_channel).unwrap_or([1.0; 3]);
        says.range = Some(1.0);
        (says.mean, says.std) = (Some(PerChannel::Each(mean)), Some(PerChannel::Each(std)));
    }
    if let Some(share) = data.get("crop_pct").and_then(Value::as_f64) {
        says.fit = Some(match data.get("crop_mode").and_then(Value::as_str) {
            Some("squash") if share < 1.0 => FitName::Stretch,
            Some("squash") => FitName::Squash,
            Some("border") => FitName::Letterbox,
            _ => FitName::Crop,
        });
        says.crop = matches!(says.fit, Some(FitName::Crop | FitName::Stretch)).then_some(share);
    }
    says
}

/// The classes' names: described, where they are only numbers of WordNet.
fn labels(config: &Value) -> Option<Vec<String>> {
    let names = config.get("label_names")?.as_array()?;
    let described = config.get("label_descriptions");
    names
        .iter()
        .map(|name| {
            let name = name.as_str()?;
            let described = described.and_then(|described| described.get(name)?.as_str());
            Some(described.unwrap_or(name).to_owned())
        })
        .collect()
}

fn three(value: &Value) -> Option<[u32; 3]> {
    let sizes = value.as_array()?.iter().map(pixels).collect::<Option<Vec<u32>>>()?;
    sizes.try_into().ok()
}

fn filter(name: &str) -> Option<Filter> {
    match name {
        "nearest" => Some(Filter::Nearest),
        "box" => Some(Filter::Box),
        "bilinear" => Some(Filter::Bilinear),
        "bicubic" => Some(Filter::Bicubic),
        "lanczos" => Some(Filter::Lanczos),
        _ => None,
    }
}
