//! The values of a tensor, whatever way the file stores them.

use half::{bf16, f16};

use super::proto::{DataLocation, DataType, TensorProto};

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

/// Whether a tensor has as many values as its shape says, wherever they are stored. Of data in another
/// file and of unknown types nothing can be said.
pub(super) fn is_filled(tensor: &TensorProto) -> bool {
    if tensor.data_location == Some(DataLocation::External.into()) {
        return true;
    }
    let Some(count) = element_count(&tensor.dims) else { return false };
    let packed = |values: usize| count.div_ceil(values);
    if let Some(raw) = &tensor.raw_data {
        return match tensor.data_type() {
            DataType::Uint4 | DataType::Int4 | DataType::Float4e2m1 => packed(2) == raw.len(),
            DataType::Uint2 | DataType::Int2 => packed(4) == raw.len(),
            DataType::Undefined | DataType::String | DataType::Float6e2m3 | DataType::Float6e3m2 => true,
            _ => byte_len(tensor) == Some(raw.len() as u64),
        };
    }
    match tensor.data_type() {
        DataType::Undefined | DataType::Float6e2m3 | DataType::Float6e3m2 => true,
        DataType::Float => tensor.float_data.len() == count,
        DataType::Complex64 => Some(tensor.float_data.len()) == count.checked_mul(2),
        DataType::Double => tensor.double_data.len() == count,
        DataType::Complex128 => Some(tensor.double_data.len()) == count.checked_mul(2),
        DataType::Int64 => tensor.int64_data.len() == count,
        DataType::Uint32 | DataType::Uint64 => tensor.uint64_data.len() == count,
        DataType::String => tensor.string_data.len() == count,
        DataType::Uint4 | DataType::Int4 | DataType::Float4e2m1 => tensor.int32_data.len() == packed(2),
        DataType::Uint2 | DataType::Int2 => tensor.int32_data.len() == packed(4),
        _ => tensor.int32_data.len() == count,
    }
}

/// The values of a floating point tensor (16, 32 or 64 bits) as `f32`.
///
/// `None` for other types, external data, and when the values are not as many as the shape says.
pub fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    match (tensor.data_type(), tensor.raw_data.as_deref()) {
        (DataType::Float, Some(raw)) => filled(tensor, raw, f32::from_le_bytes),
        (DataType::Float, None) => whole(tensor, tensor.float_data.clone()),
        _ => Some(doubles(tensor)?.into_iter().map(|value| value as f32).collect()),
    }
}

/// As [`floats`], without loss for 64 bits.
pub(super) fn doubles(tensor: &TensorProto) -> Option<Vec<f64>> {
    let halves = || tensor.int32_data.iter().map(|&bits| bits as u16);
    match (tensor.data_type(), tensor.raw_data.as_deref()) {
        (DataType::Float, Some(raw)) => filled(tensor, raw, |bytes| f32::from_le_bytes(bytes).into()),
        (DataType::Float, None) => {
            whole(tensor, tensor.float_data.iter().map(|&value| value.into()).collect())
        }
        (DataType::Double, Some(raw)) => filled(tensor, raw, f64::from_le_bytes),
        (DataType::Double, None) => whole(tensor, tensor.double_data.clone()),
        (DataType::Float16, Some(raw)) => filled(tensor, raw, |bytes| f16::from_le_bytes(bytes).into()),
        (DataType::Float16, None) => {
            whole(tensor, halves().map(|bits| f16::from_bits(bits).into()).collect())
        }
        (DataType::Bfloat16, Some(raw)) => filled(tensor, raw, |bytes| bf16::from_le_bytes(bytes).into()),
        (DataType::Bfloat16, None) => {
            whole(tensor, halves().map(|bits| bf16::from_bits(bits).into()).collect())
        }
        _ => None,
    }
}

/// The values of an integer or Boolean tensor as `i64`.
///
/// `None` for other types, external data, values beyond `i64`, and when the values are not as many as
/// the shape says.
pub fn ints(tensor: &TensorProto) -> Option<Vec<i64>> {
    let unsigned =
        |values: Option<Vec<u64>>| values?.into_iter().map(|value| value.try_into().ok()).collect();
    match (tensor.data_type(), tensor.raw_data.as_deref()) {
        (DataType::Int64, Some(raw)) => filled(tensor, raw, i64::from_le_bytes),
        (DataType::Int64, None) => whole(tensor, tensor.int64_data.clone()),
        (DataType::Uint64, Some(raw)) => unsigned(filled(tensor, raw, u64::from_le_bytes)),
        (DataType::Uint64 | DataType::Uint32, None) => unsigned(whole(tensor, tensor.uint64_data.clone())),
        (DataType::Uint32, Some(raw)) => filled(tensor, raw, |bytes| u32::from_le_bytes(bytes).into()),
        (DataType::Int32, Some(raw)) => filled(tensor, raw, |bytes| i32::from_le_bytes(bytes).into()),
        (DataType::Int16, Some(raw)) => filled(tensor, raw, |bytes| i16::from_le_bytes(bytes).into()),
        (DataType::Uint16, Some(raw)) => filled(tensor, raw, |bytes| u16::from_le_bytes(bytes).into()),
        (DataType::Int8, Some(raw)) => filled(tensor, raw, |bytes| i8::from_le_bytes(bytes).into()),
        (DataType::Uint8, Some(raw)) => filled(tensor, raw, |[byte]| byte.into()),
        (DataType::Bool, Some(raw)) => filled(tensor, raw, |[byte]| i64::from(byte != 0)),
        (
            DataType::Int32
            | DataType::Int16
            | DataType::Uint16
            | DataType::Int8
            | DataType::Uint8
            | DataType::Bool,
            None,
        ) => whole(tensor, tensor.int32_data.iter().map(|&value| value.into()).collect()),
        _ => None,
    }
}

/// Reads raw data, if it has exactly the values that the shape says.
fn filled<const SIZE: usize, T>(
    tensor: &TensorProto,
    raw: &[u8],
    read: impl Fn([u8; SIZE]) -> T,
) -> Option<Vec<T>> {
    let (values, rest) = raw.as_chunks();
    let exact = Some(values.len()) == element_count(&tensor.dims) && rest.is_empty();
    exact.then(|| values.iter().map(|&bytes| read(bytes)).collect())
}

fn whole<T>(tensor: &TensorProto, values: Vec<T>) -> Option<Vec<T>> {
    (Some(values.len()) == element_count(&tensor.dims)).then_some(values)
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
