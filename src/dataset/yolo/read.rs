//! YOLO: a text file for each picture, `class x y width height` or `class x1 y1 x2 y2 …` a line, all but the class in
//! shares of the picture's sides.
//!
//! Texts are in `labels/`, which mirrors `images/`, or beside the pictures. The classes' names stand in a `data.yaml`
//! (or any other .yaml that has `names`), a `classes.txt` or `obj.names`; without names, a number is the model's class.

use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Yaml};

use crate::dataset::coco::around;
use crate::dataset::gather::{Gathered, TrueObject};
use crate::dataset::names::{
    files_in, first_folder, picture_folder, pictures_below, relative, root_of, walk, with_picture_extension,
};
use crate::dataset::{DatasetError, FaultKind, Format, Shape};

/// The folder of the texts.
pub(in crate::dataset) const LABELS: &str = "labels";

/// Texts that list the classes' names, one a line.
const LISTS: [&str; 4] = ["classes.txt", "obj.names", "names.txt", "labels.txt"];

/// Whether a folder has a text beside some picture.
pub(in crate::dataset) fn beside_pictures(folder: &Path) -> bool {
    pictures_below(folder).iter().take(100).any(|picture| picture.with_extension("txt").is_file())
}

pub(in crate::dataset) fn read(path: &Path, gathered: &mut Gathered<'_>) -> Result<(), DatasetError> {
    let root = root_of(path);
    let names = names(path, &root, gathered)?;
    let pictures = picture_folder(&root);
    let labels = first_folder(&root, &[LABELS]).unwrap_or_else(|| pictures.clone());
    for file in walk(&labels, &["txt"]) {
        let stem = relative(&file.with_extension(""), &labels);
        let list = file.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let Some(picture) = with_picture_extension(&pictures.join(&stem)) else {
            if !LISTS.contains(&list.as_str()) {
                gathered.fault(FaultKind::MissingPicture, format!("the picture of {LABELS}/{stem}.txt"));
            }
            continue;
        };
        gathered.file(&file);
        let place = relative(&file, &root);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => {
                gathered.fault(FaultKind::BadRow, format!("{place}: {}", error.kind()));
                continue;
            }
        };
        let mut rows = text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()).peekable();
        if rows.peek().is_none() {
            gathered.fault(FaultKind::NoObjects, place);
            continue;
        }
        for (i, row) in rows {
            let place = format!("{place} line {}", i + 1);
            let base = TrueObject {
                name: relative(&picture, &pictures),
                picture: picture.clone(),
                place: place.clone(),
                shares: true,
                ..TrueObject::default()
            };
            match object(row, base, names.as_deref()) {
                Ok(object) => gathered.add(object),
                Err(reason) => gathered.fault(FaultKind::BadRow, format!("{place}: {reason}")),
            }
        }
    }
    Ok(())
}

fn object(row: &str, base: TrueObject, names: Option<&[String]>) -> Result<TrueObject, String> {
    let mut fields = row.split_whitespace();
    let class = fields.next().unwrap_or_default();
    let id: usize = class.parse().map_err(|_| format!("\"{class}\" is not the number of a class"))?;
    let class = match names {
        None => id.to_string(),
        Some(names) => names.get(id).ok_or_else(|| format!("there is no name for the class {id}"))?.clone(),
    };
    let number = |text: &str| text.parse::<f64>().map_err(|_| format!("\"{text}\" is not a number"));
    let numbers = fields.map(number).collect::<Result<Vec<f64>, String>>()?;
    let (bbox, shapes) = match numbers.as_slice() {
        // A fifth number is how sure a detector was.
        &[x, y, width, height] | &[x, y, width, height, _] => {
            ([x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0], vec![])
        }
        corners if corners.len() >= 6 && corners.len().is_multiple_of(2) => {
            let corners = corners.chunks_exact(2).map(|corner| [corner[0], corner[1]]).collect();
            let shapes = vec![Shape::Polygon(corners)];
            (around(&shapes).unwrap_or_default(), shapes)
        }
        other => return Err(format!("it has {} numbers after the class, not 4, or 6 or more", other.len())),
    };
    Ok(TrueObject { class, bbox: Some(bbox), shapes, ..base })
}

/// The names of the classes; `None` where no file says.
fn names(path: &Path, root: &Path, gathered: &mut Gathered<'_>) -> Result<Option<Vec<String>>, DatasetError> {
    let yaml =
        |file: &PathBuf| file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let here = files_in(root, &["yaml", "yml"]);
    // One that describes several parts stands above them.
    let above = root.parent().map(|parent| parent.join("data.yaml")).filter(|file| file.is_file());
    let given = Some(path.to_owned()).filter(|path| path.is_file() && yaml(path));
    for file in given.into_iter().chain(here).chain(above) {
        let text = std::fs::read_to_string(&file).map_err(|error| DatasetError::unreadable(&file, error))?;
        let malformed = |reason: String| DatasetError::Malformed {
            name: file.display().to_string(),
            format: Format::Yolo,
            reason,
        };
        let documents = Yaml::load_from_str(&text).map_err(|error| malformed(error.to_string()))?;
        if let Some(names) = documents.first().and_then(|document| document.as_mapping_get("names")) {
            gathered.file(&file);
            return listed(names).map(Some).ok_or_else(|| malformed("its names are no list".into()));
        }
    }
    let folders = [root.to_owned(), root.join(LABELS), picture_folder(root)];
    let lists = folders.iter().flat_map(|folder| LISTS.map(|list| folder.join(list)));
    let Some(file) = lists.into_iter().find(|file| file.is_file()) else { return Ok(None) };
    gathered.file(&file);
    let text = std::fs::read_to_string(&file).map_err(|error| DatasetError::unreadable(&file, error))?;
    Ok(Some(text.trim_end().lines().map(|line| line.trim().to_owned()).collect()))
}

/// Names from a list, or from a mapping of numbers to names; a number without a name has an empty one.
fn listed(names: &Yaml<'_>) -> Option<Vec<String>> {
    let text = |name: &Yaml<'_>| {
        name.as_str().map(str::to_owned).or_else(|| name.as_integer().map(|number| number.to_string()))
    };
    if let Some(list) = names.as_sequence() {
        return list.iter().map(text).collect();
    }
    /// More classes than any model has.
    const MOST: usize = 1_000_000;
    let mut listed = Vec::new();
    for (key, name) in names.as_mapping()? {
        let at = key.as_integer().or_else(|| key.as_str()?.parse().ok())?;
        let at = usize::try_from(at).ok().filter(|&at| at < MOST)?;
        if listed.len() <= at {
            listed.resize(at + 1, String::new());
        }
        listed[at] = text(name)?;
    }
    Some(listed)
}
