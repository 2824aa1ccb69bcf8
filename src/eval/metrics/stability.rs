//! How much a box shakes from frame to frame, against how much the object itself moves.

use super::Rect;

/// How steady the boxes of one sequence are.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Stability {
    /// Mean change of the predicted box from frame to frame, in diagonals of the true box.
    pub predicted: f64,
    /// Mean change of the true box over the same frames, in the same unit.
    pub truth: f64,
    /// The jitter: `predicted / truth`. 1.0 is as steady as the truth; `None` where the truth holds still.
    pub jitter: Option<f64>,
    /// Share of frames with a true box that have no predicted box, 0..1.
    pub missing: f64,
}

/// The stability of one sequence; the boxes of frame `i` are `predicted[i]` and `truth[i]`.
///
/// The change between two neighbouring frames is the length of the difference of (centre x, centre y, width,
/// height), divided by the diagonal of the *true* box in the later one, so that a box does not get steadier by
/// being larger. Pairs count where both frames have a true box. A predicted box that comes or goes between
/// them counts as a change of one diagonal; a pair without any predicted box says nothing and is left out,
/// but counts as `missing`. `None` where no pair is left.
pub fn stability(predicted: &[Option<Rect>], truth: &[Option<Rect>]) -> Option<Stability> {
    let (mut pairs, mut sum_predicted, mut sum_truth) = (0_u32, 0.0, 0.0);
    for (p, t) in predicted.windows(2).zip(truth.windows(2)) {
        let (Some(before), Some(now)) = (&t[0], &t[1]) else { continue };
        let diagonal = now.diagonal();
        let moved = match (&p[0], &p[1]) {
            (Some(before), Some(now)) => change(before, now) / diagonal,
            (None, None) => continue,
            _ => 1.0,
        };
        if diagonal > 0.0 {
            pairs += 1;
            sum_predicted += moved;
            sum_truth += change(before, now) / diagonal;
        }
    }
    let with_truth = truth.iter().zip(predicted).filter(|(t, _)| t.is_some());
    let frames = with_truth.clone().count();
    let missing = with_truth.filter(|(_, p)| p.is_none()).count();
    let mean = |sum: f64| sum / f64::from(pairs);
    (pairs > 0).then(|| Stability {
        predicted: mean(sum_predicted),
        truth: mean(sum_truth),
        jitter: (sum_truth > 0.0).then(|| sum_predicted / sum_truth),
        missing: missing as f64 / frames as f64,
    })
}

fn change(from: &Rect, to: &Rect) -> f64 {
    let ((x0, y0), (x1, y1)) = (from.centre(), to.centre());
    (x1 - x0).hypot(y1 - y0).hypot((to.width() - from.width()).hypot(to.height() - from.height()))
}
