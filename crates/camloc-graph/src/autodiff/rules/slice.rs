//! Cutting, joining and padding along axes: the gradient goes back to where its value came from.

use super::super::call::{Answer, Call, Missing, Size};
use super::super::gradient::Gradient;
use super::place::{self, Begin, Fit, Margin, fit};
use super::resize;
use crate::onnx::build::int;
use crate::onnx::known::size::known;
use crate::onnx::operators::pad;

/// Joined along an axis: each operand has its own part of the gradient.
pub(super) fn concat(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let (node, input) = (call.node, call.input(position)?);
    let axis = call.axis(call.rank(input)?)?;
    let (gradient, spread) = call.gradient()?;
    if spread.contains(&axis) {
        return Ok(Some(Gradient::spread(gradient, spread)));
    }
    let sizes: Vec<Size> = node.input.iter().take(position + 1).map(|input| call.size(input, axis)).collect();
    let start = total(call, &sizes[..position]);
    let is_last = position + 1 == node.input.len();
    let end = if is_last { call.graph.add_ints("camloc.end", &[i64::MAX]) } else { total(call, &sizes) };
    let axes = call.graph.add_ints("camloc.axes", &[call.shifted(axis)]);
    let part = call.op("Slice", &[&gradient, &start, &end, &axes], vec![]);
    Ok(Some(Gradient::spread(part, spread)))
}

/// The sum of sizes, i64 `[1]`.
fn total(call: &mut Call<'_, '_>, sizes: &[Size]) -> String {
    let sum = sizes.iter().try_fold(0_i64, |sum, size| match size {
        Size::Known(size) => sum.checked_add(*size),
        Size::Of(..) => None,
    });
    match sum {
        Some(sum) => call.graph.add_ints("camloc.total", &[sum]),
        None => {
            let sizes = call.sizes(sizes);
            call.op("ReduceSum", &[&sizes], vec![])
        }
    }
}

