//! What Hugging Face's `transformers` leaves beside a model: `config.json` names the classes, `preprocessor_config.json` says
//! how pictures are prepared.

use serde_json::Value;

use super::super::manifest::{FitName, LabelSource, Manifest, PerChannel, ScoresAre, Size};
use super::super::names;
use super::super::preprocessing::{Channels, Filter};
use super::{per_channel, pixels, timm};

/// From `config.json`: the names of the classes, and where nothing better is known, the size.
pub(super) fn config(config: &Value) -> Manifest {
    let mut says = Manifest::default();
    let named = config.get("id2label").or_else(|| config.get("label2id"));
    says.labels = named
        .and_then(|named| names::from_json(named).ok())
        .filter(|names| !placeholders(names))
        .map(LabelSource::List);
    says.size = config.get("image_size").and_then(size);
    let several = config.get("problem_type").and_then(Value::as_str) == Some("multi_label_classification");
    says.scores = several.then_some(ScoresAre::Sigmoid);
    says
}

/// Whether these are the names that a model has before it is given any.
fn placeholders(names: &[String]) -> bool {
    names.iter().enumerate().all(|(id, name)| *name == format!("LABEL_{id}"))
}

/// From `preprocessor_config.json`, or the part of `processor_config.json` that is about pictures.
pub(super) fn preprocessor(config: &Value) -> Manifest {
    let config = config.get("image_processor").filter(|part| part.is_object()).unwrap_or(config);
    if let Some(data) = config.get("data_config") {
        return timm::data(data);
    }
    let reader = Reader { config };
    let mut says = Manifest { filter: reader.filter(), ..Manifest::default() };
    reader.scale(&mut says);
    reader.fit(&mut says);
    if reader.flag("do_flip_channel_order", false) {
        says.channels = Some(Channels::Bgr);
    }
    says
}

/// Reads the settings of an image processor.
struct Reader<'v> {
    config: &'v Value,
}

