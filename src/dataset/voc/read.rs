//! Pascal VOC: an XML file for each picture, in `Annotations/` or beside the pictures.
//!
//! The devkit counts pixels from 1 and includes the last. Files that have an edge at 0 can't mean that: where any
//! file of a set has one, the set's edges are taken as they stand, right and bottom exclusive.

use std::path::{Path, PathBuf};

use roxmltree::{Document, Node};

use crate::dataset::gather::{Gathered, TrueObject};
use crate::dataset::names::{picture_folder, relative, root_of, walk, with_picture_extension};
use crate::dataset::{DatasetError, FaultKind, Format};

/// A VOC file is some kilobytes.
const LARGEST: u64 = 16_000_000;

pub(in crate::dataset) fn read(path: &Path, gathered: &mut Gathered<'_>) -> Result<(), DatasetError> {
    let (root, files) = if path.is_file() {
        (root_of(path), vec![path.to_owned()])
    } else {
        (path.to_owned(), walk(path, &["xml"]))
    };
    let pictures = picture_folder(&root);
    let mut objects = Vec::new();
    for file in &files {
        let name = relative(file, &root);
        gathered.file(file);
        match objects_of(file, &name, &pictures) {
            Ok(found) if found.is_empty() => gathered.fault(FaultKind::NoObjects, name),
            Ok(found) => objects.extend(found),
            Err(reason) if files.len() == 1 => {
                return Err(DatasetError::Malformed { name, format: Format::Voc, reason });
            }
            Err(reason) => gathered.fault(FaultKind::BadRow, format!("{name}: {reason}")),
        }
    }
    let from_zero =
        objects.iter().filter_map(|object| object.bbox).any(|[x0, y0, ..]| x0 == 0.0 || y0 == 0.0);
    for mut object in objects {
        if let Some([x0, y0, ..]) = object.bbox.as_mut().filter(|_| !from_zero) {
            (*x0, *y0) = (*x0 - 1.0, *y0 - 1.0);
        }
        gathered.add(object);
    }
    Ok(())
}

fn objects_of(file: &Path, name: &str, pictures: &Path) -> Result<Vec<TrueObject>, String> {
    let length = std::fs::metadata(file).map_err(|error| error.kind().to_string())?.len();
    if length > LARGEST {
        return Err("it is too large for one picture's objects".to_owned());
    }
    let text = std::fs::read_to_string(file).map_err(|error| error.kind().to_string())?;
    let document = Document::parse(&text).map_err(|error| error.to_string())?;
    let root = document.root_element();
    if root.tag_name().name() != "annotation" {
        return Err("it has no <annotation>".to_owned());
    }
    let picture = picture(file, text_of(root, "filename"), pictures);
    let size = child(root, "size")
        .and_then(|size| Some((number(size, "width").ok()? as u32, number(size, "height").ok()? as u32)));
    // Tools that did not know the size wrote 0.
    let size = size.filter(|&(width, height)| width > 0 && height > 0);
    let objects = root.children().filter(|node| node.has_tag_name("object"));
    let objects = objects.enumerate().map(|(i, node)| {
        let place = format!("{name} object {}", i + 1);
        let bndbox = child(node, "bndbox").ok_or("an object has no <bndbox>")?;
        let edge = |tag| number(bndbox, tag);
        Ok(TrueObject {
            name: relative(&picture, pictures),
            picture: picture.clone(),
            class: text_of(node, "name").ok_or("an object has no <name>")?.to_owned(),
            bbox: Some([edge("xmin")?, edge("ymin")?, edge("xmax")?, edge("ymax")?]),
            size,
            place,
            ..TrueObject::default()
        })
    });
    objects.collect()
}

/// The picture of a file: the one that it names, with the folders below `Annotations` or beside the file; else the
/// one of the same stem.
fn picture(file: &Path, named: Option<&str>, pictures: &Path) -> PathBuf {
    let beside = file.parent().unwrap_or(Path::new("."));
    let below = beside.iter().rev().take_while(|part| !part.eq_ignore_ascii_case("annotations"));
    let below: PathBuf = below.collect::<Vec<_>>().into_iter().rev().collect();
    let nested = if beside.iter().any(|part| part.eq_ignore_ascii_case("annotations")) {
        below
    } else {
        PathBuf::new()
    };
    let folders = [pictures.join(nested), pictures.to_owned(), beside.to_owned()];
    // Some tools write a whole path of their own machine.
    let named =
        named.map(|name| name.rsplit(['/', '\\']).next().unwrap_or(name)).filter(|name| !name.is_empty());
    let stem = file.file_stem().unwrap_or_default();
    let by_name = named.and_then(|name| folders.iter().map(|folder| folder.join(name)).find(|p| p.is_file()));
    by_name
        .or_else(|| folders.iter().find_map(|folder| with_picture_extension(&folder.join(stem))))
        .unwrap_or_else(|| folders[0].join(named.map_or(stem.as_ref(), Path::new)))
}

fn child<'a, 'input>(node: Node<'a, 'input>, tag: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(tag))
}

fn text_of<'a>(node: Node<'a, '_>, tag: &str) -> Option<&'a str> {
    child(node, tag)?.text().map(str::trim)
}

fn number(node: Node<'_, '_>, tag: &str) -> Result<f64, String> {
    let text = text_of(node, tag).ok_or_else(|| format!("there is no <{tag}>"))?;
    text.parse().map_err(|_| format!("<{tag}> is \"{text}\", not a number"))
}
