//! Small functions that write ONNX: nodes, attributes, tensors, graphs, models.

use half::{bf16, f16};

use super::proto::*;

/// The operator set that [`model`] declares.
pub const OPSET: i64 = 17;
/// The file format version that [`model`] declares.
pub const IR_VERSION: i64 = 10;

/// A model around `graph`, in [`OPSET`] of the default domain.
pub fn model(graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: Some(IR_VERSION),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
        producer_name: Some("camloc".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: Some(graph),
        ..Default::default()
    }
}

/// A graph; `nodes` must be in topological order.
pub fn graph(
    name: &str,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
    initializers: Vec<TensorProto>,
    nodes: Vec<NodeProto>,
) -> GraphProto {
    GraphProto {
        name: Some(name.into()),
        node: nodes,
        initializer: initializers,
        input: inputs,
        output: outputs,
        ..Default::default()
    }
}

/// A node of the default domain. An empty input or output name leaves out an optional one.
pub fn node(
    op_type: &str,
    name: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        op_type: Some(op_type.into()),
        name: Some(name.into()),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: outputs.iter().map(|&output| output.into()).collect(),
        attribute: attributes,
        ..Default::default()
    }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind.into()), ..Default::default() }
}

/// An integer attribute.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::Int) }
}

/// A list of integers.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::Ints) }
}

/// A float attribute.
pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, AttributeType::Float) }
}

/// A list of floats.
pub fn floats(name: &str, values: &[f32]) -> AttributeProto {
    AttributeProto { floats: values.to_vec(), ..attribute(name, AttributeType::Floats) }
}

/// A string attribute.
pub fn string(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.into()), ..attribute(name, AttributeType::String) }
}

/// A tensor attribute, as `Constant` takes it.
pub fn tensor(name: &str, value: TensorProto) -> AttributeProto {
    AttributeProto { t: Some(Box::new(value)), ..attribute(name, AttributeType::Tensor) }
}

/// A graph attribute, as `If` and `Loop` take it.
pub fn subgraph(name: &str, value: GraphProto) -> AttributeProto {
    AttributeProto { g: Some(Box::new(value)), ..attribute(name, AttributeType::Graph) }
}

/// A float tensor; `dims` multiply to `values.len()`, `[]` is a scalar.
pub fn f32_tensor(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    raw_tensor(name, DataType::Float, dims, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// An integer tensor; `dims` multiply to `values.len()`, `[]` is a scalar.
pub fn i64_tensor(name: &str, dims: &[i64], values: &[i64]) -> TensorProto {
    raw_tensor(name, DataType::Int64, dims, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// A scalar of a floating point type; of f32 for a type that is none.
pub fn scalar(name: &str, element: DataType, value: f64) -> TensorProto {
    let bytes = match element {
        DataType::Double => value.to_le_bytes().to_vec(),
        DataType::Float16 => f16::from_f64(value).to_le_bytes().to_vec(),
        DataType::Bfloat16 => bf16::from_f64(value).to_le_bytes().to_vec(),
        _ => return f32_tensor(name, &[], &[value as f32]),
    };
    raw_tensor(name, element, &[], bytes)
}

/// A tensor of any element type from its little-endian bytes.
pub fn raw_tensor(name: &str, element: DataType, dims: &[i64], bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(element.into()),
        raw_data: Some(bytes),
        ..Default::default()
    }
}

/// One dimension of a [`value_info`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim<'a> {
    /// A known size.
    Fixed(i64),
    /// A size known only at run time; the same name means the same size.
    Symbol(&'a str),
    /// A size of which nothing is known.
    Unknown,
}

/// A named tensor with its element type and shape.
pub fn value_info(name: &str, element: DataType, dims: &[Dim<'_>]) -> ValueInfoProto {
    let dimension = |dim: &Dim<'_>| Dimension {
        value: match *dim {
            Dim::Fixed(size) => Some(DimensionValue::DimValue(size)),
            Dim::Symbol(symbol) => Some(DimensionValue::DimParam(symbol.into())),
            Dim::Unknown => None,
        },
        denotation: None,
    };
    let shape = TensorShapeProto { dim: dims.iter().map(dimension).collect() };
    let tensor = TensorType { elem_type: Some(element.into()), shape: Some(shape) };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { value: Some(TypeValue::TensorType(tensor)), denotation: None }),
        ..Default::default()
    }
}
