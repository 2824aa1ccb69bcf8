//! `camloc image`: photos in, overlays and boxes out.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::files::FileError;
use crate::maps::Change;
use crate::pipeline::Output;
use crate::render::HeatScale;
use crate::sink::{Finished, ImagesSink, Shown, Sink, SinkError};
use crate::source::{FrameSource, ImageSource};
use anyhow::{Result, anyhow, bail};

use super::arguments::{ExplainArgs, is_picture};
use super::masks::MaskArgs;
use super::report::count;
use super::run::{Job, ResultArgs};
use super::{Context, assemble, terminal, usage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Photos, folders of photos (not those deeper in them), or `-` for a photo on standard input
    #[arg(required = true)]
    photos: Vec<PathBuf>,
    /// Write overlays, and masks, into this folder; a name that ends in .png or .jpg is the overlay of a single photo
    /// [default: NAME.cam.jpg or NAME.cam.png in this folder, if nothing else is asked for]
    #[arg(short, long, value_name = "DIR|FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    results: ResultArgs,
    #[command(flatten)]
    masks: MaskArgs,
    #[command(flatten)]
    explain: ExplainArgs,
}

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let mut settings = args.explain.over(&context.settings);
    args.masks.apply(&mut settings);
    let stop = assemble::stop_on_ctrl_c()?;
    let source = ImageSource::open(&args.photos, &stop)?;
    let photos = source.info().photos.clone();
    // Standard input and standard output are both `-`, and not one file.
    let inputs: Vec<&Path> =
        photos.iter().map(PathBuf::as_path).filter(|path| *path != Path::new("-")).collect();
    let is_file = args.output.as_deref().is_some_and(is_picture);
    if let Some(path) = args.output.as_deref().filter(|_| is_file && photos.len() > 1) {
        let photos = photos.len();
        return Err(usage(anyhow!("{} is one file for {photos} photos: name a folder", path.display())));
    }
    let masks = args.masks.open(args.output.as_deref(), is_file, &inputs)?;
    // Without any output named, the overlays are what was wanted.
    let here = (!args.results.any()).then(|| PathBuf::from("."));
    let overlays = args.output.or(here);
    let target = overlays.as_deref().filter(|_| is_file);
    let mut sinks = args.results.open(photos.len() > 1, target.as_slice(), &inputs)?;
    if let Some(path) = &overlays {
        sinks.push(Box::new(if is_file { ImagesSink::to_file(path)? } else { ImagesSink::to_folder(path)? }));
    }
    sinks.extend(masks.map(|masks| Box::new(masks) as Box<dyn Sink>));
    if !args.results.on_stdout() && !context.report.is_quiet() {
        let min_score = assemble::localize(&settings)?.min_score;
        sinks.push(Box::new(Lines { frames: 0, min_score, lost: None }));
    }
    let job = Job {
        scale: HeatScale::still(),
        unit: "photo",
        ..Job::new(
            settings,
            assemble::store()?,
            vec![Box::new(source)],
            Output { sinks, ..Output::default() },
            stop,
        )
    };
    let summary = job.run(context)?;
    if summary.skipped > 0 {
        return Err(super::Reported.into());
    }
    if summary.interrupted {
        match summary.frames {
            0 => bail!("stopped before the first photo was explained"),
            done => {
                bail!("stopped after {done} of {}; what was found is written", count(photos.len(), "photo"))
            }
        }
    }
    Ok(())
}

/// Says on standard output what was found, for a person.
#[derive(Debug)]
struct Lines {
    frames: u64,
    /// Classes less probable than this are not looked for.
    min_score: f32,
    /// Why a line could not be said. The pictures, which are the work, go on.
    lost: Option<io::Error>,
}

impl Lines {
    /// Why there is no box.
    fn nothing(&self, shown: &Shown<'_>) -> String {
        let Some((class, score)) = shown.best else { return "nothing found".to_owned() };
        let best = match shown.made_by.value {
            Some(_) => shown.made_by.tag("", score),
            None => format!("{} {:.1} %", shown.label(class), 100.0 * score),
        };
        if score < self.min_score {
            format!("nothing found (best: {best}, below --min-score {})", self.min_score)
        } else {
            format!("nothing found (best: {best}, whose map marks nothing large or hot enough)")
        }
    }
}

impl Sink for Lines {
    fn wants_picture(&self) -> bool {
        false
    }

    fn write(&mut self, shown: &Shown<'_>) -> Result<(), SinkError> {
        self.frames += 1;
        let mut lines = Vec::new();
        if shown.detections.is_empty() {
            lines.push(self.nothing(shown));
        }
        if let Some(what_if) = shown.what_if {
            let change = |change: &Change| {
                let label = shown.label(change.class_id);
                format!("{label} {:.2} -> {:.2}", change.before, change.after)
            };
            let changes: Vec<String> = what_if.changes.iter().map(change).collect();
            let share = 100.0 * what_if.share;
            lines.push(format!("without this region ({share:.0} % of the photo): {}", changes.join(", ")));
        }
        lines.extend(shown.detections.iter().map(|found| {
            let (tag, at) = (shown.made_by.tag(&shown.label(found.class_id), found.score), found.bbox);
            format!("{tag} at {},{} to {},{}", at.x0, at.y0, at.x1, at.y1)
        }));
        let (mut out, source) = (terminal::Lines(io::stdout().lock()), shown.source.display());
        let said = lines.iter().try_for_each(|line| writeln!(out, "{source}: {line}"));
        self.lost = self.lost.take().or(said.err());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Finished, SinkError> {
        match self.lost {
            Some(source) if source.kind() == io::ErrorKind::BrokenPipe => Err(FileError::StdoutClosed.into()),
            Some(source) => Err(FileError::writing(Path::new("standard output"), source).into()),
            None => Ok(Finished { path: None, frames: self.frames }),
        }
    }
}
