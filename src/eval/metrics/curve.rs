//! The overlap at every threshold, as wsolevaluation counts it.

use super::Rect;
use super::contours::{Contour, ShrinkingMask};
use super::levels::Leveller;
use crate::localize::GRID;
use crate::localize::wsol::{self, WsolBox};
use crate::maps::ClassMap;

/// How many thresholds differ: a map of 8 bits with a peak of 255 passes `> k` for `k` of 0..=254, and
/// wsolevaluation's 1000 thresholds are among these.
pub(crate) const THRESHOLDS: usize = 255;

/// Stored units of an IoU of 1: 0.3, 0.5 and 0.7 are whole numbers of them, so none is rounded across.
const UNIT: f64 = 60_000.0;

/// The overlap of one picture at each of the [`THRESHOLDS`], about 1 KB.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Curve {
    largest: Vec<u16>,
    best: Vec<u16>,
}

impl Curve {
    /// The IoU of the largest contour with the best true box at threshold `k / 255`, 0..1.
    pub(crate) fn largest(&self, k: usize) -> f64 {
        iou_of(&self.largest, k)
    }

    /// The best IoU of any contour with any true box at threshold `k / 255`, 0..1.
    pub(crate) fn best(&self, k: usize) -> f64 {
        iou_of(&self.best, k)
    }
}

fn iou_of(stored: &[u16], k: usize) -> f64 {
    stored.get(k).map_or(0.0, |&units| f64::from(units) / UNIT)
}

/// An IoU as it is stored: never more than it is.
fn stored(iou: f64) -> u16 {
    (iou * UNIT) as u16
}

/// A true box on the grid of 224, cut to whole cells as wsolevaluation does.
pub(crate) fn on_grid(truth: &Rect, (width, height): (u32, u32)) -> WsolBox {
    let cell = |edge: f64, side: u32| (edge * GRID as f64 / f64::from(side)) as u32;
    [cell(truth.x0, width), cell(truth.y0, height), cell(truth.x1, width), cell(truth.y1, height)]
}

/// Takes the curves of one picture after the other; keeps its buffers.
///
/// The rules are those of [`wsol::boxes`] at each threshold.
#[derive(Debug, Default)]
pub(crate) struct CurveScanner {
    leveller: Leveller,
    sweep: Sweep,
}

impl CurveScanner {
    /// The curve of a raw map `[h, w]` that covers the *whole picture*: resized to 224x224 bicubically, min-max
    /// in double precision, cut to 8 bits.
    ///
    /// A map that says nothing (constant, NaN) has wsolevaluation's box `[0, 0, 0, 0]` at each threshold.
    pub(crate) fn raw(&mut self, map: &ClassMap, truth: &[WsolBox]) -> Curve {
        self.sweep.curve(self.leveller.raw(map), truth)
    }

    /// The curve of a map `[224, 224]` over the *whole picture*, normalised to 0..1 by any rule.
    ///
    /// A map of another size is taken for one that says nothing.
    pub(crate) fn normalised(&mut self, grid: &[f32], truth: &[WsolBox]) -> Curve {
        self.sweep.curve(self.leveller.normalised(grid), truth)
    }

    /// The boxes of a map as [`CurveScanner::normalised`] takes it, if it is the same for many pictures.
    pub(crate) fn boxes(&mut self, grid: &[f32]) -> ThresholdBoxes {
        ThresholdBoxes(self.sweep.at_each(self.leveller.normalised(grid), |mask| largest(mask, |_| {})))
    }
}

/// The box of a map's largest contour at each of the [`THRESHOLDS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThresholdBoxes(Vec<WsolBox>);

impl ThresholdBoxes {
    /// The curve of a picture with these true boxes; the map has no other contour than the largest.
    pub(crate) fn curve(&self, truth: &[WsolBox]) -> Curve {
        let curve: Vec<u16> = self.0.iter().map(|&bbox| stored(overlap(bbox, truth))).collect();
        Curve { largest: curve.clone(), best: curve }
    }
}

/// Raises the threshold over one map after the other.
#[derive(Debug, Default)]
struct Sweep {
    mask: ShrinkingMask,
    /// The cells of the grid, lowest level first.
    cells: Vec<u32>,
}

impl Sweep {
    fn curve(&mut self, levels: &[u8], truth: &[WsolBox]) -> Curve {
        let overlaps = self.at_each(levels, |mask| {
            let mut best: f64 = 0.0;
            let largest = largest(mask, |bbox| best = best.max(overlap(bbox, truth)));
            (stored(overlap(largest, truth)), stored(best))
        });
        let (largest, best) = overlaps.into_iter().unzip();
        Curve { largest, best }
    }

