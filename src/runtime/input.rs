//! The image input of a session: f32 values outside, whatever the model wants inside.

use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::memory::Allocator;
use ort::session::IoBinding;
use ort::value::{Outlet, Tensor, TensorElementType, ValueType};

use super::RuntimeError;
use super::shape::{fixed_shape, shape_text};

/// A preallocated input that stays bound to its session.
///
/// On the CPU a bound tensor is shared: writing to it is all that a run needs. For a device it is copied when it is bound,
/// so it is bound again before each run.
pub(super) struct Input {
    name: String,
    shape: Vec<usize>,
    /// How often what was written is fed: a model of a fixed batch is fed one picture in every place of it.
    times: usize,
    tensor: InputTensor,
}

enum InputTensor {
    F32(Tensor<f32>),
    F16 { tensor: Tensor<f16>, values: Vec<f32> },
    U8 { tensor: Tensor<u8>, values: Vec<f32> },
}

impl Input {
    /// Zeros in the shape that `outlet` says, or `asked` where the graph leaves it open.
    pub(super) fn new(outlet: &Outlet, asked: Option<&[usize]>) -> Result<Input, RuntimeError> {
        let name = outlet.name().to_owned();
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return Err(RuntimeError::InputType { name, found: outlet.dtype().to_string() });
        };
        let whole = |batch: usize| asked.map(|asked| [&[batch], asked.get(1..).unwrap_or_default()].concat());
        let once = fixed_shape(shape, asked).map(|fixed| (fixed, 1));
        let batch = shape.first().and_then(|&batch| usize::try_from(batch).ok()).filter(|&batch| batch > 1);
        let repeated = batch.filter(|_| asked.and_then(<[usize]>::first) == Some(&1));
        let found = once.or_else(|| {
            let times = repeated?;
            Some((fixed_shape(shape, whole(times).as_deref())?, times))
        });
        let Some((fixed, times)) = found else {
            let found = shape_text(shape);
            return Err(match asked {
                Some(asked) => RuntimeError::Shape { name, found, asked: shape_text(asked) },
                None => RuntimeError::OpenShape { name, found },
            });
        };
        let len = fixed.iter().product::<usize>() / times;
        let allocator = Allocator::default();
        let tensor = match ty {
            TensorElementType::Float32 => InputTensor::F32(zeros(&allocator, &fixed)?),
            TensorElementType::Float16 => {
                InputTensor::F16 { tensor: zeros(&allocator, &fixed)?, values: vec![0.0; len] }
            }
            TensorElementType::Uint8 => {
                InputTensor::U8 { tensor: zeros(&allocator, &fixed)?, values: vec![0.0; len] }
            }
            other => return Err(RuntimeError::InputType { name, found: other.to_string() }),
        };
        let shape = match (times, asked) {
            (2.., Some(asked)) => asked.to_vec(),
            _ => fixed,
        };
        Ok(Input { name, shape, times, tensor })
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How often what is written is fed.
    pub(super) fn times(&self) -> usize {
        self.times
    }

    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        let len = self.shape.iter().product();
        match &mut self.tensor {
            InputTensor::F32(tensor) => &mut tensor.extract_tensor_mut().1[..len],
            InputTensor::F16 { values, .. } | InputTensor::U8 { values, .. } => values,
        }
    }

    pub(super) fn bind(&self, binding: &mut IoBinding) -> ort::Result<()> {
        match &self.tensor {
            InputTensor::F32(tensor) => binding.bind_input(&self.name, tensor),
            InputTensor::F16 { tensor, .. } => binding.bind_input(&self.name, tensor),
            InputTensor::U8 { tensor, .. } => binding.bind_input(&self.name, tensor),
        }
    }

    /// Converts what was written to [`Input::values_mut`] to what the model wants; u8 rounds and clamps.
    pub(super) fn convert(&mut self) {
        match &mut self.tensor {
            InputTensor::F32(tensor) if self.times > 1 => {
                let all = tensor.extract_tensor_mut().1;
                let len = all.len() / self.times;
                let (first, rest) = all.split_at_mut(len);
                rest.chunks_mut(len.max(1)).for_each(|next| next.copy_from_slice(first));
            }
            InputTensor::F32(_) => {}
            InputTensor::F16 { tensor, values } => {
                let all = tensor.extract_tensor_mut().1;
                all.chunks_mut(values.len().max(1)).for_each(|next| next.convert_from_f32_slice(values));
            }
            InputTensor::U8 { tensor, values } => {
                let all = tensor.extract_tensor_mut().1;
                for (byte, value) in all.iter_mut().zip(values.iter().cycle()) {
                    // A cast saturates: below 0 becomes 0, above 255 becomes 255.
                    *byte = (*value + 0.5) as u8;
                }
            }
        }
    }
}

/// A tensor of zeros: ONNX Runtime's own allocations start with arbitrary content.
pub(super) fn zeros<T>(allocator: &Allocator, shape: &[usize]) -> Result<Tensor<T>, RuntimeError>
where
    T: ort::value::PrimitiveTensorElementType + std::fmt::Debug + Default + Copy,
{
    let mut tensor = Tensor::new(allocator, shape.to_vec()).map_err(RuntimeError::other)?;
    tensor.extract_tensor_mut().1.fill(T::default());
    Ok(tensor)
}
