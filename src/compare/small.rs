//! The photo in the size in which it is shown.

use image::RgbImage;
use image::imageops::{FilterType, resize};

use crate::frame::Picture;
use crate::view::View;

/// Greatest side of the small photo, in pixels: twice as sharp as a model's input, and cheap to blur.
const SIDE: u32 = 512;

/// The photo with at most 512 pixels a side, and how much smaller it became, 0..1.
pub fn small(photo: &Picture) -> (Picture, f64) {
    let (width, height) = photo.size();
    let scale = (f64::from(SIDE) / f64::from(width.max(height).max(1))).min(1.0);
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let made = RgbImage::from_raw(width, height, photo.rgb().to_vec())
        .map(|pixels| resize(&pixels, side(width), side(height), FilterType::Triangle))
        .and_then(|pixels| Picture::from_rgb(pixels.width(), pixels.height(), pixels.into_raw()));
    // A picture always has the bytes that its size asks for, and so has what it is resized to.
    (made.unwrap_or_else(|| Picture::black(side(width), side(height))), scale)
}

/// A view of the photo as a view of the small one.
pub(super) fn shrunk(view: View, scale: f64) -> View {
    View { x: view.x * scale, y: view.y * scale, width: view.width * scale, height: view.height * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_photo_shrinks_and_a_small_one_stays() {
        let (picture, scale) = small(&Picture::black(2048, 300));
        assert_eq!((picture.size(), scale), ((512, 75), 0.25));
        let (picture, scale) = small(&Picture::black(300, 2));
        assert_eq!((picture.size(), scale), ((300, 2), 1.0));
        assert_eq!(small(&Picture::black(9000, 1)).0.size(), (512, 1));
    }
}
