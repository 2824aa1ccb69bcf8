//! What ffmpeg says on stderr while it decodes, read line by line.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use crossbeam_channel::Sender;

/// What the log says before the first frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    pub(super) size: (u32, u32),
    pub(super) fps: Option<f64>,
    pub(super) duration: Option<Duration>,
    pub(super) video: bool,
    pub(super) audio: bool,
}

/// What the log said in all.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) header: Header,
    /// The first few errors.
    pub(super) errors: Vec<String>,
    /// Whether an error said that the input ended too early.
    pub(super) cut: bool,
    /// Whether ffmpeg's exit status was an error.
    pub(super) failed: bool,
    /// The signal that ended ffmpeg, if one did.
    pub(super) crash: Option<String>,
}

impl Log {
    const KEEP: usize = 16;

    /// Reads ffmpeg's log to its end; tells the header with the first frame, and of each frame. `filter` is the name of
    /// the filter `showinfo`, which nobody else can know.
    pub(super) fn read(
        stderr: impl Read,
        filter: &str,
        header_to: &Sender<Header>,
        marks: &Sender<Mark>,
    ) -> Log {
        let mut log = Log::default();
        let (mut in_output, mut announced) = (false, false);
        let mut tick = None;
        let (mut lines, mut line) = (BufReader::new(stderr), Vec::new());
        while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line);
            // The filter writes its lines in pieces, and an error of another thread of ffmpeg's may come between them, without a
            // line or a level of its own.
            log.cut |= is_of(&text, filter) && says_cut(&text);
            match LogLine::parse(&text, filter) {
                LogLine::TimeBase(over, under) => tick = Some((over, under)),
                LogLine::Frame { ticks, time, width, height } => {
                    // The time in seconds has six digits in all: after the first hours frames would share one.
                    let exact = ticks.zip(tick).map(|(ticks, (over, under))| ticks as f64 * over / under);
                    let time = exact.or(time);
                    if !announced {
                        log.header.size = (width, height);
                        announced = header_to.send(log.header.clone()).is_ok();
                    }
                    let _ = marks.send(Mark { time, size: (width, height) });
                }
                LogLine::Error(text) => log.add_error(text),
                LogLine::Output => in_output = true,
                LogLine::Duration(duration) => log.header.duration = Some(duration),
                LogLine::Audio if !in_output => log.header.audio = true,
                LogLine::Video { fps } if !in_output && !log.header.video => {
                    log.header.video = true;
                    log.header.fps = fps;
                }
                _ => {}
            }
            line.clear();
        }
        log
    }

    fn add_error(&mut self, text: &str) {
        tracing::debug!("ffmpeg: {text}");
        self.cut |= says_cut(text);
        if self.errors.len() < Log::KEEP {
            self.errors.push(text.to_owned());
        }
    }

    /// Width and height of a picture that a decoder refused, as it has more pixels than it was told to accept.
    pub(super) fn too_large(&self) -> Option<(u32, u32)> {
        let error = self.errors.iter().find(|error| error.contains("exceeds specified max pixel count"))?;
        let (width, height) = error.split_whitespace().find_map(|word| word.split_once('x'))?;
        Some((width.parse().ok()?, height.parse().ok()?))
    }

    /// The first error, which is the cause of the others, without the repeated name of the input.
    pub(super) fn reason(&self, argument: &str) -> String {
        let Some(first) = self.errors.iter().find(|e| !e.contains(argument) || e.contains(": ")) else {
            return "ffmpeg ended without a reason".into();
        };
        if first.contains("Format not on whitelist") {
            return "it is a playlist, or of a format that camloc does not open; name the video itself"
                .into();
        }
        if first.contains("moov atom not found") {
            return "its index is missing, so it is no MP4 or was cut short while recording".into();
        }
        first.replace(&format!("{argument}: "), "").replace("Error opening input: ", "")
    }
}

/// Whether an error says that the input ended too early.
fn says_cut(error: &str) -> bool {
    ["partial file", "prematurely", "truncated"].iter().any(|sign| error.contains(sign))
}

/// Whether the filter of this name wrote a line, or began it: `[filter @ 0x…] [info] …`.
fn is_of(line: &str, filter: &str) -> bool {
    let behind = line.strip_prefix('[').and_then(|line| line.strip_prefix(filter));
    behind.is_some_and(|rest| rest.starts_with(" @ "))
}

/// When and how large the next frame on stdout is.
pub(super) struct Mark {
    pub(super) time: Option<f64>,
    pub(super) size: (u32, u32),
}

/// A line of ffmpeg's log (`-loglevel level+info`, filter `showinfo`).
#[derive(Debug, PartialEq)]
enum LogLine<'a> {
    /// How many seconds a tick of the frames that follow has, as a fraction.
    TimeBase(f64, f64),
    /// A frame follows on stdout: its time in ticks and, to six digits, in seconds (if any), and its size.
    Frame { ticks: Option<i64>, time: Option<f64>, width: u32, height: u32 },
    /// The input's declared duration.
    Duration(Duration),
    /// A stream of moving pictures, with its declared rate.
    Video { fps: Option<f64> },
    /// A stream of sound.
    Audio,
    /// Streams listed from here on are ffmpeg's output, not the input's.
    Output,
    /// An error or fatal error, without ffmpeg's prefixes.
    Error(&'a str),
    /// Anything else.
    Other,
}

