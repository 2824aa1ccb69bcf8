//! Pascal VOC: `JPEGImages/`, an XML file for each picture in `Annotations/`, and the parts in `ImageSets/Main/`.
//!
//! Pixels are counted from 1, and the last one belongs to the box.

use crate::dataset::{Labelled, Part};
use crate::files::{FileError, FolderDraft};

/// The names of the pictures, with their parts.
#[derive(Debug, Default)]
pub(crate) struct Voc {
    listed: Vec<(String, Part)>,
}

impl Voc {
    pub(crate) fn begin(draft: &FolderDraft) -> Result<Voc, FileError> {
        ["JPEGImages", "Annotations", "ImageSets/Main"].iter().try_for_each(|folder| draft.folder(folder))?;
        Ok(Voc::default())
    }

    pub(crate) fn add(
        &mut self,
        draft: &FolderDraft,
        entry: &Labelled<'_>,
        classes: &[&str],
    ) -> Result<(), FileError> {
        self.listed.push((entry.stem.to_owned(), entry.part));
        draft.write(&format!("Annotations/{}.xml", entry.stem), annotation(entry, classes).as_bytes())
    }

    pub(crate) fn finish(mut self, draft: &FolderDraft) -> Result<(), FileError> {
        self.listed.sort_by(|a, b| a.0.cmp(&b.0));
        let list = |parts: &[Part]| -> String {
            let listed = self.listed.iter().filter(|(_, part)| parts.contains(part));
            listed.map(|(stem, _)| format!("{stem}\n")).collect()
        };
        for (name, parts) in
            [("train", &Part::ALL[..1]), ("val", &Part::ALL[1..]), ("trainval", &Part::ALL[..])]
        {
            draft.write(&format!("ImageSets/Main/{name}.txt"), list(parts).as_bytes())?;
        }
        Ok(())
    }
}

fn annotation(entry: &Labelled<'_>, classes: &[&str]) -> String {
    let (width, height) = entry.size;
    let mut xml = format!(
        "<annotation>\n  <folder>JPEGImages</folder>\n  <filename>{}</filename>\n  <size>\n    <width>{width}</width>\n    \
         <height>{height}</height>\n    <depth>3</depth>\n  </size>\n  <segmented>0</segmented>\n",
        escaped(entry.file)
    );
    for object in entry.objects {
        let [x0, y0, x1, y1] = object.bbox;
        xml += &format!(
            "  <object>\n    <name>{}</name>\n    <pose>Unspecified</pose>\n    <truncated>0</truncated>\n    \
             <difficult>0</difficult>\n    <bndbox>\n      <xmin>{}</xmin>\n      <ymin>{}</ymin>\n      \
             <xmax>{x1}</xmax>\n      <ymax>{y1}</ymax>\n    </bndbox>\n  </object>\n",
            escaped(classes.get(object.class).copied().unwrap_or_default()),
            x0 + 1,
            y0 + 1
        );
    }
    xml + "</annotation>\n"
}

/// Text for XML; what XML has no way to write is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '\u{fffe}' | '\u{ffff}' => {}
            control if control.is_control() && !control.is_whitespace() => {}
            other => escaped.push(other),
        }
    }
    escaped
}
