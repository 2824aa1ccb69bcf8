//! Maps that follow the object: a coarse map's evidence, handed to the finer places that look alike.
//!
//! A class map has few cells, and the classifier marks with them what tells a class apart: the beak, not the bird.
//! On its way to those cells the network has described the picture at finer grids, and places of one object are
//! described alike. So every fine place i takes the mean of the coarse cells' evidence, weighted with how much they
//! resemble it:
//!
//! `refined[i] = sum_j A[i, j] relu(map[j]) / sum_j A[i, j]`, `A[i, j] = relu(cos(z[i], mean of z over cell j))`
//!
//! where z are the features of the [`guides`], each channel less its mean over the picture and divided by its
//! standard deviation. It needs no training, no gradient and no second pass, and joins every class and method. The
//! idea is that of attention over a network's own features, as pixel correlation modules train it for segmentation
//! (Wang et al. 2020). `docs/quality.md` has what it does to boxes.

use super::features::{activations, resized};
use super::layers::{self, Layer};
use super::outputs::MAPS;
use crate::onnx::build;
use crate::onnx::graph::Graph;

/// The maps before they are refined.
pub(super) const RAW: &str = "camloc.raw_maps";

/// How many times finer than the map a guide may be, along a side. Features of finer grids describe edges and
/// colours, and cost more than they tell.
const MOST_FINER: usize = 5;

/// The most pairs of a fine place and a coarse cell: 4 MB of resemblances for a picture.
const MOST_PAIRS: usize = 1 << 20;

/// The share of the mean standard deviation that each channel's is raised by, so that a channel that hardly differs
/// over the picture does not count as much as any other.
const LEAST_DEVIATION: f64 = 0.01;

/// What keeps a quotient of zeros zero.
const TINY: f64 = 1e-12;

/// The power that refined maps are raised to, as shares of their range. A mean over the picture leaves evidence
/// everywhere; with this power the best threshold of refined maps is that of raw ones.
const POWER: f64 = 1.5;

/// The layers that refine a map of `(rows, columns)`: of every finer grid the last feature map before the network
/// goes coarser, which knows most; the coarsest first. None where no finer grid is known.
pub(super) fn guides(graph: &Graph<'_>, logits: &str, (rows, columns): (usize, usize)) -> Vec<Layer> {
    let mut guides: Vec<Layer> = Vec::new();
    for layer in layers::candidates(graph, logits) {
        let Some((height, width)) = layer.size else { continue };
        let finer = height >= rows && width >= columns && (height, width) != (rows, columns);
        let within = |fine: usize, coarse: usize| coarse > 0 && fine <= coarse.saturating_mul(MOST_FINER);
        let near = within(height, rows) && within(width, columns);
        let pairs = [width, rows, columns].iter().try_fold(height, |pairs, &side| pairs.checked_mul(side));
        let few = pairs.is_some_and(|pairs| pairs <= MOST_PAIRS);
        let new = guides.iter().all(|guide| guide.size != layer.size);
        if finer && near && few && new && layer.channels.is_some() {
            guides.push(layer);
        }
    }
    guides
}

