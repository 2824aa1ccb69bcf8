//! Shapes of what slides a window: convolutions and poolings.

use super::Call;
use super::size::{Size, Sizes, each, each_lossy, fixed, known, multiply};

/// `[N, M, …]` of a convolution, whose input and weight are at these places.
pub(super) fn conv(call: &Call<'_>, input: usize, weight: usize) -> Option<Sizes> {
    let (input, weight) = (call.shape(input), call.shape(weight));
    let rank = weight.or(input)?.len();
    let unknown = vec![None; rank];
    let (input, weight) = (input.unwrap_or(&unknown), weight.unwrap_or(&unknown));
    let spatial = windows(call, input.get(2..)?, &kernel(call, weight.get(2..)?))?;
    Some([vec![*input.first()?, *weight.first()?], spatial].concat())
}

/// The size of the window: as the node says, or as the weight is.
fn kernel(call: &Call<'_>, weight: &[Size]) -> Sizes {
    match call.node.ints("kernel_shape") {
        Some(kernel) => kernel.iter().map(|&size| fixed(size)).collect(),
        None => weight.to_vec(),
    }
}

/// `[N, C, …]` of a pooling.
pub(super) fn pool(call: &Call<'_>) -> Option<Sizes> {
    let input = call.shape(0)?;
    Some([input.get(..2)?, &windows(call, input.get(2..)?, &kernel(call, &[]))?].concat())
}

/// `[N, C, 1, …]` of a global pooling.
pub(super) fn global(input: &[Size]) -> Sizes {
    input.iter().enumerate().map(|(axis, &size)| if axis < 2 { size } else { fixed(1) }).collect()
}

/// What a node says of one spatial axis.
struct Axis {
    stride: i64,
    dilation: i64,
    pads: [i64; 2],
}

impl Axis {
    fn new(call: &Call<'_>, axis: usize, rank: usize) -> Axis {
        let at =
            |name, axis, default| call.node.ints(name).and_then(|v| v.get(axis).copied()).unwrap_or(default);
        let padded = matches!(call.node.string("auto_pad").unwrap_or("NOTSET"), "NOTSET" | "");
        let pads = if padded { [at("pads", axis, 0), at("pads", axis + rank, 0)] } else { [0, 0] };
        Axis { stride: at("strides", axis, 1), dilation: at("dilations", axis, 1), pads }
    }

    /// How far a window of `kernel` values reaches.
    fn extent(&self, kernel: i64) -> Option<i64> {
        kernel.checked_sub(1)?.checked_mul(self.dilation)?.checked_add(1).filter(|_| kernel > 0)
    }
}

fn pads_to_same(call: &Call<'_>) -> bool {
    call.node.string("auto_pad").is_some_and(|pad| pad.starts_with("SAME"))
}

/// The places a window takes along each spatial axis.
fn windows(call: &Call<'_>, input: &[Size], kernel: &[Size]) -> Option<Sizes> {
    let (same, ceil) = (pads_to_same(call), call.node.int_or("ceil_mode", 0) != 0);
    let places = |number: usize| {
        let axis = Axis::new(call, number, input.len());
        let (size, kernel) = (input[number], kernel[number]);
        each_lossy([size, kernel], |[size, kernel]| {
            if axis.stride <= 0 || axis.dilation <= 0 || size < 0 {
                return None;
            }
            if same {
                return size.checked_add(axis.stride - 1).map(|size| size / axis.stride);
            }
            let padded = size.checked_add(axis.pads[0])?.checked_add(axis.pads[1])?;
            let room = padded.checked_sub(axis.extent(kernel)?).filter(|&room| room >= 0)?;
            let exact = !ceil || room % axis.stride == 0;
            let places = room / axis.stride + 1;
            // Of rounding up: the last window must start within the input or the padding before it.
            let starts = places.checked_mul(axis.stride)? < size.checked_add(axis.pads[0])?;
            Some(places + i64::from(!exact && starts))
        })
    };
    (kernel.len() == input.len()).then(|| (0..input.len()).map(places).collect())
}

/// `[N, M, …]` of a transposed convolution.
pub(super) fn conv_transpose(call: &Call<'_>) -> Option<Sizes> {
    let (input, weight) = (call.shape(0)?, call.shape(1)?);
    let spatial = input.get(2..)?;
    let kernel = kernel(call, weight.get(2..)?);
    if kernel.len() != spatial.len() {
        return None;
    }
    let channels = multiply(*weight.get(1)?, fixed(call.node.int_or("group", 1)));
    let given = call.node.ints("output_shape").filter(|shape| shape.len() >= spatial.len());
    let sizes: Sizes = match given {
        Some(shape) => shape[shape.len() - spatial.len()..].iter().map(|&size| fixed(size)).collect(),
        None => (0..spatial.len()).map(|axis| widened(call, axis, spatial, kernel[axis])).collect(),
    };
    Some([vec![input[0], channels], sizes].concat())
}

fn widened(call: &Call<'_>, number: usize, spatial: &[Size], kernel: Size) -> Size {
    let axis = Axis::new(call, number, spatial.len());
    let more = call.node.ints("output_padding").and_then(|v| v.get(number).copied()).unwrap_or(0);
    each([spatial[number], kernel], |[size, kernel]| {
        let reach = size.checked_sub(1)?.checked_mul(axis.stride)?.checked_add(more)?;
        let whole = reach.checked_add(axis.extent(kernel)?)?;
        if pads_to_same(call) {
            return size.checked_mul(axis.stride).map(|same| same.min(whole));
        }
        whole.checked_sub(axis.pads[0])?.checked_sub(axis.pads[1]).filter(|&size| size >= 0)
    })
}

/// The shape before a max pooling that is undone.
pub(super) fn unpool(call: &Call<'_>) -> Option<Sizes> {
    if call.node.input_at(2).is_some() {
        return call.sizes(2).map(<[_]>::to_vec);
    }
    let input = call.shape(0)?;
    let spatial = input.get(2..)?;
    let kernel = kernel(call, &[]);
    if kernel.len() != spatial.len() || kernel.iter().any(|&size| known(size).is_none()) {
        return None;
    }
    let sizes: Sizes = (0..spatial.len()).map(|axis| widened(call, axis, spatial, kernel[axis])).collect();
    Some([input.get(..2)?, &sizes].concat())
}
