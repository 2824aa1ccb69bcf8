//! Which pictures are for training and which for validation.

use sha2::{Digest, Sha256};

use crate::dataset::Part;

/// The part of each picture, given by name and class: of each class the share `val`, to the nearest picture, drawn by
/// the hash of seed and name, so that a picture more moves few others.
///
/// Of two pictures or more at least one is in either part, unless `val` is 0 or 1.
pub(super) fn split(pictures: &[(&str, usize)], val: f64, seed: u64) -> Vec<Part> {
    let mut order: Vec<(usize, [u8; 32], usize)> = pictures
        .iter()
        .enumerate()
        .map(|(i, (name, class))| (*class, Sha256::digest(format!("{seed}:{name}")).into(), i))
        .collect();
    order.sort_unstable();
    let mut parts = vec![Part::Train; pictures.len()];
    for class in order.chunk_by(|a, b| a.0 == b.0) {
        let count = (val * class.len() as f64).round() as usize;
        class.iter().take(count).for_each(|&(_, _, i)| parts[i] = Part::Val);
    }
    if let [(.., first), (.., second), ..] = order[..]
        && val > 0.0
        && val < 1.0
    {
        if !parts.contains(&Part::Val) {
            parts[first] = Part::Val;
        } else if !parts.contains(&Part::Train) {
            parts[second] = Part::Train;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("{i}.jpg")).collect()
    }

    fn of(names: &[String], classes: usize, val: f64, seed: u64) -> Vec<Part> {
        let pictures: Vec<(&str, usize)> =
            names.iter().enumerate().map(|(i, n)| (n.as_str(), i % classes)).collect();
        split(&pictures, val, seed)
    }

    fn validated(parts: &[Part]) -> usize {
        parts.iter().filter(|&&part| part == Part::Val).count()
    }

    #[test]
    fn every_class_gives_its_share_and_the_seed_decides_which() {
        let names = names(100);
        let parts = of(&names, 2, 0.2, 0);
        let of_class =
            |class: usize| parts.iter().skip(class).step_by(2).filter(|&&part| part == Part::Val).count();
        assert_eq!((of_class(0), of_class(1)), (10, 10));
        assert_eq!(parts, of(&names, 2, 0.2, 0));
        assert_ne!(parts, of(&names, 2, 0.2, 1));
    }

    #[test]
    fn a_picture_more_moves_few_others() {
        let names = names(101);
        let (before, after) = (of(&names[..100], 1, 0.2, 0), of(&names, 1, 0.2, 0));
        let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert!(moved <= 1, "{moved}");
    }

    #[test]
    fn neither_part_is_empty_where_that_can_be() {
        for (count, classes, val) in [(2, 1, 0.2), (2, 2, 0.2), (3, 3, 0.9), (2, 1, 0.9)] {
            let validated = validated(&of(&names(count), classes, val, 0));
            assert!(validated > 0 && validated < count, "{count} {classes} {val}: {validated}");
        }
        assert_eq!(validated(&of(&names(9), 1, 0.0, 0)), 0);
        assert_eq!(validated(&of(&names(9), 1, 1.0, 0)), 9);
        assert_eq!(of(&names(1), 1, 0.4, 0), [Part::Train]);
        assert!(split(&[], 0.2, 0).is_empty());
    }
}
