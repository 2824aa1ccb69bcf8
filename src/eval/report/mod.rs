//! One self-contained page of HTML about an evaluation.

use super::statistics::Interval;

/// Everything the page shows; nothing is read or computed.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The data set's name, which heads the page.
    pub dataset: String,
    /// One sentence under it: how many pictures, which model, which method.
    pub summary: String,
    /// The headline scores.
    pub scores: Vec<Score>,
    /// Share of pictures found against the threshold.
    pub curves: Vec<Series>,
    /// The pictures that fit best, best first.
    pub best: Vec<Thumbnail>,
    /// The pictures that fit worst, worst first.
    pub worst: Vec<Thumbnail>,
    /// Scores by class.
    pub classes: Vec<Row>,
    /// Scores by sequence of a video set.
    pub sequences: Vec<Row>,
    /// What the columns of `classes` and `sequences` are, the name aside.
    pub columns: Vec<String>,
    /// What was wrong with the data.
    pub faults: Vec<Fault>,
    /// The settings, name and value.
    pub settings: Vec<(String, String)>,
    /// The command that gives this report again.
    pub command: String,
}

/// One headline score.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// As people call it: "GT-known Loc".
    pub name: String,
    /// What it means, in half a sentence.
    pub meaning: String,
    /// Value and interval, shares of 1.
    pub interval: Option<Interval>,
    /// A unit other than a share: "x" or "ms"; empty for a share, which is shown in per cent.
    pub unit: String,
    /// Scores without looking, name and value: "centre box", 0.42.
    pub baselines: Vec<(String, f64)>,
    /// What else there is to say: the best threshold.
    pub note: String,
}

/// One line of a chart: values at thresholds 0..1.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// For the legend.
    pub name: String,
    /// Threshold (0..1) and value (0..1).
    pub points: Vec<(f64, f64)>,
}

/// One picture with heat and boxes drawn already.
#[derive(Clone, Debug, Default)]
pub struct Thumbnail {
    /// Which picture.
    pub name: String,
    /// What was found: class and overlap.
    pub caption: String,
    /// A JPEG file's bytes.
    pub jpeg: Vec<u8>,
}

/// One row of a table by class or by sequence.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// The class or the sequence.
    pub name: String,
    /// Cells as shown, as many as there are columns.
    pub cells: Vec<String>,
}

/// One kind of fault of the data.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    /// What is wrong: "box outside the picture".
    pub kind: String,
    /// How often.
    pub count: usize,
    /// Where, the first few.
    pub examples: Vec<String>,
}

impl Report {
    /// The page.
    pub fn html(&self) -> String {
        String::new()
    }
}
