//! Maps as large as the picture, from the gradient by its pixels: the gradient itself (Simonyan et al. 2014), guided
//! backpropagation (Springenberg et al. 2015), and guided Grad-CAM (Selvaraju et al. 2017).
//!
//! Of the gradients by a pixel's colours, the largest magnitude counts.

use super::super::error::ExplainError;
use super::super::features::{Grid, LayerGradient, Maps, resized};
use super::super::layers::Layer;
use super::super::subject::Subject;
use super::grad_cam;
use crate::autodiff::Rectifier;

/// Appends how much each pixel moves the score of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>) -> Result<Maps, ExplainError> {
    by_pixels(subject, Rectifier::Plain)
}

/// Appends the same, with only what is positive passing through rectifiers.
pub(super) fn append_guided(subject: &mut Subject<'_, '_>) -> Result<Maps, ExplainError> {
    by_pixels(subject, Rectifier::Guided)
}

/// Appends guided backpropagation, each pixel times the rectified Grad-CAM map of a layer.
pub(super) fn append_guided_cam(subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
    let coarse = grad_cam::append(subject, layer)?;
    let fine = by_pixels(subject, Rectifier::Guided)?;
    let graph = &mut *subject.graph;
    let coarse = coarse.folded(graph, "camloc.coarse");
    let positive = graph.op("Relu", "camloc.coarse", &[&coarse], vec![]);
    let fine_map = fine.folded(graph, "camloc.fine");
    let size = graph.op("Shape", "camloc.size", &[&fine_map], vec![]);
    let large = resized(graph, &positive, &size);
    let product = graph.op("Mul", "camloc.guided", &[&fine_map, &large], vec![]);
    let flat = graph.reshape("camloc.guided", &product, &[0, 0, -1]);
    Ok(Maps::by_picture(flat, fine.grid))
}

fn by_pixels(subject: &mut Subject<'_, '_>, rectifier: Rectifier) -> Result<Maps, ExplainError> {
    let (image, seed) = (subject.picture()?, subject.logits());
    let found = subject.gradients(std::slice::from_ref(&image.tensor), &seed, rectifier)?;
    let gradient = LayerGradient::of(subject.graph, &found[0], &image, subject.choice.count)?;
    let graph = &mut *subject.graph;
    let size = graph.op("Abs", "camloc.magnitude", &[&gradient.tensor], vec![]);
    let tensor = graph.reduce("ReduceMax", "camloc.magnitude", &size, &[2], false);
    Ok(Maps::by_class(tensor, Grid::of(graph, &image.tensor, image.layout)))
}
