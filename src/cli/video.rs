//! `camloc video`: a file or stream in; an overlaid video, results, or a window out.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use camloc::frame::PicturePool;
use camloc::pipeline::Output;
use camloc::sink::{Sink, Window};
use camloc::source::{FrameSource, PacedSource, VideoSource};

use super::arguments::{ExplainArgs, TrackArgs};
use super::masks::MaskArgs;
use super::run::{Job, ResultArgs};
use super::teach::{TeachArgs, Teaching};
use super::{Context, assemble, collect, overlaid};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Video files, or URLs of streams; several share the model and the window
    #[arg(value_name = "FILE|URL", required = true)]
    videos: Vec<OsString>,
    /// Write the overlaid video: .mp4, .mov, .mkv or .webm [default: NAME.cam.mp4 here, if nothing else is asked for];
    /// with --masks, or of several videos, the folder for them
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
    let several = args.videos.len() > 1;
    if several {
        args.teach.alone("one video")?;
        args.masks.alone("one video")?;
    }
    // One teaches at a window.
    let show = args.show || args.teach.wanted();
    let teaching = args.teach.check(&settings)?;
    let store = assemble::store()?;
    let ffmpeg = assemble::ffmpeg(&store, &context.report)?;
    let stop = assemble::stop_on_ctrl_c()?;
    let open = |input| VideoSource::open(&ffmpeg, input, &PicturePool::new(FRAMES), &stop);
    let sources = args.videos.iter().map(|input| open(input)).collect::<Result<Vec<_>, _>>()?;
    let files: Vec<&Path> = args.videos.iter().map(Path::new).filter(|path| path.is_file()).collect();
    let called: Vec<String> = args.videos.iter().map(|input| collect::video_name(input)).collect();

    let is_file = args.output.as_deref().is_some_and(|path| path.extension().is_some() && !path.is_dir());
    let masks = args.masks.open(args.output.as_deref(), is_file, &files)?;
    let nothing_else = !show && !args.results.any();
    let output = match (args.output, &masks) {
        (Some(folder), Some(_)) => Some(folder.join(overlaid::name(&called.concat()))),
        (None, _) if !nothing_else => None,
        (None, _) if several => Some(PathBuf::from(".")),
        (output, _) => output.or_else(|| Some(PathBuf::from(overlaid::name(&called.concat())))),
    };
    let targets = overlaid::targets(output.as_deref(), several, &called)?;
    let mut sinks = args.results.open(several, &overlaid::paths(&targets), &files)?;
    sinks.extend(masks.map(|masks| Box::new(masks) as Box<dyn Sink>));
    let sound = |stream: usize| {
        let path = Path::new(&args.videos[stream]);
        (sources[stream].info().has_audio && path.is_file()).then(|| path.to_owned())
    };
    let of_stream = overlaid::videos(&targets, sound, || Ok(ffmpeg.clone()))?;

    let infos = || sources.iter().map(VideoSource::info);
    let size = infos().find_map(|info| info.size).unwrap_or((1280, 720));
    let expected: Option<u64> = infos().map(|info| info.frames).sum();
    let names = teaching.as_ref().map(Teaching::names).unwrap_or_default();
    let text = assemble::writer(&names, &store, &context.report);
    let window = show.then(|| Window::tiled("camloc", size, sources.len(), text)).transpose()?;
    let written = !sinks.is_empty() || targets.iter().any(Option::is_some);
    let paced = window.is_some() && (!written || teaching.is_some());
    let source = |source: VideoSource| -> Box<dyn FrameSource> {
        match paced && !source.info().live {
            true => Box::new(PacedSource::new(Box::new(source), &stop)),
            false => Box::new(source),
        }
    };
    let sources = sources.into_iter().map(source).collect();
    let output = Output { sinks, of_stream, window, ..Output::default() };
    let job = Job { names, ..Job::new(settings, store, sources, output, stop) };
    let summary = match teaching {
        Some(teaching) => teaching.run(job, called.concat(), context)?,
        None => job.run(context)?,
    };
    if summary.interrupted && !show {
        let of = expected.map(|frames| format!(" of about {frames}")).unwrap_or_default();
        let kept =
            overlaid::paths(&targets).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        let kept = match &*kept {
            [] => String::new(),
            [one] => format!("; {one} holds them"),
            several => format!("; {} hold them", several.join(" and ")),
        };
        bail!("stopped after {}{of}{kept}", super::report::count(summary.frames, "frame"));
    }
    Ok(())
}
