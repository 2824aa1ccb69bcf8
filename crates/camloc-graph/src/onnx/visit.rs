//! Visiting every tensor of a model, wherever it may stand.

use super::proto::*;

type Visit<'v, E> = &'v mut dyn FnMut(&mut TensorProto) -> Result<(), E>;

/// Visits every tensor of a model, wherever it may stand.
pub(super) fn each_tensor<E>(model: &mut ModelProto, visit: Visit<'_, E>) -> Result<(), E> {
    for training in &mut model.training_info {
        for graph in training.initialization.iter_mut().chain(&mut training.algorithm) {
            each_tensor_of_graph(graph, visit)?;
        }
    }
    for function in &mut model.functions {
        each_tensor_of_attributes(&mut function.attribute_proto, visit)?;
        for node in &mut function.node {
            each_tensor_of_attributes(&mut node.attribute, visit)?;
        }
    }
    model.graph.iter_mut().try_for_each(|graph| each_tensor_of_graph(graph, visit))
}

fn each_tensor_of_graph<E>(graph: &mut GraphProto, visit: Visit<'_, E>) -> Result<(), E> {
    graph.initializer.iter_mut().try_for_each(&mut *visit)?;
    graph.sparse_initializer.iter_mut().flat_map(tensors_of_sparse).try_for_each(&mut *visit)?;
    for node in &mut graph.node {
        each_tensor_of_attributes(&mut node.attribute, visit)?;
    }
    Ok(())
}

fn each_tensor_of_attributes<E>(attributes: &mut [AttributeProto], visit: Visit<'_, E>) -> Result<(), E> {
    for attribute in attributes {
        attribute.t.iter_mut().try_for_each(|tensor| visit(tensor))?;
        attribute.tensors.iter_mut().try_for_each(&mut *visit)?;
        let sparse = attribute.sparse_tensor.as_deref_mut().into_iter().chain(&mut attribute.sparse_tensors);
        sparse.flat_map(tensors_of_sparse).try_for_each(&mut *visit)?;
        for graph in attribute.g.as_deref_mut().into_iter().chain(&mut attribute.graphs) {
            each_tensor_of_graph(graph, visit)?;
        }
    }
    Ok(())
}

fn tensors_of_sparse(sparse: &mut SparseTensorProto) -> impl Iterator<Item = &mut TensorProto> {
    sparse.values.iter_mut().chain(&mut sparse.indices)
}
