//! Arguments that several commands share. Each group lays itself over the settings, so that a command
//! sees one plain value: command line, then environment, then the settings file, then the defaults.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::picture::PHOTO_ENDINGS;
use clap::builder::{PathBufValueParser, TypedValueParser};

use super::offered::{self, offered};
use super::settings::{self, Settings};

const PROVIDERS: [&str; 8] = ["auto", "cpu", "cuda", "tensorrt", "coreml", "directml", "openvino", "webgpu"];
const PRESETS: [&str; 6] = ["max", "ivr", "pas", "wsol", "pytorch-grad-cam", "torch-cam"];
const COLORMAPS: [&str; 7] = ["turbo", "jet", "viridis", "inferno", "magma", "plasma", "cividis"];

/// Which model explains which classes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Model", hide_possible_values = true)]
pub(super) struct ModelArgs {
    /// An ONNX image classifier, or a folder with one [default: EfficientNet-Lite0]
    #[arg(long, env = "CAMLOC_MODEL", value_name = "FILE.onnx|FOLDER")]
    model: Option<PathBuf>,
    /// How the model wants its pictures [default: NAME.toml beside the model, if there]
    #[arg(long, env = "CAMLOC_MANIFEST", value_name = "FILE.toml")]
    manifest: Option<PathBuf>,
    /// Write how the model was read as a manifest: sizes, scale, fit, output, labels
    #[arg(long, value_name = "FILE.toml")]
    write_manifest: Option<PathBuf>,
    /// Explain this many classes in one pass, best first [default: 1]
    #[arg(long, env = "CAMLOC_TOP_K", value_name = "K")]
    top_k: Option<usize>,
    /// Lock on this class; give it again for more
    #[arg(long = "class", env = "CAMLOC_CLASS", value_name = "NAME|ID", value_delimiter = ',')]
    classes: Vec<String>,
    /// How the maps are made: auto, or one of the methods that `camloc inspect` lists, such as gradcam (docs/methods.md) [default: auto]
    #[arg(long, env = "CAMLOC_METHOD", value_name = "NAME", value_parser = offered::methods("auto"))]
    method: Option<String>,
    /// The layer that the maps are made of: a name, -1 (the last) or -2; give it again for more
    #[arg(
        long = "layer",
        env = "CAMLOC_LAYER",
        value_name = "NAME|-N",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    layers: Vec<String>,
    /// How the maps of several layers become one: mean or max [default: mean]
    #[arg(long, env = "CAMLOC_FUSION", value_name = "RULE", value_parser = offered(&["mean", "max"]))]
    fusion: Option<String>,
    /// Leave the maps as coarse as the method makes them; else they follow the object by finer layers
    #[arg(long)]
    no_refine: bool,
    /// Explain this value of an output in place of a class, such as boxes:3,17
    #[arg(long, value_name = "OUTPUT:INDEX")]
    target: Option<String>,
    /// The value of a further input: a .npy file or a number; give it again for more
    #[arg(long = "input", value_name = "NAME=FILE.npy|NUMBER")]
    inputs: Vec<String>,
    /// How pictures are fitted to the model's input: model, crop, squash or letterbox [default: model]
    #[arg(
        long,
        env = "CAMLOC_FIT",
        value_name = "RULE",
        value_parser = offered(&["model", "crop", "squash", "letterbox"])
    )]
    fit: Option<String>,
    /// Prepare pictures to N x N pixels, or to WIDTH x HEIGHT, in place of the model's own size, if it takes any
    #[arg(long, env = "CAMLOC_INPUT_SIZE", value_name = "N|WxH")]
    input_size: Option<String>,
    /// Threads of one forward pass [default: as many as this process may use, 8 at most]
    #[arg(long, env = "CAMLOC_THREADS", value_name = "N")]
    threads: Option<usize>,
    /// What runs the model: auto, cpu, cuda, tensorrt, coreml, directml, openvino or webgpu (docs/providers.md) [default: auto]
    #[arg(long, env = "CAMLOC_PROVIDER", value_name = "NAME", value_parser = offered(&PROVIDERS))]
    provider: Option<String>,
}

impl ModelArgs {
    /// The settings with these arguments on top.
    pub(super) fn over(self, settings: &Settings) -> Settings {
        let mut settings = settings.clone();
        self.apply(&mut settings);
        settings
    }

    pub(super) fn apply(self, settings: &mut Settings) {
        let model = &mut settings.model;
        if let Some(path) = self.model {
            set_path(model, &path);
        }
        if let Some(path) = self.manifest {
            model.manifest = path.to_string_lossy().into_owned();
        }
        if !self.classes.is_empty() {
            model.classes = self.classes;
        }
        if !self.layers.is_empty() {
            model.layers = self.layers;
        }
        if !self.inputs.is_empty() {
            model.inputs = self.inputs;
        }
        set(&mut model.top_k, self.top_k);
        set(&mut model.method, self.method);
        set(&mut model.fusion, self.fusion);
        model.refine &= !self.no_refine;
        set(&mut model.target, self.target);
        set(&mut model.fit, self.fit);
        set(&mut model.input_size, self.input_size);
        set(&mut model.threads, self.threads);
        set(&mut model.provider, self.provider);
        model.write_manifest = self.write_manifest.or(model.write_manifest.take());
    }
}

