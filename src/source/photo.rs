//! One photo: from a file's bytes to upright RGB.

use std::io::{Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use super::{SourceError, jpeg};
use crate::frame::Picture;

/// Memory that one photo may take to decode: enough for 20,000 x 20,000 pixels as JPEG or PNG.
const MEMORY: u64 = 2_000_000_000;

impl Picture {
    /// Reads a photo: JPEG, PNG, GIF, WebP, BMP, TIFF or PNM, turned upright; `-` is standard input.
    ///
    /// # Errors
    /// If the file can't be read, is no such picture, or is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Picture, SourceError> {
        read_photo(path.as_ref())
    }
}

/// Reads the photo at `path`; `-` is standard input. See `decode_photo`.
///
/// # Errors
/// As for `decode_photo`, and if the file can't be read.
pub fn read_photo(path: &Path) -> Result<Picture, SourceError> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin { "standard input".to_owned() } else { path.to_string_lossy().into_owned() };
    if let Some(kind) = path.extension().and_then(|e| raw_kind(e.to_str()?)) {
        return Err(SourceError::Unsupported { name, kind });
    }
    let mut bytes = Vec::new();
    let read = if is_stdin {
        std::io::stdin().lock().take(MEMORY).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MEMORY).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => decode_photo(&bytes, &name),
        Err(_) if path.is_dir() => Err(SourceError::IsFolder { name }),
        Err(_) if name.contains("://") => Err(SourceError::Elsewhere { name }),
        Err(e) => Err(SourceError::from_io(name, e)),
    }
}

/// Decodes the photo in `bytes`, called `name` in errors.
///
/// The content decides the format, not the name. EXIF orientation is applied, transparency shows white, 16 bits
/// become 8, grey and CMYK become RGB; of an animation the first frame is taken.
///
/// # Errors
/// If the bytes are no picture, of an unsupported kind, damaged, cut short, or too large (2 GB to decode, which is
/// reported with the numbers).
pub(crate) fn decode_photo(bytes: &[u8], name: &str) -> Result<Picture, SourceError> {
    let name = || name.to_owned();
    if bytes.is_empty() {
        return Err(SourceError::Empty { name: name() });
    }
    let format = image::guess_format(bytes).ok().filter(ImageFormat::reading_enabled);
    let Some(format) = format else {
        return Err(match foreign_kind(bytes) {
            Some(kind) => SourceError::Unsupported { name: name(), kind },
            None if is_video(bytes) => SourceError::IsVideo { name: name() },
            None => SourceError::NotPicture { name: name() },
        });
    };
    // The decoder fills what is missing of a JPEG with grey and says nothing.
    if format == ImageFormat::Jpeg && jpeg::length(bytes).is_none() {
        return Err(SourceError::CutPicture { name: name() });
    }
    let failed = |e| failure(name(), e);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let needed =
        memory(&decoder, color, orientation, format == ImageFormat::Jpeg && jpeg::is_progressive(bytes));
    if needed > MEMORY {
        return Err(SourceError::TooLarge { name: name(), width, height, bytes: needed, limit: MEMORY });
    }
    let mut samples = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut samples).map_err(failed)?;
    let rgb = to_rgb(samples, color);
    upright(width, height, rgb, orientation).ok_or_else(|| SourceError::NotPicture { name: name() })
}

/// Bytes needed at once: the decoder's output, and what a conversion needs beside it.
fn memory(decoder: &impl ImageDecoder, color: ColorType, orientation: Orientation, progressive: bool) -> u64 {
    let (width, height) = decoder.dimensions();
    let rgb = 3 * u64::from(width) * u64::from(height);
    let output = decoder.total_bytes();
    let widened = if color.has_color() { output } else { output + rgb };
    let turned = if orientation == Orientation::NoTransforms { 0 } else { 2 * rgb };
    let coefficients = if progressive { output + 2 * output } else { 0 };
    widened.max(turned).max(coefficients)
}

