//! The layers of a classifier that a map can be made of, and which of them to take.
//!
//! A layer, as people speak of it, is where a block of operators ends: the activation behind a
//! convolution, the sum behind a residual branch, a pooling, a norm in front of attention. Grad-CAM
//! takes the last one that has rows and columns which the class scores still depend on.

use std::collections::{BTreeSet, HashMap};

use super::demand::{Demand, Demands};
use super::head::is_unit_pool;
use super::mirror::mirrored;
use super::receptive_field::{Field, Fields};
use super::space::{Layout, Spaces};
use crate::onnx::graph::Graph;
use crate::onnx::operators::properties::Properties;
use crate::onnx::proto::NodeProto;

/// A tensor that a map can be made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The tensor's name.
    pub tensor: String,
    /// The order of its axes.
    pub layout: Layout,
    /// How many channels it has, if known.
    pub channels: Option<usize>,
    /// Rows and columns, if they do not depend on the picture.
    pub size: Option<(usize, usize)>,
    /// Which pixels its cells see, if that could be followed.
    pub field: Option<Field>,
}

impl Layer {
    /// A tensor seen as a layer of this layout.
    pub(super) fn at(graph: &Graph<'_>, tensor: &str, layout: Layout) -> Layer {
        let shape = graph.shape(tensor).unwrap_or_default();
        let channels = shape.get(layout.channel_axis()).copied().flatten();
        let channels = channels.and_then(|channels| usize::try_from(channels).ok());
        Layer { tensor: tensor.into(), layout, channels, size: layout.size(shape), field: None }
    }
}

/// Why there is no such layer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// No tensor qualifies.
    #[error("no layer between the picture and {logits:?} has rows and columns; name one with --layer")]
    NoLayers {
        /// The class scores.
        logits: String,
    },
    /// Counted too far back.
    #[error("there is no layer {place}: this model has {count}, -1 to -{count}; `camloc inspect` lists them")]
    TooFarBack {
        /// What was asked for.
        place: i64,
        /// How many there are.
        count: usize,
    },
    /// No tensor and no node has this name.
    #[error("this model has no layer {name:?}{} `camloc inspect` lists them", did_you_mean(.nearest))]
    NoSuchLayer {
        /// The name asked for.
        name: String,
        /// Names that are close to it, the closest first.
        nearest: Vec<String>,
    },
    /// It is no feature map.
    #[error("the tensor {tensor:?}{} has no known rows and columns, so it has no map; `camloc inspect` lists layers that have", of_shape(.shape))]
    NoSpace {
        /// The tensor.
        tensor: String,
        /// Its shape, `?` for open sizes, if its rank is known.
        shape: Option<String>,
    },
    /// The class scores do not depend on it.
    #[error(
        "the class scores {logits:?} do not depend on the tensor {tensor:?}; `camloc inspect` lists layers that they do"
    )]
    NoInfluence {
        /// The tensor.
        tensor: String,
        /// The class scores.
        logits: String,
    },
}

fn did_you_mean(names: &[String]) -> String {
    match names {
        [] => ";".to_owned(),
        names => format!(", did you mean {}?", names.join(" or ")),
    }
}

fn of_shape(shape: &Option<String>) -> String {
    shape.as_ref().map_or_else(String::new, |shape| format!(" {shape}"))
}

/// The layers between the picture and the class scores, the last one first: what Grad-CAM takes by
/// default comes first.
pub fn candidates(graph: &Graph<'_>, logits: &str) -> Vec<Layer> {
    Network::of(graph, logits).candidates()
}

/// The layers that words name: a tensor, a node (its first output), or a place counted from the end
/// of [`candidates`], -1 for the last. No word stands for -1.
///
/// # Errors
///
/// [`LayerError`], for the first word without a layer.
pub fn select(graph: &Graph<'_>, logits: &str, words: &[impl AsRef<str>]) -> Result<Vec<Layer>, LayerError> {
    let network = Network::of(graph, logits);
    match words {
        [] => Ok(vec![network.named("-1")?]),
        words => words.iter().map(|word| network.named(word.as_ref())).collect(),
    }
}

