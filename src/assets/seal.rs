//! Whether files of the cache are still what was put there.
//!
//! A seal beside them keeps each one's hash, and a stamp: size, time of change, inode. While the stamps are as they
//! were, nothing is read; a file with another stamp is hashed again, and sealed anew where it is whole after all (a copied
//! cache). What is not whole is as good as not there, so it is fetched or made again.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::digest;
use crate::files::replace;

/// Each file's name, hash and stamp.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Seal(BTreeMap<String, Sealed>);

#[derive(Debug, PartialEq, Deserialize, Serialize)]
struct Sealed {
    sha256: String,
    stamp: Stamp,
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
struct Stamp {
    bytes: u64,
    /// Nanoseconds since 1970; 0 where the system does not say.
    changed: u64,
    inode: u64,
}

/// How closely a seal is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Files whose stamps are as they were are not read.
    Quick,
    /// Every file is read.
    Thorough,
}

impl Seal {
    /// Seals files as they are now. They are told apart by name alone.
    pub(super) fn of(files: impl IntoIterator<Item = PathBuf>) -> io::Result<Seal> {
        let sealed = files.into_iter().map(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok((name, Sealed { sha256: digest::of_file(&file)?, stamp: Stamp::of(&fs::metadata(&file)?) }))
        });
        sealed.collect::<io::Result<_>>().map(Seal)
    }

    /// Writes the seal, in one step.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        replace(path, &serde_json::to_vec(self).map_err(io::Error::other)?)
    }

    /// Whether the seal at `path` is there and all that it seals lies unchanged in `folder`.
    pub(super) fn holds(path: &Path, folder: &Path, look: Look) -> bool {
        let Ok(text) = fs::read(path) else { return false };
        let Ok(mut seal) = serde_json::from_slice::<Seal>(&text) else { return false };
        let mut moved = false;
        for (name, sealed) in &mut seal.0 {
            // A name leads nowhere else.
            let file = folder.join(Path::new(name).file_name().unwrap_or_default());
            let Ok(stamp) = fs::metadata(&file).map(|metadata| Stamp::of(&metadata)) else { return false };
            if stamp == sealed.stamp && look == Look::Quick {
                continue;
            }
            if stamp.bytes != sealed.stamp.bytes
                || digest::of_file(&file).ok().as_ref() != Some(&sealed.sha256)
            {
                return false;
            }
            moved |= stamp != sealed.stamp;
            sealed.stamp = stamp;
        }
        if moved && let Err(error) = seal.write(path) {
            // Then it is hashed the next time, too: slower, no worse.
            tracing::debug!(path = %path.display(), %error, "the seal of the cache can't be renewed");
        }
        true
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Stamp {
            bytes: metadata.len(),
            changed: changed.map_or(0, |time| time.as_nanos() as u64),
            inode: inode(metadata),
        }
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// A folder with a sealed file, the file, and the seal.
    fn sealed() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (file, seal) = (dir.path().join("model"), dir.path().join("seal.json"));
        fs::write(&file, "as it was").unwrap();
        Seal::of([file.clone()]).unwrap().write(&seal).unwrap();
        (dir, file, seal)
    }

    #[test]
    fn what_is_as_it_was_holds_and_what_is_not_does_not() {
        let (dir, file, seal) = sealed();
        assert!(
            Seal::holds(&seal, dir.path(), Look::Quick) && Seal::holds(&seal, dir.path(), Look::Thorough)
        );
        // A flipped bit: the size stays.
        fs::write(&file, "as it Was").unwrap();
        assert!(!Seal::holds(&seal, dir.path(), Look::Quick));
        fs::remove_file(&file).unwrap();
        assert!(!Seal::holds(&seal, dir.path(), Look::Quick));
    }

    #[test]
    fn a_thorough_look_finds_what_kept_its_stamp() {
        let (dir, file, seal) = sealed();
        let changed = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&file, "as it Was").unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(changed).unwrap();
        assert!(Seal::holds(&seal, dir.path(), Look::Quick), "nothing tells it");
        assert!(!Seal::holds(&seal, dir.path(), Look::Thorough));
    }

    #[test]
    fn a_copy_is_hashed_once_and_then_known() {
        let (dir, file, seal) = sealed();
        let before = fs::read(&seal).unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(UNIX_EPOCH).unwrap();
        assert!(Seal::holds(&seal, dir.path(), Look::Quick));
        let after = fs::read(&seal).unwrap();
        assert_ne!(before, after, "sealed anew");
        assert!(Seal::holds(&seal, dir.path(), Look::Quick));
        assert_eq!(fs::read(&seal).unwrap(), after);
    }

    #[test]
    fn no_seal_and_a_broken_seal_hold_nothing() {
        let (dir, _, seal) = sealed();
        fs::write(&seal, "{").unwrap();
        assert!(!Seal::holds(&seal, dir.path(), Look::Quick));
        fs::remove_file(&seal).unwrap();
        assert!(!Seal::holds(&seal, dir.path(), Look::Quick));
    }
}
