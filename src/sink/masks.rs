//! The pixels of what was found, for annotation tools and training: [`MasksSink`]. `docs/masks.md` tells the formats.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use super::coco::{CocoFile, Image};
use super::images::unique;
use super::json::{rounded, seconds};
use super::palette::PaletteFolder;
use super::{Finished, Shown, Sink, SinkError};
use crate::dataset::coco::Annotation;
use crate::files::{check_outputs, make_folder};
use crate::localize::{Region, Segmentation};

/// How masks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MaskFormat {
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
pub(crate) struct UnknownMaskFormat(String);

impl FromStr for MaskFormat {
    type Err = UnknownMaskFormat;

    fn from_str(name: &str) -> Result<MaskFormat, UnknownMaskFormat> {
        let found = MaskFormat::ALL.into_iter().find(|format| format.to_string() == name);
        found.ok_or_else(|| UnknownMaskFormat(name.to_owned()))
    }
}

/// A picture and its masks.
#[derive(Clone, Debug)]
pub(crate) struct Masked<'a> {
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
pub(crate) struct MasksSink {
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
    pub(crate) fn create(folder: &Path, format: MaskFormat) -> Result<MasksSink, SinkError> {
        let path = MasksSink::path(folder, format);
        let place = match format {
            MaskFormat::Png => Place::Folder(PaletteFolder::create(&path)?),
            MaskFormat::Rle | MaskFormat::Polygons => {
                make_folder(folder)?;
                Place::File(CocoFile::create(&path)?, format)
            }
        };
        Ok(MasksSink { place, given: HashSet::new() })
    }

    /// The folder or file that a sink below `folder` writes.
    pub(crate) fn path(folder: &Path, format: MaskFormat) -> PathBuf {
        folder.join(if format == MaskFormat::Png { "masks" } else { "masks.json" })
    }

    /// Takes a picture that is no frame of a pipeline.
    pub(crate) fn add(&mut self, masked: &Masked<'_>) -> Result<(), SinkError> {
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
        let name = if shown.still {
            unique(&shown.stem(), "", &mut self.given)
        } else {
            format!("{}-{:06}", shown.stem(), shown.frame.seq)
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
        if let Some(annotation) = annotation(segmentation, place, region, format) {
            file.annotation(&annotation, || super::label(labels, region.class_id).into_owned())?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shape {
    Runs { size: [u32; 2], counts: String },
    Polygons(Vec<Vec<u32>>),
}

/// `None` where the region has no pixel.
fn annotation(
    segmentation: &Segmentation,
    place: usize,
    region: &Region,
    format: MaskFormat,
) -> Option<Annotation<Shape, u64>> {
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
        score: Some(rounded(region.score)),
        track: region.track,
        iscrowd: 0,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::files::FileError;
    use crate::localize::Runs;
    use crate::sink::testing::{frame, names, write};

    /// A ring of one class around a pixel of another, and a region of which nothing is left.
    fn ring() -> Segmentation {
        let region = |class_id, track| Region { class_id, score: 0.83333, track };
        Segmentation {
            size: (4, 3),
            regions: vec![region(1, Some(7)), region(0, None), region(2, None)],
            labels: vec![1, 1, 1, 0, 1, 2, 1, 0, 1, 1, 1, 0],
        }
    }

    fn masked(segmentation: &Segmentation) -> Masked<'_> {
        let name = PathBuf::from("x");
        Masked { name, file_name: "x.jpg".into(), frame: 3, time_s: 0.12, segmentation, labels: &[] }
    }

    fn written(format: MaskFormat) -> serde_json::Value {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new");
        let mut sink = MasksSink::create(&out, format).unwrap();
        sink.add(&masked(&ring())).unwrap();
        assert!(!out.join("masks.json").exists());
        let finished = Box::new(sink).finish().unwrap();
        assert_eq!(finished, Finished { path: Some(out.join("masks.json")), frames: 1 });
        serde_json::from_slice(&fs::read(out.join("masks.json")).unwrap()).unwrap()
    }

    #[test]
    fn run_lengths_give_the_pixels_back() {
        let coco = written(MaskFormat::Rle);
        let image =
            json!([{ "id": 1, "file_name": "x.jpg", "width": 4, "height": 3, "frame": 3, "time_s": 0.12 }]);
        assert_eq!(coco["images"], image);
        let annotations = coco["annotations"].as_array().unwrap();
        assert_eq!(annotations.len(), 2, "what has no pixel is not annotated");
        let mut labels = vec![0; 12];
        for (annotation, label) in annotations.iter().zip(1..) {
            assert_eq!(annotation["segmentation"]["size"], json!([3, 4]));
            let text = annotation["segmentation"]["counts"].as_str().unwrap();
            Runs::from_text(4, 3, text).unwrap().paint(&mut labels, label);
        }
        assert_eq!(labels, ring().labels);
        let keys = |i: usize| {
            ["id", "image_id", "category_id", "bbox", "area", "track"].map(|key| &annotations[i][key])
        };
        assert_eq!(keys(0), [&json!(1), &json!(1), &json!(1), &json!([0, 0, 3, 3]), &json!(8), &json!(7)]);
        assert_eq!(keys(1), [&json!(2), &json!(1), &json!(0), &json!([1, 1, 1, 1]), &json!(1), &json!(null)]);
        assert_eq!(
            coco["categories"],
            json!([{ "id": 0, "name": "class 0" }, { "id": 1, "name": "class 1" }])
        );
    }

    #[test]
    fn polygons_go_around_a_hole() {
        let coco = written(MaskFormat::Polygons);
        let ring = &coco["annotations"][0]["segmentation"];
        assert_eq!(
            ring,
            &json!([[0, 0, 2, 0, 2, 1, 1, 1, 1, 2, 2, 2, 2, 3, 0, 3], [2, 0, 3, 0, 3, 3, 2, 3]])
        );
        assert_eq!(coco["annotations"][1]["segmentation"], json!([[1, 1, 2, 1, 2, 2, 1, 2]]));
    }

    #[test]
    fn a_photo_without_a_find_has_an_empty_mask_and_never_loses_its_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let black = frame(0, Duration::ZERO, (2, 2), [0; 3]);
        let mut sink = MasksSink::create(folder.path(), MaskFormat::Png).unwrap();
        for photo in [Some("a/x.jpg"), Some("b/X.png"), None] {
            write(&mut sink, &black, &[], photo).unwrap();
        }
        let masks = folder.path().join("masks");
        assert_eq!(names(&masks), ["X-2.png", "clip-000000.png", "labels.txt", "x.png"]);
        assert_eq!(image::open(masks.join("x.png")).unwrap().to_rgb8().into_raw(), [0; 12]);
        let own = masks.join("z.png");
        let error = write(&mut sink, &black, &[], own.to_str()).unwrap_err();
        assert!(matches!(error, SinkError::File(FileError::IsInput { .. })), "{error}");
        let abandoned = tempfile::tempdir().unwrap();
        drop(MasksSink::create(abandoned.path(), MaskFormat::Rle).unwrap());
        assert!(names(abandoned.path()).is_empty());
    }

    #[test]
    fn formats_are_read_as_they_are_written_and_a_wrong_name_lists_them() {
        for format in MaskFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert!("gif".parse::<MaskFormat>().unwrap_err().to_string().contains(&format.to_string()));
        }
    }
}
