//! Which pictures there are, and what each is said to show.

use std::path::{Path, PathBuf};

use super::TrainError;
use crate::dataset::{class_folders, pictures_below, relative};
use crate::model::BACKGROUND;

/// A picture and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The path below the folder, parted by `/`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its class, by place in [`Dataset::classes`].
    pub class: usize,
}

/// Pictures in folders named by class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dataset {
    /// The names of the classes, in their order; [`BACKGROUND`] is the last where there is one.
    pub classes: Vec<String>,
    /// The pictures, class by class, by name.
    pub items: Vec<Item>,
    /// How many pictures lie beside the folders, and are left out.
    pub beside: usize,
}

/// Finds the pictures below `folder`: each folder in it is a class, whatever folders are in that; `negatives` holds
/// pictures of the background.
///
/// # Errors
/// If there is no picture, only one class, or a class without a picture.
pub(crate) fn gather(folder: &Path, negatives: Option<&Path>) -> Result<Dataset, TrainError> {
    if !folder.is_dir() {
        return Err(TrainError::NoFolder(folder.to_owned()));
    }
    let mut folders = class_folders(folder).unwrap_or_default();
    if folders.is_empty() {
        return Err(TrainError::NoClasses(folder.to_owned()));
    }
    // The background stands last, so that the classes that are looked for count from 0.
    folders.sort_by_key(|(name, _)| (name == BACKGROUND, name.clone()));
    let mut classes = Vec::new();
    let mut items = Vec::new();
    for (class, path) in folders {
        let files = pictures_below(&path);
        if files.is_empty() {
            return Err(TrainError::EmptyClass { class, folder: path });
        }
        items.extend(files.into_iter().map(|file| Item {
            name: relative(&file, folder),
            path: file,
            class: classes.len(),
        }));
        classes.push(class);
    }
    if let Some(negatives) = negatives {
        let files = pictures_below(negatives);
        if files.is_empty() {
            return Err(TrainError::NoNegatives(negatives.to_owned()));
        }
        if classes.last().is_none_or(|last| last != BACKGROUND) {
            classes.push(BACKGROUND.to_owned());
        }
        let class = classes.len() - 1;
        items.extend(files.into_iter().map(|file| Item {
            name: format!("{BACKGROUND}/{}", relative(&file, negatives)),
            path: file,
            class,
        }));
    }
    match &classes[..] {
        [class] => Err(TrainError::OneClass { class: class.clone() }),
        _ => {
            let beside = pictures_below(folder).iter().filter(|file| file.parent() == Some(folder)).count();
            Ok(Dataset { classes, items, beside })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::testing::tree;

    fn refusal(files: &[&str]) -> String {
        let folder = tree(files);
        gather(folder.path(), None).unwrap_err().to_string()
    }

    #[test]
    fn folders_are_classes_and_the_background_is_the_last() {
        let folder =
            tree(&["쥐/1.jpg", "background/x.png", "a cat/video 1/2.jpg", "a cat/1.JPG", "loose.jpg"]);
        let found = gather(folder.path(), None).unwrap();
        assert_eq!(found.classes, ["a cat", "쥐", "background"]);
        let names: Vec<(&str, usize)> =
            found.items.iter().map(|item| (item.name.as_str(), item.class)).collect();
        assert_eq!(
            names,
            [("a cat/1.JPG", 0), ("a cat/video 1/2.jpg", 0), ("쥐/1.jpg", 1), ("background/x.png", 2)]
        );
        assert_eq!(found.beside, 1);
    }

    #[test]
    fn negatives_are_background() {
        let folder = tree(&["cat/1.jpg"]);
        let others = tree(&["deep/1.jpg", "2.jpg"]);
        let found = gather(folder.path(), Some(others.path())).unwrap();
        assert_eq!(found.classes, ["cat", "background"]);
        assert_eq!(found.items.iter().filter(|item| item.class == 1).count(), 2);
    }

    #[test]
    fn what_cannot_be_learned_from_is_said() {
        assert!(refusal(&["1.jpg"]).contains("one folder for each class"));
        assert!(refusal(&["cat/1.jpg"]).contains("only one class, \"cat\""));
        assert!(refusal(&["cat/1.jpg", "dog/"]).contains("the class \"dog\" has no pictures"));
        let gone = gather(Path::new("no/such"), None).unwrap_err().to_string();
        assert!(gone.starts_with("no/such is no folder"), "{gone}");
    }
}
