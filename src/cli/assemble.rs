//! From settings to the library's parts, ready to run.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::assets::{self, Asset, Progress, Step, Store};
use crate::explainer::Explainer;
use crate::explainer::{Method, Request, black_box};
use crate::files::{Stop, check_outputs, write_file};
use crate::frame::Picture;
use crate::localize;
use crate::model::{Classifier, Fit, Labels};
use crate::pipeline::Look;
use crate::render::{HeatScale, Renderer, Style, TextRenderer};
use crate::runtime::{self, Options};
use crate::source::read_photo;
use crate::track::Tracking;
use anyhow::{Context as _, Result, anyhow};
use camloc_graph::explain::{MadeBy, Unrefined};

use super::report::Report;
use super::settings::{self, Localize, Overlay, Settings};
use super::{providers, usage};

/// The cache of pinned downloads.
pub(super) fn store() -> Result<Store> {
    Ok(Store::open()?)
}

/// Fetches an asset unless it is there.
pub(super) fn fetch(store: &Store, asset: Asset, report: &Report) -> Result<PathBuf> {
    Ok(fetching(report, |progress| store.get(asset, progress))?)
}

/// Does `work` under a progress bar that shows what is being downloaded, if anything is.
fn fetching<T>(report: &Report, work: impl FnOnce(&mut dyn FnMut(Progress)) -> T) -> T {
    let mut bar = None;
    work(&mut |Progress { what, step, bytes, total }| {
        let bar = bar.get_or_insert_with(|| report.bytes(what, Some(total)));
        match step {
            Step::Waiting => bar.set_message(format!("{what} (another camloc is at it)")),
            Step::Downloading => bar.set_position(bytes),
            Step::Unpacking => bar.set_message(format!("{what} (unpacking)")),
            Step::Done => bar.finish_and_clear(),
        }
    })
}

/// More cores than machines have.
const MOST_THREADS: usize = 256;

/// Loads the ONNX Runtime that has the execution provider of the settings.
pub(super) fn library(settings: &Settings, store: &Store, report: &Report) -> Result<()> {
    let wish = providers::wish(&settings.model.provider)?;
    let path = fetch(store, providers::library(wish, store)?, report)?;
    runtime::init(&path)?;
    providers::plugins(wish, store)?.iter().try_for_each(|plugin| Ok(runtime::add_plugin(plugin)?))
}

/// How the settings have a model run.
pub(super) fn options(settings: &Settings) -> Result<Options> {
    let provider = providers::wish(&settings.model.provider)?;
    let threads = settings.model.threads;
    // ONNX Runtime starts them all, whatever the machine has; where they can't be had it waits for ever.
    if threads > MOST_THREADS {
        return Err(usage(anyhow!(
            "{threads} threads are more than any machine runs: use 1 to {MOST_THREADS}"
        )));
    }
    Ok(Options { threads, provider, ..Options::default() })
}

/// The default model, imported on first use.
pub(super) fn default_classifier(store: &Store, report: &Report) -> Result<Classifier> {
    Ok(fetching(report, |progress| Classifier::default_model(store, progress))?)
}

/// The ffmpeg that is named, on PATH, or pinned.
pub(super) fn ffmpeg(store: &Store, report: &Report) -> Result<PathBuf> {
    Ok(fetching(report, |progress| store.ffmpeg(progress))?)
}

/// The sample photos, in the order of their names.
pub(super) fn sample_photos(store: &Store, report: &Report) -> Result<Vec<Picture>> {
    let folder = fetch(store, Asset::SamplePhotos, report)?;
    let names = ["chelsea.png", "coffee.png", "rocket.jpg"];
    names.iter().map(|name| Ok(read_photo(&folder.join(name))?)).collect()
}

