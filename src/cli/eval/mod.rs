//! `camloc eval`: how well the boxes fit, measured on ground truth.

mod masks;
pub(super) mod page;
pub(super) mod pictures;
pub(super) mod subject;
mod table;
mod words;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::dataset::{self, Alias, Classes, Dataset, Format, Reading};
use crate::eval::compare::{self, Comparison};
use crate::eval::journal::{Found, Journal};
use crate::eval::report;
use crate::eval::results::{self, Earlier, Subject};
use crate::eval::run::{self, Outcome, Plan};
use crate::eval::statistics::Bootstrap;
use crate::eval::summary::Summary;
use crate::explainer::Explainer;
use crate::files::{OutputFile, Stop, check_outputs, write_file};
use crate::localize;
use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};

use super::arguments::{BlackBoxArgs, LocalizeArgs, ModelArgs, TrackArgs, results_file};
use super::masks::MaskArgs;
use super::report::count;
use super::settings::Settings;
use super::terminal::Lines;
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
    #[command(flatten)]
    masks: MaskArgs,
    #[command(flatten)]
    track: TrackArgs,
}

/// What to evaluate, and what to make of it.
#[derive(Debug, clap::Args)]
struct Wish {
    /// Folders or files of ground truth: boxes.csv, Pascal VOC, COCO, YOLO, masks (docs/evaluating.md)
    #[arg(required = true, value_name = "DATASET")]
    datasets: Vec<PathBuf>,
    /// The format, where it is not recognised: csv, voc, coco, yolo or masks
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// Every folder of pictures is a video, its pictures are the frames
    #[arg(long)]
    video: bool,
    /// Frames a second of videos; with its number, that is the time of a frame, in which boxes are followed
    #[arg(long, default_value_t = 24.0, value_name = "N")]
    fps: f64,
    /// What a class of the truth is called by the model, such as kangaroo=wallaby or dog=151|152; give it again for more
    #[arg(long = "alias", value_name = "NAME=CLASS")]
    aliases: Vec<String>,
    /// Measure insertion, deletion, drop and increase too: 450 forward passes a picture
    #[arg(long)]
    faithfulness: bool,
    /// Evaluate this many pictures, drawn by --seed
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// What is drawn by chance, the intervals included, follows from this number
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Write the results as JSON; `-` is standard output
    #[arg(long, value_name = "FILE|-", value_parser = results_file())]
    json: Option<PathBuf>,
    /// Write report.html into this folder, and keep there what is done, so that an interrupted run goes on
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Write the masks that --masks asks for into this folder
    #[arg(short, long, value_name = "DIR", requires = "masks")]
    output: Option<PathBuf>,
    /// Compare with an earlier run's JSON, picture by picture
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

/// The report's name in its folder.
const PAGE: &str = "report.html";

/// What all datasets are evaluated with.
struct Evaluation<'a> {
    args: &'a Wish,
    masks: &'a MaskArgs,
    context: &'a Context,
    settings: Settings,
    localize: localize::Settings,
    explainer: Mutex<Explainer>,
    /// Tells models and ways to explain them apart.
    fingerprint: String,
    earlier: Vec<Earlier>,
    bootstrap: Bootstrap,
    stop: Stop,
}

/// A dataset's results.
struct Evaluated {
    subject: Subject,
    outcome: Outcome,
    summary: Summary,
    comparison: Option<Comparison>,
}

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let mut settings = args.model.over(&context.settings);
    args.black_box.apply(&mut settings);
    settings.black_box.seed = args.wish.seed;
    args.localize.apply(&mut settings);
    args.track.apply(&mut settings);
    args.masks.apply(&mut settings);
    let (args, masks) = (args.wish, args.masks);
    if let Some(json) = &args.json {
        assemble::refuse_over_model(json, &settings)?;
    }
    let evaluation = Evaluation::new(&args, &masks, context, settings)?;
    // A place that can't be written is found out before the work.
    let out = args.json.as_deref().map(OutputFile::open).transpose()?;
    let mut all = Vec::new();
    for path in &args.datasets {
        let evaluated = evaluation.dataset(path)?;
        if !evaluation.to_stdout() {
            table::print(&evaluated, &mut Lines(std::io::stdout().lock()))?;
        }
        all.push(evaluated);
    }
    if let (true, false) = (all.len() > 1, evaluation.to_stdout()) {
        table::print_lines(&all, &mut Lines(std::io::stdout().lock()))?;
    }
    out.map_or(Ok(()), |out| evaluation.write_json(&all, out))
}

