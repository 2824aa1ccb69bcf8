//! What a person reads on the terminal: notes, progress and errors. All of it goes to standard error,
//! so that standard output holds nothing but results.

use std::fmt::{self, Debug, Display};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::files::FileError;
use crate::pipeline::{PipelineError, StageFigures, Stats};
use crate::sink::SinkError;
use indicatif::{ProgressBar, ProgressStyle};
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use super::terminal::{Lines, visible};

/// Tells the user what happens, unless told to be quiet.
pub(super) struct Report {
    quiet: bool,
}

impl Report {
    pub(super) fn new(quiet: bool) -> Report {
        Report { quiet }
    }

    /// One line of news.
    pub(super) fn note(&self, line: impl Display) {
        if !self.quiet {
            print_line(format_args!("camloc: {line}"));
        }
    }

    /// A line about the result on standard output, for a person; who wants errors only gets none.
    pub(super) fn result(&self, line: impl Display) -> io::Result<()> {
        if self.quiet { Ok(()) } else { writeln!(Lines(io::stdout()), "{line}") }
    }

    /// Whether only errors are said.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// An error that does not end the run.
    pub(super) fn error(&self, error: impl Display) {
        print_line(format_args!("camloc: error: {}", one_line(error)));
    }

    /// The time of every stage, with `--stats`.
    pub(super) fn stats(&self, stats: &Stats) {
        print_line(format_args!("stage          frames   wall ms    cpu ms   (mean a frame)"));
        for StageFigures { stage, frames, wall, cpu, .. } in stats.stages() {
            let (wall, cpu) = (1e3 * wall.as_secs_f64(), 1e3 * cpu.as_secs_f64());
            print_line(format_args!("{:<12} {frames:>8} {wall:>9.2} {cpu:>9.2}", stage.name()));
        }
        let latency = 1e3 * stats.latency().as_secs_f64();
        let dropped = count(stats.dropped(), "frame");
        print_line(format_args!("latency {latency:.1} ms (median), {dropped} dropped"));
    }

    /// A bar over `total` frames or photos: hidden unless standard error is a terminal.
    pub(super) fn frames(&self, total: Option<u64>, unit: &str) -> ProgressBar {
        let bar = self.bar(total);
        let template = match total {
            Some(_) => format!("{{bar:30}} {{pos}}/{{len}} {unit}  {{per_sec}}  {{eta}} left  {{msg}}"),
            None => format!("{{spinner}} {{pos}} {unit}  {{per_sec}}  {{msg}}"),
        };
        bar.with_style(style(&template).with_key(
            "per_sec",
            |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.1}/s", state.per_sec());
            },
        ))
    }

    /// A bar over a few steps of very different lengths, of which none tells how long the next one takes.
    pub(super) fn steps(&self, total: usize, unit: &str) -> ProgressBar {
        let template = format!("{{spinner}} {{bar:30}} {{pos}}/{{len}} {unit}  {{elapsed}}");
        self.bar(Some(total as u64)).with_style(style(&template))
    }

    /// A bar over the bytes of a download.
    pub(super) fn bytes(&self, what: &str, total: Option<u64>) -> ProgressBar {
        let template = match total {
            Some(_) => "fetching {msg}  {bar:30} {bytes}/{total_bytes}",
            None => "fetching {msg}  {spinner} {bytes}",
        };
        self.bar(total).with_style(style(template)).with_message(visible(what).into_owned())
    }

    fn bar(&self, total: Option<u64>) -> ProgressBar {
        if self.quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are this file's own; the plain bar stands in should one be mistyped.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Sends the library's log lines to standard error; `-v` shows more of them.
pub(super) fn start_log(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (_, 0) => "camloc=warn,error",
        // ONNX Runtime warns of every explained graph, whose classes may be given or not.
        (_, 1) => "camloc=info,error",
        (_, 2) => "camloc=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("CAMLOC_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .fmt_fields(debug_fn(field).delimited(" "))
        .without_time()
        .with_target(verbose > 1)
        .init();
}

/// A field of a log line; the line itself is the field `message`.
fn field(out: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let value = format!("{value:?}");
    match field.name() {
        "message" => out.write_str(&visible(&value)),
        name => write!(out, "{name}={}", visible(&value)),
    }
}

/// The error on one line; its causes below it with `-v`.
pub(super) fn print_error(error: &anyhow::Error, verbose: u8) {
    print_line(format_args!("camloc: error: {}", one_line(error)));
    if verbose > 0 {
        error.chain().skip(1).for_each(|cause| print_line(format_args!("  because: {}", one_line(cause))));
    }
}

/// `1 photo`, `2 photos`, `0 boxes`.
pub(super) fn count<N: Display + PartialEq + From<u8>>(number: N, one: &str) -> String {
    let ending = match one.ends_with(['s', 'x']) {
        _ if number == N::from(1) => "",
        true => "es",
        false => "s",
    };
    format!("{number} {one}{ending}")
}

/// A closed standard error is nobody's loss: there is nobody to tell.
fn print_line(line: fmt::Arguments) {
    let _ = writeln!(Lines(io::stderr()), "{line}");
}

fn one_line(message: impl Display) -> String {
    message.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the error only says that the reader of standard output went away, as `| head` does.
pub(super) fn reader_is_gone(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let closed = matches!(file_error(cause), Some(FileError::StdoutClosed));
        closed || cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Why a file can't be written, if an error is that.
pub(super) fn file_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a FileError> {
    let of_sink = |error: &'a SinkError| match error {
        SinkError::File(error) => Some(error),
        _ => None,
    };
    let of_pipeline = |error: &'a PipelineError| match error {
        PipelineError::Sink(error) => of_sink(error),
        _ => None,
    };
    let (sink, pipeline) =
        (error.downcast_ref().and_then(of_sink), error.downcast_ref().and_then(of_pipeline));
    error.downcast_ref().or(sink).or(pipeline)
}
