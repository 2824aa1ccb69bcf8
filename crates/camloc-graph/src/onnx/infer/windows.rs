//! Shapes of what slides a window: convolutions and poolings.

use crate::onnx::known::size::{Size, Sizes, each, each_lossy, fixed, known, multiply};
use crate::onnx::operators::window::Window;
use crate::onnx::operators::{Operator, second_operand};

/// `[N, M, …]` of a convolution.
pub(super) fn conv(call: &Operator<'_>) -> Option<Sizes> {
    let (input, weight) = (call.shape(0), call.shape(second_operand(call.name())));
    let unknown = vec![None; weight.or(input)?.len()];
    let (input, weight) = (input.unwrap_or(&unknown), weight.unwrap_or(&unknown));
    let window = call.window();
    let spatial = match &window {
        Some(window) => places(call, window, input.get(2..)?)?,
        None => input.get(2..)?.iter().map(|_| None).collect(),
    };
    Some([vec![*input.first()?, *weight.first()?], spatial].concat())
}

/// `[N, C, …]` of a pooling.
pub(super) fn pool(call: &Operator<'_>) -> Option<Sizes> {
    let input = call.shape(0)?;
    Some([input.get(..2)?, &places(call, &call.window()?, input.get(2..)?)?].concat())
}

/// `[N, C, 1, …]` of a global pooling.
pub(super) fn global(input: &[Size]) -> Sizes {
    input.iter().enumerate().map(|(axis, &size)| if axis < 2 { size } else { fixed(1) }).collect()
}

/// The places a window takes along each spatial axis.
fn places(call: &Operator<'_>, window: &Window, input: &[Size]) -> Option<Sizes> {
    let ceil = call.node.int_or("ceil_mode", 0) != 0;
    let places = |axis: usize| {
        let stride = window.strides[axis];
        let [begin, end] = window.named_pads(axis);
        each_lossy([input[axis], window.kernel[axis]], |[size, kernel]| {
            if stride <= 0 || window.dilations[axis] <= 0 || size < 0 {
                return None;
            }
            if window.is_same() {
                return size.checked_add(stride - 1).map(|size| size / stride);
            }
            let padded = size.checked_add(begin)?.checked_add(end)?;
            let room = padded.checked_sub(window.extent(axis, kernel)?)?;
            // Rounded up, a window that is larger than all there is takes all of it.
            if room < 0 {
                return (ceil && room > -stride).then_some(1);
            }
            let exact = !ceil || room % stride == 0;
            let places = room / stride + 1;
            // Of rounding up: the last window must start within the input or the padding before it.
            let starts = places.checked_mul(stride)? < size.checked_add(begin)?;
            Some(places + i64::from(!exact && starts))
        })
    };
    (window.axes() == input.len()).then(|| (0..input.len()).map(places).collect())
}

/// `[N, M, …]` of a transposed convolution.
pub(super) fn conv_transpose(call: &Operator<'_>) -> Option<Sizes> {
    let (input, weight) = (call.shape(0)?, call.shape(1)?);
    let (window, spatial) = (call.window()?, input.get(2..)?);
    if window.axes() != spatial.len() {
        return None;
    }
    let channels = multiply(*weight.get(1)?, fixed(call.node.int_or("group", 1)));
    let given = call.node.ints("output_shape").filter(|shape| shape.len() >= spatial.len());
    let sizes: Sizes = match given {
        Some(shape) => shape[shape.len() - spatial.len()..].iter().map(|&size| fixed(size)).collect(),
        None => (0..spatial.len()).map(|axis| widened(call, &window, axis, spatial[axis])).collect(),
    };
    Some([vec![input[0], channels], sizes].concat())
}

/// How many places these many windows make, laid out along an axis.
fn widened(call: &Operator<'_>, window: &Window, axis: usize, windows: Size) -> Size {
    let more = call.node.ints("output_padding").and_then(|v| v.get(axis).copied()).unwrap_or(0);
    let stride = window.strides[axis];
    let [begin, end] = window.named_pads(axis);
    each([windows, window.kernel[axis]], |[windows, kernel]| {
        let reach = windows.checked_sub(1)?.checked_mul(stride)?.checked_add(more)?;
        let whole = reach.checked_add(window.extent(axis, kernel)?)?;
        if window.is_same() {
            return windows.checked_mul(stride).map(|same| same.min(whole));
        }
        whole.checked_sub(begin)?.checked_sub(end).filter(|&size| size >= 0)
    })
}

/// The shape before a max pooling that is undone.
pub(super) fn unpool(call: &Operator<'_>) -> Option<Sizes> {
    if call.node.input_at(2).is_some() {
        return call.sizes(2).map(<[_]>::to_vec);
    }
    let (input, window) = (call.shape(0)?, call.window()?);
    let spatial = input.get(2..)?;
    if window.axes() != spatial.len() || window.kernel.iter().any(|&size| known(size).is_none()) {
        return None;
    }
    let sizes: Sizes = (0..spatial.len()).map(|axis| widened(call, &window, axis, spatial[axis])).collect();
    Some([input.get(..2)?, &sizes].concat())
}
