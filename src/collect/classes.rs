//! The classes and their folders: [`Classes`].

use std::io;
use std::path::{Path, PathBuf};

use super::CollectError;
use crate::dataset::{Burst, class_folders, pictures_below};
use crate::files::{FileError, make_folder};

/// The longest name of a class in bytes: any file system takes such a folder.
const LONGEST: usize = 200;

/// Names that Windows keeps for devices.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Something that pictures show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// Its name, which is the name of its folder.
    pub name: String,
    /// How many pictures lay in its folder when it was opened.
    pub before: usize,
}

/// The classes of a folder of pictures, each a folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classes {
    root: PathBuf,
    classes: Vec<Class>,
}

/// Why a class can't have a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadName {
    /// There is nothing in it.
    #[error("a class needs a name")]
    Empty,
    /// A character that the name of a folder can't have on some system.
    #[error("the class \"{name}\" can't be a folder's name: leave out the {character}")]
    Character {
        /// The name.
        name: String,
        /// The character in words.
        character: String,
    },
    /// A name that some system hides or keeps for itself.
    #[error("the class \"{name}\" can't be a folder's name on every system: choose another")]
    Kept {
        /// The name.
        name: String,
    },
    /// More than file systems take.
    #[error("the class \"{}…\" has too long a name: use at most {LONGEST} bytes", .name.chars().take(20).collect::<String>())]
    Long {
        /// The name.
        name: String,
    },
    /// There is such a class already.
    #[error("there is a class \"{name}\" already")]
    There {
        /// The name as it is there.
        name: String,
    },
}

impl Classes {
    /// The classes `wanted`, in this order and each once, then those of the other folders in `root` by name. Nothing is
    /// made yet, and `root` need not be there.
    ///
    /// Folders whose names begin with a dot or are no Unicode are none.
    ///
    /// # Errors
    /// If a name can't be a folder's, or `root` is there and can't be listed.
    pub(crate) fn open(root: &Path, wanted: &[String]) -> Result<Classes, CollectError> {
        let mut classes = Classes { root: root.to_owned(), classes: Vec::new() };
        let there = folders_in(root)?;
        for name in wanted {
            match classes.add(name) {
                Ok(_) | Err(BadName::There { .. }) => {}
                Err(bad) => return Err(bad.into()),
            }
        }
        for name in there {
            if classes.find(&name).is_none() {
                classes.push(name);
            }
        }
        Ok(classes)
    }

    /// Adds a class of this name, less the spaces around it, and returns its place.
    ///
    /// # Errors
    /// If there is one already, also one that differs in case only, or its name can't be a folder's.
    pub(crate) fn add(&mut self, name: &str) -> Result<usize, BadName> {
        let name = name.trim();
        check(name)?;
        match self.find(name) {
            Some(class) => Err(BadName::There { name: class.name.clone() }),
            None => Ok(self.push(name.to_owned())),
        }
    }

    /// Makes the folder itself and sees that files can be written there; classes get theirs with their first pictures.
    ///
    /// # Errors
    /// If that can't be.
    pub(crate) fn prepare(&self) -> Result<(), FileError> {
        make_folder(&self.root)?;
        tempfile::tempfile_in(&self.root).map(drop).map_err(|source| FileError::writing(&self.root, source))
    }

    /// All of them; places in this list stay.
    pub(crate) fn all(&self) -> &[Class] {
        &self.classes
    }

    /// The folder of a class.
    pub(crate) fn folder(&self, class: usize) -> PathBuf {
        self.root.join(&self.classes[class].name)
    }

    /// The number of the next burst, one above all that there are.
    pub(crate) fn next_burst(&self) -> u64 {
        let pictures = self.classes.iter().flat_map(|class| pictures_below(&self.root.join(&class.name)));
        let numbers = pictures.filter_map(|path| Burst::number_in(path.file_name()?.to_str()?));
        numbers.max().unwrap_or(0).saturating_add(1)
    }

    fn push(&mut self, name: String) -> usize {
        let before = pictures_below(&self.root.join(&name)).len();
        self.classes.push(Class { name, before });
        self.classes.len() - 1
    }

    /// Some file systems do not tell case.
    fn find(&self, name: &str) -> Option<&Class> {
        let name = name.to_lowercase();
        self.classes.iter().find(|class| class.name.to_lowercase() == name)
    }
}

