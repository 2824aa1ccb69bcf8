//! Convolutions.

use super::super::call::{Answer, Call, Missing};
use super::super::gradient::Gradient;
use super::linear::rows;
use super::place::{Margin, pad};
use super::window::{MOST, Window, open};
use crate::onnx::build::{int, ints};

/// The gradient of a convolution's input.
///
/// With stride 1 it is a convolution with the kernel flipped and its channels exchanged: every execution
/// provider is best at those, and transposed depthwise ones are 4 times as slow on ONNX Runtime's CPU
/// provider. With a larger stride it is the transposed convolution.
pub(super) fn conv(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Err(Missing::because("its weights are computed from the picture"));
    }
    let (input, weight) = (call.input(0)?, call.input(1)?);
    let window = Window::of(call)?;
    let is_pointwise = is_pointwise(&window) && group(call)? == 1;
    if let Some(classes) = call.one_hot()
        && is_pointwise
        && call.shape(input)?.iter().skip(2).all(|&size| size == Some(1))
    {
        return Ok(Some(Gradient::dense(rows(call, classes, weight, 0)?)));
    }
    let (gradient, spread) = call.gradient()?;
    let output = call.output()?;
    // Each place on its own: what is the same at every place stays so.
    let stays = is_pointwise && call.lead().is_none() && spread.iter().all(|&axis| axis >= 2);
    let (gradient, spread) = if stays {
        (gradient, spread)
    } else {
        let full = call.fill(&gradient, &spread, output)?;
        (call.fold(&full, output)?, Vec::new())
    };
    let result = if window.has_strides() {
        transposed(call, &window, &gradient, input, weight)?
    } else {
        flipped(call, &window, &gradient, weight)?
    };
    let result = if stays { result } else { call.unfold(&result, input)? };
    Ok(Some(Gradient::spread(result, spread)))
}

/// The gradient of a transposed convolution's input: the convolution that it is the transpose of.
pub(super) fn conv_transpose(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Err(Missing::because("its weights are computed from the picture"));
    }
    let (input, output, weight) = (call.input(0)?, call.output()?, call.input(1)?);
    let window = cut_from_whole(call)?;
    let axes = window.axes();
    let gradient = call.dense()?;
    let gradient = call.fold(&gradient, output)?;
    // What lies below zero was added to the output, and nothing went there.
    let margins = (0..axes).map(|axis| Margin {
        axis: axis + 2,
        begin: window.begins[axis].min(0),
        end: window.ends[axis].min(0),
    });
    let margins: Vec<Margin> = margins.collect();
    let gradient = pad(call, &gradient, axes + 2, &margins);
    let positive = |pads: &[i64]| -> Vec<i64> { pads.iter().map(|&pad| pad.max(0)).collect() };
    let mut attributes = window.attributes(&positive(&window.begins), &positive(&window.ends));
    attributes.push(int("group", group(call)?));
    let result = call.op("Conv", &[&gradient, weight], attributes);
    Ok(Some(Gradient::dense(call.unfold(&result, input)?)))
}

/// The window of a transposed convolution, its paddings what is cut off its whole output at both ends.
fn cut_from_whole(call: &Call<'_, '_>) -> Result<Window, Missing> {
    let mut window = Window::without_pads(call)?;
    let (node, axes) = (call.node, window.axes());
    let auto = node.string("auto_pad").unwrap_or("NOTSET");
    let added = node.ints("output_padding").map_or_else(|| vec![0; axes], <[i64]>::to_vec);
    if added.len() != axes || added.iter().any(|&added| !(0..=MOST).contains(&added)) {
        return Err(Missing::because("its output_padding does not fit its kernel"));
    }
    if node.ints("output_shape").is_none() && !auto.starts_with("SAME") {
        window = Window::of(call)?;
        window.ends.iter_mut().zip(added).for_each(|(end, added)| *end -= added);
        return Ok(window);
    }
    let (input, output) = (call.shape(call.input(0)?)?, call.shape(call.output()?).unwrap_or_default());
    let odd = || Missing::because("its output_shape does not fit its kernel");
    for (axis, &added) in added.iter().enumerate() {
        let found = input.get(axis + 2).copied().flatten().ok_or_else(open)?;
        let stride = window.strides[axis];
        let wanted = match node.ints("output_shape") {
            Some(sizes) => {
                let size = sizes.len().checked_sub(axes).map(|first| sizes[first + axis]);
                Some(size.filter(|size| (0..=i64::from(i32::MAX)).contains(size)).ok_or_else(odd)?)
            }
            None => output.get(axis + 2).copied().flatten().or(Some(found * stride)),
        };
        let whole = window.reach(axis, found);
        let cut = whole - wanted.ok_or_else(open)?;
        let total = (cut + added).max(0);
        window.begins[axis] = if auto == "SAME_UPPER" { total / 2 } else { total - total / 2 };
        window.ends[axis] = cut - window.begins[axis];
    }
    Ok(window)
}

