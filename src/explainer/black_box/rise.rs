//! RISE (Petsiuk et al., BMVC 2018): the mean of random masks, each weighted with the class's probability when only
//! what the mask leaves is seen.

use std::collections::VecDeque;

use super::input::Input;
use super::probe::Probe;
use super::score::Score;
use super::settings::Settings;

/// The share of cells that a mask leaves, as in the paper.
const SHOWN: f32 = 0.5;

/// Random masks, weighted with what the network says of the rest.
pub(super) struct Rise {
    input: Input,
    masks: usize,
    /// A mask is drawn on so many cells a side, then upsampled and shifted.
    cells: usize,
    seed: u64,
    /// Masks of variants that were written and not yet taken.
    pending: VecDeque<Vec<f32>>,
    spare: Vec<Vec<f32>>,
    taken: usize,
    /// Sum of the masks, `[h, w]`.
    sum: Vec<f64>,
    /// For each class the sum of masks times probabilities, `[h, w]`, and the sum of probabilities.
    weighted: Vec<(Vec<f64>, f64)>,
}

impl Rise {
    pub(super) fn new(settings: &Settings, input: Input, classes: usize) -> Rise {
        let zeros = vec![0.0; input.pixels()];
        Rise {
            input,
            masks: settings.masks.max(1),
            cells: settings.cells.max(1),
            seed: settings.seed,
            pending: VecDeque::new(),
            spare: Vec::new(),
            taken: 0,
            weighted: vec![(zeros.clone(), 0.0); classes],
            sum: zeros,
        }
    }

    /// Draws a mask `[h, w]`, 0..1; the same for the same number and seed.
    fn draw(&self, variant: usize, mask: &mut Vec<f32>) {
        let mut random =
            fastrand::Rng::with_seed(self.seed.wrapping_mul(0x9e37_79b9).wrapping_add(variant as u64));
        let side = self.cells + 1;
        // One cell more than the picture has, so that the grid can be shifted by up to one.
        let grid: Vec<f32> = (0..side * side).map(|_| f32::from(u8::from(random.f32() < SHOWN))).collect();
        let rows = Along::new(self.input.height, self.cells, random.f32());
        let columns = Along::new(self.input.width, self.cells, random.f32());
        mask.clear();
        for &(top, down) in &rows.places {
            let (upper, lower) = (&grid[top * side..], &grid[(top + 1).min(side - 1) * side..]);
            mask.extend(columns.places.iter().map(|&(left, right)| {
                let next = (left + 1).min(side - 1);
                let mix = |row: &[f32]| row[left] + right * (row[next] - row[left]);
                let (above, below) = (mix(upper), mix(lower));
                above + down * (below - above)
            }));
        }
    }
}

/// Where the pixels of a row or column lie on the cells: the cell before, and the share of the one after.
struct Along {
    places: Vec<(usize, f32)>,
}

impl Along {
    /// `shift`, 0..1, is how far the grid is moved, in cells.
    fn new(length: usize, cells: usize, shift: f32) -> Along {
        let cell = length.div_ceil(cells).max(1) as f32;
        let place = |pixel: usize| {
            let at = ((pixel as f32 + 0.5) / cell + shift - 0.5).clamp(0.0, cells as f32);
            (at as usize, at - at.floor())
        };
        Along { places: (0..length).map(place).collect() }
    }
}

impl Probe for Rise {
    fn variants(&self) -> usize {
        self.masks
    }

    fn write(&mut self, variant: usize, picture: &[f32], out: &mut [f32]) {
        let mut mask = self.spare.pop().unwrap_or_default();
        self.draw(variant, &mut mask);
        self.input.multiply(picture, &mask, out);
        self.pending.push_back(mask);
    }

    fn take(&mut self, _variant: usize, scores: &[Score]) {
        let Some(mask) = self.pending.pop_front() else { return };
        self.taken += 1;
        self.sum.iter_mut().zip(&mask).for_each(|(sum, &mask)| *sum += f64::from(mask));
        for ((weighted, total), score) in self.weighted.iter_mut().zip(scores) {
            let probability = f64::from(score.probability);
            *total += probability;
            weighted.iter_mut().zip(&mask).for_each(|(sum, &mask)| *sum += probability * f64::from(mask));
        }
        self.spare.push(mask);
    }

    fn size(&self) -> (usize, usize) {
        (self.input.height, self.input.width)
    }

    /// The paper's mean of `p M / E[M]`, less the mean of `p`: how much surer the network is when the place is shown. Each
    /// mask counts with its probability's deviation from their mean, which has the same expectation and far less noise;
    /// a place that says nothing is then near 0, and not at the mean probability.
    fn map(&self, class: usize, out: &mut Vec<f32>) {
        let (weighted, total) = &self.weighted[class];
        let count = self.taken.max(1) as f64;
        let mean = total / count;
        let pairs = weighted.iter().zip(&self.sum);
        out.clear();
        out.extend(
            pairs.map(|(weighted, sum)| ((weighted - mean * sum) / (count * f64::from(SHOWN))) as f32),
        );
    }

    fn is_estimate(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: Input = Input { height: 16, width: 24, channels: 1, interleaved: false };

    /// A network that is as sure as it sees of the pixels in rows 4..8 and columns 6..12.
    fn score(input: &[f32]) -> [Score; 1] {
        let seen: f32 = (4..8).flat_map(|y| (6..12).map(move |x| y * 24 + x)).map(|at| input[at]).sum();
        [Score { logit: 0.0, probability: seen / 24.0 }]
    }

    fn run(masks: usize, seed: u64) -> Vec<f32> {
        let settings = Settings { masks, seed, ..Settings::default() };
        let mut rise = Rise::new(&settings, INPUT, 1);
        let (picture, mut input, mut map) = (vec![1.0; 384], vec![0.0; 384], Vec::new());
        for variant in 0..masks {
            rise.write(variant, &picture, &mut input);
            rise.take(variant, &score(&input));
        }
        rise.map(0, &mut map);
        map
    }

    #[test]
    fn the_map_is_highest_where_the_network_looks() {
        let map = run(2000, 0);
        let peak = (0..384).max_by(|&a, &b| map[a].total_cmp(&map[b])).unwrap();
        assert!((4..8).contains(&(peak / 24)) && (6..12).contains(&(peak % 24)), "{peak}");
        // What the network does not see does not matter.
        assert!(map[23].abs() < 0.03, "{}", map[23]);
        assert!(map[6 * 24 + 9] > 0.1, "{}", map[6 * 24 + 9]);
    }

    #[test]
    fn the_same_seed_gives_the_same_map_and_another_another() {
        assert_eq!(run(20, 3), run(20, 3));
        assert_ne!(run(20, 3), run(20, 4));
    }

    #[test]
    fn masks_are_smooth_half_shown_and_shifted() {
        let rise = Rise::new(&Settings::default(), INPUT, 1);
        let mut masks = vec![Vec::new(); 400];
        masks.iter_mut().enumerate().for_each(|(variant, mask)| rise.draw(variant, mask));
        assert!(masks.iter().flatten().all(|share| (0.0..=1.0).contains(share)));
        for at in [0, 23, 200, 383] {
            let mean: f32 = masks.iter().map(|mask| mask[at]).sum::<f32>() / 400.0;
            assert!((mean - SHOWN).abs() < 0.1, "{mean} at {at}");
        }
        assert_ne!(masks[0], masks[1]);
    }
}
