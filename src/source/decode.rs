//! What cameras send, decoded to RGB.

use std::borrow::Cow;

use yuv::{YuvBiPlanarImage, YuvConversionMode, YuvPackedImage, YuvRange, YuvStandardMatrix};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::jpeg;
use crate::frame::{Picture, PicturePool};

/// How a camera packs its pixels, in the order of preference at equal size and rate: the cheaper to decode, or the
/// better, comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// YUV with half the colours of a row, brightness first.
    Yuyv,
    /// The same, colour first.
    Uyvy,
    /// YUV with a quarter of the colours, in two planes.
    Nv12,
    /// A byte for each of red, green and blue.
    Rgb,
    /// The same from blue to red.
    Bgr,
    /// A JPEG for each frame.
    Mjpeg,
    /// Brightness alone.
    Grey,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Encoding; 7] = [
        Encoding::Yuyv,
        Encoding::Uyvy,
        Encoding::Nv12,
        Encoding::Rgb,
        Encoding::Bgr,
        Encoding::Mjpeg,
        Encoding::Grey,
    ];
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{self:?}").to_uppercase())
    }
}

/// An encoding's name that there is not.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown encoding \"{0}\": choose one of yuyv, uyvy, nv12, rgb, bgr, mjpeg, grey")]
pub struct UnknownEncoding(String);

impl std::str::FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Encoding, UnknownEncoding> {
        let same = |encoding: &Encoding| encoding.to_string().eq_ignore_ascii_case(name);
        Encoding::ALL.into_iter().find(same).ok_or_else(|| UnknownEncoding(name.to_owned()))
    }
}

/// The layout of a camera's frames; the sizes of an MJPEG frame are in itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// How pixels are packed.
    pub encoding: Encoding,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes from one row to the next (of the first plane).
    pub stride: u32,
}

impl Layout {
    /// Rows without padding.
    pub fn packed(encoding: Encoding, width: u32, height: u32) -> Layout {
        let bytes = match encoding {
            Encoding::Yuyv | Encoding::Uyvy => 2 * width.next_multiple_of(2),
            Encoding::Rgb | Encoding::Bgr => 3 * width,
            Encoding::Nv12 | Encoding::Grey | Encoding::Mjpeg => width,
        };
        Layout { encoding, width, height, stride: bytes }
    }

    /// Decodes one frame; `None` if it is broken: cut off, damaged, or no frame at all.
    ///
    /// YUV is taken as BT.601 in limited range, as USB video class cameras send it. Bytes after a JPEG's end are
    /// ignored, and its Huffman tables may be left out, as some cameras do.
    pub fn decode(&self, bytes: &[u8], pool: &PicturePool) -> Option<Picture> {
        if self.encoding == Encoding::Mjpeg {
            return decode_jpeg(bytes, pool);
        }
        let &Layout { encoding, width, height, stride } = self;
        let (rows, row) = (height as usize, stride as usize);
        if stride < Layout::packed(encoding, width, height).stride || width == 0 || height == 0 {
            return None;
        }
        let (plane, rest) = bytes.split_at_checked(rows * row)?;
        let mut picture = pool.picture(width, height);
        let out = picture.rgb_mut();
        let (out_stride, range, matrix) = (3 * width, YuvRange::Limited, YuvStandardMatrix::Bt601);
        let packed = YuvPackedImage { yuy: plane, yuy_stride: stride, width, height };
        match encoding {
            Encoding::Yuyv => yuv::yuyv422_to_rgb(&packed, out, out_stride, range, matrix).ok()?,
            Encoding::Uyvy => yuv::uyvy422_to_rgb(&packed, out, out_stride, range, matrix).ok()?,
            Encoding::Nv12 => {
                let uv_plane = rest.get(..rows.div_ceil(2) * row)?;
                let (y_plane, y_stride, uv_stride) = (plane, stride, stride);
                let planes = YuvBiPlanarImage { y_plane, y_stride, uv_plane, uv_stride, width, height };
                let mode = YuvConversionMode::Balanced;
                yuv::yuv_nv12_to_rgb(&planes, out, out_stride, range, matrix, mode).ok()?;
            }
            Encoding::Grey | Encoding::Rgb | Encoding::Bgr => {
                for (to, from) in out.chunks_exact_mut(3 * width as usize).zip(plane.chunks_exact(row)) {
                    copy_row(encoding, from, to);
                }
            }
            Encoding::Mjpeg => return None,
        }
        Some(picture)
    }
}

fn copy_row(encoding: Encoding, from: &[u8], to: &mut [u8]) {
    match encoding {
        Encoding::Grey => to.chunks_exact_mut(3).zip(from).for_each(|(pixel, &grey)| pixel.fill(grey)),
        Encoding::Bgr => {
            let pixels = to.chunks_exact_mut(3).zip(from.chunks_exact(3));
            pixels.for_each(|(rgb, bgr)| rgb.copy_from_slice(&[bgr[2], bgr[1], bgr[0]]));
        }
        _ => to.copy_from_slice(&from[..to.len()]),
    }
}

