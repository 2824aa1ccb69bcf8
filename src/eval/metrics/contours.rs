//! The contours of a mask that loses cells, threshold after threshold.
//!
//! What `cv2.findContours` finds with holes (Suzuki and Abe, 1985), measured while it is followed. Two hundred
//! masks of one map differ in few cells, so the mask is kept as bits and only the ends of its runs are looked
//! at: 20 times as fast as following each mask anew.

use crate::localize::GRID;

/// A border of a component or of a hole in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contour {
    /// Twice the area of the polygon through the cells' centres.
    pub(super) doubled_area: i64,
    /// The least and the greatest column and row, all inclusive: `[x0, y0, x1, y1]`.
    pub(super) bounds: [u32; 4],
}

/// Cells of a row with the rim of background around the grid.
const STRIDE: usize = GRID + 2;

/// Words of 64 cells a row.
const WORDS: usize = GRID.div_ceil(64);

/// The neighbours of a cell clockwise, from the right: columns and rows away.
const AROUND: [(i32, i32); 8] = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)];
const RIGHT: usize = 0;
const LEFT: usize = 4;

/// What is known of a cell.
const BACKGROUND: u8 = 0;
const UNSEEN: u8 = 1;
/// On a border that was followed.
const SEEN: u8 = 2;
/// The same, and the background to the right of it belongs to that border.
const SEEN_AT_RIGHT: u8 = 3;

/// A mask of [`GRID`] x [`GRID`] cells, at first all set.
#[derive(Debug)]
pub(super) struct ShrinkingMask {
    /// The set cells as bits, a row of [`WORDS`] after the other.
    bits: Vec<u64>,
    /// [`STRIDE`] x [`STRIDE`] cells with their rim.
    cells: Vec<u8>,
    /// Cells that are [`SEEN`].
    seen: Vec<usize>,
}

impl Default for ShrinkingMask {
    fn default() -> ShrinkingMask {
        let mut mask = ShrinkingMask {
            bits: vec![0; WORDS * GRID],
            cells: vec![BACKGROUND; STRIDE * STRIDE],
            seen: Vec::new(),
        };
        mask.fill();
        mask
    }
}

impl ShrinkingMask {
    /// Sets every cell.
    pub(super) fn fill(&mut self) {
        for row in self.bits.chunks_exact_mut(WORDS) {
            row.fill(u64::MAX);
            row[WORDS - 1] >>= 64 * WORDS - GRID;
        }
        for row in self.cells.chunks_exact_mut(STRIDE).skip(1).take(GRID) {
            row[1..=GRID].fill(UNSEEN);
        }
    }

    /// Takes a cell out: its place on the grid, row by row.
    pub(super) fn remove(&mut self, cell: usize) {
        let (x, y) = (cell % GRID, cell / GRID);
        self.bits[y * WORDS + x / 64] &= !(1 << (x % 64));
        self.cells[(y + 1) * STRIDE + x + 1] = BACKGROUND;
    }

    /// Finds every contour, in the order in which their first cells are scanned.
    pub(super) fn contours(&mut self, mut found: impl FnMut(Contour)) {
        for y in 0..GRID {
            for word in 0..WORDS {
                let row = &self.bits[y * WORDS..(y + 1) * WORDS];
                let set = row[word];
                let before = if word > 0 { row[word - 1] >> 63 } else { 0 };
                let after = row.get(word + 1).map_or(0, |next| next << 63);
                let (starts, ends) = (set & !(set << 1 | before), set & !(set >> 1 | after));
                let mut edges = starts | ends;
                while edges != 0 {
                    let bit = edges.trailing_zeros() as usize;
                    edges &= edges - 1;
                    let (x, y) = (64 * word + bit + 1, y + 1);
                    let state = self.cells[y * STRIDE + x];
                    if starts >> bit & 1 == 1 && state == UNSEEN {
                        found(self.follow(x, y, LEFT));
                    } else if ends >> bit & 1 == 1 && state != SEEN_AT_RIGHT {
                        found(self.follow(x, y, RIGHT));
                    }
                }
            }
        }
        self.seen.drain(..).for_each(|cell| self.cells[cell] = UNSEEN);
    }

