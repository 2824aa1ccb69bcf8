//! `camloc models`: the models at hand, and how camloc reads each.

use std::io::Write;
use std::path::PathBuf;

use crate::model::Classifier;
use anyhow::Result;
use camloc_graph::explain::{self, ExplainError, Request};

use super::terminal::Lines;
use super::{Context, assemble};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// ONNX files, or folders of them, to describe [default: the default model and those in this folder and in ./models]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let mut out = Lines(std::io::stdout().lock());
    let files = if args.files.is_empty() {
        let store = assemble::store()?;
        let model = assemble::default_classifier(&store, &context.report)?;
        writeln!(out, "(default)")?;
        describe(&mut out, model)?;
        onnx_files()
    } else {
        args.files
    };
    let mut first_error = None;
    for file in files {
        match Classifier::open(&file, None) {
            Ok(model) => {
                writeln!(out, "{}", file.display())?;
                describe(&mut out, model)?;
            }
            Err(error) => {
                writeln!(out, "{}", file.display())?;
                writeln!(out, "  {error}")?;
                first_error.get_or_insert(error);
            }
        }
    }
    writeln!(out, "Use one with --model FILE.onnx; docs/model-manifest.md says how to describe your own.")?;
    first_error.map_or(Ok(()), |error| Err(error.into()))
}

fn describe(out: &mut impl Write, mut model: Classifier) -> Result<()> {
    let preprocessing = &model.preprocessing;
    writeln!(
        out,
        "  {}: {}x{} {} {}, fit {}",
        model.title,
        preprocessing.width,
        preprocessing.height,
        preprocessing.channels,
        preprocessing.layout,
        preprocessing.fit
    )?;
    if let Some(assumed) = model.assumptions() {
        writeln!(out, "  {assumed}")?;
    }
    model.notes.iter().try_for_each(|note| writeln!(out, "  {note}"))?;
    // The layer is the one of the size that is used.
    model.fix_size();
    let request = Request { top_k: 1, output: Some(model.output.clone()), ..Request::default() };
    match explain::explain(&mut model.model, &request) {
        Ok(found) => {
            let size = found.map_size.map(|(h, w)| format!(", maps {h}x{w}")).unwrap_or_default();
            writeln!(out, "  {} classes, {} at {}{size}", found.classes, found.method, found.layer)?;
        }
        Err(ExplainError::AlreadyExplained { .. }) => {
            writeln!(out, "  explains itself already: `camloc inspect` says how")?;
        }
        Err(error) => writeln!(out, "  {error}")?,
    }
    Ok(())
}

/// The ONNX files in this folder and in `models/`, sorted.
fn onnx_files() -> Vec<PathBuf> {
    let folders = [".", "models"].into_iter().filter_map(|folder| std::fs::read_dir(folder).ok());
    let mut files: Vec<PathBuf> = folders
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx"))
        .collect();
    files.sort();
    files
}
