//! HiResCAM (Draelos & Carin 2020): `sum_c g_c * A_c`. Where the gradient is the same at every place it is Grad-CAM.

use super::super::error::ExplainError;
use super::super::features::{Grid, Maps, over_channels, weighted};
use super::super::layers::Layer;
use super::super::subject::Subject;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let (activations, gradient) = subject.features(layer)?;
    let graph = &mut *subject.graph;
    let tensor = if gradient.uniform {
        weighted(graph, &gradient.tensor, &activations)
    } else {
        let products = graph.op("Mul", "camloc.products", &[&gradient.tensor, &activations], vec![]);
        over_channels(graph, &products)
    };
    Ok(Maps::by_class(tensor, Grid::of(graph, &layer.tensor, layer.layout)))
}
