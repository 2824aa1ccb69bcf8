//! Files that appear only when they are complete: [`Part`]; and text to a file or standard output: [`TextOutput`].

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::SinkError;

/// The name that stands for standard output.
const STDOUT: &str = "-";

/// A file that grows beside its place under a hidden name, and is removed if it is dropped unfinished.
#[derive(Debug)]
pub(super) struct Part {
    file: NamedTempFile,
    target: PathBuf,
    /// Why it could not be written.
    failure: Option<io::ErrorKind>,
}

impl Part {
    /// The beginning of the file `target`; nothing of that name need exist, its folder must.
    ///
    /// The hidden name ends like `target`, so that programs know its format.
    pub(super) fn create(target: &Path) -> Result<Part, SinkError> {
        // A link stays a link: the file behind it is replaced.
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let failed = |source| SinkError::writing(&target, source);
        if target.is_dir() {
            return Err(SinkError::IsFolder { path: target });
        }
        let name = target.file_name().ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
        let mut prefix = OsString::from(".");
        prefix.push(target.file_stem().unwrap_or(name));
        let mut suffix = OsString::from(".part");
        if let Some(extension) = target.extension() {
            suffix.push(".");
            suffix.push(extension);
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(&suffix);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // What any new file gets, less the user's umask; temporary files are private otherwise.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder_of(&target)).map_err(failed)?;
        Ok(Part { file, target, failure: None })
    }

    /// The hidden path, for a program that writes the file itself.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The path that the file will have.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// The open file.
    pub(super) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Why it could not be written, where it could not: some encoders tell only that.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.failure.map(io::Error::from)
    }

    /// Gives the complete file its name, replacing any other of that name.
    pub(super) fn finish(self) -> Result<PathBuf, SinkError> {
        match self.file.persist(&self.target) {
            Ok(_) => Ok(self.target),
            Err(failure) => Err(SinkError::writing(&self.target, failure.error)),
        }
    }

    /// Gives the complete file its name unless there is a file of that name; then it is `None`.
    pub(super) fn finish_new(self) -> Result<Option<PathBuf>, SinkError> {
        match self.file.persist_noclobber(&self.target) {
            Ok(_) => Ok(Some(self.target)),
            Err(failure) if failure.error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(failure) => Err(SinkError::writing(&self.target, failure.error)),
        }
    }
}

/// Where lines of text go.
#[derive(Debug)]
pub(super) enum TextOutput {
    /// Standard output: each [`TextOutput::line_done`] is seen at once.
    Stdout(BufWriter<io::Stdout>),
    /// A device or pipe of this name, which cannot be replaced by renaming.
    Special(BufWriter<File>, PathBuf),
    /// A file that appears when it is complete.
    Part(BufWriter<Part>),
}

impl TextOutput {
    /// Opens a file, a device, a named pipe, or standard output for `-`.
    pub(super) fn open(path: &Path) -> Result<TextOutput, SinkError> {
        if is_stdout(path) {
            return Ok(TextOutput::Stdout(BufWriter::new(io::stdout())));
        }
        if is_special(path) {
            // Appending: what a shell has redirected there before stays.
            let file = File::options().append(true).open(path).map_err(|e| SinkError::writing(path, e))?;
            return Ok(TextOutput::Special(BufWriter::new(file), path.to_owned()));
        }
        Ok(TextOutput::Part(BufWriter::new(Part::create(path)?)))
    }

    /// Where to write to.
    pub(super) fn writer(&mut self) -> &mut dyn Write {
        match self {
            TextOutput::Stdout(out) => out,
            TextOutput::Special(out, _) => out,
            TextOutput::Part(out) => out,
        }
    }

    /// Passes on what was written, if anyone can be waiting for it.
    pub(super) fn line_done(&mut self) -> io::Result<()> {
        match self {
            TextOutput::Stdout(out) => out.flush(),
            TextOutput::Special(out, _) => out.flush(),
            TextOutput::Part(_) => Ok(()),
        }
    }

    /// The error of writing here.
    pub(super) fn failed(&self, source: io::Error) -> SinkError {
        match self {
            TextOutput::Stdout(_) if source.kind() == io::ErrorKind::BrokenPipe => SinkError::StdoutClosed,
            TextOutput::Special(_, path)
                if source.kind() == io::ErrorKind::BrokenPipe && path.starts_with("/dev") =>
            {
                SinkError::StdoutClosed
            }
            TextOutput::Stdout(_) => SinkError::writing(Path::new("standard output"), source),
            TextOutput::Special(_, path) => SinkError::writing(path, source),
            TextOutput::Part(part) => SinkError::writing(part.get_ref().target(), source),
        }
    }

