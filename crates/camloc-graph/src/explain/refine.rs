//! Maps that follow the object: a coarse map's evidence walks among places that look alike.
//!
//! A class map has few cells, and the classifier marks with them what tells a class apart: the beak, not the bird.
//! On its way to those cells the network has described the picture at finer grids, and places of one object are
//! described alike. So the evidence of the cells j is handed to the fine places i, by how much they resemble them,
//! gathered again, and handed out again, [`ROUNDS`] times:
//!
//! ```text
//! B[i,j]   = relu(z[i] . k[j] / (|z[i]| |k[j]|))^4          k[j] the mean of z over cell j and the places next to it
//! place[i] = sum_j B[i,j] cell[j] / sum_j B[i,j]
//! cell[j]  = sum_i B[i,j] place[i] / sum_i B[i,j]
//! ```
//!
//! where z are the features of the [`guides`], each channel less its mean over the picture and divided by its
//! standard deviation; of several guides, products and squared lengths are added on the finest grid. It needs no training,
//! no gradient and no second pass, and joins every class and method. The idea is that of attention over a network's own
//! features, as pixel correlation modules train it for segmentation (Wang et al. 2020), and of random walks by affinities
//! (Ahn & Kwak 2018). `docs/quality.md` has what it does to boxes.

use super::features::{activations, resized};
use super::layers::{self, Layer};
use super::outputs::{MAPS, RAW};
use crate::onnx::build;
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;

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

/// How often evidence is gathered and handed out again: boxes fit better than after one round, and no better after three; after
/// many all places that are linked at all have the same.
const ROUNDS: usize = 2;

/// The power that refined maps are raised to, as shares of their range: with it the best threshold of refined maps is that
/// of raw ones.
const POWER: f64 = 1.4;

/// Why maps were not refined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unrefined {
    /// Their rows and columns depend on the picture.
    #[error("the maps are not refined: the size of their layer is open; fix the size of the model's input")]
    OpenSize,
    /// No layer of a finer grid is known, or only of one too fine to be of use.
    #[error(
        "the maps are not refined: no layer of the network has a finer grid that is near enough to theirs"
    )]
    NoFinerLayer,
}

/// Appends `camloc.maps`, made of [`RAW`], whose rows and columns are `cells`, and returns those of the refined maps and the
/// names of the guides.
///
/// # Errors
/// Where they can't be refined; `camloc.maps` are then the raw maps.
pub(super) fn append(
    graph: &mut GraphEditor<'_>,
    logits: &str,
    cells: Option<(usize, usize)>,
) -> Result<((usize, usize), String), Unrefined> {
    let refined = cells.ok_or(Unrefined::OpenSize).and_then(|cells| {
        let guides = guides(graph, logits, cells);
        let size = with_guides(graph, &guides, cells).ok_or(Unrefined::NoFinerLayer)?;
        let names: Vec<&str> = guides.iter().map(|guide| guide.tensor.as_str()).collect();
        Ok((size, names.join(",")))
    });
    if refined.is_err() {
        graph.op("Identity", MAPS, &[RAW], vec![]);
    }
    refined
}

