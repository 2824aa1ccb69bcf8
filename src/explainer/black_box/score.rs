//! What a network says of one class.

use std::borrow::Cow;

use camloc_graph::explain::{Link, Probabilities, probabilities};

/// The score of a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Score {
    /// Before any softmax.
    pub(super) logit: f32,
    /// After it, 0..1; of an output that holds no class scores, the value itself.
    pub(super) probability: f32,
}

/// The scores of classes, from a row of logits and a row of the model's own probabilities; a class that the row lacks
/// has the score 0.
pub(super) fn scores(
    logits: &[f32],
    own: Option<&[f32]>,
    made_of: Probabilities,
    classes: &[usize],
    out: &mut Vec<Score>,
) {
    let probabilities = match made_of {
        Probabilities::Own => Cow::Borrowed(own.unwrap_or_default()),
        Probabilities::Softmax => Cow::Owned(probabilities(logits)),
        Probabilities::Sigmoid => Cow::Owned(Link::Sigmoid.probabilities(logits)),
        Probabilities::None => Cow::Borrowed(logits),
    };
    let at = |values: &[f32], class: usize| values.get(class).copied().unwrap_or_default();
    let score = |&class: &usize| Score { logit: at(logits, class), probability: at(&probabilities, class) };
    out.clear();
    out.extend(classes.iter().map(score));
}

/// The classes with the highest logits, the highest first; NaN ranks last.
pub(super) fn ranked(logits: &[f32]) -> Vec<usize> {
    let value = |class: usize| if logits[class].is_nan() { f32::NEG_INFINITY } else { logits[class] };
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_shares_or_for_and_against_or_the_models_own() {
        let mut out = Vec::new();
        scores(&[0.0, 3.0_f32.ln()], None, Probabilities::Softmax, &[1, 0], &mut out);
        assert!((out[0].probability - 0.75).abs() < 1e-6 && (out[1].probability - 0.25).abs() < 1e-6);
        scores(&[0.0], None, Probabilities::Softmax, &[0], &mut out);
        assert_eq!(out, [Score { logit: 0.0, probability: 0.5 }]);
        scores(&[2.0, 1.0], Some(&[0.9, 0.8]), Probabilities::Own, &[1], &mut out);
        assert_eq!(out, [Score { logit: 1.0, probability: 0.8 }]);
        scores(&[7.0], None, Probabilities::None, &[0, 5], &mut out);
        assert_eq!((out[0].probability, out[1].probability), (7.0, 0.0));
    }

    #[test]
    fn classes_rank_by_logit_and_nan_last() {
        assert_eq!(ranked(&[0.5, f32::NAN, 2.0, -1.0]), [2, 0, 3, 1]);
    }
}
