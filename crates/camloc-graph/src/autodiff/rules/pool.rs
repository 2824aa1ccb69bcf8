//! Pooling.

use super::super::call::{Answer, Call, Missing, Size};
use super::super::gradient::Gradient;
use super::place::{Begin, Fit, fit};
use super::window::Window;
use crate::onnx::build::{self, int, ints};
use crate::onnx::proto::TensorProto;

/// The mean over all places. Its gradient is the same everywhere, and stays one value a channel.
pub(super) fn global_average(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let input = call.input(0)?;
    let (gradient, mut spread) = call.gradient()?;
    let axes: Vec<usize> = (2..call.rank(input)?).collect();
    let places = call.count(input, &axes)?;
    let share = call.op("Div", &[&gradient, &places], vec![]);
    // It may be the same for all channels, too.
    spread.extend(axes);
    Ok(Some(Gradient::spread(share, spread)))
}

/// The largest of all places: the first of them, where several are.
pub(super) fn global_max(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let (input, output) = (call.input(0)?, call.output()?);
    let gradient = call.dense()?;
    let flat = call.graph.add_ints("camloc.flat", &[0, 0, -1]);
    let flat = call.op("Reshape", &[input, &flat], vec![]);
    let first = call.op("ArgMax", &[&flat], vec![int("axis", 2)]);
    let known = call.shape(input)?.get(2..).and_then(|sizes| sizes.iter().copied().product::<Option<i64>>());
    let known = known.and_then(|places| usize::try_from(places).ok());
    let chosen = match known.and_then(|places| call.graph.numbers(places)) {
        Some(numbers) => {
            let first = call.op("Gather", &[&numbers, &first], vec![]);
            call.op("Equal", &[&first, &numbers], vec![])
        }
        None => {
            let places = call.op("Shape", &[&flat], vec![int("start", 2)]);
            let none = call.graph.add_ints("camloc.none", &[]);
            let places = call.op("Reshape", &[&places, &none], vec![]);
            let [zero, one] = [0, 1].map(|value| build::i64_tensor("camloc.number", &[], &[value]));
            let [zero, one] = [zero, one].map(|number| call.graph.add_initializer(number));
            let places = call.op("Range", &[&zero, &places, &one], vec![]);
            call.op("Equal", &[&first, &places], vec![])
        }
    };
    let chosen = call.cast_like(&chosen, output);
    let column = [call.size(output, 0), call.size(output, 1), Size::Known(1)];
    let column: Vec<Size> = call.lead_size().into_iter().chain(column).collect();
    let gradient = call.reshape(&gradient, &column);
    let product = call.op("Mul", &[&gradient, &chosen], vec![]);
    Ok(Some(Gradient::dense(call.shaped(&product, input)?)))
}

/// The largest of each window: the first of them, where several are, as behind a rectifier.
///
/// A second pooling tells where, in the tensor as one row. Asking the first would keep the runtime from
/// its fast pooling; comparing the input with the output takes two to six times as long as scattering.
pub(super) fn max(call: &mut Call<'_, '_>, _: usize) -> Answer {
    let input = call.input(0)?;
    let gradient = call.dense()?;
    let [largest, places] =
        ["camloc.pool_largest", "camloc.pool_places"].map(|name| call.graph.fresh_name(name));
    let mut pool = call.node.clone();
    pool.attribute.retain(|attribute| attribute.name() != "storage_order");
    call.graph.push(build::node("MaxPool", &largest, &[input], &[&largest, &places], pool.attribute));
    let row: Vec<Size> = call.lead_size().into_iter().chain([Size::Known(-1)]).collect();
    let mut places = call.graph.reshape("camloc.pool_places", &places, &[-1]);
    if let Some(lead) = call.lead() {
        let rows = call.graph.add_ints("camloc.rows", &[lead as i64, 1]);
        places = call.graph.op("Expand", "camloc.pool_places", &[&places, &rows], vec![]);
    }
    let updates = call.reshape(&gradient, &row);
    let zeros = call.zeros(input, input)?;
    let zeros = call.reshape(&zeros, &row);
    let attributes = vec![int("axis", call.shifted(0)), build::string("reduction", "add")];
    let scattered = call.op("ScatterElements", &[&zeros, &places, &updates], attributes);
    Ok(Some(Gradient::dense(call.shaped(&scattered, input)?)))
}

