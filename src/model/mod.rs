//! Classifiers: the graph, and everything beside it that a picture needs to become a named class.
//!
//! What a graph does not say stands in a manifest, `foo.toml` beside `foo.onnx` (`docs/model-manifest.md`); else in the file's
//! metadata, in its first nodes, or in the files that exporters leave beside it (`docs/models.md`). What nobody says is assumed
//! as most models want it, and [`Classifier::assumptions`] says so.

mod classifier;
mod detector_input;
mod embed;
mod error;
mod fixed_input;
mod front;
mod labels;
pub mod lite0;
mod manifest;
mod names;
mod neighbours;
mod open;
mod preprocess;
mod preprocessing;
mod python;
mod resolve;
mod said;
mod signature;
mod torch_pickle;

pub use classifier::Classifier;
pub(crate) use classifier::MANIFEST_KEY;
pub use error::ModelError;
pub use fixed_input::{FixedInput, NotAnInput};
pub(crate) use labels::BACKGROUND;
pub use labels::{LabelError, Labels};
pub use preprocess::Preprocessor;
pub use preprocessing::{Channels, Filter, Fit, Layout, Preprocessing};
pub(crate) use said::FACTS;
pub use said::{Kind, Source};
