use std::path::PathBuf;

use super::BadName;
use crate::files::FileError;
use crate::sink::SinkError;
use crate::source::SourceError;

/// Why pictures can't be collected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CollectError {
    /// The name of a class can't be the name of its folder.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The folder can't be listed.
    #[error("{} can't be read: {}; choose another folder", .path.display(), .source.kind())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Frames can't be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file can't be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A picture can't be written, or the window can't be shown.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A thread died of a defect in camloc.
    #[error("a thread that collects died: this is a defect of camloc, please report it")]
    Died,
}
