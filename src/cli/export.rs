//! `camloc export`: a model that explains itself wherever ONNX runs.

use std::path::{Path, PathBuf};

use crate::explainer::Request;
use crate::files::write_file;
use crate::model::{Classifier, MANIFEST_KEY, ModelError};
use anyhow::Result;
use camloc_graph::autodiff;
use camloc_graph::explain::{self, Explanation, Unrefined};
use camloc_graph::onnx::edit::GraphEditor;
use camloc_graph::onnx::graph::Graph;
use camloc_graph::onnx::{load, opset};

use super::arguments::{ModelArgs, set_path};
use super::settings::Settings;
use super::{Context, assemble};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An ONNX image classifier, or a folder with one [default: EfficientNet-Lite0]
    #[arg(value_name = "FILE.onnx|FOLDER")]
    file: Option<PathBuf>,
    /// The file to write
    #[arg(short, long, value_name = "FILE.onnx")]
    output: PathBuf,
    /// Put the preprocessing into the model: its input becomes RGB pictures of any size, u8 [N, height, width, 3]
    #[arg(long)]
    with_preprocessing: bool,
    /// Refine the maps, as the other commands do; the input's size is then fixed
    #[arg(long, conflicts_with = "no_refine")]
    refine: bool,
    #[command(flatten)]
    model: ModelArgs,
}

/// The operator set that exported models have at least, where it does not change what they compute.
const EXPORTED_OPSET: i64 = 17;

/// Adds the maps, of the layer that is right at the size that the model is run at. A model of open size stays open where
/// that layer is found in it, too.
fn explain(classifier: &mut Classifier, request: &Request, context: &Context) -> Result<Explanation> {
    let asked = request.one_pass()?;
    let mut fixed = classifier.clone();
    let was_open = fixed.fix_size();
    let done = explain::explain(&mut fixed.model, &asked)?;
    if was_open && !asked.refine {
        // Refined maps need to know the sizes of both grids.
        if let Ok(open) = explain::explain(&mut classifier.model, &asked)
            && open.layer == done.layer
        {
            return Ok(open);
        }
    }
    if was_open && !asked.refine {
        let (width, height) = (classifier.preprocessing.width, classifier.preprocessing.height);
        context.report.note(format_args!(
            "the rows and columns of {} are known at a fixed size only: the input becomes {width}x{height}",
            done.layer
        ));
    }
    *classifier = fixed;
    Ok(done)
}

/// A model that camloc can't feed, which an export does not have to; `None` where it is for another reason that it was
/// refused.
fn unfed(
    settings: &Settings,
    with_preprocessing: bool,
    context: &Context,
) -> Option<Result<Classifier, ModelError>> {
    let model = &settings.model;
    if with_preprocessing || model.path.is_empty() || !model.inputs.is_empty() {
        return None;
    }
    let manifest = (!model.manifest.is_empty()).then(|| Path::new(&model.manifest));
    match Classifier::open(Path::new(&model.path), manifest) {
        Err(error @ ModelError::NoImage { .. }) => {
            context.report.note(format_args!("{error}; it is exported as it is, for others to feed"));
            Some(Classifier::open_unfed(Path::new(&model.path), manifest))
        }
        _ => None,
    }
}

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let mut settings = args.model.over(&context.settings);
    // A file is for others to build on, who expect the maps of the method's paper.
    settings.model.refine &= args.refine;
    if let Some(file) = &args.file {
        set_path(&mut settings.model, file);
    }
    assemble::refuse_over_model(&args.output, &settings)?;
    let (mut classifier, fed) = match assemble::classifier(&settings, &assemble::store()?, &context.report) {
        Ok(classifier) => (classifier, true),
        Err(error) => (unfed(&settings, args.with_preprocessing, context).ok_or(error)??, false),
    };
    let request = assemble::request(&settings, &classifier.labels, 0)?.of(&classifier);
    let manifest = classifier.manifest();
    let explanation = explain(&mut classifier, &request, context)?;
    // From 17 on ONNX Runtime fuses a layer norm in pieces otherwise, which would move the model's own outputs by a bit.
    let stays = autodiff::has_norm_in_pieces(&Graph::new(&classifier.model));
    if !stays && let Err(error) = opset::raise(&mut classifier.model, EXPORTED_OPSET) {
        context.report.note(format_args!("{error}; the export stays in that operator set"));
    }
    if fed {
        GraphEditor::new(&mut classifier.model).set_metadata(MANIFEST_KEY, &manifest);
    }
    if args.with_preprocessing {
        classifier.embed_preprocessing();
    }
    write_file(&args.output, &load::encode(&classifier.model)?)?;
    if let Some(why @ Unrefined::OpenSize) = explanation.unrefined {
        context.report.note(why);
    }
    let size = explanation.map_size.map(|(h, w)| format!(", maps {h}x{w}")).unwrap_or_default();
    let (method, layer) = (explanation.method, &explanation.layer);
    let file = args.output.display();
    let line = format!("{file}: {method} at {layer}{size}");
    if args.output == Path::new("-") {
        // Nothing but the model goes to standard output.
        context.report.note(line);
        return Ok(());
    }
    Ok(context.report.result(line)?)
}
