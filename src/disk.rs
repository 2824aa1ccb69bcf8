//! How a full disk shows, and a file that another run writes.

use std::error::Error;
use std::fs::{File, TryLockError};
use std::io;

/// Whether another run has taken a file; if none has, it is taken until it is closed. Where files can't be locked, all are
/// free.
pub(crate) fn is_taken(file: &File) -> bool {
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Whether there is no room for a file: on the disk, in the user's quota, or in what one file may take.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Why something could not be written, in a few words: "the disk is full" wherever that is at the bottom of it.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&cause| cause.source());
    match causes.filter_map(|cause| cause.downcast_ref()).any(is_full) {
        true => "the disk is full".to_owned(),
        false => error.to_string(),
    }
}
