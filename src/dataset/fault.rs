//! What is wrong with a dataset: named and counted, and the rest is evaluated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many of a kind are remembered by name.
const NAMED: usize = 5;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// A row, object or file of the truth that can't be understood; left out.
    BadRow,
    /// The same object twice; counted once.
    DuplicateRow,
    /// A class that the model does not have; left out.
    UnknownClass,
    /// A box without area; left out.
    EmptyBox,
    /// A box that lies outside of the picture; left out.
    BoxOutside,
    /// A box that reaches beyond the picture; cut off there.
    BoxClipped,
    /// A picture without any object; left out.
    NoObjects,
    /// A picture that is not there; left out.
    MissingPicture,
    /// A picture that can't be decoded; left out.
    UnreadablePicture,
    /// A picture of another size than the truth says; left out, as the boxes may belong to another picture.
    SizeDiffers,
    /// A mask that can't be read, or is of another size than its picture; left out.
    BadMask,
    /// A picture of which no box is left; left out.
    NothingLeft,
}

impl FaultKind {
    /// What happened to this many of them.
    fn describe(self) -> &'static str {
        match self {
            FaultKind::BadRow => "rows that can't be read",
            FaultKind::DuplicateRow => "duplicate rows",
            FaultKind::UnknownClass => "objects of classes that the model does not have",
            FaultKind::EmptyBox => "boxes without area",
            FaultKind::BoxOutside => "boxes outside of their picture",
            FaultKind::BoxClipped => "boxes cut off at the picture's edge",
            FaultKind::NoObjects => "pictures without objects",
            FaultKind::MissingPicture => "missing pictures",
            FaultKind::UnreadablePicture => "pictures that can't be read",
            FaultKind::SizeDiffers => "pictures of another size than the truth says",
            FaultKind::BadMask => "masks that can't be used",
            FaultKind::NothingLeft => "pictures of which no box is left",
        }
    }
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// Its kind.
    pub kind: FaultKind,
    /// Which row, picture or file, and what of it.
    pub what: String,
}

impl Fault {
    /// A fault of this kind.
    pub(crate) fn new(kind: FaultKind, what: impl Into<String>) -> Fault {
        Fault { kind, what: what.into() }
    }
}

/// The faults of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Counted {
    count: usize,
    first: Vec<String>,
}

/// All faults, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Faults {
    kinds: BTreeMap<FaultKind, Counted>,
}

impl Faults {
    /// Counts one more.
    pub(crate) fn add(&mut self, fault: Fault) {
        let counted = self.kinds.entry(fault.kind).or_default();
        counted.count += 1;
        if counted.first.len() < NAMED {
            counted.first.push(fault.what);
        }
    }

    /// How many there are of a kind.
    #[cfg(test)]
    pub(crate) fn count(&self, kind: FaultKind) -> usize {
        self.kinds.get(&kind).map_or(0, |counted| counted.count)
    }

    /// One line for each kind: how many, and the first few by name.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.kinds.iter().map(|(kind, Counted { count, first })| {
            let more = if *count > first.len() { "; …" } else { "" };
            format!("{count} {}: {}{more}", kind.describe(), first.join("; "))
        })
    }

    /// Of each kind: what it is, how many, and the first few by name.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&'static str, usize, &[String])> + '_ {
        self.kinds.iter().map(|(kind, found)| (kind.describe(), found.count, found.first.as_slice()))
    }

    /// All on one line: how many of each kind, with the first by name; empty where there are none.
    pub(crate) fn summary(&self) -> String {
        let kinds = self.kinds.iter().map(|(kind, Counted { count, first })| {
            format!("{count} {} ({})", kind.describe(), first.first().map_or("", String::as_str))
        });
        kinds.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_few_are_named() {
        let mut faults = Faults::default();
        assert_eq!(faults.summary(), "");
        for i in 0..7 {
            faults.add(Fault::new(FaultKind::EmptyBox, format!("line {i}")));
        }
        faults.add(Fault::new(FaultKind::MissingPicture, "cat.jpg"));
        let lines: Vec<String> = faults.lines().collect();
        assert_eq!(lines[0], "7 boxes without area: line 0; line 1; line 2; line 3; line 4; …");
        assert_eq!(lines[1], "1 missing pictures: cat.jpg");
        assert_eq!(faults.summary(), "7 boxes without area (line 0), 1 missing pictures (cat.jpg)");
        let json = serde_json::to_value(&faults).unwrap();
        assert_eq!(json["empty_box"]["count"], 7);
    }
}
