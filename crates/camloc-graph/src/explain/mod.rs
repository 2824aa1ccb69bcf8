//! An explanation is a graph rewrite: a classifier goes in, and comes out with a branch that outputs
//! its activation maps next to its own outputs, which stay as they were.
//!
//! | output | type | meaning |
//! |---|---|---|
//! | `camloc.classes` | i64 `[N, K]` | the classes explained |
//! | `camloc.scores` | f32 `[N, K]` | their probabilities |
//! | `camloc.maps` | f32 `[N, K, h, w]` | raw maps at feature resolution |
//!
//! Of a [`Detector`], each is a detection, and `camloc.boxes`, f32 `[N, K, 4]`, has its box.
//!
//! The input `camloc.targets`, i64 `[K]`, may be left out: it locks classes, -1 stands for "by rank".
//!
//! ```
//! use camloc_graph::explain::{Method, Request, explain};
//! use camloc_graph::onnx::build::{Dim, f32_tensor, graph, model, node, value_info};
//! use camloc_graph::onnx::proto::DataType;
//!
//! // Any ONNX classifier will do (`camloc_graph::onnx::load::load`); here is one of four features and two classes.
//! let image = [Dim::Symbol("N"), Dim::Fixed(4), Dim::Fixed(8), Dim::Fixed(8)];
//! let nodes = vec![
//!     node("Relu", "relu", &["image"], &["features"], vec![]),
//!     node("GlobalMaxPool", "pool", &["features"], &["pooled"], vec![]),
//!     node("Flatten", "flatten", &["pooled"], &["flat"], vec![]),
//!     node("MatMul", "linear", &["flat", "weight"], &["logits"], vec![]),
//! ];
//! let mut classifier = model(graph(
//!     "classifier",
//!     vec![value_info("image", DataType::Float, &image)],
//!     vec![value_info("logits", DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(2)])],
//!     vec![f32_tensor("weight", &[4, 2], &[0.5; 8])],
//!     nodes,
//! ));
//! let request = Request { top_k: 1, method: Some(Method::LayerCam), ..Request::default() };
//! let done = explain(&mut classifier, &request)?;
//! assert_eq!((done.layer.as_str(), done.map_size), ("features", Some((8, 8))));
//! let outputs: Vec<&str> = classifier.graph.iter().flat_map(|g| &g.output).map(|output| output.name()).collect();
//! assert_eq!(outputs, ["logits", "camloc.classes", "camloc.scores", "camloc.maps"]);
//! # Ok::<(), camloc_graph::explain::ExplainError>(())
//! ```

mod both_sides;
mod bounds;
mod class_output;
mod cut;
mod demand;
mod detections;
mod detector;
mod error;
mod explanation;
mod extent;
mod feature_map;
mod features;
mod fusion;
pub mod head;
mod inspect;
pub mod layers;
mod method;
mod methods;
mod mirror;
mod outputs;
mod plain;
mod prepare;
mod probabilities;
pub mod randomise;
pub mod receptive_field;
mod recognise;
mod refine;
mod request;
mod rewrite;
mod scores;
mod space;
mod subject;
mod tail;
#[cfg(test)]
mod tests;
mod uncover;
mod walk;

pub use both_sides::{both_sides, is_one_probability, own_side};
pub use class_output::{ClassOutput, class_outputs};
pub use cut::{Cut, FEATURES, cut};
pub use detections::BOXES;
pub use detector::Detector;
pub use error::ExplainError;
pub use explanation::Explanation;
pub use feature_map::FeatureMap;
pub use head::{ERASED_MAPS, FIRST_MAPS};
pub use inspect::{Inspection, inspect};
pub use layers::{Layer, LayerError};
pub use method::{ClosedForm, MadeBy, Method};
pub use plain::{Ask, CUT, Plain, Probabilities};
pub use probabilities::{Link, probabilities};
pub use recognise::recognise;
pub use refine::Unrefined;
pub use request::{Fusion, Request};
pub use rewrite::explain;
pub use scores::Scores;
pub use uncover::{Uncovered, uncover};