    /// Follows the border that starts at a cell (rim counted) and has its background in direction `outside`.
    ///
    /// The rim is never set, so no step leaves the cells.
    fn follow(&mut self, x: usize, y: usize, outside: usize) -> Contour {
        let start = y * STRIDE + x;
        let (mut x, mut y) = (x as i32 - 1, y as i32 - 1);
        let mut contour = Contour { doubled_area: 0, bounds: [x as u32, y as u32, x as u32, y as u32] };
        let Some(first) = (1..8).map(|turn| (outside + turn) % 8).find(|&d| self.is_set(start, d)) else {
            self.mark(start, SEEN_AT_RIGHT);
            return contour;
        };
        let last = neighbour(start, first);
        let (mut at, mut from) = (start, first);
        loop {
            let mut passed_right = false;
            let mut to = (from + 7) % 8;
            while !self.is_set(at, to) {
                passed_right |= to == RIGHT;
                to = (to + 7) % 8;
            }
            self.mark(at, if passed_right { SEEN_AT_RIGHT } else { SEEN });
            let (dx, dy) = AROUND[to];
            contour.doubled_area += i64::from(x * dy - y * dx);
            let [x0, y0, x1, y1] = contour.bounds;
            contour.bounds = [x0.min(x as u32), y0.min(y as u32), x1.max(x as u32), y1.max(y as u32)];
            let next = neighbour(at, to);
            if next == start && at == last {
                break;
            }
            (x, y) = (x + dx, y + dy);
            (at, from) = (next, (to + 4) % 8);
        }
        contour.doubled_area = contour.doubled_area.abs();
        contour
    }

    fn is_set(&self, cell: usize, direction: usize) -> bool {
        self.cells[neighbour(cell, direction)] != BACKGROUND
    }

    fn mark(&mut self, cell: usize, state: u8) {
        if self.cells[cell] == UNSEEN {
            self.seen.push(cell);
        }
        self.cells[cell] = self.cells[cell].max(state);
    }
}

fn neighbour(cell: usize, direction: usize) -> usize {
    let (dx, dy) = AROUND[direction];
    cell.wrapping_add_signed(dy as isize * STRIDE as isize + dx as isize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contours of a mask of which only these cells are set.
    fn contours(cells: &[(usize, usize)]) -> Vec<(i64, [u32; 4])> {
        let mut mask = ShrinkingMask::default();
        let unset = (0..GRID * GRID).filter(|cell| !cells.contains(&(cell % GRID, cell / GRID)));
        unset.for_each(|cell| mask.remove(cell));
        let mut found = Vec::new();
        mask.contours(|contour| found.push((contour.doubled_area, contour.bounds)));
        let mut again = Vec::new();
        mask.contours(|contour| again.push((contour.doubled_area, contour.bounds)));
        assert_eq!(found, again, "what was seen is not forgotten");
        found
    }

    #[test]
    fn all_cells_have_one_contour() {
        let mut found = Vec::new();
        ShrinkingMask::default().contours(|contour| found.push(contour));
        let last = GRID as u32 - 1;
        let side = i64::from(last);
        assert_eq!(found, [Contour { doubled_area: 2 * side * side, bounds: [0, 0, last, last] }]);
    }

    #[test]
    fn a_ring_has_a_contour_outside_and_one_around_its_hole() {
        let ring: Vec<_> = (0..9).map(|i| (62 + i % 3, i / 3)).filter(|&cell| cell != (63, 1)).collect();
        assert_eq!(contours(&ring), [(8, [62, 0, 64, 2]), (4, [62, 0, 64, 2])]);
    }

    #[test]
    fn single_cells_and_lines_have_no_area_and_corners_hold_together() {
        assert_eq!(contours(&[(5, 5)]), [(0, [5, 5, 5, 5])]);
        assert_eq!(contours(&[(63, 9), (64, 9), (65, 9)]), [(0, [63, 9, 65, 9])]);
        assert_eq!(contours(&[(223, 222), (222, 223)]), [(0, [222, 222, 223, 223])]);
        assert_eq!(contours(&[(1, 1), (3, 1)]).len(), 2);
    }
}