/// What is known of a network.
struct Network<'g, 'm> {
    graph: &'g Graph<'m>,
    logits: &'g str,
    spaces: Spaces<'g, 'm>,
    demands: Demands<'g>,
}

impl<'g, 'm> Network<'g, 'm> {
    fn of(graph: &'g Graph<'m>, logits: &'g str) -> Network<'g, 'm> {
        let spaces = Spaces::of(graph);
        let demands = Demands::of(graph, &spaces, logits);
        Network { graph, logits, spaces, demands }
    }

    fn candidates(&self) -> Vec<Layer> {
        let fields = Fields::of(self.graph, &self.spaces);
        let (hidden, mirrored) = (self.hidden(), mirrored(self.graph));
        let ends = self.graph.nodes().iter().rev().filter_map(|node| {
            let tensor = node.output_at(0)?;
            // Places of a mirrored branch are not the picture's.
            let apart = hidden.contains_key(tensor) || mirrored.contains_key(tensor);
            let ends = self.can_end_block(node) && !apart && !self.is_within_block(tensor);
            (ends && self.depends_on_places(tensor)).then(|| self.layer(tensor, &fields))?
        });
        ends.collect()
    }

    fn layer(&self, tensor: &str, fields: &Fields<'g, '_, 'm>) -> Option<Layer> {
        let layout = self.spaces.layout(tensor)?;
        let shape = self.graph.shape(tensor)?;
        let channels = shape.get(layout.channel_axis()).copied().flatten();
        Some(Layer {
            tensor: tensor.into(),
            layout,
            channels: channels.and_then(|channels| usize::try_from(channels).ok()),
            size: layout.size(shape),
            field: fields.get(tensor),
        })
    }

    /// Whether the class scores depend on more of a tensor than tokens that are no place.
    fn depends_on_places(&self, tensor: &str) -> bool {
        match (self.demands.get(tensor), self.spaces.layout(tensor)) {
            (Some(Demand::Only(1, range)), Some(Layout::Tokens { prefix, .. })) => range.end > prefix,
            (demand, _) => demand.is_some(),
        }
    }

    /// Whether a block can end with this operator.
    fn can_end_block(&self, node: &NodeProto) -> bool {
        let operator = self.graph.operator(node);
        let ends = Properties::CONVOLVES | Properties::POOLS | Properties::KEEPS_PLACES;
        !self.is_transparent(node) && (operator.properties().has(ends) || operator.name() == "Concat")
    }

    /// Whether the node only goes over the channels of each place.
    fn is_pointwise(&self, node: &NodeProto) -> bool {
        let operator = self.graph.operator(node);
        let keeps_space = || node.output_at(0).is_some_and(|output| self.spaces.get(output).is_some());
        operator.properties().has(Properties::KEEPS_PLACES)
            || (operator.properties().has(Properties::REDUCES) || operator.name() == "Concat")
                && keeps_space()
    }

    /// Whether a node changes no value, or only the order of axes.
    fn is_transparent(&self, node: &NodeProto) -> bool {
        let operator = self.graph.operator(node);
        operator.properties().has(Properties::HANDS_ON | Properties::REORDERS) || is_unit_pool(&operator)
    }

    /// Whether all ways from a tensor to the class scores meet again before anything but pointwise
    /// operators: as the parts of a SiLU or of a norm do, and a convolution in front of its norm.
    fn is_within_block(&self, tensor: &str) -> bool {
        let mut pending: BTreeSet<usize> = self.demands.users(tensor).take(MAX_BLOCK + 1).collect();
        for _ in 0..MAX_BLOCK {
            let Some(index) = pending.pop_first() else { return false };
            let Some(node) = self.graph.nodes().get(index) else { return false };
            if !self.is_transparent(node) {
                if !self.is_pointwise(node) {
                    return false;
                }
                if pending.is_empty() {
                    return true;
                }
            }
            // With more users than that it never ends in time.
            pending
                .extend(node.output.iter().flat_map(|output| self.demands.users(output)).take(MAX_BLOCK + 1));
        }
        false
    }

