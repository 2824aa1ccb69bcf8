//! Runs ONNX models with ONNX Runtime.
//!
//! The library itself is found and loaded at run time ([`init`]), so one camloc binary works with any
//! build of it. [`Session`] runs a model from its bytes, whatever the model does; [`ExplainedSession`]
//! reads the maps of a model that [`camloc_graph::explain`] has rewritten. Neither knows a method.
//!
//! A [`Provider`] asked for by name runs the model or there is no session; where none is asked for, the best that can is
//! taken. Either way [`Session::placement`] tells what really runs the nodes.

mod error;
mod explained;
mod input;
mod library;
mod needs;
mod nodes;
mod outputs;
mod provider;
mod session;
mod shape;

pub use error::RuntimeError;
pub use explained::ExplainedSession;
pub(crate) use library::is_loaded;
pub use library::{add_plugin, init};
pub(crate) use library::{devices, providers, version};
pub use nodes::Node;
pub use provider::{Provider, UnknownProvider};
pub use session::{Options, Session};

/// Loads the ONNX Runtime that the tests use: the program's own.
#[cfg(test)]
pub(crate) fn init_for_tests() {
    init(&crate::assets::for_tests(crate::assets::Asset::OnnxRuntime)).unwrap();
}
