//! `camloc video`: a file or stream in; an overlaid video, results, or a window out.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::files::Stop;
use crate::frame::PicturePool;
use crate::pipeline::Output;
use crate::sink::{Sink, VideoOptions};
use crate::source::{FrameSource, PacedSource, VideoSource};
use anyhow::{Result, anyhow};

use super::arguments::{ExplainArgs, TrackArgs};
use super::masks::MaskArgs;
use super::report::count;
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
    let videos = Videos::open(&args.videos, &ffmpeg, &stop)?;

    let is_file = args.output.as_deref().is_some_and(overlaid::is_file);
    let masks = args.masks.open(args.output.as_deref(), is_file, &videos.files())?;
    let wanted = !show && !args.results.any();
    let overlays = overlays(args.output, masks.is_some(), wanted, &videos.names)?;
    let mut sinks = args.results.open(several, &overlaid::paths(&overlays), &videos.files())?;
    sinks.extend(masks.map(|masks| Box::new(masks) as Box<dyn Sink>));
    let of_stream = overlaid::videos(&overlays, |stream| Ok(videos.overlaid(stream, &ffmpeg)))?;
    let written = !sinks.is_empty() || overlays.iter().any(Option::is_some);
    let names = teaching.as_ref().map(Teaching::names).unwrap_or_default();
    let text = assemble::writer(&names, &store, &context.report);
    let display = show.then(|| overlaid::window(videos.size(), videos.names.len(), text)).transpose()?;

    let (frames, name) = (videos.frames(), videos.names.concat());
    let sources = videos.into_sources(show && (!written || teaching.is_some()), &stop);
    let output = Output { sinks, of_stream, display, ..Output::default() };
    let job = Job { names, ..Job::new(settings, store, sources, output, stop) };
    let summary = match teaching {
        Some(teaching) => teaching.run(job, name, context)?,
        None => job.run(context)?,
    };
    if summary.interrupted && !show { Err(stopped(summary.frames, frames, &overlays)) } else { Ok(()) }
}

/// Videos, opened.
struct Videos<'a> {
    paths: &'a [OsString],
    sources: Vec<VideoSource>,
    /// What each is called in the names of what is made of it.
    names: Vec<String>,
}

impl<'a> Videos<'a> {
    fn open(paths: &'a [OsString], ffmpeg: &Path, stop: &Stop) -> Result<Videos<'a>> {
        let open = |path| VideoSource::open(ffmpeg, path, &PicturePool::new(FRAMES), stop);
        let sources = paths.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
        let names = paths.iter().map(|path| collect::video_name(path)).collect();
        Ok(Videos { paths, sources, names })
    }

    /// Those that are files and no streams.
    fn files(&self) -> Vec<&'a Path> {
        self.paths.iter().map(Path::new).filter(|path| path.is_file()).collect()
    }

    /// How a video is written again: with its sound, if it has any and is a file.
    fn overlaid(&self, stream: usize, ffmpeg: &Path) -> VideoOptions {
        let (path, info) = (Path::new(&self.paths[stream]), self.sources[stream].info());
        let sound = (info.has_audio && path.is_file()).then(|| path.to_owned());
        VideoOptions { ffmpeg: ffmpeg.to_owned(), sound, fps: info.fps }
    }

    /// Width and height of the first that tells.
    fn size(&self) -> (u32, u32) {
        self.sources.iter().find_map(|source| source.info().size).unwrap_or((1280, 720))
    }

    /// How many frames they all have, if that is known.
    fn frames(&self) -> Option<u64> {
        self.sources.iter().map(|source| source.info().frames).sum()
    }

    /// Their frames, of files at their own pace if they are to be `paced`.
    fn into_sources(self, paced: bool, stop: &Stop) -> Vec<Box<dyn FrameSource>> {
        let source = |source: VideoSource| -> Box<dyn FrameSource> {
            if paced && !source.info().live {
                Box::new(PacedSource::new(Box::new(source), stop))
            } else {
                Box::new(source)
            }
        };
        self.sources.into_iter().map(source).collect()
    }
}

/// Where each overlaid video goes: to `output`, beside the `masks` if there are any; without it, here if overlaid videos are
/// all that is `wanted`, else nowhere.
fn overlays(
    output: Option<PathBuf>,
    masks: bool,
    wanted: bool,
    names: &[String],
) -> Result<Vec<Option<PathBuf>>> {
    let output = match (output, names) {
        (Some(folder), [name]) if masks => Some(folder.join(overlaid::name(name))),
        (Some(output), _) => Some(output),
        (None, _) if !wanted => None,
        (None, [name]) => Some(PathBuf::from(overlaid::name(name))),
        (None, _) => Some(PathBuf::from(".")),
    };
    overlaid::targets(output.as_deref(), names)
}

/// What is said of a run that did not come to the end of its videos.
fn stopped(frames: u64, of: Option<u64>, overlays: &[Option<PathBuf>]) -> anyhow::Error {
    if frames == 0 {
        return anyhow!("stopped before the first frame was done");
    }
    let of = of.map(|frames| format!(" of about {frames}")).unwrap_or_default();
    let paths = overlaid::paths(overlays).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    let kept = match &*paths {
        [] => String::new(),
        [one] => format!("; {one} holds them"),
        several => format!("; {} hold them", several.join(" and ")),
    };
    anyhow!("stopped after {}{of}{kept}", count(frames, "frame"))
}
