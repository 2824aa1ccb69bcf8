//! How well the boxes fit: ground truth, and the run over it.

pub mod dataset;
