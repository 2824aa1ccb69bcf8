//! Which pictures there are, and what is known of each.

use std::path::{Path, PathBuf};

use super::LabellingError;
use crate::dataset::{Classes, class_of, pictures_below, relative};

/// A class as the user calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// The user's name.
    pub name: String,
    /// The model's classes that it stands for; never empty.
    pub accepted: Vec<usize>,
}

/// A picture to be labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The path below the input, parted by `/`: unique, and the same wherever the input lies.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The class that it shows, by place in [`Input::classes`]; `None`: any of them, or several.
    pub class: Option<usize>,
}

/// Pictures and their classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    /// By name where folders name them, else in the order given.
    pub classes: Vec<Class>,
    /// By name.
    pub pictures: Vec<Item>,
    /// How many pictures lie in no folder of a class that counts, and are left out.
    pub beside: usize,
}

/// The pictures below a folder.
///
/// Where its folders are named by class, a picture shows the class whose folder it is in; `wanted`, if not empty, says
/// which folders count. Where no folder has one of the names in `wanted`, each picture may show any of them.
///
/// # Errors
/// If there is no picture, nothing says what they show, or the model lacks a class.
pub(crate) fn gather(
    folder: &Path,
    wanted: &[String],
    classes: &Classes<'_>,
    name_of: impl Fn(usize) -> String,
) -> Result<Input, LabellingError> {
    if !folder.is_dir() {
        return Err(LabellingError::NoFolder(folder.to_owned()));
    }
    let files = pictures_below(folder);
    if files.is_empty() {
        return Err(LabellingError::NoPictures(folder.to_owned()));
    }
    let mut wanted: Vec<&str> =
        wanted.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
    let mut seen = std::collections::HashSet::new();
    wanted.retain(|name| seen.insert(*name));
    let named: Vec<(String, &PathBuf)> = files.iter().map(|file| (relative(file, folder), file)).collect();
    let mut there: Vec<&str> = named.iter().filter_map(|(name, _)| class_of(name)).collect();
    there.sort_unstable();
    there.dedup();
    let by_folder =
        if wanted.is_empty() { !there.is_empty() } else { wanted.iter().any(|class| there.contains(class)) };
    if !by_folder && wanted.is_empty() {
        return Err(LabellingError::NoClasses(folder.to_owned()));
    }
    if let Some(class) = wanted.iter().find(|class| by_folder && !there.contains(class)) {
        let there = there.iter().map(|name| format!("\"{name}\"")).collect();
        return Err(LabellingError::NoClassFolder {
            folder: folder.to_owned(),
            class: (*class).into(),
            there,
        });
    }
    let names = if wanted.is_empty() { there } else { wanted };
    let classes =
        names.iter().map(|name| resolve(name, classes, by_folder)).collect::<Result<Vec<_>, _>>()?;
    if !by_folder {
        refuse_shared(&classes, name_of)?;
    }
    let total = named.len();
    let item = |(name, path): &(String, &PathBuf)| {
        let class = if by_folder {
            Some(names.iter().position(|class| class_of(name) == Some(class))?)
        } else {
            None
        };
        Some(Item { class, path: path.to_path_buf(), name: name.clone() })
    };
    let pictures: Vec<Item> = named.iter().filter_map(item).collect();
    Ok(Input { classes, beside: total - pictures.len(), pictures })
}

fn resolve(name: &str, classes: &Classes<'_>, folder: bool) -> Result<Class, LabellingError> {
    let accepted = classes.resolve(name, &[]).map_err(|reason| LabellingError::UnknownClass {
        name: name.to_owned(),
        reason,
        folder,
    })?;
    Ok(Class { name: name.to_owned(), accepted })
}

