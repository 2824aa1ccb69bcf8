//! Occlusion (Zeiler & Fergus, ECCV 2014): how much of the class's probability goes when a patch covers a place.

use image::{ImageBuffer, Luma};
use imageproc::filter::gaussian_blur_f32;

use super::input::Input;
use super::probe::Probe;
use super::score::Score;
use super::settings::{Fill, Settings};

/// A patch that slides over the picture.
pub(super) struct Occlusion {
    input: Input,
    patch: usize,
    stride: usize,
    /// What the patch shows, as large as the picture.
    cover: Vec<f32>,
    /// Rows and columns of the map: one cell for each place of the patch.
    size: (usize, usize),
    /// The cells, in the order in which they are visited: every eighth of a row and column, then every fourth, ….
    order: Vec<(usize, usize)>,
    visited: Vec<bool>,
    before: Vec<f32>,
    /// Drop of the probability, `[K, rows, columns]`.
    drops: Vec<f32>,
}

impl Occlusion {
    pub(super) fn new(settings: &Settings, input: Input, picture: &[f32], before: &[Score]) -> Occlusion {
        let patch = settings.patch_for(input);
        let size = size(settings, input);
        let cells = size.0 * size.1;
        Occlusion {
            input,
            patch,
            stride: settings.stride_for(input),
            cover: cover(settings.fill, input, picture, patch),
            size,
            order: coarse_to_fine(size),
            visited: vec![false; cells],
            before: before.iter().map(|score| score.probability).collect(),
            drops: vec![0.0; before.len() * cells],
        }
    }

    /// Rows or columns that the patch covers at a cell: it lies around the cell's centre.
    fn covered(&self, cell: usize, length: usize) -> std::ops::Range<usize> {
        // In half pixels, as the centre may lie between two.
        let centre = (2 * cell + 1) * self.stride;
        let from = centre.saturating_sub(self.patch) / 2;
        from.min(length)..((centre + self.patch) / 2).min(length)
    }
}

impl Probe for Occlusion {
    fn variants(&self) -> usize {
        self.order.len()
    }

    fn write(&mut self, variant: usize, picture: &[f32], out: &mut [f32]) {
        out.copy_from_slice(picture);
        let (row, column) = self.order[variant];
        let columns = self.covered(column, self.input.width);
        for y in self.covered(row, self.input.height) {
            for pixel in y * self.input.width + columns.start..y * self.input.width + columns.end {
                for channel in 0..self.input.channels {
                    let at = self.input.at(pixel, channel);
                    out[at] = self.cover[at];
                }
            }
        }
    }

    fn take(&mut self, variant: usize, scores: &[Score]) {
        let (row, column) = self.order[variant];
        let (cells, at) = (self.visited.len(), row * self.size.1 + column);
        self.visited[at] = true;
        for (class, (score, before)) in scores.iter().zip(&self.before).enumerate() {
            self.drops[class * cells + at] = before - score.probability;
        }
    }

    fn size(&self) -> (usize, usize) {
        self.size
    }

    fn map(&self, class: usize, out: &mut Vec<f32>) {
        let (rows, columns) = self.size;
        let drops = &self.drops[class * rows * columns..];
        out.clear();
        for cell in 0..rows * columns {
            // A cell that is not visited yet is part of the larger one around it that is.
            let (mut row, mut column) = (cell / columns, cell % columns);
            while !self.visited[row * columns + column] && (row | column) > 0 {
                let finest = (row | column).trailing_zeros();
                (row, column) = (row & !(1 << finest), column & !(1 << finest));
            }
            out.push(drops[row * columns + column]);
        }
    }

    fn is_estimate(&self) -> bool {
        false
    }
}

/// Rows and columns of the map.
pub(super) fn size(settings: &Settings, input: Input) -> (usize, usize) {
    let stride = settings.stride_for(input);
    (input.height.div_ceil(stride), input.width.div_ceil(stride))
}

/// Cells by how round their position is: all places of a coarse grid come before those of a finer one.
fn coarse_to_fine((rows, columns): (usize, usize)) -> Vec<(usize, usize)> {
    let mut cells: Vec<_> = (0..rows * columns).map(|cell| (cell / columns, cell % columns)).collect();
    let level = |(row, column): (usize, usize)| (row | column).trailing_zeros().min(usize::BITS - 1);
    cells.sort_by_key(|&cell| (std::cmp::Reverse(level(cell)), cell));
    cells
}

