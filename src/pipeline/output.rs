//! The end of the pipeline: sinks and the window, on the caller's thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::drawing::in_words;
use super::stages::Drawn;
use super::{Controls, News, PipelineError, Stage, Stats, Summary};
use crate::display::{Command, Display};
use crate::files::{FileError, Stop};
use crate::frame::Frame;
use crate::sink::{Finished, Shown, Sink, SinkError};
use crate::source::{Notice, SourceInfo};

/// How often the window looks at its keys while no frame comes.
const TICK: Duration = Duration::from_millis(10);

/// How often the HUD's figures change: faster is unreadable, and each new text must be shaped.
const FIGURES: Duration = Duration::from_millis(250);

/// What is done at a display beyond looking, such as teaching.
pub(crate) trait Extension {
    /// A frame is shown for the first time.
    fn shown(&mut self, frame: &Frame);

    /// Does what keys ask for that are not about the look; called at least every 20 ms or so, keys or none.
    fn follow(&mut self, commands: &[Command], display: &mut dyn Display, controls: &Controls);

    /// What stands below the display's own figures, a name and a value each.
    fn figures(&self) -> Vec<(String, String)>;

    /// A word for the corner of the picture.
    fn badge(&self) -> Option<String>;
}

/// Where results go.
#[derive(Default)]
pub(crate) struct Output<'a> {
    /// What gets the frames of all streams, those of each in order.
    pub sinks: Vec<Box<dyn Sink>>,
    /// What gets only those of one stream: `of_stream[i]` those of the pipeline's stream `i`. May be shorter.
    pub of_stream: Vec<Vec<Box<dyn Sink>>>,
    /// Where a person watches, if anybody does.
    pub display: Option<Box<dyn Display>>,
    /// What is done there beyond looking.
    pub extension: Option<&'a mut (dyn Extension + 'static)>,
    /// Why sinks failed that the others outlive; none at first.
    pub failed: Vec<SinkError>,
}

/// What the outputs need to know of the run around them.
pub(super) struct Around<'a> {
    /// What each stream is called.
    pub(super) sources: Vec<Named>,
    pub(super) controls: &'a Controls,
    pub(super) stop: &'a Stop,
    pub(super) stats: &'a Stats,
}

/// What a stream and its frames are called.
pub(super) struct Named {
    /// The photos that are the frames, if they are photos.
    pub(super) photos: Arc<[PathBuf]>,
    /// The video or camera that the frames come from.
    pub(super) source: PathBuf,
}

impl Named {
    pub(super) fn of(info: &SourceInfo) -> Named {
        Named { photos: info.photos.clone(), source: PathBuf::from(&info.name) }
    }

    /// A file without its folders, a camera as it is called.
    fn short(&self) -> String {
        let name = self.source.file_name().filter(|_| self.source.is_file());
        name.map_or_else(|| self.source.display().to_string(), |name| name.display().to_string())
    }

    /// The photo that a frame is, if it is one.
    fn photo(&self, drawn: &Drawn) -> Option<&Path> {
        let place = usize::try_from(drawn.frame.seq).ok()?;
        self.photos.get(place).map(PathBuf::as_path)
    }
}