/// Appends `camloc.maps` `[N, K, H, W]` on the grid of the finest guide, made of [`RAW`] `[N, K, h, w]`, and returns
/// H and W. Their range is 0 to the raw map's maximum; all 0 where no cell is for the class.
pub(super) fn append(
    graph: &mut Graph<'_>,
    guides: &[Layer],
    cells: (usize, usize),
) -> Option<(usize, usize)> {
    let (height, width) = guides.iter().filter_map(|guide| guide.size).max_by_key(|(h, w)| h * w)?;
    let alike = resemblance(graph, guides, cells, (height, width))?;

    let positive = graph.op("Relu", "camloc.positive", &[RAW], vec![]);
    let evidence = graph.reshape("camloc.evidence", &positive, &[0, 0, -1]);
    let given = graph.op("MatMul", "camloc.given", &[&evidence, &alike], vec![]);
    let all = graph.reduce("ReduceSum", "camloc.all", &alike, &[1], true);
    let all = graph.with("Add", "camloc.all", &all, TINY);
    let mean = graph.op("Div", "camloc.mean", &[&given, &all], vec![]);

    let least = graph.reduce("ReduceMin", "camloc.least", &mean, &[2], true);
    let above = graph.op("Sub", "camloc.above", &[&mean, &least], vec![]);
    let most = graph.reduce("ReduceMax", "camloc.most", &above, &[2], true);
    let most = graph.with("Add", "camloc.most", &most, TINY);
    let shares = graph.op("Div", "camloc.shares", &[&above, &most], vec![]);
    let sharpened = graph.with("Pow", "camloc.sharpened", &shares, POWER);
    let peak = graph.reduce("ReduceMax", "camloc.peak", &evidence, &[2], true);
    let scaled = graph.op("Mul", "camloc.scaled", &[&sharpened, &peak], vec![]);
    let shape = graph.add_ints("camloc.map_shape", &[0, 0, height as i64, width as i64]);
    graph.op("Reshape", MAPS, &[&scaled, &shape], vec![]);
    Some((height, width))
}

/// How much each coarse cell resembles each fine place, f32 `[N, h * w, H * W]`, at least 0. The length of a fine
/// place's own description is left out: it weighs all cells alike.
fn resemblance(
    graph: &mut Graph<'_>,
    guides: &[Layer],
    cells: (usize, usize),
    fine: (usize, usize),
) -> Option<String> {
    let described: Option<Vec<Described>> =
        guides.iter().map(|guide| Described::of(graph, guide, cells)).collect();
    let described = described?;
    let finest = described.iter().find(|found| found.size == fine)?;
    let shape = graph.op("Shape", "camloc.fine_shape", &[&finest.products], vec![]);
    let products: Vec<String> = described
        .iter()
        .map(|found| match found.size == fine {
            true => found.products.clone(),
            false => resized(graph, &found.products, &shape),
        })
        .collect();
    let lengths: Vec<String> = described.iter().map(|found| found.lengths.clone()).collect();

    let product = graph.sum("camloc.product", &products);
    let product = graph.reshape("camloc.product", &product, &[0, 0, -1]);
    let product = graph.op("Relu", "camloc.product", &[&product], vec![]);
    let length = graph.sum("camloc.length", &lengths);
    let length = graph.op("Sqrt", "camloc.length", &[&length], vec![]);
    let length = graph.with("Add", "camloc.length", &length, TINY);
    Some(graph.op("Div", "camloc.alike", &[&product, &length], vec![]))
}

/// What one guide says of cells and places.
struct Described {
    /// Dot products of the cells' mean descriptions with the places', `[N, h * w, H, W]`.
    products: String,
    /// Squared lengths of the cells' descriptions, `[N, h * w, 1]`.
    lengths: String,
    /// H and W.
    size: (usize, usize),
}

impl Described {
    /// The standardised features are never written out: with each cell's description divided by the deviations
    /// once more, its products with the features as they are differ from those by one number a cell.
    fn of(graph: &mut Graph<'_>, guide: &Layer, cells: (usize, usize)) -> Option<Described> {
        let size = guide.size?;
        let features = activations(graph, guide);
        let mean = graph.reduce("ReduceMean", "camloc.channel_mean", &features, &[2], true);
        let inverse = inverse_deviation(graph, &features, &mean, size.0 * size.1);

        let pooled = pooled(graph, &features, size, cells);
        let off = graph.op("Sub", "camloc.off_mean", &[&pooled, &mean], vec![]);
        let standard = graph.op("Mul", "camloc.standard", &[&off, &inverse], vec![]);
        let squares = graph.op("Mul", "camloc.squares", &[&standard, &standard], vec![]);
        let lengths = graph.reduce("ReduceSum", "camloc.lengths", &squares, &[1], true);
        let lengths = graph.transpose("camloc.lengths", &lengths, &[0, 2, 1]);

        let weights = graph.op("Mul", "camloc.cells", &[&standard, &inverse], vec![]);
        let weights = graph.transpose("camloc.cells", &weights, &[0, 2, 1]);
        let products = graph.op("MatMul", "camloc.products", &[&weights, &features], vec![]);
        let constant = graph.op("MatMul", "camloc.constant", &[&weights, &mean], vec![]);
        let products = graph.op("Sub", "camloc.products", &[&products, &constant], vec![]);
        let products = graph.reshape("camloc.products", &products, &[0, 0, size.0 as i64, size.1 as i64]);
        Some(Described { products, lengths, size })
    }
}

