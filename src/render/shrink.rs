//! Pictures in the size in which they are shown.

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
