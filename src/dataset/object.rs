//! An object of a dataset that is written, and the part of it that its picture is in.

use serde::{Deserialize, Serialize};

/// An object on a picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Object {
    /// Its class, by place in the dataset's classes.
    pub class: usize,
    /// `[x0, y0, x1, y1]` in pixels of the upright picture, inside it; `x1` and `y1` exclusive.
    pub bbox: [u32; 4],
    /// The class's probability, 0..1; `None` for a box that was drawn by hand.
    pub score: Option<f32>,
}

/// A part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// What a detector learns from.
    Train,
    /// What it is measured on.
    Val,
}

impl Part {
    /// Both.
    pub(crate) const ALL: [Part; 2] = [Part::Train, Part::Val];

    /// The name, as the formats have it: `train` or `val`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Val => "val",
        }
    }
}
