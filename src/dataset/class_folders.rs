//! Pictures in folders named by class.

use std::io;
use std::path::{Path, PathBuf};

/// The folders in a folder, but for hidden ones, with their names: the classes. Whatever folders are in them, their
/// pictures are of that class.
///
/// # Errors
/// If the folder can't be listed.
pub(crate) fn class_folders(root: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(root)?.flatten();
    let named = entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    let mut folders: Vec<_> = named.filter(|(name, path)| !name.starts_with('.') && path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

/// The class of a picture by its path below the folder of the classes, parted by `/`; `None` beside their folders.
pub(crate) fn class_of(name: &str) -> Option<&str> {
    name.split_once('/').map(|(folder, _)| folder)
}
