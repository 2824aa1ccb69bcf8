//! Which paths are one file, and which of them may be written.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::FileError;

/// The name that stands for standard output.
const STDOUT: &str = "-";

/// Refuses outputs of a run that would be one file, or would replace one of its inputs, also by way of links.
///
/// `-`, standard output, counts as one file; devices may be given twice. Paths need not exist.
///
/// # Errors
/// [`FileError::SameOutput`] or [`FileError::IsInput`].
pub(crate) fn check_outputs(outputs: &[&Path], inputs: &[&Path]) -> Result<(), FileError> {
    for (i, output) in outputs.iter().enumerate() {
        if outputs[..i].iter().any(|other| same_file(output, other)) {
            return Err(FileError::SameOutput { path: output.to_path_buf() });
        }
        if inputs.iter().any(|input| same_file(output, input)) {
            return Err(FileError::IsInput { path: output.to_path_buf() });
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

/// The path without links and detours; what of it does not exist stays as it is written.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = absolute.ancestors().find_map(|above| Some((fs::canonicalize(above).ok()?, above)));
    let Some((mut real, above)) = there else { return absolute };
    // What is not there has no links.
    for part in absolute.strip_prefix(above).unwrap_or(Path::new("")).components() {
        match part {
            Component::ParentDir => drop(real.pop()),
            other => real.push(other),
        }
    }
    real
}

/// The folder in which a file lies, `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a folder unless it is there.
pub(crate) fn make_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => FileError::NotAFolder { path: path.to_owned() },
        _ => FileError::writing(path, source),
    })
}

/// Whether the path stands for standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    path == Path::new(STDOUT)
}

/// Whether the path names an open stream, a device, a pipe or a socket rather than a file.
pub(super) fn is_special(path: &Path) -> bool {
    let streams = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc/self/fd"];
    streams.iter().any(|stream| path.starts_with(stream))
        || fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_outputs_to_one_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        let detour = folder.path().join(".").join("x.json");
        let other = folder.path().join("y.json");
        assert!(matches!(check_outputs(&[&path, &detour], &[]), Err(FileError::SameOutput { .. })));
        let stdout = Path::new("-");
        assert!(matches!(check_outputs(&[stdout, &path, stdout], &[]), Err(FileError::SameOutput { .. })));
        check_outputs(&[&path, &other, stdout], &[folder.path()]).unwrap();
    }

    #[test]
    fn an_output_never_replaces_an_input() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("clip.mp4"), "").unwrap();
        fs::hard_link(at("clip.mp4"), at("hard.mp4")).unwrap();
        let refused = |name: &str| {
            matches!(check_outputs(&[&at(name)], &[&at("clip.mp4")]), Err(FileError::IsInput { .. }))
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
}