/// The classifier that the settings name, with what had to be assumed about it said in one line.
pub(super) fn classifier(settings: &Settings, store: &Store, report: &Report) -> Result<Classifier> {
    let model = &settings.model;
    let mut classifier = if model.path.is_empty() {
        if !model.manifest.is_empty() {
            return Err(usage(anyhow!(
                "--manifest {} describes a model; name it with --model FILE.onnx",
                model.manifest
            )));
        }
        let classifier = default_classifier(store, report)?;
        if !model.inputs.is_empty() {
            return Err(usage(anyhow!(
                "--input gives a further input its value, and the default model has only its image, '{}'",
                classifier.input
            )));
        }
        classifier
    } else {
        let manifest = (!model.manifest.is_empty()).then(|| Path::new(&model.manifest));
        let inputs =
            model.inputs.iter().map(|text| text.parse().map_err(usage)).collect::<Result<Vec<_>>>()?;
        Classifier::open_with(Path::new(&model.path), manifest, &inputs)?
    };
    match model.fit.as_str() {
        "model" => {}
        "crop" => classifier.preprocessing.fit = Fit::Crop(0.875),
        "squash" => classifier.preprocessing.fit = Fit::Squash,
        "letterbox" => classifier.preprocessing.fit = Fit::Letterbox([0, 0, 0]),
        other => {
            return Err(usage(anyhow!("no resize rule \"{other}\": use model, crop, squash or letterbox")));
        }
    }
    if let Some((width, height)) = input_size(&model.input_size)? {
        classifier.set_size(width, height);
    }
    if let Some(line) = classifier.assumptions() {
        report.note(line);
    }
    classifier.notes.iter().for_each(|note| report.note(note));
    if let Some(path) = &model.write_manifest {
        let inputs = [model.path.as_str(), model.manifest.as_str()];
        let inputs: Vec<&Path> = inputs.into_iter().filter(|path| !path.is_empty()).map(Path::new).collect();
        check_outputs(&[path], &inputs)?;
        write_file(path, classifier.manifest().as_bytes())?;
        report.note(format_args!("wrote {}", path.display()));
    }
    Ok(classifier)
}

/// Width and height, of a text like `1280x720`.
pub(super) fn size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(['x', 'X'])?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

/// Width and height of the model's input in pixels; `None` for its own.
fn input_size(text: &str) -> Result<Option<(u32, u32)>> {
    if text.is_empty() {
        return Ok(None);
    }
    let size = size(text).or_else(|| text.parse().ok().map(|side| (side, side)));
    let size = size.filter(|(width, height)| [width, height].iter().all(|side| (16..=4096).contains(*side)));
    let wrong = || {
        anyhow!(
            "--input-size (model.input_size) is N or WIDTHxHEIGHT, of 16 to 4096 pixels a side, not \"{text}\""
        )
    };
    size.map(Some).ok_or_else(|| usage(wrong()))
}

/// What a run needs of its explainer.
pub(super) struct Needs {
    /// At least so many classes are explained.
    pub(super) classes: usize,
    /// Whether a window can ask for another method.
    pub(super) switchable: bool,
    /// How many streams share it.
    pub(super) streams: usize,
}

/// Loads ONNX Runtime and the model, explained.
pub(super) fn explainer(
    settings: &Settings,
    store: &Store,
    report: &Report,
    needs: &Needs,
) -> Result<Explainer> {
    library(settings, store, report)?;
    let explainer = explained(classifier(settings, store, report)?, settings, needs)?;
    let explanation = explainer.explanation();
    if let MadeBy::By(method) = &explanation.method
        && method.is_of_pixels()
    {
        report
            .note(format_args!("{method} marks single pixels, no regions: `camloc compare` shows them best"));
    }
    if let Some(why @ Unrefined::OpenSize) = explanation.unrefined {
        report.note(why);
    }
    if explainer.batch() < needs.streams {
        report.note(format_args!(
            "{} by this method takes {} a pass: the {} streams take turns",
            explainer.title(),
            if explainer.batch() == 1 {
                "one picture".to_owned()
            } else {
                format!("{} pictures", explainer.batch())
            },
            needs.streams
        ));
    }
    Ok(explainer)
}

/// A model, explained.
pub(super) fn explained(classifier: Classifier, settings: &Settings, needs: &Needs) -> Result<Explainer> {
    let options = Options { batch: needs.streams, ..options(settings)? };
    if needs.switchable {
        let request = window_request(settings, &classifier.labels, needs.classes)?;
        return Ok(Explainer::of(classifier).request(request).options(options).switchable().build()?);
    }
    let request = request(settings, &classifier.labels, needs.classes)?;
    Ok(Explainer::new(classifier, &request, &options)?)
}

/// As [`request`], for a window: it shall stay alive; while it is paused, the rest is asked.
pub(super) fn window_request(settings: &Settings, labels: &Labels, classes: usize) -> Result<Request> {
    let mut request = request(settings, labels, classes)?;
    request.black_box.budget = request.black_box.budget.or(Some(LIVE_BUDGET));
    Ok(request)
}

