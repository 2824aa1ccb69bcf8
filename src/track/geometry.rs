//! Between a box's corners and its measures, and what belongs to a box when it moves.

use super::motion::Measures;
use crate::localize::{BoundingBox, Detection};

/// Centre and size of a box.
pub(super) fn measures(bbox: &BoundingBox) -> Measures {
    let [x0, y0, x1, y1] = corners(bbox);
    [(x0 + x1) / 2.0, (y0 + y1) / 2.0, x1 - x0, y1 - y0]
}

/// The box with these measures, to the nearest pixel but at least one, inside a frame of at least one pixel.
pub(super) fn bounding_box([x, y, width, height]: Measures, frame: (u32, u32)) -> BoundingBox {
    let side = |middle: f64, length: f64, frame: u32| {
        let low = ((middle - length / 2.0).round().max(0.0) as u32).min(frame.saturating_sub(1));
        let high = ((middle + length / 2.0).round().max(0.0) as u32).min(frame).max(low + 1);
        (low, high)
    };
    let ((x0, x1), (y0, y1)) = (side(x, width, frame.0), side(y, height, frame.1));
    BoundingBox { x0, y0, x1, y1 }
}

/// Moves a detection into another box; outline and peak keep their places relative to it.
pub(super) fn carry(detection: &mut Detection, to: BoundingBox) {
    let (from, target) = (corners(&detection.bbox), corners(&to));
    let place = |along: usize, x: f64| {
        let share = (x - from[along]) / (from[along + 2] - from[along]).max(1.0);
        target[along] + share * (target[along + 2] - target[along])
    };
    for point in &mut detection.outline {
        *point = (place(0, f64::from(point.0)) as f32, place(1, f64::from(point.1)) as f32);
    }
    let (x, y) = detection.peak;
    // The centre of a pixel stays in the box, and so does the pixel.
    let pixel = |along: usize, x: u32, low: u32, high: u32| {
        (place(along, f64::from(x) + 0.5) as u32).min(high.saturating_sub(1)).max(low)
    };
    detection.peak = (pixel(0, x, to.x0, to.x1), pixel(1, y, to.y0, to.y1));
    detection.area *= (to.area() as f64 / (detection.bbox.area() as f64).max(1.0)) as f32;
    detection.bbox = to;
}

fn corners(bbox: &BoundingBox) -> [f64; 4] {
    [bbox.x0, bbox.y0, bbox.x1, bbox.y1].map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_has_its_measures_and_stays_in_the_frame() {
        let bbox = BoundingBox { x0: 10, y0: 20, x1: 31, y1: 60 };
        assert_eq!(measures(&bbox), [20.5, 40.0, 21.0, 40.0]);
        assert_eq!(bounding_box(measures(&bbox), (100, 100)), bbox);
        let clipped = BoundingBox { x0: 10, y0: 20, x1: 30, y1: 50 };
        assert_eq!(bounding_box(measures(&bbox), (30, 50)), clipped);
        let gone = bounding_box([-50.0, f64::NAN, 20.0, 20.0], (30, 50));
        assert!(gone.area() >= 1 && gone.x1 <= 30 && gone.y1 <= 50);
    }

    #[test]
    fn outline_peak_and_area_go_with_the_box() {
        let mut detection = Detection {
            class_id: 1,
            score: 0.5,
            bbox: BoundingBox { x0: 10, y0: 10, x1: 20, y1: 20 },
            peak: (19, 10),
            outline: vec![(10.0, 10.0), (20.0, 10.0), (15.0, 20.0)],
            area: 50.0,
            track: None,
        };
        carry(&mut detection, BoundingBox { x0: 100, y0: 0, x1: 120, y1: 10 });
        assert_eq!(detection.outline, [(100.0, 0.0), (120.0, 0.0), (110.0, 10.0)]);
        assert_eq!((detection.peak, detection.area), ((119, 0), 100.0));
    }
}