    /// Writes what is left and gives a file its name; the path of the file, `None` for standard output.
    pub(super) fn finish(mut self) -> Result<Option<PathBuf>, SinkError> {
        if let Err(source) = self.writer().flush() {
            return Err(self.failed(source));
        }
        match self {
            TextOutput::Stdout(_) => Ok(None),
            TextOutput::Special(_, path) => Ok(Some(path)),
            TextOutput::Part(part) => match part.into_inner() {
                Ok(part) => part.finish().map(Some),
                Err(failure) => {
                    let (source, part) = failure.into_parts();
                    Err(SinkError::writing(part.get_ref().target(), source))
                }
            },
        }
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file().write(bytes);
        self.failure = written.as_ref().err().map(io::Error::kind).or(self.failure);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

/// Refuses outputs of a run that would be one file, or would replace one of its inputs, also by way of links.
///
/// `-`, standard output, counts as one file; devices may be given twice. Paths need not exist.
pub fn check_outputs(outputs: &[&Path], inputs: &[&Path]) -> Result<(), SinkError> {
    for (i, output) in outputs.iter().enumerate() {
        if outputs[..i].iter().any(|other| same_file(output, other)) {
            return Err(SinkError::SameOutput { path: output.to_path_buf() });
        }
        if inputs.iter().any(|input| same_file(output, input)) {
            return Err(SinkError::IsInput { path: output.to_path_buf() });
        }
    }
    Ok(())
}

fn same_file(a: &Path, b: &Path) -> bool {
    if is_stdout(a) || is_stdout(b) {
        return is_stdout(a) && is_stdout(b);
    }
    if is_special(a) || is_special(b) {
        return false;
    }
    resolved(a) == resolved(b) || hard_linked(a, b)
}

#[cfg(unix)]
fn hard_linked(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn hard_linked(_: &Path, _: &Path) -> bool {
    false
}

/// The path without links, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| match (fs::canonicalize(folder_of(path)), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    })
}

/// The folder in which a file lies, `.` for a bare name.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new(STDOUT)
}

/// Whether the path names an open stream, a device, a pipe or a socket rather than a file.
fn is_special(path: &Path) -> bool {
    let streams = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc/self/fd"];
    streams.iter().any(|stream| path.starts_with(stream))
        || fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::names;

    fn finish(path: &Path, content: &[u8]) -> Result<PathBuf, SinkError> {
        let mut part = Part::create(path)?;
        part.write_all(content).unwrap();
        part.finish()
    }

    #[test]
    fn a_file_appears_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("found.json");
        finish(&path, b"old").unwrap();

        let mut part = Part::create(&path).unwrap();
        part.write_all(b"half").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(part);
        assert_eq!(names(folder.path()), ["found.json"]);
        assert_eq!(fs::read(&path).unwrap(), b"old");

        finish(&path, b"new").unwrap();
        assert_eq!(names(folder.path()), ["found.json"]);
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn places_that_cannot_be_written_are_named_with_their_reason() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let refused = |path: PathBuf| Part::create(&path).unwrap_err();
        assert!(matches!(refused(folder.path().join("none/x.json")), SinkError::MissingFolder { .. }));
        assert!(matches!(refused(file.join("x.json")), SinkError::NotAFolder { .. }));
        assert!(matches!(refused(folder.path().to_owned()), SinkError::IsFolder { .. }));
        assert!(matches!(refused(PathBuf::from("..")), SinkError::IsFolder { .. }));
        let message = refused(folder.path().join("none/x.json")).to_string();
        assert!(message.contains("x.json") && !message.contains('\n'), "{message}");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_can_be_read_by_whom_the_umask_lets() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (usual, ours) = (folder.path().join("usual"), folder.path().join("ours.json"));
        fs::write(&usual, "").unwrap();
        finish(&ours, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&usual));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_the_file_behind_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        finish(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn two_outputs_to_one_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        let detour = folder.path().join(".").join("x.json");
        let other = folder.path().join("y.json");
        assert!(matches!(check_outputs(&[&path, &detour], &[]), Err(SinkError::SameOutput { .. })));
        let stdout = Path::new("-");
        assert!(matches!(check_outputs(&[stdout, &path, stdout], &[]), Err(SinkError::SameOutput { .. })));
        check_outputs(&[&path, &other, stdout], &[folder.path()]).unwrap();
    }

    #[test]
    fn an_output_never_replaces_an_input() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("clip.mp4"), "").unwrap();
        fs::hard_link(at("clip.mp4"), at("hard.mp4")).unwrap();
        let refused = |name: &str| {
            matches!(check_outputs(&[&at(name)], &[&at("clip.mp4")]), Err(SinkError::IsInput { .. }))
        };
        assert!(refused("clip.mp4"));
        assert!(!refused("other.mp4"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("clip.mp4"), at("soft.mp4")).unwrap();
            assert!(refused("soft.mp4"));
            assert!(refused("hard.mp4"));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_written_itself() {
        let mut full = TextOutput::open(Path::new("/dev/full")).unwrap();
        full.writer().write_all(b"line\n").unwrap();
        let error = full.line_done().map_err(|source| full.failed(source)).unwrap_err();
        assert!(matches!(error, SinkError::DiskFull { .. }), "{error}");
        let mut null = TextOutput::open(Path::new("/dev/null")).unwrap();
        null.writer().write_all(b"line\n").unwrap();
        assert_eq!(null.finish().unwrap(), Some(PathBuf::from("/dev/null")));
    }
}
