//! From logits to probabilities, as [`outputs`](super::outputs) does it within a graph.

/// The probability of each class, 0..1: the share that softmax gives it. One logit is for or against: its probability is not
/// shared out among classes.
pub fn probabilities(logits: &[f32]) -> Vec<f32> {
    if let [logit] = logits {
        return vec![1.0 / (1.0 + (-logit).exp())];
    }
    let peak = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights = logits.iter().map(|logit| f64::from(logit - peak).exp());
    let total: f64 = weights.clone().sum();
    weights.map(|weight| (weight / total) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_become_shares_of_one_and_one_logit_its_own_probability() {
        let found = probabilities(&[1.0, 1.0 + 3.0_f32.ln()]);
        assert!((found[0] - 0.25).abs() < 1e-6 && (found[1] - 0.75).abs() < 1e-6);
        assert_eq!(probabilities(&[1000.0, 1000.0, -1000.0]), [0.5, 0.5, 0.0]);
        assert_eq!(probabilities(&[0.0]), [0.5]);
        assert!(probabilities(&[]).is_empty());
    }
}
