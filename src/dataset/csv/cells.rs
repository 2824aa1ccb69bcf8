//! Cells that a spreadsheet shows and does not run.
//!
//! A cell that begins with `=`, `+`, `-` or `@` is a formula to a spreadsheet, and file names and classes come from
//! anywhere. Such a text is written with a `'` before it, which spreadsheets show as text, and read without it.

use std::borrow::Cow;
use std::io;

/// What makes a cell a formula; some programs look behind a tab or a line's end.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A table in memory, as a CSV file.
#[derive(Debug)]
pub(crate) struct Table(csv::Writer<Vec<u8>>);

impl Table {
    /// A table with these columns.
    pub(crate) fn new(columns: &[&str]) -> io::Result<Table> {
        let mut table = Table(csv::Writer::from_writer(Vec::new()));
        table.row(columns)?;
        Ok(table)
    }

    /// Adds a row of texts.
    pub(crate) fn row(&mut self, cells: &[&str]) -> io::Result<()> {
        Ok(self.0.write_record(cells.iter().map(|cell| guarded(cell).into_owned()))?)
    }

    /// The bytes of the file.
    pub(crate) fn into_bytes(self) -> io::Result<Vec<u8>> {
        self.0.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

/// A text as it is written.
fn guarded(text: &str) -> Cow<'_, str> {
    if is_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// A text as it was before it was written.
pub(super) fn plain(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|_| is_formula(cell)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_cell_begins_as_a_formula_does() {
        let mut table = Table::new(&["picture", "class"]).unwrap();
        table.row(&["=cmd|' /C calc'!A0.jpg", "@cat"]).unwrap();
        table.row(&["a, \"b\".jpg", "'tis"]).unwrap();
        let text = String::from_utf8(table.into_bytes().unwrap()).unwrap();
        assert_eq!(text, "picture,class\n'=cmd|' /C calc'!A0.jpg,'@cat\n\"a, \"\"b\"\".jpg\",'tis\n");
    }

    proptest! {
        #[test]
        fn every_text_is_read_as_it_was(text in "['=+@\t-]{0,4}(?s).{0,3}") {
            prop_assert!(!guarded(&text).starts_with(FORMULA));
            let written = guarded(&text);
            prop_assert_eq!(plain(&written), text.as_str());
        }
    }
}
