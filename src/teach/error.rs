//! Why nothing was learned: [`TeachError`].

use crate::explainer::ExplainerError;
use crate::train::TrainError;

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TeachError {
    /// There is nothing to learn from, or training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// What was learned can't be shown.
    #[error(transparent)]
    Explain(#[from] ExplainerError),
    /// A thread died of a defect in camloc.
    #[error("the thread that learns died: this is a defect of camloc, please report it")]
    Died,
}
