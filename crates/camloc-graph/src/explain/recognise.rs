//! Models that explain themselves already, as `camloc export` writes them.

use super::explanation::Explanation;
use super::method::MadeBy;
use super::outputs::{CLASSES, MAPS, SCORES};
use crate::onnx::graph::Graph;
use crate::onnx::proto::{DimensionValue, ModelProto, TypeValue};

/// Where the metadata name the method.
pub(super) const METHOD_KEY: &str = "camloc.method";
/// Where they name the target layers.
pub(super) const LAYER_KEY: &str = "camloc.layer";
/// Where they name the layers that the maps were refined with.
pub(super) const GUIDES_KEY: &str = "camloc.guides";
/// Where they say how many classes there are.
pub(super) const CLASSES_KEY: &str = "camloc.class_count";

/// What was done to a model that has its maps already; `None` for any other model.
pub fn recognise(model: &ModelProto) -> Option<Explanation> {
    let graph = Graph::new(model);
    let has = |name: &str| graph.outputs().iter().any(|output| output.name() == name);
    if ![CLASSES, SCORES, MAPS].into_iter().all(has) {
        return None;
    }
    let inferred = |axis: usize| *graph.shape(MAPS)?.get(axis)?;
    let size = |axis: usize| usize::try_from(declared(&graph, axis).or_else(|| inferred(axis))?).ok();
    let said = |key| graph.metadata(key).unwrap_or("unknown").to_owned();
    let count = size(1)?;
    Some(Explanation {
        method: MadeBy::from(graph.metadata(METHOD_KEY).unwrap_or("unknown")),
        layer: said(LAYER_KEY),
        logits: String::new(),
        classes: said(CLASSES_KEY).parse().unwrap_or(count),
        count,
        map_size: size(2).zip(size(3)),
        guides: graph.metadata(GUIDES_KEY).unwrap_or_default().to_owned(),
        unrefined: None,
    })
}

/// A size of the maps, as the model declares it: what follows from its operators may be less.
fn declared(graph: &Graph<'_>, axis: usize) -> Option<i64> {
    let maps = graph.outputs().iter().find(|output| output.name() == MAPS)?;
    let Some(TypeValue::TensorType(tensor)) = &maps.r#type.as_ref()?.value else { return None };
    match tensor.shape.as_ref()?.dim.get(axis)?.value {
        Some(DimensionValue::DimValue(size)) if size > 0 => Some(size),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{Dim, graph, model, node, value_info};
    use crate::onnx::proto::DataType;

    #[test]
    fn the_sizes_that_are_declared_count() {
        let open = [Dim::Symbol("N"), Dim::Symbol("K"), Dim::Unknown, Dim::Unknown];
        let fixed = [Dim::Symbol("N"), Dim::Fixed(3), Dim::Fixed(8), Dim::Fixed(9)];
        let outputs = [CLASSES, SCORES, MAPS].map(|name| value_info(name, DataType::Float, &fixed)).to_vec();
        let nodes = [CLASSES, SCORES, MAPS].map(|name| node("Relu", name, &["x"], &[name], vec![])).to_vec();
        let input = value_info("x", DataType::Float, &open);
        let found = recognise(&model(graph("g", vec![input], outputs, vec![], nodes))).unwrap();
        assert_eq!((found.count, found.map_size), (3, Some((8, 9))));
    }
}
