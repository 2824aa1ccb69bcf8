//! Maps of several layers become one.

use super::features::{Maps, resized};
use super::request::Fusion;
use crate::onnx::edit::GraphEditor;

/// Appends the maps, f32 `[N, K, h, w]`, of all layers' maps under a name, and returns their rows and columns where they
/// are known. One layer's maps stay raw.
pub(super) fn finish(
    graph: &mut GraphEditor<'_>,
    maps: &[Maps],
    fusion: Fusion,
    name: &str,
) -> Option<(usize, usize)> {
    let largest = maps
        .iter()
        .max_by_key(|maps| maps.grid.size().map_or(0, |(height, width)| height.saturating_mul(width)))?;
    if let [only] = maps {
        only.folded(graph, name);
        return only.grid.size();
    }
    let like = largest.folded(graph, "camloc.largest");
    let size = graph.op("Shape", "camloc.size", &[&like], vec![]);
    let scaled: Vec<String> = maps.iter().map(|maps| scaled(graph, maps, &size)).collect();
    match fusion {
        Fusion::Max => {
            let scaled: Vec<&str> = scaled.iter().map(String::as_str).collect();
            graph.op("Max", name, &scaled, vec![]);
        }
        Fusion::Mean => {
            let sum = graph.sum("camloc.sum", &scaled);
            graph.with("Div", name, &sum, scaled.len() as f64);
        }
    }
    largest.grid.size()
}

/// `[N, K, h, w]`: maps from 0 to 1, at the size asked for.
fn scaled(graph: &mut GraphEditor<'_>, maps: &Maps, size: &str) -> String {
    let folded = maps.folded(graph, "camloc.raw");
    let positive = graph.op("Relu", "camloc.positive", &[&folded], vec![]);
    let most = graph.reduce("ReduceMax", "camloc.most", &positive, &[2, 3], true);
    let most = graph.with("Add", "camloc.most", &most, 1e-7);
    let shares = graph.op("Div", "camloc.shares", &[&positive, &most], vec![]);
    resized(graph, &shares, size)
}