/// Converts the decoder's samples to RGB8, in place where it has at least three channels.
fn to_rgb(mut samples: Vec<u8>, color: ColorType) -> Vec<u8> {
    if color == ColorType::Rgb8 {
        return samples;
    }
    let channels = usize::from(color.channel_count());
    let pixel = usize::from(color.bytes_per_pixel());
    let count = samples.len() / pixel;
    let over_white = |pixel: &[u8]| {
        let mut values = [255; 4];
        for (value, sample) in values.iter_mut().zip(pixel.chunks_exact(pixel.len() / channels)) {
            *value = to_u8(sample);
        }
        match channels {
            1 => [values[0]; 3],
            2 => [on_white(values[0], values[1]); 3],
            _ => [0, 1, 2].map(|c| on_white(values[c], values[3])),
        }
    };
    if channels >= 3 {
        for i in 0..count {
            let rgb = over_white(&samples[i * pixel..(i + 1) * pixel]);
            samples[3 * i..3 * i + 3].copy_from_slice(&rgb);
        }
        samples.truncate(3 * count);
        samples
    } else {
        samples.chunks_exact(pixel).flat_map(over_white).collect()
    }
}

/// A sample of 8 or 16 bits or a float of 0..1, in native byte order, as 8 bits.
fn to_u8(sample: &[u8]) -> u8 {
    match *sample {
        [a] => a,
        [a, b] => ((u32::from(u16::from_ne_bytes([a, b])) * 255 + 32_767) / 65_535) as u8,
        [a, b, c, d] => (f32::from_ne_bytes([a, b, c, d]) * 255.0).round() as u8,
        _ => 0,
    }
}

/// A colour of this opacity on white paper.
fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

fn upright(width: u32, height: u32, rgb: Vec<u8>, orientation: Orientation) -> Option<Picture> {
    if orientation == Orientation::NoTransforms {
        return Picture::from_rgb(width, height, rgb);
    }
    let mut image = DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, rgb)?);
    image.apply_orientation(orientation);
    Picture::from_rgb(image.width(), image.height(), image.into_rgb8().into_raw())
}

fn failure(name: String, error: ImageError) -> SourceError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(e) = cause {
        // Some decoders know no better than to say it in words.
        let is_eof =
            e.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::UnexpectedEof);
        if is_eof || e.to_string().contains("unexpected end of file") {
            return SourceError::CutPicture { name };
        }
        cause = e.source();
    }
    SourceError::DamagedPicture { name, source: error }
}

/// Camera raw files, told by their extension: by content most are TIFFs that hold only a thumbnail.
fn raw_kind(extension: &str) -> Option<&'static str> {
    const RAW: [&str; 12] =
        ["arw", "cr2", "cr3", "dng", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "srw"];
    RAW.contains(&extension.to_ascii_lowercase().as_str()).then_some("a camera raw file")
}

