//! Between which numbers a tensor's values lie, whatever the picture, and what is a probability by that.

use crate::onnx::graph::Graph;
use crate::onnx::proto::NodeProto;

/// The least and the largest value.
type Bounds = [f64; 2];

const ANY: Bounds = [f64::NEG_INFINITY, f64::INFINITY];
const POSITIVE: Bounds = [0.0, f64::INFINITY];
const SHARE: Bounds = [0.0, 1.0];

/// How many nodes are looked at: of a head there are fewer, and a hostile file could have very many ways back.
const MOST_NODES: usize = 512;

/// What rounding may add to a sum of shares.
const SLACK: f64 = 1e-3;

/// Whether every value of a tensor is a probability: of 0 to 1.
pub(super) fn is_probability(graph: &Graph<'_>, tensor: &str) -> bool {
    let [least, largest] = Search { graph, left: MOST_NODES }.bounds(tensor);
    least >= -SLACK && largest <= 1.0 + SLACK
}

/// The logits of which a tensor is the softmax, written as what it is made of: `exp(z) / Σ exp(z)`.
pub(super) fn softmax_in_pieces<'g>(graph: &'g Graph<'_>, tensor: &str) -> Option<&'g str> {
    let node = graph.producer(tensor).filter(|node| node.standard_op() == "Div")?;
    let (above, below) = (node.input_at(0)?, node.input_at(1)?);
    let exponent = graph.producer(above).filter(|node| node.standard_op() == "Exp")?;
    let is_sum = Search { graph, left: MOST_NODES }.is_sum_of(below, above);
    if is_sum { exponent.input_at(0) } else { None }
}

struct Search<'g, 'm> {
    graph: &'g Graph<'m>,
    /// How many nodes more.
    left: usize,
}

impl Search<'_, '_> {
    fn bounds(&mut self, tensor: &str) -> Bounds {
        if let Some(values) = self.graph.floats(tensor).filter(|values| !values.is_empty()) {
            let values = values.into_iter().map(f64::from);
            return values
                .fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], value| [a.min(value), b.max(value)]);
        }
        let Some(node) = self.graph.producer(tensor) else { return ANY };
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return ANY,
        }
        self.of_node(node)
    }

    fn of_node(&mut self, node: &NodeProto) -> Bounds {
        let at = |index: usize| node.input_at(index).unwrap_or_default();
        match node.standard_op() {
            "Softmax" | "Sigmoid" | "HardSigmoid" | "Hardmax" => SHARE,
            "Tanh" | "Softsign" | "Erf" => [-1.0, 1.0],
            "Exp" | "Abs" | "Sqrt" | "Softplus" => POSITIVE,
            "Clip" => {
                let [low, high] =
                    ["min", "max"].map(|name| node.find_attribute(name).map(|bound| bound.f().into()));
                let low = low.unwrap_or_else(|| self.limit(at(1), 0));
                let high = high.unwrap_or_else(|| self.limit(at(2), 1));
                self.bounds(at(0)).map(|bound| bound.max(low).min(high))
            }
            "Identity" | "Cast" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Transpose" | "Slice"
            | "Gather" | "Split" | "Dropout" | "Expand" | "ReduceMean" | "ReduceMax" | "ReduceMin"
            | "GlobalAveragePool" => self.bounds(at(0)),
            "Concat" | "Mean" | "Max" | "Min" => self.hull(node.input.iter()),
            "Where" => self.hull(node.input.iter().skip(1)),
            "Neg" => {
                let [low, high] = self.bounds(at(0));
                [-high, -low]
            }
            "Add" | "Sum" => node.input.iter().fold([0.0; 2], |[low, high], term| {
                let [a, b] = self.bounds(term);
                [low + a, high + b]
            }),
            "Sub" => {
                let ([a, b], [c, d]) = (self.bounds(at(0)), self.bounds(at(1)));
                [a - d, b - c]
            }
            "Mul" => product(self.bounds(at(0)), self.bounds(at(1))),
            "Div" => self.quotient(at(0), at(1)),
            op if op.starts_with("Reduce") => match self.bounds(at(0)) {
                [low, _] if low >= 0.0 => POSITIVE,
                _ => ANY,
            },
            _ => ANY,
        }
    }

    /// A bound of a `Clip`, that may be left out.
    fn limit(&mut self, tensor: &str, side: usize) -> f64 {
        if tensor.is_empty() { ANY[side] } else { self.bounds(tensor)[side] }
    }

    fn hull<'n>(&mut self, tensors: impl Iterator<Item = &'n String>) -> Bounds {
        tensors.map(|tensor| self.bounds(tensor)).reduce(|[a, b], [c, d]| [a.min(c), b.max(d)]).unwrap_or(ANY)
    }

    fn quotient(&mut self, above: &str, below: &str) -> Bounds {
        let (own, by) = (self.bounds(above), self.bounds(below));
        if own[0] >= 0.0 && self.is_sum_of(below, above) {
            return SHARE;
        }
        match by {
            [low, high] if low > 0.0 => product(own, [1.0 / high, 1.0 / low]),
            _ => ANY,
        }
    }

    /// Whether a tensor is the sum of another's values along some axes, perhaps kept from being zero.
    fn is_sum_of(&mut self, tensor: &str, terms: &str) -> bool {
        let Some(node) = self.graph.producer(tensor) else { return false };
        let first = node.input_at(0).unwrap_or_default();
        match (node.standard_op(), self.left.checked_sub(1)) {
            (_, None) => false,
            ("ReduceSum", Some(left)) => {
                self.left = left;
                self.is_same(first, terms)
            }
            ("Identity" | "Unsqueeze" | "Expand" | "Clip" | "Max" | "Reshape", Some(left)) => {
                self.left = left;
                self.is_sum_of(first, terms)
            }
            _ => false,
        }
    }

    /// Whether two tensors have the same values, because the same is done to the same.
    fn is_same(&mut self, a: &str, b: &str) -> bool {
        if a == b {
            return true;
        }
        let (Some(first), Some(second)) = (self.graph.producer(a), self.graph.producer(b)) else {
            return false;
        };
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        first.op_type() == second.op_type()
            && first.domain() == second.domain()
            && first.attribute == second.attribute
            && first.input.len() == second.input.len()
            && first.input.iter().zip(&second.input).all(|(a, b)| self.is_same(a, b))
    }
}