/// The layers that refine a map of `(rows, columns)`: of every finer grid the last feature map before the network
/// goes coarser, which knows most; the coarsest first. None where no finer grid is known.
fn guides(graph: &Graph<'_>, logits: &str, (rows, columns): (usize, usize)) -> Vec<Layer> {
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
fn with_guides(
    graph: &mut GraphEditor<'_>,
    guides: &[Layer],
    cells: (usize, usize),
) -> Option<(usize, usize)> {
    let (height, width) = guides.iter().filter_map(|guide| guide.size).max_by_key(|(h, w)| h * w)?;
    let alike = resemblance(graph, guides, cells, (height, width))?;

    let positive = graph.op("Relu", "camloc.positive", &[RAW], vec![]);
    let evidence = graph.reshape("camloc.evidence", &positive, &[0, 0, -1]);
    let back = graph.transpose("camloc.back", &alike, &[0, 2, 1]);
    let all_cells = total(graph, &alike, cells.0 * cells.1);
    let all_places = total(graph, &back, height * width);
    let mut places = mean(graph, &evidence, &alike, &all_cells);
    for _ in 0..ROUNDS {
        let gathered = mean(graph, &places, &back, &all_places);
        places = mean(graph, &gathered, &alike, &all_cells);
    }

    let least = graph.reduce("ReduceMin", "camloc.least", &places, &[2], true);
    let above = graph.op("Sub", "camloc.above", &[&places, &least], vec![]);
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

/// The sum over the sources of the weights `[N, from, to]` that each target has: `[N, 1, to]`. As a product, for ONNX Runtime's
/// is ten times as fast as its sum.
fn total(graph: &mut GraphEditor<'_>, weights: &str, from: usize) -> String {
    let ones = build::f32_tensor("camloc.ones", &[1, from as i64], &vec![1.0; from]);
    let ones = graph.add_initializer(ones);
    let total = graph.op("MatMul", "camloc.total", &[&ones, weights], vec![]);
    graph.with("Add", "camloc.total", &total, TINY)
}

/// What targets have of sources' values `[N, K, from]`: their weighted means, `[N, K, to]`.
fn mean(graph: &mut GraphEditor<'_>, values: &str, weights: &str, total: &str) -> String {
    let sum = graph.op("MatMul", "camloc.sum", &[values, weights], vec![]);
    graph.op("Div", "camloc.mean", &[&sum, total], vec![])
}

/// How much each coarse cell resembles each fine place, f32 `[N, h * w, H * W]`, 0..1: B at the top.
fn resemblance(
    graph: &mut GraphEditor<'_>,
    guides: &[Layer],
    cells: (usize, usize),
    fine: (usize, usize),
) -> Option<String> {
    let described: Option<Vec<Described>> =
        guides.iter().map(|guide| Described::of(graph, guide, cells)).collect();
    let described = described?;
    let product = joined(graph, "camloc.product", described.iter().map(|it| (&*it.products, it.size)), fine)?;
    let product = graph.op("Relu", "camloc.product", &[&product], vec![]);
    let places =
        joined(graph, "camloc.place_length", described.iter().map(|it| (&*it.places, it.size)), fine)?;
    let cells: Vec<String> = described.into_iter().map(|it| it.cells).collect();
    let cells = graph.sum("camloc.cell_length", &cells);
    let mut cosine = product;
    for squares in [places, cells] {
        let length = graph.op("Sqrt", "camloc.length", &[&squares], vec![]);
        let length = graph.with("Add", "camloc.length", &length, TINY);
        cosine = graph.op("Div", "camloc.cosine", &[&cosine, &length], vec![]);
    }
    let square = graph.op("Mul", "camloc.cosine_square", &[&cosine, &cosine], vec![]);
    Some(graph.op("Mul", "camloc.alike", &[&square, &square], vec![]))
}

/// The sum of the guides' `[N, _, H, W]` on the finest of their grids, as `[N, _, H * W]`.
fn joined<'a>(
    graph: &mut GraphEditor<'_>,
    hint: &str,
    guides: impl Iterator<Item = (&'a str, (usize, usize))> + Clone,
    fine: (usize, usize),
) -> Option<String> {
    let (finest, _) = guides.clone().find(|&(_, size)| size == fine)?;
    let shape = graph.op("Shape", "camloc.fine_shape", &[finest], vec![]);
    let stretched: Vec<String> = guides
        .map(|(tensor, size)| if size == fine { tensor.to_owned() } else { resized(graph, tensor, &shape) })
        .collect();
    let sum = graph.sum(hint, &stretched);
    Some(graph.reshape(hint, &sum, &[0, 0, -1]))
}

/// What one guide says of cells and places.
struct Described {
    /// Dot products of the cells' descriptions k with the places' z, `[N, h * w, H, W]`.
    products: String,
    /// Squared lengths of the places' descriptions, `[N, 1, H, W]`.
    places: String,
    /// Squared lengths of the cells' descriptions, `[N, h * w, 1]`.
    cells: String,
    /// H and W.
    size: (usize, usize),
}

impl Described {
    fn of(graph: &mut GraphEditor<'_>, guide: &Layer, cells: (usize, usize)) -> Option<Described> {
        let size = guide.size?;
        let features = activations(graph, guide);
        let places = standardised(graph, &features, size.0 * size.1);
        let keys = pooled(graph, &places, size, cells);

        let cells = graph.reduce("ReduceSumSquare", "camloc.cell_length", &keys, &[1], true);
        let cells = graph.transpose("camloc.cell_length", &cells, &[0, 2, 1]);
        let keys = graph.transpose("camloc.keys", &keys, &[0, 2, 1]);
        let products = graph.op("MatMul", "camloc.products", &[&keys, &places], vec![]);
        let lengths = graph.reduce("ReduceSumSquare", "camloc.place_length", &places, &[1], true);
        let [products, places] = [products, lengths]
            .map(|tensor| graph.reshape(&tensor, &tensor, &[0, 0, size.0 as i64, size.1 as i64]));
        Some(Described { products, places, cells, size })
    }
}

/// Features `[N, C, P]`, each channel less its mean over the places and divided by its standard deviation, which is raised
/// by a share of the channels' mean.
fn standardised(graph: &mut GraphEditor<'_>, features: &str, places: usize) -> String {
    let mean = graph.reduce("ReduceMean", "camloc.channel_mean", features, &[2], true);
    let off = graph.op("Sub", "camloc.off_mean", &[features, &mean], vec![]);
    let squares = graph.reduce("ReduceSumSquare", "camloc.square", &off, &[2], true);
    let variance = graph.with("Mul", "camloc.variance", &squares, 1.0 / places as f64);
    let deviation = graph.op("Sqrt", "camloc.deviation", &[&variance], vec![]);
    let typical = graph.reduce("ReduceMean", "camloc.typical", &deviation, &[1], true);
    let least = graph.with("Mul", "camloc.least_deviation", &typical, LEAST_DEVIATION);
    let deviation = graph.op("Add", "camloc.deviation", &[&deviation, &least], vec![]);
    let deviation = graph.with("Add", "camloc.deviation", &deviation, TINY);
    graph.op("Div", "camloc.standardised", &[&off, &deviation], vec![])
}

/// Places `[N, C, H * W]`, averaged over those that each coarse cell covers and one more on each side: `[N, C, h * w]`. A cell
/// describes what is around it, too: where it ends says nothing of where things do.
fn pooled(
    graph: &mut GraphEditor<'_>,
    places: &str,
    (height, width): (usize, usize),
    (rows, columns): (usize, usize),
) -> String {
    let grid = graph.reshape("camloc.grid", places, &[0, 0, height as i64, width as i64]);
    let pooled = if height % rows == 0 && width % columns == 0 {
        let step = [(height / rows) as i64, (width / columns) as i64];
        let attributes = vec![
            build::ints("kernel_shape", &step.map(|side| side + 2)),
            build::ints("strides", &step),
            build::ints("pads", &[1; 4]),
        ];
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

/// `[cells, places]`: the share that each of `places` has in each of as many equal `cells` laid over them, which reach one
/// place further on each side.
fn shares(places: usize, cells: usize) -> Vec<f32> {
    let side = places as f64 / cells as f64;
    let share = |cell: usize, place: usize| {
        let (start, end) = (cell as f64 * side - 1.0, (cell + 1) as f64 * side + 1.0);
        let (start, end) = (start.max(0.0), end.min(places as f64));
        ((end.min(place as f64 + 1.0) - start.max(place as f64)).max(0.0) / (end - start)) as f32
    };
    (0..cells).flat_map(|cell| (0..places).map(move |place| share(cell, place))).collect()
}

#[cfg(test)]
mod tests;