/// Pictures that may show any class need classes that can be told apart.
fn refuse_shared(classes: &[Class], name_of: impl Fn(usize) -> String) -> Result<(), LabellingError> {
    for (i, second) in classes.iter().enumerate() {
        for first in &classes[..i] {
            if let Some(&id) = first.accepted.iter().find(|id| second.accepted.contains(id)) {
                return Err(LabellingError::SameClass {
                    first: first.name.clone(),
                    second: second.name.clone(),
                    class: format!("'{}' ({id})", name_of(id)),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::testing::tree;
    use crate::model::Labels;

    fn gather_in(folder: &Path, wanted: &[&str], aliases: &[&str]) -> Result<Input, LabellingError> {
        let labels = Labels::imagenet();
        let aliases: Vec<_> = aliases.iter().map(|alias| alias.parse().unwrap()).collect();
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let classes = Classes::new(&labels, &aliases).unwrap();
        gather(folder, &wanted, &classes, |id| labels.name(id).into_owned())
    }

    fn shown(input: &Input) -> Vec<(&str, Option<usize>)> {
        input.pictures.iter().map(|item| (item.name.as_str(), item.class)).collect()
    }

    #[test]
    fn folders_name_the_classes_and_names_need_not_differ_between_them() {
        let folder =
            tree(&["wallaby/1.jpg", "koala/1.jpg", "koala/deep/2.png", "koala/notes.txt", "loose.jpg"]);
        let input = gather_in(folder.path(), &[], &[]).unwrap();
        assert_eq!(input.classes.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["koala", "wallaby"]);
        assert_eq!(input.classes[1].accepted, [104]);
        let expected = [("koala/1.jpg", Some(0)), ("koala/deep/2.png", Some(0)), ("wallaby/1.jpg", Some(1))];
        assert_eq!((shown(&input), input.beside), (expected.to_vec(), 1));
        let only = gather_in(folder.path(), &["wallaby"], &[]).unwrap();
        assert_eq!((shown(&only), only.beside), (vec![("wallaby/1.jpg", Some(0))], 3));
    }

    #[test]
    fn without_such_folders_a_picture_may_show_any_of_the_classes() {
        let folder = tree(&["a.jpg", "trip/b.jpg"]);
        let input = gather_in(folder.path(), &["곰", " koala ", "koala", ""], &["곰=294|295"]).unwrap();
        assert_eq!(input.classes[0], Class { name: "곰".into(), accepted: vec![294, 295] });
        assert_eq!(input.classes.len(), 2);
        assert_eq!((shown(&input), input.beside), (vec![("a.jpg", None), ("trip/b.jpg", None)], 0));
    }

    #[test]
    fn what_can_not_be_labelled_is_said_with_the_way_out() {
        let folder = tree(&["raccoon/1.jpg", "koala/1.jpg"]);
        let said = |wanted: &[&str], aliases: &[&str]| {
            gather_in(folder.path(), wanted, aliases).unwrap_err().to_string()
        };
        let words = said(&[], &[]);
        for part in ["\"raccoon\" is no class", "did you mean", "--alias \"raccoon=NAME|ID\"", "--classes"] {
            assert!(words.contains(part), "{words}");
        }
        assert!(
            said(&["koala", "panda"], &[])
                .contains("no folder \"panda\" with pictures; it has \"koala\", \"raccoon\"")
        );
        let words = said(&["bear", "brown"], &["bear=294|295", "brown=294"]);
        assert!(
            words.starts_with("\"bear\" and \"brown\" both stand for the model's class 'brown bear"),
            "{words}"
        );
        let (empty, flat) = (tree(&["notes.txt"]), tree(&["1.jpg"]));
        assert!(matches!(gather_in(empty.path(), &["koala"], &[]), Err(LabellingError::NoPictures(_))));
        assert!(matches!(gather_in(flat.path(), &[" "], &[]), Err(LabellingError::NoClasses(_))));
        assert!(matches!(gather_in(&flat.path().join("1.jpg"), &[], &[]), Err(LabellingError::NoFolder(_))));
    }
}
