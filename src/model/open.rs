//! Putting a classifier together: from its graph, what is said of it, and sensible assumptions.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::classifier::{Classifier, MANIFEST_KEY};
use super::detector_input;
use super::embed;
use super::error::ModelError;
use super::fixed_input::FixedInput;
use super::front::Front;
use super::labels::Labels;
use super::manifest::{LabelSource, MOST_PIXELS, Manifest, ScoresAre};
use super::names;
use super::neighbours::{self, Place, custom_vision, file, ultralytics};
use super::resolve::{preprocessing, scores};
use super::said::{Kind, Said, Source, together};
use super::signature::Signature;
use camloc_graph::explain::{Detector, Link, both_sides, is_one_probability, uncover};
use camloc_graph::onnx::load::load;
use camloc_graph::onnx::proto::ModelProto;

/// What the file's own metadata are called.
const METADATA: &str = "the file's metadata";
/// What names beside an output's scores are called.
const ZIPPED: &str = "the file's output";
/// What a front of the graph is called.
const FRONT: &str = "the graph's first nodes";
/// What shapes and types are called.
const GRAPH: &str = "the graph";
/// What a manifest within the model is called, before the file's name.
const EMBEDDED: &str = "the manifest within";
/// Where a manifest leaves out what has a default.
const DEFAULTS: &str = "a manifest's defaults";
/// What nobody says.
const ASSUMED: &str = "nowhere: it is assumed";
/// Where nothing names the classes.
const NUMBERS: &str = "nowhere: classes go by number";

/// Opens a model, or the model of a folder; see [`Classifier::open_with`].
pub(super) fn open(
    path: &Path,
    manifest: Option<&Path>,
    inputs: &[FixedInput],
) -> Result<Classifier, ModelError> {
    parts(path, manifest, inputs)?.together(true)
}

/// Opens a model that is not to be fed; see [`Classifier::open_unfed`].
pub(super) fn open_unfed(path: &Path, manifest: Option<&Path>) -> Result<Classifier, ModelError> {
    parts(path, manifest, &[])?.together(false)
}

fn parts(path: &Path, manifest: Option<&Path>, inputs: &[FixedInput]) -> Result<Parts, ModelError> {
    let place = Place::find(path)?;
    let file = place.model.display().to_string();
    let mut model = load(&place.model)?;
    embed::unembed(&mut model);
    for input in inputs {
        input.fix(&mut model, &file)?;
    }
    let beside = place.model.with_extension("toml");
    let written = match manifest {
        Some(path) => Some(Written::read(path)?),
        None if beside.is_file() => Some(Written::read(&beside)?),
        None => Written::embedded(&model, &file)?,
    };
    let mut notes = place.notes.clone();
    let beside = neighbours::read(&place, &mut notes);
    let title = place.name;
    Ok(Parts { model, file, title, written, beside, notes })
}

/// All that is known of a model.
struct Parts {
    model: ModelProto,
    /// For messages.
    file: String,
    title: String,
    written: Option<Written>,
    beside: Vec<Said>,
    notes: Vec<String>,
}

