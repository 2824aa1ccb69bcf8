//! One class on one picture.

use std::path::PathBuf;

use super::{Fault, FaultKind, Mask, MaskSource};

/// What there is to find on a picture: one class, and where its objects are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Unique within the dataset, and the same for whoever has the dataset: the picture's path below the pictures'
    /// folder, with `#class` where the picture has several.
    pub name: String,
    /// The picture's file.
    pub picture: PathBuf,
    /// The video that the picture is a frame of.
    pub sequence: Option<String>,
    /// Its number among that video's frames, which grows from frame to frame; 0 where there is no video.
    pub frame: u64,
    /// The class, as the truth calls it.
    pub class: String,
    /// The model's classes that are right answers; never empty.
    pub accepted: Vec<usize>,
    /// The one of them that is explained; `None`: the one that the model thinks most probable.
    pub explained: Option<usize>,
    /// `[x0, y0, x1, y1]`, `x1` and `y1` exclusive, not yet held against the picture. Empty where there is a mask only.
    pub boxes: Vec<[f64; 4]>,
    /// Whether boxes and polygons are shares (0..1) of the picture's sides, not pixels.
    pub shares: bool,
    /// Width and height that the truth says the picture has.
    pub size: Option<(u32, u32)>,
    /// The objects' pixels.
    pub mask: Option<MaskSource>,
}

/// A sample held against its picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settled {
    /// Boxes in pixels, inside the picture; never empty.
    pub boxes: Vec<[f64; 4]>,
    /// The objects' pixels.
    pub mask: Option<Mask>,
}

impl Sample {
    /// Boxes and mask for a picture of this size, boxes cut off at its edge. What is wrong is added to `faults`;
    /// `None` where nothing is left.
    pub(crate) fn settle(&self, size: (u32, u32), faults: &mut Vec<Fault>) -> Option<Settled> {
        let name = &self.name;
        if let Some(said) = self.size.filter(|&said| said != size) {
            let what = format!("{name} has {}x{} pixels, not {}x{}", size.0, size.1, said.0, said.1);
            faults.push(Fault::new(FaultKind::SizeDiffers, what));
            return None;
        }
        let scale = if self.shares { (f64::from(size.0), f64::from(size.1)) } else { (1.0, 1.0) };
        let mask = match self.mask.as_ref().map(|mask| mask.decode(size, scale)) {
            Some(Ok(mask)) => Some(mask),
            Some(Err(Fault { kind, what })) => {
                faults.push(Fault { kind, what: format!("{name}: {what}") });
                None
            }
            None => None,
        };
        let mut boxes: Vec<[f64; 4]> =
            self.boxes.iter().filter_map(|&bbox| self.clip(bbox, scale, size, faults)).collect();
        if self.boxes.is_empty() {
            boxes.extend(mask.as_ref().and_then(Mask::bbox));
        }
        if boxes.is_empty() {
            faults.push(Fault::new(FaultKind::NothingLeft, name.clone()));
            return None;
        }
        Some(Settled { boxes, mask })
    }

    fn clip(
        &self,
        bbox: [f64; 4],
        scale: (f64, f64),
        (width, height): (u32, u32),
        faults: &mut Vec<Fault>,
    ) -> Option<[f64; 4]> {
        let (width, height) = (f64::from(width), f64::from(height));
        // Shares are written with six decimals: a hundredth of a pixel is what they are good for.
        let pixels = |v: f64, scale: f64| if self.shares { (100.0 * v * scale).round() / 100.0 } else { v };
        let [x0, y0, x1, y1] = bbox;
        let (x0, x1) = (pixels(x0, scale.0), pixels(x1, scale.0));
        let (y0, y1) = (pixels(y0, scale.1), pixels(y1, scale.1));
        let said = || format!("{} [{x0}, {y0}, {x1}, {y1}] of {width}x{height}", self.name);
        let cut = [x0.max(0.0), y0.max(0.0), x1.min(width), y1.min(height)];
        if cut[0] >= cut[2] || cut[1] >= cut[3] {
            faults.push(Fault::new(FaultKind::BoxOutside, said()));
            return None;
        }
        if cut != [x0, y0, x1, y1] {
            faults.push(Fault::new(FaultKind::BoxClipped, said()));
        }
        Some(cut)
    }
}

#[cfg(test)]
impl Sample {
    /// A picture that shows a class somewhere, for tests.
    pub(crate) fn bare(name: &str, class: &str) -> Sample {
        Sample {
            name: name.into(),
            picture: name.into(),
            sequence: None,
            frame: 0,
            class: class.into(),
            accepted: vec![1],
            explained: Some(1),
            boxes: vec![],
            shares: false,
            size: None,
            mask: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(boxes: &[[f64; 4]]) -> Sample {
        Sample { boxes: boxes.to_vec(), ..Sample::bare("cat.png", "cat") }
    }

    fn settle(sample: &Sample) -> (Option<Vec<[f64; 4]>>, Vec<FaultKind>) {
        let mut faults = Vec::new();
        let settled = sample.settle((100, 50), &mut faults);
        (settled.map(|settled| settled.boxes), faults.into_iter().map(|fault| fault.kind).collect())
    }

    #[test]
    fn boxes_are_cut_at_the_edge_or_left_out() {
        let boxes = [[10.0, 10.0, 20.0, 20.0], [90.0, -5.0, 120.0, 20.0], [100.0, 0.0, 120.0, 20.0]];
        let (left, faults) = settle(&sample(&boxes));
        assert_eq!(left.unwrap(), [[10.0, 10.0, 20.0, 20.0], [90.0, 0.0, 100.0, 20.0]]);
        assert_eq!(faults, [FaultKind::BoxClipped, FaultKind::BoxOutside]);
        let (left, faults) = settle(&sample(&boxes[2..]));
        assert_eq!((left, faults.as_slice()), (None, &[FaultKind::BoxOutside, FaultKind::NothingLeft][..]));
    }

    #[test]
    fn shares_become_whole_pixels_again() {
        let shares = Sample { shares: true, ..sample(&[[0.333333, 0.02, 0.666667, 1.0]]) };
        let mut faults = Vec::new();
        let settled = shares.settle((300, 50), &mut faults).unwrap();
        assert_eq!((settled.boxes, faults.len()), (vec![[100.0, 1.0, 200.0, 50.0]], 0));
    }

    #[test]
    fn a_picture_of_another_size_is_left_out() {
        let other = Sample { size: Some((50, 100)), ..sample(&[[0.0, 0.0, 9.0, 9.0]]) };
        assert_eq!(settle(&other), (None, vec![FaultKind::SizeDiffers]));
    }
}
