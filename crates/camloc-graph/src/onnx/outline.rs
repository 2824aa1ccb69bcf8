//! A model without the values of its weights: enough to try what can be done with it, and cheap to copy.

use super::check::CheckError;
use super::graph::MAX_LIST;
use super::proto::*;
use super::tensor;

/// A copy of a model in which constants that are too large to be looked at ([`MAX_LIST`]) have a type and a shape, but no
/// values.
///
/// # Errors
/// [`CheckError::TensorData`], for values that do not fill their shape: nobody can tell by the copy.
pub(crate) fn outline(model: &ModelProto) -> Result<ModelProto, CheckError> {
    Ok(ModelProto {
        ir_version: model.ir_version,
        opset_import: model.opset_import.clone(),
        metadata_props: model.metadata_props.clone(),
        functions: model.functions.clone(),
        graph: model.graph.as_ref().map(outline_graph).transpose()?,
        ..ModelProto::default()
    })
}

fn outline_graph(graph: &GraphProto) -> Result<GraphProto, CheckError> {
    Ok(GraphProto {
        name: graph.name.clone(),
        node: graph.node.iter().map(outline_node).collect::<Result<_, _>>()?,
        initializer: graph.initializer.iter().map(outline_tensor).collect::<Result<_, _>>()?,
        input: graph.input.clone(),
        output: graph.output.clone(),
        value_info: graph.value_info.clone(),
        quantization_annotation: graph.quantization_annotation.clone(),
        sparse_initializer: graph.sparse_initializer.clone(),
        ..GraphProto::default()
    })
}

/// Only a `Constant` holds weights.
fn outline_node(node: &NodeProto) -> Result<NodeProto, CheckError> {
    if node.standard_op() != "Constant" {
        return Ok(node.clone());
    }
    let outlined = |attribute: &AttributeProto| match &attribute.t {
        Some(value) => Ok(AttributeProto {
            name: attribute.name.clone(),
            r#type: attribute.r#type,
            t: Some(Box::new(outline_tensor(value)?)),
            ..AttributeProto::default()
        }),
        None => Ok(attribute.clone()),
    };
    Ok(NodeProto {
        op_type: node.op_type.clone(),
        domain: node.domain.clone(),
        name: node.name.clone(),
        input: node.input.clone(),
        output: node.output.clone(),
        attribute: node.attribute.iter().map(outlined).collect::<Result<_, _>>()?,
        ..NodeProto::default()
    })
}

fn outline_tensor(value: &TensorProto) -> Result<TensorProto, CheckError> {
    if !tensor::is_filled(value) {
        return Err(CheckError::TensorData { tensor: value.name().into(), shape: value.dims.clone() });
    }
    if tensor::element_count(&value.dims).is_some_and(|count| count <= MAX_LIST) {
        return Ok(value.clone());
    }
    Ok(TensorProto {
        name: value.name.clone(),
        dims: value.dims.clone(),
        data_type: value.data_type,
        // As of weights in another file, nothing can be said of the values.
        data_location: Some(DataLocation::External.into()),
        ..TensorProto::default()
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::onnx::build::{f32_tensor, graph, model, node, tensor};

    fn large(name: &str) -> TensorProto {
        let count = MAX_LIST + 1;
        f32_tensor(name, &[count as i64], &vec![1.0; count])
    }

    #[test]
    fn weights_have_a_shape_and_no_values() {
        let nodes = vec![node("Constant", "c", &[], &["c"], vec![tensor("value", large(""))])];
        let whole = model(graph("g", vec![], vec![], vec![large("w"), f32_tensor("b", &[1], &[2.0])], nodes));
        let copy = outline(&whole).unwrap();
        assert!(copy.encoded_len() < 1000 && whole.encoded_len() > 8 * MAX_LIST);
        let graph = copy.graph.unwrap();
        assert_eq!(graph.initializer[0].dims, [MAX_LIST as i64 + 1]);
        assert_eq!(tensor::floats(&graph.initializer[1]), Some(vec![2.0]), "small ones are looked at");
        assert_eq!(graph.node[0].tensor("value").unwrap().dims, [MAX_LIST as i64 + 1]);
    }

    #[test]
    fn a_damaged_weight_is_not_hidden() {
        let mut damaged = large("w");
        damaged.raw_data = Some(vec![0; 4]);
        let damaged = model(graph("g", vec![], vec![], vec![damaged], vec![]));
        assert!(matches!(outline(&damaged), Err(CheckError::TensorData { .. })));
    }
}