impl Parts {
    fn together(self, fed: bool) -> Result<Classifier, ModelError> {
        let Parts { mut model, file, title, written, beside, mut notes } = self;
        let uncovered = uncover(&mut model);
        let signature = Signature::of(&model, &file, fed)?;
        let layout = signature.layouts().first().copied().unwrap_or_default();
        let front = Front::of(&mut model, &signature.input, layout);
        let zipped =
            uncovered.labels.map(|names| Named { kind: Kind::File, origin: ZIPPED.to_owned(), names });
        let mut labels: Vec<Named> = zipped.into_iter().collect();
        let mut sources = Vec::new();
        for mut said in own(&model, front.as_ref()).into_iter().chain(beside) {
            if let Some(LabelSource::List(names)) = said.says.labels.take() {
                labels.push(Named { kind: said.kind, origin: said.origin.clone(), names });
            }
            heed_graph(&mut said, &signature, &mut notes);
            sources.push(said);
        }
        if let Some(Written { manifest, name, .. }) = &written {
            sources.insert(0, Said::new(Kind::Manifest, name.clone(), manifest.clone()));
        }
        let (mut manifest, mut found) = together(&sources);
        let mut assumed = Vec::new();
        if let ((_, Some(height), Some(width)), None) = (signature.axes(layout), &written)
            && let Some(detector) = Detector::find(&model, (height, width), &[])
        {
            detector_input::assume(&detector, &mut manifest, &mut assumed);
        }
        let preprocessing =
            preprocessing(&signature, &manifest, written.is_some(), &mut assumed).map_err(|said| {
                ModelError::Contradiction {
                    manifest: written.as_ref().map_or(&file, |written| &written.name).clone(),
                    said,
                    input: signature.input.clone(),
                    shape: signature.shape_text(),
                }
            })?;
        if preprocessing.width.max(preprocessing.height) > MOST_PIXELS {
            let (width, height) = (preprocessing.width, preprocessing.height);
            return Err(ModelError::LargeInput { file, width, height, most: MOST_PIXELS });
        }
        notes.extend(front.and_then(|front| front.contradiction(&preprocessing)));
        let counts: Vec<usize> = match &written {
            Some(written) => written.names()?.map(|(names, _)| names.len()).into_iter().collect(),
            None => Vec::new(),
        };
        let counts =
            if counts.is_empty() { labels.iter().map(|named| named.names.len()).collect() } else { counts };
        let (output, classes) =
            scores(&mut model, &signature, manifest.output.as_deref(), (&counts, &file), &mut notes)?;
        let size = (preprocessing.height as usize, preprocessing.width as usize);
        let detector = Detector::find(&model, size, &counts);
        let detector =
            detector.filter(|found| manifest.output.as_ref().is_none_or(|name| *name == found.output));
        let (output, classes) = match &detector {
            Some(found) => (found.output.clone(), Some(found.classes)),
            None => (output, classes),
        };
        let link = link(&model, &output, &manifest, written.as_ref());
        // One number for or against is one of two classes, unless there is one name for it.
        let two = counts.contains(&2) || !counts.contains(&1) && is_one_probability(&model, &output);
        let (output, classes, link) = match classes {
            Some(1) if two => (both_sides(&mut model, &output), Some(2), None),
            _ => (output, classes, link),
        };
        let labels = match written.as_ref().map(|written| written.labels(classes)).transpose()?.flatten() {
            Some(labels) => {
                let origin = written.as_ref().map(|written| written.name.clone()).unwrap_or_default();
                found.push(Source { fact: "labels", kind: Kind::Manifest, origin });
                labels
            }
            None => {
                let (labels, source) = chosen_labels(labels, classes, &mut assumed, &mut notes);
                found.push(source);
                labels
            }
        };
        tell_rest(&mut found, &signature, written.as_ref());
        let title = written.and_then(|written| written.manifest.title).unwrap_or(title);
        let input = signature.input;
        Ok(Classifier {
            model,
            preprocessing,
            labels,
            title,
            input,
            output,
            detector,
            link,
            sources: found,
            assumed,
            notes,
        })
    }
}

/// What the output holds, if that is said: a manifest is believed; what else is said only where the graph does not tell.
fn link(model: &ModelProto, output: &str, says: &Manifest, written: Option<&Written>) -> Option<Link> {
    let link = says.scores.map(ScoresAre::link)?;
    let sure = written.is_some_and(|written| written.manifest.scores.is_some());
    (sure || Link::of(model, output) == Link::Softmax).then_some(link)
}

/// What the file itself says: its metadata, and its first nodes.
fn own(model: &ModelProto, front: Option<&Front>) -> Vec<Said> {
    let get = |key: &str| metadata(model, key);
    let mut all = vec![
        Said::new(Kind::File, METADATA, ultralytics::metadata(get)),
        Said::new(Kind::File, METADATA, custom_vision::metadata(get)),
        Said::new(Kind::File, FRONT, front.map(Front::says).unwrap_or_default()),
    ];
    if all[0].says.labels.is_none() {
        // A key that holds something else names no classes.
        let named = names::KEYS.iter().find_map(|key| names::from_text(get(key)?).ok());
        let labels = named.filter(|names| !names.is_empty()).map(LabelSource::List);
        all.push(Said::new(Kind::File, METADATA, Manifest { labels, ..Manifest::default() }));
    }
    all
}

/// Takes away what contradicts the graph, which is believed, and what makes no sense.
fn heed_graph(said: &mut Said, signature: &Signature, notes: &mut Vec<String>) {
    if let Some(reason) = said.says.fault() {
        notes.push(format!("{} is left unread: {reason}", said.origin));
        said.says = Manifest::default();
    }
    if signature.bytes {
        // Bytes are not normalised outside.
        (said.says.range, said.says.mean, said.says.std) = (None, None, None);
    }
    while let Err(words) = preprocessing(signature, &said.says, true, &mut Vec::new()) {
        notes.push(format!(
            "{} says {words}, but the model's input '{}' is {}: the graph is believed",
            said.origin,
            signature.input,
            signature.shape_text()
        ));
        let says = &mut said.says;
        let Some(()) =
            says.layout.take().map(drop).or(says.channels.take().map(drop)).or(says.size.take().map(drop))
        else {
            break;
        };
    }
}

/// Names that one source has for the classes.
struct Named {
    kind: Kind,
    origin: String,
    names: Vec<String>,
}

