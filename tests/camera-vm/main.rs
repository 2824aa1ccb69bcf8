//! camloc with real cameras: `make test-camera`.
//!
//! The real program captures from the kernel's own camera drivers, in a virtual machine that is booted once
//! ([`guest`]), from a USB webcam that this very program plays there ([`webcam`]). The webcam shows a
//! [film] whose frames carry their numbers, and the model that camloc runs [reads] them: so camloc's own
//! results say which frames it saw. docs/cameras.md tells more.
//!
//! [reads]: reader

// Helpers stand outside of the test functions that clippy excuses.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cases;
mod film;
mod guest;
mod reader;
mod seen;
mod webcam;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};

use guest::Guest;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|word| word == "webcam") {
        if let Err(error) = webcam::run(&arguments[2..]) {
            eprintln!("webcam: {error}");
        }
        return;
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let guest = if arguments.list { None } else { boot() };
    let trials = cases::ALL.iter().map(|&(name, case)| {
        let guest = guest.clone();
        let is_skipped = guest.is_none();
        let run = move || {
            if let Some(guest) = guest {
                // A case that failed leaves the guest ready for the next.
                case(&mut guest.lock().unwrap_or_else(PoisonError::into_inner));
            }
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(is_skipped)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // The guest is in the trials, too: they are gone by now.
    drop(guest);
    conclusion.exit();
}

/// Boots the guest and makes what the cases need; `None`, with every case noted as skipped, where that can't be.
fn boot() -> Option<Arc<Mutex<Guest>>> {
    let share = Path::new(env!("CARGO_TARGET_TMPDIR")).join("camera-vm");
    let _ = std::fs::remove_dir_all(&share);
    std::fs::create_dir_all(&share).expect("the shared folder");
    match Guest::start(&share) {
        Ok(mut guest) => {
            cases::prepare(&share);
            guest.wait_until_ready();
            Some(Arc::new(Mutex::new(guest)))
        }
        Err(reason) => {
            let skipped = cases::ALL.map(|(name, _)| format!("{name}: {reason}\n")).concat();
            let list = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
            let mut file =
                std::fs::File::options().create(true).append(true).open(list).expect("the list of skips");
            std::io::Write::write_all(&mut file, skipped.as_bytes()).expect("the list of skips");
            None
        }
    }
}
