//! [`Explanation`]: what was done to a model.

use super::method::MadeBy;
use super::refine::Unrefined;

/// What was done to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// How the maps are made.
    pub method: MadeBy,
    /// The target layer: the tensor that the maps are made of; several are joined by commas.
    pub layer: String,
    /// The tensor of class scores before any softmax.
    pub logits: String,
    /// How many classes the model tells apart.
    pub classes: usize,
    /// How many of them are explained in one pass, K.
    pub count: usize,
    /// Rows and columns of the maps, when they do not depend on the picture.
    pub map_size: Option<(usize, usize)>,
    /// The layers that the maps were refined with, joined by commas; empty: they are as the method's paper has them.
    pub guides: String,
    /// Why they were not refined although that was asked for.
    pub unrefined: Option<Unrefined>,
}
