//! Means over square windows, several values a cell at once.

/// Blurs rasters of `N` values a cell; keeps its buffers.
#[derive(Debug)]
pub(super) struct Blur<const N: usize> {
    rows: Vec<[f32; N]>,
    sums: Vec<[f32; N]>,
}

impl<const N: usize> Default for Blur<N> {
    fn default() -> Blur<N> {
        Blur { rows: Vec::new(), sums: Vec::new() }
    }
}

impl<const N: usize> Blur<N> {
    /// Writes to `out`, for each cell of a raster `width` wide, the mean over the cells not more than `radius` away in
    /// either direction; windows end at the raster's edge. The cost does not depend on the radius.
    pub(super) fn blur(&mut self, cells: &[[f32; N]], width: usize, radius: usize, out: &mut Vec<[f32; N]>) {
        out.clear();
        if width == 0 {
            return;
        }
        self.rows.clear();
        for row in cells.chunks_exact(width) {
            let mut sum = [0.0; N];
            row.iter().take(radius).for_each(|cell| add(&mut sum, cell));
            for x in 0..width {
                if let Some(cell) = row.get(x + radius) {
                    add(&mut sum, cell);
                }
                if let Some(cell) = x.checked_sub(radius + 1).and_then(|x| row.get(x)) {
                    subtract(&mut sum, cell);
                }
                self.rows.push(mean(&sum, window(x, radius, width)));
            }
        }
        let height = self.rows.len() / width;
        let row = |rows: &[[f32; N]], y: usize| y * width..((y + 1) * width).min(rows.len());
        self.sums.clear();
        self.sums.resize(width, [0.0; N]);
        for y in 0..height + radius {
            if y < height {
                let entering = &self.rows[row(&self.rows, y)];
                self.sums.iter_mut().zip(entering).for_each(|(sum, cell)| add(sum, cell));
            }
            let Some(centre) = y.checked_sub(radius) else { continue };
            if let Some(leaving) = centre.checked_sub(radius + 1) {
                let leaving = &self.rows[row(&self.rows, leaving)];
                self.sums.iter_mut().zip(leaving).for_each(|(sum, cell)| subtract(sum, cell));
            }
            let count = window(centre, radius, height);
            out.extend(self.sums.iter().map(|sum| mean(sum, count)));
        }
    }
}

/// How many of `length` cells lie not more than `radius` from the one at `at`.
fn window(at: usize, radius: usize, length: usize) -> usize {
    (at + radius + 1).min(length) - at.saturating_sub(radius)
}

fn add<const N: usize>(sum: &mut [f32; N], cell: &[f32; N]) {
    sum.iter_mut().zip(cell).for_each(|(sum, value)| *sum += value);
}

fn subtract<const N: usize>(sum: &mut [f32; N], cell: &[f32; N]) {
    sum.iter_mut().zip(cell).for_each(|(sum, value)| *sum -= value);
}

fn mean<const N: usize>(sum: &[f32; N], count: usize) -> [f32; N] {
    let share = 1.0 / count as f32;
    sum.map(|value| value * share)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_hand(cells: &[[f32; 1]], width: usize, radius: usize) -> Vec<f32> {
        let height = cells.len() / width;
        let near = |at: usize, length: usize| at.saturating_sub(radius)..(at + radius + 1).min(length);
        let mean = |x: usize, y: usize| {
            let window = near(y, height).flat_map(|y| near(x, width).map(move |x| y * width + x));
            let values: Vec<f32> = window.map(|at| cells[at][0]).collect();
            values.iter().sum::<f32>() / values.len() as f32
        };
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| mean(x, y)).collect()
    }

    proptest! {
        #[test]
        fn each_cell_has_the_mean_of_its_window(
            (width, cells) in (1usize..12).prop_flat_map(|width| {
                let rows = (0usize..12)
                    .prop_flat_map(move |rows| prop::collection::vec((0.0..1.0f32).prop_map(|v| [v]), width * rows));
                (Just(width), rows)
            }),
            radius in 0usize..16,
        ) {
            let (mut blur, mut out) = (Blur::default(), vec![[9.0]]);
            blur.blur(&cells, width, radius, &mut out);
            let expected = by_hand(&cells, width, radius);
            prop_assert_eq!(out.len(), expected.len());
            for (ours, expected) in out.iter().zip(expected) {
                prop_assert!((ours[0] - expected).abs() < 1e-5, "{} is not {expected}", ours[0]);
            }
        }
    }
}