/// How methods ask that run the model on many variants of a picture.
#[derive(Debug, clap::Args)]
#[command(
    next_help_heading = "Methods of many passes (occlusion, rise, scorecam, ablationcam)",
    hide_possible_values = true
)]
pub(super) struct BlackBoxArgs {
    /// Take this long for a picture, such as 2s, and give the best map so far
    #[arg(long, env = "CAMLOC_BUDGET", value_name = "TIME")]
    budget: Option<String>,
    /// Occlusion: side of the patch, in pixels of the model's input [default: a seventh of the shorter side]
    #[arg(long, value_name = "PIXELS")]
    patch: Option<NonZeroUsize>,
    /// Occlusion: step of the patch, in pixels of the model's input [default: 14 steps along the shorter side]
    #[arg(long, value_name = "PIXELS")]
    stride: Option<NonZeroUsize>,
    /// Occlusion: what the patch shows: grey, blur or mean [default: grey]
    #[arg(long, value_name = "WHAT", value_parser = offered(&["grey", "blur", "mean"]))]
    fill: Option<String>,
    /// RISE: how many random masks [default: 1000]
    #[arg(long, value_name = "N")]
    rise_masks: Option<usize>,
    /// Score-CAM, Ablation-CAM: ask about the N channels that vary most [default: all]
    #[arg(long, value_name = "N")]
    channels: Option<usize>,
    /// Pictures in one forward pass [default: two for each thread]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
}

impl BlackBoxArgs {
    pub(super) fn apply(self, settings: &mut Settings) {
        let black_box = &mut settings.black_box;
        set(&mut black_box.budget, self.budget);
        set(&mut black_box.patch, self.patch.map(NonZeroUsize::get));
        set(&mut black_box.stride, self.stride.map(NonZeroUsize::get));
        set(&mut black_box.fill, self.fill);
        set(&mut black_box.masks, self.rise_masks);
        set(&mut black_box.channels, self.channels);
        set(&mut black_box.batch, self.batch);
    }
}

/// Chooses another model, to which the settings' manifest does not belong.
pub(super) fn set_path(model: &mut settings::Model, path: &Path) {
    model.path = path.to_string_lossy().into_owned();
    model.manifest.clear();
}

/// From map to boxes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Boxes", hide_possible_values = true)]
pub(super) struct LocalizeArgs {
    /// Normalisation of the map: max, ivr, pas, wsol, pytorch-grad-cam or torch-cam [default: max]
    #[arg(long, env = "CAMLOC_PRESET", value_name = "NAME", value_parser = offered(&PRESETS))]
    preset: Option<String>,
    /// A pixel belongs to the object above this share of the map's peak [default: 0.4]
    #[arg(long, env = "CAMLOC_THRESHOLD", value_name = "0..1")]
    threshold: Option<f32>,
    /// Box every component of the map, or the largest only: all, largest [default: all]
    #[arg(long, env = "CAMLOC_COMPONENTS", value_name = "WHICH", value_parser = offered(&["all", "largest"]))]
    components: Option<String>,
    /// Drop components smaller than this share of what the model saw [default: 0.01]
    #[arg(long, env = "CAMLOC_MIN_AREA", value_name = "0..1")]
    min_area: Option<f32>,
    /// Drop components whose own peak is below this share of the map's [default: 0.7]
    #[arg(long, env = "CAMLOC_MIN_PEAK", value_name = "0..1")]
    min_peak: Option<f32>,
    /// Drop classes less probable than this [default: 0.1]
    #[arg(long, env = "CAMLOC_MIN_SCORE", value_name = "0..1")]
    min_score: Option<f32>,
    /// Look at what was found again, closer: boxes fit better, for one more pass each (docs/quality.md)
    #[arg(long)]
    closer: bool,
}

impl LocalizeArgs {
    pub(super) fn apply(self, settings: &mut Settings) {
        let localize = &mut settings.localize;
        set(&mut localize.preset, self.preset);
        set(&mut localize.threshold, self.threshold);
        set(&mut localize.components, self.components);
        set(&mut localize.min_area, self.min_area);
        set(&mut localize.min_peak, self.min_peak);
        set(&mut localize.min_score, self.min_score);
        localize.closer |= self.closer;
    }
}

/// From frame to frame. Photos, which have no such argument, are not followed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Boxes")]
pub(super) struct TrackArgs {
    /// Box each frame on its own instead of following boxes from frame to frame
    #[arg(long)]
    no_track: bool,
}

