use std::path::PathBuf;

use crate::files::FileError;
use crate::runtime::RuntimeError;
use crate::sink::SinkError;
use crate::workers::Died;

/// Why pictures can't be labelled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LabellingError {
    /// No such folder.
    #[error("{} is no folder: give a folder of pictures", .0.display())]
    NoFolder(PathBuf),
    /// There is nothing to label.
    #[error("{} holds no pictures (JPEG, PNG, GIF, WebP, BMP, TIFF, PNM)", .0.display())]
    NoPictures(PathBuf),
    /// Nothing says what the pictures show.
    #[error(
        "nothing says what the pictures in {} show: sort them into folders named by class, or say it with --classes \
         cat,dog", .0.display()
    )]
    NoClasses(PathBuf),
    /// A class was asked for that has no folder among others.
    #[error("{} has no folder \"{class}\" with pictures; it has {}", .folder.display(), .there.join(", "))]
    NoClassFolder {
        /// The input.
        folder: PathBuf,
        /// The class.
        class: String,
        /// The folders there are.
        there: Vec<String>,
    },
    /// The model does not have a class.
    #[error("\"{name}\" is no class of the model: {reason}{} what it is with --alias \"{name}=NAME|ID\"{}", then_say(.reason), leave_out(*.folder))]
    UnknownClass {
        /// The user's name.
        name: String,
        /// What is near.
        reason: String,
        /// Whether the name is a folder's.
        folder: bool,
    },
    /// Two names for one class, on pictures that may show either.
    #[error(
        "\"{first}\" and \"{second}\" both stand for the model's class {class}: no picture can tell them apart"
    )]
    SameClass {
        /// One name.
        first: String,
        /// The other.
        second: String,
        /// The model's name of the class.
        class: String,
    },
    /// The dataset is there already.
    #[error("{} is there already: choose another name, or replace it with --overwrite", .0.display())]
    Exists(PathBuf),
    /// What would be replaced is not a dataset of ours.
    #[error("{} is not a dataset that camloc wrote, and is not replaced: choose another name", .0.display())]
    NotOurs(PathBuf),
    /// Input and output lie in each other.
    #[error("{} and {} lie in each other: write the dataset beside the pictures", .output.display(), .input.display())]
    Nested {
        /// The dataset.
        output: PathBuf,
        /// The pictures.
        input: PathBuf,
    },
    /// No picture is left for the dataset.
    #[error("no picture is left for a dataset: {summary}{}", if *.unsure { "; --min-score lowers the bar" } else { "" })]
    NothingLeft {
        /// How many were left out, and why.
        summary: String,
        /// Whether some are left out for their score.
        unsure: bool,
    },
    /// The journal holds someone's work under other settings.
    #[error(
        "{} holds the review of a run with another model, other settings or other pictures: finish that run, or move \
         the file away to begin anew", .0.display()
    )]
    OtherReview(PathBuf),
    /// Two runs would write over each other's decisions.
    #[error("{} is written by another run: wait for it, or choose another name for the dataset", .0.display())]
    InUse(PathBuf),
    /// Another file has the journal's name.
    #[error("{} is no journal of camloc label: move it away, or choose another name for the dataset", .0.display())]
    NotAJournal(PathBuf),
    /// The run was told to stop before the dataset was complete.
    #[error("stopped; nothing was written, and the same command goes on from here")]
    Stopped,
    /// The model failed.
    #[error(transparent)]
    Model(#[from] RuntimeError),
    /// A file can't be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Something can't be written or shown.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A thread died of a defect in camloc.
    #[error("a labelling thread died: this is a defect of camloc, please report it")]
    Died,
}

impl From<Died> for LabellingError {
    fn from(_: Died) -> LabellingError {
        LabellingError::Died
    }
}

/// Goes on after a reason, which may be a question.
fn then_say(reason: &str) -> &'static str {
    if reason.ends_with('?') { " Say" } else { "; say" }
}

fn leave_out(folder: bool) -> &'static str {
    if folder { ", or name the folders that count with --classes" } else { "" }
}
