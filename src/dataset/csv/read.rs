//! `boxes.csv`: one row for each box, found by the names of its columns.
//!
//! `image,class_name,imagenet_id_or_blank,x0,y0,x1,y1,width,height,imagenet_ids_alt,note`; of these, `image`,
//! `class_name` and the four edges are needed. Pictures are in `images/`, masks may be in `masks/`.

use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::cells::plain;
use crate::dataset::gather::{Gathered, TrueObject};
use crate::dataset::names::{first_folder, picture_folder, root_of};
use crate::dataset::{DatasetError, FaultKind, Format};

/// The file's name in a dataset's folder.
pub(in crate::dataset) const FILE: &str = "boxes.csv";

/// Where each column is.
struct Columns {
    image: usize,
    class: usize,
    edges: [usize; 4],
    imagenet: Option<usize>,
    others: Option<usize>,
    size: Option<[usize; 2]>,
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Columns, String> {
        let find = |names: &[&str]| {
            header.iter().position(|column| names.iter().any(|name| column.eq_ignore_ascii_case(name)))
        };
        let need = |names: &[&str]| find(names).ok_or_else(|| format!("it has no column \"{}\"", names[0]));
        Ok(Columns {
            image: need(&["image", "image_id", "file", "filename"])?,
            class: need(&["class_name", "class", "label"])?,
            edges: [
                need(&["x0", "xmin"])?,
                need(&["y0", "ymin"])?,
                need(&["x1", "xmax"])?,
                need(&["y1", "ymax"])?,
            ],
            imagenet: find(&["imagenet_id_or_blank", "imagenet_id"]),
            others: find(&["imagenet_ids_alt", "imagenet_ids"]),
            size: find(&["width"]).zip(find(&["height"])).map(|(width, height)| [width, height]),
        })
    }
}

pub(in crate::dataset) fn read(path: &Path, gathered: &mut Gathered<'_>) -> Result<(), DatasetError> {
    let file = if path.is_file() { path.to_owned() } else { path.join(FILE) };
    gathered.file(&file);
    let root = root_of(&file);
    let name = file.display().to_string();
    let malformed =
        |reason: String| DatasetError::Malformed { name: name.clone(), format: Format::BoxesCsv, reason };
    let opened = std::fs::File::open(&file).map_err(|error| DatasetError::unreadable(&file, error))?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(std::io::BufReader::new(opened));
    let header = reader.headers().map_err(|error| malformed(error.to_string()))?;
    // A byte order mark is no part of the first column's name.
    let header: StringRecord = header.iter().map(|column| column.trim_start_matches('\u{feff}')).collect();
    let columns = Columns::find(&header).map_err(malformed)?;
    let pictures = picture_folder(&root);
    let masks = first_folder(&root, &["masks"]);
    let short = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for (i, row) in reader.records().enumerate() {
        let line =
            row.as_ref().ok().and_then(StringRecord::position).map_or(i as u64 + 2, csv::Position::line);
        let place = format!("{short} line {line}");
        let object = row
            .map_err(|error| error.to_string())
            .and_then(|row| object(&row, &columns, &pictures, masks.as_deref(), place.clone()));
        match object {
            Ok(object) => gathered.add(object),
            Err(reason) => gathered.fault(FaultKind::BadRow, format!("{place}: {reason}")),
        }
    }
    Ok(())
}

fn object(
    row: &StringRecord,
    columns: &Columns,
    pictures: &Path,
    masks: Option<&Path>,
    place: String,
) -> Result<TrueObject, String> {
    let field = |column: usize| row.get(column).unwrap_or_default();
    let number = |column: usize| {
        let text = field(column);
        text.parse::<f64>().map_err(|_| format!("\"{text}\" is not a number"))
    };
    let name = plain(field(columns.image)).replace('\\', "/");
    let class = plain(field(columns.class)).to_owned();
    if name.is_empty() {
        return Err("it names no image".to_owned());
    }
    let [x0, y0, x1, y1] = columns.edges;
    let exact = columns.imagenet.map(field).unwrap_or_default();
    let others = columns.others.map(field).unwrap_or_default();
    let ids = [exact].into_iter().chain(others.split('|')).filter(|id| !id.is_empty());
    let ids = ids.map(|id| id.parse().map_err(|_| format!("\"{id}\" is not an ImageNet id")));
    let size = columns.size.and_then(|[width, height]| {
        Some((field(width).parse().ok()?, field(height).parse().ok()?)).filter(|&(w, h)| w > 0 && h > 0)
    });
    Ok(TrueObject {
        picture: pictures.join(&name),
        mask_file: masks.and_then(|masks| mask_of(masks, &name)),
        class,
        imagenet: ids.collect::<Result<_, _>>()?,
        first_is_exact: !exact.is_empty(),
        bbox: Some([number(x0)?, number(y0)?, number(x1)?, number(y1)?]),
        size,
        place,
        name,
        ..TrueObject::default()
    })
}

fn mask_of(masks: &Path, name: &str) -> Option<PathBuf> {
    Some(masks.join(name).with_extension("png")).filter(|path| path.is_file())
}
