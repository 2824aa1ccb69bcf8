//! The dataset of what was found: pictures, their boxes in one of three formats, lists of what is in and what is not, and the sheet.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::names::Names;
use super::photo::{Passage, passage};
use super::place::{MARK, written};
use super::sheet::Sheet;
use super::split::split;
use super::tally::Tally;
use super::{Finding, Input, LabellingError, Reason, Skip, sureness};
use crate::dataset::{DetectorFormat, Labelled, Object, Part, Table, Writer};
use crate::files::{FileError, FolderDraft, Stop};
use crate::frame::Picture;
use crate::render::Renderer;
use crate::source::decode_photo;

/// The table of boxes, and that of pictures that are left out.
const LABELS: &str = "labels.csv";
const SKIPPED: &str = "skipped.csv";

/// What a dataset shall be.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    /// The format.
    pub format: DetectorFormat,
    /// The share of pictures for validation, 0..1.
    pub val: f64,
    /// Decides which pictures these are.
    pub seed: u64,
    /// Whether files that go in as they are become hard links where the system can make them.
    pub link: bool,
    /// Where the labels come from, for the record: goes into `label.json`.
    pub about: Value,
}

/// A dataset that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Its folder.
    pub path: PathBuf,
    /// Pictures for training.
    pub train: usize,
    /// Pictures for validation.
    pub val: usize,
    /// Boxes on all of them.
    pub objects: usize,
    /// Pictures that were written anew, as readers disagree about their files.
    pub encoded: usize,
}

/// Writes the dataset of the pictures on which something was found to the folder `output`, where it appears when it is
/// complete; `findings` has one for each picture of the input. `observe` is told how many pictures are done.
///
/// A picture that is gone or changed since it was labelled is left out, and said so in `findings`.
///
/// # Errors
/// If no picture is left, something can't be written, or `stop` was told to; then nothing is left behind.
pub(crate) fn write(
    input: &Input,
    findings: &mut [Finding],
    output: &Path,
    outline: &Outline,
    renderer: &mut Renderer,
    stop: &Stop,
    observe: &mut dyn FnMut(usize),
) -> Result<Written, LabellingError> {
    let mut plan = plan(input, findings, outline);
    if plan.is_empty() {
        return Err(Tally::new(input, findings).nothing_left());
    }
    // What is worth a look comes first on the sheet.
    plan.sort_by(|a, b| a.sureness.total_cmp(&b.sureness));
    let classes: Vec<&str> = input.classes.iter().map(|class| class.name.as_str()).collect();
    let draft = FolderDraft::create(output)?;
    let mut writing = Writing {
        writer: Writer::begin(outline.format, &draft)?,
        draft: &draft,
        outline,
        classes: &classes,
        labels: Table::new(&["picture", "source", "class", "score", "x0", "y0", "x1", "y1"])
            .map_err(|source| draft.failed(LABELS, source))?,
        sheet: Sheet::new(plan.len()),
        sheets: 0,
        many: Sheet::pages(plan.len()) > 1,
        written: Written { path: PathBuf::new(), train: 0, val: 0, objects: 0, encoded: 0 },
    };
    for (done, planned) in plan.iter().enumerate() {
        if stop.is_stopped() {
            return Err(LabellingError::Stopped);
        }
        if let Err(skip) = writing.add(input, planned, &findings[planned.place], renderer)? {
            findings[planned.place] = Finding::Skipped(skip);
        }
        observe(done + 1);
    }
    let mut done = writing.finish(input, findings)?;
    done.path = draft.finish(written)?;
    Ok(done)
}

/// A picture that goes into the dataset.
struct Planned {
    /// Its place in the input.
    place: usize,
    stem: String,
    part: Part,
    sureness: f32,
}

fn plan(input: &Input, findings: &[Finding], outline: &Outline) -> Vec<Planned> {
    let found: Vec<(usize, &[Object])> = findings
        .iter()
        .enumerate()
        .filter_map(|(place, finding)| match finding {
            Finding::Found { objects, .. } if !objects.is_empty() => Some((place, objects.as_slice())),
            _ => None,
        })
        .collect();
    let named: Vec<(&str, usize)> = found
        .iter()
        .map(|&(place, objects)| (input.pictures[place].name.as_str(), objects[0].class))
        .collect();
    let parts = split(&named, outline.val, outline.seed);
    let mut names = Names::default();
    let planned = found.into_iter().zip(parts).map(|((place, objects), part)| Planned {
        place,
        stem: names.give(&input.pictures[place].name),
        part,
        sureness: sureness(objects),
    });
    planned.collect()
}

/// A dataset that is being written.
struct Writing<'a> {
    writer: Writer,
    draft: &'a FolderDraft,
    outline: &'a Outline,
    classes: &'a [&'a str],
    /// The table of boxes.
    labels: Table,
    sheet: Sheet,
    /// How many sheets are written.
    sheets: usize,
    /// Whether there are several.
    many: bool,
    written: Written,
}

