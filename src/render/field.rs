//! The maps of a frame as one smooth field of heat over the view: [`HeatField`].

use crate::maps::ClassMap;

/// Samples a row is refined to before it is drawn with straight segments: fine enough to look curved.
const FINE: usize = 64;

/// Heat 0..1 at every point of the view.
///
/// The values of the map `[h, w]` stand at the centres of its cells, and between them heat runs along
/// Catmull-Rom splines: through every value, without the stars and creases of bilinear enlargement. Where a
/// spline swings below 0 or above 1 it is clipped. Beyond the outermost centres it is constant.
#[derive(Debug, Default)]
pub(super) struct HeatField {
    width: usize,
    height: usize,
    /// `[h, w]`, each 0..1.
    values: Vec<f32>,
    /// One row of the map between its rows, `[w]`.
    row: Vec<f32>,
    /// Where the samples of a refined row stand in a row of the map.
    taps: Vec<Taps>,
}

impl HeatField {
    /// No heat anywhere.
    pub(super) fn clear(&mut self) {
        (self.width, self.height) = (0, 0);
        self.values.clear();
    }

    /// Adds a map whose full heat is `scale`; where maps overlap the hotter one counts.
    ///
    /// Maps of one model have one size: a map of another size than the first, or with too few values, is left out.
    pub(super) fn add(&mut self, map: &ClassMap, scale: f32) {
        let cells = map.width.checked_mul(map.height);
        if cells != Some(map.values.len()) || map.values.is_empty() {
            return;
        }
        if self.values.is_empty() {
            (self.width, self.height) = (map.width, map.height);
            self.values.resize(map.values.len(), 0.0);
            let fine = map.width * (FINE / map.width).max(1);
            self.taps.clear();
            self.taps.extend((0..fine).map(|i| Taps::at((i as f32 + 0.5) / fine as f32, map.width)));
        }
        if (self.width, self.height) != (map.width, map.height) {
            return;
        }
        for (heat, &value) in self.values.iter_mut().zip(&map.values) {
            // An infinity is a fault of the model, not full heat.
            let value = if value.is_finite() { value / scale } else { 0.0 };
            *heat = heat.max(value.clamp(0.0, 1.0));
        }
    }

    /// Whether there is no heat at all.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Rows of the map.
    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// Number of samples that [`HeatField::row`] writes.
    pub(super) fn row_len(&self) -> usize {
        self.taps.len()
    }

    /// The heat, 0..1, along the row at the share `v` (0..1) of the view's height, at evenly spread points:
    /// sample `i` of `n` stands at the share `(i + 0.5) / n` of the view's width.
    pub(super) fn row(&mut self, v: f32, samples: &mut Vec<f32>) {
        samples.clear();
        if self.is_empty() {
            return;
        }
        let taps = Taps::at(v, self.height);
        let rows = taps.cells.map(|row| &self.values[row * self.width..(row + 1) * self.width]);
        self.row.clear();
        self.row.extend((0..self.width).map(|x| taps.sum(rows.map(|row| row[x]))));
        samples
            .extend(self.taps.iter().map(|taps| taps.sum(taps.cells.map(|x| self.row[x])).clamp(0.0, 1.0)));
    }
}

/// Four neighbouring cells and how much each counts.
#[derive(Clone, Copy, Debug)]
struct Taps {
    /// Always below the number of cells.
    cells: [usize; 4],
    weights: [f32; 4],
}

impl Taps {
    /// Around the share `at` (0..1) of a row of `cells` > 0 cells.
    fn at(at: f32, cells: usize) -> Taps {
        let position = (at * cells as f32 - 0.5).clamp(0.0, (cells - 1) as f32);
        let (base, t) = (position.floor(), position.fract());
        let neighbour = |step: isize| (base as usize).saturating_add_signed(step).min(cells - 1);
        Taps { cells: [-1, 0, 1, 2].map(neighbour), weights: catmull_rom(t) }
    }

