//! Inputs next to the image: they get a constant value, and the model has one input fewer.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::ModelError;
use camloc_graph::onnx::build::raw_tensor;
use camloc_graph::onnx::proto::{
    DataType, DimensionValue, GraphProto, ModelProto, TensorProto, TypeValue, ValueInfoProto,
};

/// The value of one input of a model, as in `NAME=FILE.npy` or `NAME=NUMBER`.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedInput {
    name: String,
    value: Value,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    /// The same number everywhere.
    Number(f64),
    /// The values of an array file of NumPy.
    File(PathBuf),
}

/// A text that is not `NAME=FILE.npy` or `NAME=NUMBER`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the input \"{0}\" is not NAME=FILE.npy or NAME=NUMBER, such as question=question.npy")]
pub struct NotAnInput(String);

impl FromStr for FixedInput {
    type Err = NotAnInput;

    fn from_str(text: &str) -> Result<FixedInput, NotAnInput> {
        let wrong = || NotAnInput(text.to_owned());
        // Tensors' names may hold `=`, file names seldom do.
        let (name, value) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
        let value = match value.trim().parse() {
            Ok(number) => Value::Number(number),
            Err(_) if value.ends_with(".npy") => Value::File(PathBuf::from(value)),
            Err(_) => return Err(wrong()),
        };
        Ok(FixedInput { name: name.to_owned(), value })
    }
}

impl FixedInput {
    /// Makes the input a constant of `model`; `file` is for messages.
    pub(super) fn fix(&self, model: &mut ModelProto, file: &str) -> Result<(), ModelError> {
        let graph = model.graph.get_or_insert_default();
        let Some(position) = graph.input.iter().position(|input| input.name() == self.name) else {
            return Err(ModelError::NoSuchInput {
                file: file.to_owned(),
                input: self.name.clone(),
                inputs: names(graph),
            });
        };
        let wanted = Wanted::of(&graph.input[position]);
        let tensor = match &self.value {
            Value::Number(number) => wanted.filled(&self.name, *number),
            Value::File(path) => read(path, &self.name)
                .map_err(|reason| ModelError::ReadArray { path: path.clone(), reason })
                .and_then(|tensor| {
                    wanted
                        .fits(&tensor)
                        .then_some(tensor)
                        .ok_or_else(|| wanted.contradiction(path, &self.name))
                }),
        }?;
        graph.input.remove(position);
        graph.initializer.retain(|initializer| initializer.name() != self.name);
        graph.initializer.push(tensor);
        Ok(())
    }
}

fn names(graph: &GraphProto) -> String {
    graph.input.iter().map(ValueInfoProto::name).collect::<Vec<_>>().join(", ")
}

/// What a model says of an input; open sizes are `None`.
struct Wanted {
    element: DataType,
    shape: Option<Vec<Option<i64>>>,
}

impl Wanted {
    fn of(input: &ValueInfoProto) -> Wanted {
        let Some(TypeValue::TensorType(tensor)) = input.r#type.as_ref().and_then(|kind| kind.value.as_ref())
        else {
            return Wanted { element: DataType::Float, shape: None };
        };
        let size = |value: &Option<DimensionValue>| match value {
            Some(DimensionValue::DimValue(size)) if *size > 0 => Some(*size),
            _ => None,
        };
        let shape = tensor.shape.as_ref().map(|shape| shape.dim.iter().map(|dim| size(&dim.value)).collect());
        Wanted { element: tensor.elem_type(), shape }
    }

    /// A tensor of one number; open sizes are 1.
    fn filled(&self, name: &str, number: f64) -> Result<TensorProto, ModelError> {
        let dims: Vec<i64> = self.shape.iter().flatten().map(|size| size.unwrap_or(1)).collect();
        let count = camloc_graph::onnx::tensor::element_count(&dims).filter(|&count| count <= 1 << 24);
        let one = bytes_of(self.element, number);
        match (count, one) {
            (Some(count), Some(one)) => Ok(raw_tensor(name, self.element, &dims, one.repeat(count))),
            _ => Err(ModelError::CannotFill { input: name.to_owned() }),
        }
    }

