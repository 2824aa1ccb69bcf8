//! The outputs of a session: tensors that are allocated once and written by every run.

use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session};
use ort::value::{Tensor, TensorElementType, ValueType};

use super::RuntimeError;
use super::input::zeros;
use super::shape::shape_text;

/// One output, bound to its session.
pub(super) struct Output {
    name: String,
    shape: Vec<usize>,
    tensor: OutputTensor,
}

enum OutputTensor {
    F32(Tensor<f32>),
    F16 { tensor: Tensor<f16>, values: Vec<f32> },
    I64(Tensor<i64>),
}

impl Output {
    /// Binds every output of floats or i64 to a tensor of the shape that a first run gives it.
    ///
    /// Graphs seldom say all the sizes of their outputs. The first run finds them, and it pays for
    /// everything that a session does only once, before the first frame. Of outputs for `times` the same picture the first
    /// one's are read.
    pub(super) fn bind_all(
        session: &mut Session,
        binding: &mut IoBinding,
        times: usize,
    ) -> Result<Vec<Output>, RuntimeError> {
        let cpu = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::CPUOutput)
            .map_err(RuntimeError::other)?;
        for outlet in session.outputs() {
            if outlet.dtype().tensor_type().is_some_and(is_readable) {
                binding.bind_output_to_device(outlet.name(), &cpu).map_err(RuntimeError::other)?;
            }
        }
        let mut outputs = Vec::new();
        for (name, value) in session.run_binding(binding).map_err(RuntimeError::run)?.iter() {
            let ValueType::Tensor { ty, shape, .. } = value.dtype() else { continue };
            let shape = shape.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect();
            outputs.push(Output::new(name, *ty, shape, times)?);
        }
        binding.clear_outputs();
        for output in &mut outputs {
            output.bind(binding).map_err(RuntimeError::other)?;
        }
        Ok(outputs)
    }

    fn new(
        name: &str,
        kind: TensorElementType,
        mut shape: Vec<usize>,
        times: usize,
    ) -> Result<Output, RuntimeError> {
        let allocator = Allocator::default();
        let tensor = match kind {
            TensorElementType::Int64 => OutputTensor::I64(zeros(&allocator, &shape)?),
            TensorElementType::Float16 => OutputTensor::F16 {
                tensor: zeros(&allocator, &shape)?,
                values: vec![0.0; shape.iter().product()],
            },
            _ => OutputTensor::F32(zeros(&allocator, &shape)?),
        };
        if let Some(batch) = shape.first_mut().filter(|batch| times > 1 && **batch == times) {
            *batch = 1;
        }
        Ok(Output { name: name.to_owned(), shape, tensor })
    }

    fn bind(&mut self, binding: &mut IoBinding) -> ort::Result<()> {
        match &mut self.tensor {
            OutputTensor::F32(tensor) => binding.bind_output(&self.name, tensor),
            OutputTensor::F16 { tensor, .. } => binding.bind_output(&self.name, tensor),
            OutputTensor::I64(tensor) => binding.bind_output(&self.name, tensor),
        }
    }

    /// Makes what a run wrote readable; only f16 needs it.
    pub(super) fn convert(&mut self) {
        if let OutputTensor::F16 { tensor, values } = &mut self.tensor {
            tensor.extract_tensor().1.convert_to_f32_slice(values);
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// The values, where they are floats.
    pub(super) fn floats(&self) -> Option<&[f32]> {
        match &self.tensor {
            OutputTensor::F32(tensor) => Some(&tensor.extract_tensor().1[..self.count()]),
            OutputTensor::F16 { values, .. } => Some(&values[..self.count()]),
            OutputTensor::I64(_) => None,
        }
    }

    /// The values, where they are integers.
    pub(super) fn integers(&self) -> Option<&[i64]> {
        match &self.tensor {
            OutputTensor::I64(tensor) => Some(&tensor.extract_tensor().1[..self.count()]),
            _ => None,
        }
    }

    /// `'name' (f32 1x1000)`, for messages.
    pub(super) fn describe(&self) -> String {
        let kind = if self.integers().is_some() { "i64" } else { "f32" };
        format!("'{}' ({kind} {})", self.name, shape_text(&self.shape))
    }
}

fn is_readable(kind: TensorElementType) -> bool {
    matches!(kind, TensorElementType::Float32 | TensorElementType::Float16 | TensorElementType::Int64)
}
