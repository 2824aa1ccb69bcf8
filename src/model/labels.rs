//! Names of classes.

use std::borrow::Cow;

use thiserror::Error;

use crate::likeness::like;

/// The classes of ImageNet-1k, one name a line, in the order of their ids.
const IMAGENET: &str = include_str!("../../models/imagenet.txt");

/// What the class of pictures that show none of the other classes is called.
pub(crate) const BACKGROUND: &str = "background";

/// How many names an error offers.
const OFFERED: usize = 5;

/// The names of a model's classes, by class id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    /// How many classes there are, where that is known.
    classes: Option<usize>,
}

/// A class that cannot be told from what was typed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LabelError {
    /// The id is not one of the model's.
    #[error("there is no class {id}: the model has the classes 0 to {}", classes.saturating_sub(1))]
    NoId {
        /// What was asked for.
        id: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// No name is like it.
    #[error("no class is called '{text}'{}", did_you_mean(nearest))]
    NoName {
        /// What was asked for.
        text: String,
        /// Names that are like it, the likest first; empty where none is.
        nearest: Vec<String>,
    },
    /// Several names are like it.
    #[error("'{text}' may be {}: give the whole name or the number", matches.join(", "))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Some of the names that match, each with its id.
        matches: Vec<String>,
    },
    /// The model has numbers only.
    #[error("the classes of this model have no names: give the number of one instead of '{0}'")]
    Unnamed(String),
}

fn did_you_mean(nearest: &[String]) -> String {
    match nearest {
        [] => ": give the name of one of the model's, a word of it, or its number".to_owned(),
        names => format!(", did you mean {}?", names.join(", ")),
    }
}

impl Labels {
    /// Names for the ids 0, 1, 2, …
    pub fn new(names: Vec<String>) -> Labels {
        let classes = Some(names.len());
        Labels { names, classes }
    }

    /// Classes without names: "class 0", "class 1", …; `classes` is how many, where that is known.
    pub fn numbered(classes: Option<usize>) -> Labels {
        Labels { names: Vec::new(), classes }
    }

    /// The 1000 classes of ImageNet-1k.
    pub fn imagenet() -> Labels {
        Labels::new(IMAGENET.lines().map(str::to_owned).collect())
    }

    /// ImageNet-1k as TensorFlow numbers it: a background class comes first.
    pub fn imagenet_with_background() -> Labels {
        let names = std::iter::once("background").chain(IMAGENET.lines());
        Labels::new(names.map(str::to_owned).collect())
    }

    /// How many classes there are, where that is known.
    pub fn classes(&self) -> Option<usize> {
        self.classes
    }

    /// The names by id; empty where the classes have none.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The name of a class; "class 7" where it has none.
    pub fn name(&self, id: usize) -> Cow<'_, str> {
        match self.names.get(id) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(format!("class {id}")),
        }
    }

    /// The class that `text` means: an id, a name, a name in other case, or whole words of just one name.
    pub fn find(&self, text: &str) -> Result<usize, LabelError> {
        let text = text.trim();
        if let Ok(id) = text.parse::<usize>() {
            return match self.classes {
                Some(classes) if id >= classes => Err(LabelError::NoId { id, classes }),
                _ => Ok(id),
            };
        }
        if self.names.is_empty() {
            return Err(LabelError::Unnamed(text.to_owned()));
        }
        let lower = text.to_lowercase();
        let same = self.ids_where(|name| name == text);
        let same_letters = self.ids_where(|name| name.to_lowercase() == lower);
        for ids in [same, same_letters, self.with_words(text)] {
            match ids.as_slice() {
                [] => {}
                [id] => return Ok(*id),
                several => return Err(self.ambiguous(text, several)),
            }
        }
        Err(LabelError::NoName { text: text.to_owned(), nearest: self.nearest(&lower) })
    }

    /// The classes whose names hold `text` as whole words, in any case: 'cat' is in 'tiger cat', not in 'oystercatcher'.
    pub fn with_words(&self, text: &str) -> Vec<usize> {
        let wanted = words(text);
        self.ids_where(|name| words(name).windows(wanted.len().max(1)).any(|part| part == wanted))
    }

    fn ids_where(&self, rule: impl Fn(&str) -> bool) -> Vec<usize> {
        (0..self.names.len()).filter(|&id| rule(&self.names[id])).collect()
    }

    fn ambiguous(&self, text: &str, ids: &[usize]) -> LabelError {
        let mut matches: Vec<String> =
            ids.iter().take(OFFERED).map(|&id| format!("'{}' ({id})", self.name(id))).collect();
        if ids.len() > OFFERED {
            matches.push("…".to_owned());
        }
        LabelError::Ambiguous { text: text.to_owned(), matches }
    }

    fn nearest(&self, lower: &str) -> Vec<String> {
        let like = like(lower, self.names.iter(), |name| name.to_lowercase());
        like.iter().take(3).map(|name| format!("'{name}'")).collect()
    }
}

