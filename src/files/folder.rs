//! A result that is a folder, which appears under its name when it is complete: [`FolderDraft`]; and which files of one
//! that is there are ours: [`Listed`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::sweep::{ENDING, MARK};
use super::{FileError, resolved, sweep};
use crate::digest;

/// The files of a folder: paths below it, parted by `/`, and the SHA-256 of what is in them. What was changed is not what
/// we wrote, and nobody's to delete but the user's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Listed(BTreeMap<String, String>);

impl Listed {
    /// What is in a folder.
    fn of(folder: &Path) -> io::Result<Listed> {
        let mut listed = BTreeMap::new();
        for below in entries(folder)? {
            listed.insert(name_of(&below), digest::of_file(&folder.join(below))?);
        }
        Ok(Listed(listed))
    }

    /// Parts what is in a folder into what is as it is listed here, and what is not.
    pub(crate) fn part(&self, folder: &Path) -> io::Result<Kept> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for below in entries(folder)? {
            let path = folder.join(&below);
            let same = |hash: &String| digest::of_file(&path).is_ok_and(|found| found == *hash);
            let is_file = fs::symlink_metadata(&path)?.is_file();
            if is_file && self.0.get(&name_of(&below)).is_some_and(same) {
                ours.push(below);
            } else {
                theirs.push(below);
            }
        }
        Ok(Kept { ours, theirs })
    }
}

/// The files in a folder, as paths below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What we wrote, unchanged since.
    pub(crate) ours: Vec<PathBuf>,
    /// All else.
    pub(crate) theirs: Vec<PathBuf>,
}

/// A path below a folder as it is listed.
fn name_of(below: &Path) -> String {
    below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Everything below a folder that is not a folder, sorted; links are not followed. An empty folder is no one's.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(above) = open.pop() {
        for entry in fs::read_dir(folder.join(&above))? {
            let entry = entry?;
            let below = above.join(entry.file_name());
            if entry.file_type()?.is_dir() { open.push(below) } else { found.push(below) }
        }
    }
    found.sort();
    Ok(found)
}

/// A folder that grows beside its place under a hidden name, and is removed if it is dropped unfinished.
#[derive(Debug)]
pub(crate) struct FolderDraft {
    folder: TempDir,
    target: PathBuf,
    /// For `sweep`: what is locked is being written.
    _lock: Option<File>,
}

impl FolderDraft {
    /// The beginning of the folder `target`; folders above it are made.
    pub(crate) fn create(target: &Path) -> Result<FolderDraft, FileError> {
        let target = resolved(target);
        let above = target.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(above).map_err(|source| FileError::writing(&target, source))?;
        sweep(above);
        let folder = hidden(&target, ENDING).map_err(|source| FileError::writing(&target, source))?;
        // Where a folder can't be locked, `sweep` leaves it.
        let lock = File::open(folder.path()).ok();
        let _ = lock.as_ref().map(File::try_lock);
        Ok(FolderDraft { folder, target, _lock: lock })
    }

    /// A path in the folder as it grows.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Makes a folder in it.
    pub(crate) fn folder(&self, below: &str) -> Result<(), FileError> {
        fs::create_dir_all(self.path(below)).map_err(|source| self.failed(below, source))
    }

    /// Begins a file of it.
    pub(crate) fn file(&self, below: &str) -> Result<File, FileError> {
        File::create_new(self.path(below)).map_err(|source| self.failed(below, source))
    }

    /// An unnamed file on its disk, for what comes later in one of it.
    pub(crate) fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile_in(self.folder.path())
    }

    /// Writes a file of it.
    pub(crate) fn write(&self, below: &str, bytes: &[u8]) -> Result<(), FileError> {
        let mut file = self.file(below)?;
        file.write_all(bytes).map_err(|source| self.failed(below, source))
    }

    /// The error of writing a file of it, which is called by the name that it will have.
    pub(crate) fn failed(&self, below: &str, source: io::Error) -> FileError {
        FileError::writing(&self.target.join(below), source)
    }

    /// What is in it so far.
    pub(crate) fn listed(&self) -> Result<Listed, FileError> {
        Listed::of(self.folder.path()).map_err(|source| FileError::writing(&self.target, source))
    }

    /// Gives the complete folder its name. Of one that is there, the files that `ours` tells are deleted once the new one
    /// is in its place; all else stays where it is.
    ///
    /// # Errors
    /// If that can't be, or a file that stays has the name of a new one; then all is as it was before.
    pub(crate) fn finish(self, ours: impl Fn(&Path) -> io::Result<Kept>) -> Result<PathBuf, FileError> {
        let failed = |source| FileError::writing(&self.target, source);
        if !self.target.exists() {
            fs::rename(self.folder.path(), &self.target).map_err(failed)?;
            return Ok(self.keep());
        }
        let old = ours(&self.target).map_err(failed)?;
        if let Some(below) =
            old.theirs.iter().find(|below| self.folder.path().join(below).symlink_metadata().is_ok())
        {
            return Err(FileError::Stays { path: self.target.join(below) });
        }
        // From here on nothing is removed but what is ours: not even where it fails half-way.
        let aside = hidden(&self.target, ".old").map_err(failed)?.keep().join("dataset");
        let back = |error| {
            let _ = fs::rename(&aside, &self.target);
            let _ = aside.parent().map(fs::remove_dir);
            failed(error)
        };
        fs::rename(&self.target, &aside).map_err(back)?;
        fs::rename(self.folder.path(), &self.target).map_err(back)?;
        let target = self.keep();
        move_over(&aside, &target, &old).map_err(|source| FileError::Left {
            path: aside.clone(),
            target: target.clone(),
            source,
        })?;
        Ok(target)
    }

    /// Under its new name it is not the draft's to remove.
    fn keep(self) -> PathBuf {
        let _ = self.folder.keep();
        self.target
    }
}