/// The mean of each window.
pub(super) fn average(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let (input, output) = (call.input(0)?, call.output()?);
    let (window, sizes) = (Window::of(call)?, call.shape(input)?);
    let kernel: Vec<_> = window.kernel.iter().map(|&size| Some(size)).collect();
    let hangs = call.node.int_or("ceil_mode", 0) != 0 && call.node.int_or("count_include_pad", 0) == 0;
    let covers = |map: &[Option<i64>]| {
        let within = map.iter().zip(&window.kernel).all(|(size, own)| size.is_some_and(|size| size <= *own));
        map == &kernel[..] || hangs && map.len() == kernel.len() && within
    };
    if sizes.get(2..).is_some_and(covers) && !window.is_padded() && !window.is_dilated() {
        return global_average(call, position);
    }
    let (gradient, spread) = call.gradient()?;
    let even = is_even(call, &window)?;
    let tiled = window.strides == window.kernel && !window.is_padded() && !window.is_dilated();
    // Windows side by side over all of the map: what is the same in all of them is the same everywhere.
    if even && tiled && is_covered(&window, &sizes) && (2..sizes.len()).all(|axis| spread.contains(&axis)) {
        let share = shared(call, &window, &gradient)?;
        return Ok(Some(Gradient::spread(share, spread)));
    }
    let mut gradient = call.fill(&gradient, &spread, output)?;
    if !even {
        let weights = weights(call, &window)?;
        gradient = call.op("Mul", &[&gradient, &weights], vec![]);
    } else if tiled || window.has_strides() || window.is_dilated() {
        gradient = shared(call, &window, &gradient)?;
    }
    let known: Option<Vec<i64>> =
        call.shape(output)?.get(2..).and_then(|sizes| sizes.iter().copied().collect());
    let result = match known {
        Some(windows) if tiled && windows.len() == window.axes() => {
            repeated(call, &window, &gradient, &windows)?
        }
        _ if window.has_strides() || window.is_dilated() => overlapping(call, &window, &gradient)?,
        _ => {
            let mean = dense_windows(call, &window, &gradient)?;
            if even { mean } else { scaled(call, &mean, window.kernel.iter().product::<i64>() as f64)? }
        }
    };
    Ok(Some(Gradient::dense(result)))
}

/// Whether every window counts the same number of places.
fn is_even(call: &Call<'_, '_>, window: &Window) -> Result<bool, Missing> {
    let sizes = call.shape(call.input(0)?)?;
    let exact = |axis: usize| -> bool {
        let size = sizes.get(axis + 2).copied().flatten();
        let room = size.map(|size| size + window.begins[axis] + window.ends[axis] - window.extent(axis));
        room.is_some_and(|room| room % window.strides[axis] == 0)
    };
    let whole = call.node.int_or("ceil_mode", 0) == 0 || (0..window.axes()).all(exact);
    Ok(whole && (!window.is_padded() || call.node.int_or("count_include_pad", 0) != 0))
}

/// Whether windows side by side leave nothing out.
fn is_covered(window: &Window, sizes: &[Option<i64>]) -> bool {
    let spatial = sizes.iter().skip(2).zip(&window.kernel);
    spatial.into_iter().all(|(size, kernel)| size.is_some_and(|size| size % kernel == 0))
}

fn scaled(call: &mut Call<'_, '_>, tensor: &str, factor: f64) -> Result<String, Missing> {
    let factor = call.constant(factor, call.input(0)?);
    Ok(call.op("Mul", &[tensor, &factor], vec![]))
}

/// The gradient, divided by the number of places of a window.
fn shared(call: &mut Call<'_, '_>, window: &Window, gradient: &str) -> Result<String, Missing> {
    let places = window.kernel.iter().product::<i64>();
    if places == 1 { Ok(gradient.to_owned()) } else { scaled(call, gradient, 1.0 / places as f64) }
}

