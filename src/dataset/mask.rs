//! Masks: which pixels of a picture belong to the object.

use std::path::{Path, PathBuf};

use super::polygon::fill;
use super::{Fault, FaultKind};
use crate::localize::Runs;
use crate::source::read_photo;

/// Where a mask comes from; it takes its pixels' memory only when it is decoded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MaskSource {
    /// A picture in which the object is whatever is not black.
    File(PathBuf),
    /// The union of these.
    Shapes(Vec<Shape>),
}

/// A part of a mask.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Corners in the units of the sample's boxes; a pixel is inside if its centre is, holes by the even-odd rule.
    Polygon(Vec<[f64; 2]>),
    /// Run lengths.
    Runs(Runs),
}

/// The pixels of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mask {
    /// Width and height of the picture.
    pub size: (u32, u32),
    /// `[height, width]`, row by row.
    pub pixels: Vec<bool>,
}

impl Mask {
    /// The box around the object, `x1` and `y1` exclusive; `None` where there is none.
    pub(crate) fn bbox(&self) -> Option<[f64; 4]> {
        let width = self.size.0 as usize;
        let mut bounds: Option<[usize; 4]> = None;
        for (y, row) in self.pixels.chunks_exact(width.max(1)).enumerate() {
            let Some(first) = row.iter().position(|&cell| cell) else { continue };
            let last = row.iter().rposition(|&cell| cell).unwrap_or(first);
            let b = bounds.unwrap_or([first, y, last + 1, y + 1]);
            bounds = Some([b[0].min(first), b[1], b[2].max(last + 1), y + 1]);
        }
        bounds.map(|bounds| bounds.map(|edge| edge as f64))
    }
}

impl MaskSource {
    /// The mask of a picture of this size; `scale` turns the units of polygons into pixels.
    ///
    /// # Errors
    /// A file that can't be read, and a mask of another size.
    pub(super) fn decode(&self, size: (u32, u32), scale: (f64, f64)) -> Result<Mask, Fault> {
        match self {
            MaskSource::File(path) => from_file(path, size),
            MaskSource::Shapes(shapes) => from_shapes(shapes, size, scale),
        }
    }
}

fn bad(what: String) -> Fault {
    Fault::new(FaultKind::BadMask, what)
}

fn from_file(path: &Path, size: (u32, u32)) -> Result<Mask, Fault> {
    let picture = read_photo(path).map_err(|error| bad(error.to_string()))?;
    if picture.size() != size {
        let (found, wanted) = (picture.size(), size);
        let name = path.display();
        return Err(bad(format!(
            "{name} has {}x{} pixels, its picture {}x{}",
            found.0, found.1, wanted.0, wanted.1
        )));
    }
    let pixels = picture.rgb().chunks_exact(3).map(|pixel| pixel.iter().any(|&v| v > 0)).collect();
    Ok(Mask { size, pixels })
}

fn from_shapes(shapes: &[Shape], size: (u32, u32), scale: (f64, f64)) -> Result<Mask, Fault> {
    let mut pixels = vec![false; size.0 as usize * size.1 as usize];
    for shape in shapes {
        match shape {
            Shape::Polygon(corners) => {
                let corners: Vec<_> = corners.iter().map(|[x, y]| (x * scale.0, y * scale.1)).collect();
                fill(&corners, size.0 as usize, &mut pixels, true);
            }
            Shape::Runs(runs) if (runs.width, runs.height) == size => runs.paint(&mut pixels, true),
            Shape::Runs(runs) => {
                return Err(bad(format!(
                    "run lengths for {}x{} pixels, the picture has {}x{}",
                    runs.width, runs.height, size.0, size.1
                )));
            }
        }
    }
    Ok(Mask { size, pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(mask: &Mask) -> String {
        mask.pixels.iter().map(|&cell| if cell { '#' } else { '.' }).collect()
    }

    fn polygon(corners: &[[f64; 2]], size: (u32, u32)) -> Mask {
        from_shapes(&[Shape::Polygon(corners.to_vec())], size, (1.0, 1.0)).unwrap()
    }

    #[test]
    fn a_rectangle_fills_the_pixels_of_its_box() {
        let mask = polygon(&[[1.0, 1.0], [4.0, 1.0], [4.0, 3.0], [1.0, 3.0]], (5, 4));
        assert_eq!(text(&mask), "......###..###......");
        assert_eq!(mask.bbox(), Some([1.0, 1.0, 4.0, 3.0]));
    }

    #[test]
    fn a_polygon_that_leaves_the_picture_or_is_none_is_cut() {
        let mask = polygon(&[[-9.0, -9.0], [9.0, -9.0], [9.0, 9.0], [-9.0, 9.0]], (2, 2));
        assert_eq!(text(&mask), "####");
        for corners in [&[][..], &[[1.0, 1.0]], &[[0.0, 0.0], [2.0, 2.0]], &[[f64::NAN, 0.0], [1.0, 2.0]]] {
            assert_eq!(polygon(corners, (2, 2)).bbox(), None, "{corners:?}");
        }
    }

    #[test]
    fn a_mask_file_of_another_size_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.pgm");
        std::fs::write(&path, b"P5 3 2 255\n\x00\x01\xff\x00\x00\x00").unwrap();
        let source = MaskSource::File(path);
        let mask = source.decode((3, 2), (1.0, 1.0)).unwrap();
        assert_eq!((text(&mask).as_str(), mask.bbox()), (".##...", Some([1.0, 0.0, 3.0, 1.0])));
        let fault = source.decode((4, 2), (1.0, 1.0)).unwrap_err();
        assert!(fault.kind == FaultKind::BadMask && fault.what.contains("3x2 pixels, its picture 4x2"));
    }
}
