//! Saving beside the show: [`Saver`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::{CollectError, Fingerprint, Recent, Tally};
use crate::files::{make_folder, write_file};
use crate::frame::Picture;
use crate::picture::write_jpeg;
use crate::sink::SinkError;

/// Pictures that may wait to be saved: a quarter of a second of a camera, in which a disk that hesitates comes back.
const WAITING: usize = 8;

/// Of 100. Models learn from these pictures, so that they keep what 92, which looks the same to people, throws away.
const JPEG_QUALITY: u8 = 95;

/// A picture to be saved.
#[derive(Debug)]
pub(super) struct Shot {
    /// The place of its class.
    pub(super) class: usize,
    pub(super) path: PathBuf,
    pub(super) picture: Picture,
}

/// What became of a shot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Saved, a picture of this class.
    Saved(usize),
    /// It is like one that was saved shortly before.
    Alike,
    /// There is such a file, of the same frame of the same recording.
    There,
}

/// A thread that saves pictures as JPEG files, near-duplicates of their class left out.
#[derive(Debug)]
pub(super) struct Saver {
    shots: Sender<Shot>,
    outcomes: Receiver<Outcome>,
    thread: JoinHandle<Result<(), SinkError>>,
}

impl Saver {
    pub(super) fn start() -> Saver {
        let (shots, to_save) = bounded(WAITING);
        let (tell, outcomes) = unbounded();
        let thread = std::thread::spawn(move || save_all(&to_save, &tell));
        Saver { shots, outcomes, thread }
    }

    /// Hands a picture over unless too many wait; says whether it did.
    pub(super) fn offer(&self, shot: Shot) -> bool {
        self.shots.try_send(shot).is_ok()
    }

    /// Hands a picture over, when its turn comes.
    pub(super) fn give(&self, shot: Shot) {
        // A thread that failed takes none; `is_alive` and `finish` say so.
        let _ = self.shots.send(shot);
    }

    /// Counts what was done since the last call.
    pub(super) fn report(&self, tally: &mut Tally) {
        self.outcomes.try_iter().for_each(|outcome| tally.count(outcome));
    }

    /// Whether it still saves; [`Saver::finish`] says why not.
    pub(super) fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Waits until all is saved, and counts it.
    ///
    /// # Errors
    /// If a picture could not be written; those before it are.
    pub(super) fn finish(self, tally: &mut Tally) -> Result<(), CollectError> {
        drop(self.shots);
        let ended = self.thread.join().map_err(|_| CollectError::Died);
        self.outcomes.iter().for_each(|outcome| tally.count(outcome));
        Ok(ended??)
    }
}

fn save_all(shots: &Receiver<Shot>, tell: &Sender<Outcome>) -> Result<(), SinkError> {
    let mut recent = HashMap::new();
    for shot in shots {
        let outcome = save(shot, &mut recent)?;
        // Nobody listens any more only when the run is over.
        let _ = tell.send(outcome);
    }
    Ok(())
}

/// Saves a picture unless it is there, or one like it is among the last of its class.
fn save(shot: Shot, recent: &mut HashMap<usize, Recent>) -> Result<Outcome, SinkError> {
    let Shot { class, path, picture } = shot;
    let folder = path.parent().unwrap_or(Path::new("."));
    let recent = recent.entry(class).or_insert_with(|| Recent::in_folder(folder));
    let fingerprint = Fingerprint::of(&picture);
    let outcome = if path.exists() {
        Outcome::There
    } else if recent.knows(&fingerprint) {
        return Ok(Outcome::Alike);
    } else {
        make_folder(folder)?;
        write_file(&path, &jpeg(&picture, &path)?)?;
        Outcome::Saved(class)
    };
    recent.add(fingerprint);
    Ok(outcome)
}

/// The bytes of the picture's file.
fn jpeg(picture: &Picture, path: &Path) -> Result<Vec<u8>, SinkError> {
    let mut bytes = Vec::new();
    write_jpeg(picture, JPEG_QUALITY, &mut bytes).map_err(|source| {
        let (width, height) = picture.size();
        SinkError::Encode { path: path.to_owned(), width, height, source }
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A white bar on black, this many 16ths of the picture from the left.
    fn bar(place: u32) -> Picture {
        let level = |x: u32| if x / 10 == place { 255 } else { 0 };
        let pixels = (0..160 * 90).flat_map(|at| [level(at % 160); 3]).collect();
        Picture::from_rgb(160, 90, pixels).unwrap()
    }

    #[test]
    fn pictures_are_saved_once_also_by_the_next_run() {
        let root = tempfile::tempdir().unwrap();
        let run = |shots: &[(&str, u32)]| {
            let (saver, mut tally) = (Saver::start(), Tally::default());
            for (name, place) in shots {
                saver.give(Shot { class: 1, path: root.path().join("mug").join(name), picture: bar(*place) });
            }
            saver.finish(&mut tally).unwrap();
            [tally.saved(0), tally.saved(1), tally.alike, tally.there]
        };
        assert_eq!(run(&[("a_1.jpg", 3), ("a_2.jpg", 3), ("a_3.jpg", 4)]), [0, 2, 1, 0]);
        assert_eq!(run(&[("a_3.jpg", 4), ("b_1.jpg", 3), ("b_2.jpg", 5)]), [0, 1, 1, 1]);
        let saved = image::open(root.path().join("mug/b_2.jpg")).unwrap().to_rgb8();
        assert!(saved.get_pixel(55, 40).0[0] > 240 && saved.get_pixel(20, 40).0[0] < 15);
    }

    #[test]
    fn a_folder_that_can_not_be_ends_it_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (saver, mut tally) = (Saver::start(), Tally::default());
        saver.give(Shot { class: 0, path: file.path().join("a_1.jpg"), picture: bar(0) });
        let said = saver.finish(&mut tally).unwrap_err().to_string();
        assert!(said.contains("is a file, not a folder") && tally == Tally::default(), "{said}");
    }
}
