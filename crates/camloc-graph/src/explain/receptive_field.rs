//! Which pixels of the picture a cell of a feature map sees.

use std::collections::HashMap;

use super::space::{Space, Spaces};
use crate::onnx::graph::Graph;
use crate::onnx::known::size::known;
use crate::onnx::operators::properties::Properties;
use crate::onnx::proto::NodeProto;

/// Which pixels the cells of a feature map see: cell (i, j) sees `size` pixels around
/// `centre + (i, j) * stride`. Rows come first, then columns. Pixel p covers p to p + 1, so its centre
/// is p + 0.5.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// Height and width; `None`: the whole picture, or not known to be less.
    pub size: Option<[f64; 2]>,
    /// How far apart the centres of neighbouring cells are.
    pub stride: [f64; 2],
    /// The centre of the first cell.
    pub centre: [f64; 2],
}

/// What the cells of a tensor see along one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reach {
    /// What they see by the way that keeps places apart, if there is one.
    window: Option<Window>,
    /// Whether they may see all of the picture by another way: attention, a global pooling.
    whole: bool,
}

/// Cell i sees `size` pixels around `centre + i * stride`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Window {
    size: f64,
    stride: f64,
    centre: f64,
}

const UNKNOWN: Reach = Reach { window: None, whole: true };

impl Reach {
    /// Slides over the cells in steps of `stride`, over `taps` of them, the first of which are centred
    /// `shift` behind the first cell.
    fn slid(self, taps: f64, stride: f64, shift: f64) -> Reach {
        let slid = |window: Window| Window {
            size: window.size + (taps - 1.0) * window.stride,
            stride: window.stride * stride,
            centre: window.centre + shift * window.stride,
        };
        Reach { window: self.window.map(slid), ..self }
    }

    /// What two branches see together.
    fn join(self, other: Reach) -> Reach {
        let whole = self.whole || other.whole;
        let (Some(a), Some(b)) = (self.window, other.window) else {
            return Reach { window: self.window.or(other.window), whole };
        };
        if a.stride != b.stride {
            return UNKNOWN;
        }
        let start = (a.centre - a.size / 2.0).min(b.centre - b.size / 2.0);
        let end = (a.centre + a.size / 2.0).max(b.centre + b.size / 2.0);
        let window = Window { size: end - start, stride: a.stride, centre: (start + end) / 2.0 };
        Reach { window: Some(window), whole }
    }

    fn whole(self) -> Reach {
        Reach { whole: true, ..self }
    }
}

/// The receptive fields of all tensors.
pub(super) struct Fields<'g, 'a, 'm> {
    graph: &'g Graph<'m>,
    spaces: &'a Spaces<'g, 'm>,
    reaches: HashMap<&'g str, [Reach; 2]>,
}

