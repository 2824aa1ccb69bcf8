//! What each picture shows, and where: one model, several pictures in flight.

use std::sync::{Mutex, PoisonError};

use super::{Finding, Input, Item, LabellingError, Object, Reason, Skip};
use crate::explainer::Explainer;
use crate::files::Stop;
use crate::frame::Picture;
use crate::localize::{Detection, Localizer, Settings};
use crate::maps::ClassMap;
use crate::runtime::RuntimeError;
use crate::source::read_photo;
use crate::view::View;
use crate::workers::{self, Results};

/// How to find objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How maps become boxes. Classes less probable than its `min_score` are not believed.
    pub settings: Settings,
    /// Pictures in flight, at least 1.
    pub workers: usize,
}

/// Finds the objects of the pictures at `open`, places in [`Input::pictures`], and hands each finding to `take` as it
/// comes, in no particular order. The explainer explains one class at a time.
///
/// A stop lets pictures in flight finish and is no error.
///
/// # Errors
/// If the model or `take` fails.
pub(crate) fn find(
    input: &Input,
    open: &[usize],
    explainer: &Mutex<Explainer>,
    plan: Plan,
    stop: &Stop,
    take: &mut dyn FnMut(usize, Finding) -> Result<(), LabellingError>,
) -> Result<(), LabellingError> {
    let finder = || Finder::new(explainer, plan.settings);
    let work = |finder: &mut Finder<'_>, &place: &usize, results: &Results<'_, Done>| {
        results.give((place, finder.find(input, &input.pictures[place])));
    };
    workers::spread(open, plan.workers, stop, finder, work, |(place, found): Done| take(place, found?))
}

type Done = (usize, Result<Finding, RuntimeError>);

/// Finds the objects of one picture after the other.
struct Finder<'a> {
    explainer: &'a Mutex<Explainer>,
    localizer: Localizer,
    /// One for each class that is believed.
    maps: Vec<ClassMap>,
    spare: Vec<ClassMap>,
    found: Vec<Detection>,
}

impl<'a> Finder<'a> {
    fn new(explainer: &'a Mutex<Explainer>, settings: Settings) -> Finder<'a> {
        let localizer = Localizer::new(settings);
        Finder { explainer, localizer, maps: vec![], spare: vec![], found: vec![] }
    }

    fn find(&mut self, input: &Input, item: &Item) -> Result<Finding, RuntimeError> {
        let picture = match read_photo(&item.path) {
            Ok(picture) => picture,
            Err(error) => return Ok(skipped(Reason::Unreadable, None, error.to_string())),
        };
        let explainer = self.explainer;
        let mut explainer = explainer.lock().unwrap_or_else(PoisonError::into_inner);
        let candidates = self.candidates(&mut explainer, &picture, input, item)?;
        self.maps.clear();
        let (mut view, mut best, mut classes) =
            (View::whole(picture.width(), picture.height()), None, vec![]);
        let least = self.localizer.settings.min_score;
        for Candidate { class, id, belief } in candidates {
            let mut believed = belief;
            if belief.is_none_or(|belief| belief >= least) {
                view = explainer.explain_class(&picture, Some(id), &mut self.spare)?;
                if let Some(mut map) = self.spare.pop() {
                    map.score = belief.unwrap_or(map.score);
                    believed = Some(map.score);
                    if map.score >= least {
                        classes.push((map.class_id, class));
                        self.maps.push(map);
                    }
                }
            }
            best = [best, believed].into_iter().flatten().reduce(f32::max);
        }
        drop(explainer);
        if self.maps.is_empty() {
            return Ok(skipped(Reason::Unsure, best, String::new()));
        }
        self.localizer.locate(&self.maps, view, picture.size(), &mut self.found);
        let object = |found: &Detection| {
            let &(_, class) = classes.iter().find(|(id, _)| *id == found.class_id)?;
            let bbox = found.bbox;
            Some(Object { class, bbox: [bbox.x0, bbox.y0, bbox.x1, bbox.y1], score: Some(found.score) })
        };
        let objects: Vec<Object> = self.found.iter().filter_map(object).collect();
        Ok(if objects.is_empty() {
            skipped(Reason::NoBox, best, String::new())
        } else {
            Finding::Found { size: picture.size(), objects }
        })
    }

    /// The classes in question.
    fn candidates(
        &mut self,
        explainer: &mut Explainer,
        picture: &Picture,
        input: &Input,
        item: &Item,
    ) -> Result<Vec<Candidate>, RuntimeError> {
        let possible = item.class.map_or(0..input.classes.len(), |class| class..class + 1);
        let of = |class: usize| Some((class, input.classes.get(class)?.accepted.as_slice()));
        let possible: Vec<(usize, &[usize])> = possible.filter_map(of).collect();
        if let [(class, [id])] = *possible.as_slice() {
            return Ok(vec![Candidate { class, id: *id, belief: None }]);
        }
        explainer.explain_class(picture, None, &mut self.spare)?;
        let probabilities = explainer.class_scores().map(|scores| explainer.probabilities(scores));
        let candidate = |(class, accepted): (usize, &[usize])| match &probabilities {
            Some(probabilities) => candidate(class, accepted, probabilities),
            // The model tells the probability of an explained class alone.
            None => Some(Candidate { class, id: *accepted.first()?, belief: None }),
        };
        Ok(possible.into_iter().filter_map(candidate).collect())
    }
}

/// A class that may be on a picture.
#[derive(Debug, PartialEq)]
struct Candidate {
    /// Its place in [`Input::classes`].
    class: usize,
    /// The most probable of the model's classes that stand for it.
    id: usize,
    /// The probability that it is any of them, where that is known before it is explained.
    belief: Option<f32>,
}

/// A class, where the probabilities of all the model's classes are known.
fn candidate(class: usize, accepted: &[usize], probabilities: &[f32]) -> Option<Candidate> {
    let known = || accepted.iter().filter_map(|&id| Some((id, *probabilities.get(id)?)));
    // Of equal ones the first.
    let (best, _) = known().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    let belief = known().map(|(_, probability)| probability).sum::<f32>().min(1.0);
    Some(Candidate { class, id: best, belief: Some(belief) })
}

fn skipped(reason: Reason, score: Option<f32>, what: String) -> Finding {
    Finding::Skipped(Skip { reason, score, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_believed_by_all_that_stand_for_it_and_shown_by_the_surest() {
        let probabilities = [0.5, 0.2, 0.05, 0.25];
        let found = candidate(7, &[2, 1, 3], &probabilities).unwrap();
        assert_eq!((found.class, found.id), (7, 3));
        assert!((found.belief.unwrap() - 0.5).abs() < 1e-5, "{found:?}");
        // Independent classes may add up to more than one, and of equal ones the first is shown.
        let found = candidate(0, &[0, 1], &[0.9, 0.9]).unwrap();
        assert_eq!((found.id, found.belief), (0, Some(1.0)));
        assert_eq!(candidate(0, &[4], &[0.5]), None);
    }
}