/// The labels that go with the model, and where they are from: the first that are as many as its classes; else ImageNet's
/// where the number of classes is ImageNet's; else none. What was found and not taken is noted.
fn chosen_labels(
    mut found: Vec<Named>,
    classes: Option<usize>,
    assumed: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> (Labels, Source) {
    let fits = |named: &Named| classes.is_none_or(|classes| classes == named.names.len());
    let taken = found.iter().position(fits).map(|taken| found.remove(taken));
    let instead = match (&taken, classes) {
        (Some(taken), _) => format!("those of {} are taken", taken.origin),
        (None, Some(1000 | 1001)) => "ImageNet's are taken".to_owned(),
        (None, _) => "classes go by number".to_owned(),
    };
    for Named { origin, names, .. } in &found {
        match (classes, &taken) {
            (Some(classes), _) if classes != names.len() => notes.push(format!(
                "{origin} has {} labels, but the model has {classes} classes: {instead}",
                names.len()
            )),
            (_, Some(taken)) if taken.names != *names => {
                notes.push(format!("{origin} names the classes otherwise: {instead}"));
            }
            _ => {}
        }
    }
    let source = |kind, origin: &str| Source { fact: "labels", kind, origin: origin.to_owned() };
    match (taken, classes) {
        (Some(Named { kind, origin, names }), _) => (Labels::new(names), source(kind, &origin)),
        (None, Some(1000)) => {
            assumed.push("ImageNet's 1000 labels".to_owned());
            (Labels::imagenet(), source(Kind::Assumed, ASSUMED))
        }
        (None, Some(1001)) => {
            assumed.push("ImageNet's labels after a background class".to_owned());
            (Labels::imagenet_with_background(), source(Kind::Assumed, ASSUMED))
        }
        _ => (Labels::numbered(classes), source(Kind::Assumed, NUMBERS)),
    }
}

/// Where the rest is from, of which no source says anything.
fn tell_rest(found: &mut Vec<Source>, signature: &Signature, written: Option<&Written>) {
    let fixed = signature.shape[1..].iter().all(Option::is_some);
    for fact in super::FACTS {
        let known = found.iter().any(|source| source.fact == fact);
        let (kind, origin) = match (fact, written) {
            _ if known => continue,
            ("scores", _) => continue,
            ("size", _) if !fixed => (Kind::Assumed, ASSUMED),
            ("size" | "layout" | "channels" | "output", _) => (Kind::Graph, GRAPH),
            (_, Some(_)) => (Kind::Manifest, DEFAULTS),
            (_, None) => (Kind::Assumed, ASSUMED),
        };
        found.push(Source { fact, kind, origin: origin.to_owned() });
    }
    let place = |source: &Source| super::FACTS.iter().position(|fact| *fact == source.fact);
    found.sort_by_key(place);
}

/// A manifest and where it came from.
struct Written {
    manifest: Manifest,
    /// For messages.
    name: String,
    /// Where its files are; a manifest within a model names none.
    folder: Option<PathBuf>,
}

impl Written {
    fn read(path: &Path) -> Result<Written, ModelError> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|source| match source.kind() {
            ErrorKind::InvalidData => ModelError::NotText { path: path.to_owned() },
            _ => ModelError::Read { path: path.to_owned(), source },
        })?;
        let manifest = Manifest::parse(&text, &name)?;
        Ok(Written { manifest, name, folder: Some(path.parent().unwrap_or(Path::new("")).to_owned()) })
    }

    fn embedded(model: &ModelProto, file: &str) -> Result<Option<Written>, ModelError> {
        let Some(text) = metadata(model, MANIFEST_KEY) else { return Ok(None) };
        let name = format!("{EMBEDDED} {file}");
        Ok(Some(Written { manifest: Manifest::parse(text, &name)?, name, folder: None }))
    }

    /// The names that the manifest gives, and where they stand.
    fn names(&self) -> Result<Option<(Vec<String>, String)>, ModelError> {
        match (&self.manifest.labels, &self.folder) {
            (None, _) => Ok(None),
            (Some(LabelSource::List(names)), _) => Ok(Some((names.clone(), self.name.clone()))),
            (Some(LabelSource::File(file)), Some(folder)) => {
                let path = folder.join(file);
                let refused = |reason: String| ModelError::LabelsFile { path: path.clone(), reason };
                fs::metadata(&path).map_err(|source| ModelError::Read { path: path.clone(), source })?;
                let text = file::read(&path).map_err(refused)?;
                let list = text.trim_start().starts_with(['[', '{']);
                let names = if list { names::from_text(&text) } else { Ok(names::from_lines(&text)) };
                Ok(Some((names.map_err(refused)?, path.display().to_string())))
            }
            // A model from elsewhere must not choose files of this machine to read.
            (Some(LabelSource::File(_)), None) => {
                let reason = "labels must be a list here, not a file".to_owned();
                Err(ModelError::Value { manifest: self.name.clone(), reason })
            }
        }
    }

    /// The labels that the manifest gives, checked against the number of classes.
    fn labels(&self, classes: Option<usize>) -> Result<Option<Labels>, ModelError> {
        match (self.names()?, classes) {
            (Some((names, labels)), Some(classes)) if classes != names.len() => {
                Err(ModelError::LabelCount { labels, found: names.len(), classes })
            }
            (names, _) => Ok(names.map(|(names, _)| Labels::new(names))),
        }
    }
}

fn metadata<'a>(model: &'a ModelProto, key: &str) -> Option<&'a str> {
    model.metadata_props.iter().find(|entry| entry.key() == key).map(|entry| entry.value())
}

#[cfg(test)]
mod tests;
