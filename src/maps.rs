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
    /// Of a detector's detection its box: left, top, right and bottom as shares of the view, 0..1 inside of it. `None` where
    /// the model has no boxes of its own.
    pub bounds: Option<[f32; 4]>,
}

/// What the model says of a picture without the region that a map marks.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    /// The share of the picture that was removed, 0..1.
    pub share: f32,
    /// What became of the class explained, then of the class that gained most, each once.
    pub changes: Vec<Change>,
}

/// The probability of a class before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Index of the class among the model's outputs.
    pub class_id: usize,
    /// With the region, 0..1.
    pub before: f32,
    /// Without it, 0..1.
    pub after: f32,
}
