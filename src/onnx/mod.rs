//! ONNX models as data: reading and writing files ([`load`]), the messages of the standard ([`proto`]),
//! small functions that write them ([`build`]), and [`graph::Graph`], which walks and edits a model.

mod attribute;
pub mod build;
mod external;
pub mod graph;
pub mod infer;
pub mod load;
pub mod proto;
pub mod tensor;
