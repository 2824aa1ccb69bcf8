//! `Split`: how long its parts are.

use super::Operator;
use crate::onnx::known::size::{Size, each_lossy, known};

impl Operator<'_> {
    /// The axis that a `Split` cuts, and how long each of its outputs is along it.
    pub(crate) fn split(&self) -> Option<(usize, Vec<Size>)> {
        let input = self.shape(0)?;
        let axis = self.axis(input.len())?;
        let count = self.node.output.len();
        let given = self.has_list("split", 1).then(|| self.entries("split", 1).unwrap_or_default());
        let part = |index: usize| match &given {
            Some(sizes) => *sizes.get(index)?,
            // Equal parts, but for the last.
            None => each_lossy([input[axis]], |[size]| {
                let part = size.checked_add(count as i64 - 1)? / count as i64;
                Some((size - part.checked_mul(index as i64)?).clamp(0, part))
            }),
        };
        Some((axis, (0..count).map(part).collect()))
    }

    /// The axis that a `Split` cuts, and where each of its outputs begins and ends along it; `None` where a size is not
    /// known.
    pub(crate) fn ranges(&self) -> Option<(usize, Vec<(usize, usize)>)> {
        let (axis, parts) = self.split()?;
        let mut start = 0_usize;
        let mut ranges = Vec::new();
        for size in parts {
            let end = start.checked_add(usize::try_from(known(size)?).ok()?)?;
            ranges.push((start, end));
            start = end;
        }
        Some((axis, ranges))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{on, read};
    use crate::onnx::build::{i64_tensor, int, node};

    #[test]
    fn of_equal_parts_the_last_is_what_remains() {
        let split =
            node("Split", "n", &["x"], &["a", "b", "c"], vec![int("axis", -1), int("num_outputs", 3)]);
        let found = read(&on(&[2, 7], vec![], split), |it| it.ranges());
        assert_eq!(found, Some((1, vec![(0, 3), (3, 6), (6, 7)])));
    }

    #[test]
    fn parts_are_as_long_as_the_node_says() {
        let split = || node("Split", "n", &["x", "sizes"], &["a", "b"], vec![]);
        let given = on(&[7, 2], vec![i64_tensor("sizes", &[2], &[5, 2])], split());
        assert_eq!(read(&given, |it| it.ranges()), Some((0, vec![(0, 5), (5, 7)])));
        assert_eq!(read(&on(&[7, 2], vec![], split()), |it| it.ranges()), None, "they are computed");
    }
}
