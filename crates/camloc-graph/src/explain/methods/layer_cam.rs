//! LayerCAM (Jiang et al. 2021): `sum_c relu(g_c) * A_c`.

use super::super::error::ExplainError;
use super::super::features::{Grid, Maps, over_channels, weighted};
use super::super::layers::Layer;
use super::super::subject::Subject;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let (activations, gradient) = subject.features(layer)?;
    let graph = &mut *subject.graph;
    let positive = graph.op("Relu", "camloc.positive", &[&gradient.tensor], vec![]);
    let tensor = if gradient.uniform {
        weighted(graph, &positive, &activations)
    } else {
        let products = graph.op("Mul", "camloc.products", &[&positive, &activations], vec![]);
        over_channels(graph, &products)
    };
    Ok(Maps::by_class(tensor, Grid::of(graph, &layer.tensor, layer.layout)))
}
