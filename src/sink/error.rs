//! What can go wrong at the end of the line: [`SinkError`].

use std::io;
use std::path::PathBuf;

use crate::files::FileError;

/// Why a result cannot be written or shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SinkError {
    /// A file can't be written.
    #[error(transparent)]
    File(#[from] FileError),
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
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
