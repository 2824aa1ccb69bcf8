//! A loaded model that answers "why and where" of pictures: by a graph that explains itself in one pass, or a network that
//! is asked many times; looked at closer, and asked again without what it saw.

pub mod black_box;
mod closer;
mod engine;
#[allow(clippy::module_inception)]
mod explainer;
mod inspect;
mod method;
mod request;
mod what_if;

pub use explainer::{Explainer, ExplainerError};
pub use inspect::{Inspection, inspect};
pub use method::{Method, UnknownMethod};
pub use request::{ManyPasses, Request};
pub use what_if::Eraser;
