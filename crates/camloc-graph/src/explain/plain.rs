//! A classifier that is asked, not rewritten: its logits, and perhaps a layer, as outputs, and what stands behind the
//! layer as a network of its own. No operator is differentiated, and none but reshapes are added.

use std::collections::HashSet;

use super::error::ExplainError;
use super::feature_map::FeatureMap;
use super::layers::{self, Layer};
use super::outputs;
use super::prepare::prepare;
use super::probabilities::Link;
use super::request::Request;
use super::scores::{self, Scores};
use super::tail::Tail;

use crate::onnx::build::{self, Dim};
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::opset;
use crate::onnx::outline::outline;
use crate::onnx::proto::{DataType, ModelProto, NodeProto};
use crate::onnx::prune::prune;

/// What the network behind a layer takes: the layer's values and those of every shortcut around it, `[N, values]`.
pub const CUT: &str = "camloc.cut";

/// The operator set that reshapes and slices are written in.
const CUT_OPSET: i64 = 11;

/// What is asked of a network about variants of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The scores of pictures.
    Pictures,
    /// The scores of pictures, and a layer's activations.
    Layer,
    /// A layer's activations, and the scores of others in their place: the network behind the layer is run alone.
    Behind,
}

/// How a row of logits becomes probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probabilities {
    /// The model has them.
    Own,
    /// Shares of all classes; of a single class, for or against.
    Softmax,
    /// Of each class, for or against.
    Sigmoid,
    /// The values mean something else.
    None,
}

/// What to run, and how to read it.
#[derive(Clone, Debug)]
pub struct Plain {
    /// The whole network.
    pub model: ModelProto,
    /// The network behind the layer, for a method that asks it alone, and how many values it takes.
    pub tail: Option<(ModelProto, usize)>,
    /// The layer, and how its values lie, for a method that has one.
    pub layer: Option<(String, FeatureMap)>,
    /// The output that holds a logit for each class.
    pub logits: String,
    /// The output that holds the model's own probabilities.
    pub own: Option<String>,
    /// What probabilities are made of.
    pub probabilities: Probabilities,
    /// How many classes, or values.
    pub classes: usize,
    /// The value asked for, where the output holds no class scores.
    pub value: Option<usize>,
    /// Pictures in one run, where the model says so.
    pub batch: Option<usize>,
}

impl Plain {
    /// Whether a classifier can be asked so.
    ///
    /// # Errors
    /// As [`Plain::new`].
    pub fn fits(
        model: &ModelProto,
        method: &'static str,
        ask: Ask,
        request: &Request,
    ) -> Result<(), ExplainError> {
        Plain::new(outline(model)?, method, ask, request).map(|_| ())
    }

    /// Prepares a classifier to be asked; the request's own method is not heeded. `method` is what errors call who asks.
    ///
    /// # Errors
    /// As [`explain`](super::explain()), and where a layer's size is open or the network can't be cut behind it.
    pub fn new(
        mut model: ModelProto,
        method: &'static str,
        ask: Ask,
        request: &Request,
    ) -> Result<Plain, ExplainError> {
        prepare(&mut model)?;
        if ask == Ask::Behind {
            opset::raise(&mut model, CUT_OPSET)?;
        }
        let mut graph = GraphEditor::new(&mut model);
        let scores = scores::find(&graph, request)?;
        outputs::check(&graph, request, scores.classes)?;
        let layer = match ask {
            Ask::Pictures => None,
            Ask::Layer | Ask::Behind => Some(layer(&graph, method, request, &scores)?),
        };
        let value = if request.index.is_empty() {
            None
        } else {
            Some(outputs::place(&graph, &scores.output, &request.index)?)
        };
        let (logits, own) = match value {
            Some(_) => (scores.output.clone(), None),
            None => (scores.logits.clone(), scores.probabilities.clone()),
        };
        let probabilities = match (value, &own) {
            (Some(_), _) => Probabilities::None,
            (None, Some(_)) => Probabilities::Own,
            (None, None) if scores.link == Link::Sigmoid => Probabilities::Sigmoid,
            (None, None) => Probabilities::Softmax,
        };
        let batch = graph.inputs().next().map(|input| input.name().to_owned());
        let batch = batch.and_then(|input| *graph.shape(&input)?.first()?);
        let batch = batch.and_then(|batch| usize::try_from(batch).ok());
        expose(&mut graph, &logits);
        own.iter().for_each(|own| expose(&mut graph, own));
        if let (Ask::Layer, Some((layer, _))) = (ask, &layer) {
            expose(&mut graph, &layer.tensor);
        }
        drop(graph);
        let tail = match &layer {
            Some((layer, map)) if ask == Ask::Behind => {
                Some(cut(&mut model, method, &layer.tensor, *map, &logits, own.as_deref())?)
            }
            _ => None,
        };
        let layer = layer.map(|(layer, map)| (layer.tensor, map));
        let classes = scores.classes;
        Ok(Plain { model, tail, layer, logits, own, probabilities, classes, value, batch })
    }
}

