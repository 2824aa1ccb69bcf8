//! YOLO: a text file for each picture.

mod read;
mod write;

pub(super) use read::{LABELS, beside_pictures, read};
pub(super) use write::{add, begin, finish};
