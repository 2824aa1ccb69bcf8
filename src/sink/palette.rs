//! Masks as pictures: a folder of palette PNGs and the names of their indices, [`PaletteFolder`].

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::{Finished, SinkError};
use crate::files::{AtomicFile, FileError, make_folder, sweep, write_file};
use crate::localize::Segmentation;

/// The names of the indices, one a line, from 0.
const NAMES: &str = "labels.txt";
/// The name of index 0.
const BACKGROUND: &str = "background";
/// More than 256 names of any length that makes sense.
const MOST_BYTES: u64 = 1 << 20;

/// Writes each picture's classes as an indexed PNG.
///
/// Classes get their indices as they first appear, and go by name: a `labels.txt` that is there already, of an earlier run
/// or of another set, is kept and continued.
#[derive(Debug)]
pub(super) struct PaletteFolder {
    path: PathBuf,
    /// By index; the first is the background.
    names: Vec<String>,
    /// The index of each class seen.
    indices: HashMap<usize, u8>,
    pixels: Vec<u8>,
    frames: u64,
}

impl PaletteFolder {
    /// Writes into a folder, which is made if need be.
    pub(super) fn create(path: &Path) -> Result<PaletteFolder, SinkError> {
        make_folder(path)?;
        sweep(path);
        let names = read_names(&path.join(NAMES))?;
        let (indices, pixels) = (HashMap::new(), Vec::new());
        Ok(PaletteFolder { path: path.to_owned(), names, indices, pixels, frames: 0 })
    }

    /// The PNG of a name, a path below the folder without its ending.
    pub(super) fn target(&self, name: &Path) -> PathBuf {
        let mut file_name = name.file_name().unwrap_or_default().to_owned();
        file_name.push(".png");
        self.path.join(name).with_file_name(file_name)
    }

    /// Writes a picture's classes as the PNG of a name.
    pub(super) fn add(
        &mut self,
        name: &Path,
        segmentation: &Segmentation,
        labels: &[String],
    ) -> Result<(), SinkError> {
        if self.frames == 0 {
            self.write_names()?;
        }
        let mut indices = [0; 256];
        for (region, index) in segmentation.regions.iter().zip(&mut indices[1..]) {
            *index = self.index(region.class_id, labels)?;
        }
        self.pixels.clear();
        self.pixels.extend(segmentation.labels.iter().map(|&label| indices[usize::from(label)]));
        let path = self.target(name);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        self.frames += 1;
        write_png(&path, segmentation.size, &self.pixels)
    }

    /// What was written.
    pub(super) fn finish(self) -> Finished {
        Finished { path: Some(self.path), frames: self.frames }
    }

    /// The index of a class; a new one is written down before a picture has it.
    fn index(&mut self, class_id: usize, labels: &[String]) -> Result<u8, SinkError> {
        if let Some(&index) = self.indices.get(&class_id) {
            return Ok(index);
        }
        let name = unmistakable(class_id, labels);
        let known = self.names.iter().position(|known| *known == name);
        let place = known.unwrap_or(self.names.len());
        let full = || SinkError::TooManyClasses { path: self.path.clone() };
        let index = u8::try_from(place).map_err(|_| full())?;
        if known.is_none() {
            self.names.push(name);
            self.write_names()?;
        }
        self.indices.insert(class_id, index);
        Ok(index)
    }

    fn write_names(&self) -> Result<(), SinkError> {
        let path = self.path.join(NAMES);
        let text = self.names.join("\n") + "\n";
        Ok(write_file(&path, text.as_bytes())?)
    }
}

/// The names in a file, or just the background where there is none.
fn read_names(path: &Path) -> Result<Vec<String>, SinkError> {
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![BACKGROUND.to_owned()]),
        Err(error) if error.kind() != io::ErrorKind::InvalidData => {
            return Err(FileError::writing(path, error).into());
        }
        _ => {}
    }
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    match names.first() {
        Some(first) if first == BACKGROUND && names.len() <= 256 => Ok(names),
        _ => Err(SinkError::NotLabels { path: path.to_owned() }),
    }
}

/// A class's name on one line; with its number where another class has the same name.
fn unmistakable(class_id: usize, labels: &[String]) -> String {
    let name = super::label(labels, class_id);
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let same = labels.iter().filter(|label| **label == name).count();
    if same > 1 || name == BACKGROUND { format!("{name} (class {class_id})") } else { name }
}

fn write_png(path: &Path, (width, height): (u32, u32), pixels: &[u8]) -> Result<(), SinkError> {
    let mut out = BufWriter::new(AtomicFile::create(path)?);
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette());
    encoder.set_compression(png::Compression::Fast);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(pixels)?;
        writer.finish()
    });
    let written = written.map_err(io::Error::from).and_then(|()| out.flush());
    // Flushed, or failed: nothing that matters is left in the buffer.
    let (part, _) = out.into_parts();
    written.map_err(|source| FileError::writing(path, source))?;
    part.finish()?;
    Ok(())
}

