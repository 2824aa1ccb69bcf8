//! `camloc inspect`: what a model offers to explain.

use std::io::Write;
use std::path::PathBuf;

use crate::explainer::{self, Inspection};
use anyhow::Result;
use camloc_graph::explain::receptive_field::Field;
use camloc_graph::explain::{self, Explanation, Layer};
use camloc_graph::onnx::graph::Graph;
use camloc_graph::onnx::proto::ModelProto;

use serde_json::{Value, json};

use super::arguments::{ModelArgs, set_path};
use super::reading::{self, Row};
use super::terminal::Lines;
use super::{Context, assemble};

/// The widest column of names, in characters.
const WIDEST_NAME: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An ONNX image classifier, or a folder with one [default: EfficientNet-Lite0]
    #[arg(value_name = "FILE.onnx|FOLDER")]
    file: Option<PathBuf>,
    /// Print it as JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
}

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let mut settings = args.model.over(&context.settings);
    if let Some(file) = &args.file {
        set_path(&mut settings.model, file);
    }
    let mut classifier = assemble::classifier(&settings, &assemble::store()?, &context.report)?;
    let mut out = Lines(std::io::stdout().lock());
    let (opset, nodes) = {
        let graph = Graph::new(&classifier.model);
        (graph.opset(), graph.nodes().len())
    };
    let tensors = tensors(&classifier.model);
    let found = match explain::recognise(&classifier.model) {
        Some(explanation) => Found::Itself(explanation),
        None => {
            // As for a run: the layer is the one of the size that is used.
            classifier.fix_size();
            let request = assemble::request(&settings, &classifier.labels, 1)?.of(&classifier);
            Found::Offers(explainer::inspect(&classifier.model, &request)?)
        }
    };
    if args.json {
        let model = reading::json(&classifier);
        let all = json!({
            "operator_set": opset,
            "nodes": nodes,
            "tensors": tensors.iter().map(Tensor::json).collect::<Vec<_>>(),
            "reading": model,
            "explains": found.json(),
        });
        // JSON writes out itself what else would begin a line.
        return Ok(out.write_all((serde_json::to_string_pretty(&all)? + "\n").as_bytes())?);
    }
    writeln!(out, "operator set {opset}, {nodes} nodes")?;
    for (title, role) in [("inputs", "input"), ("outputs", "output")] {
        writeln!(out, "{title}")?;
        let of_role = tensors.iter().filter(|tensor| tensor.role == role);
        of_role.into_iter().try_for_each(|tensor| writeln!(out, "  {}", tensor.line()))?;
    }
    writeln!(out, "reading")?;
    for Row { fact, value, from } in reading::rows(&classifier) {
        writeln!(out, "  {fact:20} {value}  (from {from})")?;
    }
    found.write(&mut out)
}

/// What a model has to explain.
enum Found {
    /// It has its maps already.
    Itself(Explanation),
    /// What can be added.
    Offers(Inspection),
}

impl Found {
    fn write(&self, out: &mut impl Write) -> Result<()> {
        let Inspection { scores, head, layers, default_layer, methods } = match self {
            Found::Itself(Explanation { method, layer, .. }) => {
                return Ok(writeln!(out, "explains itself: {method} at {layer}")?);
            }
            Found::Offers(offers) => offers,
        };
        writeln!(out, "scores")?;
        writeln!(out, "  {} classes in {}", scores.classes, scores.logits)?;
        writeln!(out, "head")?;
        writeln!(out, "  {head}")?;
        writeln!(out, "layers (--layer NAME, -1, -2, ...; -{} is the default)", default_layer + 1)?;
        // A name may be longer than any width that can be asked for; what follows it then stands further right.
        let longest = layers.iter().map(|layer| layer.tensor.chars().count()).max().unwrap_or_default();
        let width = longest.min(WIDEST_NAME);
        for (layer, place) in layers.iter().zip(1..) {
            writeln!(out, "{:>5}  {:width$}  {}", format!("-{place}"), layer.tensor, shape(layer))?;
        }
        writeln!(out, "methods (--method NAME)")?;
        for (method, found) in methods {
            match found {
                Ok(()) => writeln!(out, "  {:16} {}", method.name(), method.summary())?,
                Err(error) => writeln!(out, "  {:16} not here: {error}", method.name())?,
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        match self {
            Found::Itself(Explanation { method, layer, classes, .. }) => {
                json!({"itself": {"method": method.name(), "layer": layer, "classes": classes}})
            }
            Found::Offers(Inspection { scores, head, layers, default_layer, methods }) => json!({
                "classes": scores.classes,
                "logits": scores.logits,
                "head": head,
                "layers": layers.iter().map(layer_json).collect::<Vec<_>>(),
                "default_layer": layers.get(*default_layer).map(|layer| &layer.tensor),
                "methods": methods.iter().map(|(method, found)| json!({
                    "name": method.name(),
                    "available": found.is_ok(),
                    "why_not": found.as_ref().err().map(ToString::to_string),
                })).collect::<Vec<_>>(),
            }),
        }
    }
}

fn layer_json(layer: &Layer) -> Value {
    json!({
        "name": layer.tensor,
        "channels": layer.channels,
        "height": layer.size.map(|size| size.0),
        "width": layer.size.map(|size| size.1),
    })
}

/// An input or output with its type and shape.
struct Tensor {
    role: &'static str,
    name: String,
    element: Option<String>,
    /// `None` where not even the rank is known.
    shape: Option<Vec<Option<i64>>>,
}

impl Tensor {
    fn line(&self) -> String {
        let sizes = |shape: &Vec<Option<i64>>| {
            let sizes = shape.iter().map(|size| size.map_or("?".into(), |size| size.to_string()));
            sizes.collect::<Vec<String>>().join(", ")
        };
        let sizes = self.shape.as_ref().map_or_else(|| "...".into(), sizes);
        format!("{}  {} [{sizes}]", self.name, self.element.as_deref().unwrap_or("?"))
    }

    fn json(&self) -> Value {
        json!({"role": self.role, "name": self.name, "type": self.element, "shape": self.shape})
    }
}

/// Inputs and outputs.
fn tensors(model: &ModelProto) -> Vec<Tensor> {
    let graph = Graph::new(model);
    let inputs = graph.inputs().map(|input| ("input", input.name()));
    let outputs = graph.outputs().iter().map(|output| ("output", output.name()));
    let tensor = |(role, name): (&'static str, &str)| Tensor {
        role,
        name: name.to_owned(),
        element: graph.element_type(name).map(|element| format!("{element:?}").to_lowercase()),
        shape: graph.shape(name).map(<[_]>::to_vec),
    };
    inputs.chain(outputs).map(tensor).collect()
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
