//! What killed runs leave: [`sweep`].

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::path::Path;
use std::time::Duration;

/// What is in every hidden name, before what is drawn by chance.
pub(super) const MARK: &str = ".camloc-";
/// How every hidden name ends, but for the ending of the file that it will be.
pub(super) const ENDING: &str = ".part";
/// A file that was touched later may be of a run that is about to lock it.
const STALE: Duration = Duration::from_secs(60 * 60);

/// Removes the unfinished files and folders of runs that died in a folder: those with the very names that we give, that no process
/// holds locked and that nobody has touched for an hour. What can't be removed stays.
pub(crate) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| is_ours(&entry.file_name())) {
        // Of a link, this is the link's own.
        let Ok(metadata) = entry.metadata() else { continue };
        if !is_stale(&metadata) || !is_free(&entry.path()) {
            continue;
        }
        // Someone else may have removed it by now.
        let _ =
            if metadata.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
    }
}

/// Whether a name is `.STEM.camloc-XXXXXX.part`, perhaps with an ending.
fn is_ours(name: &OsStr) -> bool {
    let Some(name) = name.to_str().filter(|name| name.starts_with('.')) else { return false };
    let Some((_, rest)) = name.rsplit_once(MARK) else { return false };
    let Some((drawn, ending)) = rest.split_once(ENDING) else { return false };
    let whole = ending.is_empty() || (ending.starts_with('.') && !ending[1..].contains('.'));
    drawn.len() >= 6 && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric()) && whole
}

fn is_stale(metadata: &Metadata) -> bool {
    let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
    (metadata.is_file() || metadata.is_dir()) && age.is_some_and(|age| age > STALE)
}

/// Whether no run holds the file or folder; where these can't be locked nobody knows.
fn is_free(path: &Path) -> bool {
    cfg!(unix) && File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::files::{AtomicFile, names};

    #[cfg(unix)]
    #[test]
    fn only_what_a_dead_run_of_ours_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        let long_ago = SystemTime::now() - 2 * STALE;
        let old = |name: &str| {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(long_ago).unwrap();
        };
        [
            "a.mp4",
            ".a.part.mp4",
            ".a.camloc-x.part.mp4",
            ".a.camloc-Ab12Cd.part.tar.gz",
            "a.camloc-Ab12Cd.part",
        ]
        .iter()
        .for_each(|name| old(name));
        std::os::unix::fs::symlink("a.mp4", folder.path().join(".l.camloc-Ab12Cd.part")).unwrap();
        File::create(folder.path().join(".young.camloc-Ab12Cd.part")).unwrap();
        let mut running = AtomicFile::create(&folder.path().join("b.mp4")).unwrap();
        running.file().set_modified(long_ago).unwrap();
        let before = names(folder.path());

        old(".a.camloc-Ab12Cd.part.mp4");
        old(".a b.camloc-3f.camloc-Ab12Cd.part");
        let draft = folder.path().join(".set.camloc-Ab12Cd.part");
        std::fs::create_dir(&draft).unwrap();
        std::fs::write(draft.join("picture"), "").unwrap();
        File::open(&draft).unwrap().set_modified(long_ago).unwrap();
        sweep(folder.path());
        assert_eq!(names(folder.path()), before);

        // What we leave is what we find.
        let hidden = running.path().file_name().unwrap().to_owned();
        assert!(is_ours(&hidden), "{hidden:?}");
    }
}
