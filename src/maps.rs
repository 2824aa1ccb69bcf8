//! What an explained model says of one picture.

/// One class, how sure the model is of it, and where it looked.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassMap {
    /// Index of the class among the model's outputs.
    pub class_id: usize,
    /// Probability, 0..1.
    pub score: f32,
    /// Rows of the map.
    pub height: usize,
    /// Columns of the map.
    pub width: usize,
    /// The raw activation map `[h, w]`, row by row, before any normalisation; may hold any float.
    pub values: Vec<f32>,
}
