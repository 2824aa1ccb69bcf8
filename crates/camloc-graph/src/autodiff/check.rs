//! Checks a rule against central finite differences, on the real runtime.
//!
//! Both sides stand in one model: for random inputs `x`, directions `v` and output weights `r`, the rule's
//! `gradient · v` and `(r · f(x + hv) - r · f(x - hv)) / 2h`, computed in 64 bits where ONNX Runtime has the
//! operator in 64 bits. Where it has it in 32 bits only, the operators are linear at least piece by piece, and
//! a large step is exact. Every check is made with one gradient and with two at once.

use proptest::prelude::*;
use prost::Message;

use super::gradient::Gradient;
use super::rectifier::Rectifier;
use super::reverse::{Seed, gradients};
use crate::onnx::build::{self, Dim, int};
use crate::onnx::edit::GraphEditor;
use crate::onnx::proto::*;
use crate::testing::Session;

/// Draws this many values, without a pattern, from a seed.
pub(super) type Draw = Box<dyn Fn(usize, u64) -> Vec<f32>>;

/// Values in -1.5..1.5 that keep away from the kinks of a function.
pub(super) fn away_from(kinks: &'static [f32]) -> Draw {
    Box::new(|count, seed| {
        let keep = |value: f32| match kinks.iter().find(|&&kink| (value - kink).abs() < 0.06) {
            Some(kink) => kink + 0.06f32.copysign(value - kink),
            None => value,
        };
        noise(count, seed).into_iter().map(|value| keep(1.5 * value)).collect()
    })
}

/// Values in 0.3..1.8, for functions of positive numbers.
pub(super) fn positive() -> Draw {
    Box::new(|count, seed| noise(count, seed).into_iter().map(|value| 1.05 + 0.75 * value).collect())
}

/// Values of which no two are closer than 0.1, in no order: which one is the largest does not change.
pub(super) fn distinct() -> Draw {
    Box::new(|count, seed| {
        let mut order: Vec<usize> = (0..count).collect();
        let keys = noise(count, seed);
        order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
        order.into_iter().map(|rank| 0.1 * rank as f32 - 1.0).collect()
    })
}

/// Two shapes that broadcast to one another in all ways: axes of 1, axes left out.
pub(super) fn broadcasting() -> impl Strategy<Value = (Vec<i64>, Vec<i64>)> {
    let axis = (2..4_i64, 0..3_u8).prop_map(|(size, which)| match which {
        0 => (size, 1),
        1 => (1, size),
        _ => (size, size),
    });
    (prop::collection::vec(axis, 1..4), 0..3_usize, any::<bool>()).prop_map(|(axes, cut, swap)| {
        let (a, b): (Vec<i64>, Vec<i64>) = axes.into_iter().unzip();
        let b = b[cut.min(b.len() - 1)..].to_vec();
        if swap { (b, a) } else { (a, b) }
    })
}

/// A node, or a chain of nodes, whose rules are to be checked.
pub(super) struct Check {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    inputs: Vec<(String, Vec<i64>, Draw)>,
    element: DataType,
    step: f64,
    open: bool,
    opset: i64,
}

impl Check {
    /// Checks the first output of a node by all inputs that [`Check::input`] names.
    pub(super) fn of(node: NodeProto) -> Check {
        let element = DataType::Double;
        let (nodes, constants, inputs) = (vec![node], vec![], vec![]);
        Check { nodes, constants, inputs, element, step: 1e-4, open: false, opset: build::OPSET }
    }

    /// A node after the last one, whose first output is checked instead.
    pub(super) fn then(mut self, node: NodeProto) -> Check {
        self.nodes.push(node);
        self
    }

    /// An input to differentiate by.
    pub(super) fn input(mut self, name: &str, shape: &[i64], draw: Draw) -> Check {
        self.inputs.push((name.to_owned(), shape.to_vec(), draw));
        self
    }

    /// Constants; those of f32 are used in the checked element type.
    pub(super) fn constants(mut self, constants: &[TensorProto]) -> Check {
        self.constants.extend_from_slice(constants);
        self
    }

    /// A constant of noise.
    pub(super) fn noise(self, name: &str, shape: &[i64]) -> Check {
        let values = noise(shape.iter().product::<i64>() as usize, 77);
        self.constants(&[build::f32_tensor(name, shape, &values)])
    }

    /// For operators that ONNX Runtime has in 32 bits only, and that are linear.
    pub(super) fn f32_only(self) -> Check {
        self.f32_step(0.25)
    }

    /// For operators that ONNX Runtime has in 32 bits only: with this step.
    pub(super) fn f32_step(mut self, step: f64) -> Check {
        self.element = DataType::Float;
        self.step = step;
        self
    }

    /// Whether the graph is to leave open all sizes over 1 but the channels'.
    pub(super) fn open(mut self, open: bool) -> Check {
        self.open = open;
        self
    }

