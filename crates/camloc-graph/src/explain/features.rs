//! A target layer and the gradient by it, in one form for all methods: channels by places.

use super::error::ExplainError;
use super::head::Layout;
use super::layers::Layer;
use super::outputs::as_f32;
use crate::autodiff::{self, Gradient};
use crate::onnx::build;
use crate::onnx::edit::GraphEditor;

/// The activations of a layer, f32 `[N, C, P]`, where P counts the places of its grid.
pub(super) fn activations(graph: &mut GraphEditor<'_>, layer: &Layer) -> String {
    let tensor = autodiff::apart(graph, &layer.tensor);
    let tensor = as_f32(graph, &tensor);
    let first = channels_first(graph, &tensor, layer.layout, 0);
    match layer.layout {
        Layout::Tokens { .. } => first,
        Layout::Nchw | Layout::Nhwc => graph.reshape("camloc.places", &first, &[0, 0, -1]),
    }
}

/// A gradient by a layer, f32 `[K, N, C, P]`; `[K, N, C, 1]` where it is the same at every place.
#[derive(Clone, Debug)]
pub(super) struct LayerGradient {
    pub(super) tensor: String,
    /// Whether it is the same at every place, and P is 1.
    pub(super) uniform: bool,
}

impl LayerGradient {
    /// Brings a gradient by a layer into this form.
    pub(super) fn of(
        graph: &mut GraphEditor<'_>,
        gradient: &Gradient,
        layer: &Layer,
        count: usize,
    ) -> Result<LayerGradient, ExplainError> {
        let uniform = match (gradient, layer.layout) {
            (Gradient::Tensor { spread, .. }, Layout::Nchw) => spread[..] == [2, 3],
            (Gradient::Tensor { spread, .. }, Layout::Nhwc) => spread[..] == [1, 2],
            (Gradient::Tensor { spread, .. }, Layout::Tokens { .. }) => spread[..] == [1],
            _ => false,
        };
        let tensor = match gradient {
            Gradient::Tensor { name, .. } if uniform => name.clone(),
            _ => autodiff::filled(graph, gradient, &layer.tensor, count)?,
        };
        let tensor = as_f32(graph, &tensor);
        let lead = usize::from(count != 1);
        let layout = match layer.layout {
            // The one value for every token has no prefix to cut off.
            Layout::Tokens { grid, .. } if uniform => Layout::Tokens { prefix: 0, grid },
            layout => layout,
        };
        let first = channels_first(graph, &tensor, layout, lead);
        let mut shape = vec![0; lead + 2];
        shape.push(-1);
        let flat = match layout {
            Layout::Tokens { .. } => first,
            Layout::Nchw | Layout::Nhwc => graph.reshape("camloc.layer_gradient", &first, &shape),
        };
        let tensor = match lead {
            0 => {
                let axis = graph.add_ints("camloc.axes", &[0]);
                graph.op("Unsqueeze", "camloc.layer_gradient", &[&flat, &axis], vec![])
            }
            _ => flat,
        };
        Ok(LayerGradient { tensor, uniform })
    }
}

/// A tensor of this layout, after `lead` axes, as `[…, C, h, w]` or, of tokens, `[…, C, P]`.
pub(super) fn channels_first(
    graph: &mut GraphEditor<'_>,
    tensor: &str,
    layout: Layout,
    lead: usize,
) -> String {
    let kept: Vec<i64> = (0..=lead as i64).collect();
    let perm = |order: &[i64]| {
        [&kept[..], &order.iter().map(|axis| axis + lead as i64).collect::<Vec<_>>()].concat()
    };
    match layout {
        Layout::Nchw => tensor.to_owned(),
        Layout::Nhwc => graph.transpose("camloc.channels_first", tensor, &perm(&[3, 1, 2])),
        Layout::Tokens { prefix, .. } => {
            let tokens = match prefix {
                0 => tensor.to_owned(),
                _ => graph.slice("camloc.tokens", tensor, lead as i64 + 1, prefix as i64, i64::MAX),
            };
            graph.transpose("camloc.channels_first", &tokens, &perm(&[2, 1]))
        }
    }
}

/// How the places of a map lie in rows and columns.
#[derive(Clone, Debug)]
pub(super) enum Grid {
    /// Rows and columns, which do not depend on the picture.
    Fixed((usize, usize)),
    /// Rows and columns as a tensor, i64 `[2]`.
    Open(String),
}

