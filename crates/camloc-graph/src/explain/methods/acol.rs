//! The fused maps of adversarial complementary learning (Zhang et al. 2018): one branch's class maps show the part that
//! tells the class best, the other's, made of features from which that part was erased, show the rest. A place has the
//! greater of both.
//!
//! The paper brings each map to 0..1 before. That lifts the places that speak for no class well above 0, and what little a
//! branch finds to 1: docs/training.md has what it costs. Here the maps stay signed, as those of every method do.

use super::super::features::Maps;
use super::super::head::{ERASED_MAPS, Head};
use super::super::subject::Subject;
use super::class_maps;

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>, head: &Head) -> Maps {
    let second = Head { features: ERASED_MAPS.into(), ..head.clone() };
    let [first, second] = [head, &second].map(|branch| class_maps::append(subject, branch));
    let tensor = subject.graph.op("Max", "camloc.branches", &[&first.tensor, &second.tensor], vec![]);
    Maps { tensor, ..first }
}
