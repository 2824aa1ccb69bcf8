//! A video of what was shown: [`VideoSink`].

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::encoder::{Encoder, Failure};
use super::formats::Format;
use super::yuv420::Yuv420;
use super::{Finished, Shown, Sink, SinkError, matroska};
use crate::files::{AtomicFile, check_outputs, folder_of, sweep};

/// Duration of a frame where the source declares no rate.
const USUAL_FRAME: Duration = Duration::from_nanos(33_333_333);

/// Two frames of one time would stop the encoder: the later one is moved by this much.
const SMALLEST_STEP: Duration = Duration::from_millis(1);

/// What a [`VideoSink`] works with.
#[derive(Clone, Debug)]
pub(crate) struct VideoOptions {
    /// The ffmpeg program, 5.1 or newer: a path, or a name to be found on `PATH`.
    pub ffmpeg: PathBuf,
    /// The local video file whose sound goes into the video, too, if it has any.
    ///
    /// Its time 0 is the time 0 of the frames.
    pub sound: Option<PathBuf>,
    /// Frames a second as the source declares them, which the video then declares, too; each frame has its own time.
    pub fps: Option<f64>,
}

impl VideoOptions {
    fn usual_frame(&self) -> Duration {
        self.fps.map_or(USUAL_FRAME, |fps| Duration::from_secs_f64(fps.clamp(0.1, 1000.0).recip()))
    }
}

/// Writes overlays as a video that keeps the frames' timestamps and the source's sound.
///
/// The codec follows from the extension: H.264 in `.mp4`, `.m4v`, `.mov`, `.mkv`; VP9 in `.webm`. ffmpeg encodes, in
/// a process of its own that starts with the first frame; without any frame no file appears.
#[derive(Debug)]
pub(crate) struct VideoSink {
    options: VideoOptions,
    format: Format,
    path: PathBuf,
    part: AtomicFile,
    stream: Option<Stream>,
    frames: u64,
}

/// The frames on their way to ffmpeg.
#[derive(Debug)]
struct Stream {
    encoder: Encoder,
    yuv: Yuv420,
    /// Width and height of each frame, before it was made even.
    size: (u32, u32),
    header: Vec<u8>,
    /// Time of the first frame, which is 0 in the video.
    first: Duration,
    /// Time of the latest frame in the video.
    last: Duration,
    /// Time from the frame before to the latest one, which so is taken to last as long.
    step: Duration,
}

impl VideoSink {
    /// A new video; it appears under its name when it is finished.
    pub(crate) fn create(path: &Path, options: VideoOptions) -> Result<VideoSink, SinkError> {
        let format = Format::of(path)?;
        let inputs: Vec<&Path> = options.sound.as_deref().into_iter().collect();
        check_outputs(&[path], &inputs)?;
        let part = AtomicFile::create(path)?;
        sweep(folder_of(part.target()));
        Ok(VideoSink { options, format, path: path.to_owned(), part, stream: None, frames: 0 })
    }

    /// The running stream, started with the first frame, whose size and time it needs.
    fn stream(&mut self, shown: &Shown<'_>) -> Result<Stream, SinkError> {
        let size = shown.picture().size();
        if let Some(stream) = self.stream.take() {
            return if stream.size == size {
                Ok(stream)
            } else {
                Err(SinkError::SizeChanged { path: self.path.clone(), was: stream.size, is: size })
            };
        }
        let mut arguments = words("-f matroska -i pipe:0 -fps_mode passthrough -enc_time_base 1:90000");
        arguments.extend(words(self.format.codec));
        arguments.extend(["-threads".into(), encoder_threads().to_string().into()]);
        arguments.extend(words(self.format.container));
        arguments.push(local(self.part.path()));
        let yuv = Yuv420::new(size);
        let (width, height) = yuv.size();
        let mut encoder = self.start(&arguments)?;
        let (last, step) = (Duration::ZERO, self.options.usual_frame());
        if encoder.write(&matroska::header(width, height, step.as_nanos() as u64)).is_err() {
            return Err(self.encoder_failed(encoder.failure()));
        }
        Ok(Stream { encoder, yuv, size, header: Vec::new(), first: shown.frame.time, last, step })
    }

