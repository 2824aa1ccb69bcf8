//! The axes that operators name: the one that they work along, those that they add, take away or reduce, and the order in
//! which `Transpose` puts them.

use super::Operator;
use crate::onnx::known::MAX_RANK;
use crate::onnx::known::size::known;

/// An axis counted from the end when negative; `None` outside the rank.
pub(crate) fn wrap_axis(axis: i64, rank: usize) -> Option<usize> {
    let rank = rank as i64;
    let axis = if axis < 0 { axis.checked_add(rank)? } else { axis };
    (0..rank).contains(&axis).then_some(axis as usize)
}

impl Operator<'_> {
    /// The axis that an operator works along, within a tensor of this rank: as it says, else as the standard does.
    pub(crate) fn axis(&self, rank: usize) -> Option<usize> {
        wrap_axis(self.node.int_or("axis", self.default_axis()), rank)
    }

    fn default_axis(&self) -> i64 {
        match self.name() {
            "Concat" | "Flatten" => 1,
            // Before operator set 13 all axes from the named one on were one.
            "Softmax" | "LogSoftmax" | "Hardmax" if self.opset < 13 => 1,
            "Softmax" | "LogSoftmax" | "Hardmax" | "LpNormalization" | "LayerNormalization"
            | "RMSNormalization" | "TopK" | "OneHot" => -1,
            _ => 0,
        }
    }

    /// Axes given as an attribute or as an input, within a tensor of this rank.
    pub(super) fn axes(&self, rank: usize, index: usize) -> Option<Vec<usize>> {
        self.list("axes", index)?.into_iter().map(|axis| wrap_axis(axis, rank)).collect()
    }

    /// The axes that a `Squeeze` takes away. Where it names none, all of size 1 go; of an open size nobody knows.
    pub(crate) fn squeezed(&self) -> Option<Vec<usize>> {
        let input = self.shape(0)?;
        if self.has_list("axes", 1) {
            return self.axes(input.len(), 1);
        }
        let sizes: Vec<i64> = input.iter().map(|&size| known(size)).collect::<Option<_>>()?;
        Some((0..input.len()).filter(|&axis| sizes[axis] == 1).collect())
    }

    /// The axes of its output that an `Unsqueeze` adds.
    pub(crate) fn unsqueezed(&self) -> Option<Vec<usize>> {
        let added = self.list("axes", 1)?.len();
        let rank = self.shape(0)?.len().checked_add(added).filter(|&rank| rank <= MAX_RANK)?;
        self.axes(rank, 1)
    }

    /// The axes that a reduction takes together, of a tensor of this rank, ascending: all where none are named, unless the
    /// operator says that it then takes none.
    pub(crate) fn reduced(&self, rank: usize) -> Option<Vec<usize>> {
        let mut axes = if self.has_list("axes", 1) { self.axes(rank, 1)? } else { Vec::new() };
        if axes.is_empty() && self.node.int_or("noop_with_empty_axes", 0) == 0 {
            return Some((0..rank).collect());
        }
        axes.sort_unstable();
        Some(axes)
    }

    /// Whether reduced axes stay, of size 1.
    pub(crate) fn keeps_axes(&self) -> bool {
        self.node.int_or("keepdims", 1) != 0
    }

    /// Where each axis of a transposed tensor comes from; `None` where it does not name each axis once.
    pub(crate) fn permutation(&self, rank: usize) -> Option<Vec<usize>> {
        let Some(perm) = self.node.ints("perm") else { return Some((0..rank).rev().collect()) };
        let perm: Vec<usize> = perm.iter().map(|&axis| usize::try_from(axis).ok()).collect::<Option<_>>()?;
        let whole = perm.len() == rank && (0..rank).all(|axis| perm.contains(&axis));
        whole.then_some(perm)
    }
}
