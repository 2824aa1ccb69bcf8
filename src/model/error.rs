//! What can be wrong with a classifier, in words for users.

use std::path::PathBuf;

use thiserror::Error;

use super::lite0::Lite0Error;
use camloc_graph::onnx::load::OnnxError;

/// An error of the room `model`.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file is missing, or no ONNX model; the message is `onnx`'s own.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// A folder holds no model, or several of which none has the usual name.
    #[error("{} {}", folder.display(), not_one(found))]
    NotOneModel {
        /// The folder.
        folder: PathBuf,
        /// The models in it.
        found: Vec<String>,
    },
    /// The default model cannot be had; the message is `lite0`'s own.
    #[error(transparent)]
    Lite0(#[from] Lite0Error),
    /// No input, or several inputs without default values.
    #[error("{file} takes {} inputs ({}), an image classifier takes one: the image; give the others a value with --input NAME=FILE.npy", .names.len(), .names.join(", "))]
    Inputs {
        /// The model.
        file: String,
        /// The inputs without default values.
        names: Vec<String>,
    },
    /// A value was given for an input that is not there.
    #[error("{file} has no input '{input}', its inputs are: {inputs}")]
    NoSuchInput {
        /// The model.
        file: String,
        /// The input named.
        input: String,
        /// The inputs there are.
        inputs: String,
    },
    /// An array file cannot be read.
    #[error("cannot read the array {}: {reason}", path.display())]
    ReadArray {
        /// The file.
        path: PathBuf,
        /// Why, on one line.
        reason: String,
    },
    /// An array is not what its input takes.
    #[error("{} does not fit the input '{input}', which takes {wanted}", path.display())]
    WrongArray {
        /// The file.
        path: PathBuf,
        /// The input.
        input: String,
        /// Element type and shape.
        wanted: String,
    },
    /// An input cannot be filled with a number.
    #[error("the input '{input}' cannot be filled with one number; give it a .npy file")]
    CannotFill {
        /// The input.
        input: String,
    },
    /// The input does not look like an image.
    #[error(
        "the input '{input}' of {file} is {shape}, not an image: camloc feeds [N, C, H, W] or [N, H, W, C] with 1 or 3 channels"
    )]
    NoImage {
        /// The model.
        file: String,
        /// The input.
        input: String,
        /// Its shape, `?` for open sizes.
        shape: String,
    },
    /// The input is larger than any picture is brought to.
    #[error(
        "{file} wants pictures of {width}x{height} pixels, camloc prepares at most {most} a side: export it with a smaller input"
    )]
    LargeInput {
        /// The model.
        file: String,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The most pixels of a side.
        most: u32,
    },
    /// The output is not there.
    #[error("{file} has no output '{output}', it has {}", found.join(", "))]
    NoOutput {
        /// The model.
        file: String,
        /// What the manifest says.
        output: String,
        /// The outputs there are.
        found: Vec<String>,
    },
    /// A file beside the model cannot be read.
    #[error("cannot read {}: check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A file beside the model is text in another encoding, or none.
    #[error("{} is not text in UTF-8: save it as that", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The labels file that a manifest names cannot be read.
    #[error("cannot read labels from {}: {reason}", path.display())]
    LabelsFile {
        /// The file.
        path: PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// The manifest is not TOML, or a value is of the wrong type.
    #[error("{manifest}{}: {reason}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Syntax {
        /// The manifest.
        manifest: String,
        /// The line, from 1, where known.
        line: Option<usize>,
        /// What is wrong there.
        reason: String,
    },
    /// The manifest has a key that means nothing.
    #[error("{manifest} has an unknown key '{key}', did you mean '{nearest}'?")]
    UnknownKey {
        /// The manifest.
        manifest: String,
        /// The key.
        key: String,
        /// The most similar key there is.
        nearest: &'static str,
    },
    /// A value in the manifest makes no sense.
    #[error("{manifest}: {reason}")]
    Value {
        /// The manifest.
        manifest: String,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// The manifest and the graph contradict each other.
    #[error("{manifest} says {said}, but the model's input '{input}' is {shape}")]
    Contradiction {
        /// The manifest.
        manifest: String,
        /// What the manifest says.
        said: String,
        /// The input.
        input: String,
        /// Its shape, `?` for open sizes.
        shape: String,
    },
    /// Names and classes do not match.
    #[error("{labels} has {found} labels, but the model has {classes} classes")]
    LabelCount {
        /// The labels file, or the manifest.
        labels: String,
        /// How many names.
        found: usize,
        /// How many outputs.
        classes: usize,
    },
}

fn not_one(found: &[String]) -> String {
    const SHOWN: usize = 6;
    match found {
        [] => {
            "holds no ONNX file: name a file, or a folder with model.onnx or a single .onnx in it".to_owned()
        }
        several => format!(
            "holds {} models and none is called model.onnx ({}{}): name one with --model",
            several.len(),
            several[..several.len().min(SHOWN)].join(", "),
            if several.len() > SHOWN { ", …" } else { "" }
        ),
    }
}
