//! [`Extent`]: how much of a model was there before something was appended.

use crate::onnx::proto::{GraphProto, ModelProto, StringStringEntryProto};
use crate::onnx::prune::prune_behind;

/// How much there is of a model, so that what was appended can be taken away again.
pub(super) struct Extent {
    nodes: usize,
    initializers: usize,
    inputs: usize,
    outputs: usize,
    metadata: Vec<StringStringEntryProto>,
}

impl Extent {
    pub(super) fn of(model: &ModelProto) -> Extent {
        let graph = model.graph.as_ref();
        let count = |size: fn(&GraphProto) -> usize| graph.map_or(0, size);
        Extent {
            nodes: count(|graph| graph.node.len()),
            initializers: count(|graph| graph.initializer.len()),
            inputs: count(|graph| graph.input.len()),
            outputs: count(|graph| graph.output.len()),
            metadata: model.metadata_props.clone(),
        }
    }

    pub(super) fn restore(self, model: &mut ModelProto) {
        model.metadata_props = self.metadata;
        let Some(graph) = &mut model.graph else { return };
        graph.node.truncate(self.nodes);
        graph.initializer.truncate(self.initializers);
        graph.input.truncate(self.inputs);
        graph.output.truncate(self.outputs);
    }

    /// Takes away of what was appended all that no output depends on.
    pub(super) fn prune(self, model: &mut ModelProto) {
        if let Some(graph) = &mut model.graph {
            prune_behind(graph, self.nodes, self.initializers);
        }
    }
}
