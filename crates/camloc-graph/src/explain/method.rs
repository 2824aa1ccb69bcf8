//! The methods by name, and the closed forms.

use std::fmt;

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

/// What is said of a method.
struct Row {
    method: Method,
    /// What it is called in the program.
    name: &'static str,
    /// What it shows, in one line.
    summary: &'static str,
}

const fn row(method: Method, name: &'static str, summary: &'static str) -> Row {
    Row { method, name, summary }
}

/// One row for each method, in the order of [`Method`].
const ROWS: [Row; Method::GuidedGradCam as usize + 1] = [
    row(
        Method::Cam,
        "cam",
        "weights of the linear layer behind global pooling; the exact share of each place",
    ),
    row(Method::GradCam, "gradcam", "channels weighted with their mean gradient; any network"),
    row(Method::HiResCam, "hirescam", "gradient times activation at each place"),
    row(Method::ElementWise, "elementwise", "positive products of gradient and activation"),
    row(Method::LayerCam, "layercam", "positive gradients at each place; good at early layers"),
    row(Method::GradCamPlusPlus, "gradcampp", "weights that favour several objects of one class"),
    row(Method::XGradCam, "xgradcam", "weights by how much a channel's activation matters"),
    row(
        Method::EigenCam,
        "eigencam",
        "first principal component of the activations; the same for every class",
    ),
    row(Method::EigenGradCam, "eigengradcam", "first principal component of gradient times activation"),
    row(Method::FinerCam, "finercam", "what tells the class from the three most similar ones"),
    row(Method::ShapleyCam, "shapleycam", "Grad-CAM with a second-order term"),
    row(Method::ReciproCam, "reciprocam", "the score of each place alone; no gradient"),
    row(Method::Counterfactual, "counterfactual", "what speaks against the class"),
    row(Method::FullGrad, "fullgrad", "gradients of the pixels and of all biases, at full size"),
    row(Method::Gradient, "gradient", "how much each pixel moves the score, at full size"),
    row(Method::GuidedBackprop, "guided-backprop", "pixels that excite the class, at full size"),
    row(Method::GuidedGradCam, "guided-gradcam", "guided backpropagation times Grad-CAM, at full size"),
];

impl Method {
    /// Every method, in the order in which they are listed and cycled through.
    pub fn all() -> impl Iterator<Item = Method> {
        ROWS.iter().map(|row| row.method)
    }

    /// Its name in the program, as in `--method gradcam`.
    pub fn name(self) -> &'static str {
        ROWS[self as usize].name
    }

    /// What it shows, in one line.
    pub fn summary(self) -> &'static str {
        ROWS[self as usize].summary
    }

    /// Whether it has a map of its own for each layer.
    pub fn has_layer(self) -> bool {
        !matches!(self, Method::Cam | Method::FullGrad | Method::Gradient | Method::GuidedBackprop)
    }

    /// Whether its maps are made of single pixels rather than regions: papers show those in grey, and no box fits them.
    pub fn is_of_pixels(self) -> bool {
        matches!(self, Method::Gradient | Method::GuidedBackprop | Method::GuidedGradCam)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Class activation maps in a form that needs no gradient, because of what the network's head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClosedForm {
    /// Weights of the linear layer behind global average pooling (Zhou et al. 2016).
    Cam,
    /// The class's channel of a convolution in front of global average pooling (Lin et al. 2014).
    ClassMaps,
    /// The same of two branches, the second of features without what the first finds (Zhang et al. 2018).
    Acol,
    /// Weights of one linear layer on flattened features, at each place.
    FlattenLinear,
}

impl ClosedForm {
    /// Every closed form.
    pub const ALL: [ClosedForm; 4] =
        [ClosedForm::Cam, ClosedForm::ClassMaps, ClosedForm::Acol, ClosedForm::FlattenLinear];

    /// Its name, as files and reports have it.
    pub fn name(self) -> &'static str {
        match self {
            ClosedForm::Cam => "cam",
            ClosedForm::ClassMaps => "class-maps",
            ClosedForm::Acol => "acol",
            ClosedForm::FlattenLinear => "flatten-linear",
        }
    }
}

/// How maps are made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MadeBy {
    /// In a closed form.
    Closed(ClosedForm),
    /// By a method that follows gradients, or runs part of the network.
    By(Method),
    /// By one of which only the name is known: of another version, or one that asks the network many times.
    Other(String),
}

impl MadeBy {
    /// The name, as files and reports have it.
    pub fn name(&self) -> &str {
        match self {
            MadeBy::Closed(form) => form.name(),
            MadeBy::By(method) => method.name(),
            MadeBy::Other(name) => name,
        }
    }
}

impl From<&str> for MadeBy {
    /// What has this name.
    fn from(name: &str) -> MadeBy {
        let closed = ClosedForm::ALL.into_iter().find(|form| form.name() == name).map(MadeBy::Closed);
        let method = || Method::all().find(|method| method.name() == name).map(MadeBy::By);
        closed.or_else(method).unwrap_or_else(|| MadeBy::Other(name.to_owned()))
    }
}

impl fmt::Display for MadeBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_its_own_row_and_name() {
        assert!(ROWS.iter().enumerate().all(|(index, row)| row.method as usize == index));
        let names: std::collections::HashSet<&str> = Method::all().map(Method::name).collect();
        assert_eq!(names.len(), ROWS.len());
    }

    #[test]
    fn names_lead_back_to_what_has_them() {
        for made_by in [
            MadeBy::Closed(ClosedForm::Cam),
            MadeBy::Closed(ClosedForm::FlattenLinear),
            MadeBy::By(Method::Counterfactual),
            MadeBy::Other("occlusion".into()),
        ] {
            assert_eq!(MadeBy::from(made_by.name()), made_by);
        }
    }
}
