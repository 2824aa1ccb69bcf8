//! What is found: boxes, outlines and peaks, in pixels of the source frame.

/// An axis-aligned box in source pixels; `x1` and `y1` are exclusive, and neither side is ever 0 long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BoundingBox {
    /// Left edge.
    pub x0: u32,
    /// Top edge.
    pub y0: u32,
    /// Right edge, exclusive.
    pub x1: u32,
    /// Bottom edge, exclusive.
    pub y1: u32,
}

impl BoundingBox {
    /// Area in pixels.
    pub fn area(&self) -> u64 {
        u64::from(self.x1.saturating_sub(self.x0)) * u64::from(self.y1.saturating_sub(self.y0))
    }

    /// Whether `other` lies inside this box.
    pub fn encloses(&self, other: &BoundingBox) -> bool {
        self.x0 <= other.x0 && self.y0 <= other.y0 && self.x1 >= other.x1 && self.y1 >= other.y1
    }
}

/// Intersection over union of two boxes with exclusive right and bottom edges, 0..1.
pub(crate) fn iou(a: &BoundingBox, b: &BoundingBox) -> f32 {
    let common =
        BoundingBox { x0: a.x0.max(b.x0), y0: a.y0.max(b.y0), x1: a.x1.min(b.x1), y1: a.y1.min(b.y1) };
    let common = common.area() as f64;
    let union = a.area() as f64 + b.area() as f64 - common;
    if union > 0.0 { (common / union) as f32 } else { 0.0 }
}

/// One place where the model saw a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// Index of the class among the model's outputs.
    pub class_id: usize,
    /// The class's probability, 0..1.
    pub score: f32,
    /// The box around the component, inside the frame.
    pub bbox: BoundingBox,
    /// The pixel where the map is highest, inside the box.
    pub peak: (u32, u32),
    /// The component's border as a closed polygon in source pixels, corners only, inside the frame.
    ///
    /// It runs through the centres of the outermost cells of the working grid, so it may lie half a cell
    /// inside the box, and has fewer than three corners where the component is one cell wide. Holes are
    /// filled.
    pub outline: Vec<(f32, f32)>,
    /// The component's area in source pixels, holes filled.
    pub area: f32,
    /// Which object this is, over the frames of a video (`Tracker`); `None` where boxes
    /// are not followed.
    pub track: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x0: u32, side: u32) -> BoundingBox {
        BoundingBox { x0, y0: 0, x1: x0 + side, y1: side }
    }

    #[test]
    fn overlap_counts_pixels_with_exclusive_edges() {
        assert_eq!(iou(&square(0, 4), &square(2, 4)), 8.0 / 24.0);
        assert_eq!(iou(&square(0, 4), &square(0, 4)), 1.0);
        assert_eq!(iou(&square(0, 4), &square(4, 4)), 0.0);
        let largest = square(0, u32::MAX);
        assert_eq!(iou(&largest, &largest), 1.0);
    }

    #[test]
    fn a_box_encloses_itself_and_what_is_inside() {
        assert!(square(0, 4).encloses(&square(0, 4)));
        assert!(square(0, 4).encloses(&square(1, 3)));
        assert!(!square(0, 4).encloses(&square(1, 4)));
    }
}