    /// The operator set, where the operator needs a newer one.
    pub(super) fn opset(mut self, opset: i64) -> Check {
        self.opset = opset;
        self
    }

    /// The element type, for [`Check::gradient_at`].
    pub(super) fn element(mut self, element: DataType) -> Check {
        self.element = element;
        self
    }

    /// Instead of the last output: its gradient by the first input, which is checked in its turn.
    pub(super) fn of_gradient(mut self) -> Check {
        let value = |(name, shape, _): &(String, Vec<i64>, Draw)| {
            let dims: Vec<Dim<'_>> = shape.iter().map(|&size| Dim::Fixed(size)).collect();
            build::value_info(name, self.element, &dims)
        };
        let mut model = self.model_of(self.inputs.iter().map(value).collect(), &[]);
        let mut graph = GraphEditor::new(&mut model);
        let names: Vec<String> = self.inputs.iter().map(|(name, _, _)| name.clone()).collect();
        let target = self.apply(&mut graph, &names, "");
        let tensor = weights(&mut graph, &target, 1, self.element);
        let found =
            gradients(&mut graph, &target, &Seed::Given { tensor, count: 1 }, &names[..1], Rectifier::Plain);
        let Gradient::Tensor { name, .. } = &found.unwrap()[0] else { panic!("a choice of classes") };
        graph.push(build::node("Identity", "slope", &[name], &["slope"], vec![]));
        drop(graph);
        let graph = model.graph.unwrap();
        (self.nodes, self.constants) = (graph.node, graph.initializer);
        self
    }

    /// The gradient of the sum of all outputs by the first input, at these values.
    pub(super) fn gradient_at(&self, values: &[f32], rectifier: Rectifier) -> Vec<f32> {
        let mut model = self.model_of(vec![z()], &["gradient"]);
        let mut graph = GraphEditor::new(&mut model);
        let at = self.read(&mut graph, &mut 0);
        let target = self.apply(&mut graph, &at, "");
        let shape = graph.op("Shape", "shape", &[&target], vec![]);
        let one =
            build::tensor("value", TensorProto { dims: vec![1], ..build::scalar("", self.element, 1.0) });
        let tensor = graph.op("ConstantOfShape", "ones", &[&shape], vec![one]);
        let seed = Seed::Given { tensor, count: 1 };
        let found = gradients(&mut graph, &target, &seed, &at[..1], rectifier).unwrap();
        let Gradient::Tensor { name, .. } = &found[0] else { panic!("a choice of classes") };
        let shape = graph.op("Shape", "shape", &[&at[0]], vec![]);
        let full = graph.op("Expand", "full", &[name, &shape], vec![]);
        let flat = graph.add_ints("flat", &[-1]);
        let full = graph.op("Reshape", "full", &[&full, &flat], vec![]);
        finish(&mut graph, &full, "gradient");
        drop(graph);
        let mut session = Session::load(&model.encode_to_vec(), Some(&[1, values.len()])).unwrap();
        session.input_mut().copy_from_slice(values);
        session.run().unwrap();
        session.floats("gradient").1.to_vec()
    }

    /// Holds the rule against finite differences.
    pub(super) fn holds(self) {
        for count in [1, 2] {
            let model = self.model(count);
            let sizes: Vec<usize> = self.inputs.iter().map(|(_, shape, _)| length(shape)).collect();
            let total = 2 * sizes.iter().sum::<usize>();
            let mut session = Session::load(&model.encode_to_vec(), Some(&[1, total]))
                .unwrap_or_else(|error| panic!("{error:?} in {:#?}", self.nodes));
            for seed in 0..3 {
                let at = self.inputs.iter().zip(&sizes).zip(1_u64..);
                let at = at.flat_map(|(((_, _, draw), &size), input)| draw(size, 31 * seed + input));
                let directions = noise(total / 2, 1000 + seed);
                let values: Vec<f32> = at.chain(directions).collect();
                session.input_mut().copy_from_slice(&values);
                session.run().unwrap();
                self.compare(session.floats("rule").1, session.floats("differences").1);
            }
        }
    }

    fn compare(&self, rule: &[f32], differences: &[f32]) {
        let tolerance = if self.element == DataType::Double { 1e-5 } else { 5e-4 };
        for (rule, differences) in rule.iter().zip(differences) {
            let near = (rule - differences).abs() <= tolerance * differences.abs().max(1.0);
            assert!(
                near,
                "the rule says {rule}, differences {differences}, for {:#?} on {:?}",
                self.nodes,
                self.shapes()
            );
        }
    }

    fn shapes(&self) -> Vec<&[i64]> {
        self.inputs.iter().map(|(_, shape, _)| &shape[..]).collect()
    }