impl Evaluation<'_> {
    fn new<'a>(
        args: &'a Wish,
        masks: &'a MaskArgs,
        context: &'a Context,
        mut settings: Settings,
    ) -> Result<Evaluation<'a>> {
        // What is wrong with the command is said before anything is fetched or loaded.
        if !settings.model.classes.is_empty() || !settings.model.target.is_empty() {
            return Err(usage(anyhow!(
                "eval explains the true class of each picture: leave out --class and --target"
            )));
        }
        if !(args.fps > 0.0 && args.fps.is_finite()) {
            return Err(usage(anyhow!("--fps is a number of frames a second above 0, not {}", args.fps)));
        }
        masks.check(args.output.as_deref(), false)?;
        settings.model.top_k = 1;
        let localize = assemble::localize(&settings)?;
        let earlier = args.against.as_deref().map(Earlier::read).transpose()?.unwrap_or_default();
        for path in &args.datasets {
            if !path.exists() {
                bail!("{} does not exist", path.display());
            }
        }
        let stop = assemble::stop_on_ctrl_c()?;
        let store = assemble::store()?;
        assemble::library(&settings, &store, &context.report)?;
        let (explainer, fingerprint) =
            subject::explainer(&settings, &store, &context.report, args.faithfulness)?;
        let bootstrap = Bootstrap { seed: args.seed, ..Bootstrap::default() };
        let explainer = Mutex::new(explainer);
        Ok(Evaluation {
            args,
            masks,
            context,
            settings,
            localize,
            explainer,
            fingerprint,
            earlier,
            bootstrap,
            stop,
        })
    }

    fn to_stdout(&self) -> bool {
        self.args.json.as_deref() == Some(Path::new("-"))
    }

    /// At how many frames a second boxes are followed, if they are.
    fn followed_at(&self) -> Option<f64> {
        self.settings.track.enabled.then_some(self.args.fps)
    }

    fn dataset(&self, path: &Path) -> Result<Evaluated> {
        let report = &self.context.report;
        let dataset = self.open(path)?;
        let subject = subject::subject(self, &dataset)?;
        let folder = self.folder_in(self.args.output.as_deref(), path, &dataset);
        let inputs = masks::inputs(&dataset);
        let masks = self.masks.open(folder.as_deref(), false, &inputs)?;
        let page =
            self.folder_in(self.args.report.as_deref(), path, &dataset).map(|folder| folder.join(PAGE));
        let outputs: Vec<&Path> = page.iter().chain(&self.args.json).map(PathBuf::as_path).collect();
        check_outputs(&outputs, &inputs)?;
        page.as_deref().map_or(Ok(()), report::check_place)?;
        let mut journal = self.journal(path, &dataset)?;
        let plan = Plan {
            settings: self.localize,
            edges: self.settings.masks.edges,
            masks: masks.is_some(),
            faithfulness: self.args.faithfulness,
            followed_at: self.followed_at(),
            workers: assemble::workers(),
        };
        let total = dataset.samples.len();
        let bar = report.frames(Some(total as u64), "pictures");
        let mut before = None;
        let mut observe = |done: usize| {
            if done > 0 && before.is_none() {
                let done = count(done, "picture");
                report.note(format_args!("{}: {done} done before, going on", dataset.name));
            }
            before = Some(done);
            bar.set_position(done as u64);
        };
        let ran = run::run(&dataset, &self.explainer, plan, journal.as_mut(), &self.stop, &mut observe);
        bar.finish_and_clear();
        let outcome = ran?;
        for line in outcome.faults.lines() {
            report.note(format_args!("{}: {line}", dataset.name));
        }
        if outcome.left > 0 {
            let how = match self.args.report {
                Some(_) => "run it again to go on",
                None => "with --report DIR it could go on",
            };
            bail!("stopped after {} of {}; {how}", total - outcome.left, count(total, "picture"));
        }
        if outcome.records.is_empty() {
            bail!("not one picture of {} can be evaluated: {}", dataset.name, outcome.faults.summary());
        }
        if let Some(masks) = masks {
            let labels = self.explainer.lock().map_err(|_| anyhow!("the model is lost"))?.labels().clone();
            let written = masks::write(masks, &dataset, &outcome.records, labels.names())?;
            report.note(format_args!("wrote {}", written.display()));
        }
        let summary = Summary::new(&outcome, self.bootstrap);
        let comparison = self.compare(&dataset.name, &outcome, &summary)?;
        let evaluated = Evaluated { subject, outcome, summary, comparison };
        if let Some(file) = page {
            let html = page::page(self, &dataset, &evaluated)?.html()?;
            write_file(&file, html.as_bytes())?;
            report.note(format_args!("wrote {}", file.display()));
        }
        Ok(evaluated)
    }

    fn open(&self, path: &Path) -> Result<Dataset> {
        let format =
            self.args.format.as_deref().map(|name| name.parse::<Format>().map_err(usage)).transpose()?;
        let parse = |text: &String| text.parse::<Alias>().map_err(usage);
        let aliases = self.args.aliases.iter().map(parse).collect::<Result<Vec<_>>>()?;
        let labels = self.explainer.lock().map_err(|_| anyhow!("the model is lost"))?.labels().clone();
        let classes = Classes::new(&labels, &aliases).map_err(usage)?;
        let mut dataset = dataset::open(path, Reading { format, video: self.args.video }, &classes)?;
        if let Some(limit) = self.args.limit {
            dataset.draw(limit, self.args.seed);
        }
        Ok(dataset)
    }

    /// The journal in the report's folder.
    fn journal(&self, path: &Path, dataset: &Dataset) -> Result<Option<Journal>> {
        let Some(folder) = self.folder_in(self.args.report.as_deref(), path, dataset) else {
            return Ok(None);
        };
        let report = &self.context.report;
        let (journal, found) = Journal::open(&folder, &subject::run_id(self, dataset))?;
        if found == Found::AnotherRun {
            report.note(format_args!(
                "{}: {} is of another model, other settings or another dataset: beginning anew",
                dataset.name,
                folder.join(crate::eval::journal::FILE).display()
            ));
        }
        Ok(Some(journal))
    }

    /// The folder in which a dataset's files are: of several datasets, each has its own.
    fn folder_in(&self, folder: Option<&Path>, path: &Path, dataset: &Dataset) -> Option<PathBuf> {
        let folder = folder?;
        let same = |other: &&PathBuf| other.file_name() == path.file_name();
        Some(match (self.args.datasets.len(), self.args.datasets.iter().filter(same).count()) {
            (1, _) => folder.to_owned(),
            (_, 1) => folder.join(&dataset.name),
            _ => folder.join(path.to_string_lossy().replace(['/', '\\', ':'], "_")),
        })
    }

    fn compare(&self, name: &str, outcome: &Outcome, summary: &Summary) -> Result<Option<Comparison>> {
        let Some(file) = &self.args.against else { return Ok(None) };
        let named = self.earlier.iter().find(|earlier| earlier.dataset.name == name);
        let only = Some(self.earlier.as_slice()).filter(|all| all.len() == 1).and_then(<[_]>::first);
        let Some(earlier) = named.or(only) else {
            bail!("{} has no results of {name}", file.display());
        };
        let against = file.display().to_string();
        Ok(Some(compare::compare(name, outcome, summary, earlier, &against, self.bootstrap)?))
    }

    fn write_json(&self, all: &[Evaluated], mut out: OutputFile) -> Result<()> {
        let object =
            |e: &Evaluated| results::to_json(&e.subject, &e.outcome, &e.summary, e.comparison.as_ref());
        let value: Value = match all {
            [one] => object(one),
            several => json!({"datasets": several.iter().map(object).collect::<Vec<_>>()}),
        };
        let text = serde_json::to_string_pretty(&value)? + "\n";
        out.write_all(text.as_bytes()).map_err(|source| out.failed(source))?;
        out.finish()?;
        Ok(())
    }
}
