//! What one scores without looking at the picture.

use super::Rect;
use crate::localize::GRID;

/// The whole picture.
pub(crate) fn full_image((width, height): (u32, u32)) -> Rect {
    Rect { x0: 0.0, y0: 0.0, x1: f64::from(width), y1: f64::from(height) }
}

/// The centred box of the picture's aspect and half its area.
///
/// It overlaps a centred object of the picture's aspect by half or more where that covers a quarter of the
/// picture to all of it. The literature's centre baseline has no fixed box: see [`centre_map`].
pub(crate) fn centre_box((width, height): (u32, u32)) -> Rect {
    let inset = (1.0 - 0.5_f64.sqrt()) / 2.0;
    let (width, height) = (f64::from(width), f64::from(height));
    Rect { x0: inset * width, y0: inset * height, x1: (1.0 - inset) * width, y1: (1.0 - inset) * height }
}

/// The picture's middle, which the pointing game has for nothing.
pub(crate) fn centre_point((width, height): (u32, u32)) -> (f64, f64) {
    (f64::from(width) / 2.0, f64::from(height) / 2.0)
}

/// wsolevaluation's centre baseline: a Gaussian around the middle of the grid `[224, 224]`, 0..1.
///
/// Each threshold cuts a disc out of it, so MaxBoxAcc is that of the best centred square.
pub(crate) fn centre_map() -> Vec<f32> {
    let middle = (GRID as f32 - 1.0) / 2.0;
    // So wide that the 255 levels give discs of every size up to the whole grid.
    let spread = GRID as f32 / 3.0;
    let square = |i: usize| ((i as f32 - middle) / spread).powi(2);
    let map = (0..GRID * GRID).map(|i| (-0.5 * (square(i % GRID) + square(i / GRID))).exp());
    let map: Vec<f32> = map.collect();
    let (low, high) = map.iter().fold((1.0_f32, 0.0_f32), |(low, high), &v| (low.min(v), high.max(v)));
    map.iter().map(|v| (v - low) / (high - low)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_box_is_half_of_the_picture_around_its_middle() {
        let (size, full) = ((640, 480), full_image((640, 480)));
        let centre = centre_box(size);
        assert!((centre.iou(&full) - 0.5).abs() < 1e-12);
        assert_eq!((centre.centre(), full.centre()), (centre_point(size), (320.0, 240.0)));
        assert!((centre.width() / centre.height() - 640.0 / 480.0).abs() < 1e-12);
    }

    #[test]
    fn the_centre_map_falls_from_the_middle_to_the_corners() {
        let map = centre_map();
        assert_eq!(map.len(), GRID * GRID);
        let at = |x: usize, y: usize| map[y * GRID + x];
        assert_eq!((at(111, 112), at(0, 0), at(223, 0)), (1.0, 0.0, 0.0));
        assert!(at(0, 112) < at(50, 112) && at(50, 112) < at(100, 112));
        assert_eq!(at(30, 112), at(112, 30));
    }

    #[test]
    fn a_picture_without_pixels_has_boxes_without_area() {
        assert_eq!((centre_box((0, 0)).area(), full_image((0, 3)).area()), (0.0, 0.0));
    }
}
