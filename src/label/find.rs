//! What each picture shows, and where: one model, several pictures in flight.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crossbeam_channel::{Sender, bounded};

use super::{Finding, Input, Item, LabellingError, Object, Reason, Skip};
use crate::localize::{Detection, Localizer, Settings};
use crate::maps::ClassMap;
use crate::pipeline::Explainer;
use crate::runtime::RuntimeError;
use crate::source::{Stop, read_photo};
use crate::view::View;

/// How to find objects.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
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
pub fn find(
    input: &Input,
    open: &[usize],
    explainer: &Mutex<Explainer>,
    plan: Plan,
    stop: &Stop,
    take: &mut dyn FnMut(usize, Finding) -> Result<(), LabellingError>,
) -> Result<(), LabellingError> {
    let (next, give_up) = (AtomicUsize::new(0), Stop::new());
    let workers = plan.workers.max(1);
    let (send, receive) = bounded(workers);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|_| {
                let finder = Finder::new(explainer, plan.settings);
                let (next, stops, send) = (&next, [stop, &give_up], send.clone());
                scope.spawn(move || work(finder, input, open, next, stops, &send))
            })
            .collect();
        drop(send);
        let taken = receive.iter().try_for_each(|(i, found)| take(i, found?));
        // Threads must not wait for a taker that is gone.
        give_up.stop();
        drop(receive);
        let died = threads.into_iter().map(|thread| thread.join()).any(|joined| joined.is_err());
        taken.and(if died { Err(LabellingError::Died) } else { Ok(()) })
    })
}

type Done = (usize, Result<Finding, RuntimeError>);

fn work(
    mut finder: Finder<'_>,
    input: &Input,
    open: &[usize],
    next: &AtomicUsize,
    stops: [&Stop; 2],
    send: &Sender<Done>,
) {
    while let Some(&i) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
        let stopped = stops.iter().any(|stop| stop.is_stopped());
        if stopped || send.send((i, finder.find(input, &input.pictures[i]))).is_err() {
            return;
        }
    }
}

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
        for (class, id) in candidates {
            view = explainer.explain_class(&picture, Some(id), &mut self.spare)?;
            if self.spare.is_empty() {
                continue;
            }
            let map = self.spare.swap_remove(0);
            best = Some(best.map_or(map.score, |best: f32| best.max(map.score)));
            let believed = map.score >= self.localizer.settings.min_score;
            if !believed && explainer.class_scores().is_some() {
                // The others are less probable still.
                break;
            }
            if !believed {
                continue;
            }
            classes.push((map.class_id, class));
            self.maps.push(map);
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
        Ok(match objects.is_empty() {
            true => skipped(Reason::NoBox, best, String::new()),
            false => Finding::Found { size: picture.size(), objects },
        })
    }

    /// The classes in question, each with the most probable of the model's classes that stand for it, the most
    /// probable first.
    fn candidates(
        &mut self,
        explainer: &mut Explainer,
        picture: &crate::frame::Picture,
        input: &Input,
        item: &Item,
    ) -> Result<Vec<(usize, usize)>, RuntimeError> {
        let possible: Vec<usize> =
            item.class.map_or_else(|| (0..input.classes.len()).collect(), |class| vec![class]);
        if let [class] = possible.as_slice()
            && let [id] = input.classes[*class].accepted.as_slice()
        {
            return Ok(vec![(*class, *id)]);
        }
        explainer.explain_class(picture, None, &mut self.spare)?;
        let score = |id: usize| {
            explainer.class_scores().and_then(|scores| scores.get(id).copied()).unwrap_or(f32::NEG_INFINITY)
        };
        let best = |class: usize| {
            // Of equal ones, as where the model tells no scores, the first.
            let ids = input.classes[class].accepted.iter().copied().rev();
            Some((class, ids.max_by(|&a, &b| score(a).total_cmp(&score(b)))?))
        };
        let mut candidates: Vec<(usize, usize)> = possible.into_iter().filter_map(best).collect();
        candidates.sort_by(|a, b| score(b.1).total_cmp(&score(a.1)));
        Ok(candidates)
    }
}

fn skipped(reason: Reason, score: Option<f32>, what: String) -> Finding {
    Finding::Skipped(Skip { reason, score, what })
}
