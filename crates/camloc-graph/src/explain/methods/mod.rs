//! The methods and closed forms, one file each.
//!
//! A method appends nodes that compute maps from a layer's activations A `[N, C, P]` and the gradient g of the
//! class scores by them, `[K, N, C, P]`. The maps are raw: signed, at the layer's resolution, not normalised;
//! what a paper cuts off with a final ReLU is left to the normalisation that follows.

mod acol;
mod cam;
mod class_maps;
mod counterfactual;
mod eigen_cam;
mod element_wise;
mod finer_cam;
mod flatten_linear;
mod full_grad;
mod grad_cam;
mod grad_cam_pp;
mod gradient;
mod hires_cam;
mod layer_cam;
mod recipro_cam;
mod shapley_cam;
mod xgrad_cam;

use super::error::ExplainError;
use super::features::Maps;
use super::head::{Form, Head};
use super::layers::Layer;
use super::method::Method;
use super::subject::Subject;

/// Appends the maps of a method for a layer, or for the picture where the method has no layer.
pub(super) fn append(
    method: Method,
    subject: &mut Subject<'_, '_>,
    layer: &Layer,
) -> Result<Maps, ExplainError> {
    match method {
        // The closed form is appended where the head is known; through gradients it is this one.
        Method::Cam | Method::GradCam => grad_cam::append(subject, layer),
        Method::HiResCam => hires_cam::append(subject, layer),
        Method::ElementWise => element_wise::append(subject, layer),
        Method::LayerCam => layer_cam::append(subject, layer),
        Method::GradCamPlusPlus => grad_cam_pp::append(subject, layer),
        Method::XGradCam => xgrad_cam::append(subject, layer),
        Method::EigenCam => eigen_cam::append(subject, layer),
        Method::EigenGradCam => eigen_cam::append_with_gradient(subject, layer),
        Method::FinerCam => finer_cam::append(subject, layer),
        Method::ShapleyCam => shapley_cam::append(subject, layer),
        Method::ReciproCam => recipro_cam::append(subject, layer),
        Method::Counterfactual => counterfactual::append(subject, layer),
        Method::FullGrad => full_grad::append(subject),
        Method::Gradient => gradient::append(subject),
        Method::GuidedBackprop => gradient::append_guided(subject),
        Method::GuidedGradCam => gradient::append_guided_cam(subject, layer),
    }
}

/// Appends the maps in the closed form of a head.
pub(super) fn append_closed(subject: &mut Subject<'_, '_>, head: &Head) -> Maps {
    match &head.form {
        Form::Pooled(linear) => cam::append(subject, head, linear),
        Form::ClassMaps => class_maps::append(subject, head),
        Form::Acol => acol::append(subject, head),
        Form::Flattened(linear) => flatten_linear::append(subject, head, linear),
    }
}
