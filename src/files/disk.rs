//! How a full disk shows.

use std::error::Error;
use std::io;

/// Whether there is no room for a file: on the disk, in the user's quota, or in what one file may take.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Why something could not be written, in a few words: "the disk is full" wherever that is at the bottom of it.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut causes = std::iter::successors(Some(error), |&cause| cause.source());
    if causes.any(|cause| cause.downcast_ref().is_some_and(is_full)) {
        "the disk is full".to_owned()
    } else {
        error.to_string()
    }
}
