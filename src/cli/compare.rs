//! `camloc compare`: one photo, many methods, side by side.

use std::path::{Path, PathBuf};

use crate::compare::{Plan, SideBySide, explain_by_all};
use crate::explainer::Method;
use crate::files::{Stop, check_outputs, write_file};
use crate::frame::Picture;
use crate::model::Labels;
use crate::picture::{write_jpeg, write_png};
use crate::render::HeatScale;
use crate::sink::SinkError;
use crate::source::read_photo;
use anyhow::{Context as _, Result, anyhow, bail};

use super::arguments::ExplainArgs;
use super::report::{Report, count};
use super::settings::Settings;
use super::{Context, assemble, offered, usage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A photo; `-` is standard input
    photo: PathBuf,
    /// The sheet to write: .png, .jpg, or .html for a page with a threshold slider and raw values
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Methods, such as gradcam,layercam, or `all` that the model allows [default: a handful, --method first]
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', value_parser = offered::methods("all"))]
    methods: Vec<String>,
    /// Classes, a row each, such as cat,dog [default: the two best]
    #[arg(long = "classes", value_name = "NAME,NAME", value_delimiter = ',')]
    rows: Vec<String>,
    /// Steps in which deletion and insertion are measured, two forward passes each; 0 leaves them out
    #[arg(long, default_value_t = 16, value_name = "N")]
    steps: usize,
    /// Refine the maps, as the other commands do; here they are as the methods' papers have them
    #[arg(long, conflicts_with = "no_refine")]
    refine: bool,
    #[command(flatten)]
    explain: ExplainArgs,
}

/// What is shown behind the method of the settings where none is named. Of these, one that is not known is left out.
const HANDFUL: [&str; 9] = [
    "gradcam",
    "layercam",
    "guided-backprop",
    "guided-gradcam",
    "counterfactual",
    "occlusion",
    "rise",
    "scorecam",
    "ablationcam",
];
/// 90 of 100: letters stay clean.
const JPEG_QUALITY: u8 = 90;
/// More steps than this change no figure that is shown.
const MOST_STEPS: usize = 1000;

/// The form of a sheet.
#[derive(Clone, Copy, Debug)]
enum Form {
    Png,
    Jpeg,
    Html,
}

impl Form {
    fn of(path: &Path) -> Result<Form> {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("png") => Ok(Form::Png),
            Some("jpg" | "jpeg") => Ok(Form::Jpeg),
            Some("html" | "htm") => Ok(Form::Html),
            _ => Err(usage(SinkError::UnknownFormat {
                path: path.to_owned(),
                known: ".png, .jpg, .jpeg or .html",
            })),
        }
    }
}

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let form = Form::of(&args.output)?;
    check_steps(args.steps)?;
    let mut settings = args.explain.over(&context.settings);
    settings.model.refine &= args.refine;
    settings.model.classes.extend(args.rows);
    let methods = methods(&args.methods, &settings.model.method)?;
    refuse_values(&settings)?;
    let look = assemble::look(&settings)?.style;
    let localize = assemble::localize(&settings)?;
    if args.photo != Path::new("-") {
        check_outputs(&[&args.output], &[&args.photo])?;
    }
    let stop = assemble::stop_on_ctrl_c()?;
    let photo = read_photo(&args.photo)?;
    let (store, report) = (assemble::store()?, &context.report);
    assemble::library(&settings, &store, report)?;
    let classifier = assemble::classifier(&settings, &store, report)?;
    let classes =
        settings.model.classes.iter().map(|name| classes(name, &classifier.labels)).collect::<Result<_>>()?;
    settings.model.classes.clear();
    let plan = Plan {
        classes,
        request: assemble::request(&settings, &classifier.labels, 2)?,
        options: assemble::options(&settings)?,
        methods,
        localize,
        steps: args.steps,
        colormap: look.colormap,
        opacity: look.opacity,
    };
    let bar = report.steps(plan.methods.len(), "methods");
    let name = match args.photo.file_name() {
        Some(name) if args.photo != Path::new("-") => name.to_string_lossy().into_owned(),
        _ => "a photo".to_owned(),
    };
    let all = explain_by_all(&classifier, (&photo, &name), &plan, &stop, |_| bar.inc(1))?;
    bar.finish_and_clear();
    if all.columns.is_empty() {
        bail!("stopped before the photo was explained");
    }
    let bytes = match form {
        Form::Html => all.html()?.into_bytes(),
        Form::Png | Form::Jpeg => {
            let mut renderer = assemble::renderer(HeatScale::still(), &classifier.labels, "", &store, report);
            encode(&all.draw(renderer.text()), form)?
        }
    };
    write_file(&args.output, &bytes)?;
    say(&all, &args.output, report)?;
    say_if_stopped(&stop, all.columns.len(), plan.methods.len())
}

