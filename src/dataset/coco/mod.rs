//! COCO: one JSON file with images, annotations and categories; boxes, polygons and run lengths.

mod read;
mod write;

pub(super) use read::{around, files_of, read};
pub(crate) use write::{Annotation, CocoWriter, Sets};
