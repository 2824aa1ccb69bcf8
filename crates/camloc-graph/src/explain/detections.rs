//! Which of a [`Detector`]'s boxes are detections, the one score of each that is explained, and the layer that is read.

use super::detector::{Detector, Form, STRIDES};
use super::error::ExplainError;
use super::layers::{self, Layer};
use super::outputs::{self, CLASSES, Choice, SCORES};
use super::probabilities::Link;
use super::request::Request;
use super::scores::Scores;
use crate::autodiff;
use crate::onnx::build::{self, Dim, int};
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::proto::DataType;

/// The boxes of what is explained: f32 `[N, K, 4]`, left, top, right and bottom as shares of the input's width and height.
pub const BOXES: &str = "camloc.boxes";

/// Boxes of one class that overlap by more than this IoU are of one object.
const OVERLAP: f32 = 0.5;
/// What is less probable is no detection.
const LEAST: f32 = 0.01;
/// How many detections of a class are told apart.
const MOST: i64 = 100;

impl Detector {
    /// What is explained: for the value of each class in each box `[N, classes * boxes]`, a score.
    pub(super) fn scores(&self, graph: &mut GraphEditor<'_>) -> Scores {
        let classes = self.classes as i64;
        let output = outputs::as_f32(graph, &self.output);
        let by_class = match self.form {
            Form::ScoresBelow => graph.slice("camloc.by_class", &output, 1, 4, 4 + classes),
            Form::Objectness | Form::ObjectnessOnGrids => {
                let any = graph.slice("camloc.objectness", &output, 2, 4, 5);
                let shares = graph.slice("camloc.shares", &output, 2, 5, 5 + classes);
                let product = graph.op("Mul", "camloc.by_box", &[&any, &shares], vec![]);
                graph.op("Transpose", "camloc.by_class", &[&product], vec![build::ints("perm", &[0, 2, 1])])
            }
        };
        let all = self.classes * self.boxes;
        Scores {
            output: self.output.clone(),
            logits: graph.reshape("camloc.values", &by_class, &[-1, all as i64]),
            probabilities: None,
            link: Link::Identity,
            classes: all,
            head: None,
        }
    }

    /// Appends the choice of the best detections, or of the best one of each class asked for, their scores and boxes.
    pub(super) fn choose(&self, graph: &mut GraphEditor<'_>, scores: &Scores, request: &Request) -> Choice {
        let targets: Vec<i64> = if request.targets.is_empty() {
            vec![-1; request.top_k.min(scores.classes)]
        } else {
            request.targets.iter().map(|&target| target as i64).collect()
        };
        let count = targets.len();
        outputs::add_targets(graph, &targets);
        let boxes = self.centred(graph);
        let kept = self.kept(graph, scores, &boxes);
        let k = graph.add_ints("camloc.k", &[count as i64]);
        let (best, ranks) = (graph.fresh_name("camloc.best"), graph.fresh_name("camloc.ranks"));
        let name = graph.fresh_name("camloc.topk");
        graph.push(build::node("TopK", &name, &[&kept, &k], &[&best, &ranks], vec![]));
        let ranks = graph.cast("camloc.ranked", &ranks, DataType::Int32);
        let numbers = self.targets_or(graph, &kept, &ranks);
        let each = graph.add_number("camloc.box_count", self.boxes as i32);
        let class = graph.op("Div", "camloc.class", &[&numbers, &each], vec![]);
        graph.cast(CLASSES, &class, DataType::Int64);
        // What was left out as another box of the same object, or too improbable, is worth nothing.
        graph.op("GatherElements", SCORES, &[&kept, &numbers], vec![int("axis", 1)]);
        let at = graph.op("Mod", "camloc.box", &[&numbers, &each], vec![]);
        self.gather_boxes(graph, &boxes, &at, count);
        Choice { numbers, count }
    }

