//! Giving tensors and nodes names of their own where a graph becomes part of another.

use std::collections::{HashMap, HashSet};

use super::super::proto::*;

/// Which tensors get which names.
pub(super) struct Renaming<'n> {
    map: HashMap<String, String>,
    /// What new names begin with; `None` where only chosen tensors are renamed.
    prefix: Option<String>,
    /// Every name in the model so far.
    names: &'n mut HashSet<String>,
}

impl<'n> Renaming<'n> {
    /// All tensors get fresh names, but for those with a name that is set.
    pub(super) fn all(names: &'n mut HashSet<String>, prefix: String) -> Renaming<'n> {
        Renaming { map: HashMap::new(), prefix: Some(prefix), names }
    }

    /// All tensors keep their names, but for those with a name that is set.
    pub(super) fn chosen(names: &'n mut HashSet<String>) -> Renaming<'n> {
        Renaming { map: HashMap::new(), prefix: None, names }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    pub(super) fn set(&mut self, name: &str, to: &str) {
        self.map.insert(name.to_owned(), to.to_owned());
    }

    /// Gives a tensor a fresh name.
    pub(super) fn set_fresh(&mut self, name: &str, prefix: &str) -> String {
        let mut fresh = format!("{prefix}{name}");
        let mut number = 0;
        while self.names.contains(&fresh) {
            number += 1;
            fresh = format!("{prefix}{number}.{name}");
        }
        self.names.insert(fresh.clone());
        self.set(name, &fresh);
        fresh
    }

    /// What a tensor is called now.
    pub(super) fn name(&mut self, name: &str) -> String {
        match (self.map.get(name), self.prefix.clone()) {
            (Some(name), _) => name.clone(),
            (None, Some(prefix)) if !name.is_empty() => self.set_fresh(name, &prefix),
            (None, _) => name.to_owned(),
        }
    }

    pub(super) fn node(&mut self, node: &mut NodeProto) {
        for name in node.input.iter_mut().chain(&mut node.output) {
            *name = self.name(name);
        }
        if let Some((name, prefix)) =
            node.name.as_mut().filter(|name| !name.is_empty()).zip(self.prefix.as_ref())
        {
            *name = format!("{prefix}{name}");
        }
        for attribute in &mut node.attribute {
            let graphs = attribute.g.as_deref_mut().into_iter().chain(&mut attribute.graphs);
            graphs.for_each(|graph| self.graph(graph));
        }
    }

    fn graph(&mut self, graph: &mut GraphProto) {
        for value in graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info) {
            value.name = value.name.as_ref().map(|name| self.name(name));
        }
        let sparse = graph.sparse_initializer.iter_mut().filter_map(|sparse| sparse.values.as_mut());
        for tensor in graph.initializer.iter_mut().chain(sparse) {
            tensor.name = tensor.name.as_ref().map(|name| self.name(name));
        }
        graph.node.iter_mut().for_each(|node| self.node(node));
    }
}

/// The names of a graph's own tensors.
pub(super) fn own_names(graph: &GraphProto) -> impl Iterator<Item = &str> {
    let sparse = graph.sparse_initializer.iter().filter_map(|sparse| sparse.values.as_ref());
    let tensors = graph.initializer.iter().chain(sparse).map(|tensor| tensor.name());
    let outputs = graph.node.iter().flat_map(|node| &node.output).map(String::as_str);
    tensors.chain(outputs).filter(|name| !name.is_empty())
}

/// Every name in a graph and its subgraphs.
pub(super) fn collect(graph: &GraphProto, names: &mut HashSet<String>) {
    let values = graph.input.iter().chain(&graph.output).map(|value| value.name().to_owned());
    names.extend(values.chain(own_names(graph).map(str::to_owned)));
    for node in &graph.node {
        names.extend(node.input.iter().cloned());
        node.subgraphs().for_each(|graph| collect(graph, names));
    }
}
