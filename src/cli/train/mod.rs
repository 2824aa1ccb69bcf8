//! `camloc train`: from folders of pictures to a model that finds what is in them.

mod page;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::eval::report;
use crate::files::{Stop, write_file};
use crate::localize::Localizer;
use crate::train::{self, Backbone, Dataset, Epoch, HeadKind, Milestone, Plan, Trained, gather};
use anyhow::{Context as _, Result, anyhow, bail};
use camloc_graph::onnx::load::encode;

use super::report::count;
use super::settings::Settings;
use super::{Context, arguments, assemble, usage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder that holds a folder of pictures for each class (docs/training.md)
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write the model to this file
    #[arg(short, long, value_name = "FILE.onnx")]
    output: PathBuf,
    /// What is put on the backbone: acol, cam or linear
    #[arg(long, default_value_t = HeadKind::Acol, value_name = "NAME")]
    head: HeadKind,
    /// The ONNX classifier that sees for the head; it stays as it is [default: EfficientNet-Lite0]
    #[arg(long, value_name = "FILE.onnx")]
    backbone: Option<PathBuf>,
    /// The layer of the backbone that the head sits on: a name, -1 (the last) or -2 [default: the last, or what it only expands]
    #[arg(long, value_name = "NAME|-N", allow_hyphen_values = true)]
    layer: Option<String>,
    /// Prepare pictures to N x N pixels, or to WIDTH x HEIGHT, in place of the backbone's own size, if it takes any
    #[arg(long, value_name = "N|WxH")]
    input_size: Option<String>,
    /// A folder of pictures that show none of the classes; they become the class `background`
    #[arg(long, value_name = "DIR")]
    negatives: Option<PathBuf>,
    /// Passes over the pictures, at most
    #[arg(long, default_value_t = train::Settings::default().epochs, value_name = "N")]
    epochs: usize,
    /// Channels of the head's convolutions
    #[arg(long, default_value_t = train::Settings::default().width, value_name = "N")]
    width: usize,
    /// acol: the share of the first branch's map above which the second branch sees nothing
    #[arg(long, default_value_t = train::Settings::default().delta, value_name = "0..1")]
    delta: f32,
    /// The largest step of the weights
    #[arg(long, default_value_t = train::Settings::default().learning_rate, value_name = "RATE")]
    learning_rate: f64,
    /// The share of the pictures that is held out to check what was learned
    #[arg(long, default_value_t = train::Settings::default().held_out, value_name = "0..1")]
    held_out: f64,
    /// Which pictures those are, and all that is drawn by chance, follows from this number
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Go on with the run that was stopped
    #[arg(long)]
    resume: bool,
}

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let report = &context.report;
    let settings = settings(&args)?;
    let model = model_settings(&args, &context.settings);
    assemble::refuse_over_model(&args.output, &model)?;
    writable(&args.output)?;
    let page = args.output.with_extension("html");
    report::check_place(&page)?;
    let localizer = Localizer::new(assemble::localize(&context.settings)?);
    let dataset = gather(&args.folder, args.negatives.as_deref())?;
    tell(&dataset, context);

    let stop = assemble::stop_on_ctrl_c()?;
    let store = assemble::store()?;
    assemble::library(&model, &store, report)?;
    let classifier = assemble::classifier(&model, &store, report)?;
    let provider = assemble::options(&model)?.provider;
    let backbone = Backbone::new(classifier, args.layer.as_deref())?.on(provider);
    let [channels, rows, columns] = backbone.shape();
    report.note(format_args!(
        "{} up to {}: {channels} channels on {rows} x {columns} places",
        backbone.title(),
        backbone.layer()
    ));
    let plan = Plan {
        dataset: &dataset,
        backbone: &backbone,
        settings: &settings,
        cache: store.dir(),
        state: args.output.with_added_extension("training"),
        resume: args.resume,
    };
    let started = Instant::now();
    let trained = watched(&plan, &stop, context)?;
    let title = args.output.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    write_file(&args.output, &encode(&trained.model(&plan, &title)?)?)?;
    conclude(&trained, &args, started, context);
    let html = page::page(&trained, &plan, &args.output, localizer)?.html()?;
    write_file(&page, html.as_bytes())?;
    report.note(format_args!("wrote {}: what it takes for what, and where it looks", page.display()));
    if stop.is_stopped() {
        bail!(
            "stopped after epoch {} of {}: the best so far is written, and --resume goes on",
            trained.epochs.len(),
            settings.epochs
        );
    }
    trained.close();
    Ok(())
}

