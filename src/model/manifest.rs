//! The manifest: a TOML file beside a model that says how to feed it; `docs/model-manifest.md` shows it.

use std::ops::Range;

use camloc_graph::explain::Link;
use serde::{Deserialize, Serialize};

use super::error::ModelError;
use super::preprocessing::{Channels, Filter, Fit, Layout};

/// The smallest such share: of less no picture has a pixel.
const LEAST_CROP: f64 = 0.01;
/// The share of the short side that a crop takes unless told otherwise: 224 of 256, torchvision's.
pub(super) const CROP: f64 = 0.875;

/// The colour around a letterboxed picture unless told otherwise.
const FILL: [u8; 3] = [128; 3];

/// The largest side of an input, whether a manifest asks for it or the graph.
pub(super) const MOST_PIXELS: u32 = 4096;

/// Every key, for the hint on a misspelt one.
const KEYS: [&str; 14] = [
    "title", "size", "fit", "crop", "fill", "filter", "range", "mean", "std", "channels", "layout", "labels",
    "output", "scores",
];

/// A manifest as it is written; every key may be left out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fit: Option<FitName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) crop: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fill: Option<[u8; 3]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<Filter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mean: Option<PerChannel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) std: Option<PerChannel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channels: Option<Channels>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) layout: Option<Layout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<LabelSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scores: Option<ScoresAre>,
}

/// What the output of class scores holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ScoresAre {
    /// Logits, of which one class is the case.
    #[serde(alias = "logits")]
    Softmax,
    /// Logits, each of them for or against its own class.
    Sigmoid,
    /// Probabilities already.
    Probabilities,
}

impl ScoresAre {
    pub(super) fn link(self) -> Link {
        match self {
            ScoresAre::Softmax => Link::Softmax,
            ScoresAre::Sigmoid => Link::Sigmoid,
            ScoresAre::Probabilities => Link::Identity,
        }
    }

    /// `None` for what no manifest can say.
    pub(super) fn of(link: Link) -> Option<ScoresAre> {
        match link {
            Link::Softmax => Some(ScoresAre::Softmax),
            Link::Sigmoid => Some(ScoresAre::Sigmoid),
            Link::Identity => Some(ScoresAre::Probabilities),
            Link::Exponential => None,
        }
    }
}

/// `size = 224` or `size = [height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "size is one number of pixels, or [height, width]")]
pub(super) enum Size {
    Square(u32),
    HeightWidth([u32; 2]),
}

impl Size {
    /// Height and width.
    pub(super) fn sides(self) -> (u32, u32) {
        match self {
            Size::Square(side) => (side, side),
            Size::HeightWidth([height, width]) => (height, width),
        }
    }
}

/// The names of [`Fit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FitName {
    Crop,
    Squash,
    Stretch,
    Letterbox,
}

/// One value for all channels, or one for each.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged, expecting = "mean and std are one number, or one number for each of three channels")]
pub(super) enum PerChannel {
    All(f64),
    Each([f64; 3]),
}

impl PerChannel {
    pub(super) fn values(self) -> [f64; 3] {
        match self {
            PerChannel::All(value) => [value; 3],
            PerChannel::Each(values) => values,
        }
    }
}

/// `labels = "imagenet.txt"` or `labels = ["cat", "dog"]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "labels is the name of a file with one label a line, or a list of labels")]
pub(super) enum LabelSource {
    File(String),
    List(Vec<String>),
}

impl Manifest {
    /// Reads a manifest; `name` is for messages.
    pub(super) fn parse(text: &str, name: &str) -> Result<Manifest, ModelError> {
        let syntax = |error: toml::de::Error| ModelError::Syntax {
            manifest: name.to_owned(),
            line: error.span().map(|span| line_of(text, &span)),
            reason: error.message().replace('\n', " "),
        };
        let table: toml::Table = text.parse().map_err(syntax)?;
        for key in table.keys() {
            if !KEYS.contains(&key.as_str()) {
                return Err(ModelError::UnknownKey {
                    manifest: name.to_owned(),
                    key: key.clone(),
                    nearest: nearest(key),
                });
            }
        }
        let manifest: Manifest = toml::from_str(text).map_err(syntax)?;
        match manifest.fault() {
            Some(reason) => Err(ModelError::Value { manifest: name.to_owned(), reason }),
            None => Ok(manifest),
        }
    }

    /// What makes no sense, in words.
    pub(super) fn fault(&self) -> Option<String> {
        let (height, width) = self.size.map_or((1, 1), Size::sides);
        if !(1..=MOST_PIXELS).contains(&height) || !(1..=MOST_PIXELS).contains(&width) {
            return Some(format!("size must be from 1 to {MOST_PIXELS} pixels"));
        }
        if self.crop.is_some_and(|share| !(LEAST_CROP..=1.0).contains(&share)) {
            return Some(format!("crop is a share of the short side, from {LEAST_CROP} to 1, such as 0.875"));
        }
        if self.crop.is_some() && !matches!(self.fit, None | Some(FitName::Crop | FitName::Stretch)) {
            return Some("crop goes only with fit = \"crop\" or \"stretch\"".to_owned());
        }
        if self.fill.is_some() && self.fit != Some(FitName::Letterbox) {
            return Some("fill goes only with fit = \"letterbox\"".to_owned());
        }
        let range = self.range.unwrap_or(255.0);
        if !(range.is_finite() && range > 0.0) {
            return Some("range must be over 0; it is 255, or 1 for pixels scaled to 0..1".to_owned());
        }
        let (mean, std) = (self.mean.map(PerChannel::values), self.std.map(PerChannel::values));
        if mean.is_some_and(|mean| mean.iter().any(|value| !value.is_finite())) {
            return Some("mean must be finite".to_owned());
        }
        if std.is_some_and(|std| std.iter().any(|value| !value.is_finite() || *value == 0.0)) {
            return Some("std must be finite and not 0".to_owned());
        }
        let fractions = |values: [f64; 3]| values.iter().all(|value| *value > 0.0 && *value < 1.0);
        if self.range.is_none() && mean.is_some_and(fractions) {
            return Some("a mean below 1 is meant for pixels of 0..1: add range = 1".to_owned());
        }
        None
    }