    /// The boxes as centre and size in pixels of the input, `[N, boxes, 4]`.
    fn centred(&self, graph: &mut GraphEditor<'_>) -> String {
        let output = outputs::as_f32(graph, &self.output);
        match self.form {
            Form::ScoresBelow => {
                let boxes = graph.slice("camloc.centred", &output, 1, 0, 4);
                graph.op("Transpose", "camloc.centred", &[&boxes], vec![build::ints("perm", &[0, 2, 1])])
            }
            Form::Objectness => graph.slice("camloc.centred", &output, 2, 0, 4),
            Form::ObjectnessOnGrids => {
                let (corners, strides) = self.grids();
                let shape = [1, self.boxes as i64, 2];
                let corners = graph.add_initializer(build::f32_tensor("camloc.grid", &shape, &corners));
                let strides = graph.add_initializer(build::f32_tensor("camloc.strides", &shape, &strides));
                let centre = graph.slice("camloc.centre", &output, 2, 0, 2);
                let size = graph.slice("camloc.size", &output, 2, 2, 4);
                let centre = graph.op("Add", "camloc.centre", &[&centre, &corners], vec![]);
                let size = graph.op("Exp", "camloc.size", &[&size], vec![]);
                let both =
                    [centre, size].map(|part| graph.op("Mul", "camloc.pixels", &[&part, &strides], vec![]));
                graph.op("Concat", "camloc.centred", &[&both[0], &both[1]], vec![int("axis", 2)])
            }
        }
    }

    /// Of each box column and row in its grid, and how many pixels lie between the grid's columns and rows.
    fn grids(&self) -> (Vec<f32>, Vec<f32>) {
        let (mut corners, mut strides) = (Vec::new(), Vec::new());
        for stride in STRIDES {
            for row in 0..self.size.0 / stride {
                for column in 0..self.size.1 / stride {
                    corners.extend([column as f32, row as f32]);
                    strides.extend([stride as f32; 2]);
                }
            }
        }
        (corners, strides)
    }

    /// The scores, and 0 in place of those that are of no detection, `[N, classes * boxes]`.
    fn kept(&self, graph: &mut GraphEditor<'_>, scores: &Scores, boxes: &str) -> String {
        let shape = [-1, self.classes as i64, self.boxes as i64];
        let by_class = graph.reshape("camloc.by_class", &scores.logits, &shape);
        let most = graph.add_ints("camloc.most", &[MOST]);
        let limits = [OVERLAP, LEAST]
            .map(|limit| graph.add_initializer(build::f32_tensor("camloc.limit", &[1], &[limit])));
        let inputs = [boxes, &by_class, &most, &limits[0], &limits[1]];
        let found = graph.op("NonMaxSuppression", "camloc.found", &inputs, vec![int("center_point_box", 1)]);
        let values = graph.op("GatherND", "camloc.found_scores", &[&by_class, &found], vec![]);
        let zero = graph.add_float("camloc.nothing", 0.0);
        let nothing = graph.op("Mul", "camloc.nothing", &[&by_class, &zero], vec![]);
        let kept = graph.op("ScatterND", "camloc.kept", &[&nothing, &found, &values], vec![]);
        graph.reshape("camloc.kept", &kept, &[-1, scores.classes as i64])
    }

    /// Where the best detection of each target lies, and where a target is below zero what stands in its place; i32.
    fn targets_or(&self, graph: &mut GraphEditor<'_>, kept: &str, ranks: &str) -> String {
        let shape = [-1, self.classes as i64, self.boxes as i64];
        let by_class = graph.reshape("camloc.kept", kept, &shape);
        let best =
            graph.op("ArgMax", "camloc.best_box", &[&by_class], vec![int("axis", 2), int("keepdims", 0)]);
        let best = graph.cast("camloc.best_box", &best, DataType::Int32);
        let targets = graph.cast("camloc.target_numbers", outputs::TARGETS, DataType::Int32);
        let zero = graph.add_number("camloc.zero", 0);
        let by_rank = graph.op("Less", "camloc.by_rank", &[&targets, &zero], vec![]);
        let classes = graph.op("Max", "camloc.target_classes", &[&targets, &zero], vec![]);
        let boxes = graph.op("Gather", "camloc.target_boxes", &[&best, &classes], vec![int("axis", 1)]);
        let each = graph.add_number("camloc.box_count", self.boxes as i32);
        let first = graph.op("Mul", "camloc.target_places", &[&classes, &each], vec![]);
        let places = graph.op("Add", "camloc.target_places", &[&first, &boxes], vec![]);
        graph.op("Where", "camloc.chosen", &[&by_rank, ranks, &places], vec![])
    }

