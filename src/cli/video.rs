//! `camloc video`: a file or stream in; an overlaid video, results, or a window out.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use camloc::frame::PicturePool;
use camloc::pipeline::Output;
use camloc::sink::{Sink, VideoOptions, VideoSink, Window};
use camloc::source::{FrameSource, VideoSource};

use super::arguments::{ExplainArgs, TrackArgs};
use super::masks::MaskArgs;
use super::run::{Job, ResultArgs};
use super::teach::{TeachArgs, Teaching};
use super::{Context, assemble, collect};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A video file, or the URL of a stream
    #[arg(value_name = "FILE|URL")]
    input: OsString,
    /// Write the overlaid video: .mp4, .mov, .mkv or .webm [default: NAME.cam.mp4 here, if nothing else is asked for];
    /// with --masks, the folder of both
    #[arg(short, long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
    /// Show it in a window, at its own pace unless it is also written; --teach does, too
    #[arg(long)]
    show: bool,
    #[command(flatten)]
    results: ResultArgs,
    #[command(flatten)]
    masks: MaskArgs,
    #[command(flatten)]
    teach: TeachArgs,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    track: TrackArgs,
}

/// Frames that the reader, the model, the renderer and the encoder hold at one time.
const FRAMES: usize = 8;

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let mut settings = args.explain.over(&context.settings);
    args.track.apply(&mut settings);
    args.masks.apply(&mut settings);
    // One teaches at a window.
    let show = args.show || args.teach.wanted();
    let teaching = args.teach.check(&settings)?;
    let store = assemble::store()?;
    let ffmpeg = assemble::ffmpeg(&store, &context.report)?;
    let stop = assemble::stop_on_ctrl_c()?;
    let source = VideoSource::open(&ffmpeg, &args.input, &PicturePool::new(FRAMES), &stop)?;
    let file = Path::new(&args.input);
    let inputs: &[&Path] = if file.is_file() { &[file] } else { &[] };

    let is_file = args.output.as_deref().is_some_and(|path| path.extension().is_some() && !path.is_dir());
    let masks = args.masks.open(args.output.as_deref(), is_file, inputs)?;
    let nothing_else = !show && !args.results.any();
    let target = match (args.output, &masks) {
        (Some(folder), Some(_)) => Some(folder.join(default_output(file))),
        (output, _) => output.or_else(|| nothing_else.then(|| default_output(file))),
    };
    let mut sinks = args.results.open(false, target.as_deref().as_slice(), inputs)?;
    sinks.extend(masks.map(|masks| Box::new(masks) as Box<dyn Sink>));
    if let Some(path) = &target {
        let sound = source.info().has_audio.then(|| inputs.first().map(|path| path.to_path_buf())).flatten();
        sinks.push(Box::new(VideoSink::create(path, VideoOptions { ffmpeg, sound })?));
    }
    let size = source.info().size.unwrap_or((1280, 720));
    let names = teaching.as_ref().map(Teaching::names).unwrap_or_default();
    let text = assemble::writer(&names, &store, &context.report);
    let window = show.then(|| Window::open("camloc", size, text)).transpose()?;
    let expected = source.info().frames;
    let paced = window.is_some() && (sinks.is_empty() || teaching.is_some()) && !source.info().live;
    let called = collect::called(Some(&args.input), &source);
    let output = Output { sinks, window, paced, ..Output::default() };
    let job = Job { names, ..Job::new(settings, store, Box::new(source), output, stop) };
    let summary = match teaching {
        Some(teaching) => teaching.run(job, called, context)?,
        None => job.run(context)?,
    };
    if summary.interrupted && !show {
        let of = expected.map(|frames| format!(" of about {frames}")).unwrap_or_default();
        let kept = target.map(|path| format!("; {} holds them", path.display())).unwrap_or_default();
        bail!("stopped after {}{of} frames{kept}", summary.frames);
    }
    Ok(())
}

/// `clip.mp4` becomes `clip.cam.mp4` in the current folder.
fn default_output(input: &Path) -> PathBuf {
    let stem = input.file_stem().unwrap_or("video".as_ref()).to_string_lossy();
    PathBuf::from(format!("{stem}.cam.mp4"))
}
