//! Frames to write, and an ffmpeg to read back with, for the tests of this room.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Shown, Sink, SinkError};
use crate::frame::{Frame, Picture};
use crate::localize::{BoundingBox, Detection};
use crate::origin::Origin;

pub(super) use crate::assets::ffmpeg_for_tests as ffmpeg;

/// What ffmpeg writes to standard output, given these arguments.
pub(super) fn run_ffmpeg(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(ffmpeg())
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"])
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "ffmpeg {arguments:?}");
    output.stdout
}

/// A frame of one colour.
pub(super) fn frame(seq: u64, time: Duration, (width, height): (u32, u32), rgb: [u8; 3]) -> Frame {
    let picture = Picture::from_rgb(width, height, rgb.repeat((width * height) as usize)).unwrap();
    Frame { seq, time, arrived: Instant::now(), picture }
}

/// A cat, class 1 of `["dog", "cat"]`.
pub(super) fn cat() -> Detection {
    Detection {
        class_id: 1,
        score: 0.83333,
        bbox: BoundingBox { x0: 2, y0: 1, x1: 10, y1: 7 },
        peak: (4, 3),
        outline: vec![(2.0, 1.0), (10.0, 1.0), (10.0, 7.0)],
        area: 24.0,
        track: None,
    }
}

/// Writes a frame as one of the video `clip.mp4`, or as a photo of that name.
pub(super) fn write(
    sink: &mut dyn Sink,
    frame: &Frame,
    found: &[Detection],
    photo: Option<&str>,
) -> Result<(), SinkError> {
    let labels = ["dog".to_owned(), "cat".to_owned()];
    sink.write(&Shown {
        frame,
        overlay: None,
        detections: found,
        best: found.first().map(|found| (found.class_id, found.score)),
        segmentation: None,
        what_if: None,
        made_by: &Origin::default(),
        labels: &labels,
        source: Path::new(photo.unwrap_or("clip.mp4")),
        still: photo.is_some(),
    })
}

/// The names in a folder, sorted.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
