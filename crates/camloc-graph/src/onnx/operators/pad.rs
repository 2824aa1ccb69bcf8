//! `Pad`: how much is added around each axis, and what.

use super::Operator;
use crate::onnx::known::size::Size;

/// What a `Pad` adds at both ends of an axis; below zero it is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Margin {
    pub(crate) axis: usize,
    pub(crate) begin: Size,
    pub(crate) end: Size,
}

impl Operator<'_> {
    /// The axes that a `Pad` names: all, if none.
    pub(crate) fn padded_axes(&self, rank: usize) -> Option<Vec<usize>> {
        match self.node.input_at(3) {
            Some(_) => self.axes(rank, 3),
            None => Some((0..rank).collect()),
        }
    }

    /// What a `Pad` adds to a tensor of this rank; `None` where the amounts are not known at all, or do not fit the axes.
    pub(crate) fn margins(&self, rank: usize) -> Option<Vec<Margin>> {
        // In operator set 1 the attribute was called paddings.
        let name = if self.node.ints("paddings").is_some() { "paddings" } else { "pads" };
        let (axes, pads) = (self.padded_axes(rank)?, self.entries(name, 1)?);
        let margin =
            |(at, &axis): (usize, &usize)| Margin { axis, begin: pads[at], end: pads[at + axes.len()] };
        (pads.len() == 2 * axes.len()).then(|| axes.iter().enumerate().map(margin).collect())
    }

    /// What a `Pad` adds: `constant`, or what is there already, by `reflect`, `edge` or `wrap`.
    pub(crate) fn pad_mode(&self) -> &str {
        self.node.string("mode").unwrap_or("constant")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{on, read};
    use super::Margin;
    use crate::onnx::build::{i64_tensor, ints, node};
    use crate::onnx::known::size::fixed;

    #[test]
    fn margins_belong_to_the_axes_that_are_named() {
        let margin = |axis, begin, end| Margin { axis, begin: fixed(begin), end: fixed(end) };
        let old = on(&[4, 5], vec![], node("Pad", "n", &["x"], &["y"], vec![ints("pads", &[0, 1, 2, 3])]));
        assert_eq!(read(&old, |it| it.margins(2)), Some(vec![margin(0, 0, 2), margin(1, 1, 3)]));
        let lists = vec![i64_tensor("p", &[2], &[-1, 2]), i64_tensor("axes", &[1], &[-1])];
        let named = on(&[4, 5], lists, node("Pad", "n", &["x", "p", "", "axes"], &["y"], vec![]));
        assert_eq!(read(&named, |it| it.margins(2)), Some(vec![margin(1, -1, 2)]));
        let misfit = on(&[4, 5], vec![], node("Pad", "n", &["x"], &["y"], vec![ints("pads", &[0, 1])]));
        assert_eq!(read(&misfit, |it| it.margins(2)), None);
    }
}
