//! Resizing, and other operators that mix the values along single axes with constant weights.
//!
//! Such an operator is a product with a matrix along each axis, and its gradient one with the transposed
//! matrix. The matrix is what the operator itself makes of the identity: exact for every mode, and the
//! runtime works it out once, when it loads the model.

use super::super::call::{Answer, Call, Missing, Size};
use super::super::gradient::Gradient;
use super::linear::transposed;
use crate::onnx::build::{int, ints};
use crate::onnx::proto::AttributeProto;

/// Resizing, in every mode that works along axes.
pub(super) fn resize(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let node = call.node;
    if call.operator().resize_crops() {
        return Err(Missing::because("it cuts out a part as it resizes"));
    }
    if !call.operator().resize_stretches() {
        return Err(Missing::because("it keeps the aspect ratio"));
    }
    let changes = changes(call)?;
    let gradient = call.dense()?;
    if let Some(factors) = blocks(call, &changes)? {
        return block_sums(call, &gradient, &factors);
    }
    let kept =
        |attribute: &&AttributeProto| !["axes", "keep_aspect_ratio_policy"].contains(&attribute.name());
    let attributes: Vec<AttributeProto> = node.attribute.iter().filter(kept).cloned().collect();
    let mut gradient = gradient;
    for change in changes {
        let identity = identity(call, change.axis)?;
        let (input, output) = (call.input(0)?, call.output()?);
        let inputs = match change.scale {
            Scale::Known(scale) => {
                let scales = crate::onnx::build::f32_tensor("camloc.scales", &[2], &[scale, 1.0]);
                [call.graph.add_initializer(scales), String::new()]
            }
            Scale::Computed(scale) => {
                let one = crate::onnx::build::f32_tensor("camloc.scale", &[1], &[1.0]);
                let one = call.graph.add_initializer(one);
                [call.op("Concat", &[&scale, &one], vec![int("axis", 0)]), String::new()]
            }
            Scale::BySize => {
                let sizes = [call.size(output, change.axis), call.size(input, change.axis)];
                [String::new(), call.sizes(&sizes)]
            }
        };
        let [scales, sizes] = &inputs;
        let matrix = if sizes.is_empty() {
            call.op("Resize", &[&identity, "", scales], attributes.clone())
        } else {
            call.op("Resize", &[&identity, "", "", sizes], attributes.clone())
        };
        gradient = along(call, &gradient, change.axis, &matrix)?;
    }
    Ok(Some(Gradient::dense(gradient)))
}

/// An axis that is resized.
struct Change {
    axis: usize,
    scale: Scale,
}

enum Scale {
    Known(f32),
    /// A tensor f32 `[1]`.
    Computed(String),
    /// As the sizes before and after say.
    BySize,
}

/// Reads the inputs of a `Resize`.
fn changes(call: &mut Call<'_, '_>) -> Result<Vec<Change>, Missing> {
    let (node, input, output) = (call.node, call.input(0)?, call.output()?);
    let rank = call.rank(input)?;
    let axes = call.operator().resized_axes(rank);
    let axes = axes.ok_or_else(|| Missing::because("its axes are not those of its input"))?;
    let scales = node.input_at(2).filter(|scales| call.graph.shape(scales) != Some(&[Some(0)]));
    let known = scales.and_then(|scales| call.graph.floats(scales));
    let mut changes = Vec::new();
    for (index, axis) in axes.into_iter().enumerate() {
        let sizes = (call.size(input, axis), call.size(output, axis));
        // Nobody resizes the batch, and pictures are resized along two or three axes only.
        let same = matches!(&sizes, (Size::Known(before), Size::Known(after)) if before == after)
            || (axis == 0 && rank > 2);
        let scale = match (&known, scales) {
            (Some(known), _) => {
                Scale::Known(*known.get(index).ok_or_else(|| Missing::because("its scales do not fit"))?)
            }
            (None, Some(_)) if same => continue,
            (None, Some(scales)) => {
                let bounds = [index as i64, index as i64 + 1];
                let [from, to] = bounds.map(|bound| call.graph.add_ints("camloc.bound", &[bound]));
                Scale::Computed(call.op("Slice", &[scales, &from, &to], vec![]))
            }
            (None, None) if same => continue,
            (None, None) => Scale::BySize,
        };
        if !matches!(scale, Scale::Known(1.0)) {
            changes.push(Change { axis, scale });
        }
    }
    Ok(changes)
}

/// The factors, if every value becomes a block of its own.
fn blocks(call: &Call<'_, '_>, changes: &[Change]) -> Result<Option<Vec<(usize, i64)>>, Missing> {
    let (node, input, output) = (call.node, call.input(0)?, call.output()?);
    let nearest = node.string("nearest_mode").unwrap_or("round_prefer_floor");
    let even = match node.string("coordinate_transformation_mode").unwrap_or("half_pixel") {
        "asymmetric" => nearest == "floor",
        "half_pixel" | "half_pixel_symmetric" | "pytorch_half_pixel" => nearest.starts_with("round"),
        _ => false,
    };
    if !call.operator().resize_is_nearest() || !even {
        return Ok(None);
    }
    let factor = |change: &Change| -> Option<(usize, i64)> {
        let factor = match (&change.scale, call.size(input, change.axis), call.size(output, change.axis)) {
            (Scale::Known(scale), ..) if scale.fract() == 0.0 && (1.0..1e4).contains(scale) => *scale as i64,
            (Scale::BySize, Size::Known(before), Size::Known(after)) if before > 0 && after % before == 0 => {
                after / before
            }
            _ => return None,
        };
        Some((change.axis, factor))
    };
    Ok(changes.iter().map(factor).collect())
}