/// The words of a name, in lower case.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn animals() -> Labels {
        Labels::new(["tabby cat", "Tiger cat", "tiger", "crane", "fox", "crane"].map(str::to_owned).to_vec())
    }

    #[test]
    fn a_class_is_found_by_id_name_case_and_whole_words() {
        let labels = animals();
        assert_eq!(labels.find("1"), Ok(1));
        assert_eq!(labels.find(" tiger "), Ok(2));
        assert_eq!(labels.find("TIGER CAT"), Ok(1));
        assert_eq!(labels.find("tabby"), Ok(0));
        let labels = Labels::imagenet();
        assert_eq!(labels.with_words("Cat").len(), 5);
        assert_eq!(labels.name(labels.find("apple").unwrap()), "custard apple");
        assert_eq!(labels.find("swiss mountain-dog"), labels.find("Greater Swiss Mountain dog"));
        assert!(matches!(labels.find("pine"), Err(LabelError::NoName { .. })), "pineapple is another word");
    }

    #[test]
    fn what_is_not_found_is_answered_with_help() {
        let labels = animals();
        assert_eq!(
            labels.find("6").unwrap_err().to_string(),
            "there is no class 6: the model has the classes 0 to 5"
        );
        let words = labels.find("tigr").unwrap_err().to_string();
        assert!(words.starts_with("no class is called 'tigr', did you mean 'tiger'"), "{words}");
        let words = labels.find("zeppelin").unwrap_err().to_string();
        assert!(words.starts_with("no class is called 'zeppelin': give the name"), "{words}");
        let words = labels.find("crane").unwrap_err().to_string();
        assert_eq!(words, "'crane' may be 'crane' (3), 'crane' (5): give the whole name or the number");
        assert!(matches!(labels.find("cat"), Err(LabelError::Ambiguous { .. })));
        assert!(matches!(labels.find(""), Err(LabelError::NoName { .. })));
    }

    #[test]
    fn classes_without_names_go_by_number() {
        let labels = Labels::numbered(Some(10));
        assert_eq!(labels.name(7), "class 7");
        assert_eq!(labels.find("7"), Ok(7));
        assert!(matches!(labels.find("10"), Err(LabelError::NoId { .. })));
        assert!(matches!(labels.find("cat"), Err(LabelError::Unnamed(_))));
        assert_eq!(Labels::numbered(None).find("123456"), Ok(123_456));
    }

    #[test]
    fn imagenet_is_complete_and_tensorflow_is_one_ahead() {
        let (labels, shifted) = (Labels::imagenet(), Labels::imagenet_with_background());
        assert_eq!((labels.classes(), shifted.classes()), (Some(1000), Some(1001)));
        assert!(labels.name(282).contains("tiger cat"), "{}", labels.name(282));
        assert_eq!(labels.name(999), shifted.name(1000));
        assert_eq!(shifted.name(0), "background");
    }
}
