//! Pictures with labels, boxes and masks, as people store them: read and written, one module a format.
//!
//! [`open`] recognises the format from what is at a path. Every reader hands over the objects it finds, one by
//! one; `gather` makes one [`Sample`] of the objects of one class in one picture. A sample is a few strings
//! and numbers: pictures and masks are read when their turn comes.

mod burst;
mod class_folders;
mod classes;
pub(crate) mod coco;
mod csv;
mod error;
mod fault;
mod format;
mod gather;
mod mask;
mod masks;
mod names;
mod object;
mod polygon;
mod sample;
mod sequence;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod voc;
mod write;
mod yolo;

pub(crate) use burst::Burst;
pub(crate) use class_folders::{class_folders, class_of};
pub(crate) use classes::{Alias, Classes};
pub(crate) use csv::Table;
pub(crate) use error::DatasetError;
pub(crate) use fault::{Fault, FaultKind, Faults};
pub(crate) use format::Format;
pub(crate) use mask::{Mask, MaskSource, Shape};
pub(crate) use names::{pictures_below, relative};
pub(crate) use object::{Object, Part};
pub(crate) use sample::Sample;
pub(crate) use write::DetectorFormat;
pub(crate) use write::{Labelled, Writer};

use std::path::{Path, PathBuf};

use gather::Gathered;

/// The ground truth at a path.
#[derive(Debug)]
pub(crate) struct Dataset {
    /// The name of the folder or file.
    pub name: String,
    /// How it was read.
    pub format: Format,
    /// One for each class on each picture, in the order of the pictures' names.
    pub samples: Vec<Sample>,
    /// What was wrong with the truth itself.
    pub faults: Faults,
    /// The files that it was read from, pictures and their masks apart.
    pub files: Vec<PathBuf>,
}

impl Dataset {
    /// Keeps `count` samples, drawn by chance as `seed` says, in their order.
    pub(crate) fn draw(&mut self, count: usize, seed: u64) {
        let mut places: Vec<usize> = (0..self.samples.len()).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut places);
        let mut keep = vec![false; self.samples.len()];
        places.iter().take(count).for_each(|&place| keep[place] = true);
        let mut keep = keep.into_iter();
        self.samples.retain(|_| keep.next().unwrap_or(false));
    }
}

/// How to read a dataset.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// The format; `None`: recognised.
    pub format: Option<Format>,
    /// Whether every folder of pictures is a video. Otherwise a folder *below* the pictures' folder is one where its
    /// names count frames.
    pub video: bool,
}

/// Reads the ground truth at `path`, a folder or one file of it.
///
/// # Errors
/// If nothing of a known format is there, its file can't be read at all, or not one box or mask is left of it.
pub(crate) fn open(path: &Path, reading: Reading, classes: &Classes<'_>) -> Result<Dataset, DatasetError> {
    let name = || path.display().to_string();
    if !path.exists() {
        return Err(DatasetError::Missing { name: name() });
    }
    let format = match reading.format {
        Some(format) => format,
        None => format::recognise(path)?,
    };
    let mut gathered = Gathered::new(classes);
    match format {
        Format::BoxesCsv => csv::read(path, &mut gathered)?,
        Format::Voc => voc::read(path, &mut gathered)?,
        Format::Coco => coco::read(path, &mut gathered)?,
        Format::Yolo => yolo::read(path, &mut gathered)?,
        Format::Masks => masks::read(path, &mut gathered)?,
    }
    let (mut samples, faults, files) = gathered.into_samples();
    if samples.is_empty() {
        return Err(DatasetError::NoTruth { name: name(), format, faults: faults.summary() });
    }
    sequence::assign(&mut samples, reading.video);
    let called = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = called.file_name().unwrap_or(called.as_os_str()).to_string_lossy().into_owned();
    Ok(Dataset { name, format, samples, faults, files })
}