    fn start(&self, arguments: &[OsString]) -> Result<Encoder, SinkError> {
        let ffmpeg = &self.options.ffmpeg;
        Encoder::start(ffmpeg, arguments)
            .map_err(|source| SinkError::NoEncoder { ffmpeg: ffmpeg.clone(), source })
    }

    fn encoder_failed(&self, failure: Failure) -> SinkError {
        failure.error(&self.path, &self.options.ffmpeg)
    }

    /// The finished video together with the sound of `source`, which is copied where the format takes it and
    /// encoded anew where not; `None` if there is none.
    ///
    /// Sound joins last because only now it is known how long the video is.
    fn with_sound(
        &self,
        source: &Path,
        from: Duration,
        length: Duration,
    ) -> Result<Option<AtomicFile>, SinkError> {
        let mut reason = String::new();
        for codec in ["copy", self.format.sound] {
            let part = AtomicFile::create(&self.path)?;
            let mut arguments = vec!["-i".into(), local(self.part.path())];
            if !from.is_zero() {
                arguments.extend(words(&format!("-ss {}us", from.as_micros())));
            }
            arguments.extend(words(&format!("-t {}us -i", length.as_micros())));
            arguments.push(local(source));
            arguments.extend(words(&format!(
                "-map 0:v -map 1:a -c:v copy -c:a {codec} {}",
                self.format.container
            )));
            arguments.push(local(part.path()));
            match self.start(&arguments)?.finish() {
                Ok(()) => return Ok(Some(part)),
                Err(failure) if failure.is_full_disk() => return Err(self.encoder_failed(failure)),
                Err(failure) => reason = failure.to_string(),
            }
        }
        if !reason.contains("matches no streams") {
            tracing::warn!("{} has no sound: that of {} {reason}", self.path.display(), source.display());
        }
        Ok(None)
    }
}

/// Half of the processors: the model needs the others, and on two of them an encoder with one thread takes a
/// quarter less CPU than one with two.
fn encoder_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).max(1))
}

impl Sink for VideoSink {
    fn wants_picture(&self) -> bool {
        true
    }

