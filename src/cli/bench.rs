//! `camloc bench`: what the pipeline costs on this machine, as ratios to the bare forward pass.
//!
//! Everything is measured in one run, in rounds that interleave what is compared, and reported as medians:
//! machines drift, ratios drift less. CPU time is that of camloc's own process; ffmpeg is another process.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::assets::Store;
use crate::explainer::Explainer;
use crate::explainer::{Method, Request};
use crate::files::{Stop, write_file};
use crate::frame::PicturePool;
use crate::model::Classifier;
use crate::origin::Origin;
use crate::pipeline::{Output, Stage, Stats};
use crate::runtime::{Options, Session};
use crate::sink::{Finished, JsonSink, Shown, Sink, SinkError, VideoOptions, VideoSink};
use crate::source::{Event, FrameSource, PanSource, PanWish, VideoSource};
use anyhow::{Context as _, Result};
use camloc_graph::explain;
use camloc_graph::onnx::load::encode;
use cpu_time::ProcessTime;
use serde::Serialize;

use super::arguments::{ExplainArgs, results_file};
use super::assemble::Needs;
use super::report::Report;
use super::run::Job;
use super::terminal::Lines;
use super::{Context, assemble};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write the figures as one JSON object; `-` is standard output
    #[arg(long, value_name = "FILE|-", value_parser = results_file())]
    json: Option<PathBuf>,
    /// Frames of the 720p test video
    #[arg(long, default_value_t = 200, value_name = "N")]
    frames: u64,
    /// Rounds; medians are taken over them
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
    /// Measure the forward passes only, --batch pictures each: plain, and with the maps of each method
    #[arg(long)]
    forward: bool,
    #[command(flatten)]
    explain: ExplainArgs,
}

/// What is asked of the models that are measured.
const NEEDS: Needs = Needs { classes: 1, switchable: false, streams: 1 };

/// Cost of the forward pass with maps over the plain one.
struct Ratios {
    /// With refined maps.
    refined: f64,
    /// Of each method that the model allows, raw, at the last layer.
    methods: BTreeMap<&'static str, f64>,
    /// Of Grad-CAM at a layer half-way down.
    half_way: Option<f64>,
}

/// The figures, in milliseconds a frame unless their name says otherwise.
#[derive(Debug, Serialize)]
struct Figures {
    model: String,
    /// Where the nodes of the explained model run, and how many.
    provider: String,
    /// What the ratios are of: `cpu` time, or `wall` time where a device does the work.
    ratio_of: &'static str,
    /// Pictures in one forward pass.
    batch: usize,
    threads: usize,
    forward_cpu_ms: f64,
    forward_wall_ms: f64,
    explained_cpu_ms: f64,
    explained_wall_ms: f64,
    /// Cost of the forward pass with raw maps over the plain one.
    cam_branch_ratio: f64,
    /// The same with refined maps, as the other commands have them.
    refined_ratio: f64,
    /// The same for each method that the model allows, at the last layer; whole-picture methods have none.
    method_ratios: BTreeMap<&'static str, f64>,
    /// The same for Grad-CAM at a layer half-way down.
    half_way_ratio: Option<f64>,
    #[serde(flatten)]
    pipeline: Option<Whole>,
    /// Resident memory at the end.
    rss_mb: f64,
}

/// What the whole pipeline costs.
#[derive(Debug, Serialize)]
struct Whole {
    video_json_cpu_ms: f64,
    video_json_wall_ms: f64,
    /// CPU of 720p H.264 to JSON over the bare forward pass.
    video_json_ratio: f64,
    video_overlay_cpu_ms: f64,
    video_overlay_wall_ms: f64,
    /// CPU of 720p H.264 to an overlaid mp4 over the bare forward pass.
    video_overlay_ratio: f64,
    /// From a frame's arrival to its pixels handed over, at 30 frames a second of 720p.
    live_latency_ms: f64,
    /// The explained forward pass at that pace: between two frames caches cool down and threads fall asleep.
    live_forward_ms: f64,
    live_dropped: u64,
}

