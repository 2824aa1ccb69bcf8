//! Which of this frame's boxes belongs to which track.

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

use crate::localize::{BoundingBox, iou};

/// Below this distance-IoU two boxes of one class are two objects: they stand apart by a third of themselves.
const NEAR: f64 = -0.1;

/// Above this IoU two boxes of different classes are one object that the model is in two minds about. At 0.5 the
/// box of a car that is a minivan in one frame and a streetcar in the next jumped.
const LOOK_ALIKE: f64 = 0.3;

/// Steps of a weight: the assignment wants integers.
const STEPS: f64 = 1e6;

/// How well two boxes fit: above 0 for what may be one object, and for the class that the track had always better
/// than for another.
pub(super) fn fit(track: &BoundingBox, found: &BoundingBox, same_class: bool) -> i64 {
    let overlap = f64::from(iou(track, found));
    let near = overlap - apart(track, found);
    let fit = match same_class {
        true if near > NEAR => 2.0 + near,
        false if overlap > LOOK_ALIKE => overlap,
        _ => return 0,
    };
    (fit * STEPS) as i64
}

/// Squared distance of two boxes' centres, as a share of the squared diagonal of what encloses both: what
/// distance-IoU takes from the IoU (Zheng et al., 2020).
fn apart(a: &BoundingBox, b: &BoundingBox) -> f64 {
    let square = |x: f64, y: f64| x * x + y * y;
    let middle = |low: u32, high: u32| (f64::from(low) + f64::from(high)) / 2.0;
    let distance = square(middle(a.x0, a.x1) - middle(b.x0, b.x1), middle(a.y0, a.y1) - middle(b.y0, b.y1));
    let side = |low: u32, high: u32| f64::from(high) - f64::from(low);
    distance / square(side(a.x0.min(b.x0), a.x1.max(b.x1)), side(a.y0.min(b.y0), a.y1.max(b.y1))).max(1.0)
}

/// The best pairs of `tracks` and `found` boxes by the sum of their fits (Kuhn and Munkres): for each box its track,
/// in `pairs`.
pub(super) fn assign(
    tracks: usize,
    found: usize,
    pairs: &mut Vec<Option<usize>>,
    fit: impl Fn(usize, usize) -> i64,
) {
    pairs.clear();
    if tracks == 0 || found == 0 {
        return pairs.resize(found, None);
    }
    // The library wants as many columns as rows, or more; columns beyond the tracks stand for boxes without one.
    let fits = Matrix::from_fn(
        found,
        tracks.max(found),
        |(found, track)| {
            if track < tracks { fit(track, found) } else { 0 }
        },
    );
    let (_, columns) = kuhn_munkres(&fits);
    let pair = |(found, track): (usize, usize)| (fits[(found, track)] > 0).then_some(track);
    pairs.extend(columns.into_iter().enumerate().map(pair));
}
