//! The result of a run as a COCO file: [`CocoSink`]. `docs/json.md` tells which keys it has.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::json::{rounded, seconds};
use super::{Finished, Shown, Sink, SinkError};
use crate::dataset::coco::{Annotation, CocoWriter};
use crate::files::{FileError, OutputFile};
use crate::localize::Detection;

/// Writes images, annotations and categories as the COCO tools read them.
#[derive(Debug)]
pub(crate) struct CocoSink {
    file: CocoFile,
}

impl CocoSink {
    /// A new COCO file; it appears under its name when it is finished.
    pub(crate) fn create(path: &Path) -> Result<CocoSink, SinkError> {
        Ok(CocoSink { file: CocoFile::create(path)? })
    }
}

impl Sink for CocoSink {
    fn wants_picture(&self) -> bool {
        false
    }

    fn write(&mut self, shown: &Shown<'_>) -> Result<(), SinkError> {
        self.file.image(&Image::of(shown))?;
        shown.detections.iter().try_for_each(|found| {
            let label = || shown.label(found.class_id).into_owned();
            self.file.annotation(&annotation(found), label)
        })
    }

    fn finish(self: Box<Self>) -> Result<Finished, SinkError> {
        self.file.finish()
    }
}

/// A picture, as COCO has it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Image {
    pub(super) file_name: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) frame: u64,
    pub(super) time_s: f64,
}

impl Image {
    /// A frame; one of a video has the name of its overlay picture.
    pub(super) fn of(shown: &Shown<'_>) -> Image {
        let (width, height) = shown.frame.picture.size();
        let file_name = if shown.still {
            shown.source.to_string_lossy().into_owned()
        } else {
            format!("{}-{:06}.cam.jpg", shown.stem(), shown.frame.seq)
        };
        Image { file_name, width, height, frame: shown.frame.seq, time_s: seconds(shown.frame.time) }
    }
}

/// A COCO file of a run, which names the classes that it saw.
#[derive(Debug)]
pub(super) struct CocoFile {
    file: CocoWriter<OutputFile>,
    /// The classes seen, by class index.
    categories: BTreeMap<usize, String>,
}

impl CocoFile {
    /// A new file; it appears under its name when it is finished.
    pub(super) fn create(path: &Path) -> Result<CocoFile, SinkError> {
        let out = OutputFile::open(path)?;
        let scratch = out.scratch()?;
        let info = json!({ "description": "camloc", "version": "1" });
        let file =
            CocoWriter::begin(out, scratch, &info).map_err(|source| FileError::writing(path, source))?;
        Ok(CocoFile { file, categories: BTreeMap::new() })
    }

    /// Begins the next image.
    pub(super) fn image(&mut self, image: &Image) -> Result<(), SinkError> {
        self.file.image(image).map_err(|source| self.failed(source))
    }

    /// Adds an annotation to the last image.
    pub(super) fn annotation<S: Serialize, A: Serialize>(
        &mut self,
        annotation: &Annotation<S, A>,
        label: impl FnOnce() -> String,
    ) -> Result<(), SinkError> {
        self.file.annotation(annotation).map_err(|source| self.failed(source))?;
        self.categories.entry(annotation.category_id).or_insert_with(label);
        Ok(())
    }

    /// Gives the complete file its name.
    pub(super) fn finish(mut self) -> Result<Finished, SinkError> {
        let categories = self.categories.iter().map(|(&id, name)| (id, name.as_str()));
        let ended = self.file.end(categories);
        ended.map_err(|source| self.failed(source))?;
        let frames = self.file.images();
        Ok(Finished { path: self.file.into_out().finish()?, frames })
    }

    fn failed(&self, source: io::Error) -> SinkError {
        self.file.out().failed(source).into()
    }
}

/// A detection's box, and its outline as a polygon.
fn annotation(found: &Detection) -> Annotation<[Vec<f32>; 1], f32> {
    let b = found.bbox;
    let corners = [(b.x0, b.y0), (b.x1, b.y0), (b.x1, b.y1), (b.x0, b.y1)];
    // Two points are no polygon for the tools: the box stands in.
    let (polygon, area) = if found.outline.len() >= 3 {
        (found.outline.iter().flat_map(|&(x, y)| [tenth(x), tenth(y)]).collect(), found.area)
    } else {
        (corners.iter().flat_map(|&(x, y)| [x as f32, y as f32]).collect(), b.area() as f32)
    };
    Annotation {
        category_id: found.class_id,
        bbox: [b.x0, b.y0, b.x1.saturating_sub(b.x0), b.y1.saturating_sub(b.y0)],
        segmentation: [polygon],
        area: tenth(area),
        score: Some(rounded(found.score)),
        track: None,
        iscrowd: 0,
    }
}

/// Tenths of a pixel are finer than any map.
fn tenth(value: f32) -> f32 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::localize::BoundingBox;
    use crate::sink::testing::{cat, frame, names, write};

    #[test]
    fn the_file_is_what_coco_tools_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("found.json");
        let mut sink = CocoSink::create(&path).unwrap();
        let narrow = Detection {
            class_id: 0,
            bbox: BoundingBox { x0: 3, y0: 2, x1: 4, y1: 6 },
            outline: vec![(3.5, 2.0), (3.5, 6.0)],
            ..cat()
        };
        write(&mut sink, &frame(0, Duration::ZERO, (16, 8), [0; 3]), &[cat(), narrow], Some("a.jpg"))
            .unwrap();
        write(&mut sink, &frame(1, Duration::ZERO, (9, 9), [0; 3]), &[], Some("b.jpg")).unwrap();
        write(&mut sink, &frame(2, Duration::from_millis(66), (8, 8), [0; 3]), &[cat()], None).unwrap();
        assert_eq!(Box::new(sink).finish().unwrap().frames, 3);

        let coco: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let images = coco["images"].as_array().unwrap();
        assert_eq!(images.len(), 3);
        assert_eq!(
            (&images[0]["id"], &images[0]["width"], &images[0]["height"]),
            (&json!(1), &json!(16), &json!(8))
        );
        assert_eq!(
            (&images[0]["file_name"], &images[2]["file_name"]),
            (&json!("a.jpg"), &json!("clip-000002.cam.jpg"))
        );

        let annotations = coco["annotations"].as_array().unwrap();
        let ids: Vec<_> = annotations.iter().map(|a| (a["id"].clone(), a["image_id"].clone())).collect();
        assert_eq!(ids, [(json!(1), json!(1)), (json!(2), json!(1)), (json!(3), json!(3))]);
        assert_eq!(annotations[0]["bbox"], json!([2, 1, 8, 6]));
        assert_eq!(annotations[0]["segmentation"], json!([[2.0, 1.0, 10.0, 1.0, 10.0, 7.0]]));
        assert_eq!(annotations[0]["area"], 24.0);
        // Two points are no polygon: the box stands in for them.
        assert_eq!(annotations[1]["segmentation"], json!([[3.0, 2.0, 4.0, 2.0, 4.0, 6.0, 3.0, 6.0]]));
        assert_eq!(annotations[1]["area"], 4.0);
        assert_eq!(coco["categories"], json!([{ "id": 0, "name": "dog" }, { "id": 1, "name": "cat" }]));
    }

    #[test]
    fn a_run_without_frames_is_an_empty_data_set_and_an_abandoned_one_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("found.json");
        drop(CocoSink::create(&path).unwrap());
        assert!(names(folder.path()).is_empty());
        Box::new(CocoSink::create(&path).unwrap()).finish().unwrap();
        let coco: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!((&coco["images"], &coco["annotations"]), (&json!([]), &json!([])));
    }
}