/// One over the number of places that each window counts, `[1, 1, oh, ow]`: what the pooling makes of ones,
/// over how many ones it saw.
fn weights(call: &mut Call<'_, '_>, window: &Window) -> Result<String, Missing> {
    let (input, output) = (call.input(0)?, call.output()?);
    let axes = window.axes();
    let mut shape = vec![Size::Known(1); 2];
    shape.extend((2..axes + 2).map(|axis| call.size(input, axis)));
    let shape = call.sizes(&shape);
    let one = build::scalar("", call.element(input), 1.0);
    let one = TensorProto { dims: vec![1], ..one };
    let ones = call.op("ConstantOfShape", &[&shape], vec![build::tensor("value", one)]);
    let seen = {
        let kernel = ones_kernel(call, window)?;
        // Room for a last window that hangs over, where the size is rounded up.
        let ends: Vec<i64> = (0..axes).map(|axis| window.ends[axis] + window.strides[axis] - 1).collect();
        let seen = call.op("Conv", &[&ones, &kernel], window.attributes(&window.begins, &ends));
        let fits = (2..axes + 2).map(|axis| Fit {
            axis,
            begin: Begin::At(0),
            found: Size::Of(seen.clone(), axis),
            wanted: call.size(output, axis),
        });
        let fits: Vec<Fit> = fits.collect();
        fit(call, &seen, axes + 2, &fits)
    };
    let mean = match call.node.int_or("count_include_pad", 0) {
        0 => call.constant(1.0, input),
        _ => call.op("AveragePool", &[&ones], call.node.attribute.clone()),
    };
    Ok(call.op("Div", &[&mean, &seen], vec![]))
}

fn ones_kernel(call: &mut Call<'_, '_>, window: &Window) -> Result<String, Missing> {
    let shape = [&[1, 1], &window.kernel[..]].concat();
    let ones = vec![1.0; window.kernel.iter().product::<i64>() as usize];
    let kernel = call.graph.add_initializer(build::f32_tensor("camloc.ones", &shape, &ones));
    Ok(call.cast_like(&kernel, call.input(0)?))
}

/// Windows side by side: every value repeated over its window.
fn repeated(
    call: &mut Call<'_, '_>,
    window: &Window,
    gradient: &str,
    windows: &[i64],
) -> Result<String, Missing> {
    let input = call.input(0)?;
    let axes = window.axes();
    let lead = usize::from(call.lead().is_some());
    let inner: Vec<i64> = (0..axes).map(|axis| (lead + 2 * axis + 3) as i64).collect();
    let inner = call.graph.add_ints("camloc.axes", &inner);
    let split = call.op("Unsqueeze", &[gradient, &inner], vec![]);
    let times: Vec<i64> = window.kernel.iter().flat_map(|&size| [1, size]).collect();
    let times = call.graph.add_ints("camloc.times", &times);
    let split = call.op("Expand", &[&split, &times], vec![]);
    let mut sizes: Vec<Size> = call.lead_size().into_iter().collect();
    sizes.extend([call.size(input, 0), call.size(input, 1)]);
    sizes.extend((0..axes).map(|axis| Size::Known(windows[axis] * window.kernel[axis])));
    let joined = call.reshape(&split, &sizes);
    let fits = (0..axes).map(|axis| Fit {
        axis: lead + axis + 2,
        begin: Begin::At(0),
        found: Size::Known(windows[axis] * window.kernel[axis]),
        wanted: call.size(input, axis + 2),
    });
    let fits: Vec<Fit> = fits.collect();
    Ok(fit(call, &joined, lead + axes + 2, &fits))
}

/// Stride 1: each place has the sum of the windows around it, which is a pooling again; their mean here.
fn dense_windows(call: &mut Call<'_, '_>, window: &Window, gradient: &str) -> Result<String, Missing> {
    let (input, output) = (call.input(0)?, call.output()?);
    let folded = call.fold(gradient, output)?;
    let pads = |own: &[i64]| -> Vec<i64> {
        window.kernel.iter().zip(own).map(|(size, pad)| size - 1 - pad).collect()
    };
    let pads = [pads(&window.begins), pads(&window.ends)].concat();
    let attributes =
        vec![ints("kernel_shape", &window.kernel), ints("pads", &pads), int("count_include_pad", 1)];
    let mean = call.op("AveragePool", &[&folded], attributes);
    call.unfold(&mean, input)
}