/// Size of the test video and the live picture.
const SIZE: (u32, u32) = (1280, 720);
const FPS: u32 = 30;
/// Forward passes a round.
const PASSES: usize = 40;
/// Seconds of the live measurement.
const LIVE_SECONDS: u64 = 5;

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let settings = args.explain.over(&context.settings);
    if let Some(json) = &args.json {
        assemble::refuse_over_model(json, &settings)?;
    }
    let store = assemble::store()?;
    let report = &context.report;
    assemble::library(&settings, &store, report)?;
    let folder =
        tempfile::tempdir().context("the test video has no place: the temporary folder can't be written")?;
    let quiet = Context { settings, report: Report::new(true), stats: context.stats };
    let bench = Bench { quiet, store, folder: folder.path(), frames: args.frames };
    let clip = if args.forward {
        None
    } else {
        report.note("making a 720p test video");
        Some(bench.make_clip()?)
    };
    report.note(format_args!("measuring in {} rounds; leave the machine alone", args.rounds));
    let figures = bench.measure(clip.as_deref(), args.rounds.max(1))?;
    if let Some(path) = &args.json {
        write_file(path, (serde_json::to_string_pretty(&figures)? + "\n").as_bytes())?;
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        print(&figures, &mut Lines(std::io::stdout().lock()))?;
    }
    Ok(())
}

struct Bench<'a> {
    /// For the runs that are measured: what they say is not news.
    quiet: Context,
    store: Store,
    folder: &'a Path,
    frames: u64,
}

/// CPU and wall time a frame.
#[derive(Clone, Copy)]
struct Cost {
    cpu_ms: f64,
    wall_ms: f64,
}