    /// Tensors that are made of linear layers alone, before a residual is added: what is hidden in
    /// attention and in multi-layer perceptrons. Each with the node where it began.
    fn hidden(&self) -> HashMap<&'g str, usize> {
        let mut hidden: HashMap<&str, usize> = HashMap::new();
        for (index, node) in self.graph.nodes().iter().enumerate() {
            let mut varying = node.input.iter().filter(|input| self.spaces.varies(input));
            let operator = self.graph.operator(node);
            let begin = match operator.name() {
                _ if operator.properties().has(Properties::MULTIPLIES_MATRICES) => Some(index),
                _ if operator.properties().has(Properties::CONVOLVES) => None,
                op => {
                    let mut begins = varying.try_fold(BTreeSet::new(), |mut begins, input| {
                        begins.insert(*hidden.get(input.as_str())?);
                        Some(begins)
                    });
                    match begins.as_mut().map_or(0, |begins| begins.len()) {
                        1 => begins.and_then(|mut begins| begins.pop_first()),
                        // The sum of two layers is what a residual branch ends with; a gate is not.
                        2.. if !matches!(op, "Add" | "Sum" | "QLinearAdd") => Some(index),
                        _ => None,
                    }
                }
            };
            if let Some(begin) = begin {
                hidden.extend(node.output.iter().map(|output| (output.as_str(), begin)));
            }
        }
        hidden
    }

    /// The layer that a word stands for.
    fn named(&self, word: &str) -> Result<Layer, LayerError> {
        if let Some(tensor) = self.tensor(word) {
            if self.demands.get(tensor).is_none() {
                return Err(LayerError::NoInfluence { tensor: tensor.into(), logits: self.logits.into() });
            }
            let layer = self.layer(tensor, &Fields::of(self.graph, &self.spaces));
            return layer
                .ok_or_else(|| LayerError::NoSpace { tensor: tensor.into(), shape: self.shape(tensor) });
        }
        match word.parse::<i64>() {
            Ok(place) if place < 0 => {
                let mut layers = self.candidates();
                let count = layers.len();
                match usize::try_from(place.unsigned_abs() - 1) {
                    _ if count == 0 => Err(LayerError::NoLayers { logits: self.logits.into() }),
                    Ok(index) if index < count => Ok(layers.swap_remove(index)),
                    _ => Err(LayerError::TooFarBack { place, count }),
                }
            }
            _ => Err(LayerError::NoSuchLayer { name: word.into(), nearest: self.nearest(word) }),
        }
    }

    /// The tensor of this name, or the first output of the node of this name.
    fn tensor(&self, word: &str) -> Option<&'g str> {
        let named = |node: &&NodeProto| !word.is_empty() && node.name() == word;
        let mut outputs = self.graph.nodes().iter().flat_map(|node| node.output.iter().map(String::as_str));
        let input = || self.graph.inputs().map(|input| input.name()).find(|name| *name == word);
        let node = || self.graph.nodes().iter().find(named)?.output_at(0);
        outputs.find(|name| !name.is_empty() && *name == word).or_else(input).or_else(node)
    }

    /// Names of layers that are close to a word.
    fn nearest(&self, word: &str) -> Vec<String> {
        const SHOWN: usize = 3;
        let names = self.graph.nodes().iter().filter_map(|node| node.output_at(0));
        let names =
            names.filter(|name| self.spaces.layout(name).is_some() && self.demands.get(name).is_some());
        let mut ranked: Vec<(f64, &str)> =
            names.map(|name| (strsim::normalized_damerau_levenshtein(word, name), name)).collect();
        ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        ranked.iter().take(SHOWN).map(|(_, name)| (*name).to_owned()).collect()
    }

    fn shape(&self, tensor: &str) -> Option<String> {
        let sizes = self.graph.shape(tensor)?.iter();
        let sizes: Vec<String> = sizes.map(|size| size.map_or("?".into(), |size| size.to_string())).collect();
        Some(format!("[{}]", sizes.join(", ")))
    }
}

/// No block has as many pointwise operators in a row; a hostile file could.
const MAX_BLOCK: usize = 64;
#[cfg(test)]
mod tests;