    /// The model from `z` f32 `[1, 2 * total]`, all inputs and then all directions, to `rule` and
    /// `differences`, both `[count]`.
    fn model(&self, count: usize) -> ModelProto {
        let mut model = self.model_of(vec![z()], &["rule", "differences"]);
        let mut graph = GraphEditor::new(&mut model);
        let mut offset = 0;
        let at = self.read(&mut graph, &mut offset);
        let along = self.read(&mut graph, &mut offset);
        let target = self.apply(&mut graph, &at, "");
        let weights = weights(&mut graph, &target, count, self.element);
        let seed = Seed::Given { tensor: weights.clone(), count };
        let before = graph.nodes().len();
        let found = gradients(&mut graph, &target, &seed, &at, Rectifier::Plain)
            .unwrap_or_else(|error| panic!("{error} in {:#?}", self.nodes));
        assert!(graph.nodes()[before..].iter().all(is_even), "CUDA leaves it to the CPU: {:#?}", self.nodes);
        self.rule(&mut graph, &found, &along, count);
        self.differences(&mut graph, &at, &along, &weights, count);
        drop(graph);
        model
    }

    /// A model of the constants alone.
    fn model_of(&self, inputs: Vec<ValueInfoProto>, outputs: &[&str]) -> ModelProto {
        let outputs = outputs.iter().map(|name| build::value_info(name, DataType::Float, &[Dim::Unknown]));
        let constants = self.constants.iter().cloned().map(|constant| self.typed(constant)).collect();
        let mut model = build::model(build::graph("check", inputs, outputs.collect(), constants, vec![]));
        GraphEditor::new(&mut model).raise_opset(self.opset);
        model
    }

    /// All inputs, cut out of `z`.
    fn read(&self, graph: &mut GraphEditor<'_>, offset: &mut usize) -> Vec<String> {
        self.inputs.iter().map(|(name, shape, _)| self.slice(graph, name, shape, offset)).collect()
    }

    fn typed(&self, constant: TensorProto) -> TensorProto {
        match (constant.data_type(), self.element) {
            (DataType::Float, DataType::Double) => {
                let values = crate::onnx::tensor::floats(&constant).unwrap();
                let bytes = values.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect();
                build::raw_tensor(constant.name(), DataType::Double, &constant.dims, bytes)
            }
            (DataType::Float, DataType::Float16) => {
                let values = crate::onnx::tensor::floats(&constant).unwrap();
                let bytes =
                    values.iter().flat_map(|&value| half::f16::from_f32(value).to_le_bytes()).collect();
                build::raw_tensor(constant.name(), DataType::Float16, &constant.dims, bytes)
            }
            _ => constant,
        }
    }

    /// One input, cut out of `z`.
    fn slice(&self, graph: &mut GraphEditor<'_>, name: &str, shape: &[i64], offset: &mut usize) -> String {
        let size = length(shape);
        let (from, to) = (*offset as i64, (*offset + size) as i64);
        *offset += size;
        let [starts, ends, axes] = [from, to, 1].map(|value| graph.add_ints("bounds", &[value]));
        let part = graph.op("Slice", "part", &["z", &starts, &ends, &axes], vec![]);
        let part = graph.op("Cast", "part", &[&part], vec![int("to", self.element as i64)]);
        let shape = self.sizes(graph, shape);
        let name = graph.fresh_name(name);
        graph.push(build::node("Reshape", &name, &[&part, &shape], &[&name], vec![]));
        name
    }

    /// A shape as a tensor; with open sizes, of what is only known when the model runs.
    fn sizes(&self, graph: &mut GraphEditor<'_>, shape: &[i64]) -> String {
        if !self.open {
            return graph.add_ints("shape", shape);
        }
        let one = graph.op("Shape", "one", &["z"], vec![int("end", 1)]);
        let sizes: Vec<String> = shape
            .iter()
            .enumerate()
            .map(|(axis, &size)| {
                let fixed = graph.add_ints("size", &[size]);
                if axis == 1 || size == 1 { fixed } else { graph.op("Mul", "size", &[&fixed, &one], vec![]) }
            })
            .collect();
        let sizes: Vec<&str> = sizes.iter().map(String::as_str).collect();
        graph.op("Concat", "shape", &sizes, vec![int("axis", 0)])
    }

    /// Appends the nodes on these inputs, and returns the last one's first output.
    fn apply(&self, graph: &mut GraphEditor<'_>, inputs: &[String], suffix: &str) -> String {
        let rename = |name: &String| -> String {
            if let Some(index) = self.inputs.iter().position(|(input, _, _)| input == name) {
                return inputs[index].clone();
            }
            let made = self.nodes.iter().any(|node| node.output.contains(name));
            if made && !name.is_empty() { format!("{name}{suffix}") } else { name.clone() }
        };
        let mut target = String::new();
        for node in &self.nodes {
            let mut node = node.clone();
            node.name = Some(format!("{}{suffix}", node.name()));
            node.input = node.input.iter().map(rename).collect();
            node.output = node.output.iter().map(rename).collect();
            target = node.output[0].clone();
            graph.push(node);
        }
        target
    }

