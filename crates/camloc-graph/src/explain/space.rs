//! Where space lies in every tensor of a network: which axes hold the rows and columns of a feature
//! map, also when they are folded into one axis of tokens.
//!
//! One pass over the nodes follows the rows and columns from the picture through convolutions,
//! transposes, reshapes, attention. What is not known to keep them loses them, and a residual addition
//! gives them back.

mod follow;

use std::collections::{HashMap, HashSet};

use crate::onnx::graph::Graph;
use crate::onnx::operators::properties::Properties;
use crate::onnx::proto::{NodeProto, ValueInfoProto};

/// The order of a feature map's axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `[N, channels, h, w]`
    Nchw,
    /// `[N, h, w, channels]`
    Nhwc,
    /// `[N, prefix + h * w, channels]`, row by row after `prefix` tokens that are no place of the
    /// picture: class, distillation and register tokens.
    Tokens {
        /// How many tokens come before the grid.
        prefix: usize,
        /// Rows and columns, h and w.
        grid: (usize, usize),
    },
}

impl Layout {
    /// The axis of the channels.
    pub fn channel_axis(self) -> usize {
        match self {
            Layout::Nchw => 1,
            Layout::Nhwc => 3,
            Layout::Tokens { .. } => 2,
        }
    }

    /// Rows and columns of a feature map of this shape, where they are known.
    pub fn size(self, shape: &[Option<i64>]) -> Option<(usize, usize)> {
        let (rows, columns) = match (self, shape) {
            (Layout::Tokens { grid, .. }, _) => return Some(grid),
            (Layout::Nchw, &[_, _, rows, columns]) | (Layout::Nhwc, &[_, rows, columns, _]) => {
                (rows?, columns?)
            }
            _ => return None,
        };
        Some((usize::try_from(rows).ok()?, usize::try_from(columns).ok()?))
    }
}

/// Where one direction of the picture lies in a tensor: neighbours are `stride` apart along `axis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Direction {
    pub(super) axis: usize,
    pub(super) stride: i64,
    /// How many places there are, if known.
    pub(super) extent: Option<i64>,
}

/// Where the rows and columns of a feature map lie in a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) rank: usize,
    pub(super) rows: Direction,
    pub(super) columns: Direction,
    /// How many tokens come before the places, on the axis that holds both.
    pub(super) prefix: usize,
}

impl Space {
    /// Rows and columns on axes of their own; `None` for a single place.
    fn planar(rows: usize, columns: usize, shape: &[Option<i64>]) -> Option<Space> {
        let direction = |axis: usize| Some(Direction { axis, stride: 1, extent: *shape.get(axis)? });
        let space =
            Space { rank: shape.len(), rows: direction(rows)?, columns: direction(columns)?, prefix: 0 };
        space.known()
    }

    /// Itself, unless it is a single place.
    fn known(self) -> Option<Space> {
        (self.rows.extent != Some(1) || self.columns.extent != Some(1)).then_some(self)
    }

    /// Whether rows and columns have an axis each, and nothing else is on it.
    pub(super) fn is_planar(&self, shape: &[Option<i64>]) -> bool {
        let whole = |way: &Direction| {
            let size = shape.get(way.axis).copied().flatten();
            way.stride == 1 && size.zip(way.extent).is_none_or(|(size, extent)| size == extent)
        };
        self.rows.axis != self.columns.axis && whole(&self.rows) && whole(&self.columns)
    }

    /// Whether one axis holds the prefix and the places, row by row, and nothing else.
    fn is_folded(&self, shape: &[Option<i64>]) -> bool {
        let one = self.rows.axis == self.columns.axis && self.columns.stride == 1;
        let whole = self.tokens().is_some_and(|tokens| shape.get(self.rows.axis) == Some(&Some(tokens)));
        one && self.columns.extent == Some(self.rows.stride) && whole
    }