    /// The resize rule; a centre crop of 0.875 unless told otherwise.
    pub(super) fn fit(&self) -> Fit {
        match self.fit {
            Some(FitName::Squash) => Fit::Squash,
            Some(FitName::Stretch) => Fit::Stretch(self.crop.unwrap_or(CROP)),
            Some(FitName::Letterbox) => Fit::Letterbox(self.fill.unwrap_or(FILL)),
            Some(FitName::Crop) | None => Fit::Crop(self.crop.unwrap_or(CROP)),
        }
    }

    /// Mean and standard deviation in units of 0..255; `None` where the manifest says nothing of them.
    pub(super) fn mean_std(&self) -> Option<([f64; 3], [f64; 3])> {
        if self.range.is_none() && self.mean.is_none() && self.std.is_none() {
            return None;
        }
        let unit = 255.0 / self.range.unwrap_or(255.0);
        let mean = self.mean.map_or([0.0; 3], PerChannel::values).map(|value| value * unit);
        let std = self.std.map_or([1.0; 3], PerChannel::values).map(|value| value * unit);
        Some((mean, std))
    }

    /// The manifest as TOML.
    pub(super) fn to_toml(&self) -> String {
        // Serialisation fails only for types that no key has: maps with other keys than text.
        toml::to_string(self).unwrap_or_default()
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    1 + text.bytes().take(span.start).filter(|&byte| byte == b'\n').count()
}

fn nearest(key: &str) -> &'static str {
    let likeness = |known: &&str| strsim::jaro_winkler(known, key);
    KEYS.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or(KEYS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Manifest {
        Manifest::parse(text, "m.toml").unwrap()
    }

    fn refusal(text: &str) -> String {
        let words = Manifest::parse(text, "m.toml").unwrap_err().to_string();
        assert_eq!(words.lines().count(), 1, "{words}");
        words
    }

    #[test]
    fn normalisation_is_written_in_the_unit_of_its_source() {
        let torchvision = parse("range = 1\nmean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]");
        let (mean, std) = torchvision.mean_std().unwrap();
        assert!((mean[0] - 123.675).abs() < 1e-9 && (std[2] - 57.375).abs() < 1e-9);
        assert_eq!(parse("mean = 127.5\nstd = 127.5").mean_std(), Some(([127.5; 3], [127.5; 3])));
        let caffe = parse("mean = [104, 117, 123]\nchannels = \"bgr\"");
        assert_eq!(caffe.mean_std(), Some(([104.0, 117.0, 123.0], [1.0; 3])));
        assert_eq!(parse("range = 1").mean_std(), Some(([0.0; 3], [255.0; 3])));
        assert_eq!(parse("size = 224").mean_std(), None);
    }

    #[test]
    fn every_resize_rule_can_be_written() {
        assert_eq!(parse("").fit(), Fit::Crop(0.875));
        assert_eq!(parse("crop = 1").fit(), Fit::Crop(1.0));
        assert_eq!(parse("fit = \"squash\"").fit(), Fit::Squash);
        assert_eq!(parse("fit = \"letterbox\"\nfill = [0, 1, 2]").fit(), Fit::Letterbox([0, 1, 2]));
        assert_eq!(parse("size = [3, 4]").size.map(Size::sides), Some((3, 4)));
    }

    #[test]
    fn mistakes_are_named_with_the_way_out() {
        assert_eq!(refusal("stdev = 1"), "m.toml has an unknown key 'stdev', did you mean 'std'?");
        assert_eq!(
            refusal("chanels = \"rgb\""),
            "m.toml has an unknown key 'chanels', did you mean 'channels'?"
        );
        assert!(refusal("\n\nsize = ").starts_with("m.toml, line 3: "));
        assert!(refusal("size = \"big\"").contains("one number of pixels, or [height, width]"));
        assert!(refusal("filter = \"cubic\"").contains("bicubic"));
        assert!(refusal("mean = [0.485, 0.456, 0.406]").contains("add range = 1"));
        assert!(refusal("crop = 87.5").contains("share of the short side"));
        assert!(refusal("crop = 0.9\nfit = \"squash\"").contains("only with fit"));
        assert!(refusal("std = 0").contains("not 0"));
        assert!(refusal("mean = nan").contains("finite"));
        assert!(refusal("size = 0").contains("1 to 4096"));
        assert!(refusal("size = [1, 2, 3]").contains("[height, width]"));
    }

    #[test]
    fn the_list_of_keys_is_complete() {
        let text = "title=''\nsize=1\nfit='crop'\ncrop=1\nfilter='box'\nrange=1\nmean=0\nstd=1\n\
                    channels='rgb'\nlayout='nchw'\nlabels=['a']\noutput='y'\nscores='logits'\n";
        let written: toml::Table = parse(text).to_toml().parse().unwrap();
        let mut keys: Vec<&str> = written.keys().map(String::as_str).chain(["fill"]).collect();
        let mut known = KEYS;
        keys.sort_unstable();
        known.sort_unstable();
        assert_eq!(keys, known);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = "size = [10, 20]\nfit = \"letterbox\"\nfill = [1, 2, 3]\nmean = [1.5, 2.0, 3.0]\n\
                    labels = [\"a\", \"b\"]\n";
        let manifest = parse(text);
        assert_eq!(parse(&manifest.to_toml()), manifest);
    }
}
