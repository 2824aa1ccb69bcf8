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
        let Some(fixed) = fixed_shape(shape, asked) else {
            let found = shape_text(shape);
            return Err(match asked {
                Some(asked) => RuntimeError::Shape { name, found, asked: shape_text(asked) },
                None => RuntimeError::OpenShape { name, found },
            });
        };
        let len = fixed.iter().product();
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
        Ok(Input { name, shape: fixed, tensor })
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        match &mut self.tensor {
            InputTensor::F32(tensor) => tensor.extract_tensor_mut().1,
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
            InputTensor::F32(_) => {}
            InputTensor::F16 { tensor, values } => {
                tensor.extract_tensor_mut().1.convert_from_f32_slice(values);
            }
            InputTensor::U8 { tensor, values } => {
                for (byte, value) in tensor.extract_tensor_mut().1.iter_mut().zip(values) {
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
