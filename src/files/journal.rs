//! What is done of a run, kept in a file, so that an interrupted one goes on where it was: [`Journal`].
//!
//! One JSON object a line: first which run it is, such as `{"camloc_eval":1,"run":"…"}`, then what is done, as it is done.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{FileError, folder_of};

/// Why a journal can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// The disk does not let us.
    #[error(transparent)]
    File(#[from] FileError),
    /// Two runs would write over each other.
    #[error("{} is written by another run", .0.display())]
    InUse(PathBuf),
    /// Another file has the journal's name.
    #[error("{} is no such journal", .0.display())]
    NotAJournal(PathBuf),
}

/// What was found in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing: the run begins.
    Nothing,
    /// What the very run has done.
    SameRun,
    /// What another run has done; it is forgotten when this one begins.
    AnotherRun,
}

/// An open journal with lines of type `L`, which nobody else can open.
#[derive(Debug)]
pub(crate) struct Journal<L> {
    path: PathBuf,
    file: File,
    /// The first line.
    head: Vec<u8>,
    lines: PhantomData<fn(L) -> L>,
}

impl<L: Serialize + DeserializeOwned> Journal<L> {
    /// Opens the journal at `path`, which is made with its folder if it is not there. `kind` is the first key of its
    /// first line, `run` tells runs apart: everything that results depend on. A last line that was cut short is dropped.
    ///
    /// # Errors
    /// If it can't be read or written, is open in another run, or is no journal of this kind: then it stays as it is.
    pub(crate) fn open(path: &Path, kind: &str, run: &str) -> Result<(Journal<L>, Found), JournalError> {
        let failed = |source| FileError::writing(path, source);
        std::fs::create_dir_all(folder_of(path)).map_err(failed)?;
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = options.map_err(failed)?;
        // Where files can't be locked, all are free.
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(JournalError::InUse(path.to_owned()));
        }
        let head = serde_json::to_vec(&json!({ kind: 1, "run": run })).map_err(|e| failed(e.into()))?;
        let mut journal = Journal {
            path: path.to_owned(),
            file,
            head: [head.as_slice(), b"\n"].concat(),
            lines: PhantomData,
        };
        let found = journal.look(kind)?;
        match found {
            Found::Nothing => journal.begin()?,
            Found::SameRun => journal.cut()?,
            Found::AnotherRun => {}
        }
        Ok((journal, found))
    }

    fn look(&mut self, kind: &str) -> Result<Found, JournalError> {
        let first = self.first_line().map_err(|source| self.failed(source))?;
        if first == self.head {
            return Ok(Found::SameRun);
        }
        let beginning = format!("{{\"{kind}\":").into_bytes();
        if !first.ends_with(b"\n") && (first.starts_with(&beginning) || beginning.starts_with(&first)) {
            // Empty, or the first line was cut short.
            return Ok(Found::Nothing);
        }
        match serde_json::from_slice::<Value>(&first) {
            Ok(head) if head.get(kind).is_some() => Ok(Found::AnotherRun),
            _ => Err(JournalError::NotAJournal(self.path.clone())),
        }
    }

    fn first_line(&mut self) -> std::io::Result<Vec<u8>> {
        self.file.rewind()?;
        let mut first = Vec::new();
        // A file that is no journal may be one long line.
        let most = self.head.len() as u64 + 1024;
        BufReader::new(std::io::Read::take(&self.file, most)).read_until(b'\n', &mut first)?;
        Ok(first)
    }

    /// Hands over what is in it line by line, whichever run it is of.
    ///
    /// # Errors
    /// If it can't be read.
    pub(crate) fn replay(&mut self, mut each: impl FnMut(L)) -> Result<(), FileError> {
        self.read(&mut each).map(|_| ()).map_err(|source| self.failed(source))
    }

    /// Forgets all that is in it: this run begins.
    ///
    /// # Errors
    /// If it can't be written.
    pub(crate) fn begin(&mut self) -> Result<(), FileError> {
        let mut begin = || {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(&self.head)
        };
        begin().map_err(|source| self.failed(source))
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If it can't be written.
    pub(crate) fn add(&mut self, line: &L) -> Result<(), FileError> {
        let mut write = || {
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            // In one piece: what a killed process leaves is a line or less.
            self.file.write_all(&text)
        };
        write().map_err(|source| self.failed(source))
    }

    /// Takes the file away: there is nothing left to go on with.
    pub(crate) fn remove(self) {
        drop(self.file);
        // If it stays, it is begun anew or gone on with.
        let _ = std::fs::remove_file(self.path);
    }

    /// Drops what follows the last whole line.
    fn cut(&mut self) -> Result<(), FileError> {
        let cut = |journal: &mut Journal<L>| {
            let good = journal.read(&mut |_| {})?;
            journal.file.set_len(good)?;
            journal.file.seek(SeekFrom::End(0))
        };
        cut(self).map(|_| ()).map_err(|source| self.failed(source))
    }

    /// The bytes up to which the lines are good, and to `each` those lines.
    fn read(&mut self, each: &mut dyn FnMut(L)) -> std::io::Result<u64> {
        self.file.rewind()?;
        let mut reader = BufReader::new(&self.file);
        let mut line = Vec::new();
        let mut next = |line: &mut Vec<u8>| {
            line.clear();
            reader.read_until(b'\n', line).map(|_| line.ends_with(b"\n"))
        };
        let mut good = 0;
        if next(&mut line)? {
            good += line.len() as u64;
            while next(&mut line)? {
                let Ok(parsed) = serde_json::from_slice(&line) else { break };
                each(parsed);
                good += line.len() as u64;
            }
        }
        drop(reader);
        self.file.seek(SeekFrom::End(0))?;
        Ok(good)
    }

    fn failed(&self, source: std::io::Error) -> FileError {
        FileError::writing(&self.path, source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, run: &str) -> Result<(Journal<u32>, Found), JournalError> {
        Journal::open(path, "camloc_test", run)
    }

    fn done(journal: &mut Journal<u32>) -> Vec<u32> {
        let mut lines = Vec::new();
        journal.replay(|line| lines.push(line)).unwrap();
        lines
    }

    #[test]
    fn a_journal_goes_on_where_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/journal");
        let (mut journal, found) = open(&path, "a").unwrap();
        assert_eq!(found, Found::Nothing);
        journal.add(&1).unwrap();
        journal.add(&22).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole, b"{\"camloc_test\":1,\"run\":\"a\"}\n1\n22\n");
        for kept in 0..whole.len() {
            std::fs::write(&path, &whole[..kept]).unwrap();
            let (mut journal, _) = open(&path, "a").unwrap();
            for line in done(&mut journal).len()..2 {
                journal.add(&[1, 22][line]).unwrap();
            }
            assert_eq!(std::fs::read(&path).unwrap(), whole, "cut at {kept}");
        }
    }

    #[test]
    fn another_runs_lines_can_be_read_until_it_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        open(&path, "a").unwrap().0.add(&1).unwrap();
        let (mut journal, found) = open(&path, "b").unwrap();
        assert!(matches!(open(&path, "b"), Err(JournalError::InUse(_))));
        assert_eq!((found, done(&mut journal)), (Found::AnotherRun, vec![1]));
        journal.begin().unwrap();
        journal.add(&2).unwrap();
        drop(journal);
        let (mut journal, found) = open(&path, "b").unwrap();
        assert_eq!((found, done(&mut journal)), (Found::SameRun, vec![2]));
        journal.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_is_no_such_journal_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        for content in [&b"my notes"[..], b"{\"camloc_other\":1,\"run\":\"a\"}\n", b"\xff\n", b"[]\n", b"\n"]
        {
            std::fs::write(&path, content).unwrap();
            assert!(matches!(open(&path, "a"), Err(JournalError::NotAJournal(_))), "{content:?}");
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
        let said = open(&path.join("journal"), "a").unwrap_err().to_string();
        assert!(said.contains("journal/journal cannot be written"), "{said}");
    }
}
