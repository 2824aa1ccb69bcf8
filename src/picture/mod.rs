//! Pictures in other sizes, and as files.

mod encode;
mod resize;

pub(crate) use encode::{write_jpeg, write_png};
pub(crate) use resize::{mosaic, resized, rough_mosaic, shrunk};

/// Endings of the files that are read as photos, in lower case, the usual ones first.
pub(crate) const PHOTO_ENDINGS: [&str; 16] = [
    "jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "pnm", "pbm", "pam", "apng",
    "jfif", "jpe",
];
