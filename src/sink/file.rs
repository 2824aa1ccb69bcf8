//! A result that is one file, made in memory: [`write_file`].

use std::io::Write;
use std::path::Path;

use super::SinkError;
use super::output::Part;

/// Writes `bytes` to the file `path`, which appears under its name only when it is complete and replaces any other of
/// that name; its folder must exist.
///
/// # Errors
///
/// If the place cannot be written to.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), SinkError> {
    let mut part = Part::create(path)?;
    part.write_all(bytes).map_err(|source| SinkError::writing(path, source))?;
    part.finish().map(|_| ())
}
