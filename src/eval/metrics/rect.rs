//! Boxes as they are measured: in source pixels, with edges that may lie between pixels.

use crate::localize::BoundingBox;

/// An axis-aligned box in source pixels, `x1` and `y1` exclusive; truth may lie between pixels.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Rect {
    /// Left edge.
    pub x0: f64,
    /// Top edge.
    pub y0: f64,
    /// Right edge, exclusive.
    pub x1: f64,
    /// Bottom edge, exclusive.
    pub y1: f64,
}

impl Rect {
    /// Width, 0 where the edges are crossed.
    pub(crate) fn width(&self) -> f64 {
        (self.x1 - self.x0).max(0.0)
    }

    /// Height, 0 where the edges are crossed.
    pub(crate) fn height(&self) -> f64 {
        (self.y1 - self.y0).max(0.0)
    }

    /// Area in square pixels.
    pub(crate) fn area(&self) -> f64 {
        self.width() * self.height()
    }

    /// Length of the diagonal in pixels.
    pub(crate) fn diagonal(&self) -> f64 {
        self.width().hypot(self.height())
    }

    /// The middle.
    pub(crate) fn centre(&self) -> (f64, f64) {
        (f64::midpoint(self.x0, self.x1), f64::midpoint(self.y0, self.y1))
    }

    /// Whether a point lies inside; the left and top edges belong to the box.
    pub(crate) fn contains(&self, (x, y): (f64, f64)) -> bool {
        self.x0 <= x && x < self.x1 && self.y0 <= y && y < self.y1
    }

    /// Intersection over union, 0..1; 0 for two boxes without area.
    pub(crate) fn iou(&self, other: &Rect) -> f64 {
        let common = Rect {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        };
        let common = common.area();
        let union = self.area() + other.area() - common;
        if union > 0.0 { common / union } else { 0.0 }
    }
}

impl From<BoundingBox> for Rect {
    fn from(bbox: BoundingBox) -> Rect {
        let [x0, y0, x1, y1] = [bbox.x0, bbox.y0, bbox.x1, bbox.y1].map(f64::from);
        Rect { x0, y0, x1, y1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(x0: f64, y0: f64, x1: f64, y1: f64) -> Rect {
        Rect { x0, y0, x1, y1 }
    }

    #[test]
    fn overlap_counts_areas() {
        assert_eq!(rect(0.0, 0.0, 4.0, 4.0).iou(&rect(2.0, 0.0, 6.0, 4.0)), 8.0 / 24.0);
        assert_eq!(rect(0.0, 0.0, 4.0, 4.0).iou(&rect(4.0, 0.0, 6.0, 4.0)), 0.0);
        assert_eq!(rect(1.0, 1.0, 1.0, 1.0).iou(&rect(1.0, 1.0, 1.0, 1.0)), 0.0);
    }

    #[test]
    fn crossed_edges_and_nan_hold_nothing() {
        let crossed = rect(4.0, 4.0, 0.0, 0.0);
        assert_eq!((crossed.area(), crossed.iou(&rect(0.0, 0.0, 4.0, 4.0))), (0.0, 0.0));
        assert_eq!(rect(f64::NAN, 0.0, 4.0, 4.0).iou(&rect(0.0, 0.0, 4.0, 4.0)), 0.0);
    }

    #[test]
    fn a_point_on_the_right_edge_is_outside() {
        let unit = rect(0.0, 0.0, 1.0, 1.0);
        assert!(unit.contains((0.0, 0.0)) && !unit.contains((1.0, 0.5)));
    }
}
