//! How good an unfinished map is.

use std::fmt;

/// How many of its variants a picture was asked about, and how good the map of those is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Variants asked about.
    pub done: usize,
    /// Variants that there are.
    pub of: usize,
    /// What variants are, for people: `patches`, `masks`, `channels`.
    pub what: &'static str,
    /// How far the first class's map may be from what more variants would make of it: root mean square, as a share of
    /// its range. 0 where all variants are asked about and the method knows no others; `None` while too few are to
    /// tell.
    pub error: Option<f32>,
}

impl Estimate {
    /// Whether there is nothing left to ask.
    pub fn is_complete(&self) -> bool {
        self.done == self.of
    }
}

impl fmt::Display for Estimate {
    /// As in `420 of 1000 masks, error about 3 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {}", self.done, self.of, self.what)?;
        match self.error {
            Some(0.0) if self.is_complete() => Ok(()),
            Some(error) => write!(f, ", error about {:.1} %", 100.0 * error),
            None => f.write_str(", too few to tell the error"),
        }
    }
}