impl TrackArgs {
    pub(super) fn apply(self, settings: &mut Settings) {
        settings.track.enabled &= !self.no_track;
    }
}

/// What is drawn.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Overlay", hide_possible_values = true)]
pub(super) struct OverlayArgs {
    /// How much of the photo the hottest place hides [default: 0.6]
    #[arg(long, env = "CAMLOC_OPACITY", value_name = "0..1")]
    opacity: Option<f32>,
    /// turbo, jet, viridis, inferno, magma, plasma or cividis [default: turbo]
    #[arg(long, env = "CAMLOC_COLORMAP", value_name = "NAME", value_parser = offered(&COLORMAPS))]
    colormap: Option<String>,
    /// Draw no heatmap
    #[arg(long)]
    no_heatmap: bool,
    /// Draw no boxes
    #[arg(long)]
    no_boxes: bool,
    /// Remove what the map marks, ask again, and say what changes (with --method counterfactual: what speaks against)
    #[arg(long)]
    what_if: bool,
}

impl OverlayArgs {
    pub(super) fn apply(self, settings: &mut Settings) {
        let overlay = &mut settings.overlay;
        set(&mut overlay.opacity, self.opacity);
        set(&mut overlay.colormap, self.colormap);
        overlay.heatmap &= !self.no_heatmap;
        overlay.boxes &= !self.no_boxes;
        overlay.what_if |= self.what_if;
    }
}

/// The four groups, for the commands that have all of them.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    black_box: BlackBoxArgs,
    /// What is drawn by chance follows from this number
    #[arg(long, env = "CAMLOC_SEED", value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    localize: LocalizeArgs,
    #[command(flatten)]
    overlay: OverlayArgs,
}

impl ExplainArgs {
    /// The settings with these arguments on top.
    pub(super) fn over(self, settings: &Settings) -> Settings {
        let mut settings = settings.clone();
        self.model.apply(&mut settings);
        self.black_box.apply(&mut settings);
        set(&mut settings.black_box.seed, self.seed);
        self.localize.apply(&mut settings);
        self.overlay.apply(&mut settings);
        settings
    }
}

/// The endings of videos.
const VIDEOS: [&str; 5] = ["mp4", "m4v", "mov", "mkv", "webm"];

/// Whether a path is named like a picture, of a kind that camloc writes or not.
pub(super) fn is_picture(path: &Path) -> bool {
    ends_in(path, &PHOTO_ENDINGS)
}

fn ends_in(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Reads the name of a file of results, which is not that of a photo or video: those are not easily had again.
pub(super) fn results_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        if is_picture(&path) || ends_in(&path, &VIDEOS) {
            Err("JSON is written there, and it is named like a picture or video")
        } else {
            Ok(path)
        }
    })
}

/// Lays an argument, if it was given, over its setting.
pub(super) fn set<T>(setting: &mut T, argument: Option<T>) {
    if let Some(value) = argument {
        *setting = value;
    }
}

#[cfg(test)]
mod tests {
    use crate::localize::Preset;
    use crate::render::Colormap;
    use crate::runtime::Provider;
    use clap::Args;

    use super::*;

    #[test]
    fn the_help_tells_the_defaults() {
        let command = ExplainArgs::augment_args(clap::Command::new("camloc"));
        let Settings { model, black_box, localize, overlay, .. } = Settings::load(None).unwrap();
        let told = [
            ("top_k", model.top_k.to_string()),
            ("method", model.method),
            ("fusion", model.fusion),
            ("fit", model.fit),
            ("provider", model.provider),
            ("fill", black_box.fill),
            ("rise_masks", black_box.masks.to_string()),
            ("preset", localize.preset),
            ("threshold", localize.threshold.to_string()),
            ("components", localize.components),
            ("min_area", localize.min_area.to_string()),
            ("min_peak", localize.min_peak.to_string()),
            ("min_score", localize.min_score.to_string()),
            ("opacity", overlay.opacity.to_string()),
            ("colormap", overlay.colormap),
        ];
        for (name, default) in told {
            let argument = command.get_arguments().find(|argument| argument.get_id() == name).unwrap();
            let help = argument.get_help().unwrap().to_string();
            assert!(help.ends_with(&format!("[default: {default}]")), "{name}: {help}");
        }
    }

    #[test]
    fn all_that_a_shell_completes_is_known() {
        assert!(PRESETS.iter().all(|name| name.parse::<Preset>().is_ok()));
        assert!(COLORMAPS.iter().all(|name| name.parse::<Colormap>().is_ok()));
        assert!(PROVIDERS[1..].iter().all(|name| name.parse::<Provider>().is_ok()));
        let all = (Preset::ALL.len(), Colormap::ALL.len(), 1 + Provider::ALL.len());
        assert_eq!((PRESETS.len(), COLORMAPS.len(), PROVIDERS.len()), all);
    }
}
