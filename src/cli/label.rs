//! `camloc label`: from pictures whose classes are known to a detector's training set.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::dataset::{Alias, Classes, DetectorFormat};
use crate::digest::hex;
use crate::display::Display;
use crate::explainer::Explainer;
use crate::files::Stop;
use crate::label::{
    Ended, Finding, Input, Journal, LabellingError, Line, Outline, Plan, Reason, Review, ReviewCommand,
    Tally, check_place, find, gather, review, write,
};
use crate::localize;
use crate::render::{HeatScale, Renderer};
use crate::window::Window;
use anyhow::{Result, anyhow, bail};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::arguments::{BlackBoxArgs, LocalizeArgs, ModelArgs};
use super::eval::subject::{self, decimal};
use super::report::{Report, count};
use super::settings::Settings;
use super::{Context, assemble, usage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    wish: Wish,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    black_box: BlackBoxArgs,
    #[command(flatten)]
    localize: LocalizeArgs,
}

/// What to label, and what to make of it.
#[derive(Debug, clap::Args)]
struct Wish {
    /// A folder of pictures, in folders named by class, or with --classes (docs/labelling.md)
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What the pictures show: the folders that count, or what may be on pictures that are in no such folders
    #[arg(long = "classes", value_name = "NAME,…", value_delimiter = ',')]
    names: Vec<String>,
    /// What a class is called by the model, such as kangaroo=wallaby or dog=151|152; give it again for more
    #[arg(long = "alias", value_name = "NAME=CLASS")]
    aliases: Vec<String>,
    /// Write the dataset to this folder
    #[arg(short, long, value_name = "DATASET")]
    output: PathBuf,
    /// The dataset's format: yolo, coco or voc
    #[arg(long, default_value = "yolo", value_name = "NAME")]
    format: String,
    /// The share of the pictures that is for validation
    #[arg(long, default_value_t = 0.2, value_name = "0..1")]
    val_share: f64,
    /// Which pictures these are, and what else is drawn by chance, follows from this number
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Look through the boxes in a window before the dataset is written: keep, drop, redraw
    #[arg(long)]
    review: bool,
    /// Link the pictures into the dataset where that can be, in place of copies
    #[arg(long)]
    link: bool,
    /// Replace a dataset that camloc wrote before
    #[arg(long)]
    overwrite: bool,
}

/// The window in which labels are reviewed.
type ReviewWindow = Window<ReviewCommand>;

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let mut settings = args.model.over(&context.settings);
    args.black_box.apply(&mut settings);
    settings.black_box.seed = args.wish.seed;
    args.localize.apply(&mut settings);
    let wish = args.wish;
    // What is wrong with the command is said before anything is fetched or loaded.
    let format = check(&wish, &settings)?;
    settings.model.top_k = 1;
    let localize = assemble::localize(&settings)?;
    let (output, stay) = check_place(&wish.folder, &wish.output, wish.overwrite)?;
    let stop = assemble::stop_on_ctrl_c()?;
    let report = &context.report;
    if let Some(first) = stay.first() {
        let files = count(stay.len(), "file");
        report.note(format_args!(
            "camloc did not write {files} in {}, which stay: {}{}",
            output.display(),
            first.display(),
            if stay.len() > 1 { ", …" } else { "" }
        ));
    }
    let store = assemble::store()?;
    assemble::library(&settings, &store, report)?;
    let (explainer, fingerprint) = subject::explainer(&settings, &store, report, false)?;
    let parse = |text: &String| text.parse::<Alias>().map_err(usage);
    let aliases = wish.aliases.iter().map(parse).collect::<Result<Vec<_>>>()?;
    let input = gather_input(&wish, &aliases, &explainer)?;
    say_taken_for(&aliases, &input, &explainer, report);
    if input.beside > 0 {
        report
            .note(format_args!("left out {} in no folder of these classes", count(input.beside, "picture")));
    }
    let outline = Outline {
        format,
        val: wish.val_share,
        seed: wish.seed,
        link: wish.link,
        about: about(&settings, localize, &explainer, &input),
    };
    let words = words(&input);
    let mut renderer = Renderer::new(HeatScale::still(), assemble::writer(&words, &store, report));
    let mut window = if wish.review {
        Some(ReviewWindow::open("camloc label", (1280, 800), assemble::writer(&words, &store, report))?)
    } else {
        None
    };
    let run = run_id(&fingerprint, localize, &input, &wish.folder);
    let mut labelling = Labelling {
        input: &input,
        journal: Journal::open(&Journal::path_beside(&output), &run)?,
        stop: &stop,
        context,
    };
    let mut findings = labelling.find(&Mutex::new(explainer), localize, window.as_mut())?;
    if let Some(window) = &mut window {
        labelling.review(&findings, window, &mut renderer)?;
    }
    drop(window);
    labelling.decide(&mut findings);
    labelling.write(&mut findings, &output, &outline, &mut renderer)
}

