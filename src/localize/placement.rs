//! Where the working grid lies on the frame.

use std::ops::Range;

use super::GRID;
use super::borders::Cell;
use super::boxes::BoundingBox;
use super::normalize::maximum;
use crate::view::View;

/// Where a pixel's centre lies among the grid's cells, along one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// The cell that it lies in.
    pub(super) nearest: usize,
    /// The cells between whose centres it lies; one and the same beyond the outermost.
    pub(super) low: usize,
    /// The other one.
    pub(super) high: usize,
    /// How far it is from the one to the other, 0..1.
    share: f32,
}

impl Sample {
    /// The value there, between those of the two cells.
    pub(super) fn between(&self, low: f32, high: f32) -> f32 {
        low + self.share * (high - low)
    }
}

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

    /// Where a column of the frame's pixels lies; `None` where the model did not see it.
    pub(super) fn column(&self, x: u32) -> Option<Sample> {
        sample(x, self.view.x, self.view.width)
    }

    /// Where a row of the frame's pixels lies; `None` where the model did not see it.
    pub(super) fn row(&self, y: u32) -> Option<Sample> {
        sample(y, self.view.y, self.view.height)
    }

    /// The highest value of a grid inside the window, at least 0.
    pub(super) fn peak(&self, grid: &[f32]) -> f32 {
        let (columns, rows) = self.window();
        rows.map(|y| maximum(&grid[y * GRID..][columns.clone()])).fold(0.0, f32::max)
    }

    /// The cell that a point of the frame lies in.
    pub(super) fn cell(&self, (x, y): (f32, f32)) -> Cell {
        let View { x: left, y: top, width, height } = self.view;
        let cell = |at: f32, start: f64, length: f64| {
            ((f64::from(at) - start) / length * GRID as f64).floor().clamp(0.0, (GRID - 1) as f64) as i32
        };
        (cell(x, left, width), cell(y, top, height))
    }

    /// The upper left corner of a cell in source pixels, inside the frame.
    pub(super) fn corner(&self, (x, y): (usize, usize)) -> (f64, f64) {
        let (x, y) = self.source(x as f64, y as f64);
        (x.clamp(0.0, f64::from(self.frame.0)), y.clamp(0.0, f64::from(self.frame.1)))
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

    /// The box of these edges, left, top, right and bottom as shares of the view, inside the frame. `None` where it has no
    /// size, or lies outside.
    pub(super) fn shares(&self, edges: [f32; 4]) -> Option<BoundingBox> {
        let [x0, y0, x1, y1] = edges.map(f64::from);
        let (low, high) = (self.view.to_source(x0, y0), self.view.to_source(x1, y1));
        let side = |low: f64, high: f64, frame: u32| {
            let inside = high > low && high > 0.0 && low < f64::from(frame);
            let first = inside.then(|| (low.max(0.0) as u32).min(frame.saturating_sub(1)))?;
            Some((first, (high.round() as u32).clamp(first + 1, frame.max(first + 1))))
        };
        let ((x0, x1), (y0, y1)) = (side(low.0, high.0, self.frame.0)?, side(low.1, high.1, self.frame.1)?);
        Some(BoundingBox { x0, y0, x1, y1 })
    }

    /// The pixel of a box at which the grid is highest.
    pub(super) fn highest(&self, grid: &[f32], bbox: &BoundingBox) -> (u32, u32) {
        let first = self.cell((bbox.x0 as f32, bbox.y0 as f32));
        let last = self.cell((bbox.x1 as f32, bbox.y1 as f32));
        let cells = (first.1..=last.1).flat_map(|y| (first.0..=last.0).map(move |x| (x, y)));
        let value = |&(x, y): &Cell| grid[y as usize * GRID + x as usize];
        let best = cells.max_by(|a, b| value(a).total_cmp(&value(b))).unwrap_or(first);
        self.pixel(best, bbox)
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

fn sample(pixel: u32, start: f64, length: f64) -> Option<Sample> {
    let at = (f64::from(pixel) + 0.5 - start) / length * GRID as f64;
    if !(0.0..GRID as f64).contains(&at) {
        return None;
    }
    let centre = (at - 0.5).clamp(0.0, (GRID - 1) as f64);
    let low = centre as usize;
    Some(Sample { nearest: at as usize, low, high: (low + 1).min(GRID - 1), share: centre.fract() as f32 })
}
