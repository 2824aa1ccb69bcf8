//! How far a map that is made of random or of few variants may be from what more of them would make of it.

use super::probe::Probe;

/// Remembers maps of the past.
///
/// The mean of n samples differs from that of the first m of them by a variance of `v (1/m - 1/n)`, where v/n is the
/// variance of the mean of n: the difference, times `sqrt(m / (n - m))`, estimates the error. Of variants that are no
/// samples but the places of a grid, it tells how much the last refinements have changed.
#[derive(Debug, Default)]
pub(super) struct Convergence {
    /// Maps after m variants, for the last two m that are powers of two.
    kept: Vec<(usize, Vec<f32>)>,
    map: Vec<f32>,
}

impl Convergence {
    /// To be called after each batch: keeps the first class's map when the number of variants has doubled.
    pub(super) fn note(&mut self, probe: &dyn Probe, taken: usize) {
        if self.kept.last().is_some_and(|&(last, _)| taken < 2 * last) {
            return;
        }
        if self.kept.len() > 1 {
            self.kept.remove(0);
        }
        let mut map = Vec::new();
        probe.map(0, &mut map);
        self.kept.push((taken, map));
    }

    /// The error of the first class's map after `taken` variants: root mean square, as a share of the map's range.
    /// `None` while too few are taken to tell.
    pub(super) fn error(&mut self, probe: &dyn Probe, taken: usize) -> Option<f32> {
        let &(before, ref earlier) = self.kept.iter().rev().find(|&&(before, _)| 2 * before <= taken)?;
        probe.map(0, &mut self.map);
        let squares = self.map.iter().zip(earlier).map(|(now, then)| f64::from(now - then).powi(2));
        let difference = (squares.sum::<f64>() / self.map.len().max(1) as f64).sqrt();
        let low = self.map.iter().copied().fold(f32::INFINITY, f32::min);
        let high = self.map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let error = difference * (before as f64 / (taken - before) as f64).sqrt() / f64::from(high - low);
        error.is_finite().then_some(error as f32)
    }
}