/// The colours of Pascal VOC's masks, RGBRGB…: bit `b` of an index's three low bits is bit 7 of red, green or blue, of its
/// next three bits is bit 6, and so on.
fn palette() -> Vec<u8> {
    let channel = |index: usize, channel: usize| {
        (0..3).map(|group| ((index >> (3 * group + channel) & 1) << (7 - group)) as u8).sum::<u8>()
    };
    (0..256).flat_map(|index| [0, 1, 2].map(|of| channel(index, of))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::localize::Region;

    /// Two regions, the first of `first`, the second of `second`, beside a column of background.
    fn two(first: usize, second: usize) -> Segmentation {
        let region = |class_id| Region { class_id, score: 0.5, track: None };
        Segmentation {
            size: (3, 2),
            regions: vec![region(first), region(second)],
            labels: vec![0, 1, 2, 0, 1, 2],
        }
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("class no. {i}")).collect()
    }

    /// What a decoder finds in the file: the indices and the palette.
    fn read(path: &Path) -> (Vec<u8>, Vec<u8>) {
        let mut decoder = png::Decoder::new(io::BufReader::new(fs::File::open(path).unwrap()));
        decoder.set_transformations(png::Transformations::IDENTITY);
        let mut reader = decoder.read_info().unwrap();
        assert_eq!(reader.output_color_type(), (png::ColorType::Indexed, png::BitDepth::Eight));
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        (pixels, reader.info().palette.as_deref().unwrap().to_vec())
    }

    #[test]
    fn pixels_are_indices_in_the_colours_of_pascal_voc() {
        let folder = tempfile::tempdir().unwrap();
        let mut masks = PaletteFolder::create(&folder.path().join("masks")).unwrap();
        masks.add(Path::new("a/x.y"), &two(7, 3), &names(9)).unwrap();
        masks.add(Path::new("b"), &two(3, 8), &names(9)).unwrap();
        let at = |name: &str| folder.path().join("masks").join(name);
        let (pixels, palette) = read(&at("a/x.y.png"));
        assert_eq!(pixels, [0, 1, 2, 0, 1, 2]);
        assert_eq!(read(&at("b.png")).0, [0, 2, 3, 0, 2, 3]);
        assert_eq!(
            fs::read_to_string(at("labels.txt")).unwrap(),
            "background\nclass no. 7\nclass no. 3\nclass no. 8\n"
        );
        // Background, aeroplane, bicycle; person; tv monitor; and void, the last.
        assert_eq!(palette[..9], [0, 0, 0, 128, 0, 0, 0, 128, 0]);
        assert_eq!((&palette[45..48], &palette[60..63]), (&[192, 128, 128][..], &[0, 64, 128][..]));
        assert_eq!(palette[765..], [224, 224, 192]);
        let rgb = image::open(at("b.png")).unwrap().to_rgb8();
        assert_eq!(rgb.get_pixel(1, 0).0, [0, 128, 0]);
    }

    #[test]
    fn names_that_are_there_are_continued_and_others_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("labels.txt");
        fs::write(&file, "background\r\ndog\r\n").unwrap();
        let labels = ["cat", "dog", "crane", "crane"].map(str::to_owned);
        let mut masks = PaletteFolder::create(folder.path()).unwrap();
        masks.add(Path::new("x"), &two(0, 1), &labels).unwrap();
        masks.add(Path::new("y"), &two(2, 3), &labels).unwrap();
        assert_eq!(read(&folder.path().join("x.png")).0, [0, 2, 1, 0, 2, 1]);
        let text = "background\ndog\ncat\ncrane (class 2)\ncrane (class 3)\n";
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        for other in ["", "dog\nbackground\n", "\u{0}\u{1}"] {
            fs::write(&file, other).unwrap();
            let error = PaletteFolder::create(folder.path()).unwrap_err();
            assert!(matches!(error, SinkError::NotLabels { .. }), "{error}");
        }
        fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(PaletteFolder::create(folder.path()).is_err());
    }

    #[test]
    fn a_palette_ends_at_255_classes() {
        let folder = tempfile::tempdir().unwrap();
        let mut masks = PaletteFolder::create(folder.path()).unwrap();
        let labels = names(300);
        for class in 0..255 {
            masks.add(Path::new("x"), &two(class, class), &labels).unwrap();
        }
        assert_eq!(read(&folder.path().join("x.png")).0, [0, 255, 255, 0, 255, 255]);
        let error = masks.add(Path::new("y"), &two(255, 0), &labels).unwrap_err();
        assert!(matches!(error, SinkError::TooManyClasses { .. }), "{error}");
        assert!(!folder.path().join("y.png").exists());
    }
}
