//! Where the dataset goes, and what of one that is there is camloc's to replace.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::LabellingError;
use crate::files::{Kept, Listed, resolved};

/// The file by which a dataset is known as ours. It lists the others under `files`.
pub(super) const MARK: &str = "label.json";

/// Refuses a place for the dataset that would lose something: another folder or file, or pictures of the input. What is
/// there may be replaced only if camloc wrote it and `overwrite` is said; then it is replaced file by file, and what
/// camloc did not write stays.
///
/// Returns the place without links and detours, and the files in it that stay, as paths below it.
///
/// # Errors
/// If the place is refused, or can't be listed.
pub(crate) fn check_place(
    input: &Path,
    output: &Path,
    overwrite: bool,
) -> Result<(PathBuf, Vec<PathBuf>), LabellingError> {
    let (from, to) = (resolved(input), resolved(output));
    if from.starts_with(&to) || to.starts_with(&from) {
        return Err(LabellingError::Nested { output: output.to_owned(), input: input.to_owned() });
    }
    let is_empty = |folder: &Path| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if !to.exists() || (to.is_dir() && is_empty(&to)) {
        return Ok((to, Vec::new()));
    }
    match (written(&to), overwrite) {
        (Err(_), _) => Err(LabellingError::NotOurs(output.to_owned())),
        (Ok(_), false) => Err(LabellingError::Exists(output.to_owned())),
        (Ok(kept), true) => Ok((to, kept.theirs)),
    }
}

/// Which files of a dataset are as camloc wrote them.
///
/// # Errors
/// If it is not a dataset that camloc wrote, or can't be read.
pub(super) fn written(dataset: &Path) -> io::Result<Kept> {
    #[derive(Deserialize)]
    struct About {
        camloc: String,
        files: Listed,
    }
    let about: About = serde_json::from_slice(&fs::read(dataset.join(MARK))?)?;
    tracing::debug!(dataset = %dataset.display(), version = about.camloc, "a dataset of camloc's");
    let mut kept = about.files.part(dataset)?;
    // The list can't list itself.
    kept.theirs.retain(|below| below != Path::new(MARK));
    kept.ours.push(PathBuf::from(MARK));
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_users_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for name in ["in", "empty", "theirs", "ours"] {
            fs::create_dir(place(name)).unwrap();
        }
        fs::write(place("theirs/diary.txt"), "").unwrap();
        let label = r#"{"camloc": "0.1.0", "files": {"labels.csv": "00"}}"#;
        fs::write(place("ours").join(MARK), label).unwrap();
        fs::write(place("ours").join("labels.csv"), "changed by hand").unwrap();
        fs::write(place("file"), "").unwrap();
        let check = |output: &str, overwrite| check_place(&place("in"), &place(output), overwrite);
        check("new", false).unwrap();
        check("empty", false).unwrap();
        assert_eq!(check("ours", true).unwrap().1, [Path::new("labels.csv")]);
        assert!(matches!(check("ours", false), Err(LabellingError::Exists(_))));
        // A file of that name alone makes it no dataset of ours.
        fs::create_dir(place("like ours")).unwrap();
        fs::write(place("like ours").join(MARK), "{}").unwrap();
        for theirs in ["theirs", "file", "like ours"] {
            assert!(matches!(check(theirs, true), Err(LabellingError::NotOurs(_))), "{theirs}");
        }
        for nested in ["in", "in/set", "new/../in/set", "."] {
            assert!(matches!(check(nested, true), Err(LabellingError::Nested { .. })), "{nested}");
        }
        check("in-boxes", false).unwrap();
    }
}
