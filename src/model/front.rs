//! Scale, mean and std that are a graph's own first nodes, as Keras' `Rescaling` and `Normalization` are and whatever else an
//! exporter wrapped around a network. Pictures must not be normalised a second time.

use super::manifest::{Manifest, PerChannel};
use super::preprocessing::{Layout, Preprocessing};
use camloc_graph::onnx::graph::Graph;
use camloc_graph::onnx::proto::{ModelProto, NodeProto};

/// No network has as many of them.
const MOST_NODES: usize = 32;

/// What the first nodes make of a channel's values: `scale * x + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Front {
    scale: [f64; 3],
    shift: [f64; 3],
}

impl Front {
    /// Reads the nodes behind the image input; `None` where they leave values as they are.
    pub(super) fn of(model: &mut ModelProto, input: &str, layout: Layout) -> Option<Front> {
        let graph = Graph::new(model);
        let mut front = Front { scale: [1.0; 3], shift: [0.0; 3] };
        let mut axis = if layout == Layout::Nchw { 1 } else { 3 };
        let mut tensor = input.to_owned();
        for _ in 0..MOST_NODES {
            let Some(node) = only_user(&graph, &tensor) else { break };
            if !front.pass(&graph, node, &tensor, &mut axis) {
                break;
            }
            let output = node.output_at(0).unwrap_or_default().to_owned();
            tensor = output;
        }
        let plain = Front { scale: [1.0; 3], shift: [0.0; 3] };
        (front != plain && front.scale.iter().all(|scale| scale.is_finite() && *scale != 0.0))
            .then_some(front)
    }

    /// Takes a node in, if it is one of these.
    fn pass(&mut self, graph: &Graph<'_>, node: &NodeProto, tensor: &str, axis: &mut usize) -> bool {
        let first = node.input_at(0) == Some(tensor);
        let other = || {
            let name = node.input_at(usize::from(first))?;
            (name != tensor).then(|| channels(graph, name, *axis))?
        };
        match node.standard_op() {
            "Cast" | "Identity" | "Dropout" => true,
            "Transpose" => match node.ints("perm") {
                Some(perm) if perm.len() == 4 && perm[0] == 0 => {
                    let moved = perm.iter().position(|&from| usize::try_from(from) == Ok(*axis));
                    moved.inspect(|moved| *axis = *moved).is_some()
                }
                _ => false,
            },
            "Mul" => other().map(|by| self.each(|scale, shift, c| (scale * by[c], shift * by[c]))).is_some(),
            "Div" if first => {
                other().map(|by| self.each(|scale, shift, c| (scale / by[c], shift / by[c]))).is_some()
            }
            "Add" => other().map(|by| self.each(|scale, shift, c| (scale, shift + by[c]))).is_some(),
            "Sub" if first => other().map(|by| self.each(|scale, shift, c| (scale, shift - by[c]))).is_some(),
            "Sub" => other().map(|by| self.each(|scale, shift, c| (-scale, by[c] - shift))).is_some(),
            _ => false,
        }
    }

    fn each(&mut self, change: impl Fn(f64, f64, usize) -> (f64, f64)) {
        for channel in 0..3 {
            (self.scale[channel], self.shift[channel]) =
                change(self.scale[channel], self.shift[channel], channel);
        }
    }

    /// What the brightest pixel is in the pictures that these nodes are made for: 255 or 1. `None` where neither makes
    /// values that networks are trained on.
    pub(super) fn range(&self) -> Option<f64> {
        let scale = self.scale[0].abs();
        // Caffe's means, or any other in units of 0..255.
        if scale < 1.0 / 16.0 || scale < 16.0 && self.shift.iter().any(|shift| shift.abs() > 16.0) {
            return Some(255.0);
        }
        // Multiplied by 255, or normalised: what was normalised before is shrunk instead.
        (scale >= 0.9 && self.scale.iter().any(|scale| (scale - 1.0).abs() > 1e-3)).then_some(1.0)
    }

    /// What the nodes say of how they are fed.
    pub(super) fn says(&self) -> Manifest {
        let Some(range) = self.range() else { return Manifest::default() };
        Manifest {
            range: Some(range),
            mean: Some(PerChannel::All(0.0)),
            std: Some(PerChannel::All(1.0)),
            ..Manifest::default()
        }
    }

    /// What is contradictory in feeding pictures like this, and what to try, in words.
    pub(super) fn contradiction(&self, preprocessing: &Preprocessing) -> Option<String> {
        let span = |value: f64| (0..3).map(move |c| (value - preprocessing.mean[c]) / preprocessing.std[c]);
        let ends = |values: Vec<f64>| {
            values
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)))
        };
        let fed: Vec<f64> = span(0.0).chain(span(255.0)).collect();
        let seen = fed.iter().enumerate().map(|(at, value)| self.scale[at % 3] * value + self.shift[at % 3]);
        let (low, high) = ends(seen.collect());
        let wide = (0..3).map(|c| (self.scale[c] * 255.0 / preprocessing.std[c]).abs()).fold(0.0, f64::max);
        let (from, to) = ends(fed);
        let words = |what: &str, range: u32| {
            format!(
                "pictures are fed as {from:.3} to {to:.3}, and the network's first operators make {low:.4} to {high:.4} \
                 of them: they are normalised {what}; try `range = {range}` alone, without mean and std, in a manifest"
            )
        };
        match wide {
            ..0.05 => Some(words("twice", 255)),
            600.0.. => Some(words("for pixels of 0 to 1", 1)),
            _ => None,
        }
    }
}

/// The one node that uses a tensor's values.
fn only_user<'g>(graph: &'g Graph<'_>, tensor: &str) -> Option<&'g NodeProto> {
    let mut users = graph.consumers(tensor).filter(|node| !matches!(node.standard_op(), "Shape" | "Size"));
    users.next().filter(|_| users.next().is_none())
}

