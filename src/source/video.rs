//! Videos from files and URLs, decoded by an `ffmpeg` process.
//!
//! Two threads listen to ffmpeg: one reads its log, where the filter `showinfo` announces each frame's time and
//! size, the other reads the pixels of the frames so announced. A file never drops a frame: ffmpeg waits for us.
//! A live stream doesn't wait, so only the newest frame is kept.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, bounded, never, select, unbounded};

use super::newest::Newest;
use super::{Event, FrameSource, Notice, SourceError, SourceInfo, Stop};
use crate::child;
use crate::frame::{Frame, PicturePool};

mod container;
mod log;
mod permit;

use log::{Log, Mark};
use permit::Permit;

/// Schemes of streams that don't wait for us.
const LIVE: [&str; 9] = ["rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp", "srt", "tcp", "rist"];
/// How long the first frame may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Silence of a live stream that the user hears of.
const STALL: Duration = Duration::from_secs(5);
/// The most pixels of a frame, twice those of 8K: with the frames in flight they take what one photo may.
const MOST_PIXELS: u64 = 1 << 26;
/// Frames read ahead of the taker.
const AHEAD: usize = 2;

/// The frames of a video file or network stream.
///
/// `time` is each frame's own timestamp, counted from the first frame; rotation metadata is applied. Of several
/// video streams the first is taken, cover pictures aside.
pub struct VideoSource {
    info: SourceInfo,
    /// The file; none for a URL.
    path: Option<PathBuf>,
    program: PathBuf,
    ffmpeg: Child,
    frames: Receiver<Frame>,
    log: Option<JoinHandle<Log>>,
    reader: Option<JoinHandle<Reading>>,
    stop: Stop,
    delivered: u64,
    /// Whether a frame that was announced did not come whole.
    short: bool,
    stalled: bool,
    /// The frame that came with the news that frames come again.
    held: Option<Frame>,
}

impl VideoSource {
    /// Opens the file or URL (`http://`, `rtsp://`, …) `input` with the program `ffmpeg`, and waits for its first
    /// frame, at most half a minute. Frames' pictures come from `pool`.
    ///
    /// # Errors
    /// One line each for an input that is missing, empty, not a video, or without frames, for a server that can't
    /// be reached, and for a program that can't be run.
    pub fn open(
        ffmpeg: &Path,
        input: &OsStr,
        pool: &PicturePool,
        stop: &Stop,
    ) -> Result<VideoSource, SourceError> {
        let input = Input::new(input)?;
        match VideoSource::start(ffmpeg, &input, "-fps_mode", pool, stop) {
            // Before ffmpeg 5.1 the option had another name, which ffmpeg 8 no longer knows.
            Err(SourceError::NotVideo { reason, .. } | SourceError::Unreachable { reason, .. })
                if reason.contains("'fps_mode'") =>
            {
                VideoSource::start(ffmpeg, &input, "-vsync", pool, stop)
            }
            opened => opened,
        }
    }

    fn start(
        program: &Path,
        input: &Input,
        timing: &str,
        pool: &PicturePool,
        stop: &Stop,
    ) -> Result<VideoSource, SourceError> {
        // The log repeats names and texts of the input; what bears this name is the filter's own.
        let filter = format!("showinfo@{:032x}", fastrand::u128(..));
        let mut ffmpeg = command(program, input, &filter, timing)
            .spawn()
            .map_err(|source| SourceError::NoFfmpeg { program: program.into(), source })?;
        let (stdout, stderr) = (ffmpeg.stdout.take(), ffmpeg.stderr.take());
        let (header_to, header) = bounded(1);
        let (marks_to, marks) = unbounded();
        let log = stderr
            .map(|stderr| std::thread::spawn(move || Log::read(stderr, &filter, &header_to, &marks_to)));
        let mut source = VideoSource {
            info: SourceInfo { name: input.name.clone(), live: input.is_live(), ..Default::default() },
            path: input.path.clone(),
            program: program.into(),
            ffmpeg,
            frames: never(),
            log,
            reader: None,
            stop: stop.clone(),
            delivered: 0,
            short: false,
            stalled: false,
            held: None,
        };
        let header = select! {
            recv(stop.stopped()) -> _ => return Ok(source),
            recv(after(PATIENCE)) -> _ => return Err(input.refused("no frame in half a minute".into())),
            recv(header) -> header => match header {
                Ok(header) => header,
                Err(_) => {
                    let log = source.hear_out();
                    return Err(source.crashed(&log).unwrap_or_else(|| input.refusal(&log)));
                }
            },
        };
        if is_too_large(header.size) {
            return Err(too_large(input.name.clone(), header.size));
        }
        source.info.live |= input.scheme.is_some() && header.duration.is_none();
        source.info.size = Some(header.size);
        source.info.fps = header.fps;
        source.info.duration = header.duration;
        source.info.has_audio = header.audio;
        source.info.frames =
            (header.duration.zip(header.fps)).map(|(d, fps)| (d.as_secs_f64() * fps).round() as u64);
        let (out, frames) = if source.info.live {
            let (newest, frames) = Newest::channel();
            (Out::Newest(newest), frames)
        } else {
            let (all, frames) = bounded(AHEAD);
            (Out::All(all), frames)
        };
        source.frames = frames;
        let (pool, tick) = (pool.clone(), header.fps.unwrap_or(25.0).recip());
        source.reader =
            stdout.map(|stdout| std::thread::spawn(move || read_frames(stdout, &marks, &pool, &out, tick)));
        Ok(source)
    }

