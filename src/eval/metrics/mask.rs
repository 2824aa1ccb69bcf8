//! Overlap with a true mask, at one threshold and over all of them.

/// Intersection over union of the pixels of a heat map at or above `threshold` with a true mask, 0..1.
///
/// Both are `[h, w]` of the same size. 0 where neither holds a pixel.
pub fn mask_iou(heat: &[f32], threshold: f32, truth: &[bool]) -> f64 {
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
pub struct PixelScores {
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
    pub fn add(&mut self, heat: &[f32], truth: &[bool]) {
        for (&v, &is_true) in heat.iter().zip(truth) {
            let bins = if is_true { &mut self.inside } else { &mut self.outside };
            bins[bin(v)] += 1;
        }
    }

    /// Adds another's pixels `times` times.
    pub fn merge(&mut self, other: &PixelScores, times: u32) {
        let join = |own: &mut [u64], other: &[u64]| {
            own.iter_mut().zip(other).for_each(|(own, other)| *own += other * u64::from(times));
        };
        join(&mut self.inside, &other.inside);
        join(&mut self.outside, &other.outside);
    }

    /// PxAP (Choe et al., CVPR 2020): the area under precision against recall of all pixels of all pictures,
    /// 0..1; `None` where no true pixel was added.
    ///
    /// The thresholds are wsolevaluation's 1000 and 1.0; a pixel passes where it is not below one.
    pub fn average_precision(&self) -> Option<f64> {
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
