//! Operators that exporters write in pieces.
//!
//! The runtime puts the pieces together again, but only if nothing else uses what lies between them. A gradient taken
//! piece by piece would use it: the model's own outputs would then move by a bit, and the pass be slower.

use crate::onnx::build;
use crate::onnx::edit::GraphEditor;
use crate::onnx::graph::Graph;
use crate::onnx::proto::NodeProto;

/// Whether a graph holds layer norms in pieces.
pub fn has_norm_in_pieces(graph: &Graph<'_>) -> bool {
    (0..graph.nodes().len()).any(|index| layer_norm(graph, index).is_some())
}

/// The operator of which the node at a position is the last piece.
pub(super) fn at(graph: &Graph<'_>, index: usize) -> Option<NodeProto> {
    gelu(graph, index).or_else(|| layer_norm(graph, index))
}

/// The `Gelu` of which the node at a position is the last piece: `x / 2 * (1 + erf(x / √2))`, its products in any order.
fn gelu(graph: &Graph<'_>, index: usize) -> Option<NodeProto> {
    let last = graph.nodes().get(index).filter(|node| node.standard_op() == "Mul")?;
    let mut factors = Vec::new();
    collect(graph, last, &mut factors);
    // Of x, 1 + erf(x / √2) and 1/2 there is one each.
    let half = factors.iter().position(|factor| is_number(graph, factor, 0.5))?;
    factors.swap_remove(half);
    let gate = factors.iter().position(|factor| argument(graph, factor).is_some())?;
    let argument = argument(graph, factors.swap_remove(gate))?;
    match factors[..] {
        [x] if x == argument => Some(build::node("Gelu", last.name(), &[x], &[last.output_at(0)?], vec![])),
        _ => None,
    }
}

/// A tensor's value, for a node that is appended. A sum that only a norm uses, as at the end of a transformer's last
/// block, is added once more, the other way round: sum and norm are fused only where nothing else uses the sum, and
/// equal nodes would be merged first.
pub(crate) fn apart(graph: &mut GraphEditor<'_>, tensor: &str) -> String {
    let users: Vec<&str> = graph.consumers(tensor).map(NodeProto::standard_op).collect();
    // In pieces, a norm begins with the mean and what differs from it.
    let only_in_norm = users == ["LayerNormalization"] || users == ["ReduceMean", "Sub"];
    let sum = graph.producer(tensor).filter(|node| only_in_norm && node.standard_op() == "Add");
    let Some((a, b)) = sum.and_then(operands) else { return tensor.to_owned() };
    let (a, b) = (bias_apart(graph, &a), bias_apart(graph, &b));
    graph.op("Add", "camloc.apart", &[&b, &a], vec![])
}

/// One term of such a sum. A bias that was added last, as the second operand, is fused as well, and so added anew.
fn bias_apart(graph: &mut GraphEditor<'_>, term: &str) -> String {
    // Tokens only: of more axes than three, sum and norm are not fused, but the product before may be.
    let fused = graph.rank(term) == Some(3) && is_inner(graph, term);
    let biased = graph.producer(term).filter(|node| node.standard_op() == "Add" && fused);
    match biased.and_then(operands).filter(|(_, bias)| graph.is_constant(bias)) {
        Some((values, bias)) => graph.op("Add", "camloc.apart", &[&bias, &values], vec![]),
        None => term.to_owned(),
    }
}

fn operands(node: &NodeProto) -> Option<(String, String)> {
    Some((node.input_at(0)?.to_owned(), node.input_at(1)?.to_owned()))
}

