//! Which of a model's outputs holds the class scores, where nobody says: by evidence, never by a guess that is not told.

use std::collections::HashSet;

use super::probabilities::Link;
use crate::onnx::graph::Graph;
use crate::onnx::operators::axes::wrap_axis;
use crate::onnx::proto::{DataType, Dimension, DimensionValue, ModelProto, TypeValue, ValueInfoProto};

/// An output that may hold class scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassOutput {
    /// Its name.
    pub name: String,
    /// How many classes it has, where the graph says so.
    pub classes: Option<usize>,
    /// Why it is taken for class scores, or not, in words; the strongest reasons first.
    pub why: Vec<&'static str>,
    /// How much speaks for it.
    weight: i32,
}

/// Words in the names of class scores.
const SCORES: [&str; 8] = ["logit", "prob", "score", "class", "label", "softmax", "pred", "cls"];
/// Words in the names of everything else that networks put out.
const OTHERS: [&str; 11] =
    ["embed", "feature", "feat", "hidden", "aux", "pool", "attention", "attn", "maps", "mask", "encoder"];

/// The outputs that may hold class scores, those for which most speaks first, then in the model's order. `labels` are how
/// many names the lists of class names have that were found with the model.
///
/// An output that another one is made of is never class scores, unless the other only makes probabilities or ranks of it.
pub fn class_outputs(model: &mut ModelProto, labels: &[usize]) -> Vec<ClassOutput> {
    let graph = Graph::new(model);
    let names: Vec<&str> = graph
        .outputs()
        .iter()
        .map(|output| output.name())
        .filter(|name| !name.starts_with("camloc."))
        .collect();
    let behind: Vec<HashSet<usize>> = names.iter().map(|name| ancestors(&graph, name)).collect();
    let deepest = behind.iter().map(HashSet::len).max().unwrap_or_default();
    let mut found: Vec<ClassOutput> = Vec::new();
    for (name, own) in names.iter().zip(&behind) {
        if !is_column(&graph, name) {
            continue;
        }
        let used = names.iter().zip(&behind).any(|(other, theirs)| {
            let made = graph.position(name).is_some_and(|position| theirs.contains(&position));
            other != name && made && is_column(&graph, other) && !is_ranking(&graph, other)
        });
        let classes = count(&graph, name);
        let lower = name.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let named = |count: &usize| Some(*count) == classes;
        let evidence = [
            (used, -64, "another output is made of it"),
            (is_ranking(&graph, name) && uncovered(&graph, name), -32, "it is a part of another output"),
            (labels.iter().any(named), 16, "it has as many values as there are labels"),
            (
                labels.is_empty() && matches!(classes, Some(1000 | 1001)),
                4,
                "it has as many values as ImageNet has classes",
            ),
            (Link::behind(&graph, name).is_some(), 4, "it ends in probabilities"),
            (has(&SCORES), 3, "its name"),
            (has(&OTHERS), -6, "its name"),
            (2 * own.len() < deepest, -2, "it leaves the network early"),
            (classes == Some(1), -1, "it is a single value"),
        ];
        let mut told: Vec<(i32, &str)> =
            evidence.iter().filter(|(holds, ..)| *holds).map(|&(_, weight, why)| (weight, why)).collect();
        told.sort_by_key(|(weight, _)| -weight.abs());
        let weight = told.iter().map(|(weight, _)| weight).sum();
        let why = told.into_iter().map(|(_, why)| why).collect();
        found.push(ClassOutput { name: (*name).to_owned(), classes, why, weight });
    }
    // The sort is stable.
    found.sort_by_key(|output| -output.weight);
    found
}

/// Whether an output has the shape and type of class scores, `[N, C]`, perhaps with axes of size 1 behind, or `[C]`.
fn is_column(graph: &Graph<'_>, output: &str) -> bool {
    let whole = matches!(
        graph.element_type(output),
        Some(DataType::Int64 | DataType::Int32 | DataType::Bool | DataType::String)
    );
    let column = shape(graph, output).is_none_or(|shape| match &shape[..] {
        [_] => true,
        [_, _, rest @ ..] => rest.iter().all(|&size| size == Some(1)),
        [] => false,
    });
    !whole && column
}

/// The sizes of an output: those that it declares, and what follows from the graph where it leaves them open. A declaration
/// of another rank than the graph's goes first: whoever made the file knew what the output is for.
fn shape(graph: &Graph<'_>, output: &str) -> Option<Vec<Option<i64>>> {
    let inferred = graph.shape(output);
    let declared = graph.outputs().iter().find(|value| value.name() == output).and_then(declared_sizes);
    let Some(declared) = declared else { return inferred.map(<[_]>::to_vec) };
    let inferred = inferred.filter(|inferred| inferred.len() == declared.len()).unwrap_or_default();
    Some(
        declared
            .iter()
            .enumerate()
            .map(|(axis, size)| size.or_else(|| inferred.get(axis).copied().flatten()))
            .collect(),
    )
}

/// The sizes that a value declares, `None` for those left open; `None` where it declares no shape.
fn declared_sizes(value: &ValueInfoProto) -> Option<Vec<Option<i64>>> {
    let Some(TypeValue::TensorType(tensor)) = &value.r#type.as_ref()?.value else { return None };
    let size = |dim: &Dimension| match dim.value {
        Some(DimensionValue::DimValue(size)) if size > 0 => Some(size),
        _ => None,
    };
    Some(tensor.shape.as_ref()?.dim.iter().map(size).collect())
}

