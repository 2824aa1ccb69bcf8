//! Sizes in two imagined worlds, and what they are joined to.

use std::collections::HashMap;

/// An integer in both worlds; `None` when it is not even known there.
pub(crate) type Size = Option<[i64; 2]>;
/// A shape in both worlds.
pub(crate) type Sizes = Vec<Size>;

/// The same integer in both worlds.
pub(crate) fn fixed(size: i64) -> Size {
    Some([size; 2])
}

/// What is the same in both worlds.
pub(crate) fn known(size: Size) -> Option<i64> {
    size.filter(|[a, b]| a == b).map(|[a, _]| a)
}

/// A function of integers, in each world.
pub(crate) fn each<const N: usize>(sizes: [Size; N], f: impl Fn([i64; N]) -> Option<i64>) -> Size {
    let mut worlds = [[0; N]; 2];
    for (index, size) in sizes.into_iter().enumerate() {
        let [first, second] = size?;
        (worlds[0][index], worlds[1][index]) = (first, second);
    }
    Some([f(worlds[0])?, f(worlds[1])?])
}

/// A function that loses information (it rounds or clamps) of integers, in each world: if it is the
/// same in both although they differ, it may be otherwise in a third.
pub(crate) fn each_lossy<const N: usize>(sizes: [Size; N], f: impl Fn([i64; N]) -> Option<i64>) -> Size {
    let open = sizes.iter().any(|&size| known(size).is_none());
    each(sizes, f).filter(|[a, b]| !open || a != b)
}

pub(crate) fn add(a: Size, b: Size) -> Size {
    each([a, b], |[a, b]| a.checked_add(b))
}

pub(crate) fn multiply(a: Size, b: Size) -> Size {
    each([a, b], |[a, b]| a.checked_mul(b))
}

/// The quotient, where it is exact.
pub(crate) fn divide(a: Size, b: Size) -> Size {
    each([a, b], |[a, b]| if a.checked_rem(b)? == 0 { a.checked_div(b) } else { None })
}

pub(crate) fn product(sizes: &[Size]) -> Size {
    sizes.iter().fold(fixed(1), |product, &size| multiply(product, size))
}

/// The shape of an elementwise operation on two tensors.
pub(crate) fn broadcast(a: &[Size], b: &[Size]) -> Sizes {
    let rank = a.len().max(b.len());
    let from_end = |shape: &[Size], back: usize| match shape.len().checked_sub(back) {
        Some(axis) => shape[axis],
        None => fixed(1),
    };
    let one_of = |a: i64, b: i64| match (a, b) {
        (1, size) | (size, 1) => Some(size),
        (a, b) => Some(a).filter(|_| a == b),
    };
    let dim = |back| match (from_end(a, back), from_end(b, back)) {
        // An unknown size is 1 or the other.
        (None, size) | (size, None) => size.filter(|worlds| !worlds.contains(&1)),
        (a, b) => each([a, b], |[a, b]| one_of(a, b)),
    };
    (1..=rank).rev().map(dim).collect()
}

/// Sizes for what is open until run time: the same for the same symbol, and for no two others with the
/// same difference or the same ratio of worlds. The worlds are far apart, so that repeated halving does
/// not make them equal, and multiples of 32, as networks want them.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    named: HashMap<String, Size>,
    batches: i64,
    others: i64,
}

impl Symbols {
    pub(crate) fn named(&mut self, symbol: &str, is_batch: bool) -> Size {
        if let Some(&size) = self.named.get(symbol) {
            return size;
        }
        let size = self.unnamed(is_batch);
        self.named.insert(symbol.to_owned(), size);
        size
    }

    pub(crate) fn unnamed(&mut self, is_batch: bool) -> Size {
        let count = if is_batch { &mut self.batches } else { &mut self.others };
        let number = *count;
        *count += 1;
        Some(if is_batch { [2 + number, 3 + 2 * number] } else { [224 + 32 * number, 480 + 96 * number] })
    }
}
