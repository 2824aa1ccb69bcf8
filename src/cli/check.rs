//! `camloc check`: whether the explanations of a model are true of it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::compare::small;
use crate::eval::check::{Checked, CheckedMethod, Plan, Verdict, check};
use crate::eval::scorer::Areas;
use crate::files::{Stop, check_outputs, write_file};
use crate::frame::Picture;
use crate::source::{FrameSource, ImageSource, read_photo};
use anyhow::{Result, anyhow, bail};

use super::arguments::{BlackBoxArgs, ModelArgs, results_file};
use super::report::count;
use super::terminal::Lines;
use super::{Context, assemble, compare, offered, usage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    wish: Wish,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    black_box: BlackBoxArgs,
}

/// What to check, and what to make of it.
#[derive(Debug, clap::Args)]
struct Wish {
    /// Photos, folders of photos (not those deeper in them), or `-` for a photo on standard input
    #[arg(required = true, value_name = "PHOTO|DIR")]
    photos: Vec<PathBuf>,
    /// Methods to check side by side, such as cam,guided-backprop, or `all` [default: that of --method]
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', value_parser = offered::methods("all"))]
    methods: Vec<String>,
    /// Steps in which deletion and insertion are measured, two forward passes each; 0 leaves them out
    #[arg(long, default_value_t = 16, value_name = "N")]
    steps: usize,
    /// Check on this many photos, the first ones of all
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// What is drawn by chance follows from this number
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Write the findings as JSON; `-` is standard output
    #[arg(long, value_name = "FILE|-", value_parser = results_file())]
    json: Option<PathBuf>,
    /// Refine the maps, as the other commands do; here they are as the methods' papers have them
    #[arg(long, conflicts_with = "no_refine")]
    refine: bool,
}

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let mut settings = args.model.over(&context.settings);
    args.black_box.apply(&mut settings);
    settings.black_box.seed = args.wish.seed;
    let args = args.wish;
    settings.model.refine &= args.refine;
    let named = match args.methods.as_slice() {
        [] => std::slice::from_ref(&settings.model.method),
        named => named,
    };
    let methods = compare::methods(named, &settings.model.method)?;
    compare::refuse_values(&settings)?;
    compare::check_steps(args.steps)?;
    if args.limit == 0 {
        return Err(usage(anyhow!("--limit 0 leaves no photo to check: use 1 or more")));
    }
    if let Some(json) = &args.json {
        assemble::refuse_over_model(json, &settings)?;
    }
    let stop = assemble::stop_on_ctrl_c()?;
    let (store, report) = (assemble::store()?, &context.report);
    let photos = photos(&args, &stop, context)?;
    assemble::library(&settings, &store, report)?;
    let classifier = assemble::classifier(&settings, &store, report)?;
    let plan = Plan {
        request: assemble::request(&settings, &classifier.labels, 1)?,
        options: assemble::options(&settings)?,
        methods,
        steps: args.steps,
        seed: args.seed,
    };
    let bar = report.steps(plan.methods.len(), "methods");
    let checked = check(&classifier, &photos, &plan, &stop, |_| bar.inc(1))?;
    bar.finish_and_clear();
    if checked.methods.is_empty() {
        bail!("stopped before a method was checked");
    }
    if let Some(path) = &args.json {
        write_file(path, (serde_json::to_string_pretty(&checked)? + "\n").as_bytes())?;
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        print(&checked, &mut Lines(io::stdout().lock()))?;
    }
    compare::say_if_stopped(&stop, checked.methods.len(), plan.methods.len())
}

/// The photos, made small; of several, one that can't be read is reported and left out.
fn photos(args: &Wish, stop: &Stop, context: &Context) -> Result<Vec<Picture>> {
    let source = ImageSource::open(&args.photos, stop)?;
    let paths = &source.info().photos;
    if let Some(json) = &args.json {
        let inputs: Vec<&Path> =
            paths.iter().map(PathBuf::as_path).filter(|p| *p != Path::new("-")).collect();
        check_outputs(&[json], &inputs)?;
    }
    if paths.len() > args.limit {
        let taken = if args.limit == 1 { "first".to_owned() } else { format!("first {}", args.limit) };
        context.report.note(format_args!("the {taken} of {} photos; --limit says how many", paths.len()));
    }
    let mut photos = Vec::new();
    for path in paths.iter().take(args.limit) {
        match read_photo(path) {
            Ok(photo) => photos.push(small(&photo).0),
            Err(error) if paths.len() == 1 => return Err(error.into()),
            Err(error) => context.report.error(error),
        }
    }
    if photos.is_empty() { Err(anyhow!("none of the photos can be read")) } else { Ok(photos) }
}