    /// Waits for ffmpeg's end and returns what its log said.
    fn hear_out(&mut self) -> Log {
        let mut log = self.log.take().and_then(|log| log.join().ok()).unwrap_or_default();
        let ended = self.ffmpeg.wait();
        log.failed = !ended.as_ref().is_ok_and(ExitStatus::success);
        log.crash = ended.ok().and_then(child::crash);
        log
    }

    fn crashed(&self, log: &Log) -> Option<SourceError> {
        let (name, program, frames) = (self.info.name.clone(), self.program.clone(), self.delivered);
        log.crash.clone().map(|how| SourceError::Crashed { name, program, how, frames })
    }

    /// What follows the last frame.
    fn ended(&mut self) -> Result<Event, SourceError> {
        if self.log.is_none() {
            return Ok(Event::End);
        }
        match self.reader.take().and_then(|reader| reader.join().ok()) {
            Some(Reading::TooLarge(size)) => return Err(too_large(self.info.name.clone(), size)),
            Some(Reading::Short) => self.short = true,
            Some(Reading::Done) | None => {}
        }
        let log = self.hear_out();
        if let Some(crashed) = self.crashed(&log) {
            return Err(crashed);
        }
        let is_cut = |path| container::is_cut(path).unwrap_or(false);
        if !(log.cut || log.failed || self.short || self.path.as_deref().is_some_and(is_cut)) {
            return Ok(Event::End);
        }
        // Where ffmpeg didn't notice, it may have guessed the duration from what is there.
        let expected = self.info.frames.filter(|&n| log.cut && n > self.delivered);
        Err(SourceError::CutShort { name: self.info.name.clone(), frames: self.delivered, expected })
    }
}

impl FrameSource for VideoSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Event, SourceError> {
        if self.stop.is_stopped() {
            return Ok(Event::End);
        }
        if let Some(frame) = self.held.take() {
            return Ok(Event::Frame(frame));
        }
        let name = || self.info.name.clone();
        let silence = if self.info.live && !self.stalled { after(STALL) } else { never() };
        select! {
            recv(self.stop.stopped()) -> _ => Ok(Event::End),
            recv(silence) -> _ => {
                self.stalled = true;
                Ok(Event::Notice(Notice::Stalled { name: name() }))
            }
            recv(self.frames) -> frame => match frame {
                Ok(frame) => {
                    self.delivered += 1;
                    if !std::mem::take(&mut self.stalled) {
                        return Ok(Event::Frame(frame));
                    }
                    self.held = Some(frame);
                    Ok(Event::Notice(Notice::Resumed { name: name() }))
                }
                Err(_) => self.ended(),
            },
        }
    }
}

impl Drop for VideoSource {
    fn drop(&mut self) {
        // A reader that waits for a taker notices that there is none; one that waits for ffmpeg notices its end.
        self.frames = never();
        let _ = self.ffmpeg.kill();
        let _ = self.ffmpeg.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if let Some(log) = self.log.take() {
            let _ = log.join();
        }
    }
}

/// What to open, as ffmpeg takes it and as the user calls it.
struct Input {
    argument: OsString,
    name: String,
    /// Of a URL.
    scheme: Option<String>,
    /// Of a regular file.
    path: Option<PathBuf>,
}

impl Input {
    /// Checks what can be checked without ffmpeg, so that the user gets plain words.
    fn new(input: &OsStr) -> Result<Input, SourceError> {
        let text = input.to_string_lossy();
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        if let Some(scheme) = scheme.filter(|s| s != "file" && s.chars().all(|c| c.is_ascii_alphanumeric())) {
            return Ok(Input {
                argument: input.into(),
                name: without_password(&text),
                scheme: Some(scheme),
                path: None,
            });
        }
        let path = text.strip_prefix("file://").map_or(input, OsStr::new);
        let name = path.to_string_lossy().into_owned();
        let meta = std::fs::metadata(path).map_err(|e| SourceError::from_io(name.clone(), e))?;
        if meta.is_dir() {
            return Err(SourceError::Directory { name });
        }
        if meta.is_file() && meta.len() == 0 {
            return Err(SourceError::Empty { name });
        }
        if meta.is_file()
            && is_playlist(Path::new(path)).map_err(|e| SourceError::from_io(name.clone(), e))?
        {
            return Err(SourceError::NotVideo {
                name,
                reason: "it is a playlist; name the video itself".into(),
            });
        }
        // The prefix keeps ffmpeg from taking a file's name for an option or a protocol.
        let mut argument = OsString::from("file:");
        argument.push(path);
        Ok(Input { argument, name, scheme: None, path: meta.is_file().then(|| path.into()) })
    }

