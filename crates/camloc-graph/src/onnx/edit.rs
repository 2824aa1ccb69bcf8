//! [`GraphEditor`]: a model, ready to be read along its edges and added to.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Deref;

use super::attribute::is_default_domain;
use super::build;
use super::graph::Graph;
use super::proto::*;

/// A [`Graph`] that can be added to. Nodes are only ever appended, so they stay in topological order and their positions
/// stay valid.
///
/// The editor holds the model while it lives and gives it back when it is dropped.
#[derive(Debug)]
pub struct GraphEditor<'m> {
    /// Where the model goes back to.
    home: &'m mut ModelProto,
    graph: Graph<'static>,
    /// The number that a hint was last made fresh with.
    numbers: HashMap<String, usize>,
}

impl<'m> GraphEditor<'m> {
    /// Indexes a model. One without a graph gets an empty one.
    pub fn new(home: &'m mut ModelProto) -> GraphEditor<'m> {
        home.graph.get_or_insert_default();
        let graph = Graph::of(Cow::Owned(std::mem::take(home)));
        GraphEditor { home, graph, numbers: HashMap::new() }
    }

    /// The model, which is owned and so never copied.
    fn model_mut(&mut self) -> &mut ModelProto {
        self.graph.model.to_mut()
    }

    fn graph_mut(&mut self) -> &mut GraphProto {
        self.model_mut().graph.get_or_insert_default()
    }

    /// Makes the file format at least this version. Before version 4 every initializer had to be an
    /// input as well and nobody could feed it; from then on it could, so those inputs go.
    pub fn raise_ir_version(&mut self, version: i64) {
        let before = self.ir_version();
        let Graph { model, initializers, .. } = &mut self.graph;
        let model = model.to_mut();
        if before < 4 && version >= 4 {
            let graph = model.graph.get_or_insert_default();
            graph.input.retain(|input| !initializers.contains_key(input.name()));
        }
        model.ir_version = Some(version.max(before));
    }

    /// Writes an entry of the model's metadata, over one of the same key.
    pub fn set_metadata(&mut self, key: &str, value: &str) {
        let entries = &mut self.model_mut().metadata_props;
        entries.retain(|entry| entry.key() != key);
        entries.push(StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) });
    }

    /// Makes the default domain's operators at least this version. Whoever does must know that every
    /// node keeps its meaning.
    pub fn raise_opset(&mut self, version: i64) {
        self.graph.opset = version.max(self.graph.opset);
        let raised = Some(self.graph.opset);
        let opsets = &mut self.model_mut().opset_import;
        match opsets.iter_mut().find(|opset| is_default_domain(opset.domain())) {
            Some(opset) => opset.version = raised,
            None => opsets.push(OperatorSetIdProto { domain: Some(String::new()), version: raised }),
        }
    }

    /// A name that no tensor and no node has, in the graph or its subgraphs.
    pub fn fresh_name(&mut self, hint: &str) -> String {
        let names = &mut self.graph.names;
        let mut fresh = hint.to_owned();
        if names.contains(hint) {
            // Names only grow in number, so those below the last need no second look.
            let number = self.numbers.entry(hint.to_owned()).or_default();
            while names.contains(&fresh) {
                *number += 1;
                fresh = format!("{hint}_{number}");
            }
        }
        names.insert(fresh.clone());
        fresh
    }

    /// Appends a node of the default domain with one output, and returns that tensor's name, which
    /// is fresh and starts with `hint`.
    pub fn op(
        &mut self,
        op_type: &str,
        hint: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let output = self.fresh_name(hint);
        self.push(build::node(op_type, &output, inputs, &[&output], attributes));
        output
    }

    /// Appends a node. Its inputs must exist and its outputs be new.
    pub fn push(&mut self, node: NodeProto) {
        self.graph.names.extend(node.output.iter().cloned().chain(node.name.clone()));
        let nodes = &mut self.graph_mut().node;
        let index = nodes.len();
        nodes.push(node);
        self.graph.index_node(index);
    }

    /// Adds a constant under a fresh name that starts with the tensor's own, and returns it.
    pub fn add_initializer(&mut self, mut tensor: TensorProto) -> String {
        let name = self.fresh_name(tensor.name());
        tensor.name = Some(name.clone());
        self.graph.infos.add_tensor(&tensor);
        let initializers = &mut self.graph_mut().initializer;
        let index = initializers.len();
        initializers.push(tensor);
        self.graph.initializers.insert(name.clone(), index);
        name
    }

    /// Adds a constant list of integers (rank 1) and returns its name.
    pub fn add_ints(&mut self, hint: &str, values: &[i64]) -> String {
        self.add_initializer(build::i64_tensor(hint, &[values.len() as i64], values))
    }

    /// Adds a constant scalar and returns its name.
    pub fn add_float(&mut self, hint: &str, value: f32) -> String {
        self.add_initializer(build::f32_tensor(hint, &[], &[value]))
    }

    /// Adds an input. One with an initializer of the same name may be left out by the caller.
    pub fn add_input(&mut self, input: ValueInfoProto) {
        self.graph.names.insert(input.name().to_owned());
        self.graph.fed.insert(input.name().to_owned());
        self.graph.infos.add_input(&input);
        self.graph_mut().input.push(input);
    }

    /// Makes a tensor an output.
    pub fn add_output(&mut self, output: ValueInfoProto) {
        self.graph.outputs.insert(output.name().to_owned());
        self.graph_mut().output.push(output);
    }
}

