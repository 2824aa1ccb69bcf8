//! `camloc live`: a camera in, a window out.

use anyhow::{Result, anyhow};
use camloc::frame::PicturePool;
use camloc::pipeline::Output;
use camloc::sink::{VideoOptions, VideoSink, Window};
use camloc::source::{CameraSource, CameraWish, Encoding, FrameSource};

use super::arguments::{ExplainArgs, TrackArgs, set};
use super::run::{Job, ResultArgs};
use super::settings::Camera;
use super::teach::{TeachArgs, Teaching};
use super::{Context, assemble, collect, usage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Camera: an index or a device path [default: 0]; `camloc doctor` lists them
    #[arg(env = "CAMLOC_CAMERA")]
    camera: Option<String>,
    /// Wanted picture size; the nearest that the camera offers is taken
    #[arg(long, env = "CAMLOC_SIZE", value_name = "WIDTHxHEIGHT")]
    size: Option<String>,
    /// Wanted frames a second
    #[arg(long, env = "CAMLOC_FPS", value_name = "N")]
    fps: Option<f64>,
    /// Wanted packing of pixels: yuyv, uyvy, nv12, rgb, bgr, mjpeg or grey [default: as size and rate want it]
    #[arg(long, env = "CAMLOC_ENCODING", value_name = "NAME")]
    encoding: Option<String>,
    /// End with an error when the camera is unplugged, instead of waiting for it
    #[arg(long)]
    no_reconnect: bool,
    /// Show no window
    #[arg(long, conflicts_with = "teach")]
    no_window: bool,
    /// Also record the overlaid video
    #[arg(short, long, value_name = "FILE")]
    output: Option<std::path::PathBuf>,
    #[command(flatten)]
    results: ResultArgs,
    #[command(flatten)]
    teach: TeachArgs,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    track: TrackArgs,
}

/// Frames that the camera, the model, the renderer and the window hold at one time.
const FRAMES: usize = 6;

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let mut settings = args.explain.over(&context.settings);
    args.track.apply(&mut settings);
    let camera = &mut settings.camera;
    set(&mut camera.device, args.camera);
    set(&mut camera.size, args.size);
    set(&mut camera.fps, args.fps);
    set(&mut camera.encoding, args.encoding);
    camera.reconnect &= !args.no_reconnect;
    let wish = wish(&settings.camera)?;
    let teaching = args.teach.check(&settings)?;

    let store = assemble::store()?;
    let stop = assemble::stop_on_ctrl_c()?;
    let source = CameraSource::open(&settings.camera.device, &wish, &PicturePool::new(FRAMES), &stop)?;
    let mut sinks = args.results.open(false, args.output.as_deref().as_slice(), &[])?;
    if let Some(path) = &args.output {
        let ffmpeg = assemble::ffmpeg(&store, &context.report)?;
        sinks.push(Box::new(VideoSink::create(path, VideoOptions { ffmpeg, sound: None })?));
    }
    let size = source.info().size.unwrap_or((1280, 720));
    let names = teaching.as_ref().map(Teaching::names).unwrap_or_default();
    let text = assemble::writer(&names, &store, &context.report);
    let window = (!args.no_window).then(|| Window::open("camloc", size, text)).transpose()?;
    let called = collect::called(None, &source);
    let output = Output { sinks, window, ..Output::default() };
    let job = Job { names, ..Job::new(settings, store, Box::new(source), output, stop) };
    match teaching {
        Some(teaching) => teaching.run(job, called, context)?,
        None => job.run(context)?,
    };
    Ok(())
}

/// What the settings ask of a camera.
pub(super) fn wish(camera: &Camera) -> Result<CameraWish> {
    let size = camera.size.split_once(['x', 'X']).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let size = size.filter(|&(w, h)| w > 0 && h > 0).ok_or_else(|| {
        usage(anyhow!("the camera's size is WIDTHxHEIGHT such as 1280x720, not \"{}\"", camera.size))
    })?;
    if !(camera.fps.is_finite() && camera.fps > 0.0) {
        return Err(usage(anyhow!("the camera's frames a second are a number above 0, not {}", camera.fps)));
    }
    let encoding: Option<Encoding> = match camera.encoding.as_str() {
        "any" => None,
        name => Some(name.parse().map_err(usage)?),
    };
    Ok(CameraWish { size: Some(size), fps: Some(camera.fps), encoding, reconnect: camera.reconnect })
}
