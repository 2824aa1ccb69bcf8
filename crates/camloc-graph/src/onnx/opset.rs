//! Bringing an old model forward: the same network in a newer operator set.

mod table;

use super::attribute::is_default_domain;
use super::build::{self, int};
use super::edit::GraphEditor;
use super::graph::Graph;
use super::proto::*;

/// The newest operator set that models are brought to.
pub const NEWEST: i64 = 17;
/// From here on broadcasting is what it is today.
const OLDEST: i64 = 7;

/// Why a model cannot be brought forward.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this model is written in operator set {opset}, {needed} or newer is needed, and its operator {operator} (node \
     {node:?}) does not mean the same there; export it again with operator set 17"
)]
pub struct OpsetError {
    /// The model's operator set.
    pub opset: i64,
    /// The one asked for.
    pub needed: i64,
    /// What stands in the way.
    pub operator: String,
    /// The node that it stands in; perhaps without a name.
    pub node: String,
}

/// Makes the operator set at least `needed` (up to [`NEWEST`]), if every operator keeps its meaning or
/// can be written anew: the runtime then computes the same bits.
///
/// # Errors
///
/// Naming the first operator that cannot; the model is then as it was.
pub fn raise(model: &mut ModelProto, needed: i64) -> Result<(), OpsetError> {
    let needed = needed.min(NEWEST);
    let function = model.functions.first().map(|function| function.name().to_owned());
    let mut graph = GraphEditor::new(model);
    let opset = graph.opset();
    if opset >= needed {
        return Ok(());
    }
    let refused = |operator: &str, node: &str| OpsetError {
        opset,
        needed,
        operator: operator.into(),
        node: node.into(),
    };
    if let Some(function) = function {
        return Err(refused(&function, ""));
    }
    let mut raise = Raise { graph: &graph, opset, needed, constants: Vec::new(), fresh: 0 };
    let mut changes = Vec::new();
    for (index, node) in graph.nodes().iter().enumerate() {
        match raise.node(node, true) {
            Ok(None) => {}
            Ok(Some(nodes)) => changes.push((index, nodes)),
            Err(Refused) => return Err(refused(node.op_type(), node.name())),
        }
    }
    let constants = raise.constants;
    graph.raise_opset(needed);
    graph.raise_ir_version(4);
    drop(graph);
    if let Some(graph) = &mut model.graph {
        graph.initializer.extend(constants);
        replace(&mut graph.node, changes);
    }
    Ok(())
}

/// Puts other nodes in the place of some.
fn replace(nodes: &mut Vec<NodeProto>, changes: Vec<(usize, Vec<NodeProto>)>) {
    let mut changes = changes.into_iter().peekable();
    for (index, node) in std::mem::take(nodes).into_iter().enumerate() {
        match changes.next_if(|(changed, _)| *changed == index) {
            Some((_, others)) => nodes.extend(others),
            None => nodes.push(node),
        }
    }
}

/// An operator that cannot be brought forward.
struct Refused;

/// What takes a node's place; `None` when it stays.
type Change = Result<Option<Vec<NodeProto>>, Refused>;

struct Raise<'g, 'm> {
    graph: &'g Graph<'m>,
    opset: i64,
    needed: i64,
    /// Constants that new inputs refer to. Subgraphs see them too.
    constants: Vec<TensorProto>,
    fresh: usize,
}

impl Raise<'_, '_> {
    /// Whether a change made by operator set `version` lies between.
    fn crosses(&self, version: i64) -> bool {
        self.opset < version && version <= self.needed
    }

    /// Brings a node forward. Of tensors within subgraphs neither type nor shape is known.
    fn node(&mut self, node: &NodeProto, outermost: bool) -> Change {
        if !is_default_domain(node.domain()) {
            return Ok(None);
        }
        if self.opset < OLDEST {
            return Err(Refused);
        }
        let change = match node.op_type() {
            "Clip" if self.crosses(11) => self.clip(node, outermost)?,
            "Pad" if self.crosses(11) => self.pad(node, outermost)?,
            // It has had its inputs since 10.
            "Slice" if self.crosses(10) => self.moved(node, &["starts", "ends", "axes"]),
            "TopK" if self.crosses(10) => {
                let k = node.int("k").ok_or(Refused)?;
                let k = self.constant(build::i64_tensor("k", &[1], &[k]));
                Some(with_inputs(node, &["k"], vec![k]))
            }
            "Upsample" if self.crosses(10) => Some(self.upsample(node)?),
            "Resize" if self.crosses(11) => Some(self.resize(node)?),
            "Resize" if self.crosses(13) => {
                let gone = node.string("coordinate_transformation_mode") == Some("tf_half_pixel_for_nn");
                if gone { return Err(Refused) } else { None }
            }
            "Scatter" if self.crosses(11) => {
                Some(NodeProto { op_type: Some("ScatterElements".into()), ..node.clone() })
            }
            "Dropout" if self.crosses(10) || self.crosses(12) => self.dropout(node, outermost)?,
            "BatchNormalization" if self.crosses(14) || self.crosses(9) => batch_normalization(node)?,
            "Softmax" | "LogSoftmax" | "Hardmax" if self.crosses(13) => {
                return self.softmax(node, outermost).map(Some);
            }
            "Squeeze" | "Unsqueeze" | "ReduceSum" if self.crosses(13) => self.moved(node, &["axes"]),
            "Split" if self.crosses(13) => self.moved(node, &["split"]),
            "RoiAlign" if self.crosses(16) => {
                let mut node = node.clone();
                node.attribute.push(build::string("coordinate_transformation_mode", "output_half_pixel"));
                Some(node)
            }
            "Scan" if self.crosses(9) => return Err(Refused),
            "If" | "Loop" | "Scan" => self.subgraphs(node)?,
            op if table::UNCHANGED.contains(&op) || table::REWRITTEN.contains(&op) => None,
            _ => return Err(Refused),
        };
        Ok(change.map(|node| vec![node]))
    }