/// The format of the dataset, if what is wished can be had.
fn check(wish: &Wish, settings: &Settings) -> Result<DetectorFormat> {
    if !settings.model.classes.is_empty() || !settings.model.target.is_empty() {
        return Err(usage(anyhow!(
            "label explains the class of each picture: leave out --class and --target"
        )));
    }
    if !(0.0..=1.0).contains(&wish.val_share) {
        return Err(usage(anyhow!("--val-share is a share from 0 to 1, not {}", wish.val_share)));
    }
    let format = wish.format.parse().map_err(usage)?;
    if !wish.folder.is_dir() {
        return Err(LabellingError::NoFolder(wish.folder.clone()).into());
    }
    Ok(format)
}

/// The pictures and their classes.
fn gather_input(wish: &Wish, aliases: &[Alias], explainer: &Explainer) -> Result<Input> {
    let labels = explainer.labels();
    let classes = Classes::new(labels, aliases).map_err(usage)?;
    use LabellingError::{NoClassFolder, NoClasses, SameClass, UnknownClass};
    gather(&wish.folder, &wish.names, &classes, |id| labels.name(id).into_owned()).map_err(
        |error| match error {
            NoClasses(_) | NoClassFolder { .. } | SameClass { .. } | UnknownClass { .. } => usage(error),
            other => other.into(),
        },
    )
}

/// Says which class of the model a name stands for that is not called so, and was not told what it stands for.
fn say_taken_for(aliases: &[Alias], input: &Input, explainer: &Explainer, report: &Report) {
    let told = |class: &str| aliases.iter().any(|alias| alias.name == class);
    for class in input.classes.iter().filter(|class| !told(&class.name)) {
        let [id] = *class.accepted else { continue };
        let called = explainer.labels().name(id);
        if !called.eq_ignore_ascii_case(&class.name.replace('_', " ")) {
            let name = &class.name;
            report.note(format_args!(
                "\"{name}\" is taken for the model's \"{called}\"; --alias \"{name}=NAME|ID\" says otherwise"
            ));
        }
    }
}

/// All that is written on sheets and in the window.
fn words(input: &Input) -> String {
    let classes = input.classes.iter().map(|class| class.name.as_str());
    classes.chain(input.pictures.iter().map(|item| item.name.as_str())).collect()
}

/// The same for two runs only if they find the same.
fn run_id(fingerprint: &str, localize: localize::Settings, input: &Input, folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(fingerprint);
    hash.update(format!("{localize:?} {:?} {folder:?}", input.classes));
    hex(&hash.finalize())
}

/// Where the labels come from, for the record.
fn about(
    settings: &Settings,
    localize: localize::Settings,
    explainer: &Explainer,
    input: &Input,
) -> serde_json::Value {
    let classes: serde_json::Map<_, _> = input
        .classes
        .iter()
        .map(|class| {
            let names: Vec<_> = class.accepted.iter().map(|&id| explainer.labels().name(id)).collect();
            (class.name.clone(), json!(names))
        })
        .collect();
    json!({
        "model": explainer.title(),
        "method": explainer.explanation().method.name(),
        "layer": explainer.explanation().layer,
        "refine": settings.model.refine,
        "preset": localize.preset.to_string(),
        "threshold": decimal(localize.threshold),
        "components": settings.localize.components,
        "min_area": decimal(localize.min_area),
        "min_peak": decimal(localize.min_peak),
        "min_score": decimal(localize.min_score),
        "model_classes": classes,
    })
}

/// A run over the pictures.
struct Labelling<'a> {
    input: &'a Input,
    journal: Journal,
    stop: &'a Stop,
    context: &'a Context,
}