/// One over the standard deviation of each channel of `[N, C, P]`, as `[N, C, 1]`.
fn inverse_deviation(graph: &mut Graph<'_>, features: &str, mean: &str, places: usize) -> String {
    let squares = graph.reduce("ReduceSumSquare", "camloc.square", features, &[2], true);
    let square = graph.with("Mul", "camloc.square", &squares, 1.0 / places as f64);
    let mean_square = graph.op("Mul", "camloc.mean_square", &[mean, mean], vec![]);
    let variance = graph.op("Sub", "camloc.variance", &[&square, &mean_square], vec![]);
    let variance = graph.op("Relu", "camloc.variance", &[&variance], vec![]);
    let deviation = graph.op("Sqrt", "camloc.deviation", &[&variance], vec![]);
    let typical = graph.reduce("ReduceMean", "camloc.typical", &deviation, &[1], true);
    let least = graph.with("Mul", "camloc.least_deviation", &typical, LEAST_DEVIATION);
    let deviation = graph.op("Add", "camloc.deviation", &[&deviation, &least], vec![]);
    let deviation = graph.with("Add", "camloc.deviation", &deviation, TINY);
    graph.op("Reciprocal", "camloc.inverse", &[&deviation], vec![])
}

/// Features `[N, C, H * W]`, averaged over the part of the grid that each coarse cell covers: `[N, C, h * w]`.
fn pooled(
    graph: &mut Graph<'_>,
    features: &str,
    (height, width): (usize, usize),
    (rows, columns): (usize, usize),
) -> String {
    let grid = graph.reshape("camloc.grid", features, &[0, 0, height as i64, width as i64]);
    let pooled = if height % rows == 0 && width % columns == 0 {
        let step = [(height / rows) as i64, (width / columns) as i64];
        let attributes = vec![build::ints("kernel_shape", &step), build::ints("strides", &step)];
        graph.op("AveragePool", "camloc.pooled", &[&grid], attributes)
    } else {
        let down = shares(height, rows);
        let down = build::f32_tensor("camloc.row_shares", &[rows as i64, height as i64], &down);
        let across = shares(width, columns);
        let across = build::f32_tensor("camloc.column_shares", &[columns as i64, width as i64], &across);
        let (down, across) = (graph.add_initializer(down), graph.add_initializer(across));
        let across = graph.transpose("camloc.column_shares", &across, &[1, 0]);
        let narrow = graph.op("MatMul", "camloc.narrow", &[&grid, &across], vec![]);
        graph.op("MatMul", "camloc.pooled", &[&down, &narrow], vec![])
    };
    graph.reshape("camloc.pooled", &pooled, &[0, 0, -1])
}

/// `[cells, places]`: the share that each of `places` has in each of as many equal `cells` laid over them.
fn shares(places: usize, cells: usize) -> Vec<f32> {
    let side = places as f64 / cells as f64;
    let share = |cell: usize, place: usize| {
        let (start, end) = (cell as f64 * side, (cell + 1) as f64 * side);
        ((end.min(place as f64 + 1.0) - start.max(place as f64)).max(0.0) / side) as f32
    };
    (0..cells).flat_map(|cell| (0..places).map(move |place| share(cell, place))).collect()
}

#[cfg(test)]
mod tests;
