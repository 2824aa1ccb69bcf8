//! A picture of the mask for each picture: a folder of masks that mirrors the pictures' folder.
//!
//! The class is the name of the folder that a picture is in, or of the dataset where its pictures are in none. The
//! object is whatever is not black.

use std::path::Path;

use super::gather::{Gathered, TrueObject};
use super::names::{first_folder, picture_folder, pictures_below, relative, root_of};
use super::{DatasetError, FaultKind, Format};

/// Folders in which masks are.
pub(super) const FOLDERS: [&str; 6] =
    ["masks", "Masks", "SegmentationClass", "SegmentationObject", "Annotations", "annotations"];

pub(super) fn read(path: &Path, gathered: &mut Gathered<'_>) -> Result<(), DatasetError> {
    let root = root_of(path);
    let missing = || DatasetError::Malformed {
        name: path.display().to_string(),
        format: Format::Masks,
        reason: "there is no folder masks/ with pictures in it".to_owned(),
    };
    let masks = FOLDERS
        .iter()
        .find_map(|folder| first_folder(&root, &[folder]).filter(|f| !pictures_below(f).is_empty()));
    let masks = masks.ok_or_else(missing)?;
    let pictures = picture_folder(&root);
    let named = root.canonicalize().unwrap_or_else(|_| root.clone());
    let named = named.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for picture in pictures_below(&pictures) {
        if picture.starts_with(&masks) {
            continue;
        }
        let name = relative(&picture, &pictures);
        let stem = masks.join(&name).with_extension("");
        let Some(mask_file) = super::names::with_picture_extension(&stem) else {
            gathered.fault(FaultKind::NoObjects, name);
            continue;
        };
        let folder = Path::new(&name).parent().and_then(Path::file_name);
        let class = folder.map_or_else(|| named.clone(), |folder| folder.to_string_lossy().into_owned());
        let place = relative(&mask_file, &root);
        let mask_file = Some(mask_file);
        gathered.add(TrueObject { name, picture, class, mask_file, place, ..TrueObject::default() });
    }
    // Masks whose pictures are not there.
    for mask in pictures_below(&masks) {
        let stem = pictures.join(relative(&mask, &masks)).with_extension("");
        if super::names::with_picture_extension(&stem).is_none() {
            gathered.fault(FaultKind::MissingPicture, format!("the picture of {}", relative(&mask, &root)));
        }
    }
    Ok(())
}
