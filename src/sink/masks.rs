//! The pixels of what was found, for annotation tools and training: [`MasksSink`]. `docs/masks.md` tells the formats.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use super::coco::{CocoFile, Image};
use super::images::unique;
use super::json::{rounded, seconds};
use super::output::check_outputs;
use super::palette::PaletteFolder;
use super::{Finished, Shown, Sink, SinkError};
use crate::localize::{Region, Segmentation};

/// How masks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskFormat {
    /// A palette PNG for each picture, and the names of its indices in `labels.txt`.
    Png,
    /// One COCO file with compressed run lengths.
    Rle,
    /// One COCO file with polygons.
    Polygons,
}

impl MaskFormat {
    const ALL: [MaskFormat; 3] = [MaskFormat::Png, MaskFormat::Rle, MaskFormat::Polygons];
}

impl fmt::Display for MaskFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            MaskFormat::Png => "png",
            MaskFormat::Rle => "rle",
            MaskFormat::Polygons => "polygons",
        })
    }
}

/// No format of masks has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("masks are not written as \"{0}\": use png, rle or polygons")]
pub struct UnknownMaskFormat(String);

impl FromStr for MaskFormat {
    type Err = UnknownMaskFormat;

    fn from_str(name: &str) -> Result<MaskFormat, UnknownMaskFormat> {
        let found = MaskFormat::ALL.into_iter().find(|format| format.to_string() == name);
        found.ok_or_else(|| UnknownMaskFormat(name.to_owned()))
    }
}

/// A picture and its masks.
#[derive(Clone, Debug)]
pub struct Masked<'a> {
    /// The path of its PNG below the masks' folder, without the ending.
    pub name: PathBuf,
    /// What COCO calls it.
    pub file_name: String,
    /// Its number in its source.
    pub frame: u64,
    /// Seconds since the start of its source.
    pub time_s: f64,
    /// Its pixels.
    pub segmentation: &'a Segmentation,
    /// Names of the model's classes by class index.
    pub labels: &'a [String],
}

/// Writes the masks of each picture: into the folder `masks`, or the file `masks.json`.
///
/// A picture in which nothing was found has an all-background PNG, or an image without annotations.
#[derive(Debug)]
pub struct MasksSink {
    place: Place,
    /// The names given in this run, in lower case.
    given: HashSet<String>,
}

#[derive(Debug)]
enum Place {
    Folder(PaletteFolder),
    File(CocoFile, MaskFormat),
}

impl MasksSink {
    /// Writes below `folder`, which is made if need be.
    pub fn create(folder: &Path, format: MaskFormat) -> Result<MasksSink, SinkError> {
        let path = MasksSink::path(folder, format);
        let place = match format {
            MaskFormat::Png => Place::Folder(PaletteFolder::create(&path)?),
            MaskFormat::Rle | MaskFormat::Polygons => {
                super::images::make_folder(folder)?;
                Place::File(CocoFile::create(&path)?, format)
            }
        };
        Ok(MasksSink { place, given: HashSet::new() })
    }

    /// The folder or file that a sink below `folder` writes.
    pub fn path(folder: &Path, format: MaskFormat) -> PathBuf {
        folder.join(if format == MaskFormat::Png { "masks" } else { "masks.json" })
    }

    /// Takes a picture that is no frame of a pipeline.
    pub fn add(&mut self, masked: &Masked<'_>) -> Result<(), SinkError> {
        match &mut self.place {
            Place::Folder(folder) => folder.add(&masked.name, masked.segmentation, masked.labels),
            Place::File(file, format) => annotate(file, *format, masked),
        }
    }
}

impl Sink for MasksSink {
    fn wants_picture(&self) -> bool {
        false
    }

    fn wants_masks(&self) -> bool {
        true
    }

    fn write(&mut self, shown: &Shown<'_>) -> Result<(), SinkError> {
        let empty = shown.segmentation.is_none().then(|| Segmentation::empty(shown.frame.picture.size()));
        let Some(segmentation) = shown.segmentation.or(empty.as_ref()) else { return Ok(()) };
        let name = match shown.still {
            true => unique(&shown.stem(), "", &mut self.given),
            false => format!("{}-{:06}", shown.stem(), shown.frame.seq),
        };
        if let Place::Folder(folder) = &self.place {
            check_outputs(&[&folder.target(Path::new(&name))], &[shown.source])?;
        }
        let masked = Masked {
            name: PathBuf::from(name),
            file_name: Image::of(shown).file_name,
            frame: shown.frame.seq,
            time_s: seconds(shown.frame.time),
            segmentation,
            labels: shown.labels,
        };
        self.add(&masked)
    }

    fn finish(self: Box<Self>) -> Result<Finished, SinkError> {
        match self.place {
            Place::Folder(folder) => Ok(folder.finish()),
            Place::File(file, _) => file.finish(),
        }
    }
}

/// Adds a picture and an annotation for each region that has pixels.
fn annotate(file: &mut CocoFile, format: MaskFormat, masked: &Masked<'_>) -> Result<(), SinkError> {
    let Masked { segmentation, labels, frame, time_s, .. } = *masked;
    let (width, height) = segmentation.size;
    file.image(&Image { file_name: masked.file_name.clone(), width, height, frame, time_s })?;
    for (place, region) in segmentation.regions.iter().enumerate() {
        if let Some(annotation) = Annotation::new(segmentation, place, region, format) {
            file.annotation(&annotation, region.class_id, || {
                super::label(labels, region.class_id).into_owned()
            })?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Annotation {
    category_id: usize,
    /// x, y, width, height.
    bbox: [u32; 4],
    segmentation: Shape,
    area: u64,
    score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<u64>,
    iscrowd: u8,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shape {
    Runs { size: [u32; 2], counts: String },
    Polygons(Vec<Vec<u32>>),
}

impl Annotation {
    /// `None` where the region has no pixel.
    fn new(
        segmentation: &Segmentation,
        place: usize,
        region: &Region,
        format: MaskFormat,
    ) -> Option<Annotation> {
        let bounds = segmentation.bounds(place)?;
        let runs = segmentation.runs(place)?;
        let shape = match format {
            MaskFormat::Polygons => {
                let flat = |corners: Vec<(u32, u32)>| corners.into_iter().flat_map(|(x, y)| [x, y]).collect();
                Shape::Polygons(segmentation.polygons(place).into_iter().map(flat).collect())
            }
            MaskFormat::Png | MaskFormat::Rle => {
                Shape::Runs { size: [runs.height, runs.width], counts: runs.to_text() }
            }
        };
        Some(Annotation {
            category_id: region.class_id,
            bbox: [bounds.x0, bounds.y0, bounds.x1 - bounds.x0, bounds.y1 - bounds.y0],
            segmentation: shape,
            area: runs.area(),
            score: rounded(region.score),
            track: region.track,
            iscrowd: 0,
        })
    }
}
