//! What can go wrong with a download.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::files::is_full;

/// Why an asset could not be had. Each message says what to do.
#[derive(Debug, Error)]
pub enum AssetError {
    /// The machine does not say where a user's cache is.
    #[error("no cache folder: HOME is not set; set CAMLOC_CACHE to a folder that camloc may write to")]
    NoCacheFolder,

    /// Nothing is pinned for this operating system and processor.
    #[error("no package of {what} is pinned for this platform ({platform}): {instead}")]
    UnsupportedPlatform {
        /// The asset.
        what: String,
        /// As in `linux-x86_64`.
        platform: String,
        /// What to do.
        instead: String,
    },

    /// The user's own ONNX Runtime or ffmpeg is missing.
    #[error("{variable} names {}, which is not a file: correct it, or unset it to let camloc fetch one", path.display())]
    OwnMissing {
        /// `CAMLOC_ORT_DYLIB` or `CAMLOC_FFMPEG`.
        variable: &'static str,
        /// What the variable says.
        path: PathBuf,
    },

    /// No Python with pip.
    #[error("{what} must be fetched and there is no pip: install Python 3 with pip, or {instead}")]
    NoPip {
        /// The asset.
        what: String,
        /// What to do otherwise.
        instead: String,
    },

    /// pip did not reach a package index.
    #[error(
        "{what} must be fetched and the network cannot be reached: connect once, or {instead} (pip says: {said})"
    )]
    Network {
        /// The asset.
        what: String,
        /// What to do otherwise.
        instead: String,
        /// pip's reason.
        said: String,
    },

    /// pip failed in another way.
    #[error("pip could not fetch {what}: {said}; check the network and pip's settings, or {instead}")]
    Pip {
        /// The asset.
        what: String,
        /// What to do otherwise.
        instead: String,
        /// pip's last meaningful line.
        said: String,
    },

    /// The download is not the pinned one.
    #[error(
        "the download of {what} is not the pinned one (sha256 expected {expected}, got {got}): \
         nothing was kept; try again, or check your mirror"
    )]
    WrongHash {
        /// The asset.
        what: String,
        /// The pinned sha256.
        expected: String,
        /// The sha256 of what came.
        got: String,
    },

    /// The pinned wheel does not hold what the manifest says: the manifest is wrong.
    #[error("the package of {what}, {file}, lacks a file: please report this; {instead} meanwhile")]
    Incomplete {
        /// The asset.
        what: String,
        /// The wheel.
        file: String,
        /// What to do.
        instead: String,
    },

    /// The disk is full.
    #[error("the disk is full: free some space, or set CAMLOC_CACHE to a folder elsewhere (the cache is {})", dir.display())]
    DiskFull {
        /// The cache folder.
        dir: PathBuf,
    },

    /// The cache may not be written to.
    #[error("cannot write to the cache folder {}: make it writable, or set CAMLOC_CACHE to one that is", dir.display())]
    CacheNotWritable {
        /// The cache folder.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// Another failure of the file system.
    #[error("the cache folder {} does not work: check it, or set CAMLOC_CACHE to another", dir.display())]
    Cache {
        /// The cache folder.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl AssetError {
    /// The error for a failure under the cache folder.
    pub(super) fn in_cache(dir: &Path, source: io::Error) -> AssetError {
        let dir = dir.to_path_buf();
        match source.kind() {
            _ if is_full(&source) => AssetError::DiskFull { dir },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                AssetError::CacheNotWritable { dir, source }
            }
            _ => AssetError::Cache { dir, source },
        }
    }
}
