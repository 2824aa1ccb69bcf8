//! The one way in which text reaches a terminal: [`visible`], and [`Lines`] for all that is printed in lines.
//!
//! Labels, names of tensors, folders and files are what others wrote: none of them moves the cursor, changes a colour,
//! begins a line of its own or turns the direction of writing.

use std::borrow::Cow;
use std::fmt::Arguments;
use std::io::{self, Write};

/// The text with all that a terminal would obey written out, such as `\u{1b}` and `\n`.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let written = |letter: char| match is_obeyed(letter) {
        true if letter.is_ascii() => letter.escape_default().to_string(),
        true => letter.escape_unicode().to_string(),
        false => letter.to_string(),
    };
    Cow::Owned(text.chars().map(written).collect())
}

/// Whether a terminal does something at a letter other than showing it: control characters, ends of lines, and what turns
/// the direction of writing.
fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Passes text on by lines: each `writeln!` is one line, whatever stands in it.
#[derive(Debug)]
pub(super) struct Lines<W>(pub(super) W);

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn write_fmt(&mut self, arguments: Arguments<'_>) -> io::Result<()> {
        let text = arguments.to_string();
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        self.0.write_all(format!("{}{end}", visible(line)).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(visible("Katze, κάτα, 猫 \"é\""), "Katze, κάτα, 猫 \"é\"");
        assert_eq!(visible("a\u{1b}[31mb\r\n\tc\u{7f}"), "a\\u{1b}[31mb\\r\\n\\tc\\u{7f}");
        assert_eq!(visible("\u{9b}2J\u{202e}txt\u{2028}"), "\\u{9b}2J\\u{202e}txt\\u{2028}");
    }

    #[test]
    fn each_writeln_is_one_line() {
        let mut out = Lines(Vec::new());
        let (cat, dog) = ("cat\ncamloc: error: forged", "dog\u{7}");
        writeln!(out, "{cat} and {dog}").unwrap();
        writeln!(out).unwrap();
        assert_eq!(out.0, b"cat\\ncamloc: error: forged and dog\\u{7}\n\n");
    }
}
