//! The element-wise variant of HiResCAM: `sum_c relu(g_c * A_c)`, so that nothing speaks against the class.

use super::super::error::ExplainError;
use super::super::features::{Grid, Maps, over_channels};
use super::super::layers::Layer;
use super::super::subject::Subject;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let (activations, gradient) = subject.features(layer)?;
    let graph = &mut *subject.graph;
    let products = graph.op("Mul", "camloc.products", &[&gradient.tensor, &activations], vec![]);
    let positive = graph.op("Relu", "camloc.products", &[&products], vec![]);
    let tensor = over_channels(graph, &positive);
    Ok(Maps::by_class(tensor, Grid::of(graph, &layer.tensor, layer.layout)))
}