    fn write(&mut self, shown: &Shown<'_>) -> Result<(), SinkError> {
        let mut stream = self.stream(shown)?;
        match stream.write(shown) {
            Ok(()) => {
                self.stream = Some(stream);
                self.frames += 1;
                Ok(())
            }
            Err(_) => Err(self.encoder_failed(stream.encoder.failure())),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Finished, SinkError> {
        let finished = Finished { path: Some(self.path.clone()), frames: self.frames };
        let Some(Stream { encoder, first, last, step, .. }) = self.stream.take() else {
            return Ok(finished);
        };
        encoder.finish().map_err(|failure| self.encoder_failed(failure))?;
        // The frames are finished: they stay, sound or none.
        let sounding = self.options.sound.as_ref().and_then(|source| {
            self.with_sound(source, first, last + step).unwrap_or_else(|error| {
                tracing::warn!("{} has no sound: {error}", self.path.display());
                None
            })
        });
        sounding.unwrap_or(self.part).finish()?;
        Ok(finished)
    }
}

impl Stream {
    fn write(&mut self, shown: &Shown<'_>) -> std::io::Result<()> {
        let mut time = shown.frame.time.saturating_sub(self.first);
        if !self.header.is_empty() {
            time = time.max(self.last + SMALLEST_STEP);
            self.step = time - self.last;
        }
        self.last = time;
        self.yuv.convert(shown.picture()).map_err(std::io::Error::other)?;
        matroska::frame_header(&mut self.header, time, self.step, self.yuv.bytes().len());
        self.encoder.write(&self.header)?;
        self.encoder.write(self.yuv.bytes())
    }
}

fn words(options: &str) -> Vec<OsString> {
    options.split_whitespace().map(OsString::from).collect()
}

/// A path that ffmpeg cannot take for an option or a protocol.
fn local(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FileError;
    use crate::sink::testing::{ffmpeg, frame, names, run_ffmpeg, write};

    const SIZE: (u32, u32) = (64, 48);

    fn silent() -> VideoOptions {
        VideoOptions { ffmpeg: ffmpeg(), sound: None, fps: None }
    }

    /// Times of a camera that hesitates, in milliseconds: three quick frames, a gap, and again.
    fn hesitant(i: u64) -> Duration {
        Duration::from_millis(i / 3 * 170 + i % 3 * 33)
    }

    /// Red, green and blue in turn.
    fn colour(i: u64) -> [u8; 3] {
        [[220, 20, 20], [20, 200, 20], [20, 20, 220]][(i % 3) as usize]
    }

    fn record(
        path: &Path,
        options: VideoOptions,
        size: (u32, u32),
        frames: u64,
    ) -> Result<Finished, SinkError> {
        let mut sink = VideoSink::create(path, options)?;
        for i in 0..frames {
            // A run may begin in the middle of its source.
            let time = Duration::from_secs(5) + hesitant(i);
            write(&mut sink, &frame(i, time, size, colour(i)), &[], None)?;
        }
        Box::new(sink).finish()
    }

    /// The times of a video's frames in milliseconds, or of its `stream`, as ffmpeg reads them.
    fn times(path: &Path, stream: &str) -> Vec<i64> {
        let path = path.to_str().unwrap();
        let listing = ["-i", path, "-map", stream, "-enc_time_base", "1:1000", "-fps_mode", "passthrough"];
        let listing = run_ffmpeg(&[&listing[..], &["-f", "framecrc", "-"]].concat());
        let listing = String::from_utf8(listing).unwrap();
        let rows = listing.lines().filter(|line| !line.starts_with('#'));
        rows.map(|row| row.split(',').nth(2).unwrap().trim().parse().unwrap()).collect()
    }

    /// The frames of a video as RGB.
    fn pixels(path: &Path) -> Vec<u8> {
        let path = path.to_str().unwrap();
        let raw = ["-enc_time_base", "1:1000", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"];
        run_ffmpeg(&[&["-i", path, "-fps_mode", "passthrough"], &raw[..]].concat())
    }

    #[test]
    fn every_frame_keeps_its_time_and_its_colours() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["clip.mp4", "clip.mkv", "clip.webm", "clip.MOV"] {
            let path = folder.path().join(name);
            let finished = record(&path, silent(), SIZE, 30).unwrap();
            assert_eq!(finished, Finished { path: Some(path.clone()), frames: 30 });
            let expected: Vec<i64> = (0..30).map(|i| hesitant(i).as_millis() as i64).collect();
            assert_eq!(times(&path, "0:v"), expected, "{name}");

            let pixels = pixels(&path);
            let frame_len = (3 * SIZE.0 * SIZE.1) as usize;
            for (i, rgb) in pixels.chunks(frame_len).enumerate() {
                let middle = &rgb[frame_len / 2..][..3];
                let near = middle.iter().zip(colour(i as u64)).all(|(a, b)| a.abs_diff(b) < 16);
                assert!(near, "{name} frame {i}: {middle:?}");
            }
        }
        assert_eq!(names(folder.path()), ["clip.MOV", "clip.mkv", "clip.mp4", "clip.webm"]);
    }

    #[test]
    fn pictures_of_odd_size_grow_to_an_even_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd.mp4");
        record(&path, silent(), (63, 47), 3).unwrap();
        assert_eq!(pixels(&path).len(), 3 * 3 * 64 * 48);
    }

    /// A second of black with three of a tone.
    fn sounding(path: &Path, codec: &str) {
        let tone = ["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=3", "-f", "lavfi", "-i"];
        let end = ["color=size=32x32:duration=1", "-c:a", codec, path.to_str().unwrap()];
        run_ffmpeg(&[&tone[..], &end].concat());
    }

    #[test]
    fn sound_is_kept_and_ends_with_the_video() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source.mkv");
        // AAC is copied into MP4; WebM takes none, so it is encoded anew.
        sounding(&source, "aac");
        for name in ["copied.mp4", "anew.webm"] {
            let path = folder.path().join(name);
            let options = VideoOptions { sound: Some(source.clone()), ..silent() };
            let mut sink = VideoSink::create(&path, options).unwrap();
            for i in 0..30 {
                write(&mut sink, &frame(i, hesitant(i), SIZE, colour(i)), &[], None).unwrap();
            }
            Box::new(sink).finish().unwrap();
            assert_eq!(times(&path, "0:v").len(), 30);
            // Packets of sound, the last of which begins where the video ends, at 1.6 s.
            let sound = times(&path, "0:a");
            let last = sound.last().unwrap();
            assert!(sound[0] < 50 && (1500..1700).contains(last), "{name}: {sound:?}");
        }
        assert_eq!(names(folder.path()), ["anew.webm", "copied.mp4", "source.mkv"]);
    }

