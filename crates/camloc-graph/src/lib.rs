//! ONNX classifiers that explain themselves.
//!
//! An explanation is a graph rewrite: [`explain`] takes a classifier and appends a branch of standard operators that
//! outputs its activation maps. Methods that need gradients get them from [`autodiff`], which differentiates the graph
//! by ordinary ONNX nodes. [`onnx`] reads, checks, walks and edits models. Nothing here runs a model, so all of it
//! builds for WebAssembly, too.

pub mod autodiff;
pub mod explain;
pub mod onnx;
#[cfg(test)]
mod testing;

/// The examples of the README, which must compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