/// How many parts the channels are in.
fn group(call: &Call<'_, '_>) -> Result<i64, Missing> {
    let group = call.node.int_or("group", 1);
    let usable = (1..=MOST).contains(&group);
    if usable { Ok(group) } else { Err(Missing::because(format!("its channels are in {group} groups"))) }
}

/// Whether each place is by itself.
fn is_pointwise(window: &Window) -> bool {
    window.kernel.iter().all(|&size| size == 1) && !window.has_strides() && !window.is_padded()
}

/// Stride 1: a convolution with the flipped kernel.
fn flipped(
    call: &mut Call<'_, '_>,
    window: &Window,
    gradient: &str,
    weight: &str,
) -> Result<String, Missing> {
    let kernel = exchanged(call, window, weight)?;
    let axes = window.axes();
    let pads =
        |own: &[i64]| -> Vec<i64> { (0..axes).map(|axis| window.extent(axis) - 1 - own[axis]).collect() };
    let (begins, ends) = (pads(&window.begins), pads(&window.ends));
    // A padding wider than the kernel made windows that saw nothing: their gradient goes nowhere.
    let cut = |axis: usize| Margin { axis: axis + 2, begin: begins[axis].min(0), end: ends[axis].min(0) };
    let cut: Vec<Margin> = (0..axes).map(cut).collect();
    let gradient = pad(call, gradient, axes + 2, &cut);
    let [begins, ends] = [begins, ends].map(|pads| pads.iter().map(|&pad| pad.max(0)).collect::<Vec<_>>());
    let mut attributes = window.attributes(&begins, &ends);
    attributes.push(int("group", group(call)?));
    Ok(call.op("Conv", &[&gradient, &kernel], attributes))
}

/// The kernel `[M, C/g, …]` as the one that leads back: `[C, M/g, …]`, flipped along its spatial axes.
fn exchanged(call: &mut Call<'_, '_>, window: &Window, weight: &str) -> Result<String, Missing> {
    let shape: Option<Vec<i64>> = call.shape(weight)?.into_iter().collect();
    let shape = shape.ok_or_else(|| Missing::shape(weight))?;
    let [outputs, inputs, ..] = shape[..] else { return Err(Missing::shape(weight)) };
    let group = group(call)?;
    let spatial = shape.len() as i64;
    let mut kernel = weight.to_owned();
    if group == 1 {
        let perm: Vec<i64> = [1, 0].into_iter().chain(2..spatial).collect();
        kernel = call.op("Transpose", &[&kernel], vec![ints("perm", &perm)]);
    } else if (outputs / group, inputs) != (1, 1) {
        let split =
            call.graph.add_ints("camloc.groups", &[&[group, outputs / group, inputs], &shape[2..]].concat());
        kernel = call.op("Reshape", &[&kernel, &split], vec![]);
        let perm: Vec<i64> = [0, 2, 1].into_iter().chain(3..=spatial).collect();
        kernel = call.op("Transpose", &[&kernel], vec![ints("perm", &perm)]);
        let joined =
            call.graph.add_ints("camloc.kernel", &[&[inputs * group, outputs / group], &shape[2..]].concat());
        kernel = call.op("Reshape", &[&kernel, &joined], vec![]);
    }
    if window.kernel.iter().any(|&size| size > 1) {
        let axes: Vec<i64> = (2..spatial).collect();
        let each = |value: i64| vec![value; axes.len()];
        let lists = [each(-1), each(i64::MIN + 1), axes.clone(), each(-1)];
        let [starts, ends, axes, steps] = lists.map(|values| call.graph.add_ints("camloc.flip", &values));
        kernel = call.op("Slice", &[&kernel, &starts, &ends, &axes, &steps], vec![]);
    }
    Ok(kernel)
}

