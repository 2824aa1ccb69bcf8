//! [`Graph`]: a model, ready to be read along its edges and written to.

use std::collections::{HashMap, HashSet};

use super::attribute::is_default_domain;
use super::infer::Infos;
use super::proto::*;
use super::{build, tensor};

/// The most elements of a constant that is looked at by value: shapes, axes, paddings and indices are smaller, weights
/// are larger. A hostile model could have each of its nodes ask for the same large one.
pub const MAX_LIST: usize = 1 << 14;

/// A model with an index of its tensors. Nodes are only ever appended, so they stay in topological
/// order and their positions stay valid.
#[derive(Debug)]
pub struct Graph<'m> {
    graph: &'m mut GraphProto,
    ir_version: &'m mut Option<i64>,
    opsets: &'m mut Vec<OperatorSetIdProto>,
    /// The version of the default domain's operators among them.
    opset: i64,
    metadata: &'m mut Vec<StringStringEntryProto>,
    /// Which node makes a tensor.
    producers: HashMap<String, usize>,
    /// Which nodes use a tensor, themselves or within their subgraphs.
    consumers: HashMap<String, Vec<usize>>,
    initializers: HashMap<String, usize>,
    /// The names of the outputs.
    outputs: HashSet<String>,
    /// What is known of each tensor without running the model.
    infos: Infos,
    /// Initializers that a caller may feed over.
    fed: HashSet<String>,
    /// Every name of a tensor or node, in subgraphs too.
    names: HashSet<String>,
    /// The number that a hint was last made fresh with.
    numbers: HashMap<String, usize>,
}

impl<'m> Graph<'m> {
    /// Indexes a model. One without a graph gets an empty one.
    pub fn new(model: &'m mut ModelProto) -> Graph<'m> {
        let ModelProto { graph, ir_version, opset_import: opsets, metadata_props: metadata, .. } = model;
        let graph = graph.get_or_insert_default();
        let mut names = HashSet::new();
        collect_names(graph, &mut names);
        let initializers = graph.initializer.iter().enumerate();
        let initializers = initializers.map(|(index, tensor)| (tensor.name().to_owned(), index)).collect();
        let outputs = graph.output.iter().map(|output| output.name().to_owned()).collect();
        let infos = Infos::declared(graph);
        let opset = opsets.iter().find(|opset| is_default_domain(opset.domain()));
        let opset = opset.map_or(1, |opset| opset.version());
        let (producers, consumers, fed, numbers) = Default::default();
        let mut graph = Graph {
            graph,
            ir_version,
            opsets,
            opset,
            metadata,
            producers,
            consumers,
            initializers,
            outputs,
            infos,
            fed,
            names,
            numbers,
        };
        (0..graph.nodes().len()).for_each(|index| graph.index_node(index));
        graph
    }

    /// The version of the file format; 0 if the model does not say.
    pub fn ir_version(&self) -> i64 {
        self.ir_version.unwrap_or(0)
    }

    /// Makes the file format at least this version. Before version 4 every initializer had to be an
    /// input as well and nobody could feed it; from then on it could, so those inputs go.
    pub fn raise_ir_version(&mut self, version: i64) {
        if self.ir_version() < 4 && version >= 4 {
            self.graph.input.retain(|input| !self.initializers.contains_key(input.name()));
        }
        *self.ir_version = Some(version.max(self.ir_version()));
    }

    /// What the model's metadata says under a key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|entry| entry.key() == key).map(|entry| entry.value())
    }

