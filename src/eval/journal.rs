//! What is done of a run, kept in a file, so that an interrupted one goes on where it was.
//!
//! One JSON object a line: first which run it is, then an [`Entry`] for each sample as it is done.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::record::Entry;
use crate::disk;
use crate::sink::SinkError;

/// The file's name in a report's folder.
pub const FILE: &str = "journal.jsonl";

/// The journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk does not let us.
    #[error(transparent)]
    Disk(SinkError),
    /// Two runs would write over each other.
    #[error("{} is written by another run: wait for it, or give another --report", .0.display())]
    InUse(PathBuf),
}

fn failed(path: &Path, source: std::io::Error) -> JournalError {
    JournalError::Disk(SinkError::writing(path, source))
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Head {
    camloc_eval: u32,
    run: String,
}

/// What was found in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing: the run begins.
    Nothing,
    /// Samples of the very run.
    SameRun,
    /// Another run's: it was overwritten.
    AnotherRun,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    head: Head,
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal in a folder, which is made if it is not there. `run` tells runs apart: everything that
    /// figures depend on.
    ///
    /// A last line that was cut short is dropped.
    pub fn open(folder: &Path, run: &str) -> Result<(Journal, Found), JournalError> {
        let path = folder.join(FILE);
        let failed = |source| failed(&path, source);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(failed)?;
        if disk::is_taken(&file) {
            return Err(JournalError::InUse(path));
        }
        let head = Head { camloc_eval: 1, run: run.to_owned() };
        let empty = file.metadata().map_err(failed)?.len() == 0;
        let (length, found) = match read(&file, &head, &mut |_| {}).map_err(failed)? {
            Some(length) => (length, Found::SameRun),
            None if empty => (0, Found::Nothing),
            None => (0, Found::AnotherRun),
        };
        file.set_len(length).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut journal = Journal { head, file, path };
        if length == 0 {
            journal.line(&journal.head.clone())?;
        }
        Ok((journal, found))
    }

    /// Hands over what was done before, one by one.
    pub(super) fn replay(&mut self, mut each: impl FnMut(Entry)) -> Result<(), JournalError> {
        let mut replay = || {
            self.file.rewind()?;
            read(&self.file, &self.head, &mut each)?;
            self.file.seek(SeekFrom::End(0))
        };
        replay().map(|_| ()).map_err(|source| failed(&self.path, source))
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.line(entry)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), JournalError> {
        let write = |file: &mut File| {
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            // In one piece: what a killed process leaves is a line or less.
            file.write_all(&text)
        };
        write(&mut self.file).map_err(|source| failed(&self.path, source))
    }
}

/// The bytes up to which the file is good, and to `each` the entries in them; `None` if it is not of this run.
fn read(file: &File, head: &Head, each: &mut dyn FnMut(Entry)) -> std::io::Result<Option<u64>> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut next = |line: &mut Vec<u8>| {
        line.clear();
        reader.read_until(b'\n', line).map(|_| line.ends_with(b"\n"))
    };
    if !next(&mut line)? || serde_json::from_slice::<Head>(&line).ok().as_ref() != Some(head) {
        return Ok(None);
    }
    let mut length = line.len() as u64;
    while next(&mut line)? {
        let Ok(entry) = serde_json::from_slice(&line) else { break };
        each(entry);
        length += line.len() as u64;
    }
    Ok(Some(length))
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
    fn another_runs_journal_is_begun_anew() {
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
    }
}
