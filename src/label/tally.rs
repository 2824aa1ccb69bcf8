//! How many pictures are left out, and why.

use std::collections::BTreeMap;

use super::{Finding, Input, LabellingError, Reason};

/// How many of a kind are named.
const NAMED: usize = 5;

/// The pictures that are left out, by reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tally<'a> {
    kinds: BTreeMap<Reason, Vec<&'a str>>,
}

impl<'a> Tally<'a> {
    /// Counts what is left out; `findings` has one for each picture of the input.
    pub(crate) fn new(input: &'a Input, findings: &'a [Finding]) -> Tally<'a> {
        let mut kinds: BTreeMap<Reason, Vec<&str>> = BTreeMap::new();
        for (item, finding) in input.pictures.iter().zip(findings) {
            if let Finding::Skipped(skip) = finding {
                // What can't be read says its name itself.
                let said = if skip.what.is_empty() { &item.name } else { &skip.what };
                kinds.entry(skip.reason).or_default().push(said);
            }
        }
        Tally { kinds }
    }

    /// One line for each reason: how many, and the first few by name.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.kinds.iter().map(|(reason, names)| {
            let first = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
            let more = if names.len() > NAMED { ", …" } else { "" };
            format!("left out {}: {first}{more}", counted(names.len(), *reason))
        })
    }

    /// That nothing is left, and why.
    pub(super) fn nothing_left(&self) -> LabellingError {
        let kinds = self.kinds.iter().map(|(reason, names)| counted(names.len(), *reason));
        LabellingError::NothingLeft {
            summary: kinds.collect::<Vec<_>>().join(", "),
            unsure: self.kinds.contains_key(&Reason::Unsure),
        }
    }
}

fn counted(count: usize, reason: Reason) -> String {
    format!("{count} picture{} {}", if count == 1 { "" } else { "s" }, reason.describe())
}