/// Pictures that people have but camloc doesn't read.
fn foreign_kind(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(4..8) == Some(b"ftyp") {
        return match bytes.get(8..12)? {
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1" => Some("a HEIC picture"),
            b"avif" | b"avis" => Some("an AVIF picture"),
            b"crx " => Some("a camera raw file"),
            _ => None,
        };
    }
    match bytes {
        [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => Some("a JPEG XL picture"),
        [0, 0, 0, 0x0c, b'j', b'P', b' ', b' ', ..] => Some("a JPEG 2000 picture"),
        _ if bytes.starts_with(b"%PDF") => Some("a PDF"),
        _ if bytes.trim_ascii_start().starts_with(b"<svg") => Some("an SVG drawing"),
        _ if bytes.starts_with(b"FUJIFILMCCD-RAW") => Some("a camera raw file"),
        _ => None,
    }
}

/// Whether these are the first bytes of an mp4 or mov, a Matroska or WebM, or an AVI.
fn is_video(bytes: &[u8]) -> bool {
    let riff = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"AVI ");
    bytes.get(4..8) == Some(b"ftyp") || bytes.starts_with(b"\x1a\x45\xdf\xa3") || riff
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ExtendedColorType, Rgb, Rgba};

    fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// 64x32: left half red, right half blue.
    fn halves() -> DynamicImage {
        RgbImage::from_fn(64, 32, |x, _| if x < 32 { Rgb([250, 10, 10]) } else { Rgb([10, 10, 250]) }).into()
    }

    fn at(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
        let i = 3 * (y * picture.width() + x) as usize;
        picture.rgb()[i..i + 3].try_into().unwrap()
    }

    /// A JPEG with an EXIF segment that says how it is to be turned.
    fn with_orientation(jpeg: &[u8], value: u8) -> Vec<u8> {
        let mut exif = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        exif.extend([value, 0, 0, 0, 0, 0, 0, 0]);
        [&jpeg[..2], &exif, &jpeg[2..]].concat()
    }

    #[test]
    fn exif_orientation_is_applied() {
        let jpeg = encode(&halves(), ImageFormat::Jpeg);
        // 6: turn 90 degrees clockwise, so the left half comes to the top; 8: the other way.
        for (value, top) in [(6, 0), (8, 2)] {
            let picture = decode_photo(&with_orientation(&jpeg, value), "x.jpg").unwrap();
            assert_eq!(picture.size(), (32, 64), "orientation {value}");
            assert!(at(&picture, 16, 5)[top] > 200, "orientation {value}: {:?}", at(&picture, 16, 5));
        }
        assert_eq!(decode_photo(&with_orientation(&jpeg, 1), "x.jpg").unwrap().size(), (64, 32));
    }

    #[test]
    fn every_format_gives_the_same_pixels_whatever_its_name() {
        for format in
            [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Pnm, ImageFormat::Gif]
        {
            let picture = decode_photo(&encode(&halves(), format), "wrong.jpg").unwrap();
            assert_eq!(
                (at(&picture, 0, 0), at(&picture, 63, 31)),
                ([250, 10, 10], [10, 10, 250]),
                "{format:?}"
            );
        }
    }

    #[test]
    fn depth_grey_and_transparency_become_rgb_on_white() {
        let deep = DynamicImage::ImageRgb16(image::ImageBuffer::from_pixel(1, 1, Rgb([65_535, 32_896, 0])));
        assert_eq!(at(&decode_photo(&encode(&deep, ImageFormat::Png), "x").unwrap(), 0, 0), [255, 128, 0]);
        let grey = DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(3, 1, image::Luma([32_896])));
        assert_eq!(at(&decode_photo(&encode(&grey, ImageFormat::Png), "x").unwrap(), 2, 0), [128; 3]);
        let veil = DynamicImage::ImageRgba8(image::ImageBuffer::from_pixel(2, 2, Rgba([255, 0, 0, 51])));
        assert_eq!(at(&decode_photo(&encode(&veil, ImageFormat::Png), "x").unwrap(), 1, 1), [255, 204, 204]);
        let veil = DynamicImage::ImageLumaA8(image::ImageBuffer::from_pixel(1, 1, image::LumaA([0, 0])));
        assert_eq!(at(&decode_photo(&encode(&veil, ImageFormat::Png), "x").unwrap(), 0, 0), [255; 3]);
    }

    #[test]
    fn a_photo_cut_short_is_an_error() {
        let noise = RgbImage::from_fn(64, 64, |x, y| {
            Rgb([((x * 37) ^ (y * 91)) as u8, (x * y) as u8, (x ^ y) as u8])
        });
        for format in
            [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP]
        {
            let bytes = encode(&noise.clone().into(), format);
            let error = decode_photo(&bytes[..bytes.len() * 2 / 3], "half.jpg").unwrap_err();
            let is_known =
                matches!(error, SourceError::CutPicture { .. } | SourceError::DamagedPicture { .. });
            assert!(is_known, "{format:?}: {error}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
        let jpeg = encode(&noise.into(), ImageFormat::Jpeg);
        let error = decode_photo(&jpeg[..jpeg.len() - 2], "half.jpg").unwrap_err();
        assert!(matches!(error, SourceError::CutPicture { .. }), "{error}");
    }

    #[test]
    fn what_is_no_picture_is_named_in_one_line() {
        let said = |bytes: &[u8]| decode_photo(bytes, "it.jpg").unwrap_err().to_string();
        assert_eq!(said(b""), "it.jpg is empty");
        assert!(said(b"hello, I am text").starts_with("it.jpg is not a picture camloc can read"));
        assert!(said(b"\0\0\0\x18ftypheic\0\0\0\0").contains("HEIC"));
        assert!(said(b"\0\0\0\x18ftypavif\0\0\0\0").contains("convert it to JPEG"));
        let error = read_photo(Path::new("no/such/file.png")).unwrap_err();
        assert_eq!(error.to_string(), "no/such/file.png does not exist");
        assert!(read_photo(Path::new("a.NEF")).unwrap_err().to_string().contains("camera raw"));
    }

    #[test]
    fn a_giant_is_refused_with_its_numbers_before_memory_is_taken() {
        let mut bytes = Vec::new();
        let encoder = image::codecs::bmp::BmpEncoder::new(&mut bytes);
        image::ImageEncoder::write_image(encoder, &[0; 12], 2, 2, ExtendedColorType::Rgb8).unwrap();
        bytes[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
        bytes[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
        let said = decode_photo(&bytes, "big.bmp").unwrap_err().to_string();
        assert!(said.contains("60000x60000") && said.contains("10800 MB"), "{said}");
    }
}