impl Writing<'_> {
    /// Adds a picture, unless it is not any more what was labelled.
    fn add(
        &mut self,
        input: &Input,
        planned: &Planned,
        finding: &Finding,
        renderer: &mut Renderer,
    ) -> Result<Result<(), Skip>, LabellingError> {
        let item = &input.pictures[planned.place];
        let Finding::Found { size, objects } = finding else { return Ok(Ok(())) };
        let skip = |what: String| Ok(Err(Skip { reason: Reason::Unreadable, score: None, what }));
        let bytes = match std::fs::read(&item.path) {
            Ok(bytes) => bytes,
            Err(error) => return skip(format!("{} can't be read any more: {}", item.name, error.kind())),
        };
        let picture = match decode_photo(&bytes, &item.name) {
            Ok(picture) if picture.size() == *size => picture,
            Ok(_) => return skip(format!("{} is another picture than the one that was labelled", item.name)),
            Err(error) => return skip(error.to_string()),
        };
        let passage = passage(&bytes, self.outline.format == DetectorFormat::Voc);
        let extension = match passage {
            Passage::Copy { extension, .. } => extension,
            Passage::Encode(encoding) => encoding.extension(),
        };
        let file = format!("{}.{extension}", planned.stem);
        let below = format!("{}/{file}", self.writer.pictures(planned.part));
        if !self.picture(&item.path, &bytes, &picture, passage, &below)? {
            return skip(format!("{} does not fit the format: {}x{} pixels", item.name, size.0, size.1));
        }
        let labelled =
            Labelled { file: &file, stem: &planned.stem, part: planned.part, size: *size, objects };
        self.writer.add(self.draft, &labelled, self.classes)?;
        self.list(&below, &item.name, objects).map_err(|source| self.draft.failed(LABELS, source))?;
        match planned.part {
            Part::Train => self.written.train += 1,
            Part::Val => self.written.val += 1,
        }
        self.written.objects += objects.len();
        if let Some(page) = self.sheet.add(renderer, &picture, objects, &input.classes, &item.name) {
            self.page(page)?;
        }
        Ok(Ok(()))
    }

    /// Puts the picture's file in its place; `false` where it can't be encoded.
    fn picture(
        &mut self,
        path: &Path,
        bytes: &[u8],
        picture: &Picture,
        passage: Passage,
        below: &str,
    ) -> Result<bool, FileError> {
        match passage {
            Passage::Copy { linkable, .. } => {
                let linked = self.outline.link
                    && linkable
                    && std::fs::canonicalize(path)
                        .and_then(|file| std::fs::hard_link(file, self.draft.path(below)))
                        .is_ok();
                if !linked {
                    self.draft.write(below, bytes)?;
                }
            }
            Passage::Encode(encoding) => {
                let Ok(bytes) = encoding.encode(picture) else { return Ok(false) };
                self.draft.write(below, &bytes)?;
                self.written.encoded += 1;
            }
        }
        Ok(true)
    }

    fn list(&mut self, below: &str, source: &str, objects: &[Object]) -> io::Result<()> {
        for object in objects {
            let class = self.classes.get(object.class).copied().unwrap_or_default();
            let score = object.score.map_or_else(|| "drawn".to_owned(), |score| format!("{score:.4}"));
            let [x0, y0, x1, y1] = object.bbox.map(|edge| edge.to_string());
            self.labels.row(&[below, source, class, &score, &x0, &y0, &x1, &y1])?;
        }
        Ok(())
    }

    fn page(&mut self, page: std::io::Result<Vec<u8>>) -> Result<(), FileError> {
        self.sheets += 1;
        let name = if self.many { format!("sheet-{:03}.jpg", self.sheets) } else { "sheet.jpg".to_owned() };
        let jpeg = page.map_err(|source| self.draft.failed(&name, source))?;
        self.draft.write(&name, &jpeg)
    }

    fn finish(mut self, input: &Input, findings: &[Finding]) -> Result<Written, LabellingError> {
        if self.written.train + self.written.val == 0 {
            return Err(Tally::new(input, findings).nothing_left());
        }
        if let Some(page) = self.sheet.finish() {
            self.page(page)?;
        }
        self.writer.finish(self.draft, self.classes, self.written.val > 0)?;
        let labels = self.labels.into_bytes().map_err(|source| self.draft.failed(LABELS, source))?;
        self.draft.write(LABELS, &labels)?;
        let skipped = skipped(input, findings).map_err(|source| self.draft.failed(SKIPPED, source))?;
        self.draft.write(SKIPPED, &skipped)?;
        let about = json!({
            "camloc": env!("CARGO_PKG_VERSION"),
            "format": self.outline.format.name(),
            "val_share": self.outline.val,
            "seed": self.outline.seed,
            "pictures": {"train": self.written.train, "val": self.written.val},
            "objects": self.written.objects,
            "names": self.classes,
            "made_with": self.outline.about,
            "files": self.draft.listed()?,
        });
        self.draft.write(MARK, format!("{about:#}\n").as_bytes())?;
        Ok(self.written)
    }
}

/// The table of the pictures that are not in the dataset, and why.
fn skipped(input: &Input, findings: &[Finding]) -> io::Result<Vec<u8>> {
    let mut table = Table::new(&["source", "reason", "score", "note"])?;
    for (item, finding) in input.pictures.iter().zip(findings) {
        if let Finding::Skipped(Skip { reason, score, what }) = finding {
            let score = score.map_or_else(String::new, |score| format!("{score:.4}"));
            table.row(&[&item.name, reason.name(), &score, what])?;
        }
    }
    table.into_bytes()
}

#[cfg(test)]
mod tests;
