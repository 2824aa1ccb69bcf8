//! [`Detector`]: an output of boxes with scores, recognised.

use crate::onnx::graph::Graph;
use crate::onnx::proto::ModelProto;

/// How many pixels lie between the places of YOLO's three grids.
pub(super) const STRIDES: [usize; 3] = [8, 16, 32];

/// How an output holds boxes and scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `[N, 4 + classes + more, boxes]`: centre, size, a score for each class (ultralytics from v8 on).
    ScoresBelow,
    /// `[N, boxes, 5 + classes + more]`: centre, size, whether there is anything, a share for each class (YOLOv5, v7).
    Objectness,
    /// As `Objectness`, with centres and sizes still in units of the grids (YOLOX as its own exporter writes it).
    ObjectnessOnGrids,
}

/// A detector: where its boxes and their scores are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detector {
    /// The output that holds them.
    pub output: String,
    /// How many classes it tells apart.
    pub classes: usize,
    pub(super) form: Form,
    /// How many boxes it puts out.
    pub(super) boxes: usize,
    /// Rows and columns of its input.
    pub(super) size: (usize, usize),
}

impl Detector {
    /// Recognises a detector by the shape of an output: as many boxes as YOLO's grids have places for an input of `size` rows
    /// and columns. `labels` are how many names the lists of class names have that were found with the model: what stands
    /// behind the scores of so many classes, masks or key points, is left out. `None` for any other model.
    pub fn find(model: &ModelProto, size: (usize, usize), labels: &[usize]) -> Option<Detector> {
        let graph = Graph::new(model);
        let places = places(size);
        graph.outputs().iter().find_map(|output| {
            let &[_, Some(rows), Some(columns)] = graph.shape(output.name())? else { return None };
            let (rows, columns) = (usize::try_from(rows).ok()?, usize::try_from(columns).ok()?);
            let (form, boxes, values) = match (rows, columns) {
                (values, boxes) if boxes == places => (Form::ScoresBelow, boxes, values.checked_sub(4)?),
                (boxes, values) if boxes == 3 * places => (Form::Objectness, boxes, values.checked_sub(5)?),
                (boxes, values) if boxes == places => {
                    // Sizes are decoded by an exponent.
                    let decoded = graph.nodes().iter().any(|node| node.standard_op() == "Exp");
                    let form = if decoded { Form::Objectness } else { Form::ObjectnessOnGrids };
                    (form, boxes, values.checked_sub(5)?)
                }
                _ => return None,
            };
            let named = labels.iter().copied().find(|&count| (1..=values).contains(&count));
            let classes = named.unwrap_or(values);
            let counted = classes > 0 && i32::try_from(classes.checked_mul(boxes)?).is_ok();
            counted.then(|| Detector { output: output.name().to_owned(), classes, form, boxes, size })
        })
    }

    /// Whether it is YOLOX, by as many boxes as there are places, with objectness: its pictures are BGR of 0..255, those of the
    /// others RGB of 0..1.
    pub fn is_yolox(&self) -> bool {
        self.form != Form::ScoresBelow && self.boxes == places(self.size)
    }
}

/// How many places YOLO's grids have for an input of `size` rows and columns.
fn places((rows, columns): (usize, usize)) -> usize {
    STRIDES.iter().map(|stride| (rows / stride) * (columns / stride)).sum()
}
