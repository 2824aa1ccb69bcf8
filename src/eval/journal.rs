//! What is done of an evaluation, an [`Entry`] for each sample, so that an interrupted one goes on where it was.

use std::path::{Path, PathBuf};

use super::record::Entry;
use crate::files::{self, FileError};

pub(crate) use crate::files::Found;

/// The file's name in a report's folder.
pub(crate) const FILE: &str = "journal.jsonl";

/// The journal can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// The disk does not let us.
    #[error(transparent)]
    File(#[from] FileError),
    /// Two runs would write over each other.
    #[error("{} is written by another run: wait for it, or give another --report", .0.display())]
    InUse(PathBuf),
    /// Another file has the journal's name.
    #[error("{} is no journal of camloc eval: move it away, or give another --report", .0.display())]
    NotAJournal(PathBuf),
}

impl From<files::JournalError> for JournalError {
    fn from(error: files::JournalError) -> JournalError {
        match error {
            files::JournalError::File(error) => JournalError::File(error),
            files::JournalError::InUse(path) => JournalError::InUse(path),
            files::JournalError::NotAJournal(path) => JournalError::NotAJournal(path),
        }
    }
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal(files::Journal<Entry>);

impl Journal {
    /// Opens the journal in a folder, which is made if it is not there. `run` tells runs apart: everything that
    /// figures depend on. Another run's journal is begun anew.
    ///
    /// A last line that was cut short is dropped.
    ///
    /// # Errors
    /// If it can't be read or written, is open in another run, or is no such journal.
    pub(crate) fn open(folder: &Path, run: &str) -> Result<(Journal, Found), JournalError> {
        let (mut journal, found) = files::Journal::open(&folder.join(FILE), "camloc_eval", run)?;
        if found == Found::AnotherRun {
            journal.begin()?;
        }
        Ok((Journal(journal), found))
    }

    /// Hands over what was done before, one by one.
    pub(super) fn replay(&mut self, each: impl FnMut(Entry)) -> Result<(), JournalError> {
        Ok(self.0.replay(each)?)
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<(), JournalError> {
        Ok(self.0.add(entry)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(journal: &mut Journal) -> Vec<Entry> {
        let mut entries = Vec::new();
        journal.replay(|entry| entries.push(entry)).unwrap();
        entries
    }

    fn entry(name: &str) -> Entry {
        Entry { name: name.into(), faults: vec![], record: None, pixels: None }
    }

    #[test]
    fn a_journal_goes_on_where_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, found) = Journal::open(folder.path(), "a").unwrap();
        assert_eq!(found, Found::Nothing);
        journal.add(&entry("one")).unwrap();
        journal.add(&entry("two")).unwrap();
        drop(journal);
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        let (mut journal, found) = Journal::open(folder.path(), "a").unwrap();
        assert_eq!((found, done(&mut journal)), (Found::SameRun, vec![entry("one")]));
        journal.add(&entry("two")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn another_runs_journal_is_begun_anew_and_another_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(&folder.path().join("deep/er"), "a").unwrap();
        journal.add(&entry("one")).unwrap();
        assert!(matches!(Journal::open(&folder.path().join("deep/er"), "b"), Err(JournalError::InUse(_))));
        drop(journal);
        let (mut journal, found) = Journal::open(&folder.path().join("deep/er"), "b").unwrap();
        assert_eq!((found, done(&mut journal)), (Found::AnotherRun, vec![]));
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let said = Journal::open(&file, "a").unwrap_err().to_string();
        assert!(said.contains("file/journal.jsonl cannot be written"), "{said}");
        std::fs::write(folder.path().join(FILE), "my notes").unwrap();
        assert!(matches!(Journal::open(folder.path(), "a"), Err(JournalError::NotAJournal(_))));
        assert_eq!(std::fs::read(folder.path().join(FILE)).unwrap(), b"my notes");
    }
}