/// The sum of each block.
fn block_sums(call: &mut Call<'_, '_>, gradient: &str, factors: &[(usize, i64)]) -> Answer {
    let input = call.input(0)?;
    let mut sizes: Vec<Size> = call.lead_size().into_iter().collect();
    let mut inner = Vec::new();
    for axis in 0..call.rank(input)? {
        sizes.push(call.size(input, axis));
        if let Some(&(_, factor)) = factors.iter().find(|(at, _)| *at == axis) {
            inner.push(sizes.len() as i64);
            sizes.push(Size::Known(factor));
        }
    }
    if inner.is_empty() {
        return Ok(Some(Gradient::dense(gradient.to_owned())));
    }
    let split = call.reshape(gradient, &sizes);
    let inner = call.graph.add_ints("camloc.inner", &inner);
    Ok(Some(Gradient::dense(call.op("ReduceSum", &[&split, &inner], vec![int("keepdims", 0)]))))
}

/// Padding with values that are there already (`reflect`, `edge`, `wrap`): axis, before, behind.
pub(super) fn repeated_around(call: &mut Call<'_, '_>, pads: &[(usize, i64, i64)]) -> Answer {
    let mut gradient = call.dense()?;
    let mode: Vec<AttributeProto> = call.node.find_attribute("mode").cloned().into_iter().collect();
    for &(axis, begin, end) in pads.iter().filter(|(_, begin, end)| (*begin, *end) != (0, 0)) {
        let identity = identity(call, axis)?;
        let amounts = call.graph.add_ints("camloc.pads", &[begin, 0, end, 0]);
        let matrix = call.op("Pad", &[&identity, &amounts], mode.clone());
        gradient = along(call, &gradient, axis, &matrix)?;
    }
    Ok(Some(Gradient::dense(gradient)))
}

/// The identity of an axis of the first input, `[size, size]`.
fn identity(call: &mut Call<'_, '_>, axis: usize) -> Result<String, Missing> {
    let input = call.input(0)?;
    let size = call.size(input, axis);
    let shape = call.sizes(&[size.clone(), size]);
    let zeros = call.zeros_of(&shape, input);
    Ok(call.op("EyeLike", &[&zeros], vec![]))
}

/// The product of a gradient with the transpose of a matrix `[after, before]` along an axis of the input.
fn along(call: &mut Call<'_, '_>, gradient: &str, axis: usize, matrix: &str) -> Result<String, Missing> {
    let rank = call.rank(call.input(0)?)? + usize::from(call.lead().is_some());
    let (at, last) = (call.shifted(axis) as usize, rank - 1);
    if at == last {
        return Ok(call.op("MatMul", &[gradient, matrix], vec![]));
    }
    if at + 1 == last {
        let matrix = transposed(call, matrix, 2);
        return Ok(call.op("MatMul", &[&matrix, gradient], vec![]));
    }
    let mut perm: Vec<i64> = (0..rank as i64).collect();
    perm.swap(at, last);
    let turned = call.op("Transpose", &[gradient], vec![ints("perm", &perm)]);
    let product = call.op("MatMul", &[&turned, matrix], vec![]);
    Ok(call.op("Transpose", &[&product], vec![ints("perm", &perm)]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, away_from};
    use crate::onnx::build::{f32_tensor, float, i64_tensor, int, node, string};

    const COORDINATES: &[&str] =
        &["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"];
    const NEAREST: &[&str] = &["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn resize(
            mode in prop::sample::select(&["nearest", "nearest", "linear", "cubic"][..]),
            coordinates in prop::sample::select(COORDINATES),
            nearest in prop::sample::select(NEAREST),
            sizes in prop::collection::vec(2..6_i64, 2),
            scales in prop::collection::vec(prop::sample::select(&[0.5_f32, 1.0, 1.6, 2.0, 3.0][..]), 2),
            by_size: bool,
            outside: bool,
            open: bool,
        ) {
            let shape = [&[2, 3], &sizes[..]].concat();
            let wanted: Vec<i64> = sizes.iter().zip(&scales).map(|(&size, scale)| (size as f32 * scale) as i64).collect();
            let attributes = vec![
                string("mode", mode),
                string("coordinate_transformation_mode", coordinates),
                string("nearest_mode", nearest),
                float("cubic_coeff_a", -0.5),
                int("exclude_outside", (outside && mode == "cubic").into()),
            ];
            let inputs = if by_size { &["x", "", "", "sizes"][..] } else { &["x", "", "scales"] };
            Check::of(node("Resize", "n", inputs, &["y"], attributes))
                .constants(&[i64_tensor("sizes", &[4], &[2, 3, wanted[0], wanted[1]])])
                .constants(&[f32_tensor("scales", &[4], &[1.0, 1.0, scales[0], scales[1]])])
                .input("x", &shape, away_from(&[]))
                .open(open)
                .f32_only()
                .holds();
        }
    }

    #[test]
    fn of_one_or_three_axes() {
        for (shape, scales) in
            [(&[2, 3, 4][..], &[1.0, 1.0, 2.0][..]), (&[1, 2, 3, 2, 4], &[1.0, 1.0, 2.0, 1.5, 3.0])]
        {
            for mode in ["nearest", "linear"] {
                let rank = shape.len() as i64;
                Check::of(node("Resize", "n", &["x", "", "scales"], &["y"], vec![string("mode", mode)]))
                    .constants(&[f32_tensor("scales", &[rank], scales)])
                    .input("x", shape, away_from(&[]))
                    .f32_only()
                    .holds();
            }
        }
    }
}
