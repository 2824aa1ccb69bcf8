//! Which pictures are learned from, and which are held out to check what was learned.
//!
//! Frames of one video are nearly the same: were some of them learned from and others held out, the check would only
//! show what was learned by heart. So bursts stay together: pictures in one folder below their class's, pictures that
//! `camloc collect` saved in one go, and pictures that look alike.

use std::collections::HashMap;

use super::thumbnail::alike;
use crate::dataset::Burst;

/// What a split goes by.
pub(super) struct Candidate<'a> {
    pub(super) name: &'a str,
    pub(super) class: usize,
    pub(super) thumbnail: &'a [u8],
}

/// A way to part pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// By place, whether a picture is held out.
    pub(super) held_out: Vec<bool>,
    /// How many bursts each class has.
    pub(super) bursts: Vec<usize>,
}

/// Looking for pictures alike goes this far along the names, so that a large set does not take the square of its size.
const WINDOW: usize = 64;

/// Holds out about `share` of the pictures of each class, whole bursts of them. Of a class with a single burst the last
/// pictures are held out, which flatters: [`Split::bursts`] tells.
pub(super) fn split(candidates: &[Candidate<'_>], classes: usize, share: f64, seed: u64) -> Split {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut split = Split { held_out: vec![false; candidates.len()], bursts: vec![0; classes] };
    for class in 0..classes {
        let places: Vec<usize> = (0..candidates.len()).filter(|&at| candidates[at].class == class).collect();
        let wanted = ((places.len() as f64 * share).round() as usize).clamp(1, places.len().max(1));
        let mut bursts = bursts(candidates, &places);
        split.bursts[class] = bursts.len();
        if let [burst] = &bursts[..] {
            let from = burst.len() - wanted.min(burst.len().saturating_sub(1));
            burst[from..].iter().for_each(|&place| split.held_out[place] = true);
            continue;
        }
        random.shuffle(&mut bursts);
        // Small bursts first, so that the share is met closely, and the last one is always learned from.
        let mut open = wanted;
        for burst in &bursts[..bursts.len().saturating_sub(1)] {
            if burst.len() <= open {
                burst.iter().for_each(|&place| split.held_out[place] = true);
                open -= burst.len();
            }
        }
        if open == wanted
            && let Some(smallest) = bursts.iter().min_by_key(|burst| burst.len())
        {
            smallest.iter().for_each(|&place| split.held_out[place] = true);
        }
    }
    split
}

/// The pictures at `places`, burst by burst.
fn bursts(candidates: &[Candidate<'_>], places: &[usize]) -> Vec<Vec<usize>> {
    // The first picture that each is known to belong to.
    let mut first: Vec<usize> = (0..places.len()).collect();
    let find = |first: &[usize], mut at: usize| {
        while first[at] != at {
            at = first[at];
        }
        at
    };
    let mut named: HashMap<&str, usize> = HashMap::new();
    for here in 0..places.len() {
        let candidate = &candidates[places[here]];
        let mut same: Vec<usize> = Vec::new();
        if let Some(burst) = burst_name(candidate.name) {
            same.extend(named.insert(burst, here));
        }
        let near = here.saturating_sub(WINDOW)..here;
        same.extend(near.filter(|&other| alike(candidate.thumbnail, candidates[places[other]].thumbnail)));
        for other in same {
            let (a, b) = (find(&first, here), find(&first, other));
            first[a.max(b)] = a.min(b);
        }
    }
    let mut bursts: Vec<Vec<usize>> = Vec::new();
    let mut slots: HashMap<usize, usize> = HashMap::new();
    for (here, &place) in places.iter().enumerate() {
        let slot = *slots.entry(find(&first, here)).or_insert_with(|| {
            bursts.push(Vec::new());
            bursts.len() - 1
        });
        bursts[slot].push(place);
    }
    bursts
}

/// What tells pictures of one burst, among those of their class, by their names: the folder within the class's, or the name
/// that `camloc collect` gave the burst.
fn burst_name(name: &str) -> Option<&str> {
    let (folder, file) = name.rsplit_once('/')?;
    if folder.contains('/') { Some(folder) } else { Burst::name_in(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures with these names, all different unless their thumbnail's shade is the same.
    fn parted(pictures: &[(&str, u8)], seed: u64) -> Split {
        let shades: Vec<[u8; 256]> = pictures.iter().map(|&(_, shade)| [shade; 256]).collect();
        let candidates: Vec<Candidate<'_>> = pictures
            .iter()
            .zip(&shades)
            .map(|(&(name, _), thumbnail)| Candidate { name, class: 0, thumbnail })
            .collect();
        split(&candidates, 1, 0.25, seed)
    }

    #[test]
    fn the_share_is_held_out_and_the_seed_says_which() {
        let names: Vec<String> = (0..12).map(|number| format!("cat/{number}.jpg")).collect();
        let pictures: Vec<(&str, u8)> =
            names.iter().zip((0..).step_by(20)).map(|(name, shade)| (name.as_str(), shade)).collect();
        let first = parted(&pictures, 1);
        assert_eq!((first.held_out.iter().filter(|&&out| out).count(), first.bursts[0]), (3, 12));
        assert_eq!(first, parted(&pictures, 1));
        assert!((2..9).any(|seed| parted(&pictures, seed) != first));
    }

    #[test]
    fn a_burst_is_not_parted_whether_folders_names_or_looks_tell_of_it() {
        let bursts = [
            [("cat/a/1.jpg", 0), ("cat/a/2.jpg", 60), ("cat/b/1.jpg", 120), ("cat/b/2.jpg", 180)],
            [
                ("cat/20260131-101500-camera0-1_1.jpg", 0),
                ("cat/20260131-101500-camera0-1_2.jpg", 60),
                ("cat/20260131-101500-camera0-2_1.jpg", 120),
                ("cat/20260131-101500-camera0-2_2.jpg", 180),
            ],
            [("cat/1.jpg", 0), ("cat/2.jpg", 5), ("cat/3.jpg", 120), ("cat/4.jpg", 125)],
        ];
        for pictures in bursts {
            for seed in 0..8 {
                let split = parted(&pictures, seed);
                assert_eq!(split.bursts, [2]);
                assert_eq!(split.held_out[0], split.held_out[1], "{pictures:?}");
                assert_eq!(split.held_out[2], split.held_out[3], "{pictures:?}");
                assert!(split.held_out[0] != split.held_out[2], "one is learned from, one held out");
            }
        }
        // Plain numbers behind a name say nothing: they may be one photo each.
        assert_eq!(parted(&[("cat/IMG_1.jpg", 0), ("cat/IMG_2.jpg", 60)], 0).bursts, [2]);
    }

    #[test]
    fn the_end_of_a_single_burst_is_held_out() {
        let split =
            parted(&[("cat/a/1.jpg", 0), ("cat/a/2.jpg", 60), ("cat/a/3.jpg", 0), ("cat/a/4.jpg", 9)], 3);
        assert_eq!((split.held_out, split.bursts), (vec![false, false, false, true], vec![1]));
    }
}
