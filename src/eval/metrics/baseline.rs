//! What one scores without looking at the picture.

use super::Rect;
use crate::localize::GRID;

/// The whole picture.
pub fn full_image((width, height): (u32, u32)) -> Rect {
    Rect { x0: 0.0, y0: 0.0, x1: f64::from(width), y1: f64::from(height) }
}

/// The centred box of the picture's aspect and half its area.
pub fn centre_box((width, height): (u32, u32)) -> Rect {
    let inset = (1.0 - 0.5_f64.sqrt()) / 2.0;
    let (width, height) = (f64::from(width), f64::from(height));
    Rect { x0: inset * width, y0: inset * height, x1: (1.0 - inset) * width, y1: (1.0 - inset) * height }
}

/// The picture's middle, which the pointing game has for nothing.
pub fn centre_point((width, height): (u32, u32)) -> (f64, f64) {
    (f64::from(width) / 2.0, f64::from(height) / 2.0)
}

/// wsolevaluation's centre baseline: a Gaussian around the middle of the grid `[224, 224]`, 0..1.
///
/// Each threshold cuts a disc out of it, so MaxBoxAcc is that of the best centred square.
pub fn centre_map() -> Vec<f32> {
    let middle = (GRID as f32 - 1.0) / 2.0;
    // So wide that the 255 levels give discs of every size up to the whole grid.
    let spread = GRID as f32 / 3.0;
    let square = |i: usize| ((i as f32 - middle) / spread).powi(2);
    let map = (0..GRID * GRID).map(|i| (-0.5 * (square(i % GRID) + square(i / GRID))).exp());
    let map: Vec<f32> = map.collect();
    let (low, high) = map.iter().fold((1.0_f32, 0.0_f32), |(low, high), &v| (low.min(v), high.max(v)));
    map.iter().map(|v| (v - low) / (high - low)).collect()
}
