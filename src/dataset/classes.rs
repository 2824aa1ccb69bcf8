//! Which of the model's classes a name in the truth stands for.

use std::collections::HashMap;
use std::str::FromStr;

use crate::model::Labels;

/// How many classes an ImageNet classifier has.
const IMAGENET: usize = 1000;

/// A name in the truth and what it stands for, written `kangaroo=wallaby` or `dog=151|152|beagle`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// The name in the truth.
    pub name: String,
    /// Names or ids of the model's classes.
    pub classes: Vec<String>,
}

/// An alias that is not `NAME=CLASS|CLASS`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not NAME=CLASS, such as kangaroo=wallaby or dog=beagle|collie")]
pub(crate) struct BadAlias(String);

impl FromStr for Alias {
    type Err = BadAlias;

    fn from_str(text: &str) -> Result<Alias, BadAlias> {
        let (name, classes) = text.rsplit_once('=').ok_or_else(|| BadAlias(text.into()))?;
        let classes: Vec<String> = classes.split('|').map(|class| class.trim().to_owned()).collect();
        let complete = !name.trim().is_empty() && classes.iter().all(|class| !class.is_empty());
        complete.then(|| Alias { name: name.trim().into(), classes }).ok_or_else(|| BadAlias(text.into()))
    }
}

/// The model's classes, and other names for them.
#[derive(Debug)]
pub(crate) struct Classes<'a> {
    labels: &'a Labels,
    aliases: HashMap<String, Vec<usize>>,
}

impl<'a> Classes<'a> {
    /// The classes of a model, with other names for some.
    ///
    /// # Errors
    /// When an alias stands for a class that the model does not have.
    pub(crate) fn new(
        labels: &'a Labels,
        aliases: &[Alias],
    ) -> Result<Classes<'a>, crate::model::LabelError> {
        let mut known = HashMap::new();
        for Alias { name, classes } in aliases {
            let ids = classes.iter().map(|class| labels.find(class));
            known.insert(name.clone(), ids.collect::<Result<_, _>>()?);
        }
        Ok(Classes { labels, aliases: known })
    }

    /// The ids that stand for `name`: those of its alias; else `imagenet`, ids of ImageNet-1k, if the model has its
    /// classes; else the class of that name, or of the name with spaces for its underscores.
    ///
    /// # Errors
    /// Why there is none, for the user.
    pub(crate) fn resolve(&self, name: &str, imagenet: &[usize]) -> Result<Vec<usize>, String> {
        if let Some(ids) = self.aliases.get(name) {
            return Ok(ids.clone());
        }
        if let (false, Some(shift)) = (imagenet.is_empty(), self.imagenet_shift()) {
            let known: Vec<usize> =
                imagenet.iter().filter(|&&id| id < IMAGENET).map(|id| id + shift).collect();
            return if known.is_empty() { Err("it has no ImageNet id below 1000".into()) } else { Ok(known) };
        }
        let find = |name: &str| self.labels.find(name).map(|id| vec![id]);
        find(name).or_else(|error| find(&name.replace('_', " ")).map_err(|_| error.to_string()))
    }

    /// How far the model's ids are from ImageNet's; `None` for a model of other classes.
    fn imagenet_shift(&self) -> Option<usize> {
        match self.labels.classes() {
            Some(IMAGENET) => Some(0),
            // TensorFlow's models have a background class before them.
            Some(classes) if classes == IMAGENET + 1 && self.labels.name(0) == "background" => Some(1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_comes_before_an_id_and_an_id_before_a_name() {
        let labels = Labels::imagenet();
        let alias = ["roo=wallaby".parse().unwrap(), "dog=151 | 152".parse().unwrap()];
        let classes = Classes::new(&labels, &alias).unwrap();
        assert_eq!(classes.resolve("roo", &[7]).unwrap(), [104]);
        assert_eq!(classes.resolve("dog", &[]).unwrap(), [151, 152]);
        assert_eq!(classes.resolve("swan", &[100, 5000]).unwrap(), [100]);
        assert_eq!(classes.resolve("tiger_cat", &[]).unwrap(), [282]);
        assert!(classes.resolve("swan", &[5000]).is_err());
        assert!(classes.resolve("raccoon", &[]).unwrap_err().contains("no class is called 'raccoon'"));
    }

    #[test]
    fn imagenets_ids_mean_nothing_to_a_model_of_other_classes() {
        let labels = Labels::new(["cat", "dog"].map(str::to_owned).to_vec());
        let classes = Classes::new(&labels, &[]).unwrap();
        assert_eq!(classes.resolve("dog", &[0]).unwrap(), [1]);
        let shifted = Labels::imagenet_with_background();
        let classes = Classes::new(&shifted, &[]).unwrap();
        assert_eq!(classes.resolve("black swan", &[100]).unwrap(), [101]);
    }

    #[test]
    fn an_alias_needs_both_sides() {
        for text in ["kangaroo", "=wallaby", "kangaroo=", "dog=1||2"] {
            assert_eq!(text.parse::<Alias>(), Err(BadAlias(text.into())));
        }
        let labels = Labels::imagenet();
        assert!(Classes::new(&labels, &["a=nothing like it".parse().unwrap()]).is_err());
    }
}