    fn fits(&self, tensor: &TensorProto) -> bool {
        let shape = self.shape.as_ref().is_none_or(|shape| {
            shape.len() == tensor.dims.len()
                && shape
                    .iter()
                    .zip(&tensor.dims)
                    .all(|(wanted, found)| wanted.is_none_or(|wanted| wanted == *found))
        });
        shape && tensor.data_type() == self.element
    }

    fn contradiction(&self, path: &Path, input: &str) -> ModelError {
        let sizes = |size: &Option<i64>| size.map_or_else(|| "?".to_owned(), |size| size.to_string());
        let shape: Vec<String> = self.shape.iter().flatten().map(sizes).collect();
        ModelError::WrongArray {
            path: path.to_owned(),
            input: input.to_owned(),
            wanted: format!("{:?} [{}]", self.element, shape.join(", ")),
        }
    }
}

fn bytes_of(element: DataType, number: f64) -> Option<Vec<u8>> {
    Some(match element {
        DataType::Float => (number as f32).to_le_bytes().to_vec(),
        DataType::Double => number.to_le_bytes().to_vec(),
        DataType::Float16 => half::f16::from_f64(number).to_le_bytes().to_vec(),
        DataType::Int64 => (number as i64).to_le_bytes().to_vec(),
        DataType::Int32 => (number as i32).to_le_bytes().to_vec(),
        DataType::Uint8 => vec![number as u8],
        DataType::Int8 => (number as i8).to_le_bytes().to_vec(),
        DataType::Bool => vec![u8::from(number != 0.0)],
        _ => return None,
    })
}

/// Reads an array file of NumPy.
#[cfg(not(feature = "npy"))]
fn read(_: &Path, _: &str) -> Result<TensorProto, String> {
    Err("this build of camloc reads no arrays of NumPy: its feature npy is off".into())
}

/// Whether the header of an array file is short, and its brackets nest little, as in those of numbers: its reader takes
/// twice as long for each further one.
#[cfg(feature = "npy")]
fn is_flat(file: &mut (impl std::io::Read + std::io::Seek)) -> std::io::Result<bool> {
    use std::io::Read;

    const DEEPEST: usize = 4;
    // More than any header of numbers has.
    const LONGEST: usize = 1 << 12;
    // The magic number, the version, and the header's length, which is of two bytes in version 1.
    let mut start = [0; 12];
    file.read_exact(&mut start)?;
    let length = match start[6] {
        1 => usize::from(u16::from_le_bytes([start[8], start[9]])),
        _ => u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize,
    };
    file.rewind()?;
    if length > LONGEST {
        return Ok(false);
    }
    let mut header = Vec::new();
    file.by_ref().take(12 + length as u64).read_to_end(&mut header)?;
    file.rewind()?;
    let mut depth = 0_usize;
    let deepest = header.iter().map(|byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth
    });
    Ok(deepest.max().is_none_or(|deepest| deepest <= DEEPEST))
}

