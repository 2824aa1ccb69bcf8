//! From pictures of which only the classes are known to a training set of a detector: the classifier's own maps give
//! the boxes.
//!
//! ```text
//! gather ──pictures──► find ──findings──► journal ──► Review (by eye) ──► dataset: YOLO, COCO or VOC, and a sheet
//! ```
//!
//! What was found and decided is kept in a [`Journal`] beside the dataset, from which an interrupted run goes on. The
//! dataset itself appears under its name only when it is complete.

mod error;
mod find;
mod gather;
mod journal;
mod names;
mod photo;
mod place;
mod review;
mod screen;
mod sheet;
mod split;
mod tally;
mod write;

pub(crate) use error::LabellingError;
pub(crate) use find::{Plan, find};
pub(crate) use gather::{Class, Input, Item, gather};
pub(crate) use journal::{Journal, Line};
pub(crate) use place::check_place;
pub(crate) use review::{Review, ReviewCommand, Verdict};
pub(crate) use screen::{Ended, review};
pub(crate) use tally::Tally;
pub(crate) use write::{Outline, write};

pub(crate) use crate::dataset::Object;

use serde::{Deserialize, Serialize};

/// What became of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Finding {
    /// It shows objects.
    Found {
        /// Width and height of the upright picture in pixels.
        size: (u32, u32),
        /// Never empty; the surest first.
        objects: Vec<Object>,
    },
    /// It is left out.
    Skipped(Skip),
}

/// Why a picture is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Skip {
    /// The kind of reason.
    pub reason: Reason,
    /// Probability of the best class in question, where the model was asked.
    pub score: Option<f32>,
    /// The reason in words, where there is more to say.
    pub what: String,
}

/// A kind of reason to leave a picture out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The file is no picture that can be read.
    Unreadable,
    /// The model finds the classes less probable than asked for.
    Unsure,
    /// The map of the class gives no box.
    NoBox,
    /// Dropped by eye.
    Dropped,
}

impl Reason {
    /// The word for tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reason::Unreadable => "unreadable",
            Reason::Unsure => "unsure",
            Reason::NoBox => "no box",
            Reason::Dropped => "dropped",
        }
    }

    /// What such pictures are.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Reason::Unreadable => "that can't be read",
            Reason::Unsure => "in which the model does not believe in the class",
            Reason::NoBox => "whose map gives no box",
            Reason::Dropped => "dropped in review",
        }
    }
}

/// How sure the least sure of some objects is, 0..1; what was drawn by hand is sure.
pub(crate) fn sureness(objects: &[Object]) -> f32 {
    objects.iter().map(|object| object.score.unwrap_or(1.0)).fold(1.0, f32::min)
}
