//! Score-CAM (Wang et al., CVPRW 2020): each channel of a layer is a mask, and its weight is what the network says of
//! the picture behind it. After pytorch-grad-cam's definition: masks upsampled with aligned corners, scaled to 0..1,
//! weights by a softmax over the channels of the class's logits.

use camloc_graph::explain::FeatureMap;

use super::channels::Ranked;
use super::input::Input;
use super::probe::Probe;
use super::score::Score;

/// Keeps the scale of a flat mask finite, as pytorch-grad-cam has it.
const TINY: f32 = 1e-8;

/// One variant for each channel that varies, and one that stands for all the flat ones: their masks are all zero.
pub(super) struct ScoreCam {
    input: Input,
    map: FeatureMap,
    activations: Vec<f32>,
    channels: Ranked,
    /// Logits of the variants that were taken, `[K]` each.
    logits: Vec<Vec<f32>>,
    mask: Vec<f32>,
}

impl ScoreCam {
    /// Of the picture's activations at a layer; at most `most` channels.
    pub(super) fn new(input: Input, map: FeatureMap, activations: &[f32], most: Option<usize>) -> ScoreCam {
        let channels = Ranked::of(map, activations, most);
        ScoreCam {
            input,
            map,
            activations: activations.to_vec(),
            channels,
            logits: Vec::new(),
            mask: Vec::new(),
        }
    }

    /// The channels that a variant stands for.
    fn stands_for(&self, variant: usize) -> &[usize] {
        match self.channels.varying.get(variant) {
            Some(channel) => std::slice::from_ref(channel),
            None => &self.channels.flat,
        }
    }
}

impl Probe for ScoreCam {
    fn variants(&self) -> usize {
        self.channels.varying.len() + usize::from(!self.channels.flat.is_empty())
    }

    fn write(&mut self, variant: usize, picture: &[f32], out: &mut [f32]) {
        let Some(&channel) = self.channels.varying.get(variant) else {
            out.fill(0.0);
            return;
        };
        let cells: Vec<f32> = self.map.channel(&self.activations, channel).collect();
        upsample(&cells, self.map.size, (self.input.height, self.input.width), &mut self.mask);
        let low = self.mask.iter().copied().fold(f32::INFINITY, f32::min);
        let high = self.mask.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        self.mask.iter_mut().for_each(|value| *value = (*value - low) / (high - low + TINY));
        self.input.multiply(picture, &self.mask, out);
    }

    fn take(&mut self, _variant: usize, scores: &[Score]) {
        self.logits.push(scores.iter().map(|score| score.logit).collect());
    }

    fn size(&self) -> (usize, usize) {
        self.map.size
    }

    fn map(&self, class: usize, out: &mut Vec<f32>) {
        let taken = || self.logits.iter().enumerate().map(|(variant, logits)| (variant, logits[class]));
        let peak = taken().map(|(_, logit)| logit).fold(f32::NEG_INFINITY, f32::max);
        let mut total = 0.0;
        let mut sums = vec![0.0_f64; self.map.places()];
        for (variant, logit) in taken() {
            let weight = f64::from(logit - peak).exp();
            for &channel in self.stands_for(variant) {
                total += weight;
                let values = self.map.channel(&self.activations, channel);
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * f64::from(value));
            }
        }
        out.clear();
        out.extend(sums.iter().map(|sum| (sum / f64::max(total, f64::MIN_POSITIVE)) as f32));
    }

    fn is_estimate(&self) -> bool {
        false
    }
}

/// Bilinear, with the corners of both grids aligned.
fn upsample(
    cells: &[f32],
    (rows, columns): (usize, usize),
    (height, width): (usize, usize),
    out: &mut Vec<f32>,
) {
    let place = |pixel: usize, pixels: usize, cells: usize| {
        let at = pixel as f32 * (cells - 1) as f32 / pixels.saturating_sub(1).max(1) as f32;
        let before = (at as usize).min(cells - 1);
        (before, (before + 1).min(cells - 1), at - before as f32)
    };
    let across: Vec<_> = (0..width).map(|x| place(x, width, columns)).collect();
    out.clear();
    for y in 0..height {
        let (above, below, down) = place(y, height, rows);
        let (above, below) = (&cells[above * columns..], &cells[below * columns..]);
        out.extend(across.iter().map(|&(left, right, share)| {
            let mix = |row: &[f32]| row[left] + share * (row[right] - row[left]);
            let upper = mix(above);
            upper + down * (mix(below) - upper)
        }));
    }
}

#[cfg(test)]
mod tests {
    use camloc_graph::explain::Layer;
    use camloc_graph::explain::head::Layout;

    use super::*;

    const INPUT: Input = Input { height: 3, width: 3, channels: 1, interleaved: false };

    fn feature_map(channels: usize) -> FeatureMap {
        let size = Some((2, 2));
        let layer =
            Layer { tensor: "a".into(), layout: Layout::Nchw, channels: Some(channels), size, field: None };
        FeatureMap::of(&layer).unwrap()
    }

    #[test]
    fn corners_stay_where_they_are() {
        let mut out = Vec::new();
        upsample(&[0.0, 2.0, 4.0, 6.0], (2, 2), (3, 3), &mut out);
        assert_eq!(out, [0.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 5.0, 6.0]);
        upsample(&[7.0], (1, 1), (2, 2), &mut out);
        assert_eq!(out, [7.0; 4]);
    }

    #[test]
    fn channels_are_masks_and_flat_ones_share_a_pass() {
        // The second and fourth channels are flat, the third varies most.
        let activations =
            [[1.0, 0.0, 0.0, 0.0], [5.0, 5.0, 5.0, 5.0], [0.0, 0.0, 0.0, 8.0], [0.0, 0.0, 0.0, 0.0]].concat();
        let mut probe = ScoreCam::new(INPUT, feature_map(4), &activations, None);
        assert_eq!((probe.channels.varying.clone(), probe.variants()), (vec![2, 0], 3));
        let mut input = vec![0.0; 9];
        for variant in 0..3 {
            probe.write(variant, &[2.0; 9], &mut input);
            let seen: f32 = input.iter().sum();
            assert_eq!((input[8] > 1.99, seen == 0.0), (variant == 0, variant == 2));
            let logit = if variant == 0 { 3.0_f32.ln() } else { 0.0 };
            probe.take(variant, &[Score { logit, probability: 0.0 }]);
        }
        let mut map = Vec::new();
        probe.map(0, &mut map);
        // Weights are 3 for the third channel and 1 for each of the three others.
        for (found, expected) in map.iter().zip([(1.0 + 5.0) / 6.0, 5.0 / 6.0, 5.0 / 6.0, (5.0 + 24.0) / 6.0])
        {
            assert!((found - expected).abs() < 1e-6, "{map:?}");
        }
        let few = ScoreCam::new(INPUT, feature_map(4), &activations, Some(1));
        assert_eq!((few.channels.varying, few.channels.flat), (vec![2], vec![]));
    }
}
