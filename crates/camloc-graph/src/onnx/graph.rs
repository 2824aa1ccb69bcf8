//! [`Graph`]: a model, ready to be read along its edges.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::attribute::is_default_domain;
use super::infer::Infos;
use super::operators::Operator;
use super::proto::*;
use super::tensor;

/// The most elements of a constant that is looked at by value: shapes, axes, paddings and indices are smaller, weights
/// are larger. A hostile model could have each of its nodes ask for the same large one.
pub const MAX_LIST: usize = 1 << 14;

/// A model with an index of its tensors, to be read. [`GraphEditor`](super::edit::GraphEditor) changes one, and can be
/// read in the same way.
#[derive(Debug)]
pub struct Graph<'m> {
    /// Owned while it is edited.
    pub(super) model: Cow<'m, ModelProto>,
    /// The version of the default domain's operators.
    pub(super) opset: i64,
    /// Which node makes a tensor.
    producers: HashMap<String, usize>,
    /// Which nodes use a tensor, themselves or within their subgraphs.
    consumers: HashMap<String, Vec<usize>>,
    pub(super) initializers: HashMap<String, usize>,
    /// The names of the outputs.
    pub(super) outputs: HashSet<String>,
    /// What is known of each tensor without running the model.
    pub(super) infos: Infos,
    /// Initializers that a caller may feed over.
    pub(super) fed: HashSet<String>,
    /// Every name of a tensor or node, in subgraphs too.
    pub(super) names: HashSet<String>,
}

impl<'m> Graph<'m> {
    /// Indexes a model. One without a graph reads as an empty one.
    pub fn new(model: &'m ModelProto) -> Graph<'m> {
        Graph::of(Cow::Borrowed(model))
    }

    /// Indexes a model, borrowed or owned.
    pub(super) fn of(model: Cow<'m, ModelProto>) -> Graph<'m> {
        let graph = graph_of(&model);
        let mut names = HashSet::new();
        collect_names(graph, &mut names);
        let initializers = graph.initializer.iter().enumerate();
        let initializers = initializers.map(|(index, tensor)| (tensor.name().to_owned(), index)).collect();
        let outputs = graph.output.iter().map(|output| output.name().to_owned()).collect();
        let infos = Infos::declared(graph);
        let opset = model.opset_import.iter().find(|opset| is_default_domain(opset.domain()));
        let opset = opset.map_or(1, |opset| opset.version());
        let (producers, consumers, fed) = Default::default();
        let mut graph =
            Graph { model, opset, producers, consumers, initializers, outputs, infos, fed, names };
        (0..graph.nodes().len()).for_each(|index| graph.index_node(index));
        graph
    }

    pub(super) fn graph(&self) -> &GraphProto {
        graph_of(&self.model)
    }

    /// The version of the file format; 0 if the model does not say.
    pub fn ir_version(&self) -> i64 {
        self.model.ir_version()
    }

    /// What the model's metadata says under a key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.model.metadata_props.iter().find(|entry| entry.key() == key).map(|entry| entry.value())
    }

    /// The nodes, in topological order.
    pub fn nodes(&self) -> &[NodeProto] {
        &self.graph().node
    }

    /// The version of the default domain's operators; 1 if the model does not say.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// What has to be fed: the inputs that no initializer gives a value.
    pub fn inputs(&self) -> impl Iterator<Item = &ValueInfoProto> {
        self.graph().input.iter().filter(|input| !self.initializers.contains_key(input.name()))
    }

    /// The outputs.
    pub fn outputs(&self) -> &[ValueInfoProto] {
        &self.graph().output
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
            return self.graph().initializer.get(index);
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

    /// A node, with what is known of its operands.
    pub(crate) fn operator<'g>(&'g self, node: &'g NodeProto) -> Operator<'g> {
        self.infos.operator(node, self.opset)
    }

    /// Whether a tensor or node has this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Records a node of the graph in the index.
    pub(super) fn index_node(&mut self, index: usize) {
        let Some(node) = graph_of(&self.model).node.get(index) else { return };
        self.infos.add_node(node, self.opset);
        let mut used = HashSet::new();
        collect_used(node, &mut used);
        for output in &node.output {
            self.producers.insert(output.clone(), index);
        }
        for input in used {
            self.consumers.entry(input).or_default().push(index);
        }
    }
}

/// The graph of a model; an empty one where it has none.
fn graph_of(model: &ModelProto) -> &GraphProto {
    static EMPTY: LazyLock<GraphProto> = LazyLock::new(GraphProto::default);
    model.graph.as_ref().unwrap_or(&EMPTY)
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
    use crate::onnx::build::{self, Dim, f32_tensor, graph, i64_tensor, ints, model, node, value_info};

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
        let model = model(graph("g", vec![input("x")], vec![input("y")], vec![], nodes));
        let graph = Graph::new(&model);
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
        let model = model(graph("g", vec![], vec![input("y")], constants, nodes));
        let graph = Graph::new(&model);
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
        let model = model(graph("g", vec![input("x")], vec![input("y")], vec![weight], nodes));
        let graph = Graph::new(&model);
        assert_eq!(graph.ints("c"), Some(vec![4, 5]));
        assert_eq!((graph.floats("f"), graph.floats("w")), (Some(vec![0.5]), Some(vec![2.0])));
        assert_eq!(graph.floats("sum"), Some(vec![4.0]), "computed from constants");
        assert_eq!(
            ["w", "c", "sum", "x", "y"].map(|name| graph.is_constant(name)),
            [true, true, true, false, false]
        );
    }
}
