//! Which pixels of a frame belong to what was found in it: [`Segmentation`], made by a [`Segmenter`].

mod blur;
mod field;
mod guided;
mod outline;
mod segmenter;

pub use segmenter::Segmenter;

use super::boxes::{BoundingBox, Detection};
use super::runs::Runs;

/// A frame's pixels, each background or one of the frame's regions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segmentation {
    /// Width and height of the frame.
    pub size: (u32, u32),
    /// What was found, one for each of the frame's detections and in their order; at most 255.
    pub regions: Vec<Region>,
    /// `[height, width]`, row by row: 0 is background, `i + 1` the region at place `i`.
    pub labels: Vec<u8>,
}

/// What the pixels of one label are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Index of the class among the model's outputs.
    pub class_id: usize,
    /// The class's probability, 0..1.
    pub score: f32,
    /// Which object it is, where objects are followed.
    pub track: Option<u64>,
}

impl Region {
    /// The region of a detection.
    fn of(found: &Detection) -> Region {
        Region { class_id: found.class_id, score: found.score, track: found.track }
    }
}

impl Segmentation {
    /// A frame in which nothing was found.
    pub fn empty(size: (u32, u32)) -> Segmentation {
        let mut empty = Segmentation::default();
        empty.reset(size, &[]);
        empty
    }

    /// All background, with a region for each detection of which there are pixels to come.
    fn reset(&mut self, size: (u32, u32), found: &[Detection]) {
        self.size = size;
        self.regions.clear();
        self.regions.extend(found.iter().take(usize::from(u8::MAX)).map(Region::of));
        self.labels.clear();
        self.labels.resize(size.0 as usize * size.1 as usize, 0);
    }

    /// Takes over the classes, scores and tracks that following gave the frame's detections; they are in the order in
    /// which the regions were made of them.
    pub fn rename(&mut self, found: &[Detection]) {
        for (region, found) in self.regions.iter_mut().zip(found) {
            *region = Region::of(found);
        }
    }

    /// The pixels of the region at this place as run lengths; `None` where the frame has more than 2³² pixels.
    pub fn runs(&self, place: usize) -> Option<Runs> {
        Runs::of(self.size.0, self.size.1, &self.labels, |label| usize::from(label) == place + 1)
    }

    /// The pixels of the region at this place as polygons along the pixels' edges, in pixels of the frame.
    ///
    /// No polygon has a hole, and none overlaps another: where the region has holes, it is cut through them from top to
    /// bottom. A polygon may touch itself or another at a corner.
    pub fn polygons(&self, place: usize) -> Vec<Vec<(u32, u32)>> {
        match self.bounds(place) {
            Some(bounds) => outline::polygons(bounds, |x, y| {
                usize::from(self.labels[y as usize * self.size.0 as usize + x as usize]) == place + 1
            }),
            None => Vec::new(),
        }
    }

    /// The box around the pixels of the region at this place; `None` where it has none.
    pub fn bounds(&self, place: usize) -> Option<BoundingBox> {
        let is_inside = |&label: &u8| usize::from(label) == place + 1;
        let mut bounds: Option<BoundingBox> = None;
        for (row, y) in self.labels.chunks_exact((self.size.0 as usize).max(1)).zip(0..) {
            let (Some(first), Some(last)) = (row.iter().position(is_inside), row.iter().rposition(is_inside))
            else {
                continue;
            };
            let (x0, x1) = (first as u32, last as u32 + 1);
            let b = bounds.unwrap_or(BoundingBox { x0, y0: y, x1, y1: y + 1 });
            bounds = Some(BoundingBox { x0: b.x0.min(x0), x1: b.x1.max(x1), y1: y + 1, ..b });
        }
        bounds
    }
}
