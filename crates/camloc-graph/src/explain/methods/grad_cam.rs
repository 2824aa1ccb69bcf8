//! Grad-CAM (Selvaraju et al. 2017): `sum_c mean(g_c) * A_c`.

use super::super::error::ExplainError;
use super::super::features::{Grid, LayerGradient, Maps, activations, mean, weighted};
use super::super::layers::Layer;
use super::super::subject::Subject;
use crate::autodiff::Seed;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let seed = subject.logits();
    append_from(subject, layer, &seed)
}

/// Appends the maps of any seed.
pub(super) fn append_from(
    subject: &mut Subject<'_, '_>,
    layer: &Layer,
    seed: &Seed,
) -> Result<Maps, ExplainError> {
    let gradient = subject.gradient(layer, seed)?;
    let weights = weights(subject, &gradient);
    let activations = activations(subject.graph, layer);
    let tensor = weighted(subject.graph, &weights, &activations);
    Ok(Maps::by_class(tensor, Grid::of(subject.graph, &layer.tensor, layer.layout)))
}

/// Each channel's mean gradient, `[K, N, C, 1]`.
pub(super) fn weights(subject: &mut Subject<'_, '_>, gradient: &LayerGradient) -> String {
    if gradient.uniform { gradient.tensor.clone() } else { mean(subject.graph, &gradient.tensor) }
}
