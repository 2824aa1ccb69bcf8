//! Files that appear only when they are complete: [`AtomicFile`].

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::paths::is_special;
use super::sweep::{ENDING, MARK};
use super::{FileError, folder_of};

/// A file that grows beside its place under a hidden name that nobody can foresee, and is removed if it is dropped
/// unfinished.
#[derive(Debug)]
pub(crate) struct AtomicFile {
    file: NamedTempFile,
    target: PathBuf,
    /// Why it could not be written.
    failure: Option<io::ErrorKind>,
}

impl AtomicFile {
    /// The beginning of the file `target`; nothing of that name need exist, its folder must.
    ///
    /// The hidden name ends like `target`, so that programs know its format.
    pub(crate) fn create(target: &Path) -> Result<AtomicFile, FileError> {
        // A link stays a link: the file behind it is replaced.
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        if is_special(&target) {
            return Err(FileError::IsDevice { path: target });
        }
        if target.is_dir() || target.file_name().is_none() {
            return Err(FileError::IsFolder { path: target });
        }
        AtomicFile::beside(target.clone()).map_err(|source| FileError::writing(&target, source))
    }

    fn beside(target: PathBuf) -> io::Result<AtomicFile> {
        let mut prefix = OsString::from(".");
        prefix.push(target.file_stem().unwrap_or_default());
        prefix.push(MARK);
        let mut suffix = OsString::from(ENDING);
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
        let file = builder.tempfile_in(folder_of(&target))?;
        // For `sweep`: what is locked is being written. Elsewhere a lock would keep ffmpeg from writing it.
        #[cfg(unix)]
        let _ = file.as_file().try_lock();
        Ok(AtomicFile { file, target, failure: None })
    }

    /// The hidden path, for a program that writes the file itself.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The path that the file will have.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The open file.
    pub(crate) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Why it could not be written, where it could not: some encoders tell only that.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.failure.map(io::Error::from)
    }

    /// Gives the complete file its name, replacing any other of that name.
    pub(crate) fn finish(self) -> Result<PathBuf, FileError> {
        match self.file.persist(&self.target) {
            Ok(_) => Ok(self.target),
            Err(failure) => Err(FileError::writing(&self.target, failure.error)),
        }
    }

    /// Gives the complete file its name unless there is a file of that name; then it is `None`.
    pub(crate) fn finish_new(self) -> Result<Option<PathBuf>, FileError> {
        match self.file.persist_noclobber(&self.target) {
            Ok(_) => Ok(Some(self.target)),
            Err(failure) if failure.error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(failure) => Err(FileError::writing(&self.target, failure.error)),
        }
    }
}

/// Writes a file of our own, such as one of the cache, in one step; the system's own reason where it can't be.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::beside(path.to_owned())?;
    file.write_all(bytes)?;
    file.file.persist(path).map(|_| ()).map_err(|failure| failure.error)
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file().write(bytes);
        self.failure = written.as_ref().err().map(io::Error::kind).or(self.failure);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::names;

    fn finish(path: &Path, content: &[u8]) -> Result<PathBuf, FileError> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(content).unwrap();
        file.finish()
    }

    #[test]
    fn a_file_appears_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("found.json");
        finish(&path, b"old").unwrap();

        let mut part = AtomicFile::create(&path).unwrap();
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
        let refused = |path: PathBuf| AtomicFile::create(&path).unwrap_err();
        assert!(matches!(refused(folder.path().join("none/x.json")), FileError::MissingFolder { .. }));
        assert!(matches!(refused(file.join("x.json")), FileError::NotAFolder { .. }));
        assert!(matches!(refused(folder.path().to_owned()), FileError::IsFolder { .. }));
        assert!(matches!(refused(PathBuf::from("..")), FileError::IsFolder { .. }));
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

    #[cfg(unix)]
    #[test]
    fn links_under_names_that_temporary_files_may_have_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        fs::write(&secret, "mine").unwrap();
        for name in ["x.onnx.part", "x.onnx.new", ".x.part.onnx"] {
            std::os::unix::fs::symlink(&secret, folder.path().join(name)).unwrap();
        }
        finish(&folder.path().join("x.onnx"), b"model").unwrap();
        assert_eq!(fs::read(&secret).unwrap(), b"mine");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("x.mp4");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(AtomicFile::create(&pipe), Err(FileError::IsDevice { .. })));
        assert_eq!(names(folder.path()), ["x.mp4"]);
    }
}
