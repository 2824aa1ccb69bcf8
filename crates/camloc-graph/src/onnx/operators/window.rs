//! Windows that slide over the spatial axes: those of convolutions and poolings.

use super::{Operator, second_operand};
use crate::onnx::known::size::{Size, Sizes, fixed, known};

/// The window of a convolution or a pooling; one entry for each spatial axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// How many places of the input one window takes.
    pub(crate) kernel: Vec<Size>,
    /// How far apart windows are.
    pub(crate) strides: Vec<i64>,
    /// How far apart the places of one window are.
    pub(crate) dilations: Vec<i64>,
    pub(crate) padding: Padding,
}

/// How many places are added around the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// In front of and behind each axis.
    Explicit(Vec<[i64; 2]>),
    /// As many as make an output place of every stride; an odd one comes behind.
    SameUpper,
    /// The same; an odd one comes in front.
    SameLower,
}

impl Operator<'_> {
    /// The window, where the number of its axes is known and all that the node says fits it.
    pub(crate) fn window(&self) -> Option<Window> {
        let kernel = self.kernel()?;
        let axes = kernel.len();
        let list = |name: &str| match self.node.ints(name) {
            Some(values) => Some(values.to_vec()).filter(|values| values.len() == axes),
            None => Some(vec![1; axes]),
        };
        let (strides, dilations) = (list("strides")?, list("dilations")?);
        Some(Window { kernel, strides, dilations, padding: self.padding(axes)? })
    }

    /// The size of the window: of a convolution that of its weight, which it may name as well.
    fn kernel(&self) -> Option<Sizes> {
        let named =
            || self.node.ints("kernel_shape").map(|kernel| kernel.iter().map(|&size| fixed(size)).collect());
        let weight = match self.name() {
            "Conv" | "ConvInteger" | "QLinearConv" | "ConvTranspose" => {
                self.shape(second_operand(self.name()))
            }
            _ => None,
        };
        let weight = weight.and_then(|weight| weight.get(2..));
        match weight {
            Some(kernel) if kernel.iter().all(|&size| known(size).is_some()) => Some(kernel.to_vec()),
            _ => named().or_else(|| weight.map(<[_]>::to_vec)),
        }
    }

    fn padding(&self, axes: usize) -> Option<Padding> {
        let none = || Padding::Explicit(vec![[0; 2]; axes]);
        match self.node.string("auto_pad").unwrap_or("NOTSET") {
            "NOTSET" | "" => match self.node.ints("pads") {
                Some(pads) if pads.len() == 2 * axes => {
                    Some(Padding::Explicit((0..axes).map(|axis| [pads[axis], pads[axis + axes]]).collect()))
                }
                Some(_) => None,
                None => Some(none()),
            },
            "VALID" => Some(none()),
            "SAME_UPPER" => Some(Padding::SameUpper),
            "SAME_LOWER" => Some(Padding::SameLower),
            _ => None,
        }
    }
}

impl Window {
    /// The number of spatial axes.
    pub(crate) fn axes(&self) -> usize {
        self.kernel.len()
    }

    /// The size of the window, where it is known.
    pub(crate) fn known_kernel(&self) -> Option<Vec<i64>> {
        self.kernel.iter().map(|&size| known(size)).collect()
    }

    /// Whether the padding follows from the size of the input.
    pub(crate) fn is_same(&self) -> bool {
        !matches!(self.padding, Padding::Explicit(_))
    }

    /// The padding that is named, in front of and behind an axis; none where it follows from the size of the input.
    pub(crate) fn named_pads(&self, axis: usize) -> [i64; 2] {
        match &self.padding {
            Padding::Explicit(pads) => pads[axis],
            Padding::SameUpper | Padding::SameLower => [0; 2],
        }
    }

    /// How many places of the input a window of `kernel` places spans; `None` where that is no number of places.
    pub(crate) fn extent(&self, axis: usize, kernel: i64) -> Option<i64> {
        kernel.checked_sub(1)?.checked_mul(self.dilations[axis])?.checked_add(1).filter(|_| kernel > 0)
    }

