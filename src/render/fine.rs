//! Maps of pixels, as papers print them: [`fine_map`].

use crate::frame::Picture;
use crate::maps::ClassMap;
use crate::view::View;

/// The share of values that is not clipped: single pixels are brighter than all others.
const CLIPPED_FROM: f64 = 0.995;
/// Pixels that the model never saw.
const UNSEEN: u8 = 0x30;

/// A map that is made of pixels rather than regions, in greys from 0 (black) to its 99.5th percentile (white), on a
/// picture of `size` (width, height) of which it covers `view`. Values below 0 and such that are no number are black.
pub(crate) fn fine_map(map: &ClassMap, view: View, size: (u32, u32)) -> Picture {
    let top = fine_peak(map);
    let whole = map.width.checked_mul(map.height) == Some(map.values.len()) && !map.values.is_empty();
    let value = |x: usize, y: usize| {
        let value = map.values[y.min(map.height - 1) * map.width + x.min(map.width - 1)];
        if value.is_finite() { (value / top).clamp(0.0, 1.0) } else { 0.0 }
    };
    let grey = |x: u32, y: u32| -> u8 {
        let u = (f64::from(x) + 0.5 - view.x) / view.width;
        let v = (f64::from(y) + 0.5 - view.y) / view.height;
        if !(whole && (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v)) {
            return UNSEEN;
        }
        let place = |share: f64, cells: usize| {
            let at = (share * cells as f64 - 0.5).max(0.0);
            (at as usize, at.fract() as f32)
        };
        let ((x, right), (y, down)) = (place(u, map.width), place(v, map.height));
        let row = |y: usize| value(x, y) * (1.0 - right) + value(x + 1, y) * right;
        (255.0 * (row(y) * (1.0 - down) + row(y + 1) * down)).round() as u8
    };
    let (width, height) = size;
    let mut picture = Picture::black(width, height);
    for (pixel, i) in picture.rgb_mut().chunks_exact_mut(3).zip(0_u64..) {
        // A position in a picture fits its sides.
        pixel.fill(grey((i % u64::from(width)) as u32, (i / u64::from(width)) as u32));
    }
    picture
}

/// The value that [`fine_map`] draws white; > 0.
pub(crate) fn fine_peak(map: &ClassMap) -> f32 {
    let mut values: Vec<f32> = map.values.iter().copied().filter(|v| v.is_finite() && *v > 0.0).collect();
    let Some(last) = values.len().checked_sub(1) else { return 1.0 };
    let at = (last as f64 * CLIPPED_FROM).round() as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(width: usize, height: usize, values: Vec<f32>) -> ClassMap {
        ClassMap { class_id: 0, score: 1.0, height, width, values, bounds: None }
    }

    fn greys(picture: &Picture) -> Vec<u8> {
        picture.rgb().chunks_exact(3).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn values_become_greys_where_the_model_saw_and_only_there() {
        let two = map(2, 1, vec![0.0, 3.0]);
        let crop = View { x: 2.0, y: 0.0, width: 2.0, height: 1.0 };
        assert_eq!(greys(&fine_map(&two, crop, (5, 1))), [UNSEEN, UNSEEN, 0, 255, UNSEEN]);
        // Between the centres greys run from the one to the other.
        assert_eq!(greys(&fine_map(&two, View::whole(4, 1), (4, 1))), [0, 64, 191, 255]);
    }

    #[test]
    fn one_bright_pixel_does_not_darken_the_rest() {
        let mut values = vec![1.0; 1000];
        values[7] = 1e6;
        values[8] = f32::INFINITY;
        values[9] = f32::NAN;
        let drawn = greys(&fine_map(&map(1000, 1, values), View::whole(1000, 1), (1000, 1)));
        assert!(drawn.iter().filter(|&&grey| grey == 255).count() > 990);
    }

    #[test]
    fn what_is_no_map_is_unseen() {
        for broken in [map(3, 3, vec![1.0; 8]), map(0, 0, vec![]), map(usize::MAX, 2, vec![1.0; 2])] {
            assert_eq!(greys(&fine_map(&broken, View::whole(2, 1), (2, 1))), [UNSEEN; 2]);
        }
        let flat = map(2, 1, vec![-1.0, 0.0]);
        assert_eq!(greys(&fine_map(&flat, View::whole(2, 1), (2, 1))), [0; 2]);
        let nowhere = View { x: f64::NAN, y: 0.0, width: 0.0, height: 0.0 };
        assert_eq!(greys(&fine_map(&flat, nowhere, (2, 1))), [UNSEEN; 2]);
    }
}
