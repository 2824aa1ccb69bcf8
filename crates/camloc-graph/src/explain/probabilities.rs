//! From what a model says of its classes to probabilities, as [`outputs`](super::outputs) does it within a graph.

use super::bounds;
use super::walk::back;
use crate::onnx::graph::Graph;
use crate::onnx::operators::properties::Properties;
use crate::onnx::proto::{ModelProto, NodeProto};

/// How a model's output of class scores becomes probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// It holds them already: shares of one, or each class's own.
    Identity,
    /// It holds their logarithms.
    Exponential,
    /// It holds logits, of which one class is the case.
    Softmax,
    /// It holds logits, each of them for or against its own class.
    Sigmoid,
}

impl Link {
    /// By what stands before an output, past what hands its values on.
    pub fn of(model: &ModelProto, output: &str) -> Link {
        let graph = Graph::new(model);
        match Link::behind(&graph, output) {
            Some((link, _)) => link,
            None if bounds::is_probability(&graph, output) => Link::Identity,
            None => Link::Softmax,
        }
    }

    /// The node that makes probabilities, or their logarithms, which an output hands on; `None` where there is none.
    pub(super) fn behind<'g>(graph: &'g Graph<'_>, output: &'g str) -> Option<(Link, &'g NodeProto)> {
        // Some models keep probabilities away from 0 and 1.
        let passes = |node: &NodeProto| {
            let operator = graph.operator(node);
            operator.properties().has(Properties::SAME_VALUES) || operator.name() == "Clip"
        };
        let node = graph.producer(back(graph, output, passes))?;
        match node.standard_op() {
            "Softmax" | "Sigmoid" => Some((Link::Identity, node)),
            "LogSoftmax" => Some((Link::Exponential, node)),
            _ => None,
        }
    }

    /// The probability of each class, 0..1, of its scores.
    pub fn probabilities(self, scores: &[f32]) -> Vec<f32> {
        match self {
            Link::Identity => scores.to_vec(),
            Link::Exponential => scores.iter().map(|score| score.exp()).collect(),
            Link::Softmax => probabilities(scores),
            Link::Sigmoid => scores.iter().copied().map(sigmoid).collect(),
        }
    }
}

/// The probability of each class, 0..1: the share that softmax gives it. One logit is for or against: its probability is not
/// shared out among classes.
pub fn probabilities(logits: &[f32]) -> Vec<f32> {
    if let [logit] = logits {
        return vec![sigmoid(*logit)];
    }
    let peak = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights = logits.iter().map(|logit| f64::from(logit - peak).exp());
    let total: f64 = weights.clone().sum();
    weights.map(|weight| (weight / total) as f32).collect()
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{Dim, graph, model, node, value_info};
    use crate::onnx::proto::DataType;

    fn ends_in(ops: &[&str]) -> ModelProto {
        let names: Vec<String> = (0..=ops.len()).map(|i| format!("t{i}")).collect();
        let nodes = ops.iter().enumerate();
        let nodes = nodes.map(|(i, op)| node(op, op, &[&names[i]], &[&names[i + 1]], vec![])).collect();
        let sizes = [Dim::Fixed(1), Dim::Fixed(3)];
        let input = value_info("t0", DataType::Float, &sizes);
        model(graph(
            "g",
            vec![input],
            vec![value_info(&names[ops.len()], DataType::Float, &sizes)],
            vec![],
            nodes,
        ))
    }

    #[test]
    fn what_is_a_probability_already_stays_as_it_is() {
        assert_eq!(Link::of(&ends_in(&["Relu", "Softmax", "Identity"]), "t3"), Link::Identity);
        assert_eq!(Link::of(&ends_in(&["Sigmoid"]), "t1"), Link::Identity);
        assert_eq!(Link::of(&ends_in(&["LogSoftmax"]), "t1"), Link::Exponential);
        assert_eq!(Link::of(&ends_in(&["Softmax", "Relu"]), "t2"), Link::Softmax);
        assert_eq!(Link::of(&ends_in(&["Relu"]), "no such output"), Link::Softmax);
    }

    #[test]
    fn probabilities_are_found_behind_all_that_hands_them_on() {
        for op in ["Identity", "Dropout", "Flatten", "Transpose", "Clip"] {
            let model = ends_in(&["Relu", "Softmax", op]);
            assert_eq!(Link::of(&model, "t3"), Link::Identity, "{op}");
            let graph = Graph::new(&model);
            let maker = Link::behind(&graph, "t3").map(|(_, node)| node.standard_op());
            assert_eq!(maker, Some("Softmax"), "{op}");
        }
    }

    #[test]
    fn each_kind_of_output_becomes_probabilities_in_its_own_way() {
        assert_eq!(Link::Softmax.probabilities(&[7.0, 7.0]), [0.5, 0.5]);
        assert_eq!(Link::Identity.probabilities(&[0.9, 0.8]), [0.9, 0.8]);
        assert_eq!(Link::Exponential.probabilities(&[0.0, f32::NEG_INFINITY]), [1.0, 0.0]);
        assert_eq!(Link::Sigmoid.probabilities(&[0.0, f32::NEG_INFINITY, 0.0]), [0.5, 0.0, 0.5]);
    }

    #[test]
    fn logits_become_shares_of_one_and_one_logit_its_own_probability() {
        let found = probabilities(&[1.0, 1.0 + 3.0_f32.ln()]);
        assert!((found[0] - 0.25).abs() < 1e-6 && (found[1] - 0.75).abs() < 1e-6);
        assert_eq!(probabilities(&[1000.0, 1000.0, -1000.0]), [0.5, 0.5, 0.0]);
        assert_eq!(probabilities(&[0.0]), [0.5]);
        assert!(probabilities(&[]).is_empty());
    }
}