    /// How many tokens there are, with those before the places.
    fn tokens(&self) -> Option<i64> {
        let places = self.rows.extent?.checked_mul(self.columns.extent?)?;
        places.checked_add(i64::try_from(self.prefix).ok()?)
    }

    fn is_on(&self, axis: usize) -> bool {
        self.rows.axis == axis || self.columns.axis == axis
    }

    /// The same space after its axes moved; `None` when one is gone.
    fn moved(self, rank: usize, to: impl Fn(usize) -> Option<usize>) -> Option<Space> {
        let rows = Direction { axis: to(self.rows.axis)?, ..self.rows };
        let columns = Direction { axis: to(self.columns.axis)?, ..self.columns };
        Some(Space { rank, rows, columns, prefix: self.prefix })
    }

    /// The same space in a tensor of the same elements, in the same order, under another shape.
    fn reshaped(self, from: &[Option<i64>], to: &[Option<i64>]) -> Option<Space> {
        let rank = to.len();
        if self.prefix == 0 {
            let (rows, columns) = (self.rows.reshaped(from, to)?, self.columns.reshaped(from, to)?);
            return Space { rank, rows, columns, prefix: 0 }.known();
        }
        // The prefix shifts the places, so the axis moves as a whole or not at all.
        let whole = Direction { extent: Some(self.tokens()?), ..self.columns };
        let moved = whole.reshaped(from, to).filter(|moved| moved.extent == whole.extent)?;
        let rows = Direction {
            axis: moved.axis,
            stride: moved.stride.checked_mul(self.columns.extent?)?,
            ..self.rows
        };
        let columns = Direction { axis: moved.axis, stride: moved.stride, ..self.columns };
        Some(Space { rank, rows, columns, prefix: self.prefix })
    }

    fn layout(&self, shape: &[Option<i64>]) -> Option<Layout> {
        let count = |extent: Option<i64>| usize::try_from(extent?).ok();
        match (self.rank, self.rows.axis, self.columns.axis) {
            (4, 2, 3) if self.is_planar(shape) => Some(Layout::Nchw),
            (4, 1, 2) if self.is_planar(shape) => Some(Layout::Nhwc),
            (3, 1, 1) if self.is_folded(shape) => {
                let grid = (count(self.rows.extent)?, count(self.columns.extent)?);
                Some(Layout::Tokens { prefix: self.prefix, grid })
            }
            _ => None,
        }
    }

    /// What is known of two that are at the same place; `None` where they are not.
    fn merged(self, other: Space) -> Option<Space> {
        let merged = |a: Direction, b: Direction| {
            let extents = a.extent.zip(b.extent).is_none_or(|(a, b)| a == b);
            let same = a.axis == b.axis && a.stride == b.stride && extents;
            same.then_some(Direction { extent: a.extent.or(b.extent), ..a })
        };
        let (rows, columns) = (merged(self.rows, other.rows)?, merged(self.columns, other.columns)?);
        (self.rank == other.rank && self.prefix == other.prefix).then_some(Space { rows, columns, ..self })
    }
}

impl Direction {
    /// Finds it in another shape of the same elements. Where its axis is cut into blocks, as a picture
    /// into patches, the blocks are the places from then on.
    fn reshaped(self, from: &[Option<i64>], to: &[Option<i64>]) -> Option<Direction> {
        let apart = (*strides(from).get(self.axis)?)?.checked_mul(self.stride)?;
        let extent = self.extent?;
        let all = apart.checked_mul(extent).filter(|&all| all > 0)?;
        let in_axis = |axis: usize, step: i64| {
            let (size, places) = (to[axis], Some(extent));
            let end = size.and_then(|size| step.checked_mul(size));
            if apart % step == 0 && end.map_or(axis == 0, |end| end >= all && end % all == 0) {
                return Some(Direction { axis, stride: apart / step, extent: places });
            }
            let blocks = step > apart && step % apart == 0 && end == Some(all);
            blocks.then_some(Direction { axis, stride: 1, extent: size })
        };
        let steps = strides(to);
        (0..to.len()).rev().find_map(|axis| in_axis(axis, steps[axis].filter(|&step| step > 0)?))
    }
}

