//! Reading files that lie beside a model. Nobody vouches for them: they are regular files of a sensible size, within the
//! model's folder, or they are not read.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The most bytes of such a file: the names of a hundred thousand classes have room.
pub(in crate::model) const MOST_BYTES: u64 = 16 << 20;

/// The text of a file, or why it is not read.
pub(in crate::model) fn read(path: &Path) -> Result<String, String> {
    let plain = |error: std::io::Error| format!("it cannot be read ({})", error.kind());
    // Before it is opened: opening a pipe would wait for whoever writes to it.
    if !fs::metadata(path).map_err(plain)?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(plain)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(plain)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("it is larger than {} MiB", MOST_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not text in UTF-8".to_owned())
}

/// As [`read`], for a file that lies below `root`, links followed. `None` where there is none of that name.
pub(super) fn read_below(root: &Path, path: &Path) -> Option<Result<String, String>> {
    fs::symlink_metadata(path).ok()?;
    let inside = match (root.canonicalize(), path.canonicalize()) {
        (Ok(root), Ok(path)) => path.starts_with(root),
        _ => return Some(Err("it leads nowhere".to_owned())),
    };
    Some(if inside { read(path) } else { Err("it leads out of the model's folder".to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_sensible_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.txt");
        fs::write(&path, "cat\n").unwrap();
        assert_eq!(read(&path).as_deref(), Ok("cat\n"));
        File::create(&path).unwrap().set_len(MOST_BYTES + 1).unwrap();
        assert_eq!(read(&path).unwrap_err(), "it is larger than 16 MiB");
        fs::write(&path, b"\xff\xfe").unwrap();
        assert!(read(&path).unwrap_err().contains("UTF-8"));
        assert_eq!(read(folder.path()).unwrap_err(), "it is no regular file");
        assert!(read_below(folder.path(), &folder.path().join("none.txt")).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_no_further_than_the_folder_and_devices_are_left_alone() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("model");
        fs::create_dir(&inner).unwrap();
        fs::write(folder.path().join("secret.txt"), "secret").unwrap();
        symlink("../secret.txt", inner.join("labels.txt")).unwrap();
        let out = read_below(&inner, &inner.join("labels.txt")).unwrap();
        assert_eq!(out.unwrap_err(), "it leads out of the model's folder");
        assert_eq!(read_below(folder.path(), &inner.join("labels.txt")).unwrap().unwrap(), "secret");
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err(), "it is no regular file");
        symlink("nowhere", inner.join("gone.txt")).unwrap();
        assert_eq!(read_below(&inner, &inner.join("gone.txt")).unwrap().unwrap_err(), "it leads nowhere");
    }
}
