//! Photos as frames: files, directories, standard input.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Event, FrameSource, Notice, SourceError, SourceInfo, Stop, photo};
use crate::frame::Frame;
use crate::picture::PHOTO_ENDINGS;

/// Photos, one frame each; frame `seq` is the file `info().photos[seq]`.
///
/// One bad photo among several is reported as [`Notice::Skipped`] and leaves a gap in `seq`; if it is the only one,
/// or all are bad, the source ends with the error.
pub struct ImageSource {
    info: SourceInfo,
    next: usize,
    read: usize,
    stop: Stop,
}

impl ImageSource {
    /// The photos at `paths`: files, directories (their pictures in natural order, `2.jpg` before `10.jpg`,
    /// subdirectories left out), or `-` for standard input.
    ///
    /// # Errors
    /// If a directory can't be read or has no pictures. Files are only looked at when their turn comes, so that one
    /// that is missing does not stop the others.
    pub fn open(paths: &[PathBuf], stop: &Stop) -> Result<ImageSource, SourceError> {
        let mut photos = Vec::new();
        for path in paths {
            let name = || path.to_string_lossy().into_owned();
            if path == Path::new("-") {
                photos.push(path.clone());
                continue;
            }
            if path.is_dir() {
                let found = in_directory(path).map_err(|e| SourceError::from_io(name(), e))?;
                if found.is_empty() {
                    return Err(SourceError::NoPictures { name: name() });
                }
                photos.extend(found);
            } else {
                photos.push(path.clone());
            }
        }
        let info = SourceInfo {
            name: match paths {
                [one] => one.to_string_lossy().into_owned(),
                _ => format!("{} photos", photos.len()),
            },
            frames: Some(photos.len() as u64),
            photos: photos.into(),
            ..Default::default()
        };
        Ok(ImageSource { info, next: 0, read: 0, stop: stop.clone() })
    }
}

impl FrameSource for ImageSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Event, SourceError> {
        let Some(path) = self.info.photos.get(self.next).filter(|_| !self.stop.is_stopped()) else {
            let none_read = self.next > 0 && self.next == self.info.photos.len() && self.read == 0;
            // Said once: then the source is at its end.
            self.read += 1;
            let count = self.info.photos.len();
            return if none_read { Err(SourceError::NoneReadable { count }) } else { Ok(Event::End) };
        };
        let (seq, arrived) = (self.next as u64, Instant::now());
        self.next += 1;
        match photo::read_photo(path) {
            Ok(picture) => {
                self.read += 1;
                // Photos have no time of their own, and the same photos give the same results.
                Ok(Event::Frame(Frame { seq, time: Duration::ZERO, arrived, picture }))
            }
            Err(error) if self.info.photos.len() == 1 => {
                self.read += 1;
                Err(error)
            }
            Err(error) => Ok(Event::Notice(Notice::Skipped(error))),
        }
    }
}

/// The pictures of a directory by their extensions, in natural order.
fn in_directory(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if PHOTO_ENDINGS.contains(&extension.as_str()) && !hidden && path.is_file() {
            found.push(path);
        }
    }
    found.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(found)
}