impl<'g, 'a, 'm> Fields<'g, 'a, 'm> {
    /// Follows the fields from the picture.
    pub(super) fn of(graph: &'g Graph<'m>, spaces: &'a Spaces<'g, 'm>) -> Fields<'g, 'a, 'm> {
        let mut found = Fields { graph, spaces, reaches: HashMap::new() };
        if let Some((picture, _)) = spaces.picture() {
            let pixel = Window { size: 1.0, stride: 1.0, centre: 0.5 };
            let pixel = Reach { window: Some(pixel), whole: false };
            found.reaches.insert(picture, [pixel; 2]);
        }
        for node in graph.nodes() {
            for output in node.output.iter().filter(|output| spaces.varies(output)) {
                let reach = found.follow(node, output);
                found.reaches.insert(output, reach);
            }
        }
        found
    }

    /// The receptive field of a feature map, if it could be followed.
    pub(super) fn get(&self, tensor: &str) -> Option<Field> {
        let [rows, columns] = *self.reaches.get(tensor)?;
        let (row, column) = rows.window.zip(columns.window)?;
        Some(Field {
            size: (!rows.whole && !columns.whole).then_some([row.size, column.size]),
            stride: [row.stride, column.stride],
            centre: [row.centre, column.centre],
        })
    }

    fn follow(&self, node: &'g NodeProto, output: &'g str) -> [Reach; 2] {
        let Some(after) = self.spaces.get(output) else { return [UNKNOWN; 2] };
        let before = node.input_at(0).and_then(|input| self.spaces.get(input));
        let first = || self.input(node, 0);
        let operator = self.graph.operator(node);
        match operator.name() {
            _ if operator.properties().has(Properties::CONVOLVES | Properties::POOLS) => self.windows(node),
            "ConvTranspose" => [UNKNOWN; 2],
            "Resize" | "Upsample" => self.scaled(node, before, after),
            "SpaceToDepth" => {
                let block = node.int_or("blocksize", 1) as f64;
                first().map(|reach| reach.slid(block, block, (block - 1.0) / 2.0))
            }
            "DepthToSpace" => {
                let block = node.int_or("blocksize", 1) as f64;
                first().map(|reach| finer(reach, block))
            }
            "Pad" => self.padded(node, before, after),
            "Slice" => self.sliced(node, before, after),
            "Reshape" | "Flatten" => blocks(first(), before, after),
            "MatMul" if node.input.iter().all(|input| self.spaces.varies(input)) => {
                let reach = if before.is_some() { first() } else { self.input(node, 1) };
                reach.map(Reach::whole)
            }
            "Attention" | "InstanceNormalization" | "GroupNormalization" | "MeanVarianceNormalization" => {
                first().map(Reach::whole)
            }
            _ => self.joined(node, after),
        }
    }

    fn input(&self, node: &NodeProto, index: usize) -> [Reach; 2] {
        let reach = node.input_at(index).and_then(|input| self.reaches.get(input));
        reach.copied().unwrap_or([UNKNOWN; 2])
    }

    /// Every value is made of the same place of all operands. One with other places, or none, may
    /// hold the whole picture.
    fn joined(&self, node: &NodeProto, after: &Space) -> [Reach; 2] {
        let same = |a: Option<i64>, b: Option<i64>| a.zip(b).is_none_or(|(a, b)| a == b);
        let varying = node.input.iter().filter(|input| self.spaces.varies(input)).map(|input| {
            let space = self.spaces.get(input).filter(|space| {
                same(space.rows.extent, after.rows.extent) && same(space.columns.extent, after.columns.extent)
            });
            space.and_then(|_| self.reaches.get(input.as_str()).copied()).unwrap_or([UNKNOWN; 2])
        });
        varying.reduce(|[a, b], [c, d]| [a.join(c), b.join(d)]).unwrap_or([UNKNOWN; 2])
    }

    /// Convolutions and poolings.
    fn windows(&self, node: &NodeProto) -> [Reach; 2] {
        let window = self.graph.operator(node).window();
        let found = window.and_then(|window| Some((window.known_kernel()?, window)));
        let Some((kernel, window)) = found.filter(|(kernel, _)| kernel.len() == 2) else {
            return [UNKNOWN; 2];
        };
        let input = node.input_at(0).unwrap_or_default();
        let Some((space, shape)) = self.spaces.get(input).zip(self.graph.shape(input)) else {
            return [UNKNOWN; 2];
        };
        // Cells that were followed in blocks are not the ones that the window goes over.
        if !space.is_planar(shape) || space.columns.axis != 3 {
            return [UNKNOWN; 2];
        }
        let reaches = self.input(node, 0);
        [0, 1].map(|way| {
            let stride = window.strides[way].max(1);
            let taps = (kernel[way].saturating_sub(1) as f64) * window.dilations[way] as f64 + 1.0;
            // Of a size that is open, a stride is taken to fit as often as it can.
            let size = shape.get(2 + way).copied().flatten().unwrap_or(stride);
            let Some([begin, _]) = window.pads(way, Some(size)) else { return UNKNOWN };
            reaches[way].slid(taps, stride as f64, (taps - 1.0) / 2.0 - begin as f64)
        })
    }

    fn scaled(&self, node: &NodeProto, before: Option<&Space>, after: &Space) -> [Reach; 2] {
        let reaches = self.input(node, 0);
        let Some(before) = before else { return [UNKNOWN; 2] };
        let linear = !self.graph.operator(node).resize_is_nearest();
        let [rows, columns] = [(before.rows, after.rows), (before.columns, after.columns)]
            .map(|(from, to)| Some(to.extent? as f64 / from.extent? as f64));
        let scaled = |reach: Reach, factor: Option<f64>| match factor {
            Some(1.0) => reach,
            Some(factor) if linear => finer(reach.slid(2.0, 1.0, 0.0), factor),
            Some(factor) => finer(reach, factor),
            None => UNKNOWN,
        };
        [scaled(reaches[0], rows), scaled(reaches[1], columns)]
    }

    fn padded(&self, node: &NodeProto, before: Option<&Space>, space: &Space) -> [Reach; 2] {
        // Exporters pad by nothing where a size fits, with a computed amount.
        let sizes = |space: &Space| space.rows.extent.zip(space.columns.extent);
        if before.is_some_and(|before| sizes(before).is_some() && sizes(before) == sizes(space)) {
            return self.input(node, 0);
        }
        let Some(margins) = self.graph.operator(node).margins(space.rank) else { return [UNKNOWN; 2] };
        let reaches = self.input(node, 0);
        let shifted = |reach: Reach, axis: usize| {
            let begin =
                margins.iter().find(|margin| margin.axis == axis).map_or(Some(0), |it| known(it.begin));
            begin.map_or(UNKNOWN, |begin| reach.slid(1.0, 1.0, -(begin as f64)))
        };
        [shifted(reaches[0], space.rows.axis), shifted(reaches[1], space.columns.axis)]
    }

    fn sliced(&self, node: &NodeProto, before: Option<&Space>, after: &Space) -> [Reach; 2] {
        let mut reaches = self.input(node, 0);
        let Some(shape) = node.input_at(0).and_then(|input| self.graph.shape(input)) else {
            return [UNKNOWN; 2];
        };
        let Some(cuts) = self.graph.operator(node).parts_taken(shape) else { return [UNKNOWN; 2] };
        if before.is_none_or(|before| !before.is_planar(shape)) {
            return reaches;
        }
        for cut in cuts {
            for (way, direction) in [after.rows, after.columns].into_iter().enumerate() {
                if cut.axis == direction.axis {
                    reaches[way] = reaches[way].slid(1.0, cut.step as f64, cut.start as f64);
                }
            }
        }
        reaches
    }
}

/// Each cell becomes `factor` cells that see the same.
fn finer(reach: Reach, factor: f64) -> Reach {
    reach.slid(1.0, 1.0 / factor, (1.0 / factor - 1.0) / 2.0)
}

/// A reshape that joins cells to blocks, as a picture is cut into patches.
fn blocks(reaches: [Reach; 2], before: Option<&Space>, after: &Space) -> [Reach; 2] {
    let Some(before) = before else { return [UNKNOWN; 2] };
    let [rows, columns] = [(before.rows, after.rows), (before.columns, after.columns)]
        .map(|(from, to)| from.extent.zip(to.extent).map_or(1.0, |(from, to)| from as f64 / to as f64));
    let joined = |reach: Reach, block: f64| reach.slid(block, block, (block - 1.0) / 2.0);
    [joined(reaches[0], rows), joined(reaches[1], columns)]
}

#[cfg(test)]
mod tests;
