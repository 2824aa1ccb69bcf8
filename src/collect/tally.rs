//! What became of the frames that were to be saved: [`Tally`].

use super::saver::Outcome;

/// Counts of frames that were to be saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Pictures saved, by class.
    saved: Vec<usize>,
    /// Left out as they are like one that was saved shortly before.
    pub alike: usize,
    /// Left out as the file was there, of the same frame of the same recording.
    pub there: usize,
    /// Lost as the disk or the processor was behind.
    pub dropped: usize,
}

impl Tally {
    /// How many pictures of a class were saved.
    pub(crate) fn saved(&self, class: usize) -> usize {
        self.saved.get(class).copied().unwrap_or(0)
    }

    pub(super) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Saved(class) => {
                let classes = self.saved.len().max(class + 1);
                self.saved.resize(classes, 0);
                self.saved[class] += 1;
            }
            Outcome::Alike => self.alike += 1,
            Outcome::There => self.there += 1,
        }
    }
}
