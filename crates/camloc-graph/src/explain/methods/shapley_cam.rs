//! ShapleyCAM (Cai 2025): Grad-CAM with a second-order term, `w_c = mean(g_c - ½ (H A)_c)`, where H is the Hessian of the
//! logit by the activations A. Where everything behind the layer is linear piece by piece, H is zero and it is Grad-CAM.
//!
//! `H A` is the gradient of `g · A` with A held fixed: the reverse pass differentiated once more. That is done for one
//! class after the other, so the price grows with their number.

use super::super::error::ExplainError;
use super::super::features::{Grid, LayerGradient, Maps, activations, weighted};
use super::super::layers::Layer;
use super::super::subject::Subject;
use super::grad_cam;
use crate::autodiff::{self, AutodiffError, Rectifier, Seed};
use crate::onnx::build::int;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let activations = activations(subject.graph, layer);
    let mut maps = Vec::new();
    for slot in 0..subject.count() as i64 {
        let slot = subject.graph.add_ints("camloc.slot", &[slot]);
        let classes = [subject.choice.numbers.as_str(), &slot];
        let classes = subject.graph.op("Gather", "camloc.class", &classes, vec![int("axis", 1)]);
        let gradient = corrected(subject, layer, &classes)?;
        let weights = grad_cam::weights(subject, &gradient);
        maps.push(weighted(subject.graph, &weights, &activations));
    }
    let maps: Vec<&str> = maps.iter().map(String::as_str).collect();
    let tensor = subject.graph.op("Concat", "camloc.each", &maps, vec![int("axis", 0)]);
    Ok(Maps::by_class(tensor, Grid::of(subject.graph, &layer.tensor, layer.layout)))
}

/// `g - ½ H A` of one class for each picture, `[N, 1]`.
fn corrected(
    subject: &mut Subject<'_, '_>,
    layer: &Layer,
    classes: &str,
) -> Result<LayerGradient, ExplainError> {
    let by = [layer.tensor.clone()];
    let seed = Seed::Classes { classes: classes.into(), count: 1 };
    let first = subject.gradients(&by, &seed, Rectifier::Plain)?.remove(0);
    let full = autodiff::filled(subject.graph, &first, &layer.tensor, 1)?;
    let seed = Seed::Given { tensor: layer.tensor.clone(), count: 1 };
    let second = match autodiff::gradients(subject.graph, &full, &seed, &by, Rectifier::Plain) {
        Ok(second) => second,
        Err(AutodiffError::Independent { .. }) => return LayerGradient::of(subject.graph, &first, layer, 1),
        Err(error) => return Err(error.into()),
    };
    let first = LayerGradient::of(subject.graph, &first, layer, 1)?;
    let second = LayerGradient::of(subject.graph, &second[0], layer, 1)?;
    let half = subject.graph.with("Mul", "camloc.half", &second.tensor, 0.5);
    let tensor = subject.graph.op("Sub", "camloc.layer_gradient", &[&first.tensor, &half], vec![]);
    Ok(LayerGradient { tensor, uniform: first.uniform && second.uniform })
}
