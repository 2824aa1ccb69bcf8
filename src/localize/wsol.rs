//! Boxes and overlap as wsolevaluation counts them (Choe et al., "Evaluating Weakly Supervised Object
//! Localization Methods Right", CVPR 2020), for figures comparable with the papers.
//!
//! The product's boxes come from [`Localizer`](super::Localizer); the rules here differ in the last pixel:
//! maps are cut to 8 bits, borders of holes count, right and bottom edges stop at the last column and row, and
//! overlap is counted with inclusive edges.

#[cfg(test)]
use super::{Components, borders::Borders};

/// A box `[x0, y0, x1, y1]` in pixels of the map.
pub(crate) type WsolBox = [u32; 4];

/// The boxes of a normalised map (0..1, `width` columns, row by row) at a threshold of 0..1, greatest area
/// first.
///
/// `[0, 0, 0, 0]` alone where nothing passes. [`Components::Largest`] gives MaxBoxAcc's one box,
/// [`Components::All`] the boxes of MaxBoxAccV2. Of borders of equal area the one scanned last is the largest;
/// only where one of them is a hole's may OpenCV's list begin with another (1 in 1000 noise maps).
#[cfg(test)]
pub(crate) fn boxes(map: &[f32], width: usize, threshold: f64, components: Components) -> Vec<WsolBox> {
    let height = map.len().checked_div(width).unwrap_or(0);
    let level = |v: f32| (f64::from(v) * 255.0) as u8;
    let top = map.iter().copied().map(level).max().unwrap_or(0);
    let threshold = (threshold * f64::from(top)) as u8;
    let mut borders = Borders::default();
    borders.find((width, height), |y, row| {
        row.iter_mut().zip(&map[y * width..]).for_each(|(cell, &v)| *cell = u8::from(level(v) > threshold));
    });
    if borders.list().is_empty() {
        return vec![[0; 4]];
    }
    let (last_x, last_y) = (width as i32 - 1, height as i32 - 1);
    let clipped = |[x0, y0, x1, y1]: [i32; 4]| [x0, y0, (x1 + 1).min(last_x), (y1 + 1).min(last_y)];
    let largest = borders.list().iter().take(components.limit());
    largest.map(|border| clipped(border.bounds).map(|edge| edge as u32)).collect()
}

/// Intersection over union of two boxes whose edges are all inclusive, 0..1.
pub(crate) fn iou(a: WsolBox, b: WsolBox) -> f64 {
    let side = |low: u32, high: u32| (f64::from(high) - f64::from(low) + 1.0).max(0.0);
    let area = |[x0, y0, x1, y1]: WsolBox| side(x0, x1) * side(y0, y1);
    let common = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    common / (area(a) + area(b) - common)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: [f64; 5] = [0.0, 0.2, 0.4, 0.6, 0.8];

    fn largest(map: &[f32]) -> [WsolBox; 5] {
        THRESHOLDS.map(|t| boxes(map, 5, t, Components::Largest)[0])
    }

    #[test]
    fn boxes_agree_with_the_published_evaluation() {
        #[rustfmt::skip]
        let one = [
            0.0, 0.0, 0.0, 0.0, 0.0,
            0.0, 0.4, 0.4, 0.4, 0.6,
            0.0, 0.4, 1.0, 0.8, 0.6,
            0.0, 0.4, 0.4, 0.4, 0.6,
        ];
        assert_eq!(largest(&one), [[1, 1, 4, 3], [1, 1, 4, 3], [2, 1, 4, 3], [2, 2, 4, 3], [2, 2, 3, 3]]);
        #[rustfmt::skip]
        let scattered = [
            0.4, 0.0, 0.2, 0.2, 0.2,
            0.4, 0.4, 0.0, 0.4, 0.0,
            0.0, 0.0, 0.0, 0.4, 0.0,
            1.0, 0.6, 0.8, 0.2, 0.2,
        ];
        assert_eq!(
            largest(&scattered),
            [[0, 0, 4, 3], [0, 0, 2, 2], [0, 3, 3, 3], [2, 3, 3, 3], [0, 3, 1, 3]]
        );
    }

    #[test]
    fn a_map_that_says_nothing_has_the_empty_box() {
        assert_eq!(largest(&[0.0; 20]), [[0; 4]; 5]);
        assert_eq!(boxes(&[f32::NAN; 20], 5, 0.2, Components::All), [[0; 4]]);
        assert_eq!(boxes(&[], 0, 0.2, Components::All), [[0; 4]]);
    }

    #[test]
    fn overlap_counts_edges_as_inside() {
        assert_eq!(iou([1, 2, 5, 6], [3, 1, 4, 5]), 8.0 / 27.0);
        assert_eq!(iou([0, 0, 0, 0], [5, 5, 6, 6]), 0.0);
    }
}