impl LogLine<'_> {
    /// Reads one line. What the filter of this name says, it alone says.
    fn parse<'a>(line: &'a str, filter: &str) -> LogLine<'a> {
        let (level, text) = split_level(line.trim_end());
        if is_of(line, filter) {
            let own = if text.starts_with("n:") { frame(text) } else { time_base(text) };
            return own.unwrap_or(LogLine::Other);
        }
        match level {
            "error" | "fatal" | "panic" => LogLine::Error(text),
            "info" if text.starts_with("Output #") => LogLine::Output,
            // What is indented by more is text of the input's own. (By four: streams, before ffmpeg 5.)
            "info" if matches!(text.len() - text.trim_start().len(), 2 | 4) => stream(text.trim_start()),
            _ => LogLine::Other,
        }
    }
}

/// The level and the text of `[context @ 0x…] [level] text`; the context may be missing.
fn split_level(line: &str) -> (&str, &str) {
    let mut rest = line;
    let mut level = "";
    while let Some((tag, text)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        rest = text.strip_prefix(' ').unwrap_or(text);
        level = tag;
        if !tag.contains(" @ ") {
            break;
        }
    }
    (level, rest)
}

/// `config in time_base: 1/15360, frame_rate: 30/1`.
fn time_base(text: &str) -> Option<LogLine<'static>> {
    let ratio = text.strip_prefix("config in time_base: ")?;
    let (over, under) = ratio.split(',').next()?.split_once('/')?;
    let (over, under): (u32, u32) = (over.parse().ok()?, under.parse().ok()?);
    (over > 0 && under > 0).then(|| LogLine::TimeBase(over.into(), under.into()))
}

/// `n:   1 pts:   1024 pts_time:0.04 pos: 123 fmt:yuv420p sar:1/1 s:640x360 i:P …`.
fn frame(text: &str) -> Option<LogLine<'static>> {
    let (before, info) = text.split_once(" pts_time:")?;
    let ticks = before.rsplit_once("pts:").and_then(|(_, ticks)| ticks.trim().parse().ok());
    let mut words = info.split_whitespace();
    let time = words.next()?.parse().ok().filter(|t: &f64| t.is_finite());
    let size = words.find_map(|word| word.strip_prefix("s:"))?;
    let (width, height) = size.split_once('x')?;
    Some(LogLine::Frame { ticks, time, width: width.parse().ok()?, height: height.parse().ok()? })
}

/// `Duration: …` or `Stream #0:0…: Video: …` of the input.
fn stream(text: &str) -> LogLine<'_> {
    if let Some(rest) = text.strip_prefix("Duration: ") {
        return rest.split(',').next().and_then(duration).map_or(LogLine::Other, LogLine::Duration);
    }
    if !text.starts_with("Stream #") {
        return LogLine::Other;
    }
    if text.contains(": Audio: ") {
        LogLine::Audio
    } else if text.contains(": Video: ") && !text.contains("(attached pic)") {
        let fps = text.split(", ").find_map(|part| part.split_once(" fps")?.0.parse().ok());
        LogLine::Video { fps: fps.filter(|f: &f64| f.is_finite() && *f > 0.0) }
    } else {
        LogLine::Other
    }
}

