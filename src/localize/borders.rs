//! The borders of what passes a threshold, and the measures that boxes are made of.
//!
//! `imageproc` follows them as OpenCV's `findContours` does (Suzuki and Abe, 1985).

use std::cmp::Reverse;
use std::ops::Range;

use image::GrayImage;
use imageproc::contours::{BorderType, find_contours};

/// Column and row of a cell.
pub(super) type Cell = (i32, i32);

/// A closed chain of 8-connected cells that parts a component from the background around it or from a hole.
#[derive(Clone, Debug)]
pub(super) struct Border {
    /// Whether it surrounds a hole of its component.
    pub(super) is_hole: bool,
    /// The least and the greatest column and row, all inclusive: `[x0, y0, x1, y1]`.
    pub(super) bounds: [i32; 4],
    /// Twice the area of the polygon through the cells' centres: 8x8 cells have 2 * 49, a line one cell wide
    /// has 0.
    doubled_area: i64,
    points: Range<usize>,
}

impl Border {
    /// How many cells the border encloses, itself included (Pick's theorem).
    pub(super) fn enclosed_cells(&self) -> f64 {
        let steps = if self.points.len() > 1 { self.points.len() as f64 } else { 0.0 };
        (self.doubled_area as f64 + steps) / 2.0 + 1.0
    }
}

/// The borders of one mask after the other; keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Borders {
    /// The mask with a rim of background, which `imageproc` needs around what it follows.
    mask: GrayImage,
    points: Vec<Cell>,
    list: Vec<Border>,
}

impl Borders {
    /// Finds the borders of a mask of `(width, height)` cells, of which `fill` writes row `y` as 0 and 1.
    pub(super) fn find(&mut self, (width, height): (usize, usize), mut fill: impl FnMut(usize, &mut [u8])) {
        let size = (width as u32 + 2, height as u32 + 2);
        if self.mask.dimensions() != size {
            self.mask = GrayImage::new(size.0, size.1);
        }
        for (y, row) in self.mask.chunks_exact_mut(width + 2).skip(1).take(height).enumerate() {
            fill(y, &mut row[1..=width]);
        }
        self.points.clear();
        self.list.clear();
        for contour in find_contours::<i32>(&self.mask) {
            let first_point = self.points.len();
            self.points.extend(contour.points.iter().map(|point| (point.x - 1, point.y - 1)));
            let points = first_point..self.points.len();
            let (bounds, doubled_area) = measure(&self.points[points.clone()]);
            let is_hole = contour.border_type == BorderType::Hole;
            self.list.push(Border { is_hole, bounds, doubled_area, points });
        }
        self.list.sort_unstable_by_key(|border| Reverse((border.doubled_area, border.points.start)));
    }

    /// The borders of the last mask.
    ///
    /// The greatest polygon area comes first, the literature's measure of the largest; of equals the one
    /// scanned last (lower, then further right).
    pub(super) fn list(&self) -> &[Border] {
        &self.list
    }

    /// The cells of a border, in order.
    pub(super) fn points(&self, border: &Border) -> &[Cell] {
        &self.points[border.points.clone()]
    }
}

/// Bounds of a closed chain of cells and twice the area of its polygon.
fn measure(points: &[Cell]) -> ([i32; 4], i64) {
    let mut bounds = [i32::MAX, i32::MAX, i32::MIN, i32::MIN];
    let mut doubled_area = 0;
    let mut from = points.last().copied().unwrap_or_default();
    for &(x, y) in points {
        let [x0, y0, x1, y1] = bounds;
        bounds = [x0.min(x), y0.min(y), x1.max(x), y1.max(y)];
        doubled_area += i64::from(from.0) * i64::from(y) - i64::from(x) * i64::from(from.1);
        from = (x, y);
    }
    (bounds, doubled_area.abs())
}