/// The `LayerNormalization` of which the node at a position is the last piece: over the last axis, `x` less its mean, over
/// the root of the mean square of that, times a scale, plus a bias.
fn layer_norm(graph: &Graph<'_>, index: usize) -> Option<NodeProto> {
    let last = graph.nodes().get(index).filter(|node| node.standard_op() == "Add")?;
    let (product, bias) = beside_constant(graph, last)?;
    let product = made_by(graph, product, "Mul")?;
    let (standard, scale) = beside_constant(graph, product)?;
    let quotient = made_by(graph, standard, "Div")?;
    let (centred, deviation) = (quotient.input_at(0)?, quotient.input_at(1)?);
    let difference = graph.producer(centred).filter(|node| node.standard_op() == "Sub")?;
    let x = difference.input_at(0)?;
    let mean = made_by(graph, difference.input_at(1)?, "ReduceMean")?;
    let root = made_by(graph, deviation, "Sqrt")?;
    let sum = made_by(graph, root.input_at(0)?, "Add")?;
    let (variance, epsilon) = beside_constant(graph, sum)?;
    let variance = made_by(graph, variance, "ReduceMean")?;
    let square = graph.producer(variance.input_at(0)?)?;
    let squared = match square.standard_op() {
        "Pow" => {
            is_number(graph, square.input_at(1)?, 2.0) && is_once_more(graph, square.input_at(0)?, x, centred)
        }
        "Mul" => square.input.iter().all(|factor| factor == centred),
        _ => false,
    };
    let over_last = |node: &NodeProto| {
        let rank = graph.rank(x)?;
        (graph.operator(node).reduced(rank)? == [rank.checked_sub(1)?]).then_some(())
    };
    over_last(mean)?;
    over_last(variance)?;
    let epsilon = graph.floats(epsilon)?;
    let vector = |name: &str| graph.rank(name) == Some(1);
    let whole = squared && mean.input_at(0)? == x && vector(scale) && vector(bias);
    let attributes = vec![build::int("axis", -1), build::float("epsilon", *epsilon.first()?)];
    let output = last.output_at(0)?;
    whole.then(|| build::node("LayerNormalization", last.name(), &[x, scale, bias], &[output], attributes))
}

/// Whether a tensor is `x` less its mean, perhaps computed a second time.
fn is_once_more(graph: &Graph<'_>, tensor: &str, x: &str, centred: &str) -> bool {
    tensor == centred
        || graph
            .producer(tensor)
            .is_some_and(|node| node.standard_op() == "Sub" && node.input_at(0) == Some(x))
}

/// The node that makes a tensor, if it is this operator and nothing else uses the tensor.
fn made_by<'g>(graph: &'g Graph<'_>, tensor: &str, operator: &str) -> Option<&'g NodeProto> {
    graph.producer(tensor).filter(|node| node.standard_op() == operator && is_inner(graph, tensor))
}

/// The operand that varies, and the constant beside it.
fn beside_constant<'g>(graph: &Graph<'_>, node: &'g NodeProto) -> Option<(&'g str, &'g str)> {
    let (a, b) = (node.input_at(0)?, node.input_at(1)?);
    match (graph.is_constant(a), graph.is_constant(b)) {
        (false, true) => Some((a, b)),
        (true, false) => Some((b, a)),
        _ => None,
    }
}

/// The factors of a product, of which one may be a product in turn that nothing else uses.
fn collect<'g>(graph: &'g Graph<'_>, node: &'g NodeProto, factors: &mut Vec<&'g str>) {
    for factor in node.input.iter().map(String::as_str) {
        match made_by(graph, factor, "Mul") {
            Some(maker) => factors.extend(maker.input.iter().map(String::as_str)),
            None => factors.push(factor),
        }
    }
}

/// The x of `1 + erf(x / √2)`.
fn argument<'g>(graph: &'g Graph<'_>, gate: &str) -> Option<&'g str> {
    let sum = made_by(graph, gate, "Add")?;
    let error = other_than(graph, sum, 1.0)?;
    let error = made_by(graph, error, "Erf")?;
    let inner = error.input_at(0).filter(|inner| is_inner(graph, inner))?;
    let scaled = graph.producer(inner)?;
    match scaled.standard_op() {
        "Div" if is_number(graph, scaled.input_at(1)?, std::f32::consts::SQRT_2) => scaled.input_at(0),
        "Mul" => other_than(graph, scaled, std::f32::consts::FRAC_1_SQRT_2),
        _ => None,
    }
}

/// The operand beside a constant.
fn other_than<'g>(graph: &Graph<'_>, node: &'g NodeProto, number: f32) -> Option<&'g str> {
    let (a, b) = (node.input_at(0)?, node.input_at(1)?);
    match (is_number(graph, a, number), is_number(graph, b, number)) {
        (true, false) => Some(b),
        (false, true) => Some(a),
        _ => None,
    }
}

