//! What each source says of a model, and what they give together: the manifest is believed first, then the file, then its
//! neighbours.

use super::manifest::Manifest;

/// What one source says.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    pub(super) kind: Kind,
    /// What to call the source: `config.json`, `the file's metadata`.
    pub(super) origin: String,
    pub(super) says: Manifest,
}

impl Said {
    pub(super) fn new(kind: Kind, origin: impl Into<String>, says: Manifest) -> Said {
        Said { kind, origin: origin.into(), says }
    }
}

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A manifest that was written for camloc, its defaults among it.
    Manifest,
    /// The graph's shapes and types.
    Graph,
    /// The file's metadata, or what its first nodes do.
    File,
    /// A file beside it.
    Beside,
    /// Nobody: it is assumed.
    Assumed,
}

/// What was read of a model, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What: one of `FACTS`.
    pub fact: &'static str,
    /// What kind of source says so.
    pub kind: Kind,
    /// What to call it.
    pub origin: String,
}

/// What is said of every model, in the order in which it is told.
pub(crate) const FACTS: [&str; 9] =
    ["size", "layout", "channels", "scale, mean and std", "fit", "filter", "output", "labels", "scores"];

/// What several sources say together: of each fact, what the first source says that says anything; and which it was. Labels
/// are left to whoever can count the classes.
pub(super) fn together(sources: &[Said]) -> (Manifest, Vec<Source>) {
    let mut all = Manifest::default();
    let mut found = Vec::new();
    let mut take = |fact: &'static str, says: fn(&Manifest) -> bool, lay: fn(&mut Manifest, &Manifest)| {
        if let Some(said) = sources.iter().find(|said| says(&said.says)) {
            lay(&mut all, &said.says);
            found.push(Source { fact, kind: said.kind, origin: said.origin.clone() });
        }
    };
    take("size", |says| says.size.is_some(), |all, says| all.size = says.size);
    take("layout", |says| says.layout.is_some(), |all, says| all.layout = says.layout);
    take("channels", |says| says.channels.is_some(), |all, says| all.channels = says.channels);
    take(
        "scale, mean and std",
        |says| says.mean_std().is_some(),
        |all, says| (all.range, all.mean, all.std) = (says.range, says.mean, says.std),
    );
    take(
        "fit",
        |says| says.fit.is_some() || says.crop.is_some(),
        |all, says| (all.fit, all.crop, all.fill) = (says.fit, says.crop, says.fill),
    );
    take("filter", |says| says.filter.is_some(), |all, says| all.filter = says.filter);
    take("scores", |says| says.scores.is_some(), |all, says| all.scores = says.scores);
    take("output", |says| says.output.is_some(), |all, says| all.output.clone_from(&says.output));
    (all, found)
}

/// `size, labels from config.json; fit from preprocessor_config.json`, of what the file or a file beside it says: that is
/// worth a word on each run.
pub(super) fn line(sources: &[Source]) -> String {
    let mut parts: Vec<(&str, Vec<&str>)> = Vec::new();
    let found = |source: &&Source| matches!(source.kind, Kind::File | Kind::Beside);
    for Source { fact, origin, .. } in sources.iter().filter(found) {
        match parts.iter_mut().find(|(known, _)| known == origin) {
            Some((_, facts)) => facts.push(fact),
            None => parts.push((origin, vec![fact])),
        }
    }
    let parts: Vec<String> =
        parts.iter().map(|(origin, facts)| format!("{} from {origin}", facts.join(", "))).collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::{FitName, PerChannel, Size};

    #[test]
    fn the_first_source_that_says_anything_of_a_fact_says_all_of_it() {
        let manifest = Manifest { fit: Some(FitName::Squash), ..Manifest::default() };
        let file = Manifest {
            crop: Some(0.5),
            size: Some(Size::Square(64)),
            range: Some(255.0),
            ..Manifest::default()
        };
        let beside = Manifest {
            size: Some(Size::Square(32)),
            range: Some(1.0),
            mean: Some(PerChannel::All(0.5)),
            ..Manifest::default()
        };
        let sources = [
            Said::new(Kind::Manifest, "m.toml", manifest),
            Said::new(Kind::File, "the file", file),
            Said::new(Kind::Beside, "c.json", beside),
        ];
        let (all, found) = together(&sources);
        assert_eq!((all.fit, all.crop, all.size), (Some(FitName::Squash), None, Some(Size::Square(64))));
        assert_eq!((all.range, all.mean), (Some(255.0), None), "scale and mean belong together");
        assert_eq!(line(&found), "size, scale, mean and std from the file");
        assert_eq!(found.last().map(|source| (source.fact, source.kind)), Some(("fit", Kind::Manifest)));
    }
}