fn decode_jpeg(bytes: &[u8], pool: &PicturePool) -> Option<Picture> {
    // The decoder reads on past the end otherwise; without an end the frame was cut off.
    let mut jpeg = Cow::from(&bytes[..jpeg::length(bytes)?]);
    if !jpeg::has_huffman_tables(&jpeg) {
        // The mark of Motion JPEG makes the decoder fill in the standard tables (T.81, annex K.3).
        jpeg = [&jpeg[..2], b"\xff\xe0\x00\x07AVI1\0", &jpeg[2..]].concat().into();
    }
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB).set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&jpeg[..]), options);
    decoder.decode_headers().ok()?;
    let (width, height) = decoder.dimensions()?;
    let mut picture = pool.picture(u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    decoder.decode_into(picture.rgb_mut()).ok()?;
    Some(picture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use proptest::prelude::*;

    fn pool() -> PicturePool {
        PicturePool::new(2)
    }

    /// 64x48, smooth and coloured.
    fn jpeg() -> Vec<u8> {
        let image = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([4 * x as u8, 5 * y as u8, 100]));
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&image).unwrap();
        bytes
    }

    /// The same without its Huffman tables, as some webcams send it. The encoder's tables are the standard ones.
    fn without_tables(jpeg: &[u8]) -> Vec<u8> {
        let mut out = jpeg[..2].to_vec();
        let mut at = 2;
        while jpeg[at + 1] != 0xda {
            let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
            if jpeg[at + 1] != 0xc4 {
                out.extend(&jpeg[at..end]);
            }
            at = end;
        }
        out.extend(&jpeg[at..]);
        out
    }

    const MJPEG: Layout = Layout { encoding: Encoding::Mjpeg, width: 64, height: 48, stride: 0 };

    #[test]
    fn a_jpeg_decodes_with_a_tail_and_without_huffman_tables() {
        let plain = jpeg();
        let whole = MJPEG.decode(&plain, &pool()).unwrap();
        assert_eq!(whole.size(), (64, 48));
        let pixel = &whole.rgb()[3 * (24 * 64 + 32)..][..3];
        assert!(pixel.iter().zip([128, 120, 100]).all(|(&a, b)| a.abs_diff(b) < 8), "{pixel:?}");

        let tail = [&plain[..], &plain[300..]].concat();
        assert_eq!(MJPEG.decode(&tail, &pool()).unwrap().rgb(), whole.rgb());
        let bare = without_tables(&plain);
        assert!(bare.len() + 400 < plain.len());
        assert_eq!(MJPEG.decode(&bare, &pool()).unwrap().rgb(), whole.rgb());
    }

    #[test]
    fn a_jpeg_cut_off_and_garbage_are_broken() {
        let plain = jpeg();
        for part in [2, 4, 8, 200] {
            let cut = &plain[..plain.len() - plain.len() / part];
            assert!(MJPEG.decode(cut, &pool()).is_none(), "1/{part} cut off");
        }
        assert!(MJPEG.decode(&[], &pool()).is_none());
        assert!(MJPEG.decode(&[0; 5000], &pool()).is_none());
        assert!(MJPEG.decode(&[&plain[..2], &[0x5a; 5000]].concat(), &pool()).is_none());
    }

    #[test]
    fn raw_encodings_decode_to_their_colour() {
        // BT.601: red is Y 81, U 90, V 240; 2x2 pixels, rows of 8 bytes.
        let row = |bytes: &[u8]| [bytes, &vec![0; 8 - bytes.len()]].concat().repeat(2);
        let grey = row(&[9, 200]);
        let cases = [
            (Encoding::Yuyv, row(&[81, 90, 81, 240]), [255, 0, 0]),
            (Encoding::Uyvy, row(&[90, 81, 240, 81]), [255, 0, 0]),
            (Encoding::Nv12, [row(&[81, 81]), row(&[90, 240])].concat(), [255, 0, 0]),
            (Encoding::Rgb, row(&[1, 2, 3, 4, 5, 6]), [4, 5, 6]),
            (Encoding::Bgr, row(&[1, 2, 3, 4, 5, 6]), [6, 5, 4]),
            (Encoding::Grey, grey, [200; 3]),
        ];
        for (encoding, bytes, expected) in cases {
            let layout = Layout { encoding, width: 2, height: 2, stride: 8 };
            let picture = layout.decode(&bytes, &pool()).unwrap();
            let last = &picture.rgb()[9..];
            assert!(
                last.iter().zip(expected).all(|(&a, b): (&u8, u8)| a.abs_diff(b) <= 2),
                "{encoding:?}: {last:?}"
            );
            assert!(layout.decode(&bytes[..bytes.len() / 2 - 1], &pool()).is_none(), "{encoding:?} cut off");
        }
    }

    proptest! {
        #[test]
        fn damaged_jpegs_never_panic(damage in prop::collection::vec((0usize..2000, any::<u8>()), 1..8), cut in 0usize..2000) {
            let mut bytes = jpeg();
            for (at, value) in damage {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            // A damaged header may ask for more than a camera sends; that is no panic either.
            MJPEG.decode(&bytes, &pool());
            MJPEG.decode(&bytes[..cut.min(bytes.len())], &pool());
        }

        #[test]
        fn no_layout_and_no_buffer_panic(width in 0u32..9, height in 0u32..9, stride in 0u32..40, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for encoding in [Encoding::Yuyv, Encoding::Uyvy, Encoding::Nv12, Encoding::Rgb, Encoding::Bgr, Encoding::Grey] {
                Layout { encoding, width, height, stride }.decode(&bytes, &pool());
            }
        }
    }
}