    /// Brings the graphs within a node forward.
    fn subgraphs(&mut self, node: &NodeProto) -> Result<Option<NodeProto>, Refused> {
        let mut all = Vec::new();
        for graph in node.subgraphs() {
            let mut changes = Vec::new();
            for (index, node) in graph.node.iter().enumerate() {
                changes.extend(self.node(node, false)?.map(|nodes| (index, nodes)));
            }
            all.push(changes);
        }
        if all.iter().all(Vec::is_empty) {
            return Ok(None);
        }
        let mut node = node.clone();
        let graphs =
            node.attribute.iter_mut().flat_map(|a| a.g.as_deref_mut().into_iter().chain(&mut a.graphs));
        graphs.zip(all).for_each(|(graph, changes)| replace(&mut graph.node, changes));
        Ok(Some(node))
    }

    /// The name of a new constant.
    fn constant(&mut self, tensor: TensorProto) -> String {
        let name = self.fresh(tensor.name());
        self.constants.push(TensorProto { name: Some(name.clone()), ..tensor });
        name
    }

    fn fresh(&mut self, hint: &str) -> String {
        loop {
            let name = format!("camloc.raised.{hint}.{}", self.fresh);
            self.fresh += 1;
            if !self.graph.has_name(&name) {
                return name;
            }
        }
    }

    /// A scalar of the type of a node's input.
    fn scalar(&mut self, hint: &str, value: f32, of: &NodeProto, outermost: bool) -> Result<String, Refused> {
        let element = of.input_at(0).filter(|_| outermost).and_then(|input| self.graph.element_type(input));
        let bytes = match element.ok_or(Refused)? {
            DataType::Float => value.to_le_bytes().to_vec(),
            DataType::Double => f64::from(value).to_le_bytes().to_vec(),
            DataType::Float16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
            DataType::Bfloat16 => half::bf16::from_f32(value).to_le_bytes().to_vec(),
            _ => return Err(Refused),
        };
        Ok(self.constant(build::raw_tensor(hint, element.ok_or(Refused)?, &[], bytes)))
    }

    /// A node whose lists of integers became inputs.
    fn moved(&mut self, node: &NodeProto, names: &[&str]) -> Option<NodeProto> {
        let mut inputs = Vec::new();
        for name in names {
            let values = node.ints(name).filter(|values| !values.is_empty());
            let tensor = values.map(|values| build::i64_tensor(name, &[values.len() as i64], values));
            inputs.push(tensor.map_or(String::new(), |tensor| self.constant(tensor)));
        }
        names.iter().any(|name| node.find_attribute(name).is_some()).then(|| with_inputs(node, names, inputs))
    }

    fn clip(&mut self, node: &NodeProto, outermost: bool) -> Result<Option<NodeProto>, Refused> {
        let mut inputs = Vec::new();
        for name in ["min", "max"] {
            inputs.push(match node.find_attribute(name) {
                Some(bound) => self.scalar(name, bound.f(), node, outermost)?,
                None => String::new(),
            });
        }
        let given = inputs.iter().any(|input| !input.is_empty());
        Ok(given.then(|| with_inputs(node, &["min", "max"], inputs)))
    }

    fn pad(&mut self, node: &NodeProto, outermost: bool) -> Result<Option<NodeProto>, Refused> {
        let pads = node.ints("pads").ok_or(Refused)?;
        let pads = self.constant(build::i64_tensor("pads", &[pads.len() as i64], pads));
        let mut inputs = vec![pads];
        let value = node.float_or("value", 0.0);
        if value != 0.0 {
            inputs.push(self.scalar("value", value, node, outermost)?);
        }
        Ok(Some(with_inputs(node, &["pads", "value"], inputs)))
    }

    /// The mask changed its type in 10 and its meaning in 12; hardly anybody reads it. The ratio became an
    /// input in 12.
    fn dropout(&mut self, node: &NodeProto, outermost: bool) -> Result<Option<NodeProto>, Refused> {
        let mut changed = node.clone();
        if let Some(mask) = node.output_at(1) {
            if !outermost || self.graph.is_output(mask) || self.graph.consumers(mask).next().is_some() {
                return Err(Refused);
            }
            changed.output.truncate(1);
        }
        if let Some(ratio) = node.find_attribute("ratio").filter(|_| self.crosses(12)) {
            let ratio = self.constant(build::f32_tensor("ratio", &[], &[ratio.f()]));
            changed = with_inputs(&changed, &["ratio"], vec![ratio]);
        }
        Ok(Some(changed).filter(|changed| changed != node))
    }

