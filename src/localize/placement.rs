//! Where the working grid lies on the frame.

use std::ops::Range;

use super::GRID;
use super::borders::Cell;
use super::boxes::BoundingBox;
use crate::view::View;

/// The grid laid over a view of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    pub(super) view: View,
    /// Width and height of the frame in pixels.
    pub(super) frame: (u32, u32),
}

impl Placement {
    /// The columns and rows of the cells whose centres lie in the frame; none where the view is not a finite
    /// rectangle.
    pub(super) fn window(&self) -> (Range<usize>, Range<usize>) {
        let View { x, y, width, height } = self.view;
        let inside = |start: f64, length: f64, frame: u32| {
            // The cell with its centre at `edge`, or the next one.
            let cell = |edge: f64| {
                (((edge - start) / length * GRID as f64 - 0.5).ceil().max(0.0) as usize).min(GRID)
            };
            if start.is_finite() && length.is_finite() && length > 0.0 {
                cell(0.0)..cell(f64::from(frame))
            } else {
                0..0
            }
        };
        (inside(x, width, self.frame.0), inside(y, height, self.frame.1))
    }

    /// The box around cells `[x0, y0, x1, y1]` (inclusive), to the nearest pixel but at least one, inside the
    /// frame.
    ///
    /// `None` for a frame without pixels.
    pub(super) fn bbox(&self, [x0, y0, x1, y1]: [i32; 4]) -> Option<BoundingBox> {
        let (x0, y0) = self.source(f64::from(x0), f64::from(y0));
        let (x1, y1) = self.source(f64::from(x1) + 1.0, f64::from(y1) + 1.0);
        let side = |low: f64, high: f64, frame: u32| {
            let low = (low.round().max(0.0) as u32).min(frame.checked_sub(1)?);
            Some((low, (high.round() as u32).clamp(low + 1, frame)))
        };
        let ((x0, x1), (y0, y1)) = (side(x0, x1, self.frame.0)?, side(y0, y1, self.frame.1)?);
        Some(BoundingBox { x0, y0, x1, y1 })
    }

    /// The centre of a cell in source pixels, inside the frame.
    pub(super) fn point(&self, (x, y): Cell) -> (f32, f32) {
        let (x, y) = self.source(f64::from(x) + 0.5, f64::from(y) + 0.5);
        (x.clamp(0.0, f64::from(self.frame.0)) as f32, y.clamp(0.0, f64::from(self.frame.1)) as f32)
    }

    /// The pixel at the centre of a cell, inside a box that is never empty.
    pub(super) fn pixel(&self, cell: Cell, within: &BoundingBox) -> (u32, u32) {
        let (x, y) = self.point(cell);
        ((x as u32).clamp(within.x0, within.x1 - 1), (y as u32).clamp(within.y0, within.y1 - 1))
    }

    /// Area of a cell in source pixels.
    pub(super) fn cell_area(&self) -> f64 {
        self.view.width * self.view.height / (GRID * GRID) as f64
    }

    fn source(&self, x: f64, y: f64) -> (f64, f64) {
        self.view.to_source(x / GRID as f64, y / GRID as f64)
    }
}
