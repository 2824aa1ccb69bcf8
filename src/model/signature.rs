//! What a graph says about its image input and its outputs.

use super::error::ModelError;
use super::preprocessing::Layout;
use camloc_graph::onnx::proto::{
    DataType, DimensionValue, GraphProto, ModelProto, TensorType, TypeValue, ValueInfoProto,
};

/// Prefix of what camloc adds to a graph.
const OWN: &str = "camloc.";

/// The image input and the class output of a graph.
#[derive(Debug, PartialEq)]
pub(super) struct Signature {
    pub(super) input: String,
    /// Sizes of the input, `None` where open; always four.
    pub(super) shape: [Option<usize>; 4],
    /// Whether the input takes bytes, 0 to 255.
    pub(super) bytes: bool,
    pub(super) outputs: Vec<Output>,
}

/// One output of a graph.
#[derive(Debug, PartialEq)]
pub(super) struct Output {
    pub(super) name: String,
    /// How many classes, where the shape says it.
    pub(super) classes: Option<usize>,
}

impl Signature {
    /// Reads the signature of a model, of an image that camloc can feed unless it need not be `fed`; `file` is for messages.
    pub(super) fn of(model: &ModelProto, file: &str, fed: bool) -> Result<Signature, ModelError> {
        let empty = GraphProto::default();
        let graph = model.graph.as_ref().unwrap_or(&empty);
        let required: Vec<&ValueInfoProto> =
            graph.input.iter().filter(|input| !has_default(graph, input)).collect();
        let [image] = required.as_slice() else {
            let names = required.iter().map(|input| input.name().to_owned()).collect();
            return Err(ModelError::Inputs { file: file.to_owned(), names });
        };
        let shape = sizes(image);
        let no_image = |shape: &[Option<usize>]| ModelError::NoImage {
            file: file.to_owned(),
            input: image.name().to_owned(),
            shape: shape_text(shape),
        };
        let shape = match shape {
            None => [None; 4],
            Some(shape) => match <[_; 4]>::try_from(shape) {
                Ok(shape) => shape,
                Err(shape) if fed => return Err(no_image(&shape)),
                Err(_) => [None; 4],
            },
        };
        if fed && layouts(&shape).is_empty() {
            return Err(no_image(&shape));
        }
        let bytes = tensor(image).and_then(|tensor| tensor.elem_type) == Some(i32::from(DataType::Uint8));
        let outputs =
            graph.output.iter().filter(|output| !output.name().starts_with(OWN)).map(Output::of).collect();
        Ok(Signature { input: image.name().to_owned(), shape, bytes, outputs })
    }

    /// The layouts that the input's sizes allow, the more probable first; never empty.
    pub(super) fn layouts(&self) -> Vec<Layout> {
        layouts(&self.shape)
    }

    /// Channels, height and width of the input, were it in this layout.
    pub(super) fn axes(&self, layout: Layout) -> (Option<usize>, Option<usize>, Option<usize>) {
        let [_, a, b, c] = self.shape;
        match layout {
            Layout::Nchw => (a, b, c),
            Layout::Nhwc => (c, a, b),
        }
    }

    /// The sizes as text: `?x3x224x224`.
    pub(super) fn shape_text(&self) -> String {
        shape_text(&self.shape)
    }
}

impl Output {
    fn of(info: &ValueInfoProto) -> Output {
        let classes = match sizes(info).as_deref() {
            Some([_, classes] | [_, classes, Some(1), Some(1)]) => *classes,
            _ => None,
        };
        Output { name: info.name().to_owned(), classes }
    }
}

fn layouts(shape: &[Option<usize>; 4]) -> Vec<Layout> {
    let [_, a, b, c] = *shape;
    let sides = |sides: [Option<usize>; 2]| sides.iter().all(|side| *side != Some(0));
    let sure = |channels: Option<usize>| matches!(channels, Some(1 | 3));
    let mut layouts = Vec::new();
    for certain in [true, false] {
        for (layout, channels, rest) in [(Layout::Nchw, a, [b, c]), (Layout::Nhwc, c, [a, b])] {
            if sides(rest) && if certain { sure(channels) } else { channels.is_none() } {
                layouts.push(layout);
            }
        }
    }
    layouts
}

fn has_default(graph: &GraphProto, input: &ValueInfoProto) -> bool {
    graph.initializer.iter().any(|initializer| initializer.name() == input.name())
}

fn tensor(info: &ValueInfoProto) -> Option<&TensorType> {
    match info.r#type.as_ref()?.value.as_ref()? {
        TypeValue::TensorType(tensor) => Some(tensor),
        _ => None,
    }
}

fn sizes(info: &ValueInfoProto) -> Option<Vec<Option<usize>>> {
    let shape = tensor(info)?.shape.as_ref()?;
    let size = |value: &Option<DimensionValue>| match value {
        // Some exporters write an open size as -1.
        Some(DimensionValue::DimValue(size)) => usize::try_from(*size).ok(),
        _ => None,
    };
    Some(shape.dim.iter().map(|dim| size(&dim.value)).collect())
}

/// Declares the sizes of a picture, but not the batch: those that are open, or with `anew` all of them. Returns whether
/// any was.
pub(super) fn declare(info: &mut ValueInfoProto, shape: &[usize], anew: bool) -> bool {
    let Some(TypeValue::TensorType(tensor)) = info.r#type.as_mut().and_then(|of| of.value.as_mut()) else {
        return false;
    };
    let mut changed = false;
    let dims = &mut tensor.shape.get_or_insert_default().dim;
    if !dims.is_empty() && dims.len() != shape.len() {
        return false;
    }
    if dims.is_empty() {
        dims.resize_with(shape.len(), Default::default);
    }
    for (dim, &size) in dims.iter_mut().zip(shape).skip(1) {
        let known = matches!(dim.value, Some(DimensionValue::DimValue(size)) if size >= 0);
        if let (true, Ok(size)) = (anew || !known, i64::try_from(size)) {
            dim.value = Some(DimensionValue::DimValue(size));
            changed = true;
        }
    }
    changed
}

fn shape_text(shape: &[Option<usize>]) -> String {
    if shape.is_empty() {
        return "a single number".to_owned();
    }
    let sizes: Vec<String> =
        shape.iter().map(|size| size.map_or_else(|| "?".to_owned(), |size| size.to_string())).collect();
    sizes.join("x")
}
