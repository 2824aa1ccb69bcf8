//! Pictures that are nearly the same: frames of one burst, or one photo twice.

use crate::frame::Picture;
use crate::picture::mosaic;

const SIDE: u32 = 16;
/// Values of a thumbnail.
pub(super) const LENGTH: usize = (SIDE * SIDE) as usize;

/// Two pictures are of one burst if their thumbnails differ by less than this on average, of 255. Photos of different
/// scenes differ by 40 and more, frames of a moving camera a tenth of a second apart by 2 to 8.
const ALIKE: u32 = 10;

/// A picture as 16 x 16 grey pixels.
pub(super) fn thumbnail(picture: &Picture) -> Vec<u8> {
    let grey = |pixel: [u8; 3]| (pixel.iter().map(|&byte| u32::from(byte)).sum::<u32>() / 3) as u8;
    mosaic(picture, SIDE).into_iter().map(grey).collect()
}

/// Whether two thumbnails are of one burst.
pub(super) fn alike(a: &[u8], b: &[u8]) -> bool {
    let sum: u32 = a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
    sum < ALIKE * LENGTH as u32
}
