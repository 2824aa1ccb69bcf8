//! One picture: explained, boxed, and held against the truth.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::metrics::faithfulness::{Areas, STEPS, areas, drop, explanation, increases};
use super::metrics::{CurveScanner, Rect, baseline, best_iou, mask_iou, on_grid, pointing};
use super::picture_grid;
use super::record::{Entry, Faithfulness, MaskOverlap, Pixels, Record};
use super::run::Plan;
use crate::dataset::{Fault, FaultKind, Mask, Sample};
use crate::explainer::Explainer;
use crate::frame::Picture;
use crate::localize::{
    Detection, GRID, Localizer, Normalizer, Preset, Runs, Segmentation, Segmenter, Settings,
};
use crate::maps::ClassMap;
use crate::runtime::RuntimeError;
use crate::source::{SourceError, read_photo};
use crate::track::Tracking;
use crate::view::View;

/// Measures one sample after the other; keeps its buffers.
pub(super) struct Measurer<'a> {
    explainer: &'a Mutex<Explainer>,
    plan: Plan,
    localizer: Localizer,
    segmenter: Segmenter,
    pixels: Segmentation,
    normalizer: Normalizer,
    scanner: CurveScanner,
    /// The centre baseline's map.
    centre: Vec<f32>,
    maps: Vec<ClassMap>,
    found: Vec<Detection>,
}

/// What the model says of a picture.
struct Answer {
    view: View,
    predicted: Option<usize>,
    rank: Option<usize>,
    faithfulness: Option<Faithfulness>,
}

