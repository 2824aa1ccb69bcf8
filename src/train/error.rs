//! Why a head cannot be trained.

use std::path::PathBuf;

use crate::files::{FileError, reason};
use crate::model::ModelError;
use crate::runtime::RuntimeError;
use crate::workers::Died;
use camloc_graph::explain::ExplainError;
use camloc_graph::onnx::load::OnnxError;

/// Why a head cannot be trained.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrainError {
    /// There is no such folder.
    #[error("{} is no folder: give one that holds a folder of pictures for each class (docs/training.md)", .0.display())]
    NoFolder(PathBuf),
    /// There are pictures, but no folders that say what they show.
    #[error("{} holds no folders of pictures: put them into one folder for each class, such as {}", .0.display(), .0.join("cat/1.jpg").display())]
    NoClasses(PathBuf),
    /// A class cannot be told from nothing.
    #[error(
        "there is only one class, {class:?}, so there is nothing to tell it from: add a folder of another, or pictures \
         without it with --negatives DIR"
    )]
    OneClass {
        /// The class.
        class: String,
    },
    /// A folder is a class without a picture.
    #[error("the class {class:?} has no pictures ({}): put some in, or remove the folder", .folder.display())]
    EmptyClass {
        /// The class.
        class: String,
        /// Its folder.
        folder: PathBuf,
    },
    /// A class has too few pictures to learn it and to hold one out.
    #[error(
        "the class {class:?} has {count} picture{} that can be read, at least {least} are needed to learn from some and to \
         check on others; 20 or more make it useful",
        if *count == 1 { "" } else { "s" }
    )]
    TooFew {
        /// The class.
        class: String,
        /// How many it has.
        count: usize,
        /// How many it takes.
        least: usize,
    },
    /// A folder of negatives has none.
    #[error("{} has no pictures for --negatives", .0.display())]
    NoNegatives(PathBuf),
    /// The backbone can't be used.
    #[error("the backbone can't be cut: {0}")]
    Backbone(#[from] ExplainError),
    /// The backbone can't be run.
    #[error("the backbone can't be run: {0}")]
    Run(#[from] RuntimeError),
    /// The features can't be kept.
    #[error("can't keep the features in {}: {}; they take {} MB there, CAMLOC_CACHE names another place", .path.display(), reason(source), .needed.div_ceil(1 << 20))]
    Cache {
        /// The file.
        path: PathBuf,
        /// Bytes that they take.
        needed: u64,
        /// The cause.
        source: std::io::Error,
    },
    /// The state of an unfinished run can't be kept or read.
    #[error("can't {what} {}: {reason}", .path.display())]
    State {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// There is no unfinished run.
    #[error("there is nothing to resume: {} is not there; leave out --resume", .0.display())]
    NothingToResume(PathBuf),
    /// An unfinished run was of something else.
    #[error("{} is of another run (other pictures, backbone or settings): leave out --resume to begin anew", .0.display())]
    OtherRun(PathBuf),
    /// Stopped before anything was learned.
    #[error(
        "stopped before the first epoch was through: nothing was written; the same command goes on with the features that are there"
    )]
    Stopped,
    /// A number went astray.
    #[error("the loss is no longer a number after epoch {epoch}: take a lower --learning-rate")]
    Diverged {
        /// The epoch.
        epoch: usize,
    },
    /// A thread died of a defect in camloc.
    #[error("a thread that looks at pictures died: this is a defect of camloc, please report it")]
    Died,
    /// The model can't be written.
    #[error(transparent)]
    Write(#[from] OnnxError),
    /// A file can't be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The model that was written can't be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A tensor operation failed.
    #[error("training failed within: {0}")]
    Tensor(#[from] candle_core::Error),
}

impl From<Died> for TrainError {
    fn from(_: Died) -> TrainError {
        TrainError::Died
    }
}