fn product([a, b]: Bounds, [c, d]: Bounds) -> Bounds {
    // Nothing times anything is nothing, of bounds as well.
    let times = |x: f64, y: f64| if x == 0.0 || y == 0.0 { 0.0 } else { x * y };
    let ends = [times(a, c), times(a, d), times(b, c), times(b, d)];
    let [low, high] = [f64::min, f64::max].map(|pick: fn(f64, f64) -> f64| ends.into_iter().reduce(pick));
    [low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{Dim, f32_tensor, float, graph, int, ints, model, node, value_info};
    use crate::onnx::proto::{AttributeProto, DataType};

    fn op(op: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
        node(op, output, inputs, &[output], attributes)
    }

    fn is(nodes: Vec<NodeProto>) -> bool {
        let constants =
            [("one", 1.0), ("two", 2.0), ("tiny", 1e-6)].map(|(name, value)| f32_tensor(name, &[], &[value]));
        let x = value_info("x", DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(5)]);
        let model = model(graph("g", vec![x], vec![], constants.to_vec(), nodes));
        is_probability(&Graph::new(&model), "y")
    }

    #[test]
    fn what_lies_between_0_and_1_is_a_probability_however_it_is_made() {
        let softmax = |output: &str| op("Softmax", &["x"], output, vec![int("axis", 1)]);
        assert!(is(vec![softmax("p"), op("Clip", &["p", "tiny", "one"], "y", vec![])]));
        assert!(is(vec![
            softmax("p"),
            softmax("q"),
            op("Add", &["p", "q"], "s", vec![]),
            op("Div", &["s", "two"], "y", vec![])
        ]));
        assert!(is(vec![softmax("p"), softmax("q"), op("Mean", &["p", "q"], "y", vec![])]));
        let other = vec![
            op("Sigmoid", &["x"], "p", vec![]),
            op("Sub", &["one", "p"], "q", vec![]),
            op("Concat", &["q", "p"], "y", vec![int("axis", 1)]),
        ];
        assert!(is(other));
        let axes = vec![ints("axes", &[1])];
        let pieces = vec![
            op("Exp", &["x"], "e", vec![]),
            op("Exp", &["x"], "again", vec![]),
            op("ReduceSum", &["again"], "s", axes),
            op("Div", &["e", "s"], "y", vec![]),
        ];
        assert!(is(pieces));
        assert!(!is(vec![softmax("p"), op("Mul", &["p", "two"], "y", vec![])]), "up to 2");
        assert!(!is(vec![op("Relu", &["x"], "y", vec![])]), "without end");
        let wide = vec![float("alpha", 2.0)];
        assert!(
            !is(vec![op("Sigmoid", &["x"], "p", vec![]), op("LeakyRelu", &["p"], "y", wide)]),
            "nobody knows"
        );
    }
}
