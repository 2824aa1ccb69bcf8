//! `Slice`: what it takes of each axis.

use super::Operator;
use crate::onnx::known::size::{Size, each, known};

/// What a `Slice` takes along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) axis: usize,
    /// As the node says; below zero it counts from the end.
    pub(crate) start: Size,
    pub(crate) end: Size,
    /// Not zero; below zero it goes backwards.
    pub(crate) step: i64,
}

/// What a cut forwards takes of an axis, counted from its front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) axis: usize,
    /// The first index taken.
    pub(crate) start: usize,
    /// The index behind the last one taken; `None`: to the end.
    pub(crate) end: Option<usize>,
    pub(crate) step: usize,
}

impl Part {
    /// Whether it takes all of its axis.
    pub(crate) fn is_whole(&self) -> bool {
        self.start == 0 && self.end.is_none() && self.step == 1
    }
}

impl Operator<'_> {
    /// The cuts of a `Slice` of a tensor of this rank. A start or end that is not known leaves the others known; axes or
    /// steps that are not leave nothing.
    pub(crate) fn cuts(&self, rank: usize) -> Option<Vec<Cut>> {
        let (starts, ends) = (self.entries("starts", 1), self.entries("ends", 2));
        let axes = if self.has_list("axes", 3) { Some(self.axes(rank, 3)?) } else { None };
        // How many there are, the length of a list that is computed tells as well.
        let length = |index: usize| usize::try_from(known(*self.shape(index)?.first()?)?).ok();
        let count =
            axes.as_ref().map(Vec::len).or_else(|| starts.as_ref().map(Vec::len)).or_else(|| length(1))?;
        let axes = axes.unwrap_or_else(|| (0..rank.min(count)).collect());
        let steps = if self.node.input_at(4).is_some() { self.ints(4)? } else { vec![1; count] };
        let fits =
            |entries: &Option<Vec<Size>>| entries.as_ref().is_none_or(|entries| entries.len() == count);
        if axes.len() != count || steps.len() != count || steps.contains(&0) || !fits(&starts) || !fits(&ends)
        {
            return None;
        }
        let at =
            |entries: &Option<Vec<Size>>, index: usize| entries.as_ref().and_then(|entries| entries[index]);
        let cut = |index: usize| Cut {
            axis: axes[index],
            start: at(&starts, index),
            end: at(&ends, index),
            step: steps[index],
        };
        Some((0..count).map(cut).collect())
    }

    /// What a `Slice` takes of a tensor of this shape; `None` where a cut is computed or goes backwards.
    pub(crate) fn parts_taken(&self, shape: &[Option<i64>]) -> Option<Vec<Part>> {
        self.cuts(shape.len())?.iter().map(|cut| cut.forwards(shape[cut.axis])).collect()
    }
}

impl Cut {
    /// The first place taken and how many are, of `size`.
    pub(crate) fn places(&self, size: i64, start: i64, end: i64) -> (i64, i64) {
        let wrap = |place: i64| if place < 0 { place.saturating_add(size) } else { place };
        let (low, high) = if self.step > 0 { (0, size) } else { (-1, size - 1) };
        let start = wrap(start).clamp(low, high.max(low));
        let end = wrap(end).clamp(low, high.max(low));
        let span = if self.step > 0 { end - start } else { start - end }.max(0) as u64;
        (start, span.div_ceil(self.step.unsigned_abs()) as i64)
    }

    /// What is left of an axis. A cut that stops at the same place in both worlds might not in a
    /// smaller one, unless it takes a single place.
    pub(crate) fn left_of(&self, size: Size) -> Size {
        let open = known(size).is_none();
        let left =
            each([size, self.start, self.end], |[size, start, end]| Some(self.places(size, start, end).1));
        left.filter(|[a, b]| !open || a != b || *a == 1)
    }

    fn forwards(&self, size: Option<i64>) -> Option<Part> {
        let from_front = |place: i64| match (place < 0, size) {
            (true, Some(size)) => Some(place.saturating_add(size).max(0)),
            (true, None) => None,
            (false, size) => Some(size.map_or(place, |size| place.min(size))),
        };
        let start = usize::try_from(from_front(known(self.start)?)?).ok()?;
        let end = known(self.end)?;
        let to_end = size.map_or(end >= i32::MAX.into(), |size| end >= size);
        let end = if to_end { None } else { Some(usize::try_from(from_front(end)?).ok()?) };
        let step = usize::try_from(self.step).ok()?;
        Some(Part { axis: self.axis, start, end, step })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{on, read};
    use super::*;
    use crate::onnx::build::{i64_tensor, ints, node};

    #[test]
    fn cuts_are_read_from_attributes_and_inputs() {
        let list = |name: &str, value: i64| i64_tensor(name, &[1], &[value]);
        let lists = |start, step| vec![list("s", start), list("e", 9), list("a", -1), list("t", step)];
        let slice = || node("Slice", "n", &["x", "s", "e", "a", "t"], &["y"], vec![]);
        let attributes = vec![ints("starts", &[1]), ints("ends", &[9]), ints("axes", &[-1])];
        let old = on(&[2, 7], vec![], node("Slice", "n", &["x"], &["y"], attributes));
        let part = |step| Part { axis: 1, start: 1, end: None, step };
        let shape = [Some(2), Some(7)];
        assert_eq!(read(&old, |it| it.parts_taken(&shape)), Some(vec![part(1)]));
        let new = on(&[2, 7], lists(-6, 3), slice());
        assert_eq!(read(&new, |it| it.parts_taken(&shape)), Some(vec![part(3)]));
        let back = on(&[2, 7], lists(-1, -1), slice());
        assert_eq!(read(&back, |it| it.parts_taken(&shape)), None);
        assert_eq!(read(&back, |it| it.cuts(2).map(|cuts| cuts.len())), Some(1));
        let stuck = on(&[2, 7], lists(0, 0), slice());
        assert_eq!(read(&stuck, |it| it.cuts(2)), None);
    }

    #[test]
    fn a_start_that_is_computed_leaves_the_other_axes_known() {
        let mut model = on(
            &[2, 7],
            vec![i64_tensor("e", &[1], &[i64::MAX]), i64_tensor("a", &[1], &[1])],
            node("Slice", "n", &["x", "computed", "e", "a"], &["y"], vec![]),
        );
        let graph = crate::onnx::graph::Graph::new(&model);
        assert_eq!(graph.shape("y"), Some(&[Some(2), None][..]));
        drop(graph);
        model.graph.as_mut().unwrap().initializer.pop();
        assert_eq!(read(&model, |it| it.cuts(2)), None, "which axes is not known");
    }

    #[test]
    fn places_are_cut_as_the_standard_says() {
        let places = |start: i64, end: i64, step: i64| {
            Cut { axis: 0, start: None, end: None, step }.places(5, start, end)
        };
        assert_eq!(places(1, 4, 2), (1, 2));
        assert_eq!(places(-2, i64::MAX, 1), (3, 2));
        assert_eq!(places(-1, i64::MIN, -1), (4, 5));
        assert_eq!(places(9, 9, 1), (5, 0));
    }
}