    /// What `of` says of the mask at each of the [`THRESHOLDS`].
    fn at_each<T: Copy>(&mut self, levels: &[u8], mut of: impl FnMut(&mut ShrinkingMask) -> T) -> Vec<T> {
        let starts = self.sort(levels);
        let top = levels.iter().copied().max().unwrap_or(0);
        self.mask.fill();
        let (mut removed, mut last) = (0, None);
        let at = |k: usize| {
            let passing = starts[k * usize::from(top) / 255 + 1];
            for &cell in &self.cells[removed..passing] {
                self.mask.remove(cell as usize);
            }
            let now = match last {
                Some(last) if passing == removed => last,
                _ => of(&mut self.mask),
            };
            (removed, last) = (passing, Some(now));
            now
        };
        (0..THRESHOLDS).map(at).collect()
    }

    /// Sorts the cells by level; gives the place of each level's first cell, and the number of cells.
    fn sort(&mut self, levels: &[u8]) -> [usize; 257] {
        let mut starts = [0; 257];
        levels.iter().for_each(|&level| starts[usize::from(level) + 1] += 1);
        (1..257).for_each(|level| starts[level] += starts[level - 1]);
        let mut next = starts;
        self.cells.resize(levels.len(), 0);
        for (cell, &level) in (0..).zip(levels) {
            let place = &mut next[usize::from(level)];
            self.cells[*place] = cell;
            *place += 1;
        }
        starts
    }
}

/// The overlap with the true box that fits best, 0..1.
fn overlap(bbox: WsolBox, truth: &[WsolBox]) -> f64 {
    truth.iter().map(|t| wsol::iou(bbox, *t)).fold(0.0, f64::max)
}

/// The box of the largest contour; `each` gets the boxes of all. Where there is none, that is a box of nothing.
fn largest(mask: &mut ShrinkingMask, mut each: impl FnMut(WsolBox)) -> WsolBox {
    let mut largest: Option<Contour> = None;
    mask.contours(|contour| {
        each(bbox(&contour));
        // Of equals the one scanned last.
        if largest.is_none_or(|largest| contour.doubled_area >= largest.doubled_area) {
            largest = Some(contour);
        }
    });
    match largest {
        Some(largest) => bbox(&largest),
        None => {
            each([0; 4]);
            [0; 4]
        }
    }
}

