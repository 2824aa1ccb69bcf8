//! ONNX models as data: reading and writing files ([`load`]), the messages of the standard ([`proto`]),
//! small functions that write them ([`build`]), [`graph::Graph`], which walks a model, and [`edit::GraphEditor`], which
//! adds to one.
//!
//! A model from outside is first checked and put in order ([`check`]), made flat ([`inline`]), and brought
//! to the operator set that whoever edits it writes ([`opset`]).

mod attribute;
pub mod build;
mod census;
pub mod check;
pub mod edit;
mod emit;
mod error;
mod external;
mod fused;
pub mod graph;
mod infer;
pub mod inline;
pub(crate) mod known;
pub mod load;
pub(crate) mod operators;
pub mod opset;
pub(crate) mod outline;
pub mod proto;
pub mod prune;
pub mod tensor;
mod visit;