/// A larger stride: the transposed convolution with ones, each channel a picture of its own; transposed
/// depthwise ones are slow on ONNX Runtime's CPU provider.
fn overlapping(call: &mut Call<'_, '_>, window: &Window, gradient: &str) -> Result<String, Missing> {
    let (input, output) = (call.input(0)?, call.output()?);
    let axes = window.axes();
    let mut sizes = vec![Size::Known(-1), Size::Known(1)];
    sizes.extend((2..axes + 2).map(|axis| call.size(output, axis)));
    let shape = call.sizes(&sizes);
    let planes = call.op("Reshape", &[gradient, &shape], vec![]);
    let kernel = ones_kernel(call, window)?;
    let planes = window.transposed(call, &planes, &kernel, 1, input, output);
    call.shaped(&planes, input)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, away_from, distinct};
    use crate::onnx::build::{int, ints, node, string};
    use crate::onnx::proto::AttributeProto;

    #[test]
    fn global() {
        for shape in [&[2, 3, 4, 5][..], &[1, 2, 7]] {
            for (op, open) in
                [("GlobalAveragePool", false), ("GlobalMaxPool", false), ("GlobalMaxPool", true)]
            {
                let draw = if op == "GlobalMaxPool" { distinct() } else { away_from(&[]) };
                let check =
                    Check::of(node(op, "n", &["x"], &["y"], vec![])).input("x", shape, draw).open(open);
                if op == "GlobalMaxPool" { check.f32_step(0.02).holds() } else { check.f32_only().holds() }
            }
        }
    }

    /// Sizes and attributes of a pooling with 1 to 3 spatial axes.
    fn windows(dilated: bool) -> impl Strategy<Value = (Vec<i64>, Vec<AttributeProto>)> {
        const AUTO: &[&str] = &["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"];
        (1..4_usize).prop_flat_map(move |axes| {
            let each = |range: std::ops::Range<i64>| prop::collection::vec(range, axes);
            let dilations = each(1..if dilated { 3 } else { 2 });
            let lists = (each(5..9), each(1..4), each(1..4), dilations, each(0..3), each(0..3));
            let words = (any::<bool>(), prop::sample::select(AUTO));
            (lists, words).prop_filter_map("ONNX Runtime has it", move |(lists, (ceil, auto))| {
                let (sizes, kernel, strides, dilations, begins, ends) = lists;
                let same = auto.starts_with("SAME");
                if same && dilations.iter().any(|&dilation| dilation > 1) {
                    return None;
                }
                let is_set = i64::from(auto == "NOTSET");
                for axis in 0..axes {
                    // It wants paddings below the kernel, and not below zero.
                    let [begin, end] = [begins[axis], ends[axis]].map(|pad| is_set * (pad % kernel[axis]));
                    let room = sizes[axis] + begin + end - (kernel[axis] - 1) * dilations[axis] - 1;
                    let behind = (room / strides[axis] + 1) * strides[axis] >= sizes[axis] + begin;
                    // It does not know the shape where the last window would start behind the input.
                    let rounds = !same && ceil && room % strides[axis] != 0 && behind;
                    if (same && strides[axis] > kernel[axis]) || rounds {
                        return None;
                    }
                }
                let fits = |pads: Vec<i64>| pads.iter().zip(&kernel).map(|(pad, size)| pad % size).collect();
                let pads: [Vec<i64>; 2] = [fits(begins), fits(ends)];
                let ceil = int("ceil_mode", (ceil && !same).into());
                let mut attributes = vec![ints("kernel_shape", &kernel), ints("strides", &strides), ceil];
                if dilated {
                    attributes.push(ints("dilations", &dilations));
                }
                attributes.push(match auto {
                    "NOTSET" => ints("pads", &pads.concat()),
                    auto => string("auto_pad", auto),
                });
                Some(([&[2, 3], &sizes[..]].concat(), attributes))
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn max((shape, attributes) in windows(true)) {
            Check::of(node("MaxPool", "n", &["x"], &["y"], attributes))
                .input("x", &shape, distinct())
                .holds();
        }

        #[test]
        fn average((shape, mut attributes) in windows(false), include: bool, open: bool) {
            let auto = attributes.iter().any(|attribute| attribute.name() == "auto_pad");
            attributes.push(int("count_include_pad", include.into()));
            Check::of(node("AveragePool", "n", &["x"], &["y"], attributes))
                .input("x", &shape, away_from(&[]))
                .open(open && !auto)
                .f32_only()
                .holds();
        }
    }
}
