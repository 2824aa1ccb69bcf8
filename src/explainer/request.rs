//! What to explain, and how: [`Request`].

use camloc_graph::explain::{self, Detector, Fusion, Link};

use super::Method;
use super::black_box;
use crate::model::Classifier;

/// What to explain, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// How many classes, by rank, at most as many as the model has; not heeded with `targets`.
    pub top_k: usize,
    /// Classes to explain whatever their rank, in this order, and no others; empty: the `top_k` best.
    pub targets: Vec<usize>,
    /// The output that holds the class scores; `None`: the classifier's.
    pub output: Option<String>,
    /// Where in `output`, behind its batch axis, the one value lies that is explained, if it holds no class scores: a
    /// regressor's number, a detector's score of one box. Empty: it holds class scores.
    pub index: Vec<usize>,
    /// The detector whose detections are explained; `None`: what the classifier says, where no value at an `index` is asked for.
    pub detector: Option<Detector>,
    /// What the output of class scores holds; `None`: what the classifier says, or the graph.
    pub link: Option<Link>,
    /// The method; `None`: the closed form where the head has one, else Grad-CAM.
    pub method: Option<Method>,
    /// The target layers: names of tensors or nodes, or `-1` for the last, `-2` for the one before; none: the last.
    pub layers: Vec<String>,
    /// How the maps of several layers become one.
    pub fusion: Fusion,
    /// Whether the maps are refined where a finer grid is known ([`explain::Request::refine`]).
    pub refine: bool,
    /// Of how many of the best maps what they mark is looked at again, closer: each takes a pass more.
    pub closer: usize,
    /// How a method of many passes asks.
    pub black_box: black_box::Settings,
}

impl Default for Request {
    /// The best class, by the method that fits the model, its map refined.
    fn default() -> Request {
        Request {
            top_k: 1,
            targets: Vec::new(),
            output: None,
            index: Vec::new(),
            detector: None,
            link: None,
            method: None,
            layers: Vec::new(),
            fusion: Fusion::default(),
            refine: true,
            closer: 0,
            black_box: black_box::Settings::default(),
        }
    }
}

impl Request {
    /// The same request of this classifier: of the output that holds its class scores, unless another is asked for.
    pub fn of(mut self, classifier: &Classifier) -> Request {
        self.link = self.link.or(classifier.link);
        let output = self.output.get_or_insert_with(|| classifier.output.clone());
        let detector = classifier.detector.clone().filter(|detector| detector.output == *output);
        self.detector = self.detector.or(detector).filter(|_| self.index.is_empty());
        self
    }

    /// What is asked of the graph, by a method of one pass.
    pub fn rewrite(&self, method: Option<explain::Method>) -> explain::Request {
        explain::Request {
            top_k: self.top_k,
            targets: self.targets.clone(),
            output: self.output.clone(),
            index: self.index.clone(),
            detector: self.detector.clone(),
            link: self.link,
            method,
            layers: self.layers.clone(),
            fusion: self.fusion,
            refine: self.refine,
        }
    }

    /// What is asked of the graph.
    ///
    /// # Errors
    /// Where the method needs many passes.
    pub fn one_pass(&self) -> Result<explain::Request, ManyPasses> {
        match self.method {
            None => Ok(self.rewrite(None)),
            Some(Method::OnePass(method)) => Ok(self.rewrite(Some(method))),
            Some(Method::ManyPasses(method)) => Err(ManyPasses { method: method.name() }),
        }
    }
}

/// A method needs many passes, so that no graph can hold it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{method} asks the model about many variants of a picture, which no one model file can do; take another --method, such as gradcam"
)]
pub struct ManyPasses {
    /// The method.
    pub method: &'static str,
}
