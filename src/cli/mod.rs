//! The commands, one file each. They only parse, assemble and report; the work is the library's.

mod arguments;
mod assemble;
mod bench;
mod check;
mod collect;
mod compare;
mod demo;
mod doctor;
mod eval;
mod export;
mod image;
mod inspect;
mod label;
mod live;
mod masks;
mod models;
mod offered;
mod overlaid;
mod providers;
mod reading;
mod report;
mod run;
mod settings;
mod setup;
mod teach;
mod terminal;
mod train;
mod video;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::explainer::black_box::BlackBoxError;
use crate::files::FileError;
use crate::model::ModelError;
use crate::sink::SinkError;
use anyhow::Result;
use camloc_graph::explain::{ExplainError, LayerError};
use clap::{ArgAction, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use settings::Settings;

/// Shows where an ONNX image classifier looks: live from a camera, in videos and in photos.
#[derive(Debug, Parser)]
#[command(name = "camloc", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// Settings file (TOML); config/camloc.toml in the source documents every key
    #[arg(long, global = true, env = "CAMLOC_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say more: causes of errors and what happens; -vv for every detail
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Print errors only
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Print the time of every stage at the end
    #[arg(long, global = true)]
    stats: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Pan over real photos as a camera would and show what the default model sees
    Demo(demo::Args),
    /// Show a camera live, with heatmap and boxes
    Live(live::Args),
    /// Process a video file or stream
    Video(video::Args),
    /// Process photos, folders of photos, or `-` for a photo on standard input
    Image(image::Args),
    /// Explain a photo by many methods and show them side by side: a contact sheet or a page
    Compare(compare::Args),
    /// Check whether explanations are true of the model: do they change when it forgets, does it go by what they mark
    Check(check::Args),
    /// Measure how well the boxes fit, on pictures whose truth is known
    Eval(eval::Args),
    /// Save pictures of your own objects, each class in its folder, by holding a key
    Collect(collect::Args),
    /// Make a detector's training set of pictures whose classes are known
    Label(label::Args),
    /// Teach a model new objects from pictures in folders, and write it as one file
    Train(train::Args),
    /// Write a model that explains itself wherever ONNX runs
    Export(export::Args),
    /// Say what a model offers: inputs, outputs, head, layers, methods
    Inspect(inspect::Args),
    /// List the models that are at hand and how to bring your own
    Models(models::Args),
    /// Check what camloc needs: what was found, what is missing and how to get it
    Doctor(doctor::Args),
    /// Measure the pipeline on this machine against the bare forward pass
    Bench(bench::Args),
    /// Fetch everything camloc may need now, so that later runs need no network
    Setup(setup::Args),
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// What every command gets: the settings below its own arguments, and how much to say.
pub(crate) struct Context {
    settings: Settings,
    report: report::Report,
    stats: bool,
}

/// Parses the command line, runs the command, and turns its outcome into an exit code:
/// 0 done, 1 failed, 2 wrong usage.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let verbose = cli.global.verbose;
    report::start_log(verbose, cli.global.quiet);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if report::reader_is_gone(&error) => ExitCode::SUCCESS,
        Err(error) if error.downcast_ref::<Reported>().is_some() => ExitCode::FAILURE,
        Err(error) => {
            report::print_error(&error, verbose);
            ExitCode::from(if is_usage(&error) { 2 } else { 1 })
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    if let Command::Completions { shell } = cli.command {
        // Into memory first: the generator panics where it can't write.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "camloc", &mut script);
        return Ok(std::io::stdout().write_all(&script)?);
    }
    let context = Context {
        settings: Settings::load(cli.global.config.as_deref()).map_err(usage)?,
        report: report::Report::new(cli.global.quiet),
        stats: cli.global.stats,
    };
    match cli.command {
        Command::Demo(args) => demo::run(args, &context),
        Command::Live(args) => live::run(args, &context),
        Command::Video(args) => video::run(args, &context),
        Command::Image(args) => image::run(args, &context),
        Command::Compare(args) => compare::run(args, &context),
        Command::Check(args) => check::run(args, &context),
        Command::Eval(args) => eval::run(args, &context),
        Command::Collect(args) => collect::run(args, &context),
        Command::Label(args) => label::run(args, &context),
        Command::Train(args) => train::run(args, &context),
        Command::Export(args) => export::run(args, &context),
        Command::Inspect(args) => inspect::run(args, &context),
        Command::Models(args) => models::run(args, &context),
        Command::Doctor(args) => doctor::run(args, &context),
        Command::Bench(args) => bench::run(args, &context),
        Command::Setup(args) => setup::run(args, &context),
        Command::Completions { .. } => unreachable!("handled before the settings are read"),
    }
}

/// What failed was reported when it failed: exit code 1, without another word.
#[derive(Debug, thiserror::Error)]
#[error("some inputs failed")]
struct Reported;

/// An error of the user's wording, not of the work: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct UsageError {
    message: String,
}

/// Whether what was asked for makes no sense, rather than that the work failed.
fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<UsageError>()
            || matches!(cause.downcast_ref(), Some(ModelError::NoSuchInput { .. }))
            || matches!(report::file_error(cause), Some(FileError::SameOutput { .. }))
            || matches!(cause.downcast_ref(), Some(SinkError::UnknownFormat { .. }))
            || matches!(cause.downcast_ref(), Some(BlackBoxError::PatchTooLarge { .. }))
            || cause.downcast_ref().is_some_and(is_not_in_model)
            || cause.downcast_ref::<Box<ExplainError>>().is_some_and(|error| is_not_in_model(error))
    })
}

/// Whether a model has nothing of the name or the size that was asked for.
fn is_not_in_model(error: &ExplainError) -> bool {
    match error {
        ExplainError::Layer(error) => {
            matches!(error, LayerError::TooFarBack { .. } | LayerError::NoSuchLayer { .. })
        }
        ExplainError::NoSuchOutput { .. } | ExplainError::NoSuchPlace { .. } => true,
        _ => false,
    }
}

/// Marks an error as wrong usage.
fn usage(error: impl Into<anyhow::Error>) -> anyhow::Error {
    let error = error.into();
    UsageError { message: format!("{error:#}") }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_arguments_of_a_command_have_one_name() {
        Cli::command().debug_assert();
    }
}
