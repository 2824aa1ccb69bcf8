//! COCO: one JSON file with images, annotations and categories; boxes, polygons and run lengths.

use std::collections::{HashMap, HashSet};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::dataset::gather::{Gathered, TrueObject};
use crate::dataset::names::{files_in, root_of};
use crate::dataset::{DatasetError, FaultKind, Format, Shape};
use crate::localize::Runs;

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    annotations: Vec<Value>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: Id,
    file_name: String,
    width: Option<f64>,
    height: Option<f64>,
}

impl Image {
    /// Width and height, where the file has them.
    fn size(&self) -> Option<(u32, u32)> {
        let (width, height) = (self.width? as u32, self.height? as u32);
        (width > 0 && height > 0).then_some((width, height))
    }
}

#[derive(Deserialize)]
struct Category {
    id: Id,
    name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Id,
    category_id: Id,
    bbox: Option<Vec<f64>>,
    segmentation: Option<Segmentation>,
    iscrowd: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Segmentation {
    Polygons(Vec<Vec<f64>>),
    Runs { size: [u32; 2], counts: Counts },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Counts {
    Numbers(Vec<u32>),
    Text(String),
}

/// Numbers, as the format has them, or texts, as some tools write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(i64),
    Text(String),
}

/// The COCO files of a dataset's folder: in `annotations/` or at its top.
pub(in crate::dataset) fn files_of(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let places = [folder.join("annotations"), folder.to_owned()];
    places.into_iter().flat_map(|place| files_in(&place, &["json"])).filter(|file| is_coco(file))
}

/// The one COCO file of a dataset's folder. Which of several parts is meant the user has to say.
fn file_of(folder: &Path) -> Result<PathBuf, DatasetError> {
    let files: Vec<PathBuf> = files_of(folder).collect();
    match &*files {
        [file] => Ok(file.clone()),
        [] => Err(malformed(folder, "it holds no COCO .json".into())),
        [first, ..] => Err(DatasetError::SeveralParts {
            name: folder.display().to_string(),
            count: files.len(),
            first: first.display().to_string(),
        }),
    }
}

fn malformed(name: &Path, reason: String) -> DatasetError {
    DatasetError::Malformed { name: name.display().to_string(), format: Format::Coco, reason }
}

/// Whether a JSON file has COCO's keys.
fn is_coco(file: &Path) -> bool {
    let Ok(text) = std::fs::read(file) else { return false };
    let has = |key: &[u8]| text.windows(key.len()).any(|window| window == key);
    has(b"\"images\"") && has(b"\"annotations\"") && has(b"\"categories\"")
}

pub(in crate::dataset) fn read(path: &Path, gathered: &mut Gathered<'_>) -> Result<(), DatasetError> {
    let (root, file) =
        if path.is_file() { (root_of(path), path.to_owned()) } else { (path.to_owned(), file_of(path)?) };
    gathered.file(&file);
    let opened = std::fs::File::open(&file).map_err(|error| DatasetError::unreadable(&file, error))?;
    let File { images, annotations, categories } = serde_json::from_reader(BufReader::new(opened))
        .map_err(|error| malformed(&file, error.to_string()))?;
    let pictures = Pictures::new(&root, &file);
    let images: HashMap<Id, Image> = images.into_iter().map(|image| (image.id.clone(), image)).collect();
    let categories: HashMap<Id, String> = categories.into_iter().map(|c| (c.id, c.name)).collect();
    let mut shown = HashSet::new();
    for (i, annotation) in annotations.into_iter().enumerate() {
        let place = match annotation.get("id") {
            Some(id) => format!("annotation {id}"),
            None => format!("annotation number {}", i + 1),
        };
        let object = serde_json::from_value(annotation).map_err(|error| error.to_string());
        match object.and_then(|found| object_of(found, &images, &categories, &pictures, place.clone())) {
            Ok((id, object)) => {
                shown.insert(id);
                gathered.add(object);
            }
            Err(reason) => gathered.fault(FaultKind::BadRow, format!("{place}: {reason}")),
        }
    }
    let mut empty: Vec<&Image> = images.values().filter(|image| !shown.contains(&image.id)).collect();
    empty.sort_by(|a, b| a.file_name.cmp(&b.file_name));
    empty.into_iter().for_each(|image| gathered.fault(FaultKind::NoObjects, &image.file_name));
    Ok(())
}

fn object_of(
    found: Annotation,
    images: &HashMap<Id, Image>,
    categories: &HashMap<Id, String>,
    pictures: &Pictures,
    place: String,
) -> Result<(Id, TrueObject), String> {
    let image = images.get(&found.image_id).ok_or("its image is not in the file")?;
    let class = categories.get(&found.category_id).ok_or("its category is not in the file")?.clone();
    let shapes = found.segmentation.map_or(Ok(vec![]), shapes)?;
    let bbox = match found.bbox.as_deref() {
        Some(&[x, y, width, height]) => Some([x, y, x + width, y + height]),
        Some([]) | None => around(&shapes),
        Some(other) => return Err(format!("its box has {} numbers, not 4", other.len())),
    };
    let object = TrueObject {
        name: image.file_name.replace('\\', "/"),
        picture: pictures.find(&image.file_name),
        class,
        bbox: Some(bbox.ok_or("it has neither a box nor a segmentation")?),
        shapes,
        size: image.size(),
        crowd: found.iscrowd.is_some_and(|crowd| crowd == 1 || crowd == true),
        place,
        ..TrueObject::default()
    };
    Ok((found.image_id, object))
}

fn shapes(segmentation: Segmentation) -> Result<Vec<Shape>, String> {
    match segmentation {
        Segmentation::Polygons(polygons) => {
            let corners = |polygon: Vec<f64>| polygon.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
            Ok(polygons.into_iter().map(|polygon| Shape::Polygon(corners(polygon))).collect())
        }
        Segmentation::Runs { size: [height, width], counts } => {
            let runs = match counts {
                Counts::Numbers(counts) => Runs::new(width, height, counts),
                Counts::Text(text) => Runs::from_text(width, height, &text),
            };
            let runs = runs.ok_or_else(|| format!("its run lengths do not fill {width}x{height} pixels"))?;
            Ok(vec![Shape::Runs(runs)])
        }
    }
}

/// The box around shapes.
pub(in crate::dataset) fn around(shapes: &[Shape]) -> Option<[f64; 4]> {
    let boxes = shapes.iter().filter_map(|shape| match shape {
        Shape::Runs(runs) => runs.bbox(),
        Shape::Polygon(corners) => corners.iter().map(|&[x, y]| [x, y, x, y]).reduce(union),
    });
    boxes.reduce(union)
}

fn union(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}

/// The folders in which the pictures of a COCO file may be.
struct Pictures {
    folders: Vec<PathBuf>,
}

impl Pictures {
    fn new(root: &Path, file: &Path) -> Pictures {
        let beside = root_of(file);
        let above = beside.join("..");
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        // instances_val2017.json describes val2017/.
        let split = stem.rsplit('_').next().unwrap_or_default();
        let mut folders = Vec::new();
        for base in [root, &beside, &above] {
            folders.push(base.join("images"));
            folders.push(base.to_owned());
            folders.push(base.join(split));
            folders.push(base.join("images").join(split));
        }
        folders.retain(|folder| folder.is_dir());
        Pictures { folders }
    }

    fn find(&self, name: &str) -> PathBuf {
        let found = self.folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        found.unwrap_or_else(|| self.folders.first().map_or_else(|| name.into(), |folder| folder.join(name)))
    }
}