    /// `Upsample` is a `Resize` of the oldest kind.
    fn upsample(&mut self, node: &NodeProto) -> Result<NodeProto, Refused> {
        let scales = match (node.find_attribute("scales"), node.input_at(1)) {
            (Some(scales), _) => {
                let tensor = build::f32_tensor("scales", &[scales.floats.len() as i64], &scales.floats);
                self.constant(tensor)
            }
            (None, Some(scales)) if self.opset >= 9 => scales.to_owned(),
            _ => return Err(Refused),
        };
        let known = node.find_attribute("scales").map(|scales| scales.floats.clone());
        let known = known.or_else(|| self.graph.floats(&scales));
        let resize = NodeProto {
            op_type: Some("Resize".into()),
            input: vec![node.input_at(0).unwrap_or_default().into(), scales],
            ..node.clone()
        };
        let resize = without(resize, &["scales"]);
        if self.needed < 11 { Ok(resize) } else { self.resize_with(&resize, known) }
    }

    fn resize(&mut self, node: &NodeProto) -> Result<NodeProto, Refused> {
        let scales = node.input_at(1).and_then(|scales| self.graph.floats(scales));
        self.resize_with(node, scales)
    }

    /// Before 11 a place was scaled without regard to the middle of pixels, and rounded down; where the
    /// picture became smaller the runtime rounded up.
    fn resize_with(&mut self, node: &NodeProto, scales: Option<Vec<f32>>) -> Result<NodeProto, Refused> {
        let mode = node.string("mode").unwrap_or("nearest");
        let scaled =
            |test: fn(f32) -> bool| scales.as_ref().is_some_and(|s| s.iter().all(|&scale| test(scale)));
        let nearest = match (mode, scaled(|scale| scale >= 1.0), scaled(|scale| scale <= 1.0)) {
            ("linear", ..) => None,
            ("nearest", true, _) => Some("floor"),
            ("nearest", _, true) => Some("ceil"),
            _ => return Err(Refused),
        };
        let roi = self.constant(build::f32_tensor("roi", &[0], &[]));
        let mut node = node.clone();
        node.input.insert(1, roi);
        node.attribute.push(build::string("coordinate_transformation_mode", "asymmetric"));
        node.attribute.extend(nearest.map(|nearest| build::string("nearest_mode", nearest)));
        Ok(node)
    }

    /// Before 13 all axes from the given one on were taken together.
    fn softmax(&mut self, node: &NodeProto, outermost: bool) -> Result<Vec<NodeProto>, Refused> {
        let input = node.input_at(0).ok_or(Refused)?;
        let axis = node.int_or("axis", 1);
        let shape = self.graph.shape(input).filter(|_| outermost);
        let single = shape.is_some_and(|shape| {
            super::operators::axes::wrap_axis(axis, shape.len())
                .is_some_and(|axis| shape[axis + 1..].iter().all(|&size| size == Some(1)))
        });
        let same = without(node.clone(), &["axis"]);
        let with_axis = |axis| NodeProto {
            attribute: [same.attribute.clone(), vec![int("axis", axis)]].concat(),
            ..same.clone()
        };
        if single {
            return Ok(vec![with_axis(axis)]);
        }
        let [flat, done, shape] = ["flat", "softmax", "shape"].map(|hint| self.fresh(hint));
        let mut softmax = with_axis(1);
        (softmax.input, softmax.output) = (vec![flat.clone()], vec![done.clone()]);
        Ok(vec![
            build::node("Shape", &shape, &[input], &[&shape], vec![]),
            build::node("Flatten", &flat, &[input], &[&flat], vec![int("axis", axis)]),
            softmax,
            NodeProto {
                output: node.output.clone(),
                ..build::node("Reshape", &format!("{done}.shaped"), &[&done, &shape], &[], vec![])
            },
        ])
    }
}

/// A node without some attributes and with further inputs.
fn with_inputs(node: &NodeProto, attributes: &[&str], inputs: Vec<String>) -> NodeProto {
    let mut node = without(node.clone(), attributes);
    node.input.extend(inputs);
    while node.input.pop_if(|last| last.is_empty()).is_some() {}
    node
}

fn without(mut node: NodeProto, attributes: &[&str]) -> NodeProto {
    node.attribute.retain(|attribute| !attributes.contains(&attribute.name()));
    node
}

/// One that is trained, or that has a mean for each place, has no successor.
fn batch_normalization(node: &NodeProto) -> Result<Option<NodeProto>, Refused> {
    let trains = (1..node.output.len()).any(|index| node.output_at(index).is_some());
    if trains || node.int_or("spatial", 1) != 1 {
        return Err(Refused);
    }
    Ok(node.find_attribute("spatial").map(|_| without(node.clone(), &["spatial"])))
}

#[cfg(test)]
mod tests;
