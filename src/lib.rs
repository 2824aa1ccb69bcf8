//! camloc shows where an ONNX image classifier looks: class activation maps, and boxes and masks
//! learned from image labels alone.
//!
//! Frames flow through the rooms of the house in one direction:
//!
//! ```text
//! source ──frames──► pipeline ──► runtime(explained model) ──maps──► localize ──boxes──► render ──► sink
//! ```
//!
//! [`onnx`] and [`camloc_graph::explain`] rewrite a classifier's graph so that it outputs its activation maps next
//! to its logits; [`runtime`] runs the rewritten graph; [`localize`] turns maps into boxes in source
//! pixels; [`pipeline`] ties them together. `examples/` shows the library in use without the program.

// Parts are made for the program; with fewer features some of them have nobody who uses them.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]

pub mod assets;
mod child;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "train")]
pub mod collect;
#[cfg(feature = "eval")]
pub mod compare;
#[cfg(feature = "dataset")]
pub mod dataset;
pub mod digest;
#[cfg(feature = "pipeline")]
pub mod display;
#[cfg(feature = "eval")]
pub mod eval;
pub mod explainer;
pub mod files;
pub mod frame;
#[cfg(feature = "eval")]
pub mod label;
pub mod likeness;
pub mod localize;
pub mod maps;
pub mod model;
pub mod origin;
pub mod picture;
#[cfg(feature = "pipeline")]
pub mod pipeline;
pub mod render;
pub mod runtime;
#[cfg(feature = "pipeline")]
pub mod sink;
pub mod source;
#[cfg(feature = "train")]
pub mod teach;
#[cfg(feature = "pipeline")]
pub mod track;
#[cfg(feature = "train")]
pub mod train;
pub mod view;
#[cfg(feature = "window")]
pub mod window;
mod workers;