impl Labelling<'_> {
    /// What is found on each picture; what the journal has already is taken from there.
    fn find(
        &mut self,
        explainer: &Mutex<Explainer>,
        localize: localize::Settings,
        mut window: Option<&mut ReviewWindow>,
    ) -> Result<Vec<Finding>> {
        let (input, report, stop) = (self.input, &self.context.report, self.stop);
        let journal = &mut self.journal;
        let names = || input.pictures.iter().map(|item| item.name.as_str());
        let total = input.pictures.len();
        let open: Vec<usize> =
            names().enumerate().filter(|(_, name)| !is_done(journal, name)).map(|(place, _)| place).collect();
        let before = total - open.len();
        if before > 0 {
            let total = count(total, "picture");
            report.note(format_args!("{before} of {total} labelled before, going on"));
        }
        let bar = report.frames(Some(total as u64), "pictures");
        let mut done = before;
        let mut take = |place: usize, finding: Finding| {
            journal.add(Line::Finding(input.pictures[place].name.clone(), finding))?;
            done += 1;
            bar.set_position(done as u64);
            if let Some(window) = &mut window {
                let total = count(total, "picture");
                window.panels().message = Some(format!("looking for objects: {done} of {total}"));
                if window.pump()?.contains(&ReviewCommand::Quit) {
                    stop.stop();
                }
            }
            Ok(())
        };
        let ran = find(
            input,
            &open,
            explainer,
            Plan { settings: localize, workers: assemble::workers() },
            stop,
            &mut take,
        );
        bar.finish_and_clear();
        ran?;
        if let Some(window) = window {
            window.panels().message = None;
        }
        let findings: Option<Vec<Finding>> = names().map(|name| journal.finding(name).cloned()).collect();
        match findings {
            Some(findings) => Ok(findings),
            None => {
                let total = count(total, "picture");
                bail!("stopped after {done} of {total}; the same command goes on from there")
            }
        }
    }

    /// Has a person look at the boxes.
    fn review(
        &mut self,
        findings: &[Finding],
        window: &mut ReviewWindow,
        renderer: &mut Renderer,
    ) -> Result<()> {
        let walk = Review::new(self.input, findings, &self.journal);
        let (_, total) = walk.progress();
        if walk.open() == 0 && total > 0 {
            self.context.report.note(format_args!("all of {total} pictures were looked at before"));
        }
        match review(self.input, walk, &mut self.journal, window, renderer, self.stop)? {
            Ended::Complete => Ok(()),
            Ended::Early => {
                let open = Review::new(self.input, findings, &self.journal).open();
                bail!(
                    "stopped, {open} of {total} pictures were not looked at: the same command goes on there, and \
                     without --review takes them as they were found"
                )
            }
        }
    }

    /// Lays what was decided over what was found.
    fn decide(&self, findings: &mut [Finding]) {
        for (item, finding) in self.input.pictures.iter().zip(findings) {
            if let Some(verdict) = self.journal.verdict(&item.name) {
                *finding = verdict.over(finding);
            }
        }
    }

    fn write(
        self,
        findings: &mut [Finding],
        output: &Path,
        outline: &Outline,
        renderer: &mut Renderer,
    ) -> Result<()> {
        let report = &self.context.report;
        let bar = report.frames(Some(findings.len() as u64), "pictures");
        let mut observe = |done: usize| bar.set_position(done as u64);
        let written = write(self.input, findings, output, outline, renderer, self.stop, &mut observe);
        bar.finish_and_clear();
        for line in Tally::new(self.input, findings).lines() {
            report.note(line);
        }
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                // What gave nothing is not gone on with.
                if matches!(error, LabellingError::NothingLeft { .. }) {
                    self.journal.close();
                }
                return Err(error.into());
            }
        };
        for class in without_objects(self.input, findings) {
            report.note(format_args!("no box of \"{class}\" is left: a detector can't learn it"));
        }
        if written.encoded > 0 {
            let anew = count(written.encoded, "picture");
            report.note(format_args!("wrote {anew} anew, so that all readers load them alike"));
        }
        let (train, val) = (written.train, written.val);
        if val == 0 && outline.val > 0.0 {
            report.note("one picture is too few for a validation part");
        }
        report.note(format_args!(
            "wrote {} ({}: {} on {} of {}, {train} for training, {val} for validation)",
            written.path.display(),
            outline.format,
            count(written.objects, "box"),
            train + val,
            count(findings.len(), "picture")
        ));
        report.note(format_args!("look at {}", written.path.join("sheet*.jpg").display()));
        self.journal.close();
        Ok(())
    }
}

/// The classes of which no object is left.
fn without_objects<'a>(input: &'a Input, findings: &[Finding]) -> impl Iterator<Item = &'a str> {
    let mut left = vec![false; input.classes.len()];
    for finding in findings {
        if let Finding::Found { objects, .. } = finding {
            objects.iter().for_each(|object| left[object.class] = true);
        }
    }
    input.classes.iter().zip(left).filter(|(_, left)| !left).map(|(class, _)| class.name.as_str())
}

/// Whether a picture need not be looked at again. One that could not be read may be whole by now.
fn is_done(journal: &Journal, name: &str) -> bool {
    match journal.finding(name) {
        Some(Finding::Skipped(skip)) => skip.reason != Reason::Unreadable,
        Some(Finding::Found { .. }) => true,
        None => false,
    }
}
