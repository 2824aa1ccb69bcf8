//! [`Request`]: what to explain, and how.

use std::str::FromStr;

use super::detector::Detector;
use super::method::Method;
use super::probabilities::Link;

/// What to explain, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// How many classes, by rank, at most as many as the model has; not heeded with `targets`.
    pub top_k: usize,
    /// Classes to explain whatever their rank, in this order, and no others; empty: the `top_k` best.
    /// They are the default of `camloc.targets`, which whoever runs the model may override.
    pub targets: Vec<usize>,
    /// The output that holds the class scores; `None`: the first one that does.
    pub output: Option<String>,
    /// Where in `output`, behind its batch axis, the one value lies that is explained, if it holds no class scores: a
    /// regressor's number, a detector's score of one box. Empty: it holds class scores.
    pub index: Vec<usize>,
    /// The detector that the model is: its best detections are explained in place of the best classes, and of a class asked for
    /// its best detection. Their maps are not refined.
    pub detector: Option<Detector>,
    /// What the output of class scores holds; `None`: what the graph tells of it.
    pub link: Option<Link>,
    /// The method; `None`: the closed form where the head has one, else Grad-CAM.
    pub method: Option<Method>,
    /// The target layers: names of tensors or nodes, or `-1` for the last, `-2` for the one before; none: the last.
    pub layers: Vec<String>,
    /// How the maps of several layers become one.
    pub fusion: Fusion,
    /// Whether the maps are refined where a finer grid is known: each place of it takes the evidence of the coarse
    /// cells that the network describes like it. Without, they are as the method's paper has them.
    pub refine: bool,
}

/// How the maps of several layers become one. Each is first rectified and divided by its maximum, and resized
/// bilinearly to the largest of them: raw maps of different layers have no common scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fusion {
    /// Their mean, as pytorch-grad-cam does.
    #[default]
    Mean,
    /// The largest of them, as LayerCAM's authors do.
    Max,
}

impl FromStr for Fusion {
    type Err = String;

    fn from_str(text: &str) -> Result<Fusion, String> {
        match text {
            "mean" => Ok(Fusion::Mean),
            "max" => Ok(Fusion::Max),
            other => Err(format!("no fusion \"{other}\": use mean or max")),
        }
    }
}
