//! COCO: `images/{train,val}` and `annotations/instances_{train,val}.json`.

use serde_json::{Value, json};

use super::dataset::Entry;
use super::split::Part;
use crate::files::{FileError, FolderDraft};

/// What goes into one JSON file.
#[derive(Debug, Default)]
struct Lists {
    images: Vec<Value>,
    annotations: Vec<Value>,
}

/// The lists of both parts.
#[derive(Debug, Default)]
pub(super) struct Coco {
    train: Lists,
    val: Lists,
}

pub(super) fn begin(draft: &FolderDraft) -> Result<Coco, FileError> {
    draft.folder("annotations")?;
    Part::ALL.iter().try_for_each(|part| draft.folder(&format!("images/{}", part.name())))?;
    Ok(Coco::default())
}

impl Coco {
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let lists = match entry.part {
            Part::Train => &mut self.train,
            Part::Val => &mut self.val,
        };
        // The tools take id 0 for "no match", so ids count from 1.
        let image = lists.images.len() + 1;
        let (width, height) = entry.size;
        lists.images.push(json!({"id": image, "file_name": entry.file, "width": width, "height": height}));
        for object in entry.objects {
            let [x0, y0, x1, y1] = object.bbox;
            let (width, height) = (x1 - x0, y1 - y0);
            let mut annotation = json!({"id": lists.annotations.len() + 1, "image_id": image,
                "category_id": object.class + 1, "bbox": [x0, y0, width, height],
                "area": u64::from(width) * u64::from(height), "segmentation": [], "iscrowd": 0});
            if let Some(score) = object.score {
                annotation["score"] = json!((f64::from(score) * 1e4).round() / 1e4);
            }
            lists.annotations.push(annotation);
        }
    }

    pub(super) fn finish(self, draft: &FolderDraft, classes: &[&str]) -> Result<(), FileError> {
        let categories: Vec<Value> =
            classes.iter().enumerate().map(|(i, name)| json!({"id": i + 1, "name": name})).collect();
        for (part, Lists { images, annotations }) in [(Part::Train, self.train), (Part::Val, self.val)] {
            let file = json!({"info": {"description": "labelled by camloc"}, "images": images,
                "annotations": annotations, "categories": categories});
            draft
                .write(&format!("annotations/instances_{}.json", part.name()), file.to_string().as_bytes())?;
        }
        Ok(())
    }
}
