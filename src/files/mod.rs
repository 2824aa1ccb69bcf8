//! Files as a run leaves them: `OutputFile` and `AtomicFile` appear under their names only when they are complete,
//! devices and pipes are written to and never replaced, and no output replaces what is read (`check_outputs`). The
//! `Journal` that an interrupted run goes on from, and how a run is told to [`Stop`].

mod atomic;
mod disk;
mod error;
mod folder;
mod journal;
mod output;
mod paths;
mod stop;
mod sweep;

pub(crate) use atomic::{AtomicFile, replace};
pub(crate) use disk::{is_full, reason};
pub use error::FileError;
pub(crate) use folder::{FolderDraft, Kept, Listed};
pub(crate) use journal::Found;
pub(crate) use journal::{Journal, JournalError};
pub(crate) use output::{OutputFile, write_file};
pub(crate) use paths::check_outputs;
pub(crate) use paths::{folder_of, make_folder, resolved};
pub use stop::Stop;
pub(crate) use sweep::sweep;

/// The names in a folder, sorted.
#[cfg(test)]
pub(crate) fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