    #[test]
    fn a_source_without_sound_gives_a_video_without() {
        let folder = tempfile::tempdir().unwrap();
        let (source, path) = (folder.path().join("source.mp4"), folder.path().join("clip.mp4"));
        record(&source, silent(), SIZE, 3).unwrap();
        record(&path, VideoOptions { sound: Some(source), ..silent() }, SIZE, 3).unwrap();
        assert_eq!(times(&path, "0:v").len(), 3);
        assert_eq!(names(folder.path()), ["clip.mp4", "source.mp4"]);
    }

    #[test]
    fn an_interrupted_video_plays_and_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        std::fs::write(&path, "old").unwrap();
        let mut sink = VideoSink::create(&path, silent()).unwrap();
        for i in 0..10 {
            write(&mut sink, &frame(i, hesitant(i), SIZE, colour(i)), &[], None).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        Box::new(sink).finish().unwrap();
        assert_eq!(times(&path, "0:v").len(), 10);
        assert_eq!(names(folder.path()), ["clip.mp4"]);
        // The index comes first, so that a browser plays the file while it loads.
        let bytes = std::fs::read(&path).unwrap();
        let at = |name: &[u8]| bytes.windows(4).position(|four| four == name).unwrap();
        assert!(at(b"moov") < at(b"mdat"));
    }

