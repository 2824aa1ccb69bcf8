//! What was found and decided so far, a line each, in a file beside the dataset.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Finding, LabellingError, Verdict};
use crate::files::{self, Found, JournalError};

/// A line after the first; of several for one picture the last counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// What the model found on a picture, by name.
    Finding(String, Finding),
    /// What was decided about it by eye.
    Verdict(String, Verdict),
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    file: files::Journal<Line>,
    kept: Kept,
}

/// What the lines say, by the pictures' names.
#[derive(Debug, Default)]
struct Kept {
    findings: HashMap<String, Finding>,
    verdicts: HashMap<String, Verdict>,
}

impl Kept {
    fn take(&mut self, line: Line) {
        match line {
            Line::Finding(name, finding) => drop(self.findings.insert(name, finding)),
            Line::Verdict(name, verdict) => drop(self.verdicts.insert(name, verdict)),
        }
    }
}

impl Journal {
    /// The journal's place beside a dataset.
    pub(crate) fn path_beside(dataset: &Path) -> PathBuf {
        let mut name = dataset.file_name().unwrap_or_default().to_owned();
        name.push(".labels.jsonl");
        dataset.with_file_name(name)
    }

    /// Opens the journal at `path`. `run` tells runs apart: everything that findings depend on. Another run's journal is
    /// begun anew, unless someone's decisions are in it. A last line that was cut short is dropped.
    ///
    /// # Errors
    /// If it can't be read or written, is open in another run, or holds the decisions of one.
    pub(crate) fn open(path: &Path, run: &str) -> Result<Journal, LabellingError> {
        let (mut file, found) = files::Journal::open(path, "camloc_label", run)?;
        let mut kept = Kept::default();
        file.replay(|line| kept.take(line))?;
        if found == Found::AnotherRun {
            if !kept.verdicts.is_empty() {
                return Err(LabellingError::OtherReview(path.to_owned()));
            }
            kept = Kept::default();
            file.begin()?;
        }
        Ok(Journal { file, kept })
    }

    /// What was found on a picture.
    pub(crate) fn finding(&self, name: &str) -> Option<&Finding> {
        self.kept.findings.get(name)
    }

    /// What was decided about a picture.
    pub(crate) fn verdict(&self, name: &str) -> Option<&Verdict> {
        self.kept.verdicts.get(name)
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If the file can't be written.
    pub(crate) fn add(&mut self, line: Line) -> Result<(), LabellingError> {
        self.file.add(&line)?;
        self.kept.take(line);
        Ok(())
    }

    /// Ends the journal of a dataset that is complete: it stays only if someone's decisions are in it.
    pub(crate) fn close(self) {
        if self.kept.verdicts.is_empty() {
            self.file.remove();
        }
    }
}

impl From<JournalError> for LabellingError {
    fn from(error: JournalError) -> LabellingError {
        match error {
            JournalError::File(error) => error.into(),
            JournalError::InUse(path) => LabellingError::InUse(path),
            JournalError::NotAJournal(path) => LabellingError::NotAJournal(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Object, Reason, Skip};
    use super::*;

    fn found() -> Finding {
        let object = Object { class: 0, bbox: [1, 2, 30, 40], score: Some(0.1) };
        Finding::Found { size: (64, 48), objects: vec![object] }
    }

    #[test]
    fn a_journal_goes_on_where_it_was_cut_and_the_last_decision_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = Journal::path_beside(&folder.path().join("my set"));
        let mut journal = Journal::open(&path, "a").unwrap();
        let skip = Skip { reason: Reason::Unsure, score: Some(0.01), what: String::new() };
        journal.add(Line::Finding("곰/1.jpg".into(), found())).unwrap();
        journal.add(Line::Finding("2.jpg".into(), Finding::Skipped(skip.clone()))).unwrap();
        journal.add(Line::Verdict("곰/1.jpg".into(), Verdict::Keep)).unwrap();
        journal.add(Line::Verdict("곰/1.jpg".into(), Verdict::Drop)).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let mut journal = Journal::open(&path, "a").unwrap();
        assert_eq!(journal.finding("곰/1.jpg"), Some(&found()));
        assert_eq!(journal.finding("2.jpg"), Some(&Finding::Skipped(skip)));
        assert_eq!(journal.verdict("곰/1.jpg"), Some(&Verdict::Keep));
        journal.add(Line::Verdict("곰/1.jpg".into(), Verdict::Drop)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn findings_of_another_run_are_forgotten_but_never_someones_decisions() {
        let folder = tempfile::tempdir().unwrap();
        let path = Journal::path_beside(&folder.path().join("set"));
        let mut journal = Journal::open(&path, "a").unwrap();
        journal.add(Line::Finding("1.jpg".into(), found())).unwrap();
        assert!(matches!(Journal::open(&path, "a"), Err(LabellingError::InUse(_))));
        drop(journal);
        let mut journal = Journal::open(&path, "b").unwrap();
        assert_eq!(journal.finding("1.jpg"), None);
        journal.add(Line::Verdict("1.jpg".into(), Verdict::Drop)).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        assert!(matches!(Journal::open(&path, "a"), Err(LabellingError::OtherReview(_))));
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn a_journal_without_decisions_goes_when_the_dataset_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = Journal::path_beside(&folder.path().join("deep/set"));
        let mut journal = Journal::open(&path, "a").unwrap();
        journal.add(Line::Verdict("1.jpg".into(), Verdict::Keep)).unwrap();
        journal.close();
        Journal::open(&path, "a").unwrap().close();
        assert!(path.is_file());
        let other = folder.path().join("other.labels.jsonl");
        Journal::open(&other, "a").unwrap().close();
        assert!(!other.exists());
    }

    #[test]
    fn a_file_that_is_no_journal_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.labels.jsonl");
        std::fs::write(&path, "my notes").unwrap();
        assert!(matches!(Journal::open(&path, "a"), Err(LabellingError::NotAJournal(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"my notes");
    }
}
