//! Overlap with a true mask, at one threshold and over all of them.

/// Intersection over union of the pixels of a heat map at or above `threshold` with a true mask, 0..1.
///
/// Both are `[h, w]` of the same size. 0 where neither holds a pixel.
pub(crate) fn mask_iou(heat: &[f32], threshold: f32, truth: &[bool]) -> f64 {
    let (mut common, mut union) = (0_u64, 0_u64);
    for (&v, &is_true) in heat.iter().zip(truth) {
        common += u64::from(v >= threshold && is_true);
        union += u64::from(v >= threshold || is_true);
    }
    if union > 0 { common as f64 / union as f64 } else { 0.0 }
}

/// Bins of scores: 1000 of 0.001 each, and 1.0 itself.
const BINS: usize = 1001;

/// The scores of pixels inside and outside of true masks, of as many pictures as were added.
///
/// 16 KB however many pictures; [`PixelScores::merge`] joins parts.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct PixelScores {
    inside: Vec<u64>,
    outside: Vec<u64>,
}

impl Default for PixelScores {
    fn default() -> PixelScores {
        PixelScores { inside: vec![0; BINS], outside: vec![0; BINS] }
    }
}

impl PixelScores {
    /// Adds the pixels of one picture: a heat map of 0..1 and its true mask, both `[h, w]`.
    pub(crate) fn add(&mut self, heat: &[f32], truth: &[bool]) {
        for (&v, &is_true) in heat.iter().zip(truth) {
            let bins = if is_true { &mut self.inside } else { &mut self.outside };
            bins[bin(v)] += 1;
        }
    }

    /// Adds another's pixels `times` times.
    pub(crate) fn merge(&mut self, other: &PixelScores, times: u32) {
        let join = |own: &mut [u64], other: &[u64]| {
            own.iter_mut().zip(other).for_each(|(own, other)| *own += other * u64::from(times));
        };
        join(&mut self.inside, &other.inside);
        join(&mut self.outside, &other.outside);
    }

    /// The share of all pixels that are true, 0..1: the average precision of a map that says nothing. `None` without
    /// a pixel.
    pub(crate) fn share_inside(&self) -> Option<f64> {
        let (inside, outside) = (self.inside.iter().sum::<u64>(), self.outside.iter().sum::<u64>());
        (inside + outside > 0).then(|| inside as f64 / (inside + outside) as f64)
    }

    /// PxAP (Choe et al., CVPR 2020): the area under precision against recall of all pixels of all pictures,
    /// 0..1; `None` where no true pixel was added.
    ///
    /// The thresholds are wsolevaluation's 1000 and 1.0; a pixel passes where it is not below one.
    pub(crate) fn average_precision(&self) -> Option<f64> {
        let all_inside = self.inside.iter().sum::<u64>();
        let (mut inside, mut passing, mut area) = (0, 0, 0.0);
        for (i, o) in self.inside.iter().zip(&self.outside).rev() {
            inside += i;
            passing += i + o;
            if passing > 0 {
                area += (inside as f64 / passing as f64) * (*i as f64 / all_inside as f64);
            }
        }
        (all_inside > 0).then_some(area)
    }
}

/// The bin whose lower edge, a multiple of 0.001, is the last not above `score`; NaN is in the lowest.
fn bin(score: f32) -> usize {
    let score = f64::from(score);
    let near = ((score * 1000.0) as usize).min(BINS - 1);
    let edge = |i: usize| i as f64 * 0.001;
    if near + 1 < BINS && score >= edge(near + 1) {
        near + 1
    } else if near > 0 && score < edge(near) {
        near - 1
    } else {
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_counts_pixels() {
        let heat = [0.0, 0.2, 0.5, 1.0];
        assert_eq!(mask_iou(&heat, 0.5, &[false, true, true, true]), 2.0 / 3.0);
        assert_eq!(mask_iou(&heat, 0.5, &[true, true, false, false]), 0.0);
        assert_eq!(mask_iou(&heat, 1.1, &[false; 4]), 0.0);
    }

    /// Two pictures of 64 pixels by rule.
    fn pictures() -> [(Vec<f32>, Vec<bool>); 2] {
        let scores = |step: u16, offset: u16, period: u16| {
            (0..64)
                .map(|i| f32::from((i * step + offset) % period) / f32::from(period - 1))
                .collect::<Vec<_>>()
        };
        let (one, other) = (scores(37, 11, 101), scores(53, 5, 97));
        let mask = (0..64).map(|i| (i * 29) % 64 < 20 || one[i] > 0.8).collect();
        [(one, mask), (other, (0..64).map(|i| i % 3 == 0).collect())]
    }

    #[test]
    fn a_map_that_says_nothing_is_as_precise_as_pixels_are_true() {
        let mut pixels = PixelScores::default();
        assert_eq!(pixels.share_inside(), None);
        pixels.add(&[0.5; 4], &[true, false, false, false]);
        assert_eq!((pixels.share_inside(), pixels.average_precision()), (Some(0.25), Some(0.25)));
    }

    /// NumPy's figures by wsolevaluation's rule.
    #[test]
    fn precision_is_pooled_over_all_pixels_of_all_pictures() {
        let [(one, one_mask), (other, other_mask)] = pictures();
        let mut scores = PixelScores::default();
        assert_eq!(scores.average_precision(), None);
        scores.add(&one, &one_mask);
        assert!((scores.average_precision().unwrap() - 0.806_384_111_892_538_6).abs() < 1e-12);
        scores.add(&other, &other_mask);
        assert!((scores.average_precision().unwrap() - 0.547_808_715_874_631).abs() < 1e-12);
    }

    #[test]
    fn parts_join_to_the_whole() {
        let [(one, one_mask), (other, other_mask)] = pictures();
        let (mut first, mut second, mut whole) =
            (PixelScores::default(), PixelScores::default(), PixelScores::default());
        first.add(&one, &one_mask);
        second.add(&other, &other_mask);
        whole.add(&one, &one_mask);
        whole.add(&other, &other_mask);
        whole.add(&other, &other_mask);
        first.merge(&second, 2);
        assert_eq!(first, whole);
    }

    #[test]
    fn a_map_that_is_the_mask_has_all_and_its_opposite_what_chance_has() {
        let mask = [true, false, false, true];
        let precision = |heat: &[f32]| {
            let mut scores = PixelScores::default();
            scores.add(heat, &mask);
            scores.average_precision().unwrap()
        };
        assert_eq!(precision(&[1.0, 0.0, 0.0, 1.0]), 1.0);
        assert_eq!(precision(&[0.0, 1.0, 1.0, 0.0]), 0.5);
        assert_eq!(precision(&[f32::NAN, -1.0, 7.0, f32::INFINITY]), 0.5 * 0.5 + 0.5 * 0.5);
    }

    #[test]
    fn a_score_on_the_edge_is_in_the_upper_bin() {
        for i in 0..BINS {
            // Single precision rounds below or above the edge.
            let score = i as f32 / 1000.0;
            let above = f64::from(score) >= i as f64 * 0.001;
            assert_eq!(bin(score), if above { i } else { i - 1 });
        }
    }
}
