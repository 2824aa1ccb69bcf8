//! `--teach`: at the window of `live` and `video`, examples are given with keys, and a head learns from them meanwhile.

use std::path::PathBuf;

use crate::collect::{Classes, DIGITS, Shutter};
use crate::explainer::Explainer;
use crate::explainer::Request;
use crate::frame::PicturePool;
use crate::pipeline::{Output, Summary};
use crate::teach::{Course, Taught, Teacher};
use crate::train::{self, Backbone, HeadKind};
use anyhow::{Result, anyhow};

use super::assemble::Needs;
use super::run::{Job, WINDOW_CLASSES};
use super::settings::Settings;
use super::{Context, assemble, collect, usage};

/// Whether, what and how it is taught.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Teaching")]
pub(super) struct TeachArgs {
    /// Hold 1 to 9 in the window to save examples as DIR/CLASS/*.jpg, press t to learn from them (docs/collecting.md)
    #[arg(long, value_name = "DIR", conflicts_with = "coco")]
    teach: Option<PathBuf>,
    /// The classes of the keys 1, 2, …; other folders in DIR follow by name
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "teach")]
    teach_class: Vec<String>,
    /// What is trained on the model: acol, cam or linear
    #[arg(long, default_value_t = HeadKind::Acol, value_name = "NAME", requires = "teach")]
    head: HeadKind,
}

/// Passes over the pictures: enough for a few pictures, and over while one watches.
const EPOCHS: usize = 12;

/// What is asked of the model that is shown until something is learned.
const NEEDS: Needs = Needs { classes: WINDOW_CLASSES, switchable: true, streams: 1 };

/// Frames that wait to be saved.
const FRAMES: usize = 9;

/// What is going to be taught.
pub(super) struct Teaching {
    folder: PathBuf,
    classes: Classes,
    head: HeadKind,
}

impl TeachArgs {
    /// Whether anything is to be taught.
    pub(super) fn wanted(&self) -> bool {
        self.teach.is_some()
    }

    /// Refuses to teach at the window of several streams; there has to be one of what is `shown`.
    pub(super) fn alone(&self, shown: &str) -> Result<()> {
        if self.wanted() {
            Err(usage(anyhow!("--teach takes its examples from one picture: give {shown}")))
        } else {
            Ok(())
        }
    }

    /// What is to be taught, if anything is. What is wrong with it is said before anything is opened.
    pub(super) fn check(self, settings: &Settings) -> Result<Option<Teaching>> {
        let Some(folder) = self.teach else { return Ok(None) };
        let model = &settings.model;
        if !model.classes.is_empty() || !model.target.is_empty() {
            return Err(usage(anyhow!(
                "--teach brings other classes than the model has now: leave out --class and --target"
            )));
        }
        let classes = collect::classes(&folder, &self.teach_class)?;
        match classes.all().len() {
            0 => {
                Err(usage(anyhow!("there are no classes to teach: name them, as in --teach-class mug,spoon")))
            }
            1..=DIGITS => Ok(Some(Teaching { folder, classes, head: self.head })),
            count => Err(usage(anyhow!(
                "there are keys for {DIGITS} classes, not for {count}: teach fewer, or take another folder"
            ))),
        }
    }
}

impl Teaching {
    /// The names of the classes, to be written over the picture.
    pub(super) fn names(&self) -> String {
        self.classes.all().iter().map(|class| class.name.as_str()).collect()
    }

    /// Runs a job in whose window one teaches. `source` is what pictures are named by.
    pub(super) fn run(self, job: Job<'_>, source: String, context: &Context) -> Result<Summary> {
        self.classes.prepare()?;
        let (mut teacher, explainer) = self.start(&job, source, context)?;
        let output = Output { extension: Some(&mut teacher), ..job.output };
        let ended = Job { explainer: Some(explainer), output, ..job }.run(context);
        // Who closes the window is done; a recording that ends leaves what was asked for half done.
        if teacher.is_learning() && ended.as_ref().is_ok_and(|summary| !summary.interrupted) {
            context.report.note("the recording is at its end; the training goes on, Ctrl-C gives it up");
            if let Err(error) = teacher.wait() {
                context.report.note(error);
            }
        }
        let saved = conclude(teacher.finish(), context);
        saved.and(ended)
    }

    /// The teacher, and the model that is shown until something is learned.
    fn start(self, job: &Job<'_>, source: String, context: &Context) -> Result<(Teacher, Explainer)> {
        let Job { settings, store, .. } = job;
        assemble::library(settings, store, &context.report)?;
        let classifier = assemble::classifier(settings, store, &context.report)?;
        // The layers are those of the model that is shown now; a head has its own.
        let request = assemble::window_request(settings, &classifier.labels, WINDOW_CLASSES)?;
        let options = assemble::options(settings)?;
        let course = Course {
            folder: self.folder,
            backbone: Backbone::new(classifier.clone(), None)?.on(options.provider),
            settings: train::Settings { head: self.head, epochs: EPOCHS, ..train::Settings::default() },
            cache: store.dir().to_owned(),
            request: Request { layers: Vec::new(), ..request },
            options,
        };
        let explainer = assemble::explained(classifier, settings, &NEEDS)?;
        Ok((Teacher::new(Shutter::new(self.classes, source, PicturePool::new(FRAMES)), course), explainer))
    }
}

/// Says what is left of teaching.
fn conclude(taught: Taught, context: &Context) -> Result<()> {
    let report = &context.report;
    let Taught { classes, tally, model, given_up, saved } = taught;
    collect::tell(&classes, &tally, context);
    if given_up {
        report.note("the last training was not through and is given up; the pictures are kept");
    }
    if let Some(path) = model {
        report.note(format_args!("wrote {}: try `camloc live --model {0}`", path.display()));
    }
    Ok(saved?)
}