/// Whether an output only ranks others, or picks some: the values of the best, their places, the first picture's.
fn is_ranking(graph: &Graph<'_>, output: &str) -> bool {
    let Some(node) = graph.producer(output) else { return false };
    match node.standard_op() {
        "TopK" | "ArgMax" | "ReduceMax" => true,
        "Gather" | "Squeeze" | "Slice" => graph.rank(output) == Some(1),
        _ => false,
    }
}

/// Whether what an output ranks or picks of is an output, too.
fn uncovered(graph: &Graph<'_>, output: &str) -> bool {
    let node = graph.producer(output);
    node.and_then(|node| node.input_at(0)).is_some_and(|scores| graph.is_output(scores))
}

fn count(graph: &Graph<'_>, output: &str) -> Option<usize> {
    let shape = shape(graph, output)?;
    let axis = wrap_axis(1, shape.len()).unwrap_or(0);
    usize::try_from((*shape.get(axis)?)?).ok()
}

/// The nodes that an output is made of.
fn ancestors(graph: &Graph<'_>, output: &str) -> HashSet<usize> {
    let mut found = HashSet::new();
    let mut pending: Vec<usize> = graph.position(output).into_iter().collect();
    while let Some(index) = pending.pop() {
        if found.insert(index) {
            let inputs = graph.nodes().get(index).map_or(&[][..], |node| &node.input);
            pending.extend(inputs.iter().filter_map(|input| graph.position(input)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{self, Dim, f32_tensor, int, node, value_info};
    use crate::onnx::proto::NodeProto;

    /// A network with these nodes behind its pooled features `f` `[N, 4]`, and these outputs of so many values.
    fn network(nodes: Vec<NodeProto>, outputs: &[(&str, i64)]) -> ModelProto {
        let image = [Dim::Symbol("N"), Dim::Fixed(4), Dim::Fixed(8), Dim::Fixed(8)];
        let mut all = vec![
            node("Relu", "early", &["x"], &["early"], vec![]),
            node("GlobalAveragePool", "early_pool", &["early"], &["ep"], vec![]),
            node("Flatten", "early_flat", &["ep"], &["ef"], vec![]),
        ];
        let mut last = "early".to_owned();
        for at in 0..6 {
            let next = format!("r{at}");
            all.push(node("Relu", &next, &[&last], &[&next], vec![]));
            last = next;
        }
        all.push(node("GlobalAveragePool", "pool", &[&last], &["pool"], vec![]));
        all.push(node("Flatten", "flat", &["pool"], &["f"], vec![]));
        all.extend(nodes);
        let of = |&(name, count): &(&str, i64)| -> ValueInfoProto {
            value_info(name, DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(count)])
        };
        let weights =
            [3, 4, 5].map(|to| f32_tensor(&format!("w{to}"), &[4, to], &vec![0.5; 4 * to as usize]));
        let outputs = outputs.iter().map(of).collect();
        build::model(build::graph(
            "g",
            vec![value_info("x", DataType::Float, &image)],
            outputs,
            weights.to_vec(),
            all,
        ))
    }

    fn linear(from: &str, weight: &str, to: &str) -> NodeProto {
        node("MatMul", to, &[from, weight], &[to], vec![])
    }

    fn order(nodes: Vec<NodeProto>, outputs: &[(&str, i64)], labels: &[usize]) -> Vec<String> {
        class_outputs(&mut network(nodes, outputs), labels).into_iter().map(|output| output.name).collect()
    }

    #[test]
    fn what_another_output_is_made_of_is_no_class_score_whatever_its_name() {
        let nodes = vec![linear("f", "w4", "scores"), linear("scores", "w5", "y")];
        assert_eq!(order(nodes.clone(), &[("scores", 4), ("y", 5)], &[]), ["y", "scores"]);
        assert_eq!(order(nodes, &[("y", 5), ("scores", 4)], &[4]), ["y", "scores"]);
    }

    #[test]
    fn probabilities_ranks_and_logits_are_one_thing() {
        let softmax = node("Softmax", "p", &["y"], &["p"], vec![int("axis", 1)]);
        let nodes =
            vec![linear("f", "w5", "y"), softmax, node("ReduceMax", "best", &["y"], &["best"], vec![])];
        assert_eq!(order(nodes, &[("y", 5), ("p", 5), ("best", 1)], &[])[0], "p");
        let ranks = vec![linear("f", "w5", "y"), node("ReduceMax", "best", &["y"], &["best"], vec![])];
        assert_eq!(order(ranks, &[("y", 5), ("best", 1)], &[])[0], "y");
    }

    #[test]
    fn labels_names_and_depth_tell() {
        let heads = |a: &'static str, b: &'static str| vec![linear("f", "w4", a), linear("f", "w5", b)];
        assert_eq!(order(heads("colour", "shape"), &[("colour", 4), ("shape", 5)], &[5])[0], "shape");
        assert_eq!(order(heads("embedding", "y"), &[("embedding", 4), ("y", 5)], &[])[0], "y");
        assert_eq!(order(heads("a", "logits"), &[("a", 4), ("logits", 5)], &[])[0], "logits");
        let early = vec![linear("ef", "w5", "a"), linear("f", "w5", "b")];
        assert_eq!(order(early, &[("a", 5), ("b", 5)], &[])[0], "b");
        assert_eq!(order(heads("a", "b"), &[("a", 4), ("b", 5)], &[])[0], "a", "nothing tells: the first");
    }

    #[test]
    fn reasons_are_told() {
        let nodes = vec![linear("f", "w4", "embedding"), linear("f", "w5", "logits")];
        let found = class_outputs(&mut network(nodes, &[("embedding", 4), ("logits", 5)]), &[5]);
        assert_eq!(found[0].why, ["it has as many values as there are labels", "its name"]);
        assert_eq!((found[0].classes, found[1].why.as_slice()), (Some(5), &["its name"][..]));
    }
}
