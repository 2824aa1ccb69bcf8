//! Classifiers: the graph, and everything beside it that a picture needs to become a named class.
//!
//! What a graph does not say stands in a manifest, `foo.toml` beside `foo.onnx`
//! (`docs/model-manifest.md`). Without one, [`Classifier::open`] assumes what most models want, and
//! [`Classifier::assumptions`] says so.

mod classifier;
mod embed;
mod error;
mod fixed_input;
mod labels;
pub mod lite0;
mod manifest;
mod preprocess;
mod preprocessing;
mod resolve;
mod signature;
mod torch_pickle;

pub use classifier::{Classifier, MANIFEST_KEY};
pub use error::ModelError;
pub use fixed_input::{FixedInput, NotAnInput};
pub use labels::{BACKGROUND, LabelError, Labels};
pub use preprocess::Preprocessor;
pub use preprocessing::{Channels, Filter, Fit, Layout, Preprocessing};