/// Where space lies in the tensors of a graph.
pub(super) struct Spaces<'g, 'm> {
    graph: &'g Graph<'m>,
    spaces: HashMap<&'g str, Space>,
    varying: HashSet<&'g str>,
}

impl<'g, 'm> Spaces<'g, 'm> {
    /// Follows rows and columns from the picture, the first input that looks like one.
    pub(super) fn of(graph: &'g Graph<'m>) -> Spaces<'g, 'm> {
        let varying = graph.inputs().map(ValueInfoProto::name).collect();
        let mut found = Spaces { graph, spaces: HashMap::new(), varying };
        if let Some((name, space)) = graph.inputs().find_map(|input| picture(graph, input.name())) {
            found.spaces.insert(name, space);
        }
        for node in graph.nodes() {
            found.pass(node);
        }
        found
    }

    fn pass(&mut self, node: &'g NodeProto) {
        // What is made of sizes alone is the same for every picture.
        let of_sizes = self.graph.operator(node).properties().has(Properties::OF_SIZES);
        let varies = node.input.iter().any(|input| self.varies(input)) || node.subgraphs().next().is_some();
        if of_sizes || !varies {
            return;
        }
        for (index, output) in node.output.iter().enumerate().filter(|(_, output)| !output.is_empty()) {
            if let Some(space) = self.follow(node, index) {
                self.spaces.insert(output, space);
            }
            self.varying.insert(output);
        }
    }

    /// Whether a tensor depends on what the model is fed, beyond the sizes of it.
    pub(super) fn varies(&self, tensor: &str) -> bool {
        self.varying.contains(tensor)
    }

    /// Where space lies in a tensor, if it has any and it was followed so far.
    pub(super) fn get(&self, tensor: &str) -> Option<&Space> {
        self.spaces.get(tensor)
    }

    /// The layout of a tensor, if it is a feature map in one of the orders that have a name.
    pub(super) fn layout(&self, tensor: &str) -> Option<Layout> {
        self.get(tensor)?.layout(self.graph.shape(tensor)?)
    }

    /// The picture that space was followed from.
    pub(super) fn picture(&self) -> Option<(&'g str, &Space)> {
        let name = self.graph.inputs().map(ValueInfoProto::name).find(|name| self.get(name).is_some())?;
        Some((name, self.get(name)?))
    }
}

/// Of a `Concat` or `Split` of more parts space and demand are not followed along the axis: it would take a look at
/// all parts for each of them.
pub(super) const MOST_PARTS: usize = 256;

/// How many elements apart neighbours along each axis lie; `None` behind open sizes.
pub(super) fn strides(shape: &[Option<i64>]) -> Vec<Option<i64>> {
    let mut strides = vec![Some(1_i64); shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] =
            strides[axis].zip(shape[axis]).and_then(|(stride, size)| stride.checked_mul(size));
    }
    strides
}

/// An input with room for a picture: its channels, 1, 3 or 4, are in front of rows and columns or behind.
fn picture<'g>(graph: &'g Graph<'_>, name: &'g str) -> Option<(&'g str, Space)> {
    let shape = graph.shape(name)?;
    if let [Some(1 | 3 | 4), _, _] = *shape {
        // Without a batch.
        return Some((name, Space::planar(1, 2, shape)?));
    }
    let [_, first, _, last] = *shape else { return None };
    let is_channels = |size: Option<i64>| matches!(size, Some(1 | 3 | 4));
    let (rows, columns) = if !is_channels(first) && is_channels(last) { (1, 2) } else { (2, 3) };
    Some((name, Space::planar(rows, columns, shape)?))
}

#[cfg(test)]
mod tests;
