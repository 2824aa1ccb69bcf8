//! Why a file can't be written: [`FileError`].

use std::io;
use std::path::{Path, PathBuf};

use super::is_full;

/// Why a file can't be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Whoever read our standard output has stopped, as `| head` does: no failure, the program just ends.
    #[error("standard output was closed by its reader")]
    StdoutClosed,
    /// The folder for a file is missing.
    #[error("{} cannot be written: its folder does not exist; create the folder or choose another place", path.display())]
    MissingFolder {
        /// The file.
        path: PathBuf,
    },
    /// A folder has the name of the file.
    #[error("{} is a folder: give the name of a file in it", path.display())]
    IsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file stands where a folder is needed.
    #[error("{} cannot be written: a part of this path is a file, not a folder; choose another place", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// A device, pipe or socket has the name of a file that has to be written as a whole.
    #[error("{} is a device or a pipe, which is not replaced: give the name of a file", path.display())]
    IsDevice {
        /// The device.
        path: PathBuf,
    },
    /// We may not write there.
    #[error("{} cannot be written: permission denied or read-only; choose another place", path.display())]
    Denied {
        /// The file.
        path: PathBuf,
    },
    /// No space is left.
    #[error("{} cannot be written: the disk is full; free some space or choose another place", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// Any other failure to write.
    #[error("{} cannot be written: the system reports an error there; choose another place", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file that is not ours has the name of one that is to be written.
    #[error("{} is not what camloc wrote there, and stays: move it away, then give the same command again", path.display())]
    Stays {
        /// The file.
        path: PathBuf,
    },
    /// The new folder is in its place, but of the one that it replaced something is left.
    #[error("{} is written; what it replaced could not all be cleared away and is in {}", target.display(), path.display())]
    Left {
        /// Where it is left.
        path: PathBuf,
        /// The new folder.
        target: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Two outputs are one file.
    #[error("{} is given for two outputs: give each its own name", path.display())]
    SameOutput {
        /// The file.
        path: PathBuf,
    },
    /// An output would replace what is read.
    #[error("{} is read by this run and cannot be its output, too: choose another name", path.display())]
    IsInput {
        /// The file.
        path: PathBuf,
    },
}

impl FileError {
    /// The error of writing `path`.
    pub(crate) fn writing(path: &Path, source: io::Error) -> FileError {
        let path = path.to_owned();
        match source.kind() {
            // Where nothing can be made, such as in /proc, the system calls the new file missing.
            io::ErrorKind::NotFound if path.parent().is_some_and(Path::is_dir) => FileError::Denied { path },
            io::ErrorKind::NotFound => FileError::MissingFolder { path },
            io::ErrorKind::IsADirectory => FileError::IsFolder { path },
            io::ErrorKind::NotADirectory => FileError::NotAFolder { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => FileError::Denied { path },
            _ if is_full(&source) => FileError::DiskFull { path },
            _ => FileError::Write { path, source },
        }
    }
}
