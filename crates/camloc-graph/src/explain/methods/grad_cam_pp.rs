//! Grad-CAM++ (Chattopadhay et al. 2018), of the logit itself:
//! `w_c = sum(relu(g) * g² / (2 g² + sum(A_c) g³ + 1e-6))`, `sum_c w_c * A_c`.
//!
//! Where `2 + sum(A_c) g` comes near zero the quotient is ill-conditioned: single precision then gives four
//! digits less than for the other methods, in every implementation.

use super::super::error::ExplainError;
use super::super::features::{Grid, Maps, sum, weighted};
use super::super::layers::Layer;
use super::super::outputs::as_f32;
use super::super::subject::Subject;
use crate::onnx::build::int;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let (activations, gradient) = subject.features(layer)?;
    let graph = &mut *subject.graph;
    let (gradient, uniform) = (&gradient.tensor, gradient.uniform);
    let square = graph.op("Mul", "camloc.square", &[gradient, gradient], vec![]);
    let cube = graph.op("Mul", "camloc.cube", &[&square, gradient], vec![]);
    let total = sum(graph, &activations);
    let third = graph.op("Mul", "camloc.third", &[&total, &cube], vec![]);
    let second = graph.op("Add", "camloc.second", &[&square, &square], vec![]);
    let below = graph.op("Add", "camloc.below", &[&second, &third], vec![]);
    let below = graph.with("Add", "camloc.below", &below, 1e-6);
    // Zero where the gradient is: zero divided by 1e-6.
    let shares = graph.op("Div", "camloc.shares", &[&square, &below], vec![]);
    let positive = graph.op("Relu", "camloc.positive", &[gradient], vec![]);
    let weights = graph.op("Mul", "camloc.weights", &[&positive, &shares], vec![]);
    let weights = if uniform {
        // One value stands for all places.
        match layer.size {
            Some((height, width)) => graph.with("Mul", "camloc.weights", &weights, (height * width) as f64),
            None => {
                let places = graph.op("Shape", "camloc.places", &[&activations], vec![int("start", 2)]);
                let places = as_f32(graph, &places);
                graph.op("Mul", "camloc.weights", &[&weights, &places], vec![])
            }
        }
    } else {
        sum(graph, &weights)
    };
    let tensor = weighted(graph, &weights, &activations);
    Ok(Maps::by_class(tensor, Grid::of(graph, &layer.tensor, layer.layout)))
}
