//! `camloc collect`: frames into a folder of pictures for each class.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::assets::Store;
use crate::collect::{Classes, CollectCommand, CollectError, DIGITS, Shutter, Swept, Tally, collect, sweep};
use crate::dataset::Burst;
use crate::files::Stop;
use crate::frame::PicturePool;
use crate::sink::SinkError;
use crate::source::{CameraSource, FrameSource, VideoSource};
use crate::window::Window;
use anyhow::{Result, anyhow, bail};

use super::arguments::set;
use super::report::count;
use super::{Context, assemble, live, usage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder of the classes' folders; what is there is gone on with (docs/collecting.md)
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The classes of the keys 1, 2, …; other folders in DIR follow by name, and `n` names more in the window
    #[arg(long = "class", value_name = "NAME,…", value_delimiter = ',')]
    classes: Vec<String>,
    /// Camera: an index or a device path [default: 0]; `camloc doctor` lists them
    #[arg(long, value_name = "N|PATH", conflicts_with = "video")]
    camera: Option<String>,
    /// Wanted size of the camera's picture; the nearest that it offers is taken
    #[arg(long, env = "CAMLOC_SIZE", value_name = "WIDTHxHEIGHT")]
    size: Option<String>,
    /// A recording or a stream in place of a camera
    #[arg(long, value_name = "FILE|URL")]
    video: Option<OsString>,
    /// Show no window: save every Nth frame for the one class that is named
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
}

/// Frames that the source, the window and the saving thread hold at one time.
const FRAMES: usize = 12;

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    // What is wrong with the command is said before anything is opened.
    let classes = classes(&args.folder, &args.classes)?;
    match (args.every, args.classes.len()) {
        (Some(_), 1) | (None, ..=DIGITS) => {}
        (Some(_), _) => {
            return Err(usage(anyhow!("--every saves frames of one class: name it with --class")));
        }
        (None, _) => return Err(usage(anyhow!("there are keys for {DIGITS} classes: name fewer at a time"))),
    }
    let store = assemble::store()?;
    let stop = assemble::stop_on_ctrl_c()?;
    let pool = PicturePool::new(FRAMES);
    let source = open(&args, &store, &pool, &stop, context)?;
    let held = classes.all().iter().filter(|class| class.before > 0);
    let held: Vec<String> = held.map(|class| format!("{} {}", class.before, class.name)).collect();
    if !held.is_empty() {
        context.report.note(format_args!("{} holds {}", args.folder.display(), held.join(", ")));
    }
    match args.every {
        Some(every) => without_window(&args, source, &classes, every, &stop, context),
        None => {
            let shutter = Shutter::new(classes, called(args.video.as_deref(), source.as_ref()), pool);
            in_window(source, shutter, &store, &stop, context)
        }
    }
}

/// The classes of a folder, those `wanted` first.
pub(super) fn classes(folder: &Path, wanted: &[String]) -> Result<Classes> {
    Classes::open(folder, wanted).map_err(|error| match error {
        CollectError::Name(bad) => usage(bad),
        other => other.into(),
    })
}

fn open(
    args: &Args,
    store: &Store,
    pool: &PicturePool,
    stop: &Stop,
    context: &Context,
) -> Result<Box<dyn FrameSource>> {
    if let Some(video) = &args.video {
        let ffmpeg = assemble::ffmpeg(store, &context.report)?;
        return Ok(Box::new(VideoSource::open(&ffmpeg, video, pool, stop)?));
    }
    let mut camera = context.settings.camera.clone();
    set(&mut camera.device, args.camera.clone());
    set(&mut camera.size, args.size.clone());
    Ok(Box::new(CameraSource::open(&camera.device, &live::wish(&camera)?, pool, stop)?))
}

/// What a video is called in the names of files.
pub(super) fn video_name(video: &OsStr) -> String {
    Path::new(video).file_stem().unwrap_or(video).to_string_lossy().into_owned()
}

/// What a camera is called in the names of files: `camera0` of `camera 0 (USB Webcam)`.
pub(super) fn camera_name(source: &dyn FrameSource) -> String {
    source.info().name.split(" (").next().unwrap_or_default().replace(' ', "")
}

fn called(video: Option<&OsStr>, source: &dyn FrameSource) -> String {
    video.map_or_else(|| camera_name(source), video_name)
}

fn in_window(
    source: Box<dyn FrameSource>,
    mut shutter: Shutter,
    store: &Store,
    stop: &Stop,
    context: &Context,
) -> Result<()> {
    let report = &context.report;
    let names: String = shutter.classes.all().iter().map(|class| class.name.as_str()).collect();
    let size = source.info().size.unwrap_or((1280, 720));
    let window =
        Window::<CollectCommand>::open("camloc collect", size, assemble::writer(&names, store, report));
    let mut window = window.map_err(|error| match error {
        SinkError::NoDisplay { reason } => anyhow!(
            "no window can be opened: no display ({reason}); run camloc on a desktop, or save every Nth frame with --every N"
        ),
        other => other.into(),
    })?;
    shutter.classes.prepare()?;
    if let Some(class) = shutter.classes.all().get(DIGITS) {
        report.note(format_args!("{} and what follows by name have no key: 1 to 9 are taken", class.name));
    }
    let ended = collect(source, &mut shutter, &mut window, stop);
    let (classes, tally, saved) = shutter.finish();
    tell(&classes, &tally, context);
    Ok(saved.and(ended)?)
}

fn without_window(
    args: &Args,
    source: Box<dyn FrameSource>,
    classes: &Classes,
    every: u64,
    stop: &Stop,
    context: &Context,
) -> Result<()> {
    let report = &context.report;
    let (live, frames) = (source.info().live, source.info().frames);
    let called = called(args.video.as_deref(), source.as_ref());
    // A recording has one time, so that its pictures have the same names whenever it is read.
    let recorded = args.video.as_ref().and_then(|file| std::fs::metadata(file).ok()?.modified().ok());
    let burst = match recorded {
        Some(time) => Burst::new(time, &called, 1),
        None => Burst::new(SystemTime::now(), &called, classes.next_burst()),
    };
    classes.prepare()?;
    let bar = report.frames(frames, "frames");
    let (swept, ended) = sweep(source, &classes.folder(0), &burst, every, &mut |frames, notice| {
        bar.set_position(frames);
        if let Some(notice) = notice {
            bar.suspend(|| report.note(notice));
        }
    });
    bar.finish_and_clear();
    let Swept { tally, frames } = swept;
    tell(classes, &tally, context);
    ended?;
    if stop.is_stopped() && !live {
        bail!("stopped after {}; the same command goes on from there", count(frames, "frame"));
    }
    Ok(())
}

/// Says what was saved and what was not.
pub(super) fn tell(classes: &Classes, tally: &Tally, context: &Context) {
    let report = &context.report;
    for (place, class) in classes.all().iter().enumerate().filter(|(place, _)| tally.saved(*place) > 0) {
        let (saved, folder) = (tally.saved(place), classes.folder(place));
        let total = class.before + saved;
        report.note(format_args!("{}: saved {saved}, {} holds {total}", class.name, folder.display()));
    }
    let left_out = [
        (tally.alike, "like one of the last that were saved"),
        (tally.there, "saved before"),
        (tally.dropped, "dropped as the disk or the processor was behind"),
    ];
    let left_out = left_out.into_iter().filter(|(count, _)| *count > 0);
    let left_out: Vec<String> = left_out.map(|(count, why)| format!("{count} {why}")).collect();
    if !left_out.is_empty() {
        report.note(format_args!("left out {}", left_out.join(", ")));
    }
}
