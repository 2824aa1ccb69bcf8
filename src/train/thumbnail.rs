//! Pictures that are nearly the same: frames of one burst, or one photo twice.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::frame::Picture;

const SIDE: u32 = 16;
/// Values of a thumbnail.
pub(super) const LENGTH: usize = (SIDE * SIDE) as usize;

/// Two pictures are of one burst if their thumbnails differ by less than this on average, of 255. Photos of different
/// scenes differ by 40 and more, frames of a moving camera a tenth of a second apart by 2 to 8.
const ALIKE: u32 = 10;

/// A picture as 16 x 16 grey pixels.
pub(super) fn thumbnail(picture: &Picture) -> Vec<u8> {
    let (width, height) = picture.size();
    let mut small = TypedImage::<U8x3>::new(SIDE, SIDE);
    if let Ok(source) = TypedImageRef::<U8x3>::from_buffer(width, height, picture.rgb()) {
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Box));
        // Sizes above zero can always be resized.
        let _ = Resizer::new().resize_typed(&source, &mut small, &options);
    }
    small
        .pixels()
        .iter()
        .map(|pixel| (pixel.0.iter().map(|&byte| u32::from(byte)).sum::<u32>() / 3) as u8)
        .collect()
}

/// Whether two thumbnails are of one burst.
pub(super) fn alike(a: &[u8], b: &[u8]) -> bool {
    let sum: u32 = a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
    sum < ALIKE * LENGTH as u32
}
