//! The formats, and how they are told apart.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::names::{first_folder, has_files, walk};
use super::{DatasetError, coco, csv, masks, yolo};

/// A format of ground truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    /// `boxes.csv`: a row for each box.
    BoxesCsv,
    /// Pascal VOC: an XML file for each picture.
    Voc,
    /// COCO: one JSON file; boxes, polygons and run lengths.
    Coco,
    /// YOLO: a text file for each picture; boxes or polygons.
    Yolo,
    /// A picture of the mask for each picture.
    Masks,
}

impl Format {
    const ALL: [Format; 5] = [Format::BoxesCsv, Format::Voc, Format::Coco, Format::Yolo, Format::Masks];

    /// The name, as `--format` takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::BoxesCsv => "csv",
            Format::Voc => "voc",
            Format::Coco => "coco",
            Format::Yolo => "yolo",
            Format::Masks => "masks",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Format::BoxesCsv => "a boxes.csv",
            Format::Voc => "a Pascal VOC file",
            Format::Coco => "a COCO file",
            Format::Yolo => "a YOLO file",
            Format::Masks => "a folder of masks",
        })
    }
}

/// There is no format of this name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no format \"{0}\": use csv, voc, coco, yolo or masks")]
pub(crate) struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Format, UnknownFormat> {
        Format::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| UnknownFormat(name.into()))
    }
}

/// The format of what is at a path. Of several, the one that says most of its own comes first.
pub(super) fn recognise(path: &Path) -> Result<Format, DatasetError> {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let found = if path.is_file() {
        match extension.to_str() {
            Some("csv") => Some(Format::BoxesCsv),
            Some("json") => Some(Format::Coco),
            Some("xml") => Some(Format::Voc),
            Some("yaml" | "yml") => Some(Format::Yolo),
            _ => None,
        }
    } else if path.join(csv::FILE).is_file() {
        Some(Format::BoxesCsv)
    } else if coco::files_of(path).next().is_some() {
        Some(Format::Coco)
    } else if !walk(path, &["xml"]).is_empty() {
        Some(Format::Voc)
    } else if first_folder(path, &[yolo::LABELS]).is_some_and(|labels| has_files(&labels, &["txt"]))
        || yolo::beside_pictures(path)
    {
        Some(Format::Yolo)
    } else if first_folder(path, &masks::FOLDERS).is_some() {
        Some(Format::Masks)
    } else {
        None
    };
    found.ok_or_else(|| DatasetError::NoFormat { name: path.display().to_string() })
}
