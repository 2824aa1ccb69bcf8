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

pub mod assets;
mod child;
pub mod collect;
pub mod compare;
pub mod dataset;
pub mod digest;
pub mod eval;
pub mod explainer;
pub mod files;
pub mod frame;
pub mod label;
pub mod likeness;
pub mod localize;
pub mod maps;
pub mod model;
pub mod origin;
pub mod picture;
pub mod pipeline;
pub mod render;
pub mod runtime;
pub mod sink;
pub mod source;
pub mod teach;
pub mod track;
pub mod train;
pub mod view;
mod workers;
