//! Where the dataset goes: a folder that appears under its name when it is complete.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use super::LabellingError;
use crate::sink::SinkError;

/// The file by which a dataset is known as ours.
pub(super) const MARK: &str = "label.json";

/// Refuses a place for the dataset that would lose something: another folder or file, or pictures of the input. What is
/// there may be replaced only if camloc wrote it and `overwrite` is said. Returns the place without links and detours.
pub fn check_place(input: &Path, output: &Path, overwrite: bool) -> Result<PathBuf, LabellingError> {
    let (from, to) = (resolved(input), resolved(output));
    if from.starts_with(&to) || to.starts_with(&from) {
        return Err(LabellingError::Nested { output: output.to_owned(), input: input.to_owned() });
    }
    let is_empty = |folder: &Path| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if !to.exists() || (to.is_dir() && is_empty(&to)) {
        return Ok(to);
    }
    match (to.join(MARK).is_file(), overwrite) {
        (false, _) => Err(LabellingError::NotOurs(output.to_owned())),
        (true, false) => Err(LabellingError::Exists(output.to_owned())),
        (true, true) => Ok(to),
    }
}

/// The path without links and detours.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = absolute.ancestors().find_map(|above| Some((fs::canonicalize(above).ok()?, above)));
    let Some((mut real, above)) = there else { return absolute };
    // What is not there has no links.
    for part in absolute.strip_prefix(above).unwrap_or(Path::new("")).components() {
        match part {
            Component::ParentDir => drop(real.pop()),
            other => real.push(other),
        }
    }
    real
}

/// A dataset that grows beside its place under a hidden name, and is removed if it is dropped unfinished.
#[derive(Debug)]
pub(super) struct Draft {
    folder: TempDir,
    target: PathBuf,
}

impl Draft {
    /// The beginning of the dataset at `output`; folders above it are made.
    pub(super) fn create(output: &Path) -> Result<Draft, SinkError> {
        let target = resolved(output);
        let above = target.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(above).map_err(|source| SinkError::writing(&target, source))?;
        let folder = hidden(&target, ".part").map_err(|source| SinkError::writing(&target, source))?;
        Ok(Draft { folder, target })
    }

    /// A path in the dataset as it grows.
    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Makes a folder in the dataset.
    pub(super) fn folder(&self, below: &str) -> Result<(), SinkError> {
        fs::create_dir_all(self.path(below)).map_err(|source| self.failed(below, source))
    }

    /// Writes a file of the dataset.
    pub(super) fn write(&self, below: &str, bytes: &[u8]) -> Result<(), SinkError> {
        fs::write(self.path(below), bytes).map_err(|source| self.failed(below, source))
    }

    /// The error of writing a file of the dataset, which is called by the name that it will have.
    pub(super) fn failed(&self, below: &str, source: std::io::Error) -> SinkError {
        SinkError::writing(&self.target.join(below), source)
    }

    /// Gives the complete dataset its name, in place of one that is there.
    pub(super) fn finish(self) -> Result<PathBuf, SinkError> {
        let failed = |source| SinkError::writing(&self.target, source);
        let aside = match self.target.exists() {
            true => {
                let aside = hidden(&self.target, ".old").map_err(failed)?;
                fs::rename(&self.target, aside.path().join("dataset")).map_err(failed)?;
                Some(aside)
            }
            false => None,
        };
        if let Err(error) = fs::rename(self.folder.path(), &self.target) {
            if let Some(aside) = aside {
                // The old one stays, under its name or, failing that, where it can be found.
                let _ = fs::rename(aside.path().join("dataset"), &self.target);
                let _ = aside.keep();
            }
            return Err(failed(error));
        }
        // Under its new name it is not the draft's to remove.
        let _ = self.folder.keep();
        Ok(self.target)
    }
}

/// A folder beside `target` with a hidden name.
fn hidden(target: &Path, suffix: &str) -> std::io::Result<TempDir> {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(suffix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // What any new folder gets, less the user's umask; temporary folders are private otherwise.
        builder.permissions(fs::Permissions::from_mode(0o777));
    }
    builder.tempdir_in(target.parent().unwrap_or(Path::new("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_dataset_appears_complete_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("deep/set");
        let draft = Draft::create(&target).unwrap();
        draft.folder("images").unwrap();
        draft.write("images/a.txt", b"a").unwrap();
        assert!(!target.exists());
        drop(draft);
        assert!(entries(&folder.path().join("deep")).is_empty());
        for content in ["one", "two"] {
            let draft = Draft::create(&target).unwrap();
            draft.write(MARK, content.as_bytes()).unwrap();
            draft.finish().unwrap();
            assert_eq!(fs::read_to_string(target.join(MARK)).unwrap(), content);
            assert_eq!(entries(&folder.path().join("deep")), ["set"]);
        }
    }

    #[test]
    fn nothing_of_the_users_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for name in ["in", "empty", "theirs", "ours"] {
            fs::create_dir(place(name)).unwrap();
        }
        fs::write(place("theirs/diary.txt"), "").unwrap();
        fs::write(place("ours").join(MARK), "").unwrap();
        fs::write(place("file"), "").unwrap();
        let check = |output: &str, overwrite| check_place(&place("in"), &place(output), overwrite);
        check("new", false).unwrap();
        check("empty", false).unwrap();
        check("ours", true).unwrap();
        assert!(matches!(check("ours", false), Err(LabellingError::Exists(_))));
        for theirs in ["theirs", "file"] {
            assert!(matches!(check(theirs, true), Err(LabellingError::NotOurs(_))), "{theirs}");
        }
        for nested in ["in", "in/set", "new/../in/set", "."] {
            assert!(matches!(check(nested, true), Err(LabellingError::Nested { .. })), "{nested}");
        }
        check("in-boxes", false).unwrap();
    }
}