impl Output<'_> {
    /// Whether anything has to be drawn.
    pub(crate) fn wants_picture(&self) -> bool {
        self.display.is_some() || self.all().any(|sink| sink.wants_picture())
    }

    /// Whether it has to be known which pixels belong to what is found.
    pub(crate) fn wants_masks(&self) -> bool {
        self.all().any(|sink| sink.wants_masks())
    }

    fn all(&self) -> impl Iterator<Item = &dyn Sink> {
        self.sinks.iter().chain(self.of_stream.iter().flatten()).map(AsRef::as_ref)
    }

    /// Takes frames until there are no more.
    pub(super) fn run(
        &mut self,
        drawn: &Receiver<Drawn>,
        notices: &Receiver<(usize, Notice)>,
        around: &Around,
        observe: &mut dyn FnMut(News),
    ) -> Result<Summary, PipelineError> {
        let mut summary = Summary::default();
        let mut figures_due = Instant::now();
        let mut rows_due = figures_due;
        // When a frame of each stream came last.
        let mut last = vec![figures_due; around.sources.len()];
        // What is wrong with each stream.
        let mut troubles = vec![None; around.sources.len()];
        // Those of the latest frame; a paused frame has no new ones.
        let mut rows = Vec::new();
        if let (Some(display), [_, _, ..]) = (&mut self.display, &*around.sources) {
            display.name_tiles(around.sources.iter().map(Named::short).collect());
        }
        loop {
            self.hear(notices, &mut troubles, &mut summary, observe);
            let (done, of) = around.stats.asked();
            if done < of {
                observe(News::Asking(done, of));
            }
            match drawn.recv_timeout(TICK) {
                Ok(frame) => {
                    let (stream, arrived, again) = (frame.stream, frame.frame.arrived, frame.again);
                    if self.display.is_some() && (again || rows_due <= Instant::now()) {
                        rows = figures(&frame, around);
                        figures_due = Instant::now();
                        rows_due = figures_due + FIGURES;
                    }
                    let photo = around.sources[stream].photo(&frame).map(Path::to_owned);
                    let asked = frame.progress.zip(photo);
                    around.stats.time(Stage::Write, || self.take(frame, around))?;
                    if let Some((progress, photo)) = asked {
                        observe(News::Asked(&photo, progress));
                    }
                    // The same frame in another look says nothing of speed: while paused it only grows older.
                    if !again {
                        summary.frames += 1;
                        around.stats.show(arrived.elapsed(), last[stream].elapsed());
                        observe(News::Done(summary.frames));
                    }
                    last[stream] = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.follow_keys(around)?;
            if let Some(display) = self.display.as_mut().filter(|_| figures_due <= Instant::now()) {
                let more = self.extension.iter().flat_map(|extension| extension.figures());
                let shown = rows.iter().cloned().chain(more);
                let hidden = !around.controls.look().figures;
                display.panels().figures = if hidden { Vec::new() } else { shown.collect() };
                figures_due = Instant::now() + FIGURES;
            }
        }
        self.hear(notices, &mut troubles, &mut summary, observe);
        Ok(summary)
    }

    /// Passes on what the sources have said since the last time.
    fn hear(
        &mut self,
        notices: &Receiver<(usize, Notice)>,
        troubles: &mut [Option<String>],
        summary: &mut Summary,
        observe: &mut dyn FnMut(News),
    ) {
        for (stream, notice) in notices.try_iter() {
            summary.skipped += u64::from(matches!(notice, Notice::Skipped(_)));
            self.announce(stream, &notice, troubles);
            observe(News::Notice(&notice));
        }
    }

    /// Closes every sink. Files that are complete stay also when another fails; what failed is said here, but for a
    /// reader of standard output who had enough.
    pub(super) fn finish(&mut self) -> Result<Vec<Finished>, SinkError> {
        let mut finished = Vec::new();
        for sink in self.sinks.drain(..).chain(self.of_stream.drain(..).flatten()) {
            match sink.finish() {
                Ok(written) => finished.push(written),
                Err(error) => self.failed.push(error),
            }
        }
        self.failed.retain(|error| !is_closed(error));
        self.first_failure().map_or(Ok(finished), Err)
    }

    /// The first failure, that of a closed standard output only if there is no other; those after it are logged.
    fn first_failure(&mut self) -> Option<SinkError> {
        self.failed.sort_by_key(is_closed);
        let mut failed = self.failed.drain(..);
        let first = failed.next();
        failed.filter(|error| !is_closed(error)).for_each(|error| tracing::error!("{error}"));
        first
    }

    /// Hands a frame to the sinks of its stream. One that fails is done with; it ends the run only if nothing is left that
    /// the run is for.
    fn write(&mut self, stream: usize, shown: &Shown<'_>) -> Result<(), SinkError> {
        let (failed, display) = (&mut self.failed, &mut self.display);
        let mut takes = |sink: &mut Box<dyn Sink>| {
            let Err(error) = sink.write(shown) else { return true };
            if let Some(display) = display.as_mut().filter(|_| !is_closed(&error)) {
                display.notify(&error.to_string());
            }
            failed.push(error);
            false
        };
        self.sinks.retain_mut(&mut takes);
        if let Some(own) = self.of_stream.get_mut(stream) {
            own.retain_mut(&mut takes);
        }
        if self.failed.is_empty() || self.display.is_some() || self.all().next().is_some() {
            return Ok(());
        }
        self.first_failure().map_or(Ok(()), Err)
    }

    fn take(&mut self, frame: Drawn, around: &Around) -> Result<(), SinkError> {
        let named = &around.sources[frame.stream];
        let photo = named.photo(&frame);
        let Drawn { stream, frame, overlay, detections, best, segmentation, model, what_if, again, .. } =
            frame;
        let shown = Shown {
            frame: &frame,
            overlay: overlay.as_ref(),
            detections: &detections,
            best,
            what_if: what_if.as_ref(),
            segmentation: segmentation.as_deref(),
            made_by: &model.origin,
            labels: model.labels.names(),
            source: photo.unwrap_or(&named.source),
            still: photo.is_some(),
        };
        if !again {
            self.write(stream, &shown)?;
            if let Some(extension) = &mut self.extension {
                extension.shown(&frame);
            }
        }
        if let (Some(display), Some(overlay)) = (&mut self.display, overlay) {
            let look = around.controls.look();
            let panels = display.panels();
            let word = self.extension.as_ref().and_then(|extension| extension.badge());
            panels.badge = look.paused.then(|| "paused".to_owned()).or(word);
            panels.help = look.help;
            display.show_in(stream, overlay)?;
        }
        Ok(())
    }

    /// Does what the keys ask for.
    fn follow_keys(&mut self, around: &Around) -> Result<(), SinkError> {
        let Some(display) = &mut self.display else { return Ok(()) };
        let commands = display.pump()?;
        for &command in &commands {
            match command {
                Command::Quit => around.stop.stop(),
                Command::Snapshot => {
                    // The picture is the user's to lose: a full disk must not end the show.
                    let said = match display.snapshot(Path::new(".")) {
                        Ok(saved) if saved.is_empty() => "nothing to save yet".to_owned(),
                        Ok(saved) => format!("saved {}", listed(&saved)),
                        Err(error) => error.to_string(),
                    };
                    display.notify(&said);
                }
                command => {
                    around.controls.change(|look| look.follow(command));
                    let look = around.controls.look();
                    display.panels().help = look.help;
                    look.notice(command).into_iter().for_each(|word| display.notify(&word));
                }
            }
        }
        if let Some(extension) = &mut self.extension {
            extension.follow(&commands, &mut **display, around.controls);
        }
        Ok(())
    }

    /// Tells the window what a source says; what is still true stays there.
    fn announce(&mut self, stream: usize, notice: &Notice, troubles: &mut [Option<String>]) {
        let Some(display) = &mut self.display else { return };
        match notice {
            Notice::Stalled { .. } | Notice::Gone { .. } => troubles[stream] = Some(notice.to_string()),
            Notice::Resumed { .. } => troubles[stream] = None,
            Notice::OtherFormat { .. } | Notice::BrokenFrame { .. } | Notice::Skipped(_) => {
                display.notify(&notice.to_string());
            }
        }
        let said: Vec<&str> = troubles.iter().flatten().map(String::as_str).collect();
        display.panels().message = (!said.is_empty()).then(|| said.join("\n"));
    }
}

/// Whether only the reader of standard output went away, as `| head` does.
fn is_closed(error: &SinkError) -> bool {
    matches!(error, SinkError::File(FileError::StdoutClosed))
}

/// Files, one after the other.
fn listed(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The rows of the HUD.
fn figures(drawn: &Drawn, around: &Around) -> Vec<(String, String)> {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let each = if around.sources.len() > 1 { " each" } else { "" };
    let mut rows = vec![
        row("fps", format!("{:.1}{each}", around.stats.fps())),
        row("latency", format!("{:.0} ms", 1e3 * around.stats.latency().as_secs_f64())),
        row("model", drawn.model.origin.to_string()),
        row("dropped", around.stats.dropped().to_string()),
    ];
    if let Some(progress) = drawn.progress {
        rows.push(row("asked", progress.to_string()));
    }
    if let Some(what_if) = &drawn.what_if {
        rows.push(row("without it", in_words(&drawn.model.labels, what_if)));
    }
    let look = around.controls.look();
    if let Some(rank) = look.rank {
        rows.push(row("class", format!("{} of {}", rank + 1, look.classes)));
    }
    rows
}
