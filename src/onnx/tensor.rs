//! The values of a tensor, whatever way the file stores them.

use half::{bf16, f16};

use super::proto::{DataType, TensorProto};

/// The number of elements; `None` when a dimension is negative or the product overflows.
pub fn element_count(dims: &[i64]) -> Option<usize> {
    dims.iter().try_fold(1_usize, |count, &dim| count.checked_mul(usize::try_from(dim).ok()?))
}

/// How many bytes `raw_data` has for this tensor; `None` for text, elements under a byte and
/// unknown types.
pub fn byte_len(tensor: &TensorProto) -> Option<u64> {
    let size = match tensor.data_type() {
        DataType::Uint8 | DataType::Int8 | DataType::Bool => 1,
        DataType::Float8e4m3fn | DataType::Float8e4m3fnuz => 1,
        DataType::Float8e5m2 | DataType::Float8e5m2fnuz | DataType::Float8e8m0 => 1,
        DataType::Uint16 | DataType::Int16 | DataType::Float16 | DataType::Bfloat16 => 2,
        DataType::Float | DataType::Int32 | DataType::Uint32 => 4,
        DataType::Double | DataType::Int64 | DataType::Uint64 | DataType::Complex64 => 8,
        DataType::Complex128 => 16,
        _ => return None,
    };
    (element_count(&tensor.dims)? as u64).checked_mul(size)
}

/// The values of a floating point tensor (16, 32 or 64 bits) as `f32`.
///
/// `None` for other types, external data, and when the values are not as many as the shape says.
pub fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    let raw = tensor.raw_data.as_deref();
    let halves = || tensor.int32_data.iter().map(|&bits| bits as u16);
    let values: Vec<f32> = match (tensor.data_type(), raw) {
        (DataType::Float, Some(raw)) => each(raw, f32::from_le_bytes),
        (DataType::Float, None) => tensor.float_data.clone(),
        (DataType::Double, Some(raw)) => each(raw, |bytes| f64::from_le_bytes(bytes) as f32),
        (DataType::Double, None) => tensor.double_data.iter().map(|&value| value as f32).collect(),
        (DataType::Float16, Some(raw)) => each(raw, |bytes| f16::from_le_bytes(bytes).to_f32()),
        (DataType::Float16, None) => halves().map(|bits| f16::from_bits(bits).to_f32()).collect(),
        (DataType::Bfloat16, Some(raw)) => each(raw, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        (DataType::Bfloat16, None) => halves().map(|bits| bf16::from_bits(bits).to_f32()).collect(),
        _ => return None,
    };
    (Some(values.len()) == element_count(&tensor.dims)).then_some(values)
}

/// The values of an integer or Boolean tensor as `i64`.
///
/// `None` for other types, external data, and when the values are not as many as the shape says.
pub fn ints(tensor: &TensorProto) -> Option<Vec<i64>> {
    let values: Vec<i64> = match (tensor.data_type(), tensor.raw_data.as_deref()) {
        (DataType::Int64, Some(raw)) => each(raw, i64::from_le_bytes),
        (DataType::Int64, None) => tensor.int64_data.clone(),
        (DataType::Int32, Some(raw)) => each(raw, |bytes| i32::from_le_bytes(bytes).into()),
        (DataType::Int16, Some(raw)) => each(raw, |bytes| i16::from_le_bytes(bytes).into()),
        (DataType::Uint16, Some(raw)) => each(raw, |bytes| u16::from_le_bytes(bytes).into()),
        (DataType::Int8, Some(raw)) => each(raw, |bytes| i8::from_le_bytes(bytes).into()),
        (DataType::Uint8 | DataType::Bool, Some(raw)) => each(raw, |[byte]| byte.into()),
        (
            DataType::Int32
            | DataType::Int16
            | DataType::Uint16
            | DataType::Int8
            | DataType::Uint8
            | DataType::Bool,
            None,
        ) => tensor.int32_data.iter().map(|&value| value.into()).collect(),
        _ => return None,
    };
    (Some(values.len()) == element_count(&tensor.dims)).then_some(values)
}

fn each<const SIZE: usize, T>(raw: &[u8], read: impl Fn([u8; SIZE]) -> T) -> Vec<T> {
    raw.as_chunks().0.iter().map(|&bytes| read(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build;

    fn of(element: DataType, dims: &[i64]) -> TensorProto {
        TensorProto { data_type: Some(element.into()), dims: dims.to_vec(), ..Default::default() }
    }

    #[test]
    fn floats_are_read_from_every_width_and_both_stores() {
        let numbers = [1.5_f32, -2.0];
        let raw = |element, bytes: Vec<u8>| build::raw_tensor("t", element, &[2], bytes);
        let halves = numbers.map(|number| f16::from_f32(number).to_bits());
        let brains = numbers.map(|number| bf16::from_f32(number).to_bits());
        let bytes = |bits: [u16; 2]| bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let ints = |bits: [u16; 2]| bits.map(i32::from).to_vec();
        for tensor in [
            build::f32_tensor("t", &[2], &numbers),
            TensorProto { float_data: numbers.to_vec(), ..of(DataType::Float, &[2]) },
            TensorProto { double_data: vec![1.5, -2.0], ..of(DataType::Double, &[2]) },
            raw(DataType::Double, [1.5_f64, -2.0].iter().flat_map(|number| number.to_le_bytes()).collect()),
            raw(DataType::Float16, bytes(halves)),
            raw(DataType::Bfloat16, bytes(brains)),
            TensorProto { int32_data: ints(halves), ..of(DataType::Float16, &[2]) },
            TensorProto { int32_data: ints(brains), ..of(DataType::Bfloat16, &[2]) },
        ] {
            assert_eq!(floats(&tensor).as_deref(), Some(&numbers[..]), "{tensor:?}");
        }
    }

    #[test]
    fn integers_are_read_from_every_width_and_both_stores() {
        for tensor in [
            build::i64_tensor("t", &[2], &[3, 1]),
            TensorProto { int64_data: vec![3, 1], ..of(DataType::Int64, &[2]) },
            TensorProto { int32_data: vec![3, 1], ..of(DataType::Uint8, &[2]) },
            build::raw_tensor("t", DataType::Int32, &[2], vec![3, 0, 0, 0, 1, 0, 0, 0]),
            build::raw_tensor("t", DataType::Uint8, &[2], vec![3, 1]),
        ] {
            assert_eq!(ints(&tensor), Some(vec![3, 1]), "{tensor:?}");
        }
    }

    #[test]
    fn values_that_do_not_fill_the_shape_are_none() {
        for dims in [&[3][..], &[-2], &[i64::MAX, i64::MAX], &[]] {
            assert_eq!(floats(&build::f32_tensor("t", dims, &[1.0, 2.0])), None, "{dims:?}");
        }
        assert_eq!(ints(&build::f32_tensor("t", &[1], &[1.0])), None, "floats are not integers");
    }
}