impl<'a> Measurer<'a> {
    /// Boxes are made with the plan's settings, but of a class however improbable: the truth says that it is there.
    pub(super) fn new(explainer: &'a Mutex<Explainer>, plan: Plan) -> Measurer<'a> {
        let settings = Settings { min_score: 0.0, merge_overlap: None, ..plan.settings };
        Measurer {
            explainer,
            plan,
            localizer: Localizer::new(settings),
            segmenter: Segmenter::new(plan.edges),
            pixels: Segmentation::default(),
            normalizer: Normalizer::default(),
            scanner: CurveScanner::default(),
            centre: baseline::centre_map(),
            maps: Vec::new(),
            found: Vec::new(),
        }
    }

    /// What is wrong with the picture or its truth is in the entry. A frame that is `followed` at its time has the
    /// smoothed map and the tracked boxes that a viewer sees; only faithfulness is that of its own map.
    ///
    /// # Errors
    /// If the model fails.
    pub(super) fn measure(
        &mut self,
        sample: &Sample,
        followed: Option<(&mut Tracking, Duration)>,
    ) -> Result<Entry, RuntimeError> {
        let mut entry = Entry { name: sample.name.clone(), faults: Vec::new(), record: None, pixels: None };
        let picture = match read_photo(&sample.picture) {
            Ok(picture) => picture,
            Err(error) => {
                let kind = match error {
                    SourceError::Missing { .. } => FaultKind::MissingPicture,
                    _ => FaultKind::UnreadablePicture,
                };
                entry.faults.push(Fault::new(kind, error.to_string()));
                return Ok(entry);
            }
        };
        let size = picture.size();
        let Some(settled) = sample.settle(size, &mut entry.faults) else { return Ok(entry) };
        let answer = self.ask(sample, &picture)?;
        let with_masks = self.plan.masks || settled.mask.is_some();
        self.locate(answer.view, &picture, with_masks, followed);
        let rect = |&[x0, y0, x1, y1]: &[f64; 4]| Rect { x0, y0, x1, y1 };
        let truth: Vec<Rect> = settled.boxes.iter().map(rect).collect();
        let bbox = self.found.first().map(|found| Rect::from(found.bbox));
        let peak = self.peak(answer.view, size);
        entry.record = Some(Record {
            name: sample.name.clone(),
            class: sample.class.clone(),
            sequence: sample.sequence.clone(),
            explained: self.maps.first().map_or(0, |map| map.class_id),
            predicted: answer.predicted,
            rank: answer.rank,
            score: self.maps.first().map_or(0.0, |map| map.score),
            size,
            bbox,
            peak,
            iou: best_iou(bbox.as_ref(), &truth),
            pointing: pointing(peak, &truth),
            curve: self.curve(answer.view, size, &truth),
            mask: settled.mask.as_ref().map(|mask| self.mask_overlap(mask)),
            found: self.plan.masks.then(|| self.found_pixels()).flatten(),
            faithfulness: answer.faithfulness,
            truth,
        });
        entry.pixels = settled.mask.as_ref().map(|mask| self.pixels(answer.view, mask));
        Ok(entry)
    }

    /// Fills `self.maps` with the map of the class that is explained.
    fn ask(&mut self, sample: &Sample, picture: &Picture) -> Result<Answer, RuntimeError> {
        let mut explainer = self.explainer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut view = explainer.explain_class(picture, sample.explained, &mut self.maps)?;
        let scores = explainer.class_scores();
        let standing = scores.and_then(|scores| standing(scores, &sample.accepted));
        let wanted = match (sample.explained, &standing) {
            (Some(class), _) => class,
            (None, Some(standing)) => standing.best,
            (None, None) => sample.accepted.first().copied().unwrap_or_default(),
        };
        if self.maps.first().is_some_and(|map| map.class_id != wanted) {
            view = explainer.explain_class(picture, Some(wanted), &mut self.maps)?;
        }
        self.maps.truncate(1);
        let faithfulness = if self.plan.faithfulness {
            self.faithfulness(&mut explainer, picture, view, wanted)?
        } else {
            None
        };
        let predicted = standing.as_ref().map(|standing| standing.predicted);
        Ok(Answer { view, predicted, rank: standing.map(|standing| standing.rank), faithfulness })
    }

    /// Fills `self.found`, largest first, and if asked `self.pixels`.
    fn locate(
        &mut self,
        view: View,
        picture: &Picture,
        with_masks: bool,
        mut followed: Option<(&mut Tracking, Duration)>,
    ) {
        let (maps, found) = (&mut self.maps, &mut self.found);
        if let Some((tracking, time)) = &mut followed {
            tracking.smooth(picture, maps, *time);
        }
        self.localizer.locate(maps, view, picture.size(), found);
        if with_masks {
            self.segmenter.segment(maps, &self.localizer.settings, found, view, picture, &mut self.pixels);
        }
        if let Some((tracking, time)) = followed {
            tracking.follow(found, picture.size(), time);
        }
    }

    /// The pixels of all that was found, as text.
    fn found_pixels(&self) -> Option<String> {
        let (width, height) = self.pixels.size;
        Some(Runs::of(width, height, &self.pixels.labels, |label| label > 0)?.to_text())
    }

    /// The highest place of the map itself, wherever boxes are.
    fn peak(&mut self, view: View, size: (u32, u32)) -> Option<(f64, f64)> {
        let grid = self.normalizer.normalize(self.maps.first()?, Preset::Max)?;
        picture_grid::peak(&picture_grid::over_picture(grid, view, size), size)
    }

    fn curve(&mut self, view: View, size: (u32, u32), truth: &[Rect]) -> super::metrics::Curve {
        let truth: Vec<_> = truth.iter().map(|bbox| on_grid(bbox, size)).collect();
        match self.maps.first() {
            Some(map) if view == View::whole(size.0, size.1) => self.scanner.raw(map, &truth),
            Some(map) => {
                let grid = self.normalizer.normalize(map, Preset::Wsol).unwrap_or_default();
                self.scanner.normalised(&picture_grid::over_picture(grid, view, size), &truth)
            }
            None => self.scanner.normalised(&[], &truth),
        }
    }

    fn pixels(&mut self, view: View, mask: &Mask) -> Pixels {
        let mut pixels = Pixels::default();
        let truth = picture_grid::of_mask(mask);
        match self.maps.first().and_then(|map| self.normalizer.normalize(map, Preset::Wsol)) {
            Some(grid) => pixels.map.add(&picture_grid::over_picture(grid, view, mask.size), &truth),
            None => pixels.map.add(&[0.0; GRID * GRID], &truth),
        }
        pixels.centre.add(&self.centre, &truth);
        pixels
    }

    fn mask_overlap(&self, mask: &Mask) -> MaskOverlap {
        let truth = picture_grid::of_mask(mask);
        let overlap = |cells: &[f32]| mask_iou(cells, 0.5, &truth);
        let of_box = |bbox: Rect| overlap(&picture_grid::of_box(&bbox, mask.size));
        MaskOverlap {
            found: overlap(&picture_grid::of_pixels(&self.pixels)),
            centre_box: of_box(baseline::centre_box(mask.size)),
            full_image: of_box(baseline::full_image(mask.size)),
        }
    }

    /// `None` where the map says nothing about a place.
    fn faithfulness(
        &mut self,
        explainer: &mut Explainer,
        picture: &Picture,
        view: View,
        class: usize,
    ) -> Result<Option<Faithfulness>, RuntimeError> {
        let Some(full) = self.maps.first().map(|map| map.score) else { return Ok(None) };
        let preset = self.localizer.settings.preset;
        let Some(grid) = self.maps.first().and_then(|map| self.normalizer.normalize(map, preset)) else {
            return Ok(None);
        };
        let heat = picture_grid::heat(grid, view, picture.size());
        let neutral = explainer.neutral_colour();
        let mut score = |picture: &Picture| explainer.score(picture, class);
        let areas = areas(picture, &heat, neutral, STEPS, &mut score)?;
        let kept = explanation(picture, &heat).map(|picture| score(&picture)).transpose()?;
        let Some((Areas { deletion, insertion }, kept)) = areas.zip(kept) else { return Ok(None) };
        let (drop, increases) = (drop(full, kept), increases(full, kept));
        Ok(Some(Faithfulness { insertion, deletion, drop, increases }))
    }
}

/// Where the right classes stand among all.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    /// The most probable class.
    predicted: usize,
    /// The most probable right class.
    best: usize,
    /// How many classes are more probable than that.
    rank: usize,
}

/// `None` where no right class is one of the model's, or scores are no numbers.
fn standing(scores: &[f32], accepted: &[usize]) -> Option<Standing> {
    let first_best = |a: &usize, b: &usize| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a));
    let known = accepted.iter().copied().filter(|&class| class < scores.len());
    let best = known.max_by(first_best)?;
    let predicted = (0..scores.len()).max_by(first_best)?;
    let rank = scores.iter().filter(|&&score| score > scores[best]).count();
    scores.iter().all(|score| !score.is_nan()).then_some(Standing { predicted, best, rank })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_the_right_classes_stands_for_them() {
        let scores = [0.1, 0.5, 0.3, 0.3];
        assert_eq!(standing(&scores, &[0, 2]), Some(Standing { predicted: 1, best: 2, rank: 1 }));
        assert_eq!(standing(&scores, &[3, 2, 7]), Some(Standing { predicted: 1, best: 2, rank: 1 }));
        assert_eq!(standing(&scores, &[9]), None);
        assert_eq!(standing(&[f32::NAN, 1.0], &[1]), None);
    }
}
