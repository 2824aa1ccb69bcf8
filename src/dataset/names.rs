//! Files and folders of a dataset.

use std::path::{Path, PathBuf};

use crate::picture::PHOTO_ENDINGS;

/// Folders in which pictures are, by the names that people give them.
const PICTURE_FOLDERS: [&str; 4] = ["images", "JPEGImages", "frames", "imgs"];

/// How deep folders are searched.
const DEPTH: usize = 8;

/// Every picture below a folder, as [`walk`] finds them.
pub(crate) fn pictures_below(folder: &Path) -> Vec<PathBuf> {
    walk(folder, &PHOTO_ENDINGS)
}

/// Every file below a folder that has one of these extensions, sorted by path. Hidden files are left out; what can't
/// be listed has no files.
pub(super) fn walk(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    descend(folder, extensions, DEPTH, &mut found);
    found.sort();
    found
}

/// Every such file in a folder itself.
pub(super) fn files_in(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    descend(folder, extensions, 0, &mut found);
    found.sort();
    found
}

/// Whether a folder has such a file somewhere below it.
pub(super) fn has_files(folder: &Path, extensions: &[&str]) -> bool {
    !walk(folder, extensions).is_empty()
}

fn descend(folder: &Path, extensions: &[&str], depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if path.is_dir() {
            if depth > 0 {
                descend(&path, extensions, depth - 1, found);
            }
        } else if has_extension(&path, extensions) {
            found.push(path);
        }
    }
}

pub(super) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| extensions.iter().any(|known| known.eq_ignore_ascii_case(extension)))
}

/// The first of these folders that is in `root`.
pub(super) fn first_folder(root: &Path, names: &[&str]) -> Option<PathBuf> {
    names.iter().map(|name| root.join(name)).find(|folder| folder.is_dir())
}

/// The folder of the pictures of a dataset: one of the usual names, or the dataset itself.
pub(super) fn picture_folder(root: &Path) -> PathBuf {
    first_folder(root, &PICTURE_FOLDERS).unwrap_or_else(|| root.to_owned())
}

/// The folder that a path names, or that the file at the path is in.
pub(super) fn root_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if path.is_file() => {
            if parent.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                parent.to_owned()
            }
        }
        _ => path.to_owned(),
    }
}

/// A path below `root` as a name that is the same on every system.
pub(crate) fn relative(path: &Path, root: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// The picture whose path is `stem` plus the extension of a picture.
pub(super) fn with_picture_extension(stem: &Path) -> Option<PathBuf> {
    let folder = stem.parent()?;
    let name = stem.file_name()?.to_string_lossy().into_owned();
    // The common ones are asked for by name: a folder of 10,000 pictures is not listed for each.
    for extension in PHOTO_ENDINGS.iter().flat_map(|e| [(*e).to_owned(), e.to_uppercase()]) {
        let path = folder.join(format!("{name}.{extension}"));
        if path.is_file() {
            return Some(path);
        }
    }
    None
}
