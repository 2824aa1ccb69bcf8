//! Pictures in the size in which they are shown.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType as Kernel, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use image::imageops::{FilterType, resize};

use crate::frame::Picture;

/// The picture with at most `side` pixels a side, and how much smaller it became, 0..1.
pub fn shrunk(picture: &Picture, side: u32) -> (Picture, f64) {
    let (width, height) = picture.size();
    let scale = (f64::from(side) / f64::from(width.max(height).max(1))).min(1.0);
    let length = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    (resized(picture, (length(width), length(height))), scale)
}

/// The picture in another size, `(width, height)`.
pub fn resized(picture: &Picture, (width, height): (u32, u32)) -> Picture {
    RgbImage::from_raw(picture.width(), picture.height(), picture.rgb().to_vec())
        .map(|pixels| resize(&pixels, width, height, FilterType::Triangle))
        .and_then(|pixels| Picture::from_rgb(width, height, pixels.into_raw()))
        // A picture always has the bytes that its size asks for, and so has what it is resized to.
        .unwrap_or_else(|| Picture::black(width, height))
}

/// The picture as `side` x `side` RGB values, row by row, each the mean of all the pixels that it stands for. An empty
/// picture is black.
pub fn mosaic(picture: &Picture, side: u32) -> Vec<[u8; 3]> {
    let mut small = TypedImage::<U8x3>::new(side, side);
    let source = TypedImageRef::<U8x3>::from_buffer(picture.width(), picture.height(), picture.rgb());
    if let Ok(source) = source {
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(Kernel::Box));
        // Only an empty picture can't be resized.
        let _ = Resizer::new().resize_typed(&source, &mut small, &options);
    }
    small.pixels().iter().map(|pixel| pixel.0).collect()
}
