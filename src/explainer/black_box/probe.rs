//! What a black-box method is: questions about one picture, and what it makes of the answers.

use super::score::Score;

/// Many variants of one picture, of which the network is asked in turn.
pub(super) trait Probe: Send {
    /// How many variants there are.
    fn variants(&self) -> usize;

    /// Writes a variant of the original, which is the picture or its activations, as the network takes it. Variants are
    /// written in order, and taken in the same order.
    fn write(&mut self, variant: usize, original: &[f32], out: &mut [f32]);

    /// Takes what the network said of a variant, one score for each class.
    fn take(&mut self, variant: usize, scores: &[Score]);

    /// Rows and columns of the maps.
    fn size(&self) -> (usize, usize);

    /// The map of a class after the variants taken so far, `[h, w]`, row by row.
    fn map(&self, class: usize, out: &mut Vec<f32>);

    /// Whether the map after all variants is still an estimate, which more variants would improve.
    fn is_estimate(&self) -> bool;
}