impl Bench<'_> {
    /// The demo's pan over the sample photos as H.264, so that decoding costs what a real video's does.
    fn make_clip(&self) -> Result<PathBuf> {
        let path = self.folder.join("pan.mp4");
        let ffmpeg = assemble::ffmpeg(&self.store, &self.quiet.report)?;
        let mut pan = self.pan(false, Some(self.frames))?;
        let options = VideoOptions { ffmpeg, sound: None, fps: Some(FPS.into()) };
        let mut sink = Box::new(VideoSink::create(&path, options)?);
        while let Event::Frame(frame) = pan.next()? {
            let shown = Shown {
                frame: &frame,
                overlay: None,
                detections: &[],
                best: None,
                segmentation: None,
                what_if: None,
                made_by: &Origin::default(),
                labels: &[],
                source: Path::new("pan"),
                still: false,
            };
            sink.write(&shown)?;
        }
        sink.finish()?;
        Ok(path)
    }

    fn pan(&self, live: bool, frames: Option<u64>) -> Result<PanSource> {
        let photos = assemble::sample_photos(&self.store, &self.quiet.report)?;
        let wish = PanWish { size: SIZE, fps: f64::from(FPS), frames, live };
        Ok(PanSource::new(photos, wish, &PicturePool::new(4), &Stop::new()))
    }

    fn measure(&self, clip: Option<&Path>, rounds: usize) -> Result<Figures> {
        let settings = &self.quiet.settings;
        let mut classifier = assemble::classifier(settings, &self.store, &self.quiet.report)?;
        classifier.fix_size();
        let title = classifier.title.clone();
        let Ratios { refined, methods: method_ratios, half_way: half_way_ratio } =
            self.ratios(&classifier)?;
        let (mut plain, mut explained) = self.sessions(classifier)?;
        let provider = explained.placement();
        let mut rows = Vec::new();
        for _ in 0..rounds {
            let (forward, with_maps) = passes(&mut plain, &mut explained)?;
            let mut row = vec![forward, with_maps];
            if let Some(clip) = clip {
                row.extend([self.video(clip, false)?, self.video(clip, true)?]);
            }
            rows.push(row);
        }
        let cpu = |i: usize| median(rows.iter().map(|row| row[i].cpu_ms));
        let wall = |i: usize| median(rows.iter().map(|row| row[i].wall_ms));
        let over_forward = |i: usize| median(rows.iter().map(|row| row[i].cpu_ms / row[0].cpu_ms));
        let pipeline = || -> Result<Whole> {
            let live = self.live()?;
            Ok(Whole {
                video_json_cpu_ms: cpu(2),
                video_json_wall_ms: wall(2),
                video_json_ratio: over_forward(2),
                video_overlay_cpu_ms: cpu(3),
                video_overlay_wall_ms: wall(3),
                video_overlay_ratio: over_forward(3),
                live_latency_ms: 1e3 * live.latency().as_secs_f64(),
                live_forward_ms: 1e3 * live.stages()[Stage::Forward as usize].recent.as_secs_f64(),
                live_dropped: live.dropped(),
            })
        };
        Ok(Figures {
            model: title,
            provider: provider.to_string(),
            ratio_of: if on_cpu(&explained) { "cpu" } else { "wall" },
            batch: self.batch(),
            threads: settings.model.threads,
            forward_cpu_ms: cpu(0),
            forward_wall_ms: wall(0),
            explained_cpu_ms: cpu(1),
            explained_wall_ms: wall(1),
            cam_branch_ratio: median(rows.iter().map(|row| over(&explained, row[1], row[0]))),
            refined_ratio: refined,
            method_ratios,
            half_way_ratio,
            pipeline: clip.map(|_| pipeline()).transpose()?,
            rss_mb: memory_stats::memory_stats().map_or(0.0, |memory| memory.physical_mem as f64 / 1e6),
        })
    }

    /// The plain model and the explained one, on the same threads.
    fn sessions(&self, mut classifier: Classifier) -> Result<(Session, Session)> {
        let options = self.options(&classifier)?;
        let plain = Session::load(&encode(&classifier.model)?, &options)?;
        let asked = assemble::request(&self.quiet.settings, &classifier.labels, 1)?.of(&classifier);
        explain::explain(&mut classifier.model, &Request { refine: false, ..asked }.one_pass()?)?;
        let explained = Session::load(&encode(&classifier.model)?, &options)?;
        Ok((plain, explained))
    }

    fn options(&self, classifier: &Classifier) -> Result<Options> {
        let shape = Some(classifier.preprocessing.input_shape(self.batch()));
        Ok(Options { shape, ..assemble::options(&self.quiet.settings)? })
    }

    /// Pictures in one forward pass.
    fn batch(&self) -> usize {
        self.quiet.settings.black_box.batch.max(1)
    }

    /// What maps cost over the forward pass.
    fn ratios(&self, classifier: &Classifier) -> Result<Ratios> {
        let mut plain = Session::load(&encode(&classifier.model)?, &self.options(classifier)?)?;
        let mut ratio = |request: &Request| -> Result<Option<f64>> {
            let mut model = classifier.model.clone();
            // What a model does not allow is no figure.
            let Ok(asked) = request.one_pass() else { return Ok(None) };
            if explain::explain(&mut model, &asked).is_err() {
                return Ok(None);
            }
            let mut explained = Session::load(&encode(&model)?, &self.options(classifier)?)?;
            let (forward, with_maps) = passes(&mut plain, &mut explained)?;
            Ok(Some(over(&explained, with_maps, forward)))
        };
        let asked = assemble::request(&self.quiet.settings, &classifier.labels, 1)?.of(classifier);
        let refined = ratio(&Request { refine: true, ..asked.clone() })?.context("this model has no maps")?;
        let asked = Request { refine: false, ..asked };
        let mut methods = BTreeMap::new();
        for method in Method::all() {
            if let Some(found) = ratio(&Request { method: Some(method), ..asked.clone() })? {
                methods.insert(method.name(), found);
            }
        }
        let layers = explain::inspect(&classifier.model, &asked.rewrite(None))?.layers;
        let half_way = layers.get(layers.len() / 2).map(|layer| layer.tensor.clone());
        let request = Request {
            method: Some(explain::Method::GradCam.into()),
            layers: half_way.into_iter().collect(),
            ..asked
        };
        Ok(Ratios { refined, methods, half_way: ratio(&request)? })
    }

    /// Whole pipeline over the test video.
    fn video(&self, clip: &Path, overlay: bool) -> Result<Cost> {
        let ffmpeg = assemble::ffmpeg(&self.store, &self.quiet.report)?;
        let stop = Stop::new();
        let explainer = self.explainer()?;
        let sink: Box<dyn Sink> = if overlay {
            let options = VideoOptions { ffmpeg: ffmpeg.clone(), sound: None, fps: Some(FPS.into()) };
            Box::new(VideoSink::create(&self.folder.join("out.mp4"), options)?)
        } else {
            Box::new(JsonSink::open(&self.folder.join("out.jsonl"), false)?)
        };
        let (cpu, wall) = (ProcessTime::now(), Instant::now());
        let source = VideoSource::open(&ffmpeg, clip.as_os_str(), &PicturePool::new(8), &stop)?;
        let frames = self.job(source, sink, stop, explainer).run(&self.quiet)?.frames.max(1);
        Ok(per_frame(cpu.elapsed(), wall.elapsed(), frames))
    }

    /// A live picture, drawn as for a window.
    fn live(&self) -> Result<Arc<Stats>> {
        let source = self.pan(true, Some(LIVE_SECONDS * u64::from(FPS)))?;
        let job = self.job(source, Box::new(Eyes), Stop::new(), self.explainer()?);
        let stats = job.stats.clone();
        job.run(&self.quiet)?;
        Ok(stats)
    }

    fn explainer(&self) -> Result<Explainer> {
        assemble::explainer(&self.quiet.settings, &self.store, &self.quiet.report, &NEEDS)
    }

    /// A job with its model loaded, so that running it costs no loading.
    fn job(
        &self,
        source: impl FrameSource + 'static,
        sink: Box<dyn Sink>,
        stop: Stop,
        explainer: Explainer,
    ) -> Job<'static> {
        let output = Output { sinks: vec![sink], ..Output::default() };
        let job =
            Job::new(self.quiet.settings.clone(), self.store.clone(), vec![Box::new(source)], output, stop);
        Job { explainer: Some(explainer), ..job }
    }
}