    fn sum(&self, values: [f32; 4]) -> f32 {
        values.iter().zip(&self.weights).map(|(value, weight)| value * weight).sum()
    }
}

/// The weights of four points at the share `t` of the way from the second to the third.
fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [
        0.5 * (2.0 * t2 - t - t3),
        0.5 * (3.0 * t3 - 5.0 * t2 + 2.0),
        0.5 * (4.0 * t2 - 3.0 * t3 + t),
        0.5 * (t3 - t2),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(width: usize, height: usize, values: &[f32], scale: f32) -> HeatField {
        let map = ClassMap { class_id: 0, score: 1.0, height, width, values: values.to_vec(), bounds: None };
        let mut field = HeatField::default();
        field.add(&map, scale);
        field
    }

    fn row(field: &mut HeatField, v: f32) -> Vec<f32> {
        let mut samples = Vec::new();
        field.row(v, &mut samples);
        samples
    }

    #[test]
    fn the_field_runs_through_the_maps_values() {
        // 21 columns are refined threefold, so every third sample, from the second, is a cell's centre.
        let values: Vec<f32> = (0..21 * 2).map(|i| (i % 7) as f32 / 7.0).collect();
        let mut field = field(21, 2, &values, 1.0);
        let (upper, lower) = (row(&mut field, 0.25), row(&mut field, 0.75));
        for x in 0..21 {
            assert!((upper[3 * x + 1] - values[x]).abs() < 1e-5);
            assert!((lower[3 * x + 1] - values[21 + x]).abs() < 1e-5);
        }
    }

    #[test]
    fn a_slope_stays_a_slope() {
        let mut field = field(4, 1, &[0.2, 0.4, 0.6, 0.8], 1.0);
        let samples = row(&mut field, 0.5);
        let centre = samples.len() / 2;
        assert!((samples[centre - 1] + samples[centre] - 1.0).abs() < 1e-5);
        assert!(samples.windows(2).all(|pair| pair[0] <= pair[1] + 1e-6));
    }

    #[test]
    fn the_hotter_of_two_maps_counts() {
        let mut field = field(2, 1, &[1.0, 0.0], 2.0);
        field.add(
            &ClassMap { class_id: 1, score: 1.0, height: 1, width: 2, values: vec![0.0, 3.0], bounds: None },
            3.0,
        );
        let samples = row(&mut field, 0.5);
        assert_eq!(samples.first(), Some(&0.5));
        assert_eq!(samples.last(), Some(&1.0));
    }

    #[test]
    fn a_map_of_another_size_or_a_broken_one_is_left_out() {
        let mut field = field(2, 1, &[0.5, 0.5], 1.0);
        field.add(
            &ClassMap { class_id: 1, score: 1.0, height: 2, width: 2, values: vec![1.0; 4], bounds: None },
            1.0,
        );
        field.add(
            &ClassMap { class_id: 2, score: 1.0, height: 1, width: 2, values: vec![1.0; 7], bounds: None },
            1.0,
        );
        assert!(row(&mut field, 0.5).iter().all(|heat| *heat == 0.5));
        let huge =
            ClassMap { class_id: 3, score: 1.0, height: usize::MAX, width: 2, values: vec![], bounds: None };
        let mut empty = HeatField::default();
        empty.add(&huge, 1.0);
        assert!(empty.is_empty() && row(&mut empty, 0.5).is_empty());
    }

    proptest! {
        #[test]
        fn heat_is_0_to_1_whatever_the_map_holds(
            width in 1usize..90, height in 1usize..5, v in -1f32..2.0,
            values in proptest::collection::vec(any::<f32>(), 90 * 5), scale in 1e-6f32..1e6,
        ) {
            let mut field = field(width, height, &values[..width * height], scale);
            let samples = row(&mut field, v);
            prop_assert_eq!(samples.len(), field.row_len());
            prop_assert!(samples.len() >= width && samples.len() <= width.max(FINE));
            prop_assert!(samples.iter().all(|heat| (0.0..=1.0).contains(heat)));
        }
    }
}