    fn is_live(&self) -> bool {
        self.scheme.as_deref().is_some_and(|scheme| LIVE.contains(&scheme))
    }

    fn refused(&self, reason: String) -> SourceError {
        let name = self.name.clone();
        match self.scheme {
            Some(_) => SourceError::Unreachable { name, reason },
            None => SourceError::NotVideo { name, reason },
        }
    }

    /// Why ffmpeg delivered no frame.
    fn refusal(&self, log: &Log) -> SourceError {
        let name = self.name.clone();
        let has_none = log.errors.iter().any(|e| e.contains("matches no streams"));
        if has_none || (log.errors.is_empty() && log.header.video) {
            let reason =
                if log.header.audio && has_none { "it holds only sound" } else { "it holds no frames" };
            return SourceError::NoVideo { name, reason };
        }
        match log.too_large() {
            Some(size) => too_large(name, size),
            None => self.refused(log.reason(&self.argument.to_string_lossy())),
        }
    }
}

/// Whether a file only names other files or URLs. ffmpeg would try for ever to follow one where it may not.
fn is_playlist(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    std::fs::File::open(path)?.take(16).read_to_end(&mut start)?;
    let start = start.trim_ascii_start();
    Ok([&b"#EXTM3U"[..], b"ffconcat", b"[playlist]"].iter().any(|sign| start.starts_with(sign)))
}

/// A URL as it may be shown and logged.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let host_end = rest.find(['/', '?']).unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.into(),
    }
}

fn command(program: &Path, input: &Input, filter: &str, timing: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info"]);
    let permit = Permit::of(input.scheme.as_deref());
    command.args(["-protocol_whitelist", permit.protocols, "-format_whitelist", &permit.formats]);
    command.args(["-max_pixels", &MOST_PIXELS.to_string()]);
    if input.is_live() {
        command.args(["-fflags", "nobuffer"]);
    }
    if input.scheme.as_deref().is_some_and(|scheme| scheme.starts_with("rtsp")) {
        command.args(["-rtsp_flags", "prefer_tcp"]);
    }
    command.arg("-i").arg(&input.argument);
    // V: moving pictures, not covers. Each frame keeps its own size and time.
    command.args([
        "-map",
        "0:V:0",
        "-vf",
        &format!("{filter}=checksum=0"),
        timing,
        "passthrough",
        "-noautoscale",
    ]);
    command.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C at the terminal is ours to handle: a group of its own lets frames under way be finished.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    #[cfg(windows)]
    {
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        std::os::windows::process::CommandExt::creation_flags(&mut command, CREATE_NEW_PROCESS_GROUP);
    }
    command
}

/// Where frames go.
enum Out {
    All(Sender<Frame>),
    Newest(Newest),
}

/// Reads frames until ffmpeg ends or nobody takes them. `tick`: seconds a frame, where a frame has no time.
fn read_frames(
    mut stdout: ChildStdout,
    marks: &Receiver<Mark>,
    pool: &PicturePool,
    out: &Out,
    tick: f64,
) -> Reading {
    let mut start = None;
    let mut time = Duration::ZERO;
    for (seq, mark) in (0..).zip(marks) {
        if is_too_large(mark.size) {
            return Reading::TooLarge(mark.size);
        }
        let mut picture = pool.picture(mark.size.0, mark.size.1);
        if stdout.read_exact(picture.rgb_mut()).is_err() {
            return Reading::Short;
        }
        let at = mark.time.unwrap_or(seq as f64 * tick);
        let since_start = Duration::try_from_secs_f64(at - *start.get_or_insert(at)).unwrap_or_default();
        // Streams whose clock jumps back must not make time run backwards.
        time = time.max(since_start);
        let frame = Frame { seq, time, arrived: Instant::now(), picture };
        match out {
            Out::Newest(newest) => newest.offer(frame),
            Out::All(all) if all.send(frame).is_err() => return Reading::Done,
            Out::All(_) => {}
        }
    }
    Reading::Done
}

/// How the reading of frames ended.
enum Reading {
    /// With the last one, or because nobody takes them any more.
    Done,
    /// Within a frame that was announced.
    Short,
    /// At a frame of more than [`MOST_PIXELS`]; its width and height.
    TooLarge((u32, u32)),
}

fn is_too_large((width, height): (u32, u32)) -> bool {
    u64::from(width) * u64::from(height) > MOST_PIXELS
}

fn too_large(name: String, (width, height): (u32, u32)) -> SourceError {
    let bytes = 3 * u64::from(width) * u64::from(height);
    SourceError::TooLarge { name, width, height, bytes, limit: 3 * MOST_PIXELS }
}

#[cfg(test)]
mod tests;
