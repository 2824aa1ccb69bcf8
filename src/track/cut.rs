//! Whether a frame shows another scene than the one before it, by the pictures themselves.

use crate::frame::Picture;
use crate::picture::rough_mosaic;

/// Cells of the mosaic a side: coarse enough that what moves in a scene changes few of them much.
const SIDE: u32 = 16;

/// Mean difference of two mosaics, in levels of 0..255, from which they show two scenes.
///
/// From frame to frame, a dog that runs past a panning camera changes its mosaic by 9 at most, every third frame by 16;
/// frames of different videos differ by 44 and more (DAVIS 2016, three sequences).
const CUT: f64 = 25.0;

/// Compares each frame with the one before it.
#[derive(Default)]
pub(super) struct CutDetector {
    /// The mosaic of the frame before, if there was one.
    before: Option<Vec<[u8; 3]>>,
}

impl CutDetector {
    /// Whether `picture` shows another scene than the last one. The first is no cut.
    pub(super) fn is_cut(&mut self, picture: &Picture) -> bool {
        let now = rough_mosaic(picture, SIDE);
        let is_cut = self.before.as_ref().is_some_and(|before| difference(&now, before) >= CUT);
        self.before = Some(now);
        is_cut
    }
}

/// The mean difference of two mosaics, in levels.
fn difference(a: &[[u8; 3]], b: &[[u8; 3]]) -> f64 {
    let pairs = a.as_flattened().iter().zip(b.as_flattened());
    let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    f64::from(sum) / f64::from(3 * SIDE * SIDE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stripes of two colours, `shift` pixels to the right.
    fn stripes(colours: [[u8; 3]; 2], shift: u32) -> Picture {
        let (width, height) = (320, 180);
        let pixel = |at: u32| colours[((at % width + width - shift) / 40 % 2) as usize];
        Picture::from_rgb(width, height, (0..width * height).flat_map(pixel).collect()).unwrap()
    }

    const CAT: [[u8; 3]; 2] = [[180, 140, 100], [120, 90, 60]];
    const CUP: [[u8; 3]; 2] = [[120, 30, 20], [240, 240, 235]];

    #[test]
    fn what_moves_is_no_cut_and_another_scene_is() {
        let mut detector = CutDetector::default();
        let seen = [(CAT, 0), (CAT, 8), (CAT, 16), (CUP, 0), (CUP, 4), (CAT, 0), (CAT, 0)];
        let cuts = seen.map(|(colours, shift)| detector.is_cut(&stripes(colours, shift)));
        assert_eq!(cuts, [false, false, false, true, false, true, false]);
    }

    #[test]
    fn light_that_is_switched_on_is_a_new_scene_and_one_that_dims_is_not() {
        let grey = |level: u8| Picture::from_rgb(64, 64, vec![level; 3 * 64 * 64]).unwrap();
        let mut detector = CutDetector::default();
        let cuts = [20, 120, 110, 100, 90].map(|level| detector.is_cut(&grey(level)));
        assert_eq!(cuts, [false, true, false, false, false]);
    }

    #[test]
    fn frames_of_any_size_can_be_compared() {
        let mut detector = CutDetector::default();
        for (width, height) in [(0, 0), (1, 1), (3, 2000), (640, 480)] {
            assert!(!detector.is_cut(&Picture::black(width, height)));
        }
    }
}
