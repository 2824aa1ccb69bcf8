//! A raw map as wsolevaluation sees it: 224x224 levels of 0..=255.

use crate::localize::GRID;
use crate::maps::ClassMap;

/// Turns maps into levels; keeps its buffers.
///
/// The resize has OpenCV's figures for maps of float64 (weights in single precision, sums in double), so that
/// a value on the edge between two levels falls to the same side.
#[derive(Debug, Default)]
pub(super) struct Leveller {
    /// Rows of the map resized to the grid's width.
    wide: Vec<f64>,
    grid: Vec<f64>,
    levels: Vec<u8>,
}

/// Where a cell of the grid takes its value from: four cells of the map and their weights.
#[derive(Clone, Copy, Debug)]
struct Tap {
    cells: [usize; 4],
    weights: [f64; 4],
}

impl Leveller {
    /// The levels `[224, 224]` of a raw map: resized bicubically, min-max, cut to 8 bits.
    ///
    /// All 0 where the map says nothing: it is constant, holds a NaN or an infinity, or its size doesn't fit
    /// its values.
    pub(super) fn raw(&mut self, map: &ClassMap) -> &[u8] {
        self.levels.clear();
        self.levels.resize(GRID * GRID, 0);
        let (w, h) = (map.width, map.height);
        let fits = w > 0 && h > 0 && w.checked_mul(h) == Some(map.values.len());
        if !fits || !map.values.iter().all(|v| v.is_finite()) {
            return &self.levels;
        }
        self.resize(map);
        let low = self.grid.iter().copied().fold(f64::INFINITY, f64::min);
        let span = self.grid.iter().map(|v| v - low).fold(0.0, f64::max);
        if span > 0.0 {
            for (level, v) in self.levels.iter_mut().zip(&self.grid) {
                *level = ((v - low) / span * 255.0) as u8;
            }
        }
        &self.levels
    }

    /// The levels of a map `[224, 224]` of 0..1; all 0 where it has another size.
    pub(super) fn normalised(&mut self, grid: &[f32]) -> &[u8] {
        self.levels.clear();
        self.levels.extend(grid.iter().map(|&v| (f64::from(v) * 255.0) as u8));
        if grid.len() != GRID * GRID {
            self.levels.clear();
            self.levels.resize(GRID * GRID, 0);
        }
        &self.levels
    }

    fn resize(&mut self, map: &ClassMap) {
        let (columns, rows) = (taps(map.width), taps(map.height));
        self.wide.clear();
        for row in map.values.chunks_exact(map.width) {
            let value = |tap: &Tap| sum(tap, |cell| f64::from(row[cell]));
            self.wide.extend(columns.iter().map(value));
        }
        self.grid.clear();
        for tap in &rows {
            let wide = &self.wide;
            self.grid.extend((0..GRID).map(|x| sum(tap, |cell| wide[cell * GRID + x])));
        }
    }
}

fn sum(tap: &Tap, value: impl Fn(usize) -> f64) -> f64 {
    tap.cells.iter().zip(tap.weights).fold(0.0, |sum, (&cell, weight)| sum + value(cell) * weight)
}

/// The taps of the grid's cells on a side of `length` cells; the border is replicated.
fn taps(length: usize) -> Vec<Tap> {
    let scale = 1.0 / (GRID as f64 / length as f64);
    let tap = |cell: usize| {
        let centre = ((cell as f64 + 0.5) * scale - 0.5) as f32;
        let before = centre.floor();
        let near = |offset: i64| (before as i64 + offset).clamp(0, length as i64 - 1) as usize;
        Tap { cells: [-1, 0, 1, 2].map(near), weights: weights(centre - before).map(f64::from) }
    };
    (0..GRID).map(tap).collect()
}

/// Keys' cubic convolution (1981) with a = -0.75, for the four cells around a place `x` (0..1) behind the
/// second.
fn weights(x: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = ((A * (x + 1.0) - 5.0 * A) * (x + 1.0) + 8.0 * A) * (x + 1.0) - 4.0 * A;
    let (second, third) = (near(x), near(1.0 - x));
    [far, second, third, 1.0 - far - second - third]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenCV's and NumPy's figures in double precision.
    #[test]
    fn every_level_is_opencvs() {
        let values = (0..49u16).map(|i| f32::from((i * 37 + 11) % 101)).collect();
        let map = ClassMap { class_id: 0, score: 1.0, height: 7, width: 7, values, bounds: None };
        let mut leveller = Leveller::default();
        let levels = leveller.raw(&map);
        assert_eq!(levels.iter().map(|&level| u64::from(level)).sum::<u64>(), 6_451_284);
        let at = |x: usize, y: usize| levels[y * GRID + x];
        assert_eq!([at(0, 0), at(37, 100), at(223, 223), at(180, 57)], [18, 94, 197, 102]);
    }

    #[test]
    fn a_normalised_map_is_cut_and_not_stretched() {
        let mut leveller = Leveller::default();
        let mut grid = vec![0.5; GRID * GRID];
        grid[7] = 1.0;
        grid[8] = f32::NAN;
        assert_eq!(leveller.normalised(&grid)[6..9], [127, 255, 0]);
        assert!(leveller.normalised(&grid[1..]).iter().all(|&level| level == 0));
    }
}
