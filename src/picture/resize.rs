//! Pictures smaller or larger, down to a mosaic of a few values.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType as Kernel, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use image::imageops::{FilterType, resize};

use crate::frame::Picture;

/// The picture with at most `side` pixels a side, and how much smaller it became, 0..1.
pub(crate) fn shrunk(picture: &Picture, side: u32) -> (Picture, f64) {
    let (width, height) = picture.size();
    let scale = (f64::from(side) / f64::from(width.max(height).max(1))).min(1.0);
    let length = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    (resized(picture, (length(width), length(height))), scale)
}

/// The picture in another size, `(width, height)`.
pub(crate) fn resized(picture: &Picture, (width, height): (u32, u32)) -> Picture {
    RgbImage::from_raw(picture.width(), picture.height(), picture.rgb().to_vec())
        .map(|pixels| resize(&pixels, width, height, FilterType::Triangle))
        .and_then(|pixels| Picture::from_rgb(width, height, pixels.into_raw()))
        // A picture always has the bytes that its size asks for, and so has what it is resized to.
        .unwrap_or_else(|| Picture::black(width, height))
}

/// The picture as `side` x `side` RGB values, row by row, each the mean of all the pixels that it stands for. An empty
/// picture is black.
pub(crate) fn mosaic(picture: &Picture, side: u32) -> Vec<[u8; 3]> {
    means(picture, side, ResizeAlg::Convolution(Kernel::Box))
}

/// As [`mosaic`], where each value is the mean of about 8 x 8 of its pixels: for every frame of a video, as all
/// of a large picture's pixels cost ten times as much.
pub(crate) fn rough_mosaic(picture: &Picture, side: u32) -> Vec<[u8; 3]> {
    means(picture, side, ResizeAlg::SuperSampling(Kernel::Box, 8))
}

fn means(picture: &Picture, side: u32, algorithm: ResizeAlg) -> Vec<[u8; 3]> {
    let mut small = TypedImage::<U8x3>::new(side, side);
    let source = TypedImageRef::<U8x3>::from_buffer(picture.width(), picture.height(), picture.rgb());
    if let Ok(source) = source {
        // Only an empty picture can't be resized.
        let _ = Resizer::new().resize_typed(&source, &mut small, &ResizeOptions::new().resize_alg(algorithm));
    }
    small.pixels().iter().map(|pixel| pixel.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of four colours, one in each quarter.
    fn quarters(width: u32, height: u32) -> Picture {
        let colour =
            |x: u32, y: u32| [if 2 * x < width { 10 } else { 200 }, if 2 * y < height { 30 } else { 90 }, 7];
        let pixels = (0..width * height).flat_map(|at| colour(at % width, at / width)).collect();
        Picture::from_rgb(width, height, pixels).unwrap()
    }

    #[test]
    fn a_mosaic_has_the_colours_of_its_places_however_large_the_picture() {
        let expected = [[10, 30, 7], [200, 30, 7], [10, 90, 7], [200, 90, 7]];
        for (width, height) in [(2, 2), (64, 48), (640, 1280)] {
            let picture = quarters(width, height);
            assert_eq!(mosaic(&picture, 2), expected);
            let rough = rough_mosaic(&picture, 2);
            let pairs = rough.as_flattened().iter().zip(expected.as_flattened());
            assert!(pairs.into_iter().all(|(a, b)| a.abs_diff(*b) < 20), "{rough:?}");
        }
        assert_eq!(rough_mosaic(&Picture::black(0, 0), 2), [[0; 3]; 4]);
    }
}