impl Deref for GraphEditor<'_> {
    type Target = Graph<'static>;

    fn deref(&self) -> &Graph<'static> {
        &self.graph
    }
}

impl Drop for GraphEditor<'_> {
    fn drop(&mut self) {
        *self.home = std::mem::take(self.model_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{Dim, f32_tensor, graph, i64_tensor, int, ints, model, node, value_info};

    fn input(name: &str) -> ValueInfoProto {
        value_info(name, DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(3)])
    }

    #[test]
    fn fresh_names_avoid_every_scope() {
        let inner = graph("inner", vec![], vec![], vec![f32_tensor("t_1", &[], &[0.0])], vec![]);
        let branch = node("If", "if", &["t"], &["y"], vec![build::subgraph("then_branch", inner)]);
        let mut model = model(graph("g", vec![], vec![], vec![], vec![branch]));
        let mut graph = GraphEditor::new(&mut model);
        assert_eq!(
            [graph.fresh_name("t"), graph.fresh_name("t"), graph.fresh_name("new")],
            ["t_2", "t_3", "new"]
        );
    }

    #[test]
    fn inputs_are_what_has_to_be_fed() {
        let weight = f32_tensor("w", &[1], &[2.0]);
        let mut model = model(graph("g", vec![input("x"), input("w")], vec![], vec![weight], vec![]));
        model.ir_version = Some(3);
        let mut graph = GraphEditor::new(&mut model);
        assert_eq!(graph.inputs().map(|input| input.name()).collect::<Vec<_>>(), ["x"]);
        graph.raise_ir_version(4);
        drop(graph);
        assert_eq!(model.graph.unwrap().input, [input("x")]);
        assert_eq!(model.ir_version, Some(4));
    }

    #[test]
    fn appended_nodes_are_known_at_once() {
        let mut model = model(graph("g", vec![input("x")], vec![], vec![], vec![]));
        let mut graph = GraphEditor::new(&mut model);
        let shape = graph.add_ints("shape", &[0, 3, 1, 1]);
        let map = graph.op("Reshape", "map", &["x", &shape], vec![]);
        let mean = graph.op("ReduceMean", "map", &[&map], vec![ints("axes", &[2, 3]), int("keepdims", 0)]);
        assert_eq!((map.as_str(), mean.as_str()), ("map", "map_1"));
        assert_eq!(graph.shape("map"), Some(&[None, Some(3), Some(1), Some(1)][..]));
        assert_eq!(graph.shape("map_1"), Some(&[None, Some(3)][..]));
        assert_eq!(graph.element_type("map_1"), Some(DataType::Float));
        assert_eq!(graph.consumers("map").map(|node| node.name()).collect::<Vec<_>>(), ["map_1"]);
    }

    #[test]
    fn a_default_that_may_be_fed_over_is_not_constant() {
        let mut model = model(graph("g", vec![], vec![], vec![], vec![]));
        let mut graph = GraphEditor::new(&mut model);
        graph.add_initializer(i64_tensor("targets", &[1], &[-1]));
        assert_eq!((graph.ints("targets"), graph.is_constant("targets")), (Some(vec![-1]), true));
        graph.add_input(value_info("targets", DataType::Int64, &[Dim::Fixed(1)]));
        let next = graph.op("Neg", "next", &["targets"], vec![]);
        assert_eq!((graph.ints("targets"), graph.ints(&next)), (None, None));
        assert!(!graph.is_constant("targets") && !graph.is_constant(&next));
        assert_eq!((graph.rank(&next), graph.shape(&next)), (Some(1), Some(&[Some(1)][..])));
    }

    #[test]
    fn metadata_is_written_over() {
        let mut model = ModelProto::default();
        let mut graph = GraphEditor::new(&mut model);
        graph.set_metadata("k", "1");
        graph.set_metadata("k", "2");
        assert_eq!(graph.metadata("k"), Some("2"));
        drop(graph);
        assert_eq!(model.metadata_props.len(), 1);
    }
}
