//! A detector's training set as it is written: [`Writer`].

use std::fmt;
use std::str::FromStr;

use super::{Object, Part, coco, voc, yolo};
use crate::files::{FileError, FolderDraft};

/// A format that detectors are trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DetectorFormat {
    /// `images/`, `labels/` and `data.yaml`.
    Yolo,
    /// `images/` and `annotations/instances_{train,val}.json`.
    Coco,
    /// `JPEGImages/`, `Annotations/` and `ImageSets/Main/`.
    Voc,
}

impl DetectorFormat {
    pub(crate) const ALL: [DetectorFormat; 3] =
        [DetectorFormat::Yolo, DetectorFormat::Coco, DetectorFormat::Voc];

    /// The name, as `--format` takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            DetectorFormat::Yolo => "yolo",
            DetectorFormat::Coco => "coco",
            DetectorFormat::Voc => "voc",
        }
    }
}

impl fmt::Display for DetectorFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no format of this name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no format \"{0}\": use yolo, coco or voc")]
pub(crate) struct UnknownDetectorFormat(String);

impl FromStr for DetectorFormat {
    type Err = UnknownDetectorFormat;

    fn from_str(name: &str) -> Result<DetectorFormat, UnknownDetectorFormat> {
        let found = DetectorFormat::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| UnknownDetectorFormat(name.into()))
    }
}

/// A picture and its objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labelled<'a> {
    /// The file's name.
    pub(crate) file: &'a str,
    /// The same without its ending.
    pub(crate) stem: &'a str,
    pub(crate) part: Part,
    /// Width and height in pixels.
    pub(crate) size: (u32, u32),
    pub(crate) objects: &'a [Object],
}

/// Writes all but the pictures of a set.
#[derive(Debug)]
pub(crate) enum Writer {
    Yolo,
    Coco(coco::Sets),
    Voc(voc::Voc),
}

impl Writer {
    /// Makes the folders.
    pub(crate) fn begin(format: DetectorFormat, draft: &FolderDraft) -> Result<Writer, FileError> {
        Ok(match format {
            DetectorFormat::Yolo => {
                yolo::begin(draft)?;
                Writer::Yolo
            }
            DetectorFormat::Coco => Writer::Coco(coco::Sets::begin(draft)?),
            DetectorFormat::Voc => Writer::Voc(voc::Voc::begin(draft)?),
        })
    }

    /// The folder of the pictures of a part.
    pub(crate) fn pictures(&self, part: Part) -> String {
        match self {
            Writer::Voc(_) => "JPEGImages".to_owned(),
            Writer::Yolo | Writer::Coco(_) => format!("images/{}", part.name()),
        }
    }

    /// Adds a picture's objects; `classes` are the names of all classes.
    pub(crate) fn add(
        &mut self,
        draft: &FolderDraft,
        picture: &Labelled<'_>,
        classes: &[&str],
    ) -> Result<(), FileError> {
        match self {
            Writer::Yolo => yolo::add(draft, picture),
            Writer::Coco(sets) => sets.add(draft, picture),
            Writer::Voc(voc) => voc.add(draft, picture, classes),
        }
    }

    /// Writes what is of the set as a whole.
    pub(crate) fn finish(
        self,
        draft: &FolderDraft,
        classes: &[&str],
        has_val: bool,
    ) -> Result<(), FileError> {
        match self {
            Writer::Yolo => yolo::finish(draft, classes, has_val),
            Writer::Coco(sets) => sets.finish(draft, classes),
            Writer::Voc(voc) => voc.finish(draft),
        }
    }
}
