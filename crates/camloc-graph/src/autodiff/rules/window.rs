//! Windows that slide over the spatial axes: what convolutions and poolings have in common.

use super::super::call::{Call, Missing, Size};
use super::place::{Begin, Fit, fit};
use crate::onnx::build::{int, ints};
use crate::onnx::operators::window;
use crate::onnx::proto::AttributeProto;

/// The largest kernel along one axis, stride, dilation or padding.
pub(super) const MOST: i64 = u16::MAX as i64;
/// The most places of one window: rules write a value for each.
const MOST_PLACES: i64 = 1 << 20;

/// Kernel, strides, dilations and paddings, one for each spatial axis.
pub(super) struct Window {
    pub(super) kernel: Vec<i64>,
    pub(super) strides: Vec<i64>,
    pub(super) dilations: Vec<i64>,
    pub(super) begins: Vec<i64>,
    pub(super) ends: Vec<i64>,
}

impl Window {
    /// Of the node, its paddings too.
    pub(super) fn of(call: &Call<'_, '_>) -> Result<Window, Missing> {
        let window = window(call)?;
        let sizes = call.shape(call.input(0)?).unwrap_or_default();
        Window::unpadded(&window)?.padded(&window, &sizes)
    }

    /// Of a convolution without its paddings.
    pub(super) fn without_pads(call: &Call<'_, '_>) -> Result<Window, Missing> {
        Window::unpadded(&window(call)?)
    }

    fn unpadded(window: &window::Window) -> Result<Window, Missing> {
        let kernel =
            window.known_kernel().ok_or_else(|| Missing::because("the size of its window is open"))?;
        let (axes, strides, dilations) = (kernel.len(), window.strides.clone(), window.dilations.clone());
        let usable = |sizes: &[i64]| sizes.iter().all(|size| (1..=MOST).contains(size));
        if !usable(&kernel) || !usable(&strides) || !usable(&dilations) {
            return Err(Missing::because(format!(
                "its kernel, strides or dilations are not from 1 to {MOST}"
            )));
        }
        let places = kernel.iter().try_fold(1_i64, |places, &size| places.checked_mul(size));
        if places.is_none_or(|places| places > MOST_PLACES) {
            return Err(Missing::because(format!("its windows have over {MOST_PLACES} places")));
        }
        Ok(Window { kernel, strides, dilations, begins: vec![0; axes], ends: vec![0; axes] })
    }

    /// With the paddings for an input of these sizes.
    fn padded(mut self, window: &window::Window, sizes: &[Option<i64>]) -> Result<Window, Missing> {
        for axis in 0..self.axes() {
            let pads = window.pads(axis, sizes.get(axis + 2).copied().flatten()).ok_or_else(open)?;
            if !pads.iter().all(|pad| (-MOST..=MOST).contains(pad)) {
                return Err(Missing::because(format!("its pads are not from -{MOST} to {MOST}")));
            }
            [self.begins[axis], self.ends[axis]] = pads;
        }
        Ok(self)
    }

    /// The number of spatial axes.
    pub(super) fn axes(&self) -> usize {
        self.kernel.len()
    }

    /// How many places of the input one window spans.
    pub(super) fn extent(&self, axis: usize) -> i64 {
        (self.kernel[axis] - 1) * self.dilations[axis] + 1
    }

    /// How many places of an axis this many windows reach, without the paddings.
    pub(super) fn reach(&self, axis: usize, windows: i64) -> i64 {
        (windows - 1) * self.strides[axis] + self.extent(axis) - self.begins[axis] - self.ends[axis]
    }

    pub(super) fn is_padded(&self) -> bool {
        self.begins.iter().chain(&self.ends).any(|&pad| pad != 0)
    }

    pub(super) fn has_strides(&self) -> bool {
        self.strides.iter().any(|&stride| stride != 1)
    }

    pub(super) fn is_dilated(&self) -> bool {
        self.dilations.iter().any(|&dilation| dilation != 1)
    }

    /// As attributes, with these paddings.
    pub(super) fn attributes(&self, begins: &[i64], ends: &[i64]) -> Vec<AttributeProto> {
        vec![
            ints("kernel_shape", &self.kernel),
            ints("strides", &self.strides),
            ints("dilations", &self.dilations),
            ints("pads", &[begins, ends].concat()),
        ]
    }

    /// A gradient by what windows over `input` made, `output`, brought back to the places of `input` by the transposed
    /// convolution. It has no paddings; what lies in them is cut off afterwards, and what no window reached is 0.
    pub(super) fn transposed(
        &self,
        call: &mut Call<'_, '_>,
        gradient: &str,
        kernel: &str,
        group: i64,
        input: &str,
        output: &str,
    ) -> String {
        let axes = self.axes();
        let none = vec![0; axes];
        let mut attributes = self.attributes(&none, &none);
        attributes.push(int("group", group));
        let whole = call.op("ConvTranspose", &[gradient, kernel], attributes);
        let fits = (0..axes).map(|axis| Fit {
            axis: axis + 2,
            begin: Begin::At(-self.begins[axis]),
            found: match call.size(output, axis + 2) {
                Size::Known(windows) => {
                    Size::Known(self.reach(axis, windows) + self.begins[axis] + self.ends[axis])
                }
                Size::Of(..) => Size::Of(whole.clone(), axis + 2),
            },
            wanted: call.size(input, axis + 2),
        });
        let fits: Vec<Fit> = fits.collect();
        fit(call, &whole, axes + 2, &fits)
    }
}

/// What the node says of its window.
fn window(call: &Call<'_, '_>) -> Result<window::Window, Missing> {
    let window = call.operator().window();
    window.ok_or_else(|| {
        Missing::because("the size of its window is not known, or its attributes do not fit it")
    })
}

/// Why paddings are not known.
pub(super) fn open() -> Missing {
    Missing::because("it is padded automatically, for a size that is open; export with a fixed size")
}