    /// Writes an entry of the model's metadata, over one of the same key.
    pub fn set_metadata(&mut self, key: &str, value: &str) {
        self.metadata.retain(|entry| entry.key() != key);
        self.metadata.push(StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) });
    }

    /// The nodes, in topological order.
    pub fn nodes(&self) -> &[NodeProto] {
        &self.graph.node
    }

    /// The version of the default domain's operators; 1 if the model does not say.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// Makes the default domain's operators at least this version. Whoever does must know that every
    /// node keeps its meaning.
    pub fn raise_opset(&mut self, version: i64) {
        self.opset = version.max(self.opset);
        let raised = Some(self.opset);
        match self.opsets.iter_mut().find(|opset| is_default_domain(opset.domain())) {
            Some(opset) => opset.version = raised,
            None => self.opsets.push(OperatorSetIdProto { domain: Some(String::new()), version: raised }),
        }
    }

    /// What has to be fed: the inputs that no initializer gives a value.
    pub fn inputs(&self) -> impl Iterator<Item = &ValueInfoProto> {
        self.graph.input.iter().filter(|input| !self.initializers.contains_key(input.name()))
    }

    /// The outputs.
    pub fn outputs(&self) -> &[ValueInfoProto] {
        &self.graph.output
    }

    /// Whether a tensor is one of the outputs.
    pub fn is_output(&self, tensor: &str) -> bool {
        self.outputs.contains(tensor)
    }

    /// The node that makes a tensor; `None` for inputs, initializers and unknown names.
    pub fn producer(&self, tensor: &str) -> Option<&NodeProto> {
        self.nodes().get(*self.producers.get(tensor)?)
    }

    /// The position of the node that makes a tensor.
    pub fn position(&self, tensor: &str) -> Option<usize> {
        self.producers.get(tensor).copied()
    }

    /// The nodes that use a tensor, themselves or within their subgraphs.
    pub fn consumers(&self, tensor: &str) -> impl Iterator<Item = &NodeProto> {
        let indices = self.consumers.get(tensor).map_or(&[][..], Vec::as_slice);
        indices.iter().filter_map(|&index| self.nodes().get(index))
    }

    /// The value of an initializer or of a `Constant` node that holds a tensor.
    pub fn constant(&self, tensor: &str) -> Option<&TensorProto> {
        if let Some(&index) = self.initializers.get(tensor).filter(|_| !self.fed.contains(tensor)) {
            return self.graph.initializer.get(index);
        }
        let producer = self.producer(tensor)?;
        (producer.standard_op() == "Constant").then(|| producer.tensor("value"))?
    }

    /// The value of a tensor as floats (from 16, 32 or 64 bits), if it is constant and of at most [`MAX_LIST`]
    /// elements: an initializer, a `Constant`, or what comes out the same for every size of the inputs.
    pub fn floats(&self, name: &str) -> Option<Vec<f32>> {
        let inferred = || self.infos.get(name)?.floats();
        inferred().or_else(|| tensor::floats(self.list(name)?)).or_else(|| {
            let value = self.constant_attribute(name, &["value_float", "value_floats"])?;
            Some(value.f.map_or_else(|| value.floats.clone(), |float| vec![float]))
        })
    }

    /// The value of a tensor as integers (from any integer type), if it is constant and of at most [`MAX_LIST`]
    /// elements: an initializer, a `Constant`, or what comes out the same for every size of the inputs.
    pub fn ints(&self, name: &str) -> Option<Vec<i64>> {
        let inferred = || self.infos.get(name)?.ints();
        inferred().or_else(|| tensor::ints(self.list(name)?)).or_else(|| {
            let value = self.constant_attribute(name, &["value_int", "value_ints"])?;
            Some(value.i.map_or_else(|| value.ints.clone(), |int| vec![int]))
        })
    }

    /// A constant that is not too large to be looked at.
    fn list(&self, name: &str) -> Option<&TensorProto> {
        let count = |tensor: &&TensorProto| tensor::element_count(&tensor.dims);
        self.constant(name).filter(|tensor| count(tensor).is_some_and(|count| count <= MAX_LIST))
    }

    fn constant_attribute(&self, tensor: &str, names: &[&str]) -> Option<&AttributeProto> {
        let producer = self.producer(tensor).filter(|node| node.standard_op() == "Constant")?;
        let found = names.iter().find_map(|name| producer.find_attribute(name))?;
        (found.ints.len().max(found.floats.len()) <= MAX_LIST).then_some(found)
    }

    /// Whether a tensor is the same in every run: it depends on no input.
    pub fn is_constant(&self, tensor: &str) -> bool {
        tensor.is_empty() || self.infos.get(tensor).is_some_and(|info| info.constant)
    }

    /// The element type of a tensor, as far as it is declared or follows from its producers.
    pub fn element_type(&self, tensor: &str) -> Option<DataType> {
        self.infos.get(tensor)?.element
    }

    /// The shape of a tensor, as far as it is declared or follows from its producers: the outer
    /// `None` when not even the rank is known, an inner one for a size known only at run time.
    pub fn shape(&self, tensor: &str) -> Option<&[Option<i64>]> {
        self.infos.get(tensor)?.shape.as_deref()
    }

    /// How many axes a tensor has, if that is known.
    pub fn rank(&self, tensor: &str) -> Option<usize> {
        self.shape(tensor).map(<[_]>::len)
    }

    /// A name that no tensor and no node has, in the graph or its subgraphs.
    pub fn fresh_name(&mut self, hint: &str) -> String {
        let mut fresh = hint.to_owned();
        if self.names.contains(hint) {
            // Names only grow in number, so those below the last need no second look.
            let number = self.numbers.entry(hint.to_owned()).or_default();
            while self.names.contains(&fresh) {
                *number += 1;
                fresh = format!("{hint}_{number}");
            }
        }
        self.names.insert(fresh.clone());
        fresh
    }

    /// Whether a tensor or node has this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.contains(name)
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
        self.names.extend(node.output.iter().cloned().chain(node.name.clone()));
        let nodes = &mut self.graph.node;
        nodes.push(node);
        let index = nodes.len() - 1;
        self.index_node(index);
    }

    /// Adds a constant under a fresh name that starts with the tensor's own, and returns it.
    pub fn add_initializer(&mut self, mut tensor: TensorProto) -> String {
        let name = self.fresh_name(tensor.name());
        tensor.name = Some(name.clone());
        self.infos.add_tensor(&tensor);
        let initializers = &mut self.graph.initializer;
        initializers.push(tensor);
        let index = initializers.len() - 1;
        self.initializers.insert(name.clone(), index);
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
        self.names.insert(input.name().to_owned());
        self.fed.insert(input.name().to_owned());
        self.infos.add_input(&input);
        self.graph.input.push(input);
    }

    /// Makes a tensor an output.
    pub fn add_output(&mut self, output: ValueInfoProto) {
        self.outputs.insert(output.name().to_owned());
        self.graph.output.push(output);
    }

    /// Records a node of the graph in the index.
    fn index_node(&mut self, index: usize) {
        let opset = self.opset();
        let Some(node) = self.graph.node.get(index) else { return };
        self.infos.add_node(node, opset);
        let outputs = node.output.clone();
        let mut used = HashSet::new();
        collect_used(node, &mut used);
        for output in outputs {
            self.producers.insert(output, index);
        }
        for input in used {
            self.consumers.entry(input).or_default().push(index);
        }
    }
}