/// Moves what is not ours from the folder that was to the one that is, and deletes what is.
fn move_over(aside: &Path, target: &Path, old: &Kept) -> io::Result<()> {
    for name in &old.theirs {
        let place = target.join(name);
        if let Some(above) = place.parent() {
            fs::create_dir_all(above)?;
        }
        fs::rename(aside.join(name), place)?;
    }
    for name in &old.ours {
        fs::remove_file(aside.join(name))?;
    }
    remove_empty(aside)?;
    aside.parent().map_or(Ok(()), fs::remove_dir)
}

/// Removes a folder of nothing but folders.
fn remove_empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        remove_empty(&entry?.path())?;
    }
    fs::remove_dir(folder)
}

/// A folder beside `target` with a hidden name.
fn hidden(target: &Path, suffix: &str) -> io::Result<TempDir> {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(MARK);
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
    use crate::files::names;

    fn none(_: &Path) -> io::Result<Kept> {
        Ok(Kept::default())
    }

    #[test]
    fn a_folder_appears_complete_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("deep/set");
        let draft = FolderDraft::create(&target).unwrap();
        draft.folder("images").unwrap();
        draft.write("images/a.txt", b"a").unwrap();
        assert!(!target.exists());
        drop(draft);
        assert!(names(&folder.path().join("deep")).is_empty());
        let mut listed = Listed::default();
        for content in ["one", "two"] {
            let draft = FolderDraft::create(&target).unwrap();
            draft.write("list", content.as_bytes()).unwrap();
            let new = draft.listed().unwrap();
            draft.finish(|folder| listed.part(folder)).unwrap();
            listed = new;
            assert_eq!(fs::read_to_string(target.join("list")).unwrap(), content);
            assert_eq!(names(&folder.path().join("deep")), ["set"]);
        }
    }

    #[test]
    fn what_we_did_not_write_stays() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("set");
        let draft = |texts: &[&str]| {
            let draft = FolderDraft::create(&target).unwrap();
            draft.folder("labels").unwrap();
            for name in texts {
                draft.write(&format!("labels/{name}"), name.as_bytes()).unwrap();
            }
            draft
        };
        let first = draft(&["a", "b", "c"]);
        let listed = first.listed().unwrap();
        first.finish(none).unwrap();
        fs::create_dir(target.join("mine")).unwrap();
        fs::write(target.join("mine/notes"), "").unwrap();
        fs::write(target.join("labels/c"), "mended by hand").unwrap();
        let outside = root.path().join("outside");
        fs::write(&outside, "b").unwrap();
        #[cfg(unix)]
        {
            // A link to what is listed is not what is listed.
            fs::remove_file(target.join("labels/b")).unwrap();
            std::os::unix::fs::symlink(&outside, target.join("labels/b")).unwrap();
        }

        let error = draft(&["c", "d"]).finish(|folder| listed.part(folder)).unwrap_err();
        assert!(matches!(&error, FileError::Stays { path } if path.ends_with("labels/c")), "{error}");
        assert_eq!(names(&target.join("labels")), ["a", "b", "c"]);
        assert_eq!(names(root.path()), ["outside", "set"]);

        draft(&["a", "d"]).finish(|folder| listed.part(folder)).unwrap();
        #[cfg(unix)]
        assert_eq!(names(&target.join("labels")), ["a", "b", "c", "d"]);
        assert_eq!(fs::read_to_string(target.join("labels/c")).unwrap(), "mended by hand");
        assert!(target.join("mine/notes").is_file() && outside.is_file());
        assert_eq!(names(root.path()), ["outside", "set"]);
    }

    #[test]
    fn a_list_leads_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let (target, outside) = (root.path().join("set"), root.path().join("outside"));
        fs::create_dir(&target).unwrap();
        fs::write(&outside, "x").unwrap();
        let hash = digest::of_file(&outside).unwrap();
        let absolute = outside.to_string_lossy().into_owned();
        let listed = Listed([("../outside".to_owned(), hash.clone()), (absolute, hash)].into());
        let draft = FolderDraft::create(&target).unwrap();
        draft.finish(|folder| listed.part(folder)).unwrap();
        assert!(outside.is_file());
    }
}