/// The target layer; maps of several are not fused here, as each would take as long as the first.
fn layer(
    graph: &Graph<'_>,
    method: &'static str,
    request: &Request,
    scores: &Scores,
) -> Result<(Layer, FeatureMap), ExplainError> {
    let refused =
        |layer: &str, why: &str| ExplainError::NotForLayer { method, layer: layer.into(), why: why.into() };
    if request.layers.len() > 1 {
        return Err(refused(&request.layers.join(","), "it takes one layer, as each costs many passes"));
    }
    let words = match (&scores.head, request.layers.is_empty()) {
        (Some(head), true) => vec![head.features.clone()],
        _ => request.layers.clone(),
    };
    let layer = layers::select(graph, &scores.logits, &words)?.swap_remove(0);
    let map = FeatureMap::of(&layer).ok_or_else(|| {
        refused(&layer.tensor, "its size is open; fix the input's size, as with --input-size")
    })?;
    Ok((layer, map))
}

/// Makes a tensor an output.
fn expose(graph: &mut GraphEditor<'_>, tensor: &str) {
    if graph.is_output(tensor) {
        return;
    }
    let element = graph.element_type(tensor).unwrap_or(DataType::Float);
    let rank = graph.rank(tensor).unwrap_or(4);
    graph.add_output(build::value_info(tensor, element, &vec![Dim::Unknown; rank]));
}

/// Has the model put out what the network behind a layer takes, and returns that network and how many values it takes.
fn cut(
    model: &mut ModelProto,
    method: &'static str,
    layer: &str,
    map: FeatureMap,
    logits: &str,
    own: Option<&str>,
) -> Result<(ModelProto, usize), ExplainError> {
    let refused = |why: String| ExplainError::NotForLayer { method, layer: layer.into(), why };
    let mut behind = model.clone();
    let mut graph = GraphEditor::new(model);
    let end = own.unwrap_or(logits);
    let Tail { nodes, passing } = Tail::behind(&graph, layer, end).map_err(refused)?;
    if !nodes.iter().any(|node| node.output.iter().any(|output| output == logits)) {
        return Err(refused(format!("the scores {logits:?} are not behind it")));
    }
    // The layer comes first, so that its channels are found at the start of the values.
    let names: Vec<&str> = std::iter::once(layer).chain(passing.iter().map(String::as_str)).collect();
    let mut parts = Vec::new();
    for name in names {
        parts.push(Part::of(&graph, name).ok_or_else(|| {
            refused(format!("{name} passes by it, and its size or type is open; take a later layer"))
        })?);
    }
    if parts[0].values != map.len() {
        return Err(refused("its size is open".into()));
    }
    let constants = constants(&graph, &nodes);
    let flat: Vec<String> = parts.iter().map(|part| part.flatten(&mut graph)).collect();
    let flat: Vec<&str> = flat.iter().map(String::as_str).collect();
    graph.push(build::node("Concat", CUT, &flat, &[CUT], vec![build::int("axis", 1)]));
    graph.add_output(build::value_info(CUT, DataType::Float, &[Dim::Unknown, Dim::Unknown]));

    let batch = match graph.shape(layer).and_then(|shape| *shape.first()?) {
        Some(size) => Dim::Fixed(size),
        None => Dim::Symbol("N"),
    };
    let total: usize = parts.iter().map(|part| part.values).sum();
    let input = build::value_info(CUT, DataType::Float, &[batch, Dim::Fixed(total as i64)]);
    if let Some(graph) = &mut behind.graph {
        graph.node.clear();
        graph.value_info.clear();
        graph.output.clear();
        graph.input = vec![input];
    }
    let mut tail = GraphEditor::new(&mut behind);
    let mut from = 0;
    for part in &parts {
        part.restore(&mut tail, from);
        from += part.values;
    }
    constants.into_iter().chain(nodes).for_each(|node| tail.push(node));
    std::iter::once(logits).chain(own).for_each(|output| expose(&mut tail, output));
    drop(tail);
    prune(&mut behind);
    Ok((behind, total))
}

