//! Where a result of one file goes: a file, a device or pipe, or standard output: [`OutputFile`].

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::paths::{is_special, is_stdout};
use super::{AtomicFile, FileError, folder_of, sweep};

/// Writes `bytes` to a file, which appears under its name only when it is complete and replaces any other of that name;
/// its folder must exist. Devices and pipes are written to, and `-` is standard output.
///
/// # Errors
///
/// If the place cannot be written to.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut out = OutputFile::open_one(path)?;
    out.write_all(bytes).map_err(|source| out.failed(source))?;
    out.finish().map(|_| ())
}

/// A result as it is written.
#[derive(Debug)]
pub(crate) struct OutputFile(Place);

#[derive(Debug)]
enum Place {
    /// Standard output: each [`OutputFile::line_done`] is seen at once.
    Stdout(BufWriter<io::Stdout>),
    /// A device or pipe of this name, which cannot be replaced by renaming.
    Special(BufWriter<File>, PathBuf),
    /// A file that appears when it is complete.
    File(BufWriter<AtomicFile>),
}

impl OutputFile {
    /// Opens a file, a device, a named pipe, or standard output for `-`. A file appears under its name in
    /// [`OutputFile::finish`], and not at all if it is dropped before. What killed runs left in its folder is removed.
    ///
    /// # Errors
    ///
    /// If the place cannot be written to.
    pub(crate) fn open(path: &Path) -> Result<OutputFile, FileError> {
        let out = OutputFile::open_one(path)?;
        if let Place::File(file) = &out.0 {
            sweep(folder_of(file.get_ref().target()));
        }
        Ok(out)
    }

    fn open_one(path: &Path) -> Result<OutputFile, FileError> {
        if is_stdout(path) {
            return Ok(OutputFile(Place::Stdout(BufWriter::new(io::stdout()))));
        }
        if is_special(path) {
            // Appending: what a shell has redirected there before stays.
            let file = File::options().append(true).open(path).map_err(|e| FileError::writing(path, e))?;
            return Ok(OutputFile(Place::Special(BufWriter::new(file), path.to_owned())));
        }
        Ok(OutputFile(Place::File(BufWriter::new(AtomicFile::create(path)?))))
    }

    /// An unnamed file for what comes later in this one: on its disk, where that is a disk.
    pub(crate) fn scratch(&self) -> Result<File, FileError> {
        let scratch = match &self.0 {
            Place::File(file) => tempfile::tempfile_in(folder_of(file.get_ref().target())),
            Place::Stdout(_) | Place::Special(..) => tempfile::tempfile(),
        };
        scratch.map_err(|source| self.failed(source))
    }

    /// Passes on what was written, if anyone can be waiting for it.
    pub(crate) fn line_done(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Place::Stdout(out) => out.flush(),
            Place::Special(out, _) => out.flush(),
            Place::File(_) => Ok(()),
        }
    }

    /// The error of writing here.
    pub(crate) fn failed(&self, source: io::Error) -> FileError {
        let closed = source.kind() == io::ErrorKind::BrokenPipe;
        match &self.0 {
            Place::Stdout(_) if closed => FileError::StdoutClosed,
            Place::Special(_, path) if closed && path.starts_with("/dev") => FileError::StdoutClosed,
            Place::Stdout(_) => FileError::writing(Path::new("standard output"), source),
            Place::Special(_, path) => FileError::writing(path, source),
            Place::File(file) => FileError::writing(file.get_ref().target(), source),
        }
    }

    /// Writes what is left and gives a file its name; the path of the file, `None` for standard output.
    ///
    /// # Errors
    ///
    /// If that cannot be written.
    pub(crate) fn finish(mut self) -> Result<Option<PathBuf>, FileError> {
        if let Err(source) = self.flush() {
            return Err(self.failed(source));
        }
        match self.0 {
            Place::Stdout(_) => Ok(None),
            Place::Special(_, path) => Ok(Some(path)),
            // Flushed above, so nothing is left in the buffer that is dropped here.
            Place::File(file) => file.into_parts().0.finish().map(Some),
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Place::Stdout(out) => out.write(bytes),
            Place::Special(out, _) => out.write(bytes),
            Place::File(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Place::Stdout(out) => out.flush(),
            Place::Special(out, _) => out.flush(),
            Place::File(out) => out.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_written_itself() {
        let mut full = OutputFile::open(Path::new("/dev/full")).unwrap();
        full.write_all(b"line\n").unwrap();
        let error = full.line_done().map_err(|source| full.failed(source)).unwrap_err();
        assert!(matches!(error, FileError::DiskFull { .. }), "{error}");
        let mut null = OutputFile::open(Path::new("/dev/null")).unwrap();
        null.write_all(b"line\n").unwrap();
        assert_eq!(null.finish().unwrap(), Some(PathBuf::from("/dev/null")));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_to_and_stays_a_pipe() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link.json"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for path in [&pipe, &link] {
            let reader = std::thread::spawn({
                let pipe = pipe.clone();
                move || std::fs::read(pipe).unwrap()
            });
            write_file(path, b"result").unwrap();
            assert_eq!(reader.join().unwrap(), b"result");
            assert!(std::fs::metadata(path).unwrap().file_type().is_fifo());
        }
        assert_eq!(crate::files::names(folder.path()), ["link.json", "pipe"]);
    }
}
