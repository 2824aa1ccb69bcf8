//! What `live`, `video`, `image` and `demo` share: from a source to the outputs, and a word about it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::assets::Store;
use crate::explainer::Explainer;
use crate::files::{Stop, check_outputs};
use crate::localize::{Localizer, Segmenter};
use crate::pipeline::{Controls, Look, News, Output, Pipeline, Stats, Stream, Summary};
use crate::render::HeatScale;
use crate::sink::{CocoSink, JsonSink, Sink};
use crate::source::{FrameSource, Notice};
use anyhow::Result;
use indicatif::ProgressBar;

use super::arguments::results_file;
use super::assemble::Needs;
use super::report::{Report, count};
use super::settings::Settings;
use super::{Context, assemble};

/// Files of results that several commands can write.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Results")]
pub(super) struct ResultArgs {
    /// Write one JSON object a frame; `-` is standard output (docs/json.md)
    #[arg(long, value_name = "FILE|-", value_parser = results_file())]
    json: Option<PathBuf>,
    /// Write COCO annotations
    #[arg(long, value_name = "FILE", value_parser = results_file())]
    coco: Option<PathBuf>,
}

impl ResultArgs {
    /// Whether any is asked for.
    pub(super) fn any(&self) -> bool {
        self.json.is_some() || self.coco.is_some()
    }

    /// Whether results go to standard output.
    pub(super) fn on_stdout(&self) -> bool {
        self.json.as_deref() == Some(Path::new("-"))
    }

    /// Opens them, once it is certain that no two outputs and no input are one file. `with_source` names the
    /// photo in each JSON line.
    pub(super) fn open(
        &self,
        with_source: bool,
        others: &[&Path],
        inputs: &[&Path],
    ) -> Result<Vec<Box<dyn Sink>>> {
        let mut outputs: Vec<&Path> = self.json.iter().chain(&self.coco).map(PathBuf::as_path).collect();
        outputs.extend(others);
        check_outputs(&outputs, inputs)?;
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if let Some(path) = &self.json {
            sinks.push(Box::new(JsonSink::open(path, with_source)?));
        }
        if let Some(path) = &self.coco {
            sinks.push(Box::new(CocoSink::create(path)?));
        }
        Ok(sinks)
    }
}

/// Sources and their outputs, ready for the model.
pub(super) struct Job<'a> {
    pub(super) settings: Settings,
    pub(super) store: Store,
    /// Those that share the model; most often one.
    pub(super) sources: Vec<Box<dyn FrameSource>>,
    pub(super) output: Output<'a>,
    pub(super) stop: Stop,
    /// How heat is scaled: each photo on its own, or smoothly over time.
    pub(super) scale: HeatScale,
    /// What is counted: a `frame` or a `photo`.
    pub(super) unit: &'static str,
    /// What is written over the picture beside the model's labels.
    pub(super) names: String,
    /// Filled while the job runs.
    pub(super) stats: Arc<Stats>,
    /// Loaded already, or else loaded now.
    pub(super) explainer: Option<Explainer>,
}

/// How many classes the window can step through with `n` and `p`.
pub(super) const WINDOW_CLASSES: usize = 5;

impl<'a> Job<'a> {
    /// A job over frames that follow each other in time.
    pub(super) fn new(
        settings: Settings,
        store: Store,
        sources: Vec<Box<dyn FrameSource>>,
        output: Output<'a>,
        stop: Stop,
    ) -> Job<'a> {
        Job {
            settings,
            store,
            sources,
            output,
            stop,
            scale: HeatScale::live(),
            unit: "frame",
            names: String::new(),
            stats: Arc::default(),
            explainer: None,
        }
    }

    pub(super) fn run(self, context: &Context) -> Result<Summary> {
        let Job { settings, store, sources, mut output, stop, scale, unit, names, stats, explainer } = self;
        let report = &context.report;
        // Wrong settings are said before anything is fetched or loaded.
        let localize = assemble::localize(&settings)?;
        let look = assemble::look(&settings)?;
        let window = output.display.is_some();
        let classes = if window { WINDOW_CLASSES } else { 1 };
        let needs = Needs { classes, switchable: window, streams: sources.len() };
        let explainer = match explainer {
            Some(explainer) => explainer,
            None => assemble::explainer(&settings, &store, report, &needs)?,
        };
        let controls = Arc::new(Controls::new(Look { classes: explainer.top_k(), ..look }));
        let top_k = match settings.model.classes.len() {
            0 => settings.model.top_k,
            locked => locked,
        };
        let total = sources.iter().map(|source| source.info().frames).sum();
        let bar = report.frames(total, &format!("{unit}s"));
        let stream = |source: Box<dyn FrameSource>| {
            let in_time = source.info().photos.is_empty();
            let drawn = output.wants_picture();
            let renderer =
                drawn.then(|| assemble::renderer(scale.clone(), explainer.labels(), &names, &store, report));
            Stream {
                source,
                localizer: Localizer::new(localize),
                segmenter: output.wants_masks().then(|| Segmenter::new(settings.masks.edges)),
                tracking: assemble::tracking(&settings).filter(|_| in_time),
                renderer,
            }
        };
        let pipeline = Pipeline {
            streams: sources.into_iter().map(stream).collect(),
            explainer,
            top_k,
            controls,
            stop,
            stats: stats.clone(),
        };
        let ended = pipeline.run(&mut output, &mut |news| tell(news, &bar, report));
        bar.finish_and_clear();
        if context.stats {
            report.stats(&stats);
        }
        let summary = ended?;
        for finished in summary.outputs.iter().filter(|finished| finished.frames > 0) {
            if let Some(path) = &finished.path {
                report.note(format_args!("wrote {} ({})", path.display(), count(finished.frames, unit)));
            }
        }
        Ok(summary)
    }
}

/// Says what is new in a run, beside its progress bar.
fn tell(news: News<'_>, bar: &ProgressBar, report: &Report) {
    match news {
        News::Done(frames) => bar.set_position(frames),
        News::Asking(done, of) => bar.set_message(format!("{done} of {of} passes")),
        // A map of all that the method asks about needs no word.
        News::Asked(_, progress) if progress.error == Some(0.0) => {}
        News::Asked(photo, progress) => {
            bar.suspend(|| report.note(format_args!("{}: {progress}", photo.display())));
        }
        // A skipped photo is an error of its own, on its own line.
        News::Notice(Notice::Skipped(error)) => bar.suspend(|| report.error(error)),
        News::Notice(notice) => bar.suspend(|| report.note(notice)),
    }
}
