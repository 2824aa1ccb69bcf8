//! Runs ONNX models with ONNX Runtime.
//!
//! The library itself is found and loaded at run time ([`init`]), so one camloc binary works with any
//! build of it. [`Session`] runs a model from its bytes, whatever the model does; [`ExplainedSession`]
//! reads the maps of a model that [`crate::explain`] has rewritten. Neither knows a method.

mod error;
mod explained;
mod input;
mod library;
mod outputs;
mod session;
mod shape;

pub use error::RuntimeError;
pub use explained::ExplainedSession;
pub use library::{init, providers, version};
pub use session::{Options, Session};

/// Loads the ONNX Runtime that the tests use: the program's own.
#[cfg(test)]
pub(crate) fn init_for_tests() {
    init(&crate::assets::for_tests(crate::assets::Asset::OnnxRuntime)).unwrap();
}
