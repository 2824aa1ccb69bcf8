//! `camloc demo`: the whole program at work, with nothing but this machine.

use std::path::PathBuf;
use std::time::Duration;

use crate::display::Display;
use crate::frame::PicturePool;
use crate::pipeline::Output;
use crate::render::TextRenderer;
use crate::sink::{Finished, ImagesSink, Shown, Sink, SinkError, VideoOptions, VideoSink};
use crate::source::{PanSource, PanWish};
use crate::window::Window;
use anyhow::Result;

use super::arguments::{ExplainArgs, TrackArgs};
use super::run::Job;
use super::{Context, assemble, doctor};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write demo.mp4 and demo.png even if there is a display
    #[arg(long)]
    no_window: bool,
    /// Where to write them
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    track: TrackArgs,
}

/// What the demo's camera delivers: near a square, so that the model sees most of it.
const SIZE: (u32, u32) = (800, 600);
const FPS: u32 = 30;
/// Length of the video that is written where there is no display.
const SECONDS: u64 = 15;
/// When the still is taken: the first photo is in full view.
const STILL_AT: Duration = Duration::from_secs(2);
/// Pictures that the pan, the model and the outputs hold at one time.
const FRAMES: usize = 6;

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let mut settings = args.explain.over(&context.settings);
    args.track.apply(&mut settings);
    let report = &context.report;
    let store = assemble::store()?;
    let stop = assemble::stop_on_ctrl_c()?;
    let photos = assemble::sample_photos(&store, report)?;
    let display: Option<Box<dyn Display>> = match (args.no_window, doctor::display()) {
        (true, _) => None,
        (false, Err(reason)) => {
            report.note(reason);
            None
        }
        (false, Ok(_)) => {
            let window = Window::open("camloc demo", SIZE, TextRenderer::new());
            window.map(|window| Box::new(window) as _).map_err(|error| report.note(error)).ok()
        }
    };
    let live = display.is_some();
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    let files = [args.output.join("demo.mp4"), args.output.join("demo.png")];
    if live {
        report.note("showing the demo; q quits, ? shows the keys");
    } else {
        report.note(format_args!(
            "writing {} and {} instead of showing a window",
            files[0].display(),
            files[1].display()
        ));
        let ffmpeg = assemble::ffmpeg(&store, report)?;
        let options = VideoOptions { ffmpeg, sound: None, fps: Some(FPS.into()) };
        sinks.push(Box::new(VideoSink::create(&files[0], options)?));
        sinks.push(Box::new(Still { sink: Box::new(ImagesSink::to_file(&files[1])?), taken: false }));
    }
    let frames = (!live).then_some(SECONDS * u64::from(FPS));
    let wish = PanWish { size: SIZE, fps: f64::from(FPS), frames, live };
    let source = PanSource::new(photos, wish, &PicturePool::new(FRAMES), &stop);
    let job = Job::new(
        settings,
        store,
        vec![Box::new(source)],
        Output { sinks, display, ..Output::default() },
        stop,
    );
    job.run(context)?;
    Ok(())
}

/// Keeps one frame of the demo as a picture.
#[derive(Debug)]
struct Still {
    sink: Box<ImagesSink>,
    taken: bool,
}

impl Sink for Still {
    fn wants_picture(&self) -> bool {
        true
    }

    fn write(&mut self, shown: &Shown<'_>) -> Result<(), SinkError> {
        if !self.taken && shown.frame.time >= STILL_AT {
            self.taken = true;
            self.sink.write(shown)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Finished, SinkError> {
        self.sink.finish()
    }
}
