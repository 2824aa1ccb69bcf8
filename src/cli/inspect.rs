//! `camloc inspect`: what a model offers to explain.

use std::io::Write;
use std::path::PathBuf;

use crate::explainer::{self, Inspection};
use anyhow::Result;
use camloc_graph::explain::receptive_field::Field;
use camloc_graph::explain::{self, Layer};
use camloc_graph::onnx::graph::Graph;
use camloc_graph::onnx::proto::ModelProto;

use super::arguments::{ModelArgs, set_path};
use super::{Context, assemble};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An ONNX image classifier [default: EfficientNet-Lite0]
    #[arg(value_name = "FILE.onnx")]
    file: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
}

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let mut settings = args.model.over(&context.settings);
    if let Some(file) = &args.file {
        set_path(&mut settings.model, file);
    }
    let mut classifier = assemble::classifier(&settings, &assemble::store()?, &context.report)?;
    let mut out = std::io::stdout().lock();
    tensors(&mut out, &classifier.model)?;
    if let Some(explanation) = explain::recognise(&classifier.model) {
        let (method, layer) = (explanation.method, explanation.layer);
        writeln!(out, "explains itself: {method} at {layer}")?;
        return Ok(());
    }
    // As for a run: refined maps, and methods that cut the network, need the size.
    classifier.fix_size();
    let request = assemble::request(&settings, &classifier.labels, 1)?;
    let Inspection { scores, head, layers, methods } = explainer::inspect(&classifier.model, &request)?;
    writeln!(out, "scores\n  {} classes in {}", scores.classes, scores.logits)?;
    writeln!(out, "head\n  {head}")?;
    writeln!(out, "layers (--layer NAME, -1, -2, ...; -1 is the default)")?;
    let width = layers.iter().map(|layer| layer.tensor.len()).max().unwrap_or_default();
    for (layer, place) in layers.iter().zip(1..) {
        writeln!(out, "{:>5}  {:width$}  {}", format!("-{place}"), layer.tensor, shape(layer))?;
    }
    writeln!(out, "methods (--method NAME)")?;
    for (method, found) in &methods {
        match found {
            Ok(()) => writeln!(out, "  {:16} {}", method.name(), method.summary())?,
            Err(error) => writeln!(out, "  {:16} not here: {error}", method.name())?,
        }
    }
    Ok(())
}

/// Inputs and outputs with their types and shapes.
fn tensors(out: &mut impl Write, model: &ModelProto) -> Result<()> {
    let graph = Graph::new(model);
    writeln!(out, "operator set {}, {} nodes", graph.opset(), graph.nodes().len())?;
    let inputs: Vec<&str> = graph.inputs().map(|input| input.name()).collect();
    let outputs: Vec<&str> = graph.outputs().iter().map(|output| output.name()).collect();
    for (title, names) in [("inputs", inputs), ("outputs", outputs)] {
        writeln!(out, "{title}")?;
        for name in names {
            let element = graph.element_type(name).map_or("?".into(), |element| format!("{element:?}"));
            let sizes = graph.shape(name).map(|shape| {
                let sizes = shape.iter().map(|size| size.map_or("?".into(), |size| size.to_string()));
                sizes.collect::<Vec<String>>().join(", ")
            });
            let sizes = sizes.unwrap_or_else(|| "...".into());
            writeln!(out, "  {name}  {} [{sizes}]", element.to_lowercase())?;
        }
    }
    Ok(())
}

/// `1280 x 7x7, a cell every 32 px sees 495x495`.
fn shape(layer: &Layer) -> String {
    let channels = layer.channels.map_or("?".into(), |channels| channels.to_string());
    let size = layer.size.map_or("?x?".into(), |(height, width)| format!("{height}x{width}"));
    format!("{channels:>5} x {size:<7}{}", layer.field.as_ref().map(field).unwrap_or_default())
}

fn field(field: &Field) -> String {
    let ([down, across], [first_y, first_x]) = (field.stride, field.centre);
    let sees = match field.size {
        Some([height, width]) => format!("sees {height}x{width} px"),
        None => "sees the whole picture".into(),
    };
    format!("  {sees}, a cell every {down}x{across} px from ({first_y}, {first_x})")
}