/// `x0, y0, x0 + width, y0 + height` around a contour, on the grid.
fn bbox(contour: &Contour) -> WsolBox {
    let [x0, y0, x1, y1] = contour.bounds;
    let last = GRID as u32 - 1;
    [x0, y0, (x1 + 1).min(last), (y1 + 1).min(last)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::localize::Components;
    use proptest::prelude::*;

    /// The curve as [`wsol::boxes`] has it, threshold by threshold.
    fn slow(grid: &[f32], truth: &[WsolBox]) -> Curve {
        let mut curve = Curve { largest: Vec::new(), best: Vec::new() };
        for k in 0..THRESHOLDS {
            let boxes = wsol::boxes(grid, GRID, (k as f64 + 0.5) / 255.0, Components::All);
            let iou = |b: &WsolBox| truth.iter().map(|t| wsol::iou(*b, *t)).fold(0.0, f64::max);
            curve.largest.push(stored(boxes.first().map_or(0.0, iou)));
            curve.best.push(stored(boxes.iter().map(iou).fold(0.0, f64::max)));
        }
        curve
    }

    /// A map of `cells` x `cells` values drawn from a seed.
    fn noise(cells: usize, seed: u64) -> ClassMap {
        let mut random = fastrand::Rng::with_seed(seed);
        let values = (0..cells * cells).map(|_| random.f32()).collect();
        ClassMap { class_id: 0, score: 1.0, height: cells, width: cells, values, bounds: None }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]
        #[test]
        fn a_sweep_has_the_boxes_of_each_threshold_alone(cells in 2usize..80, seed: u64) {
            let mut scanner = CurveScanner::default();
            let truth = [[20, 30, 120, 180], [150, 0, 224, 90]];
            let levels = scanner.leveller.raw(&noise(cells, seed)).to_vec();
            let grid: Vec<f32> = levels.iter().map(|&level| (f32::from(level) + 0.5) / 255.0).collect();
            prop_assert_eq!(scanner.raw(&noise(cells, seed), &truth), slow(&grid, &truth));
        }
    }

    /// A map `[7, 7]` of these values, the thresholds that are looked at, and the true boxes.
    fn golden(value: impl Fn(usize) -> usize) -> (Vec<f64>, Vec<f64>) {
        let values = (0..49).map(|i| value(i) as f32).collect();
        let map = ClassMap { class_id: 0, score: 1.0, height: 7, width: 7, values, bounds: None };
        let curve = CurveScanner::default().raw(&map, &[[30, 50, 140, 200], [120, 10, 200, 90]]);
        let at = [0, 25, 51, 76, 102, 127, 153, 178, 204, 229, 254];
        (at.map(|k| curve.largest(k)).to_vec(), at.map(|k| curve.best(k)).to_vec())
    }

    fn assert_close(ours: &[f64], expected: &[f64]) {
        assert_eq!(ours.len(), expected.len());
        let close = ours.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-5);
        assert!(close, "{ours:?} is not {expected:?}");
    }

    /// The figures of OpenCV and NumPy in double precision.
    #[test]
    fn raw_maps_have_the_published_evaluations_figures() {
        let (largest, best) = golden(|i| (i * 37 + 11) % 101);
        assert_close(
            &largest,
            &[
                0.334044, 0.334044, 0.334044, 0.334044, 0.334044, 0.42622, 0.412084, 0.45025, 0.200465, 0.0,
                0.0,
            ],
        );
        assert_close(
            &best,
            &[
                0.334044, 0.334044, 0.334044, 0.554859, 0.554589, 0.494036, 0.430645, 0.45025, 0.200465,
                0.023665, 0.0,
            ],
        );
        let (largest, best) = golden(|i| ((i % 7) * (i % 7) + 3 * (i / 7)).min(40 - 2 * (i / 7) + i % 7));
        let smooth = [
            0.334044, 0.334044, 0.334044, 0.334044, 0.334044, 0.248089, 0.246136, 0.264983, 0.190252,
            0.029884, 0.0,
        ];
        assert_close(&largest, &smooth);
        assert_close(&best, &smooth);
    }

    #[test]
    fn a_map_that_says_nothing_has_the_empty_box_at_each_threshold() {
        let mut scanner = CurveScanner::default();
        let truth = [[0, 0, 1, 1]];
        let flat =
            ClassMap { class_id: 0, score: 1.0, height: 1, width: 2, values: vec![0.5, 0.5], bounds: None };
        let nan = ClassMap { values: vec![f32::NAN, 0.5], ..flat.clone() };
        let misfit = ClassMap { values: vec![0.1], ..flat.clone() };
        for map in [flat, nan, misfit] {
            let curve = scanner.raw(&map, &truth);
            assert!((0..THRESHOLDS).all(|k| curve.largest(k) == 0.25 && curve.best(k) == 0.25));
        }
        assert_eq!(scanner.normalised(&[1.0], &truth).largest(254), 0.25);
    }

    #[test]
    fn boxes_of_one_map_give_any_picture_the_curve_that_the_map_gives() {
        let mut scanner = CurveScanner::default();
        let map = super::super::baseline::centre_map();
        let boxes = scanner.boxes(&map);
        for truth in [&[[20, 30, 120, 180], [150, 0, 224, 90]][..], &[[60, 60, 170, 160]], &[]] {
            assert_eq!(boxes.curve(truth), scanner.normalised(&map, truth));
        }
    }

    #[test]
    fn nothing_is_found_without_truth_or_beyond_the_thresholds() {
        let curve = CurveScanner::default().raw(&noise(3, 0), &[]);
        assert!((0..300).all(|k| curve.largest(k) == 0.0 && curve.best(k) == 0.0));
    }

    #[test]
    fn an_overlap_on_the_line_is_kept_on_its_side() {
        for iou in [0.3, 0.5, 0.7] {
            assert_eq!(iou_of(&[stored(iou)], 0), iou);
            assert!(iou_of(&[stored(iou - 1e-9)], 0) < iou);
        }
    }

    #[test]
    fn true_boxes_are_cut_to_whole_cells() {
        let truth = Rect { x0: 9.08, y0: 105.93, x1: 50.39, y1: 227.0 };
        assert_eq!(on_grid(&truth, (227, 227)), [8, 104, 49, 224]);
        let nowhere = Rect { x0: -5.0, y0: f64::NAN, x1: 1.0, y1: 1.0 };
        assert_eq!(on_grid(&nowhere, (0, 0))[..2], [0, 0]);
    }
}