fn settings(args: &Args) -> Result<train::Settings> {
    let share = |name: &str, value: f64| {
        if value > 0.0 && value < 1.0 {
            Ok(value)
        } else {
            Err(usage(anyhow!("--{name} is a share between 0 and 1, not {value}")))
        }
    };
    let some = |name: &str, value: usize| match value {
        0 => Err(usage(anyhow!("--{name} must be at least 1, not 0"))),
        value => Ok(value),
    };
    if !(args.learning_rate > 0.0 && args.learning_rate <= 1.0) {
        return Err(usage(anyhow!("--learning-rate is above 0 and at most 1, not {}", args.learning_rate)));
    }
    Ok(train::Settings {
        head: args.head,
        width: some("width", args.width)?,
        delta: share("delta", f64::from(args.delta)).map(|_| args.delta)?,
        epochs: some("epochs", args.epochs)?,
        learning_rate: args.learning_rate,
        held_out: share("held-out", args.held_out)?,
        seed: args.seed,
        ..train::Settings::default()
    })
}

/// The settings of the program, with the backbone as the model.
fn model_settings(args: &Args, settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    if let Some(path) = &args.backbone {
        arguments::set_path(&mut settings.model, path);
    }
    arguments::set(&mut settings.model.input_size, args.input_size.clone());
    settings
}

/// Said before an hour of work, not after it.
fn writable(output: &Path) -> Result<()> {
    let folder = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if output.is_dir() {
        return Err(usage(anyhow!("{} is a folder: name a file, such as my.onnx", output.display())));
    }
    if !output.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("onnx")) {
        return Err(usage(anyhow!(
            "{} is not named like a model: give a name that ends in .onnx",
            output.display()
        )));
    }
    tempfile::tempfile_in(folder).map(drop).with_context(|| {
        format!("can't write {}: see that the folder is there and may be written to", output.display())
    })
}

fn tell(dataset: &Dataset, context: &Context) {
    let pictures = |class: usize| dataset.items.iter().filter(|item| item.class == class).count();
    let classes: Vec<String> = dataset
        .classes
        .iter()
        .enumerate()
        .map(|(class, name)| format!("{name} ({})", pictures(class)))
        .collect();
    let report = &context.report;
    report.note(format_args!("{}: {}", count(classes.len(), "class"), classes.join(", ")));
    if dataset.beside > 0 {
        report.note(format_args!("left out {} in no folder of a class", count(dataset.beside, "picture")));
    }
}

/// Trains under progress bars.
fn watched(plan: &Plan<'_>, stop: &Stop, context: &Context) -> Result<Trained> {
    let total = plan.dataset.items.len() as u64;
    let seeing = context.report.frames(Some(total), "pictures seen");
    let learning = context.report.frames(Some(plan.settings.epochs as u64), "epochs");
    let observe = |progress: Milestone| match progress {
        Milestone::Seen(count) => seeing.set_position(count as u64),
        Milestone::Epoch(Epoch { number, loss, held_out_loss, accuracy, time }) => {
            seeing.finish_and_clear();
            learning.set_position(number as u64);
            let line =
                format!("loss {loss:.3}, held out {held_out_loss:.3}, right {:.1} %", 100.0 * accuracy);
            tracing::info!("epoch {number}: {line}, {:.1} s", time.as_secs_f64());
            learning.set_message(line);
        }
    };
    let trained = train::train(plan, stop, &observe);
    seeing.finish_and_clear();
    learning.finish_and_clear();
    Ok(trained?)
}

fn conclude(trained: &Trained, args: &Args, started: Instant, context: &Context) {
    let report = &context.report;
    if !trained.unreadable.is_empty() {
        let unreadable = count(trained.unreadable.len(), "picture");
        report.note(format_args!("left out {unreadable} that can't be read:"));
        for (_, error) in trained.unreadable.iter().take(5) {
            report.note(format_args!("  {error}"));
        }
    }
    for class in &trained.single_bursts {
        report.note(format_args!(
            "all pictures of {class} are of one burst, so the held-out ones look like those learned from: \
             take some at another time or place"
        ));
    }
    let right = trained.held_out.iter().filter(|judged| judged.is_right()).count();
    report.note(format_args!(
        "{right} of {} right ({:.1} %) after epoch {} of {}; learned from {} in {:.0} s",
        count(trained.held_out.len(), "held-out picture"),
        100.0 * trained.accuracy(),
        trained.best,
        trained.epochs.len(),
        count(trained.learned, "picture"),
        started.elapsed().as_secs_f64()
    ));
    report.note(format_args!("wrote {}: try `camloc live --model {0}`", args.output.display()));
}
