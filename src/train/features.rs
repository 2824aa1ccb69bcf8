//! Features of pictures: made once by the backbone, kept on disk, read while a head is trained.
//!
//! There is a file for each picture, so that a run that was interrupted, other pictures beside it, or another head on
//! the same layer cost only what is new. A file holds the picture's thumbnail, then its views: f16 `[views, h, w, C]`,
//! little endian. The first view is the picture as the model sees it, the others are drawn by chance.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::f16;
use sha2::{Digest, Sha256};

use super::backbone::{Backbone, FeatureExtractor};
use super::dataset::Item;
use super::thumbnail::{self, thumbnail};
use super::{TrainError, augment};
use crate::digest::hex;
use crate::files::{Stop, replace};
use crate::frame::Picture;
use crate::picture::shrunk;
use crate::source::{SourceError, read_photo};
use crate::workers::{self, Results};

/// Views of one picture. Six show it differently enough for a minute of training; of many pictures two do, as they
/// differ themselves, and six would fill the disk.
fn view_count(pictures: usize) -> usize {
    (4000 / pictures.max(1)).clamp(2, 6)
}

/// A picture larger than this many times the model's input is made smaller before it is cut and lit.
const OVERSIZE: u32 = 2;

/// More eyes at once take more memory than they save time.
const MOST_WORKERS: usize = 4;

/// Where features are kept, and of what form they are.
#[derive(Clone, Debug)]
pub(super) struct Features {
    folder: PathBuf,
    /// `[h, w, C]`.
    pub(super) shape: [usize; 3],
    /// Views of one picture.
    pub(super) views: usize,
}

/// What became of a picture.
pub(super) type Seen = Result<(), SourceError>;

type Done = Result<(usize, Seen), TrainError>;

impl Features {
    /// Features of this backbone in `cache`, for a set of so many pictures.
    pub(super) fn new(cache: &Path, backbone: &Backbone, pictures: usize) -> Features {
        let [channels, rows, columns] = backbone.shape();
        let views = view_count(pictures);
        let folder = cache.join("features").join(format!("{}-{views}", backbone.fingerprint));
        Features { folder, shape: [rows, columns, channels], views }
    }

    /// Values of one view.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of one picture's file.
    fn bytes(&self) -> u64 {
        (thumbnail::LENGTH + self.views * self.len() * size_of::<f16>()) as u64
    }

    /// Makes the features of all pictures that have none yet, and tells which can't be read, in their order. `progress`
    /// is told how many are through.
    ///
    /// # Errors
    /// If the backbone fails, the disk is full, or `stop` stops it.
    pub(super) fn make(
        &self,
        items: &[Item],
        backbone: &Backbone,
        stop: &Stop,
        progress: &dyn Fn(usize),
    ) -> Result<Vec<Seen>, TrainError> {
        let failed = |source| self.failed(self.folder.clone(), items.len(), source);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let places: Vec<usize> = (0..items.len()).collect();
        let work = |extractor: &mut Option<FeatureExtractor>, &place: &usize, results: &Results<'_, Done>| {
            let one = self.make_one(&items[place], items.len(), extractor, backbone);
            results.give(one.map(|seen| (place, seen)));
        };
        let mut seen: Vec<(usize, Seen)> = Vec::with_capacity(items.len());
        workers::spread(
            &places,
            workers::count(MOST_WORKERS),
            stop,
            || None,
            work,
            |one: Done| {
                seen.push(one?);
                progress(seen.len());
                Ok::<(), TrainError>(())
            },
        )?;
        if seen.len() < items.len() {
            return Err(TrainError::Stopped);
        }
        seen.sort_by_key(|(place, _)| *place);
        Ok(seen.into_iter().map(|(_, one)| one).collect())
    }

    fn make_one(
        &self,
        item: &Item,
        pictures: usize,
        extractor: &mut Option<FeatureExtractor>,
        backbone: &Backbone,
    ) -> Result<Seen, TrainError> {
        let path = self.path(item);
        if fs::metadata(&path).is_ok_and(|file| file.len() == self.bytes()) {
            return Ok(Ok(()));
        }
        let picture = match read_photo(&item.path) {
            Ok(picture) => picture,
            Err(error) => return Ok(Err(error)),
        };
        let extractor = match extractor {
            Some(extractor) => extractor,
            // One thread each: several pictures at once make better use of them than one picture does.
            None => extractor.insert(backbone.extractor(1)?),
        };
        let bytes = self.encode(&item.name, &picture, extractor, backbone)?;
        replace(&path, &bytes).map_err(|source| self.failed(path.clone(), pictures, source))?;
        Ok(Ok(()))
    }

    fn encode(
        &self,
        name: &str,
        picture: &Picture,
        extractor: &mut FeatureExtractor,
        backbone: &Backbone,
    ) -> Result<Vec<u8>, TrainError> {
        let input = &backbone.classifier.preprocessing;
        let (small, _) = shrunk(picture, OVERSIZE * input.width.max(input.height));
        let mut bytes = thumbnail(picture);
        bytes.reserve(self.bytes() as usize);
        // The same views of a picture in every run, whatever its place among the others.
        let seed = Sha256::digest(name).iter().take(8).fold(0, |seed, &byte| seed << 8 | u64::from(byte));
        let mut random = fastrand::Rng::with_seed(seed);
        for view in 0..self.views {
            let values = match view {
                0 => extractor.see(picture)?,
                _ => extractor.see(&augment::view(&small, &mut random))?,
            };
            let [rows, columns, channels] = self.shape;
            let places = rows * columns;
            for place in 0..places {
                for channel in 0..channels {
                    bytes.extend(f16::from_f32(values[channel * places + place]).to_le_bytes());
                }
            }
        }
        Ok(bytes)
    }

    /// A picture's thumbnail.
    pub(super) fn thumbnail(&self, item: &Item) -> Result<Vec<u8>, TrainError> {
        let mut bytes = vec![0; thumbnail::LENGTH];
        self.read_at(item, 0, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes a view of a picture, `[h, w, C]`, to the end of `values`.
    pub(super) fn read(&self, item: &Item, view: usize, values: &mut Vec<f32>) -> Result<(), TrainError> {
        let mut bytes = vec![0; self.len() * size_of::<f16>()];
        self.read_at(item, (thumbnail::LENGTH + view * bytes.len()) as u64, &mut bytes)?;
        values.extend(bytes.chunks_exact(2).map(|pair| f16::from_le_bytes([pair[0], pair[1]]).to_f32()));
        Ok(())
    }

    fn read_at(&self, item: &Item, offset: u64, bytes: &mut [u8]) -> Result<(), TrainError> {
        let path = self.path(item);
        let mut read = || -> std::io::Result<()> {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(bytes)
        };
        read().map_err(|source| self.failed(path.clone(), 1, source))
    }

    /// The file of a picture, which changes when the picture does.
    fn path(&self, item: &Item) -> PathBuf {
        let mut hash = Sha256::new();
        hash.update(
            item.path.canonicalize().unwrap_or_else(|_| item.path.clone()).as_os_str().as_encoded_bytes(),
        );
        if let Ok(file) = fs::metadata(&item.path) {
            hash.update(file.len().to_le_bytes());
            hash.update(format!("{:?}", file.modified().ok()));
        }
        self.folder.join(hex(&hash.finalize()[..16]))
    }

    fn failed(&self, path: PathBuf, pictures: usize, source: std::io::Error) -> TrainError {
        TrainError::Cache { path, needed: self.bytes() * pictures as u64, source }
    }
}
