//! COCO files as they are written: [`CocoWriter`]; and those of a detector's set, [`Sets`].

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};

use serde::Serialize;
use serde_json::json;

use crate::dataset::{Labelled, Part};
use crate::files::{FileError, FolderDraft};

/// Writes a COCO file that grows: images as they come, annotations to a second file that is appended at the end, so that
/// memory stays flat however long the run.
#[derive(Debug)]
pub(crate) struct CocoWriter<W> {
    out: W,
    annotations: BufWriter<File>,
    images: u64,
    annotated: u64,
}

impl<W: Write> CocoWriter<W> {
    /// The beginning of a file, with its `info`; `scratch` is an empty file for the annotations.
    pub(crate) fn begin(mut out: W, scratch: File, info: &impl Serialize) -> io::Result<CocoWriter<W>> {
        out.write_all(br#"{"info":"#)?;
        serde_json::to_writer(&mut out, info)?;
        out.write_all(br#","images":["#)?;
        Ok(CocoWriter { out, annotations: BufWriter::new(scratch), images: 0, annotated: 0 })
    }

    /// Where it is written to.
    pub(crate) fn out(&self) -> &W {
        &self.out
    }

    /// How many images there are so far.
    pub(crate) fn images(&self) -> u64 {
        self.images
    }

    /// Begins the next image.
    pub(crate) fn image(&mut self, image: &impl Serialize) -> io::Result<()> {
        let before = self.images;
        // The tools take id 0 for "no match", so ids count from 1.
        self.images += 1;
        append(&mut self.out, before, &Item { id: self.images, image_id: None, rest: image })
    }

    /// Adds an annotation to the last image.
    pub(crate) fn annotation(&mut self, annotation: &impl Serialize) -> io::Result<()> {
        let before = self.annotated;
        self.annotated += 1;
        let item = Item { id: self.annotated, image_id: Some(self.images), rest: annotation };
        append(&mut self.annotations, before, &item)
    }

    /// Completes the file with its categories, ids and names; it is flushed, but not closed.
    pub(crate) fn end<'a>(
        &mut self,
        categories: impl IntoIterator<Item = (usize, &'a str)>,
    ) -> io::Result<()> {
        self.out.write_all(br#"],"annotations":["#)?;
        self.annotations.flush()?;
        let annotations = self.annotations.get_mut();
        annotations.rewind()?;
        io::copy(annotations, &mut self.out)?;
        self.out.write_all(br#"],"categories":"#)?;
        let categories: Vec<_> =
            categories.into_iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
        serde_json::to_writer(&mut self.out, &categories)?;
        self.out.write_all(b"}\n")?;
        self.out.flush()
    }

    /// Where it was written to.
    pub(crate) fn into_out(self) -> W {
        self.out
    }
}

/// An element of a list, with its numbers.
#[derive(Serialize)]
struct Item<'a, T> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_id: Option<u64>,
    #[serde(flatten)]
    rest: &'a T,
}

fn append(out: &mut impl Write, before: u64, item: &impl Serialize) -> io::Result<()> {
    if before > 0 {
        out.write_all(b",\n")?;
    }
    Ok(serde_json::to_writer(out, item)?)
}

/// An object on an image. Its segmentation is polygons, `[[x0, y0, x1, y1, …], …]`, or run lengths; its area is in pixels.
#[derive(Debug, Serialize)]
pub(crate) struct Annotation<S, A> {
    pub(crate) category_id: usize,
    /// x, y, width, height.
    pub(crate) bbox: [u32; 4],
    pub(crate) segmentation: S,
    pub(crate) area: A,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) track: Option<u64>,
    pub(crate) iscrowd: u8,
}

/// A detector's set: `images/{train,val}` and `annotations/instances_{train,val}.json`.
#[derive(Debug)]
pub(crate) struct Sets {
    train: CocoWriter<BufWriter<File>>,
    val: CocoWriter<BufWriter<File>>,
}

fn file_of(part: Part) -> String {
    format!("annotations/instances_{}.json", part.name())
}

impl Sets {
    pub(crate) fn begin(draft: &FolderDraft) -> Result<Sets, FileError> {
        draft.folder("annotations")?;
        Part::ALL.iter().try_for_each(|part| draft.folder(&format!("images/{}", part.name())))?;
        let set = |part| {
            let out = BufWriter::new(draft.file(&file_of(part))?);
            let begun = draft.scratch().and_then(|scratch| {
                CocoWriter::begin(out, scratch, &json!({"description": "labelled by camloc"}))
            });
            begun.map_err(|source| draft.failed(&file_of(part), source))
        };
        Ok(Sets { train: set(Part::Train)?, val: set(Part::Val)? })
    }

    pub(crate) fn add(&mut self, draft: &FolderDraft, picture: &Labelled<'_>) -> Result<(), FileError> {
        let set = match picture.part {
            Part::Train => &mut self.train,
            Part::Val => &mut self.val,
        };
        let mut add = || {
            let (width, height) = picture.size;
            set.image(&json!({"file_name": picture.file, "width": width, "height": height}))?;
            picture.objects.iter().try_for_each(|object| {
                let [x0, y0, x1, y1] = object.bbox;
                let (width, height) = (x1 - x0, y1 - y0);
                set.annotation(&Annotation {
                    category_id: object.class + 1,
                    bbox: [x0, y0, width, height],
                    // A box is no outline.
                    segmentation: [(); 0],
                    area: u64::from(width) * u64::from(height),
                    score: object.score.map(|score| (f64::from(score) * 1e4).round() / 1e4),
                    track: None,
                    iscrowd: 0,
                })
            })
        };
        add().map_err(|source| draft.failed(&file_of(picture.part), source))
    }

    pub(crate) fn finish(self, draft: &FolderDraft, classes: &[&str]) -> Result<(), FileError> {
        for (part, mut set) in [(Part::Train, self.train), (Part::Val, self.val)] {
            let categories = classes.iter().enumerate().map(|(i, name)| (i + 1, *name));
            set.end(categories).map_err(|source| draft.failed(&file_of(part), source))?;
        }
        Ok(())
    }
}