    /// How many places are added in front of and behind an axis of the input of this size; `None` where it is open and
    /// they follow from it.
    pub(crate) fn pads(&self, axis: usize, size: Option<i64>) -> Option<[i64; 2]> {
        let upper = match &self.padding {
            Padding::Explicit(pads) => return Some(pads[axis]),
            Padding::SameUpper => true,
            Padding::SameLower => false,
        };
        let stride = self.strides[axis];
        // With stride 1 they are the same for every size.
        let size = if stride == 1 { 1 } else { size? };
        let extent = self.extent(axis, known(self.kernel[axis])?)?;
        let reached = size.checked_add(stride.checked_sub(1)?)?.checked_div(stride)?.checked_sub(1)?;
        let covered = reached.checked_mul(stride)?.checked_add(extent)?;
        let all = covered.checked_sub(size)?.max(0);
        let less = all / 2;
        Some(if upper { [less, all - less] } else { [all - less, less] })
    }

    /// Whether nothing is added around the input, whatever its size.
    pub(crate) fn is_unpadded(&self) -> bool {
        match &self.padding {
            Padding::Explicit(pads) => pads.iter().all(|pads| *pads == [0; 2]),
            _ => {
                (0..self.axes()).all(|axis| self.strides[axis] == 1 && self.pads(axis, None) == Some([0; 2]))
            }
        }
    }

    /// Whether each window is a single place of the input.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.kernel.iter().all(|&size| size == fixed(1)) && self.is_unpadded()
    }

    /// Whether there is a window for each place.
    pub(crate) fn is_dense(&self) -> bool {
        self.strides.iter().all(|&stride| stride == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{on, read};
    use super::*;
    use crate::onnx::build::{f32_tensor, ints, node, string};
    use crate::onnx::proto::AttributeProto;

    fn pool(attributes: Vec<AttributeProto>) -> Option<Window> {
        let attributes = [vec![ints("kernel_shape", &[3, 2])], attributes].concat();
        read(&on(&[1, 1, 8, 8], vec![], node("MaxPool", "n", &["x"], &["y"], attributes)), |it| it.window())
    }

    #[test]
    fn what_is_left_out_is_one_place_apart_and_not_padded() {
        let window = pool(vec![]).unwrap();
        assert_eq!((window.known_kernel(), &window.strides[..]), (Some(vec![3, 2]), &[1, 1][..]));
        assert!(window.is_dense() && window.is_unpadded() && !window.is_pointwise());
        assert_eq!(window.extent(0, 3), Some(3));
        assert_eq!(pool(vec![ints("strides", &[2])]), None, "it does not fit the kernel");
        assert_eq!(pool(vec![ints("pads", &[1, 1])]), None);
    }

    #[test]
    fn a_convolutions_window_is_its_weights() {
        let weight = || vec![f32_tensor("w", &[4, 1, 1, 1], &[0.0; 4])];
        let conv = |attributes| node("Conv", "n", &["x", "w"], &["y"], attributes);
        let window = read(&on(&[1, 1, 8, 8], weight(), conv(vec![])), |it| it.window());
        assert!(window.unwrap().is_pointwise());
        let padded = vec![ints("pads", &[0, 1, 0, 0])];
        let window = read(&on(&[1, 1, 8, 8], weight(), conv(padded)), |it| it.window());
        assert!(!window.unwrap().is_pointwise());
    }

    #[test]
    fn automatic_padding_has_an_output_for_every_stride() {
        let of = |how: &str| pool(vec![string("auto_pad", how), ints("strides", &[2, 1])]).unwrap();
        let (upper, lower) = (of("SAME_UPPER"), of("SAME_LOWER"));
        assert_eq!((upper.pads(0, Some(8)), lower.pads(0, Some(8))), (Some([0, 1]), Some([1, 0])));
        assert_eq!((upper.pads(0, Some(7)), upper.pads(0, None)), (Some([1, 1]), None));
        assert_eq!(upper.pads(1, None), Some([0, 1]), "with stride 1 the size does not matter");
        assert!(of("VALID").is_unpadded() && !upper.is_unpadded());
    }
}
