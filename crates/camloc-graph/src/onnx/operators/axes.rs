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

#[cfg(test)]
mod tests {
    use super::super::tests::{on, read};
    use super::wrap_axis;
    use crate::onnx::build::{i64_tensor, int, ints, node};

    #[test]
    fn axes_count_from_either_end() {
        assert_eq!(
            [-1, 0, 2, 3, -4, i64::MIN].map(|axis| wrap_axis(axis, 3)),
            [Some(2), Some(0), Some(2), None, None, None]
        );
    }

    #[test]
    fn an_axis_that_is_left_out_is_the_standards() {
        let default = |operator: &str, opset: i64| {
            let mut model = on(&[2, 3, 4, 5], vec![], node(operator, "n", &["x"], &["y"], vec![]));
            model.opset_import[0].version = Some(opset);
            read(&model, |it| it.axis(4))
        };
        assert_eq!((default("Softmax", 12), default("Softmax", 13)), (Some(1), Some(3)));
        let defaults = ["Concat", "Split", "Gather", "LayerNormalization", "TopK"].map(|it| default(it, 17));
        assert_eq!(defaults, [1, 0, 0, 3, 3].map(Some));
    }

    #[test]
    fn a_reduction_takes_all_axes_where_it_names_none_unless_it_says_otherwise() {
        let reduced = |axes: Option<&[i64]>, attributes| {
            let constants =
                axes.map(|axes| i64_tensor("axes", &[axes.len() as i64], axes)).into_iter().collect();
            let inputs: &[&str] = if axes.is_some() { &["x", "axes"] } else { &["x"] };
            read(&on(&[2, 3, 4], constants, node("ReduceSum", "n", inputs, &["y"], attributes)), |it| {
                it.reduced(3)
            })
        };
        assert_eq!(reduced(None, vec![]), Some(vec![0, 1, 2]));
        assert_eq!(reduced(Some(&[]), vec![]), Some(vec![0, 1, 2]));
        assert_eq!(reduced(Some(&[]), vec![int("noop_with_empty_axes", 1)]), Some(vec![]));
        assert_eq!(reduced(Some(&[-1, 0]), vec![]), Some(vec![0, 2]));
        assert_eq!(reduced(None, vec![ints("axes", &[1])]), Some(vec![1]));
        assert_eq!(reduced(Some(&[3]), vec![]), None);
    }

    #[test]
    fn a_squeeze_without_axes_takes_those_of_size_one_if_no_size_is_open() {
        let squeezed = |sizes: &[i64]| {
            read(&on(sizes, vec![], node("Squeeze", "n", &["x"], &["y"], vec![])), |it| it.squeezed())
        };
        assert_eq!(squeezed(&[2, 1, 3, 1]), Some(vec![1, 3]));
        assert_eq!(squeezed(&[-1, 1, 3, 1]), None);
    }

    #[test]
    fn a_permutation_names_every_axis_once() {
        let permutation = |perm: &[i64]| {
            let node = node("Transpose", "n", &["x"], &["y"], vec![ints("perm", perm)]);
            read(&on(&[2, 3, 4], vec![], node), |it| it.permutation(3))
        };
        assert_eq!(permutation(&[2, 0, 1]), Some(vec![2, 0, 1]));
        assert_eq!(
            [&[0, 0, 1][..], &[0, 1], &[0, 1, 3], &[0, 1, -1]].map(permutation),
            [None, None, None, None]
        );
        let turned = on(&[2, 3, 4], vec![], node("Transpose", "n", &["x"], &["y"], vec![]));
        assert_eq!(read(&turned, |it| it.permutation(3)), Some(vec![2, 1, 0]));
    }
}