/// Reads an array file of NumPy.
#[cfg(feature = "npy")]
fn read(path: &Path, name: &str) -> Result<TensorProto, String> {
    use std::fs::File;
    use std::io::BufReader;

    use npyz::{DType, NpyFile, TypeChar};

    let plain = |error: std::io::Error| error.to_string();
    let about = std::fs::metadata(path).map_err(plain)?;
    // Before it is opened: opening a pipe would wait for whoever writes to it.
    if !about.is_file() {
        return Err("it is no regular file".into());
    }
    let mut input = BufReader::new(File::open(path).map_err(plain)?);
    if !is_flat(&mut input).map_err(plain)? {
        return Err("its header is none that NumPy writes".into());
    }
    let file = NpyFile::new(input).map_err(plain)?;
    let bytes = file.shape().iter().try_fold(1_u64, |bytes, &size| bytes.checked_mul(size));
    if bytes.is_none_or(|least| least > about.len()) {
        return Err("it is cut short: it holds fewer numbers than its header says".into());
    }
    let dims: Vec<i64> = file.shape().iter().map(|&size| size as i64).collect();
    if file.order() != npyz::Order::C {
        return Err("it is stored column by column; save it with numpy.ascontiguousarray".into());
    }
    let DType::Plain(kind) = file.dtype() else { return Err("it holds records, not numbers".into()) };
    macro_rules! values {
        ($type:ty, $element:expr) => {{
            let values = file.into_vec::<$type>().map_err(plain)?;
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            Ok(raw_tensor(name, $element, &dims, bytes))
        }};
    }
    match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 4) => values!(f32, DataType::Float),
        (TypeChar::Float, 8) => values!(f64, DataType::Double),
        (TypeChar::Int, 8) => values!(i64, DataType::Int64),
        (TypeChar::Int, 4) => values!(i32, DataType::Int32),
        (TypeChar::Int, 1) => values!(i8, DataType::Int8),
        (TypeChar::Uint, 1) => values!(u8, DataType::Uint8),
        (TypeChar::Bool, _) => {
            let values = file.into_vec::<bool>().map_err(plain)?;
            Ok(raw_tensor(name, DataType::Bool, &dims, values.into_iter().map(u8::from).collect()))
        }
        _ => Err(format!(
            "its numbers are {kind}; save it as float32, float64, int64, int32, int8, uint8 or bool"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use camloc_graph::onnx::build::{Dim, graph, model, value_info};

    fn two_inputs() -> ModelProto {
        let inputs = vec![
            value_info(
                "image",
                DataType::Float,
                &[Dim::Symbol("N"), Dim::Fixed(3), Dim::Fixed(8), Dim::Fixed(8)],
            ),
            value_info("question", DataType::Int64, &[Dim::Symbol("N"), Dim::Fixed(2)]),
        ];
        model(graph("g", inputs, vec![], vec![], vec![]))
    }

    fn fix(text: &str) -> Result<ModelProto, ModelError> {
        let mut model = two_inputs();
        text.parse::<FixedInput>().unwrap().fix(&mut model, "m.onnx").map(|()| model)
    }

    /// An array file of NumPy, version 1.0.
    fn npy(kind: &str, shape: &str, bytes: &[u8]) -> tempfile::TempPath {
        let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        header += &" ".repeat(63 - (10 + header.len()) % 64);
        header.push('\n');
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        let file = tempfile::Builder::new().suffix(".npy").tempfile().unwrap().into_temp_path();
        std::fs::write(&file, [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), bytes].concat())
            .unwrap();
        file
    }

    #[test]
    fn a_number_fills_the_input() {
        let graph = fix("question=7").unwrap().graph.unwrap();
        assert_eq!(graph.input.len(), 1);
        assert_eq!(camloc_graph::onnx::tensor::ints(&graph.initializer[0]), Some(vec![7, 7]));
    }

    #[test]
    fn an_array_becomes_the_input() {
        let bytes: Vec<u8> = [5_i64, -1].iter().flat_map(|value| value.to_le_bytes()).collect();
        let file = npy("<i8", "(1, 2)", &bytes);
        let graph = fix(&format!("question={}", file.display())).unwrap().graph.unwrap();
        assert_eq!(camloc_graph::onnx::tensor::ints(&graph.initializer[0]), Some(vec![5, -1]));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert!("question".parse::<FixedInput>().is_err() && "question=x.txt".parse::<FixedInput>().is_err());
        let error = fix("answer=1").unwrap_err().to_string();
        assert_eq!(error, "m.onnx has no input 'answer', its inputs are: image, question");
        let file = npy("<f4", "(1, 3)", &[0; 12]);
        let error = fix(&format!("question={}", file.display())).unwrap_err().to_string();
        assert!(error.contains("Int64 [?, 2]"), "{error}");
        let deep = format!("{}2{}", "(".repeat(40), ")".repeat(40));
        for (shape, words) in [(deep.as_str(), "header"), ("(1, 1000000000000000)", "cut short")] {
            let file = npy("<i8", shape, &[0; 16]);
            let error = fix(&format!("question={}", file.display())).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        let error = fix("question=nowhere.npy").unwrap_err().to_string();
        assert!(error.contains("nowhere.npy") && error.lines().count() == 1, "{error}");
    }
}
