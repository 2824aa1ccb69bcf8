//! Overlays as pictures: [`ImagesSink`] for the photos of a run, [`snapshot`] for the one on the screen.

use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use image::ImageError;

use super::{Finished, Shown, Sink, SinkError};
use crate::files::{AtomicFile, FileError, check_outputs, make_folder, sweep};
use crate::frame::Picture;
use crate::picture::{write_jpeg, write_png};

/// 92 of 100: no difference to be seen, at a third of the size of 100.
const JPEG_QUALITY: u8 = 92;

/// Writes each overlay as a PNG or JPEG file.
///
/// In a folder `photo.jpg` becomes `photo.cam.jpg`, every other format `.cam.png`, and frames of a video or camera
/// `clip-000012.cam.jpg`; a second photo of the same name in one run becomes `photo-2.cam.jpg`. No photo is ever
/// overwritten by its own overlay.
#[derive(Debug)]
pub(crate) struct ImagesSink {
    place: Place,
    frames: u64,
    /// The file that was written last.
    last: Option<PathBuf>,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Folder {
        path: PathBuf,
        /// The names given in this run, in lower case as some file systems do not tell case.
        given: HashSet<String>,
    },
}

impl ImagesSink {
    /// Writes to one file, `.png`, `.jpg` or `.jpeg`: for a single photo, as of several the last one would stay.
    pub(crate) fn to_file(path: &Path) -> Result<ImagesSink, SinkError> {
        Kind::of(path).ok_or_else(|| SinkError::UnknownFormat {
            path: path.to_owned(),
            known: ".png, .jpg or .jpeg",
        })?;
        Ok(ImagesSink { place: Place::File(path.to_owned()), frames: 0, last: None })
    }

    /// Writes into a folder, which is made if need be.
    pub(crate) fn to_folder(path: &Path) -> Result<ImagesSink, SinkError> {
        make_folder(path)?;
        sweep(path);
        let place = Place::Folder { path: path.to_owned(), given: HashSet::new() };
        Ok(ImagesSink { place, frames: 0, last: None })
    }
}

impl Sink for ImagesSink {
    fn wants_picture(&self) -> bool {
        true
    }

