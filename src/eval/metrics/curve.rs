//! The overlap at every threshold, as wsolevaluation counts it.

use super::Rect;
use crate::localize::wsol::{self, WsolBox};
use crate::localize::{Components, GRID, Normalizer, Preset};
use crate::maps::ClassMap;

/// How many thresholds differ: a map of 8 bits with a peak of 255 passes `> k` for `k` of 0..=254, and
/// wsolevaluation's 1000 thresholds are among these.
pub const THRESHOLDS: usize = 255;

/// Stored units of an IoU of 1: 0.3, 0.5 and 0.7 are whole numbers of them, so none is rounded across.
const UNIT: f64 = 60_000.0;

/// The overlap of one picture at each of the [`THRESHOLDS`], about 1 KB.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Curve {
    largest: Vec<u16>,
    best: Vec<u16>,
}

impl Curve {
    /// The IoU of the largest contour with the best true box at threshold `k / 255`, 0..1.
    pub fn largest(&self, k: usize) -> f64 {
        iou_of(&self.largest, k)
    }

    /// The best IoU of any contour with any true box at threshold `k / 255`, 0..1.
    pub fn best(&self, k: usize) -> f64 {
        iou_of(&self.best, k)
    }
}

fn iou_of(stored: &[u16], k: usize) -> f64 {
    stored.get(k).map_or(0.0, |&units| f64::from(units) / UNIT)
}

/// A true box on the grid of 224, cut to whole cells as wsolevaluation does.
pub fn on_grid(truth: &Rect, (width, height): (u32, u32)) -> WsolBox {
    let cell = |edge: f64, side: u32| (edge * GRID as f64 / f64::from(side)) as u32;
    [cell(truth.x0, width), cell(truth.y0, height), cell(truth.x1, width), cell(truth.y1, height)]
}

/// Takes the curves of one picture after the other; keeps its buffers.
#[derive(Debug, Default)]
pub struct CurveScanner {
    normalizer: Normalizer,
}

impl CurveScanner {
    /// The curve of a raw map `[h, w]` that covers the *whole picture*: bicubic resize to 224x224, min-max.
    ///
    /// A map that says nothing (constant, NaN) has wsolevaluation's box `[0, 0, 0, 0]` at each threshold.
    pub fn raw(&mut self, map: &ClassMap, truth: &[WsolBox]) -> Curve {
        let grid = self.normalizer.normalize(map, Preset::Wsol).map(<[f32]>::to_vec);
        self.grid(&grid.unwrap_or_default(), truth)
    }

    /// The curve of a map `[224, 224]` over the *whole picture*, normalised to 0..1 by any rule.
    pub fn grid(&mut self, grid: &[f32], truth: &[WsolBox]) -> Curve {
        let mut curve = Curve { largest: Vec::new(), best: Vec::new() };
        for k in 0..THRESHOLDS {
            let threshold = (k as f64 + 0.5) / 255.0;
            let boxes = wsol::boxes(grid, GRID, threshold, Components::All);
            let iou = |b: &WsolBox| truth.iter().map(|t| wsol::iou(*b, *t)).fold(0.0, f64::max);
            curve.largest.push((boxes.first().map_or(0.0, iou) * UNIT) as u16);
            curve.best.push((boxes.iter().map(iou).fold(0.0, f64::max) * UNIT) as u16);
        }
        curve
    }
}