/// Compares names as people do: runs of digits by their value, letters by case only where all else is equal.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a, b);
    while let (Some(c), Some(d)) = (x.chars().next(), y.chars().next()) {
        let order = if c.is_ascii_digit() && d.is_ascii_digit() {
            let (m, n) = (take_number(&mut x), take_number(&mut y));
            m.len().cmp(&n.len()).then_with(|| m.cmp(n))
        } else {
            (x, y) = (&x[c.len_utf8()..], &y[d.len_utf8()..]);
            c.to_lowercase().cmp(d.to_lowercase())
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    x.len().cmp(&y.len()).then_with(|| a.cmp(b))
}

/// Takes the digits at the start of `text` and returns them without leading zeros.
fn take_number<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits.trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        directory
    }

    /// A 1x1 picture of this grey.
    fn dot(grey: u8) -> Vec<u8> {
        [b"P5 1 1 255\n".as_slice(), &[grey]].concat()
    }

    #[test]
    fn a_directory_is_read_in_natural_order_and_a_bad_photo_stops_nothing() {
        let files = directory(&[
            ("10.pgm", &dot(10)),
            ("2.pgm", &dot(2)),
            ("3.jpg", b"text"),
            ("B1.pgm", &dot(20)),
            ("a1.PGM", &dot(15)),
            ("notes.txt", b"no picture"),
            ("._2.png", b"hidden"),
        ]);
        let mut source = ImageSource::open(&[files.path().to_owned()], &Stop::new()).unwrap();
        assert_eq!(source.info().frames, Some(5));
        let mut seen = Vec::new();
        loop {
            match source.next().unwrap() {
                Event::Frame(frame) => seen.push((frame.seq, frame.picture.rgb()[0])),
                Event::Notice(notice) => assert!(notice.to_string().contains("3.jpg is not a picture")),
                Event::End => break,
            }
        }
        assert_eq!(seen, [(0, 2), (2, 10), (3, 15), (4, 20)]);
        assert!(source.info().photos[3].ends_with("a1.PGM"));
    }

    #[test]
    fn a_single_bad_photo_is_the_error_and_several_are_summed_up() {
        let files = directory(&[("a.jpg", b"text"), ("b.jpg", b"")]);
        let (a, b) = (files.path().join("a.jpg"), files.path().join("b.jpg"));
        let mut one = ImageSource::open(std::slice::from_ref(&a), &Stop::new()).unwrap();
        assert!(matches!(one.next(), Err(SourceError::NotPicture { .. })));
        assert!(matches!(one.next(), Ok(Event::End)));
        let mut both = ImageSource::open(&[a, b], &Stop::new()).unwrap();
        assert!(matches!(both.next(), Ok(Event::Notice(Notice::Skipped(_)))));
        assert!(matches!(both.next(), Ok(Event::Notice(Notice::Skipped(SourceError::Empty { .. })))));
        assert!(matches!(both.next(), Err(SourceError::NoneReadable { count: 2 })));
        assert!(matches!(both.next(), Ok(Event::End)));
    }

    #[test]
    fn a_missing_photo_does_not_stop_the_others_and_a_folder_without_photos_is_refused() {
        let files = directory(&[("1.pgm", &dot(1)), ("notes.txt", b"hm")]);
        let missing = files.path().join("none.png");
        let mut source = ImageSource::open(&[missing, files.path().join("1.pgm")], &Stop::new()).unwrap();
        let skipped = source.next().unwrap();
        assert!(
            matches!(&skipped, Event::Notice(n) if n.to_string().ends_with("none.png does not exist")),
            "{skipped:?}"
        );
        assert!(matches!(source.next(), Ok(Event::Frame(_))));
        let empty = directory(&[("notes.txt", b"hm")]);
        let refused = ImageSource::open(&[empty.path().to_owned()], &Stop::new()).err().unwrap();
        assert!(refused.to_string().ends_with("holds no pictures (JPEG, PNG, GIF, WebP, BMP, TIFF, PNM)"));
    }

    #[test]
    fn a_stop_ends_the_source_between_photos() {
        let files = directory(&[("1.pgm", &dot(1)), ("2.pgm", &dot(2))]);
        let stop = Stop::new();
        let mut source = ImageSource::open(&[files.path().to_owned()], &stop).unwrap();
        assert!(matches!(source.next(), Ok(Event::Frame(_))));
        stop.stop();
        assert!(matches!(source.next(), Ok(Event::End)));
    }

    proptest! {
        #[test]
        fn natural_order_is_an_order(a in "[a-c0-2A]{0,5}", b in "[a-c0-2A]{0,5}", c in "[a-c0-2A]{0,5}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le());
            }
        }
    }
}