/// How long a window's picture waits for a black box, in passes of a small model some thirty.
const LIVE_BUDGET: Duration = Duration::from_millis(150);

/// Reads a time such as `2s`.
fn budget(text: &str) -> Result<Option<Duration>> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || {
        usage(anyhow!(
            "--budget (black_box.budget) is a time above zero, such as 2s or 500ms, not \"{text}\""
        ))
    };
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() => Ok(Some(time)),
        _ => Err(wrong()),
    }
}

/// How methods of many passes ask.
fn black_box(settings: &settings::BlackBox) -> Result<black_box::Settings> {
    let settings::BlackBox { budget, patch, stride, fill, masks, channels, seed, batch } = settings;
    if *masks == 0 {
        return Err(usage(anyhow!("--rise-masks (black_box.masks) must be at least 1, not 0")));
    }
    Ok(black_box::Settings {
        patch: (*patch > 0).then_some(*patch),
        stride: (*stride > 0).then_some(*stride),
        fill: parse("fill", fill)?,
        masks: *masks,
        channels: (*channels > 0).then_some(*channels),
        seed: *seed,
        budget: self::budget(budget)?,
        batch: *batch,
        ..black_box::Settings::default()
    })
}

/// What to explain, and how, for at least `classes` classes.
pub(super) fn request(settings: &Settings, labels: &Labels, classes: usize) -> Result<Request> {
    let model = &settings.model;
    if model.top_k == 0 {
        return Err(usage(anyhow!("--top-k (model.top_k) must be at least 1, not 0")));
    }
    if !(model.target.is_empty() || model.classes.is_empty()) {
        return Err(usage(anyhow!(
            "--target explains the value {}, --class the class {}: leave one out",
            model.target,
            model.classes.join(", ")
        )));
    }
    let targets = targets(&model.classes, labels)?;
    let top_k = if targets.is_empty() { model.top_k.max(classes) } else { targets.len() };
    let (output, index) = if model.target.is_empty() { (None, vec![]) } else { target(&model.target)? };
    let method = match model.method.as_str() {
        "auto" => None,
        name => Some(name.parse().map_err(usage)?),
    };
    let fusion = model.fusion.parse().map_err(|error: String| usage(anyhow!(error)))?;
    if settings.localize.closer
        && let Some(method) = method.filter(|method: &Method| method.is_black_box())
    {
        return Err(usage(anyhow!(
            "--closer goes with methods of one pass, and {method} takes many: leave one out"
        )));
    }
    // Only what is shown.
    let closer = match (settings.localize.closer, targets.len()) {
        (false, _) => 0,
        (true, 0) => model.top_k,
        (true, locked) => locked,
    };
    let (refine, layers) = (model.refine, model.layers.clone());
    let black_box = black_box(&settings.black_box)?;
    let link = None;
    let detector = None;
    Ok(Request {
        top_k,
        targets,
        output,
        index,
        detector,
        link,
        method,
        layers,
        fusion,
        refine,
        closer,
        black_box,
    })
}

/// Reads `OUTPUT:INDEX`, the index behind the last colon, as names have colons too.
fn target(text: &str) -> Result<(Option<String>, Vec<usize>)> {
    let index =
        |index: &str| index.split(',').map(|part| part.trim().parse().ok()).collect::<Option<Vec<usize>>>();
    let parts = text.rsplit_once(':').and_then(|(output, place)| Some((output, index(place)?)));
    let wrong =
        || usage(anyhow!("the target \"{text}\" is not OUTPUT:INDEX, such as scores:281 or boxes:3,17"));
    let (output, index) = parts.filter(|(output, _)| !output.is_empty()).ok_or_else(wrong)?;
    Ok((Some(output.to_owned()), index))
}

/// The ids of the classes to lock on.
fn targets(classes: &[String], labels: &Labels) -> Result<Vec<usize>> {
    classes.iter().map(|text| labels.find(text.trim()).map_err(usage)).collect()
}

