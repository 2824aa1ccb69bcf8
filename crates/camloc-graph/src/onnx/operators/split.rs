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
