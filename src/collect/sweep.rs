//! Collecting without a window: [`sweep`].

use std::path::Path;

use super::saver::{Saver, Shot};
use super::{CollectError, Tally};
use crate::dataset::Burst;
use crate::source::{Event, FrameSource, Notice};

/// How a sweep ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// What was saved; its only class has place 0.
    pub tally: Tally,
    /// Frames that the source gave.
    pub frames: u64,
}

/// Saves the first of every `every` frames of a source into `folder`, as pictures of one burst, until it ends or is
/// stopped. Nothing is dropped: a file waits for the disk. `observe` hears how many frames have come, and the news.
///
/// # Errors
/// If the source fails or a picture can't be written. What was saved stays, and is counted beside the error.
pub(crate) fn sweep(
    mut source: Box<dyn FrameSource>,
    folder: &Path,
    burst: &Burst,
    every: u64,
    observe: &mut dyn FnMut(u64, Option<&Notice>),
) -> (Swept, Result<(), CollectError>) {
    let saver = Saver::start();
    let mut swept = Swept::default();
    let mut due = 0;
    let ended = loop {
        match source.next() {
            Ok(Event::Frame(frame)) => {
                swept.frames += 1;
                // A camera's frames may be lost on the way, also the one that was due.
                if frame.seq >= due {
                    due = frame.seq - frame.seq % every + every;
                    let path = folder.join(burst.file_name(frame.seq));
                    saver.give(Shot { class: 0, path, picture: frame.picture });
                }
                observe(swept.frames, None);
            }
            Ok(Event::Notice(notice)) => observe(swept.frames, Some(&notice)),
            Ok(Event::End) => break Ok(()),
            Err(error) => break Err(error.into()),
        }
        if !saver.is_alive() {
            break Ok(());
        }
    };
    let saved = saver.finish(&mut swept.tally);
    (swept, saved.and(ended))
}
