//! XGrad-CAM (Fu et al. 2020): `w_c = sum(g_c A_c) / (sum(A_c) + 1e-7)`, `sum_c w_c * A_c`.
//!
//! Where the gradient is the same at every place the quotient is that gradient, exactly. Else, for channels whose
//! activations add up to nearly zero, it is ill-conditioned in single precision, in every implementation.

use super::super::error::ExplainError;
use super::super::features::{Grid, Maps, sum, weighted};
use super::super::layers::Layer;
use super::super::subject::Subject;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let (activations, gradient) = subject.features(layer)?;
    let graph = &mut *subject.graph;
    let weights = if gradient.uniform {
        gradient.tensor
    } else {
        let products = graph.op("Mul", "camloc.products", &[&gradient.tensor, &activations], vec![]);
        let above = sum(graph, &products);
        let below = sum(graph, &activations);
        let below = graph.with("Add", "camloc.below", &below, 1e-7);
        graph.op("Div", "camloc.weights", &[&above, &below], vec![])
    };
    let tensor = weighted(graph, &weights, &activations);
    Ok(Maps::by_class(tensor, Grid::of(graph, &layer.tensor, layer.layout)))
}