/// Whether a name can be a folder's on every system.
fn check(name: &str) -> Result<(), BadName> {
    let owned = || name.to_owned();
    let refused = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
    if name.is_empty() {
        return Err(BadName::Empty);
    }
    if let Some(character) = name.chars().find(|&c| refused(c)) {
        let character = match character {
            '/' => "slash".to_owned(),
            '\\' => "backslash".to_owned(),
            control if control.is_control() => "control character".to_owned(),
            other => format!("character {other}"),
        };
        return Err(BadName::Character { name: name.escape_debug().to_string(), character });
    }
    if name.starts_with('.') || name.ends_with('.') || DEVICES.contains(&name.to_lowercase().as_str()) {
        return Err(BadName::Kept { name: owned() });
    }
    if name.len() > LONGEST {
        return Err(BadName::Long { name: owned() });
    }
    Ok(())
}

/// The names of the folders in a folder, sorted, less hidden ones; none where it is not there.
fn folders_in(root: &Path) -> Result<Vec<String>, CollectError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotADirectory => FileError::NotAFolder { path: root.to_owned() }.into(),
        _ => CollectError::Unreadable { path: root.to_owned(), source },
    };
    let folders = match class_folders(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        folders => folders.map_err(failed)?,
    };
    // What is no Unicode can't be shown, nor found again by its name.
    let is_unicode = |path: &Path| path.file_name().is_some_and(|name| name.to_str().is_some());
    Ok(folders.into_iter().filter(|(_, path)| is_unicode(path)).map(|(name, _)| name).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::dataset::testing::tree;

    fn open(root: &Path, wanted: &[&str]) -> Classes {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        Classes::open(root, &wanted).unwrap()
    }

    fn names(classes: &Classes) -> Vec<(&str, usize)> {
        classes.all().iter().map(|class| (class.name.as_str(), class.before)).collect()
    }

    #[test]
    fn what_is_there_is_gone_on_with_in_the_order_of_names() {
        let pictures = ["mug/a.jpg", "mug/b.PNG", "mug/notes.txt", "loose.jpg"];
        let root = tree(&[&pictures[..], &["컵/", "background/", ".hidden/"]].concat());
        assert_eq!(names(&open(root.path(), &[])), [("background", 0), ("mug", 2), ("컵", 0)]);
        // The same command gives the same keys, whatever is there by then.
        let classes = open(root.path(), &["tea pot", "mug", "mug "]);
        assert_eq!(names(&classes), [("tea pot", 0), ("mug", 2), ("background", 0), ("컵", 0)]);
        assert_eq!(classes.folder(0), root.path().join("tea pot"));
        assert!(!classes.folder(0).exists(), "a class without pictures leaves no empty folder");
    }

    #[test]
    fn names_that_can_not_be_folders_are_refused_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let mut classes = open(root.path(), &["Mug"]);
        let mut said = |name: &str| classes.add(name).map_err(|bad| bad.to_string());
        assert_eq!(said(" 고양이 발 "), Ok(1));
        for (name, word) in [
            ("a/b", "leave out the slash"),
            (r"a\b", "leave out the backslash"),
            ("what?", "leave out the character ?"),
            ("a\tb", "leave out the control character"),
            ("  ", "needs a name"),
            ("..", "choose another"),
            (".mug", "choose another"),
            ("Nul", "choose another"),
            ("mug", "there is a class \"Mug\" already"),
            (&"컵".repeat(100), "at most 200 bytes"),
        ] {
            let said = said(name).unwrap_err();
            assert!(said.contains(word), "{name}: {said}");
        }
        assert_eq!(classes.all().len(), 2);
    }

    #[test]
    fn bursts_are_numbered_on_from_what_is_there() {
        let next = |names: &[&str]| open(tree(names).path(), &["mug", "cup"]).next_burst();
        assert_eq!(next(&["mug/IMG_2023-77_01.jpg", "mug/20231114-221320-x-99.jpg"]), 1);
        let names = ["mug/20231114-221320-camera0-3_000007.jpg", "cup/20231114-221320-a-b-9_000001.jpg"];
        assert_eq!(next(&names), 10);
    }

    #[test]
    fn a_place_that_can_not_be_a_folder_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let said = Classes::open(file.path(), &[]).unwrap_err().to_string();
        assert!(said.contains("is a file, not a folder"), "{said}");
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("new/one");
        let classes = open(&below, &["mug"]);
        assert!(!below.exists());
        classes.prepare().unwrap();
        assert!(below.is_dir() && fs::read_dir(&below).unwrap().next().is_none());
    }
}