/// The findings for a person.
fn print(checked: &Checked, out: &mut dyn Write) -> io::Result<()> {
    let photos = count(checked.photos, "photo");
    writeln!(out, "{} · {photos}, {} a method", checked.model, count(checked.maps, "map"))?;
    let width =
        checked.methods.iter().map(|method| method.method.len()).max().unwrap_or_default().max(10) + 5;
    let shown: Vec<&CheckedMethod> = checked.methods.iter().filter(|m| m.refused.is_none()).collect();
    print_forgetting(checked, &shown, width, out)?;
    print_areas(checked, &shown, width, out)?;
    if shown.len() > 1 {
        print_agreement(checked, width, out)?;
    }
    for method in &checked.methods {
        if let Some(reason) = &method.refused {
            writeln!(out)?;
            writeln!(out, "{}: {reason}", method.method)?;
        }
    }
    Ok(())
}

fn print_forgetting(
    checked: &Checked,
    shown: &[&CheckedMethod],
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    if checked.shuffled.is_empty() {
        writeln!(out)?;
        return writeln!(out, "no layer has weights that can be shuffled: nothing can be made to forget");
    }
    writeln!(out)?;
    writeln!(
        out,
        "Forgetting: the weights of the top layers are shuffled; rank correlation with the true map (SSIM)"
    )?;
    write!(out, "{:width$}", "layers shuffled")?;
    for count in &checked.shuffled {
        write!(out, " {:>13}", format!("{count} of {}", checked.layers))?;
    }
    writeln!(out)?;
    for method in shown {
        write!(out, "{:width$}", method.method)?;
        for likeness in &method.forgetting {
            let cell = match (likeness.rank, likeness.ssim) {
                (Some(rank), Some(ssim)) => format!("{rank:.2} ({ssim:.2})"),
                _ => "no map".to_owned(),
            };
            write!(out, " {cell:>13}")?;
        }
        writeln!(out, "  {}", verdict(method.verdict))?;
    }
    Ok(())
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Changes => "changes, as it should",
        Verdict::Stays => "STAYS: it hardly depends on what was learned",
        Verdict::Unknown => "no map to compare",
    }
}

fn print_areas(
    checked: &Checked,
    shown: &[&CheckedMethod],
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    if checked.steps == 0 {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(
        out,
        "Faithfulness: area under the class's probability while the hottest pixels go or come first ({} steps)",
        checked.steps
    )?;
    writeln!(out, "{:width$} {:>14} {:>15}", "", "deletion (low)", "insertion (high)")?;
    let mut line = |name: &str, areas: Option<Areas>, words: &str| match areas {
        Some(Areas { deletion, insertion }) => {
            let line = format!("{name:width$} {deletion:>14.3} {insertion:>16.3}  {words}");
            writeln!(out, "{}", line.trim_end())
        }
        None => writeln!(out, "{name:width$} {:>14} {:>16}", "-", "-"),
    };
    for method in shown {
        line(&method.method, method.areas, &against(method.areas, checked))?;
    }
    line("map of chance", checked.chance, "")?;
    line("the centre", checked.centre, "")
}

/// How a method stands against maps that have seen nothing.
fn against(areas: Option<Areas>, checked: &Checked) -> String {
    let Some(areas) = areas else { return String::new() };
    let no_worse = |of: &str, than: &dyn Fn(Areas) -> bool| {
        let others = [("chance", checked.chance), ("the centre", checked.centre)];
        let names: Vec<&str> =
            others.into_iter().filter(|(_, other)| other.is_some_and(than)).map(|(name, _)| name).collect();
        (!names.is_empty()).then(|| format!("{of} no better than {}", names.join(" and ")))
    };
    let deletion = no_worse("deletion", &|other| areas.deletion >= other.deletion);
    let insertion = no_worse("insertion", &|other| areas.insertion <= other.insertion);
    deletion.into_iter().chain(insertion).collect::<Vec<_>>().join(", ")
}

fn print_agreement(checked: &Checked, width: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "Agreement: rank correlation between the methods' maps")?;
    let named = || checked.methods.iter().enumerate().filter(|(_, method)| method.refused.is_none());
    write!(out, "{:width$}", "")?;
    for (_, number) in named().zip(1..) {
        write!(out, " {:>5}", format!("({number})"))?;
    }
    writeln!(out)?;
    for ((row, method), number) in named().zip(1..) {
        write!(out, "{:width$}", format!("({number}) {}", method.method))?;
        for (column, _) in named() {
            let cell = checked.agreement.get(row).and_then(|cells| *cells.get(column)?);
            write!(out, " {:>5}", cell.map_or_else(|| "-".to_owned(), |cell| format!("{cell:.2}")))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
