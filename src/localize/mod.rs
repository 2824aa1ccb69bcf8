//! From an activation map to boxes in source pixels.
//!
//! A raw map `[h, w]` is upsampled to a working grid of `GRID` x `GRID` cells over the model's
//! [`View`](crate::view::View) and normalised to 0..1 ([`Preset`]), thresholded at a share of its peak, and
//! the borders of what passes become boxes and outlines ([`Localizer`]), and its pixels masks ([`Segmenter`]). `wsol` gives the boxes and the
//! overlap exactly as the literature's evaluation counts them.

mod borders;
mod boxes;
mod localizer;
mod normalize;
mod placement;
mod resize;
mod runs;
mod segment;
pub(crate) mod wsol;

pub(crate) use boxes::iou;
pub use boxes::{BoundingBox, Detection};
pub use localizer::{Components, Localizer, Settings, UnknownComponents};
pub(crate) use normalize::Normalizer;
pub use normalize::{Preset, UnknownPreset};
pub use runs::Runs;
pub use segment::{Region, Segmentation, Segmenter};

/// Side of the square working grid, in cells.
///
/// A fixed grid makes the cost independent of model and frame, and 224 is the grid of the literature's
/// figures. It is laid over the view whatever the view's aspect: upsampling and thresholding commute with
/// stretching.
pub(crate) const GRID: usize = 224;
