//! Saving what a window shows while a digit is held: [`Shutter`].

use std::fmt::Write as _;
use std::time::SystemTime;

use super::saver::{Saver, Shot};
use super::{Class, Classes, CollectError, DIGITS, Tally};
use crate::dataset::Burst;
use crate::frame::{Frame, PicturePool};

/// Saves frames as pictures of a class while the class's digit is held.
///
/// A tap saves one frame. Every hold is a burst of its own.
#[derive(Debug)]
pub(crate) struct Shutter {
    /// The classes; the first has digit 1.
    pub classes: Classes,
    /// What became of the frames for which a digit was held.
    pub tally: Tally,
    /// What the source is called in the names of pictures.
    source: String,
    /// The number of the next burst.
    next: u64,
    pool: PicturePool,
    saver: Saver,
    held: Option<Held>,
}

/// A digit that is held.
#[derive(Debug)]
struct Held {
    digit: char,
    class: usize,
    burst: Burst,
    /// Whether the burst has a frame.
    begun: bool,
}

impl Shutter {
    /// A shutter for frames of `source`, which is a part of the pictures' names; their buffers come from `pool`.
    pub(crate) fn new(classes: Classes, source: String, pool: PicturePool) -> Shutter {
        let next = classes.next_burst();
        Shutter { classes, tally: Tally::default(), source, next, pool, saver: Saver::start(), held: None }
    }

    /// Begins a burst of the digit's class, unless it goes on already. Says whether the digit has a class.
    pub(crate) fn press(&mut self, digit: char) -> bool {
        if self.held.as_ref().is_some_and(|held| held.digit == digit) {
            return true;
        }
        let place = digit.to_digit(10).and_then(|number| (number as usize).checked_sub(1));
        let Some(class) = place.filter(|&class| class < self.classes.all().len()) else { return false };
        let burst = Burst::new(SystemTime::now(), &self.source, self.next);
        self.next += 1;
        self.held = Some(Held { digit, class, burst, begun: false });
        true
    }

    /// Has a frame saved if a digit is held.
    pub(crate) fn take(&mut self, frame: &Frame) {
        let Some(held) = &mut self.held else { return };
        let (width, height) = frame.picture.size();
        let mut picture = self.pool.picture(width, height);
        picture.rgb_mut().copy_from_slice(frame.picture.rgb());
        let path = self.classes.folder(held.class).join(held.burst.file_name(frame.seq));
        held.begun = true;
        if !self.saver.offer(Shot { class: held.class, path, picture }) {
            self.tally.dropped += 1;
        }
    }

    /// Ends the burst if its digit is not held any more and it has a frame; counts what was saved.
    pub(crate) fn look(&mut self, is_held: impl Fn(char) -> bool) {
        self.held.take_if(|held| held.begun && !is_held(held.digit));
        self.saver.report(&mut self.tally);
    }

    /// Ends the burst, whatever is held.
    pub(crate) fn release(&mut self) {
        self.held = None;
    }

    /// Whether it still saves; [`Shutter::trouble`] or [`Shutter::finish`] says why not.
    pub(crate) fn is_alive(&self) -> bool {
        self.saver.is_alive()
    }

    /// What stopped the saving, if anything did. The next frame is tried again.
    pub(crate) fn trouble(&mut self) -> Option<CollectError> {
        if self.is_alive() {
            return None;
        }
        self.held = None;
        std::mem::replace(&mut self.saver, Saver::start()).finish(&mut self.tally).err()
    }

    /// The class whose digit is held.
    pub(crate) fn saving(&self) -> Option<&Class> {
        self.held.as_ref().map(|held| &self.classes.all()[held.class])
    }

    /// How many pictures a class has.
    pub(crate) fn count(&self, class: usize) -> usize {
        self.classes.all()[class].before + self.tally.saved(class)
    }