/// What a node uses, itself or within its subgraphs.
pub(super) fn collect_used(node: &NodeProto, used: &mut HashSet<String>) {
    used.extend(node.input.iter().filter(|name| !name.is_empty()).cloned());
    for graph in node.subgraphs() {
        graph.node.iter().for_each(|node| collect_used(node, used));
        used.extend(graph.output.iter().map(|output| output.name().to_owned()));
    }
}

fn collect_names(graph: &GraphProto, names: &mut HashSet<String>) {
    let values = graph.input.iter().chain(&graph.output).chain(&graph.value_info);
    names.extend(values.map(|value| value.name().to_owned()));
    names.extend(graph.initializer.iter().map(|tensor| tensor.name().to_owned()));
    let sparse = graph.sparse_initializer.iter().filter_map(|sparse| sparse.values.as_ref());
    names.extend(sparse.map(|tensor| tensor.name().to_owned()));
    for node in &graph.node {
        names.insert(node.name().to_owned());
        names.extend(node.input.iter().chain(&node.output).cloned());
        node.subgraphs().for_each(|graph| collect_names(graph, names));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{Dim, f32_tensor, graph, i64_tensor, int, ints, model, node, value_info};

    fn input(name: &str) -> ValueInfoProto {
        value_info(name, DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(3)])
    }

    fn names<'a>(nodes: impl Iterator<Item = &'a NodeProto>) -> Vec<&'a str> {
        nodes.map(|node| node.name()).collect()
    }

    #[test]
    fn edges_are_found_in_both_directions_and_into_subgraphs() {
        let inner = graph(
            "inner",
            vec![],
            vec![input("z")],
            vec![],
            vec![node("Neg", "neg", &["a"], &["z"], vec![])],
        );
        let nodes = vec![
            node("Relu", "relu", &["x"], &["a"], vec![]),
            node("If", "if", &["c"], &["b"], vec![build::subgraph("then_branch", inner)]),
            node("Add", "add", &["a", "a"], &["y"], vec![]),
        ];
        let mut model = model(graph("g", vec![input("x")], vec![input("y")], vec![], nodes));
        let graph = Graph::new(&mut model);
        assert_eq!(graph.producer("a").map(|node| node.name()), Some("relu"));
        assert_eq!(names(graph.consumers("a")), ["if", "add"]);
        assert!(graph.producer("x").is_none() && graph.consumers("y").next().is_none());
    }

    #[test]
    fn only_what_can_be_a_list_is_looked_at() {
        let list = |name: &str, count: usize| i64_tensor(name, &[count as i64], &vec![1; count]);
        let attribute = vec![ints("value_ints", &[1; MAX_LIST + 1])];
        let nodes = vec![node("Constant", "c", &[], &["c"], attribute)];
        let constants = vec![list("small", MAX_LIST), list("large", MAX_LIST + 1)];
        let mut model = model(graph("g", vec![], vec![input("y")], constants, nodes));
        let graph = Graph::new(&mut model);
        assert_eq!(graph.ints("small").map(|list| list.len()), Some(MAX_LIST));
        assert_eq!((graph.ints("large"), graph.ints("c")), (None, None));
        assert!(graph.is_output("y") && !graph.is_output("small"));
    }

    #[test]
    fn constants_come_from_initializers_and_nodes() {
        let value = build::tensor("value", i64_tensor("", &[2], &[4, 5]));
        let nodes = vec![
            node("Constant", "c", &[], &["c"], vec![value]),
            node("Constant", "f", &[], &["f"], vec![build::floats("value_floats", &[0.5])]),
            node("Add", "sum", &["w", "w"], &["sum"], vec![]),
            node("Add", "y", &["sum", "x"], &["y"], vec![]),
        ];
        let weight = f32_tensor("w", &[1], &[2.0]);
        let mut model = model(graph("g", vec![input("x")], vec![input("y")], vec![weight], nodes));
        let graph = Graph::new(&mut model);
        assert_eq!(graph.ints("c"), Some(vec![4, 5]));
        assert_eq!((graph.floats("f"), graph.floats("w")), (Some(vec![0.5]), Some(vec![2.0])));
        assert_eq!(graph.floats("sum"), Some(vec![4.0]), "computed from constants");
        assert_eq!(
            ["w", "c", "sum", "x", "y"].map(|name| graph.is_constant(name)),
            [true, true, true, false, false]
        );
    }

    #[test]
    fn fresh_names_avoid_every_scope() {
        let inner = graph("inner", vec![], vec![], vec![f32_tensor("t_1", &[], &[0.0])], vec![]);
        let branch = node("If", "if", &["t"], &["y"], vec![build::subgraph("then_branch", inner)]);
        let mut model = model(graph("g", vec![], vec![], vec![], vec![branch]));
        let mut graph = Graph::new(&mut model);
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
        let mut graph = Graph::new(&mut model);
        assert_eq!(graph.inputs().map(|input| input.name()).collect::<Vec<_>>(), ["x"]);
        graph.raise_ir_version(4);
        assert_eq!(model.graph.unwrap().input, [input("x")]);
        assert_eq!(model.ir_version, Some(4));
    }

    #[test]
    fn appended_nodes_are_known_at_once() {
        let mut model = model(graph("g", vec![input("x")], vec![], vec![], vec![]));
        let mut graph = Graph::new(&mut model);
        let shape = graph.add_ints("shape", &[0, 3, 1, 1]);
        let map = graph.op("Reshape", "map", &["x", &shape], vec![]);
        let mean = graph.op("ReduceMean", "map", &[&map], vec![ints("axes", &[2, 3]), int("keepdims", 0)]);
        assert_eq!((map.as_str(), mean.as_str()), ("map", "map_1"));
        assert_eq!(graph.shape("map"), Some(&[None, Some(3), Some(1), Some(1)][..]));
        assert_eq!(graph.shape("map_1"), Some(&[None, Some(3)][..]));
        assert_eq!(graph.element_type("map_1"), Some(DataType::Float));
        assert_eq!(names(graph.consumers("map")), ["map_1"]);
    }

    #[test]
    fn a_default_that_may_be_fed_over_is_not_constant() {
        let mut model = model(graph("g", vec![], vec![], vec![], vec![]));
        let mut graph = Graph::new(&mut model);
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
        let mut graph = Graph::new(&mut model);
        graph.set_metadata("k", "1");
        graph.set_metadata("k", "2");
        assert_eq!(graph.metadata("k"), Some("2"));
        assert_eq!(model.metadata_props.len(), 1);
    }
}