/// What a patch shows, as large as the picture.
fn cover(fill: Fill, input: Input, picture: &[f32], patch: usize) -> Vec<f32> {
    match fill {
        Fill::Grey => vec![0.0; input.len()],
        Fill::Mean => {
            let mut cover = vec![0.0; input.len()];
            for channel in 0..input.channels {
                let sum: f64 =
                    (0..input.pixels()).map(|pixel| f64::from(picture[input.at(pixel, channel)])).sum();
                let mean = (sum / input.pixels().max(1) as f64) as f32;
                (0..input.pixels()).for_each(|pixel| cover[input.at(pixel, channel)] = mean);
            }
            cover
        }
        Fill::Blur => blurred(input, picture, patch as f32 / 3.0),
    }
}

/// The picture, blurred so far that a patch has no more than a tint.
fn blurred(input: Input, picture: &[f32], sigma: f32) -> Vec<f32> {
    let mut out = picture.to_vec();
    for channel in 0..input.channels {
        let plane = (0..input.pixels()).map(|pixel| picture[input.at(pixel, channel)]).collect();
        let plane: Option<ImageBuffer<Luma<f32>, Vec<f32>>> =
            ImageBuffer::from_raw(input.width as u32, input.height as u32, plane);
        let Some(plane) = plane else { continue };
        for (pixel, value) in gaussian_blur_f32(&plane, sigma).into_raw().into_iter().enumerate() {
            out[input.at(pixel, channel)] = value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: Input = Input { height: 8, width: 12, channels: 1, interleaved: false };

    fn probe(settings: Settings, picture: &[f32], before: f32) -> Occlusion {
        Occlusion::new(&settings, INPUT, picture, &[Score { logit: 0.0, probability: before }])
    }

    fn settings(patch: usize, stride: usize, fill: Fill) -> Settings {
        Settings { patch: Some(patch), stride: Some(stride), fill, ..Settings::default() }
    }

    /// A network that sees nothing but the pixel in row 5 and column 2.
    fn score(input: &[f32]) -> [Score; 1] {
        [Score { logit: 0.0, probability: input[5 * 12 + 2] }]
    }

    #[test]
    fn the_map_is_high_where_the_patch_covers_what_counts() {
        let mut probe = probe(settings(4, 4, Fill::Grey), &[1.0; 96], 1.0);
        assert_eq!((probe.size(), probe.variants()), ((2, 3), 6));
        let mut input = vec![0.0; 96];
        for variant in 0..6 {
            probe.write(variant, &[1.0; 96], &mut input);
            assert_eq!(input.iter().filter(|&&value| value == 0.0).count(), 16, "the patch is 4x4");
            probe.take(variant, &score(&input));
        }
        let mut map = Vec::new();
        probe.map(0, &mut map);
        assert_eq!(map, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_patch_larger_than_its_step_lies_around_the_cell() {
        let probe = probe(settings(6, 4, Fill::Grey), &[1.0; 96], 1.0);
        assert_eq!((probe.covered(0, 12), probe.covered(1, 12), probe.covered(2, 12)), (0..5, 3..9, 7..12));
    }

    #[test]
    fn a_map_of_the_first_places_is_that_of_coarser_cells() {
        let mut probe = probe(settings(1, 1, Fill::Grey), &[1.0; 96], 0.0);
        let first: Vec<_> = probe.order[..2].to_vec();
        assert_eq!(first, [(0, 0), (0, 8)]);
        probe.take(0, &[Score { logit: 0.0, probability: -1.0 }]);
        probe.take(1, &[Score { logit: 0.0, probability: -2.0 }]);
        let mut map = Vec::new();
        probe.map(0, &mut map);
        assert!(map.chunks(12).all(|row| row[..8] == [1.0; 8] && row[8..] == [2.0; 4]), "{map:?}");
    }

    #[test]
    fn a_patch_shows_grey_the_mean_or_a_blur() {
        let picture: Vec<f32> = (0..96).map(|pixel| if pixel % 12 < 6 { 0.0 } else { 2.0 }).collect();
        assert!(cover(Fill::Grey, INPUT, &picture, 4).iter().all(|&value| value == 0.0));
        assert!(cover(Fill::Mean, INPUT, &picture, 4).iter().all(|&value| (value - 1.0).abs() < 1e-6));
        let blur = cover(Fill::Blur, INPUT, &picture, 4);
        assert!(blur[0] < 0.2 && blur[11] > 1.8 && (0.5..1.5).contains(&blur[6]), "{blur:?}");
    }
}