    /// `rule`: the sum over all inputs of gradient times direction.
    fn rule(&self, graph: &mut GraphEditor<'_>, found: &[Gradient], along: &[String], count: usize) {
        let mut sum: Option<String> = None;
        for (gradient, along) in found.iter().zip(along) {
            let Gradient::Tensor { name, .. } = gradient else { panic!("a choice of classes") };
            let product = graph.op("Mul", "product", &[name, along], vec![]);
            let product = total(graph, &product, count);
            sum = Some(match sum {
                Some(sum) => graph.op("Add", "sum", &[&sum, &product], vec![]),
                None => product,
            });
        }
        finish(graph, &sum.unwrap(), "rule");
    }

    /// `differences`: central, of each weighted output.
    fn differences(
        &self,
        graph: &mut GraphEditor<'_>,
        at: &[String],
        along: &[String],
        weights: &str,
        count: usize,
    ) {
        let element = self.element;
        let side = |graph: &mut GraphEditor<'_>, step: f64, suffix: &str| {
            let step = graph.add_initializer(build::scalar("step", element, step));
            let moved: Vec<String> = at
                .iter()
                .zip(along)
                .map(|(at, along)| {
                    let step = graph.op("Mul", "step", &[along, &step], vec![]);
                    graph.op("Add", "moved", &[at, &step], vec![])
                })
                .collect();
            self.apply(graph, &moved, suffix)
        };
        let (after, before) = (side(graph, self.step, "_after"), side(graph, -self.step, "_before"));
        let difference = graph.op("Sub", "difference", &[&after, &before], vec![]);
        let weighted = graph.op("Mul", "weighted", &[weights, &difference], vec![]);
        let sum = total(graph, &weighted, count);
        let width = graph.add_initializer(build::scalar("width", element, 2.0 * self.step));
        let slope = graph.op("Div", "slope", &[&sum, &width], vec![]);
        finish(graph, &slope, "differences");
    }
}

/// Whether a transposed convolution cuts off as much at the end as at the beginning: CUDA takes no other.
fn is_even(node: &NodeProto) -> bool {
    let pads = node.ints("pads").unwrap_or_default();
    let (begins, ends) = pads.split_at(pads.len() / 2);
    node.op_type() != "ConvTranspose" || begins == ends
}

/// What a check's model is fed: all values in one row.
fn z() -> ValueInfoProto {
    build::value_info("z", DataType::Float, &[Dim::Symbol("one"), Dim::Unknown])
}

/// Noise of the target's shape, `count` times: `sin` of a running number.
fn weights(graph: &mut GraphEditor<'_>, target: &str, count: usize, element: DataType) -> String {
    let lead = graph.add_ints("lead", &[count as i64]);
    let own = graph.op("Shape", "own", &[target], vec![]);
    let shape = match count {
        1 => own,
        _ => graph.op("Concat", "shape", &[&lead, &own], vec![int("axis", 0)]),
    };
    let [zero, one] = [0, 1].map(|value| graph.add_initializer(build::i64_tensor("number", &[], &[value])));
    let size = graph.op("ReduceProd", "size", &[&shape], vec![int("keepdims", 0)]);
    let range = graph.op("Range", "range", &[&zero, &size, &one], vec![]);
    let range = graph.op("Cast", "range", &[&range], vec![int("to", element as i64)]);
    let factor = graph.add_initializer(build::scalar("factor", element, 2.3));
    let range = graph.op("Mul", "range", &[&range, &factor], vec![]);
    let range = graph.op("Sin", "range", &[&range], vec![]);
    graph.op("Reshape", "weights", &[&range, &shape], vec![])
}

/// The sum of a tensor, for each of `count` along its first axis: `[count]`.
fn total(graph: &mut GraphEditor<'_>, tensor: &str, count: usize) -> String {
    let rows = graph.add_ints("rows", &[count as i64, -1]);
    let flat = graph.op("Reshape", "flat", &[tensor, &rows], vec![]);
    let axes = graph.add_ints("axes", &[1]);
    graph.op("ReduceSum", "total", &[&flat, &axes], vec![int("keepdims", 0)])
}

fn finish(graph: &mut GraphEditor<'_>, tensor: &str, name: &str) {
    graph.push(build::node("Cast", name, &[tensor], &[name], vec![int("to", DataType::Float as i64)]));
}

fn length(shape: &[i64]) -> usize {
    shape.iter().product::<i64>() as usize
}

/// Numbers without a pattern, -1..1.
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}
