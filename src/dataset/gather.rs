//! From objects, as the files of truth list them, to samples.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::{Classes, Fault, FaultKind, Faults, MaskSource, Sample, Shape};

/// One object of the truth.
#[derive(Clone, Debug, Default)]
pub(super) struct TrueObject {
    /// The picture's path below the pictures' folder, parted by `/`.
    pub(super) name: String,
    pub(super) picture: PathBuf,
    pub(super) class: String,
    /// Ids of ImageNet-1k that are right answers, where the truth has them.
    pub(super) imagenet: Vec<usize>,
    /// Whether the first of them is the very class, and the others are right as well.
    pub(super) first_is_exact: bool,
    /// `x1` and `y1` exclusive.
    pub(super) bbox: Option<[f64; 4]>,
    pub(super) shapes: Vec<Shape>,
    /// A picture of the mask of all objects of the picture.
    pub(super) mask_file: Option<PathBuf>,
    pub(super) size: Option<(u32, u32)>,
    /// Whether box and shapes are shares of the picture's sides.
    pub(super) shares: bool,
    /// A region of many objects, which counts only where the picture has no single one of its class.
    pub(super) crowd: bool,
    /// Where it stands, for messages: `boxes.csv line 7`.
    pub(super) place: String,
}

/// Objects, gathered by picture and class.
pub(super) struct Gathered<'a> {
    classes: &'a Classes<'a>,
    resolved: HashMap<String, Result<Vec<usize>, String>>,
    found: BTreeMap<(String, String), Found>,
    faults: Faults,
    files: Vec<PathBuf>,
}

/// The objects of one class on one picture.
struct Found {
    first: TrueObject,
    accepted: Vec<usize>,
    boxes: Vec<[f64; 4]>,
    shapes: Vec<Shape>,
    /// Whether every object so far has shapes.
    complete: bool,
    crowd: bool,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(classes: &'a Classes<'a>) -> Gathered<'a> {
        Gathered {
            classes,
            resolved: HashMap::new(),
            found: BTreeMap::new(),
            faults: Faults::default(),
            files: Vec::new(),
        }
    }

    /// Remembers a file of the truth.
    pub(super) fn file(&mut self, path: &Path) {
        self.files.push(path.to_owned());
    }

    /// Counts something wrong.
    pub(super) fn fault(&mut self, kind: FaultKind, what: impl Into<String>) {
        self.faults.add(Fault::new(kind, what));
    }

    /// Takes an object in, unless there is something wrong with it.
    pub(super) fn add(&mut self, object: TrueObject) {
        let TrueObject { name, class, place, .. } = &object;
        let accepted = match self.resolve(&object) {
            Ok(ids) => ids,
            Err(reason) => return self.fault(FaultKind::UnknownClass, format!("{place}: {name}: {reason}")),
        };
        if let Some(bbox @ [x0, y0, x1, y1]) = object.bbox {
            if !bbox.iter().all(|edge| edge.is_finite()) {
                return self.fault(FaultKind::BadRow, format!("{place}: {name} {bbox:?} are not numbers"));
            }
            if x0 >= x1 || y0 >= y1 {
                return self.fault(FaultKind::EmptyBox, format!("{place}: {name} [{x0}, {y0}, {x1}, {y1}]"));
            }
        }
        let key = (name.clone(), class.clone());
        match self.found.get_mut(&key) {
            None => {
                self.found.insert(key, Found::new(object, accepted));
            }
            Some(found) if found.has(&object) => {
                self.fault(FaultKind::DuplicateRow, format!("{place}: {name} {class}"));
            }
            Some(found) => found.add(object),
        }
    }

    fn resolve(&mut self, object: &TrueObject) -> Result<Vec<usize>, String> {
        let classes = self.classes;
        if !object.imagenet.is_empty() {
            return classes.resolve(&object.class, &object.imagenet);
        }
        // The nearest of 1000 names takes a while, and there may be many objects of an unknown class.
        let found = self.resolved.entry(object.class.clone());
        found.or_insert_with(|| classes.resolve(&object.class, &[])).clone()
    }

    /// One sample for each class on each picture, by the pictures' names; what was wrong; and the files of the truth.
    pub(super) fn into_samples(self) -> (Vec<Sample>, Faults, Vec<PathBuf>) {
        let mut classes_on: HashMap<String, usize> = HashMap::new();
        for (picture, _) in self.found.keys() {
            *classes_on.entry(picture.clone()).or_default() += 1;
        }
        let samples = self.found.into_iter().map(|((picture, class), found)| {
            let alone = classes_on.get(&picture) == Some(&1);
            found.into_sample(if alone { picture } else { format!("{picture}#{class}") }, alone)
        });
        (samples.collect(), self.faults, self.files)
    }
}

impl Found {
    fn new(mut object: TrueObject, accepted: Vec<usize>) -> Found {
        let shapes = std::mem::take(&mut object.shapes);
        let boxes = object.bbox.into_iter().collect();
        let crowd = object.crowd;
        Found { complete: !shapes.is_empty(), first: object, accepted, boxes, shapes, crowd }
    }

    fn has(&self, object: &TrueObject) -> bool {
        match object.bbox {
            Some(bbox) => self.boxes.contains(&bbox) && self.crowd == object.crowd,
            None => object.shapes.iter().all(|shape| self.shapes.contains(shape)),
        }
    }

    fn add(&mut self, object: TrueObject) {
        if self.crowd != object.crowd {
            // One of the two is a crowd; only the other counts.
            if self.crowd {
                *self = Found::new(object, std::mem::take(&mut self.accepted));
            }
            return;
        }
        self.boxes.extend(object.bbox);
        self.complete &= !object.shapes.is_empty();
        self.shapes.extend(object.shapes);
    }

    fn into_sample(self, name: String, alone: bool) -> Sample {
        let Found { first, accepted, boxes, shapes, complete, .. } = self;
        let TrueObject { picture, class, mask_file, size, shares, first_is_exact, .. } = first;
        let exact = first_is_exact || accepted.len() == 1;
        // A mask of some of the objects would call the others background; so would one of all classes.
        let shapes = complete.then_some(MaskSource::Shapes(shapes));
        let mask = mask_file.filter(|_| alone).map(MaskSource::File).or(shapes);
        let explained = if exact { accepted.first().copied() } else { None };
        Sample {
            name,
            picture,
            sequence: None,
            frame: 0,
            class,
            accepted,
            explained,
            boxes,
            shares,
            size,
            mask,
        }
    }
}
