//! Putting a tensor in its place: cut off, and padded with zeros, at both ends of its axes.

use super::super::call::{Call, Size};
use crate::onnx::build::int;

/// How many zeros to add at both ends of an axis; below zero, how much to cut off.
pub(super) struct Margin {
    pub(super) axis: usize,
    pub(super) begin: i64,
    pub(super) end: i64,
}

/// Pads and cuts a tensor of this rank.
pub(super) fn pad(call: &mut Call<'_, '_>, tensor: &str, rank: usize, margins: &[Margin]) -> String {
    let mut result = tensor.to_owned();
    let cut: Vec<&Margin> = margins.iter().filter(|margin| margin.begin.min(margin.end) < 0).collect();
    if !cut.is_empty() {
        let starts = cut.iter().map(|margin| (-margin.begin).max(0)).collect();
        let ends = cut.iter().map(|margin| if margin.end < 0 { margin.end } else { i64::MAX }).collect();
        let axes = cut.iter().map(|margin| margin.axis as i64).collect();
        let [starts, ends, axes]: [Vec<i64>; 3] = [starts, ends, axes];
        let [starts, ends, axes] =
            [starts, ends, axes].map(|values| call.graph.add_ints("camloc.cut", &values));
        result = call.op("Slice", &[&result, &starts, &ends, &axes], vec![]);
    }
    if margins.iter().any(|margin| margin.begin.max(margin.end) > 0) {
        let mut pads = vec![0; 2 * rank];
        for margin in margins {
            pads[margin.axis] = margin.begin.max(0);
            pads[rank + margin.axis] = margin.end.max(0);
        }
        let pads = call.graph.add_ints("camloc.pads", &pads);
        result = call.op("Pad", &[&result, &pads], vec![]);
    }
    result
}

/// Where a tensor begins along an axis.
pub(super) enum Begin {
    At(i64),
    /// A tensor i64 `[1]`.
    Computed(String),
}

/// What is to become of a tensor along an axis: `found` places of it, from `begin` on, among `wanted`.
pub(super) struct Fit {
    pub(super) axis: usize,
    pub(super) begin: Begin,
    pub(super) found: Size,
    pub(super) wanted: Size,
}

/// Puts a tensor of this rank among zeros, and cuts off what hangs over.
pub(super) fn fit(call: &mut Call<'_, '_>, tensor: &str, rank: usize, fits: &[Fit]) -> String {
    let margin = |fit: &Fit| match (&fit.begin, &fit.found, &fit.wanted) {
        (&Begin::At(begin), &Size::Known(found), &Size::Known(wanted)) => {
            Some(Margin { axis: fit.axis, begin, end: wanted - found - begin })
        }
        _ => None,
    };
    if let Some(margins) = fits.iter().map(margin).collect::<Option<Vec<_>>>() {
        return pad(call, tensor, rank, &margins);
    }
    let none = call.graph.add_ints("camloc.none", &[0]);
    let mut pads = vec![none; 2 * rank];
    for fit in fits {
        let begin = match &fit.begin {
            Begin::At(begin) => call.graph.add_ints("camloc.begin", &[*begin]),
            Begin::Computed(begin) => begin.clone(),
        };
        let [found, wanted] = [&fit.found, &fit.wanted].map(|size| call.sizes(std::slice::from_ref(size)));
        let rest = call.op("Sub", &[&wanted, &found], vec![]);
        pads[rank + fit.axis] = call.op("Sub", &[&rest, &begin], vec![]);
        pads[fit.axis] = begin;
    }
    let pads: Vec<&str> = pads.iter().map(String::as_str).collect();
    let pads = call.op("Concat", &pads, vec![int("axis", 0)]);
    call.op("Pad", &[tensor, &pads], vec![])
}
