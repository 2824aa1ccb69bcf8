//! How alike two maps are: rank correlation and structural similarity, as Adebayo et al. (Sanity Checks for Saliency
//! Maps, NeurIPS 2018) compare a map with that of a network that has forgotten what it learned.

use crate::localize::{GRID, Normalizer, Preset};
use crate::maps::ClassMap;

/// Side of the grid on which maps are compared. Noise of single pixels evens out, and maps of any size meet.
pub(crate) const SIDE: usize = 56;

/// Side of the window in which structural similarity looks.
const WINDOW: usize = 7;
/// The constants of Wang et al. (2004) for values of 0..1.
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// A map on the grid `[56, 56]`, 0..1; `None` where it says nothing about a place.
pub(crate) fn on_grid(map: &ClassMap, normalizer: &mut Normalizer) -> Option<Vec<f32>> {
    const STEP: usize = GRID / SIDE;
    let fine = normalizer.normalize(map, Preset::Max)?;
    let mean = |cell: usize| {
        let (x, y) = (STEP * (cell % SIDE), STEP * (cell / SIDE));
        let rows = (y..y + STEP).map(|y| fine[y * GRID + x..][..STEP].iter().sum::<f32>());
        rows.sum::<f32>() / (STEP * STEP) as f32
    };
    Some((0..SIDE * SIDE).map(mean).collect())
}

/// Spearman's rank correlation, -1..1, equals sharing their rank; `None` where one is constant or they have not as
/// many values.
pub(crate) fn rank_correlation(a: &[f32], b: &[f32]) -> Option<f64> {
    (a.len() == b.len()).then(|| correlation(&ranks(a), &ranks(b)))?
}

/// The rank of each value, from 1; equals get the mean of their ranks.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (equal.len() + 1) as f64 / 2.0;
        equal.iter().for_each(|&at| ranks[at] = rank);
        first += equal.len();
    }
    ranks
}

/// Pearson's.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum =
        |of: fn(f64, f64) -> f64| -> f64 { a.iter().zip(b).map(|(a, b)| of(a - mean_a, b - mean_b)).sum() };
    let (both, only_a, only_b) = (sum(|a, b| a * b), sum(|a, _| a * a), sum(|_, b| b * b));
    (only_a > 0.0 && only_b > 0.0).then(|| both / (only_a * only_b).sqrt())
}

/// Structural similarity (Wang et al. 2004) of two grids `[56, 56]` of 0..1, the mean over windows of 7x7 cells;
/// 1 for equal ones. `None` for grids of another size.
pub(crate) fn ssim(a: &[f32], b: &[f32]) -> Option<f64> {
    if a.len() != SIDE * SIDE || b.len() != a.len() {
        return None;
    }
    let across = SIDE - WINDOW + 1;
    let windows = (0..across * across).map(|at| window(a, b, (at % across, at / across)));
    Some(windows.sum::<f64>() / (across * across) as f64)
}

fn window(a: &[f32], b: &[f32], (x, y): (usize, usize)) -> f64 {
    let count = (WINDOW * WINDOW) as f64;
    let [mut sum_a, mut sum_b, mut squares_a, mut squares_b, mut products] = [0.0; 5];
    for row in y..y + WINDOW {
        let cells = row * SIDE + x..row * SIDE + x + WINDOW;
        for (&a, &b) in a[cells.clone()].iter().zip(&b[cells]) {
            let (a, b) = (f64::from(a), f64::from(b));
            sum_a += a;
            sum_b += b;
            squares_a += a * a;
            squares_b += b * b;
            products += a * b;
        }
    }
    let (mean_a, mean_b) = (sum_a / count, sum_b / count);
    // Unbiased, as scikit-image has it.
    let spread = |sum: f64, mean: f64, other: f64| (sum - count * mean * other) / (count - 1.0);
    let (var_a, var_b) = (spread(squares_a, mean_a, mean_a), spread(squares_b, mean_b, mean_b));
    let both = spread(products, mean_a, mean_b);
    let light = (2.0 * mean_a * mean_b + C1) / (mean_a * mean_a + mean_b * mean_b + C1);
    light * (2.0 * both + C2) / (var_a + var_b + C2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_compared_and_equals_share_theirs() {
        assert_eq!(ranks(&[0.5, 0.1, 0.5, 9.0]), [2.5, 1.0, 2.5, 4.0]);
        // scipy.stats.spearmanr([1, 2, 2, 3, 5], [1, 4, 3, 2, 9])
        let found = rank_correlation(&[1.0, 2.0, 2.0, 3.0, 5.0], &[1.0, 4.0, 3.0, 2.0, 9.0]).unwrap();
        assert!((found - 0.666_886).abs() < 1e-5, "{found}");
        assert_eq!(rank_correlation(&[1.0, 2.0, 4.0], &[0.1, 10.0, 11.0]), Some(1.0));
        assert_eq!(rank_correlation(&[1.0, 2.0], &[3.0, -1.0]), Some(-1.0));
        assert_eq!(rank_correlation(&[1.0, 1.0], &[3.0, -1.0]), None);
        assert_eq!(rank_correlation(&[1.0], &[3.0, -1.0]), None);
    }

    fn grid(of: impl Fn(usize, usize) -> f64) -> Vec<f32> {
        (0..SIDE * SIDE).map(|cell| of(cell % SIDE, cell / SIDE) as f32).collect()
    }

    #[test]
    fn structural_similarity_is_that_of_scikit_image() {
        let a = grid(|x, y| ((x * 7 + y * 13) % 29) as f64 / 28.0);
        let b = grid(|x, y| {
            (((x * 5 + y * 11) % 31) as f64 / 30.0 + ((x * 7 + y * 13) % 29) as f64 / 28.0) / 2.0
        });
        assert!((ssim(&a, &a).unwrap() - 1.0).abs() < 1e-12);
        let found = ssim(&a, &b).unwrap();
        // skimage.metrics.structural_similarity(a, b, data_range=1), over the windows that lie inside.
        assert!((found - 0.662_349).abs() < 1e-6, "{found}");
        assert_eq!(ssim(&a, &b[1..]), None);
    }

    #[test]
    fn a_map_of_any_size_comes_on_the_grid() {
        let mut normalizer = Normalizer::default();
        let map = |side: usize| ClassMap {
            class_id: 0,
            score: 1.0,
            height: side,
            width: side,
            values: (0..side * side).map(|cell| if cell % side < side / 2 { 2.0 } else { 0.0 }).collect(),
            bounds: None,
        };
        for side in [2, 7, 224] {
            let grid = on_grid(&map(side), &mut normalizer).unwrap();
            assert_eq!((grid.len(), grid[0], grid[SIDE - 1]), (SIDE * SIDE, 1.0, 0.0));
        }
        let constant = ClassMap { values: vec![1.0; 49], ..map(7) };
        assert!(on_grid(&constant, &mut normalizer).is_none());
    }
}