/// How maps become boxes. A class that the user locked on is boxed whatever its score, and next to others.
pub(super) fn localize(settings: &Settings) -> Result<localize::Settings> {
    let Localize { preset, threshold, components, min_area, min_peak, min_score, closer: _ } =
        &settings.localize;
    let locked = !settings.model.classes.is_empty();
    Ok(localize::Settings {
        preset: parse("preset", preset)?,
        threshold: share("--threshold (localize.threshold)", *threshold)?,
        components: parse("components", components)?,
        min_area: share("--min-area (localize.min_area)", *min_area)?,
        min_peak: share("--min-peak (localize.min_peak)", *min_peak)?,
        min_score: match locked {
            // A value may be anything.
            _ if !settings.model.target.is_empty() => f32::NEG_INFINITY,
            true => 0.0,
            false => share("--min-score (localize.min_score)", *min_score)?,
        },
        merge_overlap: if locked { None } else { localize::Settings::default().merge_overlap },
    })
}

/// Follows boxes over the frames of a video, unless the settings say no. Classes that the user locked on are
/// followed each on its own.
pub(super) fn tracking(settings: &Settings) -> Option<Tracking> {
    settings.track.enabled.then(|| Tracking::new(settings.model.classes.is_empty()))
}

/// What is drawn, as the settings say.
pub(super) fn look(settings: &Settings) -> Result<Look> {
    let Overlay { heatmap, boxes, opacity, colormap, what_if } = &settings.overlay;
    let style = Style {
        heatmap: *heatmap,
        boxes: *boxes,
        labels: *boxes,
        opacity: share("--opacity (overlay.opacity)", *opacity)?,
        colormap: parse("colormap", colormap)?,
        ..Style::default()
    };
    Ok(Look {
        style,
        threshold: settings.localize.threshold,
        classes: 1,
        rank: None,
        method_steps: 0,
        counterfactual: false,
        what_if: *what_if,
        paused: false,
        figures: true,
        help: false,
    })
}

/// A renderer that can write every label, and these `names`.
pub(super) fn renderer(
    scale: HeatScale,
    labels: &Labels,
    names: &str,
    store: &Store,
    report: &Report,
) -> Renderer {
    Renderer::new(scale, writer(&(labels.names().concat() + names), store, report))
}

/// What can write every character of `words`, with pinned fonts for scripts that this machine has none for.
pub(super) fn writer(words: &str, store: &Store, report: &Report) -> TextRenderer {
    let mut text = TextRenderer::new();
    let missing = text.missing(words);
    let fonts: HashSet<Asset> = missing.into_iter().filter_map(assets::font_for).collect();
    for font in fonts {
        let added = fetch(store, font, report)
            .and_then(|path| text.add_font_file(&path).context("the pinned font is unreadable"));
        if let Err(error) = added {
            report.note(format_args!("some labels are shown as character codes: {error}"));
        }
    }
    text
}

/// A setting that is a share of something.
fn share(name: &str, value: f32) -> Result<f32> {
    match value {
        0.0..=1.0 => Ok(value),
        _ => Err(usage(anyhow!("{name} is a share from 0 to 1, not {value}"))),
    }
}

fn parse<T: FromStr>(key: &str, text: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| usage(anyhow!("{key}: {error}")))
}

/// A model is written; the one that it is made from has to stay.
pub(super) fn refuse_over_model(output: &Path, settings: &Settings) -> Result<()> {
    match settings.model.path.as_str() {
        "" => Ok(()),
        path => Ok(check_outputs(&[output], &[Path::new(path)])?),
    }
}

/// Pictures in flight where a model is asked about many.
pub(super) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 8)
}

/// Ctrl-C stops the run in good order; a second one ends the program at once.
pub(super) fn stop_on_ctrl_c() -> Result<Stop> {
    let stop = Stop::new();
    let handle = stop.clone();
    ctrlc::set_handler(move || {
        if handle.is_stopped() {
            std::process::exit(130);
        }
        handle.stop();
    })
    .context("Ctrl-C can't be watched")?;
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::CameraWish;

    #[test]
    fn the_library_has_the_defaults_that_the_settings_file_documents() {
        let settings = Settings::documented().unwrap();
        assert_eq!(localize(&settings).unwrap(), localize::Settings::default());
        assert_eq!(request(&settings, &Labels::imagenet(), 1).unwrap(), Request::default());
        assert_eq!(options(&settings).unwrap(), Options::default());
        assert_eq!(look(&settings).unwrap().style, Style::default());
        let wish = super::super::live::wish(&settings.camera).unwrap();
        // What a camera's default stands for.
        let default = CameraWish { size: Some((1280, 720)), fps: Some(30.0), ..CameraWish::default() };
        assert_eq!(wish, default);
    }
}