    #[test]
    fn an_abandoned_video_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        std::fs::write(&path, "old").unwrap();
        let mut sink = VideoSink::create(&path, silent()).unwrap();
        write(&mut sink, &frame(0, Duration::ZERO, SIZE, [9; 3]), &[], None).unwrap();
        drop(sink);
        Box::new(VideoSink::create(&path, silent()).unwrap()).finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["clip.mp4"]);
    }

    #[test]
    fn frames_of_one_time_are_set_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        let mut sink = VideoSink::create(&path, silent()).unwrap();
        for (i, time) in [100, 140, 140, 120, 300].into_iter().enumerate() {
            let time = Duration::from_millis(time);
            write(&mut sink, &frame(i as u64, time, SIZE, [9; 3]), &[], None).unwrap();
        }
        Box::new(sink).finish().unwrap();
        assert_eq!(times(&path, "0:v"), [0, 40, 41, 42, 200]);
    }

    #[test]
    fn the_rate_of_the_source_is_declared_and_the_last_frame_has_its_time() {
        let folder = tempfile::tempdir().unwrap();
        for (name, fps, length) in [("a.mp4", 2, "02.00"), ("b.mkv", 25, "00.16"), ("c.webm", 50, "00.08")] {
            let path = folder.path().join(name);
            let options = VideoOptions { fps: Some(fps.into()), ..silent() };
            let mut sink = VideoSink::create(&path, options).unwrap();
            for i in 0..4 {
                let time = Duration::from_secs(i) / fps;
                write(&mut sink, &frame(i, time, SIZE, colour(i)), &[], None).unwrap();
            }
            Box::new(sink).finish().unwrap();
            // Without an output ffmpeg fails after it has told of the input.
            let told = std::process::Command::new(ffmpeg()).arg("-i").arg(&path).output().unwrap().stderr;
            let told = String::from_utf8_lossy(&told);
            for words in [format!(" Duration: 00:00:{length}, "), format!(", {fps} fps, ")] {
                assert!(told.contains(&words), "no {words:?} in {told}");
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_the_first_frame() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let create = |name: &str, sound| VideoSink::create(&at(name), VideoOptions { sound, ..silent() });
        std::fs::write(at("clip.mp4"), "input").unwrap();
        assert!(matches!(
            create("clip.mp4", Some(at("clip.mp4"))),
            Err(SinkError::File(FileError::IsInput { .. }))
        ));
        assert!(matches!(create("clip.gif", None), Err(SinkError::UnknownFormat { .. })));
        assert!(matches!(create("clip", None), Err(SinkError::UnknownFormat { .. })));
        assert!(matches!(
            create("none/clip.mp4", None),
            Err(SinkError::File(FileError::MissingFolder { .. }))
        ));
        assert!(matches!(
            create("clip.mp4/clip.mp4", None),
            Err(SinkError::File(FileError::NotAFolder { .. }))
        ));
        assert_eq!(names(folder.path()), ["clip.mp4"]);
    }

    #[test]
    fn another_size_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = VideoSink::create(&folder.path().join("clip.mp4"), silent()).unwrap();
        write(&mut sink, &frame(0, Duration::ZERO, SIZE, [9; 3]), &[], None).unwrap();
        let error = write(&mut sink, &frame(1, Duration::ZERO, (32, 32), [9; 3]), &[], None).unwrap_err();
        assert!(matches!(error, SinkError::SizeChanged { was: SIZE, is: (32, 32), .. }), "{error}");
        drop(sink);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_missing_ffmpeg_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let options = VideoOptions { ffmpeg: folder.path().join("no-ffmpeg"), ..silent() };
        let error = record(&folder.path().join("clip.mp4"), options, SIZE, 1).unwrap_err();
        assert!(error.to_string().contains("no-ffmpeg"), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    /// Stands in for ffmpeg: a shell script.
    #[cfg(unix)]
    fn recorded_by(script: &str) -> (SinkError, Vec<String>) {
        use std::os::unix::fs::PermissionsExt;
        let (tools, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ffmpeg = tools.path().join("ffmpeg");
        std::fs::write(&ffmpeg, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&ffmpeg, std::fs::Permissions::from_mode(0o755)).unwrap();
        let options = VideoOptions { ffmpeg, ..silent() };
        // More than a pipe holds, so that the end of ffmpeg is felt.
        let error = record(&folder.path().join("clip.mp4"), options, (640, 480), 30).unwrap_err();
        (error, names(folder.path()))
    }

    #[cfg(unix)]
    #[test]
    fn the_end_of_ffmpeg_in_mid_stream_is_told_with_its_reason() {
        let head = "head -c 500000 >/dev/null";
        let (error, left) = recorded_by(&format!(
            "{head}; echo '[mp4 @ 0x1] write error: No space left on device' >&2; exit 1"
        ));
        assert!(matches!(error, SinkError::File(FileError::DiskFull { .. })), "{error}");
        assert!(left.is_empty());

        let (error, _) = recorded_by(&format!("{head}; echo '[libx264 @ 0x1] out of luck' >&2; exit 1"));
        assert!(error.to_string().contains("ffmpeg stopped with \"out of luck\""), "{error}");

        let (error, left) = recorded_by(&format!("{head}; kill -9 $$"));
        assert!(error.to_string().contains("signal: 9"), "{error}");
        assert!(matches!(error, SinkError::EncoderCrashed { .. }), "{error}");
        assert!(left.is_empty());

        // Whatever it complained of before, and while it only had to complete the file.
        let (error, _) = recorded_by("cat >/dev/null; echo 'Invalid data' >&2; kill -SEGV $$");
        let said = error.to_string();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.contains("clip.mp4 cannot be written: ") && said.contains("ffmpeg crashed (signal: 11"),
            "{said}"
        );
        assert!(said.ends_with("install another ffmpeg, or name one with CAMLOC_FFMPEG"), "{said}");

        // All is read, but the file cannot be completed.
        let (error, left) = recorded_by("cat >/dev/null; echo 'Invalid data' >&2; exit 1");
        assert!(error.to_string().contains("Invalid data"), "{error}");
        assert!(left.is_empty());
    }
}
