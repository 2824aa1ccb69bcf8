//! A picture's file as the readers of datasets load it.
//!
//! They differ: OpenCV turns a photo as its EXIF orientation says, Pillow does not. So the dataset holds pictures that
//! have none, and of kinds and endings that all readers take; everything else is written anew, upright.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader};

use crate::frame::Picture;
use crate::picture::{write_jpeg, write_png};

/// High enough that an encoding more is not seen.
const JPEG_QUALITY: u8 = 95;

/// How JPEG files end.
const JPEG_END: [u8; 2] = [0xff, 0xd9];

/// How a picture comes into the dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// As it is, under this ending.
    Copy {
        extension: &'static str,
        /// Whether no reader writes to the file: some mend a JPEG file that goes on after its end in its place, which
        /// must not be the user's own.
        linkable: bool,
    },
    /// Written anew, with these.
    Encode(Encoding),
}

/// How a picture is written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Jpeg,
    Png,
}

impl Encoding {
    pub(super) fn extension(self) -> &'static str {
        match self {
            Encoding::Jpeg => "jpg",
            Encoding::Png => "png",
        }
    }

    /// The picture as a file.
    pub(super) fn encode(self, picture: &Picture) -> Result<Vec<u8>, ImageError> {
        let mut bytes = Vec::new();
        match self {
            Encoding::Jpeg => write_jpeg(picture, JPEG_QUALITY, &mut bytes),
            Encoding::Png => write_png(picture, &mut bytes),
        }?;
        Ok(bytes)
    }
}

/// How the picture in `bytes` comes into the dataset, where every file must be a JPEG file or may be any common one.
pub(super) fn passage(bytes: &[u8], jpeg_only: bool) -> Passage {
    let format = image::guess_format(bytes).ok();
    let anew = match (jpeg_only, format) {
        (true, _) | (_, Some(ImageFormat::Jpeg)) => Encoding::Jpeg,
        _ => Encoding::Png,
    };
    let extension = match format {
        Some(ImageFormat::Jpeg) => "jpg",
        Some(ImageFormat::Png) if !jpeg_only => "png",
        Some(ImageFormat::Bmp) if !jpeg_only => "bmp",
        Some(ImageFormat::WebP) if !jpeg_only => "webp",
        _ => return Passage::Encode(anew),
    };
    if !is_plain(bytes) {
        return Passage::Encode(anew);
    }
    Passage::Copy { extension, linkable: extension != "jpg" || bytes.ends_with(&JPEG_END) }
}

/// Whether the pixels stand upright in the file, in 8 bits and without transparency, which readers show differently.
fn is_plain(bytes: &[u8]) -> bool {
    let Ok(reader) = ImageReader::new(Cursor::new(bytes)).with_guessed_format() else { return false };
    let Ok(mut decoder) = reader.into_decoder() else { return false };
    let upright = decoder.orientation().is_ok_and(|orientation| orientation == Orientation::NoTransforms);
    upright && matches!(decoder.color_type(), ColorType::L8 | ColorType::Rgb8)
}