    /// Rows for a window: each digit with its class and the count of its pictures.
    pub(crate) fn counts(&self) -> Vec<(String, String)> {
        let classes = self.classes.all().iter().take(DIGITS).enumerate();
        let row = |(place, class): (usize, &Class)| {
            (format!("{}  {}", place + 1, class.name), self.count(place).to_string())
        };
        classes.map(row).collect()
    }

    /// What was left out, in words: `3 alike, 0 dropped`.
    pub(crate) fn left_out(&self) -> String {
        let mut words = format!("{} alike, {} dropped", self.tally.alike, self.tally.dropped);
        if self.tally.there > 0 {
            let _ = write!(words, ", {} there already", self.tally.there);
        }
        words
    }

    /// Waits until all is saved.
    ///
    /// The last is the error of a picture that could not be written; those before it are, and are counted.
    pub(crate) fn finish(mut self) -> (Classes, Tally, Result<(), CollectError>) {
        let saved = self.saver.finish(&mut self.tally);
        (self.classes, self.tally, saved)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::dataset::pictures_below;
    use crate::frame::Picture;

    /// A frame with a white bar, further to the right in every one.
    fn frame(seq: u64) -> Frame {
        let level = |x: u64| if x / 10 == seq % 16 { 255 } else { 0 };
        let pixels = (0..160 * 90).flat_map(|at| [level(at % 160); 3]).collect();
        let picture = Picture::from_rgb(160, 90, pixels).unwrap();
        Frame { seq, time: Duration::ZERO, arrived: Instant::now(), picture }
    }

    fn shutter(root: &Path) -> Shutter {
        let classes = Classes::open(root, &["mug".to_owned(), "컵".to_owned()]).unwrap();
        Shutter::new(classes, "camera0".into(), PicturePool::new(2))
    }

    #[test]
    fn a_tap_saves_a_frame_and_a_hold_all_of_one_burst() {
        let root = tempfile::tempdir().unwrap();
        let mut shutter = shutter(root.path());
        shutter.take(&frame(0));
        // A tap is over before the next frame comes.
        assert!(shutter.press('2') && shutter.saving().is_some_and(|class| class.name == "컵"));
        shutter.look(|_| false);
        shutter.take(&frame(1));
        shutter.look(|_| false);
        assert!(shutter.saving().is_none());
        shutter.take(&frame(2));
        for seq in 3..6 {
            assert!(shutter.press('1'));
            shutter.take(&frame(seq));
            shutter.look(|digit| digit == '1');
        }
        assert!(!shutter.press('3') && !shutter.press('0'));
        let (_, tally, saved) = shutter.finish();
        saved.unwrap();
        assert_eq!([tally.saved(0), tally.saved(1)], [3, 1]);
        let mut names: Vec<_> = pictures_below(root.path())
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        let ends = [
            "-camera0-1_000001.jpg",
            "-camera0-2_000003.jpg",
            "-camera0-2_000004.jpg",
            "-camera0-2_000005.jpg",
        ];
        assert!(names.iter().zip(ends).all(|(name, end)| name.ends_with(end)), "{names:?}");
        assert_eq!(names.len(), ends.len());
    }

    #[test]
    fn what_stops_the_saving_is_said_once_and_the_next_frame_is_tried() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("mug"), "").unwrap();
        let mut shutter = shutter(root.path());
        shutter.press('1');
        shutter.take(&frame(0));
        let begun = Instant::now();
        let error = loop {
            if let Some(error) = shutter.trouble() {
                break error;
            }
            assert!(begun.elapsed() < Duration::from_secs(10));
        };
        assert!(error.to_string().contains("is a file, not a folder"), "{error}");
        assert!(shutter.saving().is_none() && shutter.trouble().is_none());
        std::fs::remove_file(root.path().join("mug")).unwrap();
        shutter.press('1');
        shutter.take(&frame(1));
        let (_, tally, saved) = shutter.finish();
        assert!(saved.is_ok() && tally.saved(0) == 1);
    }
}