/// Whether the processor does all the work, so that its time is the cost.
fn on_cpu(session: &Session) -> bool {
    session.placement().provider() == "CPU"
}

/// How many times as much one pass costs as another, by what `session` runs on.
fn over(session: &Session, cost: Cost, base: Cost) -> f64 {
    if on_cpu(session) { cost.cpu_ms / base.cpu_ms } else { cost.wall_ms / base.wall_ms }
}

/// A round of forward passes, plain and explained in turn, so that both see the same machine.
fn passes(plain: &mut Session, explained: &mut Session) -> Result<(Cost, Cost)> {
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..PASSES {
        for (session, costs) in [&mut *plain, &mut *explained].into_iter().zip(&mut costs) {
            let (cpu, wall) = (ProcessTime::now(), Instant::now());
            session.run()?;
            costs.push(per_frame(cpu.elapsed(), wall.elapsed(), 1));
        }
    }
    let middle = |costs: &[Cost]| Cost {
        cpu_ms: median(costs.iter().map(|cost| cost.cpu_ms)),
        wall_ms: median(costs.iter().map(|cost| cost.wall_ms)),
    };
    Ok((middle(&costs[0]), middle(&costs[1])))
}

fn per_frame(cpu: Duration, wall: Duration, frames: u64) -> Cost {
    let per = |time: Duration| 1e3 * time.as_secs_f64() / frames as f64;
    Cost { cpu_ms: per(cpu), wall_ms: per(wall) }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Stands where the window stands, and wants to see the overlay.
#[derive(Debug)]
struct Eyes;

impl Sink for Eyes {
    fn wants_picture(&self) -> bool {
        true
    }

    fn write(&mut self, _: &Shown<'_>) -> Result<(), SinkError> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Finished, SinkError> {
        Ok(Finished { path: None, frames: 0 })
    }
}

fn print(figures: &Figures, out: &mut impl Write) -> std::io::Result<()> {
    let f = figures;
    let (model, provider, batch, cost) = (&f.model, &f.provider, f.batch, f.ratio_of.replace("cpu", "CPU"));
    writeln!(out, "{model} on {provider}, {batch} a pass")?;
    writeln!(out, "CPU-ms and wall-ms a pass or frame, ratios of {cost} time to the bare forward pass")?;
    row(out, "forward pass", f.forward_cpu_ms, f.forward_wall_ms, 1.0)?;
    row(out, "forward pass with maps", f.explained_cpu_ms, f.explained_wall_ms, f.cam_branch_ratio)?;
    ratio(out, "refined", f.refined_ratio)?;
    f.method_ratios.iter().try_for_each(|(method, of)| ratio(out, method, *of))?;
    f.half_way_ratio.map_or(Ok(()), |of| ratio(out, "gradcam at a layer half-way down", of))?;
    if let Some(f) = &f.pipeline {
        row(out, "720p H.264 to JSON", f.video_json_cpu_ms, f.video_json_wall_ms, f.video_json_ratio)?;
        let overlay = "720p H.264 to overlaid mp4";
        row(out, overlay, f.video_overlay_cpu_ms, f.video_overlay_wall_ms, f.video_overlay_ratio)?;
        writeln!(
            out,
            "live 720p: {:.1} ms from arrival to drawn pixels ({:.1} of them forward pass), {} dropped",
            f.live_latency_ms, f.live_forward_ms, f.live_dropped
        )?;
    }
    writeln!(out, "memory {:.0} MB", f.rss_mb)
}

/// A line of the table: CPU and wall time, and CPU over the forward pass.
fn row(out: &mut impl Write, what: &str, cpu: f64, wall: f64, ratio: f64) -> std::io::Result<()> {
    writeln!(out, "{what:<34} {cpu:8.2} {wall:8.2}  {ratio:6.3} x")
}

/// A line of a ratio alone.
fn ratio(out: &mut impl Write, what: &str, ratio: f64) -> std::io::Result<()> {
    writeln!(out, "  {what:<50}  {ratio:6.3} x")
}