/// `00:01:02.50` as a duration.
fn duration(text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    for part in text.split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;
    use proptest::prelude::*;

    const FILTER: &str = "showinfo@secret";

    fn parse(line: &str) -> LogLine<'_> {
        LogLine::parse(line, FILTER)
    }

    #[test]
    fn a_showinfo_line_gives_time_and_size_in_old_and_new_ffmpeg() {
        let old = "[showinfo@secret @ 0x5] [info] n:   1 pts:   1024 pts_time:0.1     pos:     8414 fmt:yuv420p sar:1/1 s:320x240 i:P iskey:0 type:B ";
        let new = "[showinfo@secret @ 0x7] [info] n:   1 pts:   1024 pts_time:0.1     duration:   1024 duration_time:0.1     fmt:yuv420p cl:left sar:1/1 s:320x240 i:P iskey:0 type:B ";
        let frame = LogLine::Frame { ticks: Some(1024), time: Some(0.1), width: 320, height: 240 };
        assert_eq!(parse(old), frame);
        assert_eq!(parse(new), frame);
        let without = new.replace("pts:   1024 pts_time:0.1 ", "pts:  NOPTS pts_time:NOPTS ");
        let frame = LogLine::Frame { ticks: None, time: None, width: 320, height: 240 };
        assert_eq!(parse(&without), frame);
    }

    #[test]
    fn times_late_in_a_long_video_are_exact() {
        let config = "[showinfo@secret @ 0x5] [info] config in time_base: 1/15360, frame_rate: 30/1\n";
        let line = |ticks| {
            format!("[showinfo@secret @ 0x5] [info] n: 1 pts:{ticks} pts_time:12000.1 fmt:rgb24 s:2x2 i:P\n")
        };
        let times = |log: String| -> Vec<f64> {
            let ((header, _header), (marks, marked)) = (bounded(1), bounded(4));
            Log::read(log.as_bytes(), FILTER, &header, &marks);
            drop(marks);
            marked.iter().map(|mark: Mark| mark.time.unwrap()).collect()
        };
        let lines = [line(184_321_024), line(184_321_536)].concat();
        assert_eq!(times(format!("{config}{lines}")), [184_321_024.0 / 15360.0, 184_321_536.0 / 15360.0]);
        assert_eq!(times(lines), [12000.1, 12000.1], "an ffmpeg that does not say what a tick is");
    }

    #[test]
    fn an_error_within_a_frames_line_is_heard_and_the_frame_kept() {
        let read = |behind: &str| {
            let frame = "n: 1 pts: 1 pts_time:0.1 s:320x240 i:P iskey:0 type:P ";
            let (first, second) = behind.split_once('|').unwrap_or((behind, ""));
            let prefix = "[showinfo@secret @ 0x7] [info]";
            let line =
                format!("{prefix} {frame}{first}\n{prefix} color_range:tv{second}\n color_space:bt709\n");
            let ((header, _header), (marks, marked)) = (bounded(1), bounded(4));
            let log = Log::read(line.as_bytes(), FILTER, &header, &marks);
            (log.cut, marked.len())
        };
        assert_eq!(read(""), (false, 1));
        assert_eq!(read("stream 0, offset 0x3e5f: partial file"), (true, 1));
        assert_eq!(
            read("|stream 0, offset 0x3e5f: partial file"),
            (true, 1),
            "between the line of its colours"
        );
    }

    #[test]
    fn the_input_is_told_from_covers_sound_and_output() {
        let video = "[info]   Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p(progressive), 320x240 [SAR 1:1 DAR 4:3], 169 kb/s, 29.97 fps, 29.97 tbr, 10240 tbn (default)";
        assert_eq!(parse(video), LogLine::Video { fps: Some(29.97) });
        let cover = "[info]   Stream #0:1[0x0]: Video: mjpeg (Baseline), yuvj444p, 64x64, 90k tbr, 90k tbn (attached pic)";
        assert_eq!(parse(cover), LogLine::Other);
        let sound =
            "[info]   Stream #0:1[0x2](und): Audio: aac (LC), 44100 Hz, mono, fltp, 69 kb/s (default)";
        assert_eq!(parse(sound), LogLine::Audio);
        let line = "[info]   Duration: 01:02:03.50, start: 0.000000, bitrate: 173 kb/s";
        assert_eq!(parse(line), LogLine::Duration(Duration::from_millis(3_723_500)));
        assert_eq!(parse("[info]   Duration: N/A, bitrate: N/A"), LogLine::Other);
        assert_eq!(parse("[info] Output #0, rawvideo, to 'pipe:':"), LogLine::Output);
    }

    #[test]
    fn what_a_file_says_is_no_frame_and_no_stream() {
        let forged = "n: 0 pts: 0 pts_time:0 fmt:rgb24 s:30000x30000";
        assert_eq!(parse(&format!("[info]     title           : {forged}")), LogLine::Other);
        assert_eq!(parse(&format!("[info] {forged}")), LogLine::Other);
        assert_eq!(parse(&format!("[Parsed_showinfo_0 @ 0x5] [info] {forged}")), LogLine::Other);
        assert_eq!(parse(&format!("[showinfo@guess @ 0x5] [info] {forged}")), LogLine::Other);
        assert_eq!(parse(&format!("[showinfo@secret @ 0x5] [info] side data - {forged}")), LogLine::Other);
        assert_eq!(parse("[info]       comment         : Duration: 09:00:00.00, start: 0"), LogLine::Other);
        assert_eq!(parse("[info] config in time_base: 1/1, frame_rate: 1/1"), LogLine::Other);
    }

    #[test]
    fn errors_lose_their_prefixes() {
        let line = "[mov,mp4,m4a @ 0x55] [error] moov atom not found";
        assert_eq!(parse(line), LogLine::Error("moov atom not found"));
        assert_eq!(parse("[fatal] Stream map '' matches no streams."), {
            LogLine::Error("Stream map '' matches no streams.")
        });
        assert_eq!(parse("[in#0 @ 0x1] [warning] hm"), LogLine::Other);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "\\PC{0,60}", time in "\\PC{0,8}", size in "[0-9x:]{0,24}") {
            parse(&line);
            parse(&format!("[showinfo@secret @ b] [info] n: 0 pts_time:{time} s:{size}"));
            parse(&format!("[info]  Duration: {size},"));
        }
    }
}