/// Whether a cell lies on or within a closed chain of cells (even-odd rule).
pub(super) fn encloses(points: &[Cell], cell: Cell) -> bool {
    let mut inside = false;
    let mut from = points.last().copied().unwrap_or(cell);
    for &to in points {
        if to == cell {
            return true;
        }
        // A step is one cell long, so one that crosses the lower edge of the cell's row has its lower end
        // there.
        let lower = if from.1 > to.1 { to } else { from };
        if (from.1 > cell.1) != (to.1 > cell.1) && lower.0 > cell.0 {
            inside = !inside;
        }
        from = to;
    }
    inside
}

/// The cells where a closed chain turns.
pub(super) fn corners(points: &[Cell]) -> impl Iterator<Item = Cell> {
    let step = |from: Cell, to: Cell| (to.0 - from.0, to.1 - from.1);
    let count = points.len();
    (0..count).filter_map(move |i| {
        let (before, at, after) = (points[(i + count - 1) % count], points[i], points[(i + 1) % count]);
        (count == 1 || step(before, at) != step(at, after)).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn find(mask: &[Vec<u8>]) -> Borders {
        let mut borders = Borders::default();
        borders.find((mask[0].len(), mask.len()), |y, row| row.copy_from_slice(&mask[y]));
        borders
    }

    fn filled(width: usize, height: usize) -> Vec<Vec<u8>> {
        vec![vec![1; width]; height]
    }

    #[test]
    fn a_block_has_the_area_between_its_cells_centres_and_encloses_every_cell() {
        let block = &find(&filled(8, 8)).list[0];
        assert_eq!((block.doubled_area, block.enclosed_cells()), (2 * 49, 64.0));
        let line = &find(&filled(8, 1)).list[0];
        assert_eq!((line.doubled_area, line.enclosed_cells()), (0, 8.0));
        assert_eq!(find(&filled(1, 1)).list[0].enclosed_cells(), 1.0);
        assert_eq!(find(&[vec![0; 5]]).list.len(), 0);
    }

    #[test]
    fn of_equal_areas_the_one_scanned_last_comes_first() {
        let mask =
            [vec![1, 1, 0, 1, 1], vec![1, 1, 0, 1, 1], vec![0; 5], vec![1, 1, 0, 0, 0], vec![1, 1, 0, 0, 0]];
        let borders = find(&mask);
        let order: Vec<_> = borders.list.iter().map(|border| [border.bounds[0], border.bounds[1]]).collect();
        assert_eq!(order, [[0, 3], [3, 0], [0, 0]]);
    }

    #[test]
    fn a_rings_hole_has_its_own_border() {
        let borders = find(&[vec![1, 1, 1], vec![1, 0, 1], vec![1, 1, 1]]);
        let holes: Vec<_> = borders.list.iter().map(|border| border.is_hole).collect();
        assert_eq!(holes, [false, true]);
        assert!(encloses(borders.points(&borders.list[0]), (1, 1)));
        let corners: Vec<_> = corners(borders.points(&borders.list[0])).collect();
        assert_eq!(corners, [(0, 0), (0, 2), (2, 2), (2, 0)]);
    }

    /// Masks with components, holes and islands: cells above a threshold.
    fn masks() -> impl Strategy<Value = Vec<Vec<u8>>> {
        (1usize..24, 1usize..24, 0.1..0.9f64).prop_flat_map(|(width, height, share)| {
            let cell = prop::bool::weighted(share).prop_map(u8::from);
            prop::collection::vec(prop::collection::vec(cell, width), height)
        })
    }

    proptest! {
        #[test]
        fn a_border_encloses_as_many_cells_as_it_says(mask in masks()) {
            let borders = find(&mask);
            for border in borders.list.iter().filter(|border| !border.is_hole) {
                let cells = (0..mask.len() as i32).flat_map(|y| (0..mask[0].len() as i32).map(move |x| (x, y)));
                let enclosed = cells.filter(|&cell| encloses(borders.points(border), cell)).count();
                // Where a component is pinched to one cell, the chain runs over that cell twice.
                let distinct: std::collections::HashSet<_> = borders.points(border).iter().collect();
                let pinched = borders.points(border).len() - distinct.len();
                prop_assert!((border.enclosed_cells() - enclosed as f64).abs() <= pinched as f64);
            }
        }
    }
}