/// The nodes that make what `nodes` use of constants, in the order in which they run.
fn constants(graph: &Graph<'_>, nodes: &[NodeProto]) -> Vec<NodeProto> {
    let mut wanted: HashSet<&str> =
        nodes.iter().flat_map(|node| node.input.iter().map(String::as_str)).collect();
    let mut found = Vec::new();
    for node in graph.nodes().iter().rev() {
        let makes = |output: &String| wanted.contains(output.as_str()) && graph.is_constant(output);
        if node.output.iter().any(makes) {
            wanted.extend(node.input.iter().map(String::as_str));
            found.push(node.clone());
        }
    }
    found.reverse();
    found
}

/// A tensor that the network behind a layer takes.
struct Part {
    name: String,
    element: DataType,
    /// Its sizes behind the batch axis.
    shape: Vec<i64>,
    values: usize,
}

impl Part {
    fn of(graph: &Graph<'_>, name: &str) -> Option<Part> {
        let element = graph.element_type(name).unwrap_or(DataType::Float);
        let shape = graph.shape(name)?.get(1..)?.iter().copied().collect::<Option<Vec<i64>>>()?;
        let sizes = shape.iter().map(|&size| usize::try_from(size).ok());
        let values = sizes.into_iter().try_fold(1_usize, |product, size| product.checked_mul(size?))?;
        let float = matches!(element, DataType::Float | DataType::Float16);
        float.then(|| Part { name: name.to_owned(), element, shape, values })
    }

    /// `[N, values]`, f32.
    fn flatten(&self, graph: &mut GraphEditor<'_>) -> String {
        let tensor = outputs::as_f32(graph, &self.name);
        graph.op("Flatten", "camloc.part", &[&tensor], vec![build::int("axis", 1)])
    }

    /// The tensor under its own name, from the values after `from`.
    fn restore(&self, graph: &mut GraphEditor<'_>, from: usize) {
        let values = graph.slice("camloc.part", CUT, 1, from as i64, (from + self.values) as i64);
        let shape: Vec<i64> = std::iter::once(-1).chain(self.shape.iter().copied()).collect();
        let shape = graph.add_ints("camloc.shape", &shape);
        let (reshaped, cast) = match self.element {
            DataType::Float => (self.name.clone(), false),
            _ => (graph.fresh_name("camloc.part"), true),
        };
        graph.push(build::node("Reshape", &reshaped, &[&values, &shape], &[&reshaped], vec![]));
        if cast {
            let to = build::int("to", self.element as i64);
            graph.push(build::node("Cast", &self.name, &[&reshaped], &[&self.name], vec![to]));
        }
    }
}