/// A larger stride: the transposed convolution, made as large as the input was.
fn transposed(
    call: &mut Call<'_, '_>,
    window: &Window,
    gradient: &str,
    input: &str,
    weight: &str,
) -> Result<String, Missing> {
    let axes = window.axes();
    let sizes = call.shape(input)?;
    let output = call.shape(call.output()?).unwrap_or_default();
    let known = |shape: &[Option<i64>], axis: usize| shape.get(axis + 2).copied().flatten();
    // Of the input, the last places may not have been reached by any window.
    let unreached = |axis| Some(known(&sizes, axis)? - window.reach(axis, known(&output, axis)?));
    let unreached: Option<Vec<i64>> = (0..axes).map(unreached).collect();
    // CUDA leaves a transposed convolution to the CPU whose paddings differ between begin and end.
    let even = window.begins == window.ends;
    let group = group(call)?;
    if let Some(unreached) = unreached.filter(|_| even) {
        let mut attributes = window.attributes(&window.begins, &window.ends);
        attributes.extend([ints("output_padding", &unreached), int("group", group)]);
        return Ok(call.op("ConvTranspose", &[gradient, weight], attributes));
    }
    Ok(window.transposed(call, gradient, weight, group, input, call.output()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, away_from};
    use crate::onnx::build::{int, ints, node, string};
    use crate::onnx::proto::AttributeProto;

    /// Checks a convolution of `sizes` with `group` groups of 2 channels to 1 or 3.
    fn check(
        sizes: &[i64],
        kernel: &[i64],
        group: i64,
        out: i64,
        open: bool,
        attributes: Vec<AttributeProto>,
    ) {
        let weight = [&[group * out, 2], kernel].concat();
        let attributes = [vec![int("group", group)], attributes].concat();
        Check::of(node("Conv", "n", &["x", "w"], &["y"], attributes))
            .noise("w", &weight)
            .input("x", &[&[2, 2 * group], sizes].concat(), away_from(&[]))
            .open(open)
            .f32_only()
            .holds();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn in_two_dimensions(
            sizes in prop::collection::vec(5..9_i64, 2),
            kernel in prop::collection::vec(1..4_i64, 2),
            strides in prop::collection::vec(1..4_i64, 2),
            dilations in prop::collection::vec(1..3_i64, 2),
            pads in prop::collection::vec(0..4_i64, 4),
            group in 1..3_i64,
            out in prop::sample::select(&[1, 3][..]),
            open: bool,
        ) {
            let attributes =
                vec![ints("strides", &strides), ints("dilations", &dilations), ints("pads", &pads)];
            check(&sizes, &kernel, group, out, open, attributes);
        }

        #[test]
        fn padded_automatically(
            size in 5..9_i64, kernel in 1..4_i64, stride in 1..4_i64,
            rule in prop::sample::select(&["SAME_UPPER", "SAME_LOWER", "VALID"][..]),
        ) {
            let attributes = vec![ints("strides", &[stride, stride]), string("auto_pad", rule)];
            check(&[size, size + 1], &[kernel, kernel], 1, 3, false, attributes);
        }

        #[test]
        fn transposed(
            sizes in prop::collection::vec(3..6_i64, 1..4),
            kernel in prop::collection::vec(1..4_i64, 3),
            strides in prop::collection::vec(1..4_i64, 3),
            dilations in prop::collection::vec(1..3_i64, 3),
            pads in prop::collection::vec(0..2_i64, 6),
            added in prop::collection::vec(0..3_i64, 3),
            group in 1..3_i64,
            how in 0..5_usize,
            open: bool,
        ) {
            let axes = sizes.len();
            let [kernel, strides, dilations] = [kernel, strides, dilations].map(|list| list[..axes].to_vec());
            let whole = |axis: usize| (sizes[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1;
            let added: Vec<i64> = (0..axes).map(|axis| added[axis] % strides[axis]).collect();
            let mut attributes = vec![ints("strides", &strides), ints("dilations", &dilations), int("group", group)];
            match how {
                0 => attributes.push(string("auto_pad", "VALID")),
                1 | 2 => {
                    let wanted: Vec<i64> = (0..axes).map(|axis| whole(axis) - pads[axis]).collect();
                    // Where it were smaller than the input, ONNX Runtime would lose the shape.
                    prop_assume!(wanted.iter().zip(&sizes).all(|(wanted, size)| wanted >= size));
                    attributes.push(ints("output_shape", &wanted));
                    if how == 2 {
                        attributes.push(string("auto_pad", "SAME_UPPER"));
                    }
                }
                _ => {
                    let pads = [&pads[..axes], &pads[3..3 + axes]].concat();
                    prop_assume!((0..axes).all(|axis| whole(axis) > pads[axis] + pads[axes + axis]));
                    attributes.extend([ints("pads", &pads), ints("output_padding", &added)]);
                }
            }
            let weight = [&[2 * group, 3], &kernel[..]].concat();
            Check::of(node("ConvTranspose", "n", &["x", "w"], &["y"], attributes))
                .noise("w", &weight)
                .input("x", &[&[2, 2 * group], &sizes[..]].concat(), away_from(&[]))
                .open(open && !(1..3).contains(&how))
                .f32_only()
                .holds();
        }

        #[test]
        fn in_three_dimensions(
            sizes in prop::collection::vec(4..6_i64, 3),
            kernel in prop::collection::vec(1..4_i64, 3),
            strides in prop::collection::vec(1..3_i64, 3),
            pads in prop::collection::vec(0..2_i64, 6),
            group in 1..3_i64,
        ) {
            check(&sizes, &kernel, group, 3, false, vec![ints("strides", &strides), ints("pads", &pads)]);
        }

        #[test]
        fn in_one_dimension(size in 5..12_i64, kernel in 1..4_i64, stride in 1..4_i64, pad in 0..3_i64) {
            check(&[size], &[kernel], 2, 3, false, vec![ints("strides", &[stride]), ints("pads", &[pad, 0])]);
        }
    }
}
