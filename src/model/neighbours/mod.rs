//! What the files beside a model, and the metadata within it, say of how it is fed and what its classes are called. Each
//! exporter's way of saying it is a module of its own.

pub(super) mod custom_vision;
pub(super) mod file;
mod folder;
mod hugging_face;
mod teachable_machine;
mod timm;
pub(super) mod ultralytics;

use std::path::Path;

use serde_json::Value;

pub(super) use folder::Place;

use super::manifest::{LabelSource, Manifest};
use super::names;
use super::said::{Kind, Said};

/// The files that are looked for, in the order in which they are believed.
pub(super) const FILES: [&str; 14] = [
    "preprocessor_config.json",
    "processor_config.json",
    "config.json",
    "metadata_properties.json",
    "metadata.json",
    "id2label.json",
    "class_indices.json",
    "class_names.json",
    "classes.json",
    "labels.json",
    "labels.txt",
    "classes.txt",
    "class_names.txt",
    "names.txt",
];

/// What the files beside a model say, those that are believed first; what can't be read becomes a note.
pub(super) fn read(place: &Place, notes: &mut Vec<String>) -> Vec<Said> {
    let mut found = Vec::new();
    for name in FILES {
        let paths = place.folders.iter().map(|folder| folder.join(name));
        let Some((path, text)) =
            paths.filter_map(|path| Some((path.clone(), file::read_below(&place.root, &path)?))).next()
        else {
            continue;
        };
        match text.and_then(|text| said(name, &text)) {
            Ok(says) if says == Manifest::default() => {}
            Ok(says) => found.push(Said::new(Kind::Beside, name, says)),
            Err(reason) => notes.push(format!("{} is left unread: {reason}", shown(&path))),
        }
    }
    found
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// What a file of this name says.
fn said(name: &str, text: &str) -> Result<Manifest, String> {
    if name.ends_with(".txt") {
        return Ok(labels(names::from_lines(text)));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: Value = serde_json::from_str(text)
        .map_err(|error| format!("it is no JSON (line {}, column {})", error.line(), error.column()))?;
    match name {
        "preprocessor_config.json" | "processor_config.json" => Ok(hugging_face::preprocessor(&value)),
        "config.json" => Ok(timm::config(&value).unwrap_or_else(|| hugging_face::config(&value))),
        "metadata_properties.json" => Ok(custom_vision::properties(&value)),
        "metadata.json" => Ok(teachable_machine::metadata(&value)),
        _ => names::from_json(&value).map(labels),
    }
}

fn labels(names: Vec<String>) -> Manifest {
    let labels = (!names.is_empty()).then_some(LabelSource::List(names));
    Manifest { labels, ..Manifest::default() }
}

/// A number of pixels.
fn pixels(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|pixels| u32::try_from(pixels).ok()).filter(|&pixels| pixels > 0)
}

/// One number, or three.
fn per_channel(value: &Value) -> Option<[f64; 3]> {
    match value {
        Value::Number(number) => number.as_f64().map(|number| [number; 3]),
        Value::Array(numbers) => match numbers.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>()?[..] {
            [one] => Some([one; 3]),
            [first, second, third] => Some([first, second, third]),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests;