/// A constant that is one number, or one for each channel; integers, too.
fn channels(graph: &Graph<'_>, name: &str, axis: usize) -> Option<[f64; 3]> {
    let values: Vec<f64> = match graph.floats(name) {
        Some(values) => values.into_iter().map(f64::from).collect(),
        None => graph.ints(name)?.into_iter().map(|value| value as f64).collect(),
    };
    let shape = graph.shape(name)?;
    match values[..] {
        [one] => Some([one; 3]),
        [first, second, third] => {
            // Broadcast from the last axis on.
            let place = shape.iter().position(|&size| size == Some(3))? + 4 - shape.len().min(4);
            (place == axis).then_some([first, second, third])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::preprocessing::Fit;
    use camloc_graph::onnx::build::{Dim, f32_tensor, graph, i64_tensor, ints, model, node, value_info};
    use camloc_graph::onnx::proto::{AttributeProto, DataType};

    /// A network whose input goes through these operators, each with a constant or attributes, to a Relu.
    fn front(layout: Layout, steps: Vec<(&str, Vec<f32>, Vec<AttributeProto>)>) -> Option<Front> {
        let sizes = match layout {
            Layout::Nchw => [1, 3, 8, 8],
            Layout::Nhwc => [1, 8, 8, 3],
        };
        let (mut constants, mut nodes) = (Vec::new(), Vec::new());
        let mut tensor = "image".to_owned();
        for (at, (op, values, attributes)) in steps.into_iter().enumerate() {
            let (constant, output) = (format!("c{at}"), format!("t{at}"));
            let mut inputs = vec![tensor.as_str()];
            if !values.is_empty() {
                let dims = match (values.len(), layout) {
                    (3, Layout::Nchw) => vec![1, 3, 1, 1],
                    (count, _) => vec![count as i64],
                };
                constants.push(f32_tensor(&constant, &dims, &values));
                inputs.push(&constant);
            }
            nodes.push(node(op, &output, &inputs, &[&output], attributes));
            tensor = output;
        }
        nodes.push(node("Relu", "end", &[&tensor], &["end"], vec![]));
        let inputs = vec![value_info("image", DataType::Float, &sizes.map(Dim::Fixed))];
        Front::of(&mut model(graph("g", inputs, vec![], constants, nodes)), "image", layout)
    }

    fn range(steps: Vec<(&str, Vec<f32>, Vec<AttributeProto>)>) -> Option<f64> {
        front(Layout::Nchw, steps)?.range()
    }

    #[test]
    fn what_the_first_nodes_are_made_for_is_told_by_what_they_make_of_it() {
        let step = |op, values: &[f32]| (op, values.to_vec(), vec![]);
        assert_eq!(range(vec![step("Div", &[255.0])]), Some(255.0));
        assert_eq!(range(vec![step("Sub", &[127.0]), step("Div", &[128.0])]), Some(255.0));
        assert_eq!(range(vec![step("Mul", &[1.0 / 127.5]), step("Add", &[-1.0])]), Some(255.0));
        assert_eq!(range(vec![step("Sub", &[104.0, 117.0, 123.0])]), Some(255.0));
        let own = vec![step("Sub", &[0.485, 0.456, 0.406]), step("Div", &[0.229, 0.224, 0.225])];
        assert_eq!(range(own), Some(1.0));
        assert_eq!(range(vec![step("Mul", &[255.0])]), Some(1.0));
        assert_eq!(range(vec![step("Mul", &[2.0]), step("Sub", &[1.0])]), Some(1.0));
        // What takes pictures that are normalised already says nothing of their scale.
        assert_eq!(range(vec![step("Mul", &[0.458]), step("Add", &[-0.03])]), None);
        assert_eq!(front(Layout::Nchw, vec![]), None);
    }

    #[test]
    fn casts_and_transposes_are_passed_and_channels_stay_where_they_are() {
        let perm = || vec![ints("perm", &[0, 3, 1, 2])];
        let steps = vec![
            ("Identity", vec![], vec![]),
            ("Div", vec![255.0], vec![]),
            ("Sub", vec![0.1, 0.2, 0.3], vec![]),
            ("Transpose", vec![], perm()),
        ];
        let front = front(Layout::Nhwc, steps).unwrap();
        assert!((front.shift[2] + 0.3).abs() < 1e-6 && (front.scale[0] * 255.0 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_shortcut_around_the_nodes_ends_them() {
        let constants = vec![f32_tensor("c", &[], &[255.0]), i64_tensor("unused", &[1], &[0])];
        let nodes = vec![
            node("Div", "d", &["image", "c"], &["d"], vec![]),
            node("Add", "a", &["d", "image"], &["a"], vec![]),
        ];
        let inputs = vec![value_info("image", DataType::Float, &[1, 3, 8, 8].map(Dim::Fixed))];
        let mut both = model(graph("g", inputs, vec![], constants, nodes));
        assert_eq!(Front::of(&mut both, "image", Layout::Nchw), None);
    }

    #[test]
    fn normalising_twice_is_named() {
        let step = |op, values: &[f32]| (op, values.to_vec(), vec![]);
        let front = front(Layout::Nchw, vec![step("Div", &[255.0])]).unwrap();
        let mut fed = Preprocessing::plain(8, 8, Fit::Squash);
        assert_eq!(front.contradiction(&fed), None);
        fed.std = [255.0; 3];
        let words = front.contradiction(&fed).unwrap();
        assert!(
            words.contains("0.000 to 1.000") && words.contains("twice") && words.contains("range = 255"),
            "{words}"
        );
    }
}