impl Reader<'_> {
    fn flag(&self, key: &str, otherwise: bool) -> bool {
        self.config.get(key).and_then(Value::as_bool).unwrap_or(otherwise)
    }

    /// The processor's name without what all of them end in: `ViT`, `ConvNext`, `DeiT`.
    fn kind(&self) -> &str {
        let name = ["image_processor_type", "feature_extractor_type"]
            .iter()
            .find_map(|key| self.config.get(*key)?.as_str())
            .unwrap_or_default();
        let name = name.strip_suffix("Fast").unwrap_or(name);
        ["ImageProcessor", "FeatureExtractor"]
            .iter()
            .find_map(|ending| name.strip_suffix(ending))
            .unwrap_or(name)
    }

    /// Pillow's numbers of filters.
    fn filter(&self) -> Option<Filter> {
        match self.config.get("resample")?.as_u64()? {
            0 => Some(Filter::Nearest),
            1 => Some(Filter::Lanczos),
            2 => Some(Filter::Bilinear),
            3 => Some(Filter::Bicubic),
            4 => Some(Filter::Box),
            _ => None,
        }
    }

    /// `(x * rescale_factor - mean) / std`, each step where it is done.
    fn scale(&self, says: &mut Manifest) {
        let get = |key: &str| self.config.get(key);
        let mean = get("image_mean").and_then(per_channel);
        let std = get("image_std").and_then(per_channel);
        let known = ["do_rescale", "rescale_factor", "do_normalize"].iter().any(|key| get(key).is_some());
        if !known && mean.is_none() {
            return;
        }
        let factor = get("rescale_factor").and_then(Value::as_f64).unwrap_or(1.0 / 255.0);
        let rescale = self.flag("do_rescale", true);
        says.range = Some(if rescale { 255.0 * factor } else { 255.0 });
        // Before `do_normalize` was written down, a mean said that there is one.
        let normalise = self.flag("do_normalize", mean.is_some());
        let (mut mean, mut std) = if normalise {
            (mean.unwrap_or([0.0; 3]), std.unwrap_or([1.0; 3]))
        } else {
            ([0.0; 3], [1.0; 3])
        };
        if rescale && self.flag("rescale_offset", false) {
            mean = mean.map(|mean| mean + 1.0);
        }
        if self.flag("include_top", false) && normalise {
            // EfficientNet's divides by the deviation a second time.
            std = std.map(|std| std * std);
        }
        (says.mean, says.std) = (Some(PerChannel::Each(mean)), Some(PerChannel::Each(std)));
    }

    /// What is resized, and what is cut out of it.
    fn fit(&self, says: &mut Manifest) {
        if !self.flag("do_resize", true) {
            return;
        }
        let Some(resized) = self.config.get("size").and_then(|size| Resized::of(size, self.by_short_side()))
        else {
            return;
        };
        let crop_size = self.config.get("crop_size").and_then(size);
        let crop = crop_size.filter(|_| self.flag("do_center_crop", true));
        match (resized, crop, self.config.get("crop_pct").and_then(Value::as_f64)) {
            // ConvNeXt's processor: small ones are cut out of a larger picture, large ones take the whole of it.
            (Resized::ShortSide(side), _, share)
                if self.kind() == "ConvNext" || self.kind() == "ConvNeXT" =>
            {
                says.size = Some(Size::Square(side));
                (says.fit, says.crop) = if side < 384 {
                    (Some(FitName::Crop), Some(share.unwrap_or(224.0 / 256.0)))
                } else {
                    (Some(FitName::Squash), None)
                };
            }
            // LeViT's enlarges by 256 / 224 first.
            (Resized::ShortSide(side), crop, _) if self.kind() == "Levit" => {
                let enlarged = (256.0 / 224.0 * f64::from(side)).floor();
                says.size = Some(crop.unwrap_or(Size::Square(side)));
                (says.fit, says.crop) = (Some(FitName::Crop), share(crop_side(says.size), enlarged));
            }
            // PoolFormer's enlarges by its share.
            (Resized::ShortSide(side), crop, Some(share)) => {
                says.size = Some(crop.unwrap_or(Size::Square(side)));
                (says.fit, says.crop) = (Some(FitName::Crop), Some(share));
            }
            (Resized::ShortSide(side), crop, None) => {
                says.size = Some(crop.unwrap_or(Size::Square(side)));
                (says.fit, says.crop) = (Some(FitName::Crop), share(crop_side(says.size), f64::from(side)));
            }
            (Resized::Exact(whole), crop, _) => {
                says.size = Some(crop.unwrap_or(whole));
                let cut = share(crop_side(crop), crop_side(Some(whole)).map_or(1.0, f64::from));
                says.crop = cut.filter(|&cut| cut < 1.0);
                says.fit = Some(if says.crop.is_some() { FitName::Stretch } else { FitName::Squash });
            }
        }
    }

    /// What a size of one number means: the shorter side, or both.
    fn by_short_side(&self) -> bool {
        match self.kind() {
            "ViT" | "Beit" | "DeiT" | "Segformer" | "Data2VecVision" | "Swin2SR" | "Pvt" => false,
            "" => self.config.get("crop_size").is_some() || self.config.get("crop_pct").is_some(),
            _ => true,
        }
    }
}

/// What a picture is resized to before anything is cut out.
#[derive(Clone, Copy)]
enum Resized {
    /// Its shorter side; its aspect stays.
    ShortSide(u32),
    /// Exactly this, whatever its aspect.
    Exact(Size),
}

impl Resized {
    fn of(value: &Value, by_short_side: bool) -> Option<Resized> {
        if let Some(side) = value.get("shortest_edge").and_then(pixels) {
            return Some(Resized::ShortSide(side));
        }
        match (value, size(value)?) {
            (Value::Number(_), Size::Square(side)) if by_short_side => Some(Resized::ShortSide(side)),
            (_, size) => Some(Resized::Exact(size)),
        }
    }
}

/// A number, a pair, or height and width.
fn size(value: &Value) -> Option<Size> {
    let pair = |first: &Value, second: &Value| Some(Size::HeightWidth([pixels(first)?, pixels(second)?]));
    match value {
        Value::Number(_) => pixels(value).map(Size::Square),
        Value::Array(sides) => match sides.as_slice() {
            [height, width] => pair(height, width),
            _ => None,
        },
        Value::Object(_) => pair(value.get("height")?, value.get("width")?),
        _ => None,
    }
}

fn crop_side(size: Option<Size>) -> Option<u32> {
    size.map(|size| size.sides()).map(|(height, width)| height.min(width))
}

/// The share of a side that is cut out; more than the whole is the whole.
fn share(cut: Option<u32>, whole: f64) -> Option<f64> {
    cut.map(|cut| (f64::from(cut) / whole.max(1.0)).min(1.0))
}
