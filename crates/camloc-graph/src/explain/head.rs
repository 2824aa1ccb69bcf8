//! Finding a classifier's head: what stands between the last feature map and the class scores.
//!
//! The search walks back from an output. It passes what changes neither the values nor their order
//! (reshapes, casts, dropout, a bias), and ends at a linear layer or at a global pooling.

use super::method::ClosedForm;
pub use super::space::Layout;
use super::walk::{MAX_OPERANDS, MAX_WALK, back, data};
use crate::onnx::graph::Graph;
use crate::onnx::operators::Operator;
use crate::onnx::operators::properties::Properties;
use crate::onnx::proto::NodeProto;

/// The output of a model with an ACoL head that holds the first branch's class maps, f32 `[N, C, h, w]`, the ones that
/// its class scores are the means of.
pub const FIRST_MAPS: &str = "camloc.maps_a";
/// The output that holds the second branch's class maps, f32 `[N, C, h, w]`, of features without what the first one finds
/// of the predicted class.
pub const ERASED_MAPS: &str = "camloc.maps_b";

/// A head with a closed form.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// The target layer: the feature map that the maps are made of.
    pub features: String,
    /// The order of the feature map's axes.
    pub layout: Layout,
    /// How class scores come from features.
    pub form: Form,
}

/// How class scores come from features.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Global average pooling, then a linear layer: class activation maps (Zhou et al. 2016).
    Pooled(Linear),
    /// A convolution with a channel for each class, then global average pooling (Lin et al. 2014):
    /// the features *are* the class maps.
    ClassMaps,
    /// The same twice, the second time of features without what the first finds (ACoL: Zhang et al. 2018): the
    /// features are the first branch's class maps, [`ERASED_MAPS`] the second's.
    Acol,
    /// A linear layer on the flattened features.
    Flattened(Linear),
}

impl Form {
    /// The closed form that goes with it.
    pub(super) fn closed_form(&self) -> ClosedForm {
        match self {
            Form::Pooled(_) => ClosedForm::Cam,
            Form::ClassMaps => ClosedForm::ClassMaps,
            Form::Acol => ClosedForm::Acol,
            Form::Flattened(_) => ClosedForm::FlattenLinear,
        }
    }
}

/// A linear layer, `alpha * weight * x + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// The weight tensor, `[C, F]` or `[F, C]`, perhaps with further axes of size 1.
    pub weight: String,
    /// Which axis of the weight is the classes': 0 or 1.
    pub class_axis: usize,
    /// What the product is multiplied with.
    pub alpha: f32,
    /// How many features, F, if known.
    pub features: Option<i64>,
}

impl Head {
    /// Rows and columns of the feature map, where they are known without running the model.
    pub fn map_size(&self, graph: &Graph<'_>) -> Option<(usize, usize)> {
        self.layout.size(graph.shape(&self.features)?)
    }
}

/// The head that makes class scores, `[N, C]`, perhaps with further axes of size 1; `None` where it has
/// no closed form.
pub fn find(graph: &Graph<'_>, logits: &str) -> Option<Head> {
    let (features, layout, form) = Walk { graph }.form(logits)?;
    Some(Head { features: features.into(), layout, form })
}

/// Walks back along a graph.
pub(super) struct Walk<'g, 'm> {
    pub(super) graph: &'g Graph<'m>,
}