    fn write(&mut self, shown: &Shown<'_>) -> Result<(), SinkError> {
        let path = match &mut self.place {
            Place::File(path) => path.clone(),
            Place::Folder { path, given } => path.join(new_name(shown, given)),
        };
        check_outputs(&[&path], &[shown.source])?;
        encode(AtomicFile::create(&path)?, shown.picture(), Kind::of(&path).unwrap_or(Kind::Png))?
            .finish()?;
        self.frames += 1;
        self.last = Some(path);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Finished, SinkError> {
        let path = match self.place {
            Place::Folder { path, .. } if self.frames > 1 => Some(path),
            _ => self.last,
        };
        Ok(Finished { path, frames: self.frames })
    }
}

/// Saves a picture in `folder` as `camloc-0001.png`, or the next number that is free, and returns its path.
pub(crate) fn snapshot(picture: &Picture, folder: &Path) -> Result<PathBuf, SinkError> {
    let mut number = 1;
    loop {
        let path = folder.join(format!("camloc-{number:04}.png"));
        // Where two of us save at once, the slower one takes the next number.
        if !path.exists()
            && let Some(path) = encode(AtomicFile::create(&path)?, picture, Kind::Png)?.finish_new()?
        {
            return Ok(path);
        }
        number += 1;
    }
}

/// The name of the overlay of a frame, unlike all in `given`, to which it is added.
fn new_name(shown: &Shown<'_>, given: &mut HashSet<String>) -> String {
    let kind = if shown.still { Kind::of(shown.source).unwrap_or(Kind::Png) } else { Kind::Jpeg };
    let extension = match kind {
        Kind::Png => "png",
        Kind::Jpeg => "jpg",
    };
    let stem = shown.stem();
    if !shown.still {
        // Frames of one source differ in their numbers, so these need not be remembered.
        return format!("{stem}-{:06}.cam.{extension}", shown.frame.seq);
    }
    unique(&stem, &format!(".cam.{extension}"), given)
}

/// `stem` and `ending`, with a number between them where that name is in `given`, to which it is added.
pub(super) fn unique(stem: &str, ending: &str, given: &mut HashSet<String>) -> String {
    let mut name = format!("{stem}{ending}");
    let mut copy = 1;
    while !given.insert(name.to_lowercase()) {
        copy += 1;
        name = format!("{stem}-{copy}{ending}");
    }
    name
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Png,
    Jpeg,
}

impl Kind {
    fn of(path: &Path) -> Option<Kind> {
        match path.extension()?.to_ascii_lowercase().to_str()? {
            "png" => Some(Kind::Png),
            "jpg" | "jpeg" => Some(Kind::Jpeg),
            _ => None,
        }
    }
}

fn encode(part: AtomicFile, picture: &Picture, kind: Kind) -> Result<AtomicFile, SinkError> {
    let mut out = BufWriter::new(part);
    let written = match kind {
        Kind::Png => write_png(picture, &mut out),
        Kind::Jpeg => write_jpeg(picture, JPEG_QUALITY, &mut out),
    };
    let written = written.and_then(|()| out.flush().map_err(ImageError::IoError));
    // Flushed, or failed: nothing that matters is left in the buffer.
    let (part, _) = out.into_parts();
    let written = written.map_err(|error| part.failure().map_or(error, ImageError::IoError));
    match written {
        Ok(()) => Ok(part),
        Err(ImageError::IoError(source)) => Err(FileError::writing(part.target(), source).into()),
        Err(source) => {
            let (width, height) = picture.size();
            Err(SinkError::Encode { path: part.target().to_owned(), width, height, source })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::sink::testing::{frame, names, write};

    #[test]
    fn photos_keep_their_names_apart_and_their_pixels() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new/overlays");
        let mut sink = ImagesSink::to_folder(&out).unwrap();
        let red = frame(0, Duration::ZERO, (5, 3), [200, 10, 20]);
        let nothing = Box::new(ImagesSink::to_folder(&out).unwrap()).finish().unwrap();
        assert_eq!(nothing, Finished { path: None, frames: 0 });
        for photo in ["a/x.jpg", "b/x.jpg", "b/X.JPG", "x.png", "y.webp", "no extension"] {
            write(&mut sink, &red, &[], Some(photo)).unwrap();
        }
        write(&mut sink, &red, &[], None).unwrap();
        let finished = Box::new(sink).finish().unwrap();
        assert_eq!(finished, Finished { path: Some(out.clone()), frames: 7 });
        assert_eq!(
            names(&out),
            [
                "X-3.cam.jpg",
                "clip-000000.cam.jpg",
                "no extension.cam.png",
                "x-2.cam.jpg",
                "x.cam.jpg",
                "x.cam.png",
                "y.cam.png",
            ]
        );
        let png = image::open(out.join("x.cam.png")).unwrap().to_rgb8();
        assert_eq!((png.dimensions(), png.get_pixel(4, 2).0), ((5, 3), [200, 10, 20]));
        let jpeg = image::open(out.join("x.cam.jpg")).unwrap().to_rgb8();
        assert!(jpeg.get_pixel(4, 2).0.iter().zip([200u8, 10, 20]).all(|(a, b)| a.abs_diff(b) < 6));
    }

    #[test]
    fn a_photo_is_not_overwritten_by_its_overlay() {
        let folder = tempfile::tempdir().unwrap();
        let photo = folder.path().join("photo.png");
        fs::write(&photo, "precious").unwrap();
        let mut sink = ImagesSink::to_file(&photo).unwrap();
        let black = frame(0, Duration::ZERO, (2, 2), [0; 3]);
        let error = write(&mut sink, &black, &[], photo.to_str()).unwrap_err();
        assert!(matches!(error, SinkError::File(FileError::IsInput { .. })), "{error}");
        assert_eq!(fs::read(&photo).unwrap(), b"precious");
    }

    #[test]
    fn what_cannot_be_a_picture_is_refused_by_name() {
        assert!(matches!(ImagesSink::to_file(Path::new("x.gif")), Err(SinkError::UnknownFormat { .. })));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(
            ImagesSink::to_folder(file.path()),
            Err(SinkError::File(FileError::NotAFolder { .. }))
        ));
        // JPEG ends at 65535 pixels.
        let folder = tempfile::tempdir().unwrap();
        let mut sink = ImagesSink::to_file(&folder.path().join("long.jpg")).unwrap();
        let long = frame(0, Duration::ZERO, (70_000, 1), [0; 3]);
        let error = write(&mut sink, &long, &[], Some("long.png")).unwrap_err();
        assert!(matches!(error, SinkError::Encode { width: 70_000, .. }), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn snapshots_count_up_and_replace_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let picture = Picture::black(4, 4);
        fs::write(folder.path().join("camloc-0002.png"), "precious").unwrap();
        let saved = || snapshot(&picture, folder.path()).unwrap().file_name().unwrap().to_owned();
        assert_eq!([saved(), saved()], ["camloc-0001.png", "camloc-0003.png"]);
        assert_eq!(fs::read(folder.path().join("camloc-0002.png")).unwrap(), b"precious");
    }
}
