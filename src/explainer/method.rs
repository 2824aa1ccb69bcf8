//! Every method by name: those of one pass, which are graph rewrites, and those of many, which ask.

use std::fmt;
use std::str::FromStr;

use camloc_graph::explain;

use super::black_box;
use crate::likeness::like;

/// A way to make maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// The graph is rewritten, and one pass gives the maps.
    OnePass(explain::Method),
    /// The network is asked about many variants of one picture.
    ManyPasses(black_box::Method),
}

impl Method {
    /// Every method, in the order in which they are listed and cycled through.
    pub fn all() -> impl Iterator<Item = Method> {
        let one = explain::Method::all().map(Method::OnePass);
        one.chain(black_box::Method::ALL.into_iter().map(Method::ManyPasses))
    }

    /// Its name in the program, as in `--method gradcam`.
    pub fn name(self) -> &'static str {
        match self {
            Method::OnePass(method) => method.name(),
            Method::ManyPasses(method) => method.name(),
        }
    }

    /// What it shows, in one line.
    pub fn summary(self) -> &'static str {
        match self {
            Method::OnePass(method) => method.summary(),
            Method::ManyPasses(method) => method.summary(),
        }
    }

    /// Whether it has a map of its own for each layer.
    pub fn has_layer(self) -> bool {
        match self {
            Method::OnePass(method) => method.has_layer(),
            Method::ManyPasses(method) => method.has_layer(),
        }
    }

    /// Whether it asks the network about many variants of one picture ([`super::black_box`]).
    pub fn is_black_box(self) -> bool {
        matches!(self, Method::ManyPasses(_))
    }

    /// Whether its maps are made of single pixels rather than regions: papers show those in grey, and no box fits them.
    pub fn is_of_pixels(self) -> bool {
        matches!(self, Method::OnePass(method) if method.is_of_pixels())
    }
}

impl From<explain::Method> for Method {
    fn from(method: explain::Method) -> Method {
        Method::OnePass(method)
    }
}

impl From<black_box::Method> for Method {
    fn from(method: black_box::Method) -> Method {
        Method::ManyPasses(method)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No method has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no method \"{name}\"{}; all: {all}", nearest.map(|nearest| format!("; the nearest is \"{nearest}\"")).unwrap_or_default())]
pub struct UnknownMethod {
    name: String,
    nearest: Option<&'static str>,
    all: String,
}

impl FromStr for Method {
    type Err = UnknownMethod;

    /// Reads a method's name: upper or lower case, with or without dashes, `++` for `pp`.
    fn from_str(text: &str) -> Result<Method, UnknownMethod> {
        let plain = |name: &str| name.to_lowercase().replace("++", "pp").replace(['-', '_', ' '], "");
        let wanted = plain(text);
        if let Some(found) = Method::all().find(|method| plain(method.name()) == wanted) {
            return Ok(found);
        }
        let like = like(&wanted, Method::all(), |method| plain(method.name()));
        Err(UnknownMethod {
            name: text.into(),
            nearest: like.first().map(|method| method.name()),
            all: Method::all().map(Method::name).collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        for (text, method) in [
            ("gradcam", explain::Method::GradCam),
            ("Grad-CAM++", explain::Method::GradCamPlusPlus),
            ("layer_cam", explain::Method::LayerCam),
            ("guided backprop", explain::Method::GuidedBackprop),
        ] {
            assert_eq!(text.parse(), Ok(Method::OnePass(method)));
        }
        let error = "grdcam".parse::<Method>().unwrap_err().to_string();
        assert!(error.contains("nearest is \"gradcam\""), "{error}");
        let error = "nosuch".parse::<Method>().unwrap_err().to_string();
        assert!(error.starts_with("there is no method \"nosuch\"; all: cam, "), "{error}");
    }

    #[test]
    fn every_name_leads_back_to_its_method() {
        assert!(Method::all().all(|method| method.name().parse() == Ok(method)));
    }
}