impl<'g> Walk<'g, '_> {
    /// The first tensor, walking back, that is not made by a node to pass.
    fn back(&self, from: &'g str, pass: impl Fn(&'g NodeProto) -> bool) -> &'g str {
        back(self.graph, from, pass)
    }

    fn is(&self, node: &NodeProto, any: Properties) -> bool {
        self.graph.operator(node).properties().has(any)
    }

    fn is_unit_pool(&self, node: &NodeProto) -> bool {
        is_unit_pool(&self.graph.operator(node))
    }

    /// Past what hands values on.
    fn back_transparent(&self, from: &'g str) -> &'g str {
        self.back(from, |node| self.is(node, Properties::HANDS_ON) || self.is_unit_pool(node))
    }

    /// Past what hands values on in another shape, of a tensor that has one value for each channel.
    fn back_reshaping(&self, from: &'g str) -> &'g str {
        self.back(from, |node| self.is(node, Properties::SAME_VALUES) || self.is_unit_pool(node))
    }

    fn is_bias(&self, node: &NodeProto) -> bool {
        node.standard_op() == "Add"
            && node.input.iter().take(MAX_OPERANDS).any(|input| self.graph.is_constant(input))
    }

    pub(super) fn size(&self, tensor: &str, axis: usize) -> Option<i64> {
        *self.graph.shape(tensor)?.get(axis)?
    }

    pub(super) fn channels(&self, tensor: &str, layout: Layout) -> Option<i64> {
        self.size(tensor, layout.channel_axis())
    }

    /// What the logits are made of.
    fn form(&self, logits: &'g str) -> Option<(&'g str, Layout, Form)> {
        let end = self.back(logits, |node| self.is(node, Properties::SAME_VALUES) || self.is_bias(node));
        let node = self.graph.producer(end)?;
        if let Some(linear) = self.linear(node) {
            let data = node.input_at(0)?;
            return match self.pooled(self.back_reshaping(data), linear.features) {
                Some((features, layout)) => Some((features, layout, Form::Pooled(linear))),
                None if node.standard_op() == "Conv" => None,
                None => {
                    let (features, layout) = self.flattened(data, linear.features)?;
                    Some((features, layout, Form::Flattened(linear)))
                }
            };
        }
        let classes = self.graph.shape(logits).and_then(|shape| *shape.get(1)?);
        let (pooled, layout) = self.pooled(end, classes)?;
        let maps = self.class_maps(pooled)?;
        let form = if self.has_second_branch(maps) { Form::Acol } else { Form::ClassMaps };
        Some((maps, layout, form))
    }

    /// Reads a node as a linear layer with constant weights.
    fn linear(&self, node: &'g NodeProto) -> Option<Linear> {
        let weight = node.input_at(1).filter(|weight| self.graph.is_constant(weight))?;
        let (class_axis, alpha) = match node.standard_op() {
            "Gemm" => (usize::from(node.int_or("transB", 0) == 0), node.float_or("alpha", 1.0)),
            "MatMul" if self.graph.shape(weight).is_none_or(|shape| shape.len() == 2) => (1, 1.0),
            "Conv" if self.is_pointwise(node) => (0, 1.0),
            _ => return None,
        };
        Some(Linear { weight: weight.into(), class_axis, alpha, features: self.size(weight, 1 - class_axis) })
    }

    fn is_pointwise(&self, node: &NodeProto) -> bool {
        let window = self.graph.operator(node).window();
        window.is_some_and(|window| window.is_pointwise()) && node.int_or("group", 1) == 1
    }

    /// The feature map `[N, …]` behind a global average pooling that makes `tensor`, which has
    /// `channels` values for each picture, if that is known.
    fn pooled(&self, tensor: &'g str, channels: Option<i64>) -> Option<(&'g str, Layout)> {
        let node = self.graph.producer(tensor)?;
        let input = node.input_at(0)?;
        let layout = match node.standard_op() {
            "GlobalAveragePool" => Layout::Nchw,
            "AveragePool" if self.covers_map(node, input, channels) => Layout::Nchw,
            "ReduceMean" => return self.mean(node, input, channels),
            _ => return None,
        };
        self.settle(input, layout, channels)
    }

    /// Prefers the channels-first tensor where a channels-last one is only its transpose, and checks
    /// that the feature map has two spatial axes and the right number of channels.
    fn settle(&self, input: &'g str, layout: Layout, channels: Option<i64>) -> Option<(&'g str, Layout)> {
        let to_last = self.graph.producer(input).filter(|node| is_transpose(node, &[0, 2, 3, 1]));
        let (features, layout) = match (layout, to_last.and_then(|node| node.input_at(0))) {
            (Layout::Nhwc, Some(first)) => (first, Layout::Nchw),
            _ => (input, layout),
        };
        let planar = self.graph.shape(features).is_none_or(|shape| shape.len() == 4);
        let known = self.channels(features, layout);
        (planar && known.zip(channels).is_none_or(|(a, b)| a == b)).then_some((features, layout))
    }

    /// Whether an average pooling has one window, the whole map.
    fn covers_map(&self, node: &NodeProto, input: &str, channels: Option<i64>) -> bool {
        let Some(window) = self.graph.operator(node).window() else { return false };
        let [_, input_channels, map @ ..] = self.graph.shape(input).unwrap_or_default() else { return false };
        let known: Option<Vec<i64>> = map.iter().copied().collect();
        let kernel = window.known_kernel();
        // Of a map of unknown size: if a linear layer takes one value a channel, all was one window.
        let single = || input_channels.is_some() && *input_channels == channels && !self.is_unit_pool(node);
        // A window that hangs over is as large as the map, unless what it hangs over counts, too.
        let hangs = node.int_or("ceil_mode", 0) != 0 && node.int_or("count_include_pad", 0) == 0;
        let covers = |map: Vec<i64>| {
            kernel.is_some_and(|kernel| {
                let within =
                    map.len() == kernel.len() && map.iter().zip(&kernel).all(|(size, own)| size <= own);
                map == kernel || hangs && within
            })
        };
        window.is_unpadded() && known.map_or_else(single, covers)
    }

    /// A mean over both spatial axes, at once, one after the other, or over both folded into one.
    fn mean(&self, node: &'g NodeProto, input: &'g str, channels: Option<i64>) -> Option<(&'g str, Layout)> {
        let rank = self.graph.shape(input).map_or(4, <[_]>::len);
        let mut axes = self.mean_axes(node, rank)?;
        let mut features = input;
        if let [axis] = axes[..] {
            let inner = self.graph.producer(input)?;
            features = inner.input_at(0)?;
            match inner.standard_op() {
                "ReduceMean" => {
                    let [first] = self.mean_axes(inner, 4)?[..] else { return None };
                    let gone = !self.graph.operator(inner).keeps_axes();
                    let rank = if gone { 3 } else { 4 };
                    let [axis] = self.mean_axes(node, rank)?[..] else { return None };
                    axes = vec![first, axis + usize::from(gone && axis >= first)];
                }
                "Reshape" | "Flatten" if rank == 3 && axis == 2 => {
                    let channels = self.channels(features, Layout::Nchw)?;
                    let folded = self.size(input, 1) == Some(channels);
                    axes = if folded { vec![2, 3] } else { return None };
                }
                _ => return None,
            }
        }
        axes.sort_unstable();
        match axes[..] {
            [2, 3] => self.settle(features, Layout::Nchw, channels),
            [1, 2] => self.settle(features, Layout::Nhwc, channels),
            _ => None,
        }
    }

    fn mean_axes(&self, node: &NodeProto, rank: usize) -> Option<Vec<usize>> {
        self.graph.operator(node).reduced(rank)
    }

    /// The convolution's own output behind class maps, before a rectifier, which would hide what
    /// speaks against a class.
    fn class_maps(&self, pooled: &'g str) -> Option<&'g str> {
        let tensor = self.back_transparent(pooled);
        let rectifier = self.graph.producer(tensor).filter(|node| self.is(node, Properties::RECTIFIES));
        let maps = match rectifier {
            Some(node) => self.back_transparent(data(self.graph, node)?),
            None => tensor,
        };
        let conv = self.back(maps, |node| self.is_bias(node) || node.standard_op() == "BatchNormalization");
        (self.graph.producer(conv)?.standard_op() == "Conv").then_some(maps)
    }

    /// Whether a second branch goes with these class maps: the names of both tell.
    fn has_second_branch(&self, maps: &str) -> bool {
        maps == FIRST_MAPS && self.graph.producer(ERASED_MAPS).is_some()
    }

    /// The feature map behind flattened features.
    fn flattened(&self, data: &'g str, count: Option<i64>) -> Option<(&'g str, Layout)> {
        let mut tensor = self.back_transparent(data);
        let rank = |tensor: &str| self.graph.shape(tensor).map(<[_]>::len);
        for _ in 0..MAX_WALK {
            let node = self.graph.producer(tensor)?;
            if !matches!(node.standard_op(), "Flatten" | "Reshape") {
                return None;
            }
            tensor = self.back_transparent(node.input_at(0)?);
            if rank(tensor) == Some(4) {
                break;
            }
        }
        let shape = self.graph.shape(tensor).filter(|shape| shape.len() == 4)?;
        let whole = shape[1..].iter().try_fold(1_i64, |product, dim| product.checked_mul((*dim)?));
        if whole.zip(count).is_some_and(|(whole, count)| whole != count) {
            return None;
        }
        let layout = match self.graph.producer(tensor) {
            Some(node) if is_transpose(node, &[0, 2, 3, 1]) => Layout::Nhwc,
            Some(node) if node.standard_op() == "Transpose" && !is_transpose(node, &[0, 3, 1, 2]) => {
                return None;
            }
            _ => Layout::Nchw,
        };
        let map = if layout == Layout::Nchw { &shape[2..] } else { &shape[1..3] };
        // One place is not a map; nor are features of which the channels are unknown.
        (map != [Some(1), Some(1)] && self.channels(tensor, layout).is_some()).then_some((tensor, layout))
    }
}

fn is_transpose(node: &NodeProto, perm: &[i64]) -> bool {
    node.standard_op() == "Transpose" && node.ints("perm") == Some(perm)
}

/// An average pooling of single values, which some exporters leave in place of an adaptive one.
pub(super) fn is_unit_pool(operator: &Operator<'_>) -> bool {
    let single = || operator.window().is_some_and(|window| window.is_pointwise() && window.is_dense());
    operator.name() == "AveragePool" && single()
}
