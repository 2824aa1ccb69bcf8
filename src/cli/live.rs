//! `camloc live`: a camera in, a window out.

use std::path::PathBuf;

use crate::frame::PicturePool;
use crate::pipeline::Output;
use crate::sink::VideoOptions;
use crate::source::{CameraSource, CameraWish, Encoding, FrameSource};
use anyhow::{Result, anyhow};

use super::arguments::{ExplainArgs, TrackArgs, set};
use super::run::{Job, ResultArgs};
use super::settings::Camera;
use super::teach::{TeachArgs, Teaching};
use super::{Context, assemble, collect, overlaid, usage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Cameras: an index or a device path each [default: 0]; `camloc doctor` lists them. Several share the model and the
    /// window
    #[arg(env = "CAMLOC_CAMERA", value_name = "CAMERA", value_delimiter = ',')]
    cameras: Vec<String>,
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
    /// Also record the overlaid video; of several cameras, the folder for them
    #[arg(short, long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
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
    set(&mut camera.size, args.size);
    set(&mut camera.fps, args.fps);
    set(&mut camera.encoding, args.encoding);
    camera.reconnect &= !args.no_reconnect;
    let wish = wish(&settings.camera)?;
    let devices = if args.cameras.is_empty() { vec![settings.camera.device.clone()] } else { args.cameras };
    let several = devices.len() > 1;
    if several {
        args.teach.alone("one camera")?;
    }
    let teaching = args.teach.check(&settings)?;

    let store = assemble::store()?;
    let stop = assemble::stop_on_ctrl_c()?;
    let open = |device| CameraSource::open(device, &wish, &PicturePool::new(FRAMES), &stop);
    let sources = devices.iter().map(|device| open(device)).collect::<Result<Vec<_>, _>>()?;
    let called: Vec<String> = sources.iter().map(|source| collect::camera_name(source)).collect();
    let targets = overlaid::targets(args.output.as_deref(), &called)?;
    let sinks = args.results.open(several, &overlaid::paths(&targets), &[])?;
    let of_stream = overlaid::videos(&targets, |stream| {
        let ffmpeg = assemble::ffmpeg(&store, &context.report)?;
        Ok(VideoOptions { ffmpeg, sound: None, fps: sources[stream].info().fps })
    })?;
    let size = sources.first().and_then(|source| source.info().size).unwrap_or((1280, 720));
    let names = teaching.as_ref().map(Teaching::names).unwrap_or_default();
    let text = assemble::writer(&names, &store, &context.report);
    let display = (!args.no_window).then(|| overlaid::window(size, devices.len(), text)).transpose()?;
    let output = Output { sinks, of_stream, display, ..Output::default() };
    let sources = sources.into_iter().map(|source| Box::new(source) as Box<dyn FrameSource>).collect();
    let job = Job { names, ..Job::new(settings, store, sources, output, stop) };
    match teaching {
        Some(teaching) => teaching.run(job, called.concat(), context)?,
        None => job.run(context)?,
    };
    Ok(())
}

/// What the settings ask of a camera.
pub(super) fn wish(camera: &Camera) -> Result<CameraWish> {
    let size = assemble::size(&camera.size).filter(|&(w, h)| w > 0 && h > 0).ok_or_else(|| {
        usage(anyhow!("--size (camera.size) is WIDTHxHEIGHT such as 1280x720, not \"{}\"", camera.size))
    })?;
    if !(camera.fps.is_finite() && camera.fps > 0.0) {
        return Err(usage(anyhow!("--fps (camera.fps) is a number above 0, not {}", camera.fps)));
    }
    let encoding: Option<Encoding> = match camera.encoding.as_str() {
        "any" => None,
        name => Some(name.parse().map_err(usage)?),
    };
    Ok(CameraWish { size: Some(size), fps: Some(camera.fps), encoding, reconnect: camera.reconnect })
}
