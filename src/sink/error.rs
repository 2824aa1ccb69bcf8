//! What can go wrong at the end of the line: [`SinkError`].

use std::io;
use std::path::{Path, PathBuf};

use crate::disk;

/// Why a result cannot be written or shown.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
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
    /// The extension names no format that we write.
    #[error("{} has no ending of a format camloc writes: use {known}", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// The endings there are.
        known: &'static str,
    },
    /// A picture cannot be encoded.
    #[error("{} cannot be encoded: a picture of {width}x{height} pixels does not fit the format", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Width of the picture in pixels.
        width: u32,
        /// Height of the picture in pixels.
        height: u32,
        /// The encoder's reason.
        source: image::ImageError,
    },
    /// A file that should name the classes of masks does not.
    #[error("{} does not name the classes of masks, one a line, \"background\" first and 256 at most: remove it or choose another folder", path.display())]
    NotLabels {
        /// The file.
        path: PathBuf,
    },
    /// A palette is full.
    #[error("{} cannot hold another class: a palette has 255; lock on some with --class or write masks as rle", path.display())]
    TooManyClasses {
        /// The folder of masks.
        path: PathBuf,
    },
    /// ffmpeg cannot be started.
    #[error("{} cannot be started: install ffmpeg or give the path of one", ffmpeg.display())]
    NoEncoder {
        /// The program.
        ffmpeg: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// ffmpeg gave up.
    #[error("{} cannot be written: ffmpeg stopped with \"{reason}\"; check the place and that this ffmpeg has the codec", path.display())]
    Encoder {
        /// The file.
        path: PathBuf,
        /// ffmpeg's own word for it.
        reason: String,
    },
    /// A signal ended ffmpeg.
    #[error("{} cannot be written: {} crashed ({how}); install another ffmpeg, or name one with CAMLOC_FFMPEG", path.display(), ffmpeg.display())]
    EncoderCrashed {
        /// The file.
        path: PathBuf,
        /// The program.
        ffmpeg: PathBuf,
        /// The signal.
        how: String,
    },
    /// A video has pictures of one size.
    #[error("{} cannot go on: the picture's size changed from {}x{} to {}x{} within a video; use one video per size", path.display(), was.0, was.1, is.0, is.1)]
    SizeChanged {
        /// The file.
        path: PathBuf,
        /// Width and height until now.
        was: (u32, u32),
        /// Width and height of this frame.
        is: (u32, u32),
    },
    /// There is no screen.
    #[error(
        "no window can be opened: no display ({reason}); run camloc on a desktop or write to a file instead"
    )]
    NoDisplay {
        /// What was tried.
        reason: String,
    },
    /// The window does not take a picture.
    #[error("the window cannot be drawn to any more: restart camloc or write to a file instead")]
    Window {
        /// The window system's reason.
        source: minifb::Error,
    },
}

impl SinkError {
    /// The error of writing `path`.
    pub(crate) fn writing(path: &Path, source: io::Error) -> SinkError {
        let path = path.to_owned();
        match source.kind() {
            // Where nothing can be made, such as in /proc, the system calls the new file missing.
            io::ErrorKind::NotFound if path.parent().is_some_and(Path::is_dir) => SinkError::Denied { path },
            io::ErrorKind::NotFound => SinkError::MissingFolder { path },
            io::ErrorKind::IsADirectory => SinkError::IsFolder { path },
            io::ErrorKind::NotADirectory => SinkError::NotAFolder { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => SinkError::Denied { path },
            _ if disk::is_full(&source) => SinkError::DiskFull { path },
            _ => SinkError::Write { path, source },
        }
    }
}
