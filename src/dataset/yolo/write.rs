//! YOLO: `images/{train,val}`, a text of the same name in `labels/`, and a `data.yaml`.

use crate::dataset::{Labelled, Object, Part};
use crate::files::{FileError, FolderDraft};

pub(in crate::dataset) fn begin(draft: &FolderDraft) -> Result<(), FileError> {
    Part::ALL.iter().try_for_each(|part| {
        draft.folder(&format!("images/{}", part.name()))?;
        draft.folder(&format!("labels/{}", part.name()))
    })
}

pub(in crate::dataset) fn add(draft: &FolderDraft, entry: &Labelled<'_>) -> Result<(), FileError> {
    let lines: String = entry.objects.iter().map(|object| line(object, entry.size)).collect();
    draft.write(&format!("labels/{}/{}.txt", entry.part.name(), entry.stem), lines.as_bytes())
}

/// `class x y width height`, the box's centre and sides as shares of the picture's.
fn line(object: &Object, (width, height): (u32, u32)) -> String {
    let [x0, y0, x1, y1] = object.bbox.map(f64::from);
    let (width, height) = (f64::from(width), f64::from(height));
    let centre = ((x0 + x1) / 2.0 / width, (y0 + y1) / 2.0 / height);
    let sides = ((x1 - x0) / width, (y1 - y0) / height);
    format!("{} {:.8} {:.8} {:.8} {:.8}\n", object.class, centre.0, centre.1, sides.0, sides.1)
}

pub(in crate::dataset) fn finish(
    draft: &FolderDraft,
    classes: &[&str],
    has_val: bool,
) -> Result<(), FileError> {
    // Trainers insist on both.
    let val = if has_val { Part::Val } else { Part::Train };
    let mut yaml = format!("train: images/train\nval: images/{}\nnames:\n", val.name());
    for (id, name) in classes.iter().enumerate() {
        // A JSON string is a YAML string, whatever is in it.
        yaml += &format!("  {id}: {}\n", serde_json::Value::from(*name));
    }
    draft.write("data.yaml", yaml.as_bytes())
}
