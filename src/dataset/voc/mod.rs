//! Pascal VOC: an XML file for each picture.

mod read;
mod write;

pub(super) use read::read;
pub(crate) use write::Voc;
