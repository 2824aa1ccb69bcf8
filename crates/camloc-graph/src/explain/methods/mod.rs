//! The methods, one file each, and the table that names them.
//!
//! A method appends nodes that compute maps from a layer's activations A `[N, C, P]` and the gradient g of the
//! class scores by them, `[K, N, C, P]`. The maps are raw: signed, at the layer's resolution, not normalised;
//! what a paper cuts off with a final ReLU is left to the normalisation that follows.

pub(super) mod acol;
pub(super) mod cam;
pub(super) mod class_maps;
mod counterfactual;
mod eigen_cam;
mod element_wise;
mod finer_cam;
pub(super) mod flatten_linear;
mod full_grad;
mod grad_cam;
mod grad_cam_pp;
mod gradient;
mod hires_cam;
mod layer_cam;
mod recipro_cam;
mod shapley_cam;
mod xgrad_cam;

use std::fmt;

use super::ExplainError;
use super::features::Maps;
use super::layers::Layer;
use super::subject::Subject;

/// A way to make maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Class activation maps in the closed form that the head allows (Zhou et al. 2016; Lin et al. 2014).
    Cam,
    /// Channels weighted with their mean gradient (Selvaraju et al. 2017).
    GradCam,
    /// Gradient times activation, summed over channels (Draelos & Carin 2020).
    HiResCam,
    /// As HiResCAM, each product rectified before the sum.
    ElementWise,
    /// Positive gradients times activations (Jiang et al. 2021).
    LayerCam,
    /// Channels weighted with second-order shares of positive gradients (Chattopadhay et al. 2018).
    GradCamPlusPlus,
    /// Channels weighted with the gradient's mean by activation (Fu et al. 2020).
    XGradCam,
    /// The first principal component of the activations (Muhammad & Yeasin 2020); not of a class.
    EigenCam,
    /// The first principal component of gradient times activation.
    EigenGradCam,
    /// Grad-CAM of what tells the class from the three most similar ones (Zhang et al. 2025).
    FinerCam,
    /// Grad-CAM with a second-order term (Cai 2025).
    ShapleyCam,
    /// The score of each place alone (Byun & Lee 2022); needs no gradient.
    ReciproCam,
    /// Grad-CAM of the negative gradient: what speaks against the class (Selvaraju et al. 2017).
    Counterfactual,
    /// Gradients of the picture and of all biases (Srinivas & Fleuret 2019), as large as the picture.
    FullGrad,
    /// How much each pixel moves the score (Simonyan et al. 2014), as large as the picture.
    Gradient,
    /// The gradient of the picture, past rectifiers only where it is positive (Springenberg et al. 2015).
    GuidedBackprop,
    /// Guided backpropagation times Grad-CAM (Selvaraju et al. 2017), as large as the picture.
    GuidedGradCam,
}

/// What a method is called in the program, and what it does, in one line.
const NAMES: &[(Method, &str, &str)] = &[
    (Method::Cam, "cam", "weights of the linear layer behind global pooling; the exact share of each place"),
    (Method::GradCam, "gradcam", "channels weighted with their mean gradient; any network"),
    (Method::HiResCam, "hirescam", "gradient times activation at each place"),
    (Method::ElementWise, "elementwise", "positive products of gradient and activation"),
    (Method::LayerCam, "layercam", "positive gradients at each place; good at early layers"),
    (Method::GradCamPlusPlus, "gradcampp", "weights that favour several objects of one class"),
    (Method::XGradCam, "xgradcam", "weights by how much a channel's activation matters"),
    (Method::EigenCam, "eigencam", "first principal component of the activations; the same for every class"),
    (Method::EigenGradCam, "eigengradcam", "first principal component of gradient times activation"),
    (Method::FinerCam, "finercam", "what tells the class from the three most similar ones"),
    (Method::ShapleyCam, "shapleycam", "Grad-CAM with a second-order term"),
    (Method::ReciproCam, "reciprocam", "the score of each place alone; no gradient"),
    (Method::Counterfactual, "counterfactual", "what speaks against the class"),
    (Method::FullGrad, "fullgrad", "gradients of the pixels and of all biases, at full size"),
    (Method::Gradient, "gradient", "how much each pixel moves the score, at full size"),
    (Method::GuidedBackprop, "guided-backprop", "pixels that excite the class, at full size"),
    (Method::GuidedGradCam, "guided-gradcam", "guided backpropagation times Grad-CAM, at full size"),
];

impl Method {
    /// Every method, in the order in which they are listed and cycled through.
    pub fn all() -> impl Iterator<Item = Method> {
        NAMES.iter().map(|(method, _, _)| *method)
    }

    /// Its name in the program, as in `--method gradcam`.
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// What it shows, in one line.
    pub fn summary(self) -> &'static str {
        self.entry().2
    }

    fn entry(self) -> &'static (Method, &'static str, &'static str) {
        NAMES.iter().find(|(method, _, _)| *method == self).unwrap_or(&NAMES[0])
    }

    /// Whether it has a map of its own for each layer.
    pub fn has_layer(self) -> bool {
        !matches!(self, Method::Cam | Method::FullGrad | Method::Gradient | Method::GuidedBackprop)
    }

    /// Whether its maps are made of single pixels rather than regions: papers show those in grey, and no box fits them.
    pub fn is_of_pixels(self) -> bool {
        matches!(self, Method::Gradient | Method::GuidedBackprop | Method::GuidedGradCam)
    }

    /// Appends the maps for a layer, or for the picture where the method has no layer.
    pub(super) fn append(self, subject: &mut Subject<'_, '_>, layer: &Layer) -> Result<Maps, ExplainError> {
        match self {
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
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