    /// Appends [`BOXES`]: those at `at` `[N, K]`, by their corners.
    fn gather_boxes(&self, graph: &mut GraphEditor<'_>, boxes: &str, at: &str, count: usize) {
        let at = graph.reshape("camloc.box", at, &[-1, count as i64, 1]);
        let four = graph.add_ints("camloc.four", &[1, 1, 4]);
        let at = graph.op("Expand", "camloc.box", &[&at, &four], vec![]);
        let chosen = graph.op("GatherElements", "camloc.chosen_boxes", &[boxes, &at], vec![int("axis", 1)]);
        let (rows, columns) = (self.size.0 as f32, self.size.1 as f32);
        // From centre and size to corners as shares is one product.
        let (x, y) = (1.0 / columns, 1.0 / rows);
        let corners =
            [x, 0.0, x, 0.0, 0.0, y, 0.0, y, -x / 2.0, 0.0, x / 2.0, 0.0, 0.0, -y / 2.0, 0.0, y / 2.0];
        let corners = graph.add_initializer(build::f32_tensor("camloc.corners", &[4, 4], &corners));
        graph.op("MatMul", BOXES, &[&chosen, &corners], vec![]);
        let shape = [Dim::Unknown, Dim::Fixed(count as i64), Dim::Fixed(4)];
        graph.add_output(build::value_info(BOXES, DataType::Float, &shape));
    }

    /// The scores, as many as there are classes, the layers that a map can be made of, the last first, and which of them is
    /// taken by default.
    pub(super) fn offers(&self, graph: &mut GraphEditor<'_>) -> (Scores, Vec<Layer>, usize) {
        let mut scores = self.scores(graph);
        let layers = layers::candidates(graph, &scores.logits);
        let usual = Detector::layer(graph, &scores).unwrap_or_default();
        let usual =
            usual.first().and_then(|usual| layers.iter().position(|layer| layer.tensor == usual.tensor));
        scores.logits.clone_from(&self.output);
        scores.classes = self.classes;
        (scores, layers, usual.unwrap_or_default())
    }

    /// The last layer that every detection depends on, whichever grid it is of: it feeds every last convolution or product
    /// behind which the output has no weights more.
    pub(super) fn layer(graph: &Graph<'_>, scores: &Scores) -> Result<Vec<Layer>, ExplainError> {
        let ends = ends(graph, &scores.logits);
        let feeds =
            |layer: &Layer| ends.iter().all(|end| !autodiff::between(graph, &layer.tensor, end).is_empty());
        let found = layers::candidates(graph, &scores.logits).into_iter().find(feeds);
        found.map_or_else(|| Ok(layers::select(graph, &scores.logits, &["-1"])?), |layer| Ok(vec![layer]))
    }
}

/// The outputs of the last nodes with weights of their own on every way to a tensor.
fn ends(graph: &Graph<'_>, tensor: &str) -> Vec<String> {
    let (mut seen, mut found) = (std::collections::HashSet::new(), Vec::new());
    let mut pending: Vec<usize> = graph.position(tensor).into_iter().collect();
    while let Some(index) = pending.pop() {
        let Some(node) = graph.nodes().get(index).filter(|_| seen.insert(index)) else { continue };
        if matches!(node.standard_op(), "Conv" | "Gemm" | "MatMul") {
            found.extend(node.output_at(0).map(str::to_owned));
        } else {
            pending.extend(node.input.iter().filter_map(|input| graph.position(input)));
        }
    }
    found
}
