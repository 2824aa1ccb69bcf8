//! The library's front door: a loaded model that answers "why and where" of pictures: by a graph that explains itself in one pass, or a network that
//! is asked many times; looked at closer, and asked again without what it saw.

pub mod black_box;
mod builder;
mod closer;
mod engine;
mod error;
#[allow(clippy::module_inception)]
mod explainer;
pub(crate) mod explanation;
mod inspect;
mod method;
mod request;
mod scorer;
mod sense;
mod switch;
mod what_if;

pub use builder::ExplainerBuilder;
pub use error::ExplainerError;
pub use explainer::Explainer;
pub use explanation::{Class, Explanation, Heatmap};
pub use inspect::{Inspection, inspect};
pub use method::{Method, UnknownMethod};
pub use request::Request;
pub(crate) use scorer::Scorer;
pub(crate) use what_if::Eraser;
