//! camloc shows where an ONNX image classifier looks: class activation maps, and boxes and masks
//! learned from image labels alone.
//!
//! ```no_run
//! use camloc::{Explainer, Picture};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let photo = Picture::open("cat.jpg")?;
//! let mut explainer = Explainer::open("my.onnx")?.top_k(3).build()?;
//! let explanation = explainer.explain(&photo)?;
//! for found in &explanation.detections {
//!     println!("{} at {:?}", explanation.name(found.class_id), found.bbox);
//! }
//! explanation.draw_over(&photo).save("explained.jpg")?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Explainer`] is where to begin: it opens a classifier, fetches and loads ONNX Runtime where that was not done, rewrites the
//! classifier's graph so that it outputs its maps next to its scores ([`camloc_graph`]), and explains pictures.
//!
//! | to | there is |
//! |---|---|
//! | explain photos | [`Explainer::explain`], and [`Explanation`] with classes, boxes, heat |
//! | explain frame after frame without allocating | [`Explainer::explain_into`], then [`localize::Localizer`] |
//! | choose methods, layers, classes | [`ExplainerBuilder`], [`Request`], [`Method`] |
//! | describe a model that does not do so itself | [`model::Classifier`], and `docs/model-manifest.md` |
//! | read videos, photos, cameras | [`source::FrameSource`] |
//! | draw | [`Explanation::draw_over`], [`render::Renderer`] |
//! | write models that explain themselves | [`camloc_graph::explain`] |
//!
//! # Features
//!
//! `cli` (default) is the program and has all the others. With `default-features = false` the library explains pictures, and
//! needs no libclang; `camera` adds cameras, `npy` arrays of NumPy as values of a model's other inputs, `window` a window,
//! `train` training, `eval` measuring.

// Parts are made for the program; with fewer features some of them have nobody who uses them.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]

pub mod assets;
mod child;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "train")]
mod collect;
#[cfg(feature = "eval")]
mod compare;
#[cfg(feature = "dataset")]
mod dataset;
mod digest;
#[cfg(feature = "pipeline")]
mod display;
#[cfg(feature = "eval")]
mod eval;
mod explainer;
pub mod files;
pub mod frame;
#[cfg(feature = "eval")]
mod label;
mod likeness;
pub mod localize;
pub mod maps;
pub mod model;
mod origin;
mod picture;
#[cfg(feature = "pipeline")]
mod pipeline;
pub mod render;
pub mod runtime;
#[cfg(feature = "pipeline")]
mod sink;
pub mod source;
#[cfg(feature = "train")]
mod teach;
#[cfg(feature = "pipeline")]
mod track;
#[cfg(feature = "train")]
mod train;
pub mod view;
#[cfg(feature = "window")]
mod window;
mod workers;

pub use explainer::black_box;
pub use explainer::{
    Class, Explainer, ExplainerBuilder, ExplainerError, Explanation, Heatmap, Inspection, Method, Request,
    UnknownMethod, inspect,
};
pub use frame::Picture;
