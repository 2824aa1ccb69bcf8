//! The photo in the size in which it is shown.

use crate::frame::Picture;
use crate::picture::shrunk;

/// Greatest side of the small photo, in pixels: twice as sharp as a model's input, and cheap to blur.
const SIDE: u32 = 512;

/// The photo with at most 512 pixels a side, and how much smaller it became, 0..1.
pub(crate) fn small(photo: &Picture) -> (Picture, f64) {
    shrunk(photo, SIDE)
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