/// Cut into parts along an axis: the gradients of the parts joined, zeros for parts that are not used.
pub(super) fn split(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let (node, input) = (call.node, call.input(0)?);
    let axis = call.axis(call.rank(input)?)?;
    let mut parts = Vec::new();
    for (index, output) in node.output.iter().enumerate() {
        parts.push(match call.dense_of(index)? {
            Some(gradient) => gradient,
            None => call.zeros(output, input)?,
        });
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Ok(Some(Gradient::dense(call.op("Concat", &parts, vec![int("axis", call.shifted(axis))]))))
}

/// A part: the gradient among zeros. What was taken backwards is turned round first, and where places were
/// skipped, zeros come between.
pub(super) fn slice(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let (input, output) = (call.input(0)?, call.output()?);
    let rank = call.rank(input)?;
    let lead = call.lead_size();
    let cuts = cuts(call, rank)?;
    let mut gradient = call.dense()?;
    let mut sizes: Vec<Size> = (0..rank).map(|axis| call.size(output, axis)).collect();
    let mut fits = Vec::new();
    for cut in cuts {
        let begin = begin(call, &cut)?;
        if cut.step < 0 {
            gradient = reversed(call, &gradient, cut.axis);
        }
        if cut.step.abs() > 1 {
            gradient = spaced(call, &gradient, &mut sizes, cut.axis, cut.step.abs());
        }
        let (found, wanted) = (sizes[cut.axis].clone(), call.size(input, cut.axis));
        fits.push(Fit { axis: call.shifted(cut.axis) as usize, begin, found, wanted });
    }
    let rank = rank + usize::from(lead.is_some());
    Ok(Some(Gradient::dense(fit(call, &gradient, rank, &fits))))
}

/// What a `Slice` takes along one axis.
struct Cut {
    axis: usize,
    start: Start,
    step: i64,
}

enum Start {
    Known(i64),
    /// A tensor i64 `[1]`.
    Computed(String),
}

/// What a `Slice` takes along each axis.
fn cuts(call: &mut Call<'_, '_>, rank: usize) -> Result<Vec<Cut>, Missing> {
    let found = call.operator().cuts(rank);
    let found = found.ok_or_else(|| Missing::because("its axes or steps are computed, or do not fit"))?;
    let mut cuts = Vec::new();
    for (index, cut) in found.into_iter().enumerate() {
        if cut.step.unsigned_abs() > u16::MAX.into() {
            return Err(Missing::because("its steps are not usable"));
        }
        let start = match known(cut.start) {
            Some(start) => Start::Known(start),
            None => {
                let bounds = [index as i64, index as i64 + 1];
                let [from, to] = bounds.map(|bound| call.graph.add_ints("camloc.bound", &[bound]));
                Start::Computed(call.op("Slice", &[call.input(1)?, &from, &to], vec![]))
            }
        };
        cuts.push(Cut { axis: cut.axis, start, step: cut.step });
    }
    Ok(cuts)
}

/// The first of the places that a cut took, from the front.
fn begin(call: &mut Call<'_, '_>, cut: &Cut) -> Result<Begin, Missing> {
    let (input, output) = (call.input(0)?, call.output()?);
    let (size, found) = (call.size(input, cut.axis), call.size(output, cut.axis));
    match (&cut.start, &size, &found) {
        (&Start::Known(start), &Size::Known(size), _) if cut.step > 0 => {
            let start = if start < 0 { start.saturating_add(size) } else { start };
            return Ok(Begin::At(start.clamp(0, size)));
        }
        (&Start::Known(start), &Size::Known(size), &Size::Known(found)) => {
            let start = if start < 0 { start.saturating_add(size) } else { start };
            return Ok(Begin::At(start.min(size - 1).max(0) + (found - 1) * cut.step));
        }
        (&Start::Known(start), ..) if cut.step > 0 && start >= 0 => return Ok(Begin::At(start)),
        _ => {}
    }
    let [size, found] = [size, found].map(|size| call.sizes(&[size]));
    let start = match &cut.start {
        // Far outside, where a sum could overflow.
        Start::Known(start) => {
            let near = (*start).clamp(-i64::from(i32::MAX), i64::from(i32::MAX));
            call.graph.add_ints("camloc.start", &[near])
        }
        Start::Computed(start) => start.clone(),
    };
    let [zero, one] = [0, 1].map(|value| call.graph.add_ints("camloc.number", &[value]));
    let behind = call.op("Less", &[&start, &zero], vec![]);
    let wrapped = call.op("Add", &[&start, &size], vec![]);
    let start = call.op("Where", &[&behind, &wrapped, &start], vec![]);
    let start = call.op("Max", &[&start, &zero], vec![]);
    if cut.step > 0 {
        return Ok(Begin::Computed(call.op("Min", &[&start, &size], vec![])));
    }
    let last = call.op("Sub", &[&size, &one], vec![]);
    let start = call.op("Min", &[&start, &last], vec![]);
    let step = call.graph.add_ints("camloc.step", &[cut.step]);
    let way = call.op("Sub", &[&found, &one], vec![]);
    let way = call.op("Mul", &[&way, &step], vec![]);
    Ok(Begin::Computed(call.op("Add", &[&start, &way], vec![])))
}

/// A gradient in the opposite order along an axis.
fn reversed(call: &mut Call<'_, '_>, gradient: &str, axis: usize) -> String {
    let lists = [-1, i64::MIN + 1, call.shifted(axis), -1];
    let [start, end, axis, step] = lists.map(|value| call.graph.add_ints("camloc.reverse", &[value]));
    call.op("Slice", &[gradient, &start, &end, &axis, &step], vec![])
}

/// A gradient of these sizes with zeros after every value along an axis, `step` places for each.
fn spaced(call: &mut Call<'_, '_>, gradient: &str, sizes: &mut [Size], axis: usize, step: i64) -> String {
    let lead = call.lead_size();
    let rank = sizes.len() + usize::from(lead.is_some());
    let at = call.shifted(axis) as usize;
    let wide = call.unsqueeze(gradient, &[axis + 1]);
    let wide = place::pad(call, &wide, rank + 1, &[Margin { axis: at + 1, begin: 0, end: step - 1 }]);
    let open = matches!(sizes[axis], Size::Of(..));
    sizes[axis] = match sizes[axis] {
        Size::Known(size) => Size::Known(size * step),
        Size::Of(..) => Size::Known(-1),
    };
    let shape: Vec<Size> = lead.into_iter().chain(sizes.iter().cloned()).collect();
    let joined = call.reshape(&wide, &shape);
    if open {
        sizes[axis] = Size::Of(joined.clone(), at);
    }
    joined
}

/// Values around: of zeros, or any constant, nothing comes back; the other ways repeat what is there.
pub(super) fn pad(call: &mut Call<'_, '_>, position: usize) -> Answer {
    match position {
        0 => {}
        2 => return Err(Missing::because("it is padded with a value computed from the picture")),
        _ => return Ok(None),
    }
    let rank = call.rank(call.input(0)?)?;
    let mode = call.operator().pad_mode().to_owned();
    let margins = call.operator().margins(rank).and_then(|margins| {
        let sides = |margin: &pad::Margin| Some((margin.axis, known(margin.begin)?, known(margin.end)?));
        margins.iter().map(sides).collect::<Option<Vec<(usize, i64, i64)>>>()
    });
    let Some(pads) = margins else { return cropped(call, rank, &mode) };
    let usable = |amount: i64| amount.unsigned_abs() <= i32::MAX.unsigned_abs().into();
    if !pads.iter().all(|&(_, begin, end)| usable(begin) && usable(end)) {
        return Err(Missing::because("its pads are not usable"));
    }
    if mode != "constant" {
        return resize::repeated_around(call, &pads);
    }
    let (gradient, spread) = call.gradient()?;
    // Of what is the same everywhere, a part is as well.
    let stays = |axis: usize| {
        spread.contains(&axis) && pads.iter().all(|&(at, begin, end)| at != axis || begin.min(end) >= 0)
    };
    let kept: Vec<usize> = spread.iter().copied().filter(|&axis| stays(axis)).collect();
    let filled: Vec<usize> = spread.iter().copied().filter(|&axis| !stays(axis)).collect();
    let gradient = if filled.is_empty() { gradient } else { call.dense()? };
    let kept = if filled.is_empty() { kept } else { vec![] };
    let margins = pads.iter().filter(|(axis, ..)| !kept.contains(axis)).map(|&(axis, begin, end)| Margin {
        axis: call.shifted(axis) as usize,
        begin: -begin,
        end: -end,
    });
    let margins: Vec<Margin> = margins.collect();
    let rank = rank + usize::from(call.lead().is_some());
    Ok(Some(Gradient::spread(place::pad(call, &gradient, rank, &margins), kept)))
}

/// Undoes a padding whose amounts are computed when the model runs.
fn cropped(call: &mut Call<'_, '_>, rank: usize, mode: &str) -> Answer {
    let amounts = call.input(1)?;
    if call.graph.ints(amounts).is_some() {
        return Err(Missing::because("its pads do not fit its axes"));
    }
    let axes = call.operator().padded_axes(rank);
    let axes = axes.ok_or_else(|| Missing::because("its axes are computed, or not among its own"))?;
    if mode != "constant" {
        return Err(Missing::because(format!("its pads are computed, in the mode {mode}")));
    }
    let gradient = call.dense()?;
    let mut pads = call.op("Neg", &[amounts], vec![]);
    if call.node.input_at(3).is_some() {
        let axes = call.shifted_all(axes.iter().copied());
        let axes = call.graph.add_ints("camloc.axes", &axes);
        return Ok(Some(Gradient::dense(call.op("Pad", &[&gradient, &pads, "", &axes], vec![]))));
    }
    if call.lead().is_some() {
        let sides = call.graph.add_ints("camloc.sides", &[2, -1]);
        let none =
            call.graph.add_initializer(crate::onnx::build::i64_tensor("camloc.none", &[2, 1], &[0, 0]));
        pads = call.op("Reshape", &[&pads, &sides], vec![]);
        pads = call.op("Concat", &[&none, &pads], vec![int("axis", 1)]);
        pads = call.reshape(&pads, &[Size::Known(-1)]);
    }
    Ok(Some(Gradient::dense(call.op("Pad", &[&gradient, &pads], vec![]))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, away_from};
    use crate::onnx::build::{i64_tensor, int, node, string};

    fn list(name: &str, values: &[i64]) -> crate::onnx::proto::TensorProto {
        i64_tensor(name, &[values.len() as i64], values)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn concat(rank in 1..4_usize, at in 0..3_usize, back: bool, sizes in prop::collection::vec(1..4_i64, 3), open: bool) {
            let axis = at % rank;
            let shape = |size: i64| { let mut shape = vec![2; rank]; shape[axis] = size; shape };
            let attribute = if back { axis as i64 - rank as i64 } else { axis as i64 };
            Check::of(node("Concat", "n", &["a", "b", "c"], &["y"], vec![int("axis", attribute)]))
                .input("a", &shape(sizes[0]), away_from(&[]))
                .input("b", &shape(sizes[1]), away_from(&[]))
                .input("c", &shape(sizes[2]), away_from(&[]))
                .open(open)
                .holds();
        }

        #[test]
        fn split(rank in 1..4_usize, at in 0..3_usize, sizes in prop::collection::vec(1..4_i64, 3), used in 1..3_usize, open: bool) {
            let axis = at % rank;
            let mut shape = vec![2; rank];
            shape[axis] = sizes.iter().sum();
            let parts = ["p", "q", "r"];
            let check = Check::of(node("Split", "n", &["x", "sizes"], &parts, vec![int("axis", axis as i64 - rank as i64)]))
                .constants(&[list("sizes", &sizes)])
                .input("x", &shape, away_from(&[]));
            // One part is used, or two of them.
            let after = match used {
                1 => node("Identity", "m", &["q"], &["y"], vec![]),
                _ => node("Concat", "m", &["r", "p"], &["y"], vec![int("axis", axis as i64)]),
            };
            check.then(after).open(open).holds();
        }

        #[test]
        fn slice(
            sizes in prop::collection::vec(3..8_i64, 1..4),
            starts in prop::collection::vec(-9..9_i64, 3),
            ends in prop::collection::vec(-9..9_i64, 3),
            steps in prop::collection::vec(prop::sample::select(&[1, 1, 2, 3, -1, -2][..]), 3),
            open: bool,
            back: bool,
        ) {
            let rank = sizes.len();
            let axes: Vec<i64> = (0..rank as i64).map(|axis| if back { -1 - axis } else { axis }).collect();
            let is_empty = |at: usize| {
                let size = sizes[if back { rank - 1 - at } else { at }];
                let low = if steps[at] < 0 { -1 } else { 0 };
                let high = if steps[at] < 0 { size - 1 } else { size };
                let bound = |value: i64| if value < 0 { value + size } else { value };
                // Backwards from before the first place: ONNX says one place, others say none.
                if steps[at] < 0 && bound(starts[at]) < 0 {
                    return true;
                }
                let (start, end) = (bound(starts[at]).clamp(0, high), bound(ends[at]).clamp(low, high));
                if steps[at] > 0 { start >= end } else { start <= end }
            };
            prop_assume!(!(0..rank).any(is_empty));
            let constants = [list("starts", &starts[..rank]), list("ends", &ends[..rank]), list("axes", &axes), list("steps", &steps[..rank])];
            Check::of(node("Slice", "n", &["x", "starts", "ends", "axes", "steps"], &["y"], vec![]))
                .constants(&constants)
                .input("x", &sizes, away_from(&[]))
                .open(open)
                .holds();
        }

        #[test]
        fn pad(
            sizes in prop::collection::vec(3..6_i64, 1..5),
            amounts in prop::collection::vec(-1..3_i64, 8),
            mode in prop::sample::select(&["constant", "reflect", "edge"][..]),
            open: bool,
        ) {
            let rank = sizes.len();
            let amounts: Vec<i64> = match mode {
                "constant" => amounts[..2 * rank].to_vec(),
                _ => amounts[..2 * rank].iter().map(|amount| amount.abs()).collect(),
            };
            Check::of(node("Pad", "n", &["x", "pads"], &["y"], vec![string("mode", mode)]))
                .constants(&[list("pads", &amounts)])
                .input("x", &sizes, away_from(&[]))
                .open(open)
                .holds();
        }
    }

    #[test]
    fn of_a_computed_start() {
        let constants =
            [list("ends", &[i64::MAX]), list("axes", &[1]), list("low", &[-3]), list("one", &[1])];
        Check::of(node("Abs", "a", &["low"], &["three"], vec![]))
            .then(node("Sub", "b", &["three", "one"], &["two"], vec![]))
            .then(node("Neg", "c", &["two"], &["starts"], vec![]))
            .then(node("Slice", "n", &["x", "starts", "ends", "axes"], &["y"], vec![]))
            .constants(&constants)
            .input("x", &[2, 5, 3], away_from(&[]))
            .holds();
    }

    #[test]
    fn a_padding_that_is_computed() {
        for rank in [1, 3] {
            let amounts: Vec<i64> = (0..2 * rank).map(|at| at % 3).collect();
            Check::of(node("Abs", "a", &["pads"], &["amounts"], vec![]))
                .then(node("Pad", "n", &["x", "amounts"], &["y"], vec![]))
                .constants(&[list("pads", &amounts)])
                .input("x", &vec![3; rank as usize], away_from(&[]))
                .holds();
        }
    }
}
