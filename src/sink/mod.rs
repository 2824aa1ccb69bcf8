//! Where results go: a video, pictures, masks, JSON lines, a COCO file, each a [`Sink`].
//!
//! Files appear under their names only when they are complete: they
//! grow beside their place under a hidden name and are renamed in [`Sink::finish`]; a sink dropped without
//! `finish` leaves nothing behind, and an existing file is replaced only by a complete one.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::frame::{Frame, Picture};
use crate::localize::{Detection, Segmentation};
use crate::maps::WhatIf;
use crate::origin::Origin;

mod coco;
mod encoder;
mod error;
mod formats;
mod images;
mod json;
mod masks;
mod matroska;
mod palette;
mod video;
mod yuv420;

pub(crate) use coco::CocoSink;
pub(crate) use error::SinkError;
pub(crate) use images::{ImagesSink, snapshot};
pub(crate) use json::JsonSink;
pub(crate) use masks::{MaskFormat, Masked, MasksSink};
pub(crate) use video::{VideoOptions, VideoSink};

/// One frame and what was found in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    /// The frame as it came from the source.
    pub frame: &'a Frame,
    /// The frame with heat and boxes drawn over it, of the frame's size, where a sink asked for it
    /// ([`Sink::wants_picture`]).
    pub overlay: Option<&'a Picture>,
    /// What was found, the surest first.
    pub detections: &'a [Detection],
    /// The most probable of the classes that were looked for, and its probability 0..1, found or not; `None` where there
    /// was no map.
    pub best: Option<(usize, f32)>,
    /// Which pixels that is, where a sink asked for it ([`Sink::wants_masks`]).
    pub segmentation: Option<&'a Segmentation>,
    /// What the model says without what the map marks, where that was asked.
    pub what_if: Option<&'a WhatIf>,
    /// The model and the method, and where the model's nodes ran.
    pub made_by: &'a Origin,
    /// Names of the model's classes by class index; may be shorter than the model's outputs.
    pub labels: &'a [String],
    /// The photo, video or camera the frame comes from.
    pub source: &'a Path,
    /// Whether the frame is all of its source, a photo, rather than one of many.
    pub still: bool,
}

impl<'a> Shown<'a> {
    /// The picture to show: the overlay, or else the plain frame.
    pub(crate) fn picture(&self) -> &'a Picture {
        self.overlay.unwrap_or(&self.frame.picture)
    }

    /// The name of a class, `class 7` where it has none; what a value that is no class's score is called.
    pub(crate) fn label(&self, class_id: usize) -> Cow<'a, str> {
        match &self.made_by.value {
            Some(value) => Cow::Borrowed(value),
            None => label(self.labels, class_id),
        }
    }

    /// The source's name without its extension. Files made of standard input are no `-…`, which programs take for options.
    fn stem(&self) -> Cow<'a, str> {
        if self.source == Path::new("-") {
            return Cow::Borrowed("stdin");
        }
        self.source.file_stem().unwrap_or(self.source.as_os_str()).to_string_lossy()
    }
}

/// The name of a class, `class 7` where it has none.
fn label(labels: &[String], class_id: usize) -> Cow<'_, str> {
    match labels.get(class_id) {
        Some(label) => Cow::Borrowed(label),
        None => Cow::Owned(format!("class {class_id}")),
    }
}

/// Something that takes the frames of a run, in order.
pub(crate) trait Sink: Send {
    /// Whether the sink needs [`Shown::overlay`]; where none does, nothing need be drawn.
    fn wants_picture(&self) -> bool;

    /// Whether the sink needs [`Shown::segmentation`]; where none does, none is made.
    fn wants_masks(&self) -> bool {
        false
    }

    /// Takes one frame.
    ///
    /// After an error the sink is of no more use: drop it.
    fn write(&mut self, shown: &Shown<'_>) -> Result<(), SinkError>;

    /// Completes what was written, also when a run ends early.
    fn finish(self: Box<Self>) -> Result<Finished, SinkError>;
}

/// What a sink has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    /// The file, or the folder of several; `None` for standard output, and where no file was written.
    pub path: Option<PathBuf>,
    /// Number of frames written.
    pub frames: u64,
}

#[cfg(test)]
mod testing;
