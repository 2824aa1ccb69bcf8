//! Ablation-CAM (Desai & Ramaswamy, WACV 2020): a channel's weight is the share of the class's logit that goes when
//! the channel is set to zero. What stands before the layer runs once.
//!
//! pytorch-grad-cam sets a channel to a very negative number where the layer has negative values; here it is zero as
//! in the paper, which is the same behind a ReLU. A negative logit is divided by its magnitude, so that a channel
//! that speaks for the class keeps a positive weight.

use camloc_graph::explain::FeatureMap;

use super::channels::Ranked;
use super::probe::Probe;
use super::score::Score;

/// One variant for each channel that is not zero already.
pub(super) struct AblationCam {
    map: FeatureMap,
    activations: Vec<f32>,
    channels: Vec<usize>,
    before: Vec<f32>,
    /// Weights of the variants that were taken, `[K]` each.
    weights: Vec<Vec<f32>>,
}

impl AblationCam {
    /// Of the picture's activations at a layer; at most `most` channels.
    pub(super) fn new(
        map: FeatureMap,
        activations: &[f32],
        most: Option<usize>,
        before: &[Score],
    ) -> AblationCam {
        let Ranked { varying, flat } = Ranked::of(map, activations, most);
        let counts = |&channel: &usize| map.channel(activations, channel).any(|value| value != 0.0);
        AblationCam {
            map,
            activations: activations[..map.len()].to_vec(),
            channels: varying.into_iter().chain(flat).filter(counts).collect(),
            before: before.iter().map(|score| score.logit).collect(),
            weights: Vec::new(),
        }
    }
}

impl Probe for AblationCam {
    fn variants(&self) -> usize {
        self.channels.len()
    }

    /// The layer's values come first in what the rest of the network takes.
    fn write(&mut self, variant: usize, original: &[f32], out: &mut [f32]) {
        out.copy_from_slice(original);
        self.map.ablate(&mut out[..self.map.len()], self.channels[variant]);
    }

    fn take(&mut self, _variant: usize, scores: &[Score]) {
        let weight = |(score, before): (&Score, &f32)| match *before {
            0.0 => 0.0,
            before => (before - score.logit) / before.abs(),
        };
        self.weights.push(scores.iter().zip(&self.before).map(weight).collect());
    }

    fn size(&self) -> (usize, usize) {
        self.map.size
    }

    fn map(&self, class: usize, out: &mut Vec<f32>) {
        let mut sums = vec![0.0_f64; self.map.places()];
        for (weights, &channel) in self.weights.iter().zip(&self.channels) {
            let values = self.map.channel(&self.activations, channel);
            let weight = f64::from(weights[class]);
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * f64::from(value));
        }
        out.clear();
        out.extend(sums.iter().map(|&sum| sum as f32));
    }

    fn is_estimate(&self) -> bool {
        false
    }
}
