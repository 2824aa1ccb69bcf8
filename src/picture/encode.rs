//! Pictures as files.

use std::io::{self, Write};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageResult};

use crate::frame::Picture;

impl Picture {
    /// Saves the picture, as JPEG where `path` ends in `.jpg` or `.jpeg`, else as PNG. What was there is replaced.
    ///
    /// # Errors
    /// If the file can't be written, or the picture is empty or too large for the format; then what was there stays.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let is_jpeg = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("jpg") || end.eq_ignore_ascii_case("jpeg"));
        let mut bytes = Vec::new();
        if is_jpeg { write_jpeg(self, 95, &mut bytes) } else { write_png(self, &mut bytes) }
            .map_err(io::Error::other)?;
        std::fs::write(path, bytes)
    }
}

/// Writes the picture as a JPEG file of a `quality` of 1 to 100.
///
/// # Errors
/// If `out` fails, or the picture is empty or more than 65535 pixels wide or high.
pub(crate) fn write_jpeg(picture: &Picture, quality: u8, out: impl Write) -> ImageResult<()> {
    write(picture, JpegEncoder::new_with_quality(out, quality))
}

/// Writes the picture as a PNG file.
///
/// # Errors
/// If `out` fails, or the picture is empty.
pub(crate) fn write_png(picture: &Picture, out: impl Write) -> ImageResult<()> {
    write(picture, PngEncoder::new(out))
}

fn write(picture: &Picture, encoder: impl ImageEncoder) -> ImageResult<()> {
    encoder.write_image(picture.rgb(), picture.width(), picture.height(), ExtendedColorType::Rgb8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_the_picture_and_what_can_not_be_a_file_is_an_error() {
        let picture = Picture::from_rgb(3, 2, [200, 40, 90].repeat(6)).unwrap();
        let (mut png, mut jpeg) = (Vec::new(), Vec::new());
        write_png(&picture, &mut png).unwrap();
        write_jpeg(&picture, 95, &mut jpeg).unwrap();
        assert_eq!(image::load_from_memory(&png).unwrap().to_rgb8().as_raw(), picture.rgb());
        let read = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (3, 2));
        assert!(read.iter().zip(picture.rgb()).all(|(a, b)| a.abs_diff(*b) < 4), "{read:?}");
        assert!(write_jpeg(&Picture::black(70_000, 1), 95, &mut jpeg).is_err());
        assert!(write_jpeg(&Picture::black(0, 0), 95, &mut jpeg).is_err());
        assert!(write_png(&Picture::black(0, 0), &mut png).is_err());
    }
}