fn is_number(graph: &Graph<'_>, tensor: &str, number: f32) -> bool {
    graph.floats(tensor).is_some_and(|values| matches!(values[..], [value] if (value - number).abs() < 1e-3))
}

/// Whether one node alone uses a tensor.
fn is_inner(graph: &Graph<'_>, tensor: &str) -> bool {
    let mut consumers = graph.consumers(tensor);
    consumers.next().is_some() && consumers.next().is_none() && !graph.is_output(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{Dim, f32_tensor, graph, model, node, value_info};
    use crate::onnx::proto::DataType;

    /// Which node's Gelu is found, where it is written with these last two products.
    fn found(products: [[&str; 2]; 2]) -> Option<Vec<String>> {
        let x = value_info("x", DataType::Float, &[Dim::Fixed(2)]);
        let constants = [("root", std::f32::consts::SQRT_2), ("one", 1.0), ("half", 0.5)];
        let constants = constants.map(|(name, value)| f32_tensor(name, &[], &[value])).to_vec();
        let nodes = vec![
            node("Div", "div", &["x", "root"], &["u"], vec![]),
            node("Erf", "erf", &["u"], &["e"], vec![]),
            node("Add", "add", &["e", "one"], &["gate"], vec![]),
            node("Mul", "first", &products[0], &["p"], vec![]),
            node("Mul", "last", &products[1], &["y"], vec![]),
        ];
        let y = value_info("y", DataType::Float, &[Dim::Fixed(2)]);
        let model = model(graph("g", vec![x], vec![y], constants, nodes));
        let graph = Graph::new(&model);
        assert_eq!(gelu(&graph, 3), None, "it ends with the last product");
        gelu(&graph, 4).map(|node| node.input)
    }

    #[test]
    fn a_layer_norm_in_pieces_is_found() {
        let x = value_info("x", DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(5), Dim::Fixed(2)]);
        let constants = vec![
            f32_tensor("two", &[], &[2.0]),
            f32_tensor("epsilon", &[], &[1e-6]),
            f32_tensor("scale", &[2], &[1.0, 2.0]),
            f32_tensor("bias", &[2], &[0.5, 0.0]),
        ];
        for (axis, whole) in [(-1, true), (2, true), (1, false)] {
            let axes = || vec![build::ints("axes", &[axis])];
            let nodes = vec![
                node("ReduceMean", "a", &["x"], &["mean"], axes()),
                node("Sub", "b", &["x", "mean"], &["centred"], vec![]),
                node("Pow", "c", &["centred", "two"], &["square"], vec![]),
                node("ReduceMean", "d", &["square"], &["variance"], axes()),
                node("Add", "e", &["variance", "epsilon"], &["above"], vec![]),
                node("Sqrt", "f", &["above"], &["root"], vec![]),
                node("Div", "g", &["centred", "root"], &["standard"], vec![]),
                node("Mul", "h", &["standard", "scale"], &["scaled"], vec![]),
                node("Add", "i", &["scaled", "bias"], &["y"], vec![]),
            ];
            let mut model = model(graph("g", vec![x.clone()], vec![], constants.clone(), nodes));
            model.opset_import[0].version = Some(17);
            let found = layer_norm(&Graph::new(&model), 8);
            assert_eq!(
                found.as_ref().map(|node| node.input.as_slice() == ["x", "scale", "bias"]),
                whole.then_some(true)
            );
            assert!(found.is_none_or(|node| (node.float_or("epsilon", 0.0) - 1e-6).abs() < 1e-9));
        }
    }

    #[test]
    fn a_gelu_in_pieces_is_found_in_any_order() {
        let x = Some(vec!["x".to_owned()]);
        assert_eq!(found([["x", "gate"], ["p", "half"]]), x);
        assert_eq!(found([["x", "half"], ["p", "gate"]]), x);
        assert_eq!(found([["half", "gate"], ["x", "p"]]), x);
        assert_eq!(found([["x", "gate"], ["p", "one"]]), None, "twice as large");
        assert_eq!(found([["x", "x"], ["p", "gate"]]), None, "a square");
    }
}