/// What was done before Ctrl-C is kept, and is not all that was asked for.
pub(super) fn say_if_stopped(stop: &Stop, done: usize, of: usize) -> Result<()> {
    if stop.is_stopped() && done < of {
        bail!("stopped after {done} of {}", count(of, "method"))
    } else {
        Ok(())
    }
}

/// The class that a name means, or all whose names have it as a word: of the cats, the photo decides.
fn classes(name: &str, labels: &Labels) -> Result<Vec<usize>> {
    match labels.find(name) {
        Ok(id) => Ok(vec![id]),
        Err(error) => match labels.with_words(name) {
            found if found.is_empty() => Err(usage(error)),
            found => Ok(found),
        },
    }
}

/// Deletion and insertion in any number of steps would take any time.
pub(super) fn check_steps(steps: usize) -> Result<()> {
    match steps {
        0..=MOST_STEPS => Ok(()),
        _ => Err(usage(anyhow!("--steps {steps} takes for ever: use 0 to {MOST_STEPS}"))),
    }
}

/// Probabilities of classes are what is looked at; a value of any output has none.
pub(super) fn refuse_values(settings: &Settings) -> Result<()> {
    if settings.model.target.is_empty() {
        Ok(())
    } else {
        Err(usage(anyhow!("classes are compared, not values: leave --target out")))
    }
}

/// The methods of a list; of an empty one the handful, behind the method of the settings.
pub(super) fn methods(names: &[String], first: &str) -> Result<Vec<Option<Method>>> {
    let one = |name: &str| match name {
        "auto" => Ok(None),
        name => name.parse().map(Some).map_err(usage),
    };
    match names {
        [] => {
            let rest = HANDFUL.iter().filter_map(|name| name.parse().ok().map(Some));
            Ok(std::iter::once(one(first)?).chain(rest).collect())
        }
        [all] if all == "all" => Ok(Method::all().map(Some).collect()),
        names => names.iter().map(|name| one(name)).collect(),
    }
}

fn encode(picture: &Picture, form: Form) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let written = match form {
        Form::Jpeg => write_jpeg(picture, JPEG_QUALITY, &mut bytes),
        _ => write_png(picture, &mut bytes),
    };
    written.context("the sheet is too large for a picture: name fewer --methods or --classes")?;
    Ok(bytes)
}

/// A word for a person about what was compared.
fn say(all: &SideBySide, path: &Path, report: &Report) -> std::io::Result<()> {
    let shown = all.columns.iter().filter(|column| column.outcome.is_ok()).count();
    let classes: Vec<&str> = all.classes.iter().map(|class| class.label.as_str()).collect();
    let refused = match all.columns.len() - shown {
        0 => String::new(),
        1 => ", 1 more says why it can't be had".to_owned(),
        refused => format!(", {refused} more say why they can't be had"),
    };
    let shown = count(shown, "method");
    report.result(format_args!("{}: {shown} for {}{refused}", path.display(), classes.join(", ")))
}