impl Grid {
    /// The grid of a tensor of this layout.
    pub(super) fn of(graph: &mut GraphEditor<'_>, tensor: &str, layout: Layout) -> Grid {
        match graph.shape(tensor).and_then(|shape| layout.size(shape)) {
            Some(size) => Grid::Fixed(size),
            None => {
                let axes: &[i64] = if layout == Layout::Nhwc { &[1, 2] } else { &[2, 3] };
                Grid::Open(graph.sizes("camloc.grid", tensor, axes))
            }
        }
    }

    /// Rows and columns, where they do not depend on the picture.
    pub(super) fn size(&self) -> Option<(usize, usize)> {
        match self {
            Grid::Fixed(size) => Some(*size),
            Grid::Open(_) => None,
        }
    }
}

/// What a method makes: a map for each picture and class, and how its places lie.
#[derive(Clone, Debug)]
pub(super) struct Maps {
    pub(super) tensor: String,
    pub(super) order: Order,
    pub(super) grid: Grid,
}

/// The order of the axes of maps, P counting the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// f32 `[K, N, P]`, as gradients are.
    ByClass,
    /// f32 `[N, K, P]`.
    ByPicture,
}

impl Maps {
    /// Maps f32 `[K, N, P]`.
    pub(super) fn by_class(tensor: String, grid: Grid) -> Maps {
        Maps { tensor, order: Order::ByClass, grid }
    }

    /// Maps f32 `[N, K, P]`.
    pub(super) fn by_picture(tensor: String, grid: Grid) -> Maps {
        Maps { tensor, order: Order::ByPicture, grid }
    }

    /// The maps as `[N, K, h, w]`, under a name that starts with `hint`.
    pub(super) fn folded(&self, graph: &mut GraphEditor<'_>, hint: &str) -> String {
        let by_picture = match self.order {
            Order::ByClass => graph.transpose("camloc.by_picture", &self.tensor, &[1, 0, 2]),
            Order::ByPicture => self.tensor.clone(),
        };
        let shape = match &self.grid {
            Grid::Fixed((height, width)) => {
                graph.add_ints("camloc.map_shape", &[0, 0, *height as i64, *width as i64])
            }
            Grid::Open(size) => {
                let kept = graph.add_ints("camloc.kept", &[0, 0]);
                graph.op("Concat", "camloc.map_shape", &[&kept, size], vec![build::int("axis", 0)])
            }
        };
        graph.op("Reshape", hint, &[&by_picture, &shape], vec![])
    }
}

/// Maps `[N, K, h, w]`, resized bilinearly (half-pixel centres) to the shape that a tensor i64 `[4]` holds.
pub(super) fn resized(graph: &mut GraphEditor<'_>, maps: &str, shape: &str) -> String {
    let attributes =
        vec![build::string("mode", "linear"), build::string("coordinate_transformation_mode", "half_pixel")];
    graph.op("Resize", "camloc.resized", &[maps, "", "", shape], attributes)
}

/// `[K, N, P]`: the activations `[N, C, P]`, each channel times its weight `[K, N, C, 1]`, summed.
pub(super) fn weighted(graph: &mut GraphEditor<'_>, weights: &str, activations: &str) -> String {
    let rows = graph.transpose("camloc.weights", weights, &[0, 1, 3, 2]);
    let maps = graph.op("MatMul", "camloc.weighted", &[&rows, activations], vec![]);
    let axis = graph.add_ints("camloc.axes", &[2]);
    graph.op("Squeeze", "camloc.weighted", &[&maps, &axis], vec![])
}

/// The mean over the places of `[…, P]`, as `[…, 1]`.
pub(super) fn mean(graph: &mut GraphEditor<'_>, tensor: &str) -> String {
    graph.reduce("ReduceMean", "camloc.mean", tensor, &[-1], true)
}

/// The sum over the places of `[…, P]`, as `[…, 1]`.
pub(super) fn sum(graph: &mut GraphEditor<'_>, tensor: &str) -> String {
    graph.reduce("ReduceSum", "camloc.sum", tensor, &[-1], true)
}

/// The sum over the channels of `[K, N, C, P]`, as `[K, N, P]`.
pub(super) fn over_channels(graph: &mut GraphEditor<'_>, tensor: &str) -> String {
    graph.reduce("ReduceSum", "camloc.over_channels", tensor, &[2], false)
}
