//! What the classifier says when the region that a map marks is gone: measured, by a second pass.

use super::Explainer;
use crate::frame::Picture;
use crate::localize::{Components, Localizer, Segmentation, Segmenter, Settings};
use crate::maps::{Change, ClassMap, WhatIf};
use crate::runtime::RuntimeError;
use crate::view::View;

/// Removes what maps mark, and asks again; keeps its buffers.
#[derive(Default)]
pub(crate) struct Eraser {
    localizer: Localizer,
    segmenter: Segmenter,
    segmentation: Segmentation,
}

impl Eraser {
    /// Asks `explainer` about `picture` without what `map` marks above `threshold` of its peak, which `explainer` has
    /// just made of this picture. What is removed becomes the colour that the model takes for nothing. `None` where the
    /// map marks nothing, or the model has no scores of all classes.
    ///
    /// # Errors
    /// If the model fails.
    pub(crate) fn ask(
        &mut self,
        explainer: &mut Explainer,
        picture: &Picture,
        view: View,
        map: &ClassMap,
        threshold: f32,
    ) -> Result<Option<WhatIf>, RuntimeError> {
        let Some(before) = explainer.class_scores().map(|scores| explainer.probabilities(scores)) else {
            return Ok(None);
        };
        let Some(without) = self.erase(picture, view, map, threshold, explainer.neutral_colour()) else {
            return Ok(None);
        };
        let after = explainer.scores(&without)?;
        let after = explainer.probabilities(&after);
        let share = self.marked() as f32 / self.segmentation.labels.len().max(1) as f32;
        Ok(Some(WhatIf { share, changes: changes(map.class_id, &before, &after) }))
    }

    /// The picture without what a map marks.
    fn erase(
        &mut self,
        picture: &Picture,
        view: View,
        map: &ClassMap,
        threshold: f32,
        colour: [u8; 3],
    ) -> Option<Picture> {
        // Everything above the threshold, however improbable the class and however many the parts.
        self.localizer.settings = Settings {
            threshold,
            components: Components::All,
            min_area: 0.0,
            min_peak: 0.0,
            min_score: 0.0,
            merge_overlap: None,
            ..Settings::default()
        };
        let mut found = Vec::new();
        let maps = std::slice::from_ref(map);
        self.localizer.locate(maps, view, picture.size(), &mut found);
        let settings = &self.localizer.settings;
        self.segmenter.segment(maps, settings, &found, view, picture, &mut self.segmentation);
        if self.marked() == 0 {
            return None;
        }
        let (width, height) = picture.size();
        let mut pixels = picture.rgb().to_vec();
        for (pixel, &label) in pixels.chunks_exact_mut(3).zip(&self.segmentation.labels) {
            if label > 0 {
                pixel.copy_from_slice(&colour);
            }
        }
        Picture::from_rgb(width, height, pixels)
    }

    fn marked(&self) -> usize {
        self.segmentation.labels.iter().filter(|&&label| label > 0).count()
    }
}

/// The class explained, and the one that gained most.
fn changes(explained: usize, before: &[f32], after: &[f32]) -> Vec<Change> {
    let change = |class_id: usize| {
        let at = |scores: &[f32]| scores.get(class_id).copied().unwrap_or_default();
        Change { class_id, before: at(before), after: at(after) }
    };
    let gain = |&class: &usize| after[class] - before[class];
    let classes = (0..before.len().min(after.len())).filter(|&class| class != explained);
    let winner = classes.max_by(|a, b| gain(a).total_cmp(&gain(b)));
    // A gain that isn't shown is none.
    let winner = winner.filter(|class| gain(class) >= 0.005);
    std::iter::once(explained).chain(winner).map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_explained_comes_first_and_the_winner_second() {
        let changes = |explained| changes(explained, &[0.9, 0.08, 0.02], &[0.3, 0.55, 0.15]);
        let of = |changes: Vec<Change>| changes.iter().map(|change| change.class_id).collect::<Vec<_>>();
        assert_eq!(of(changes(0)), [0, 1]);
        // The class that gains most is the one explained itself: the next one follows.
        assert_eq!(of(changes(1)), [1, 2]);
        assert_eq!(changes(0)[1], Change { class_id: 1, before: 0.08, after: 0.55 });
    }

    #[test]
    fn what_a_map_marks_becomes_the_colour_of_nothing() {
        let picture = Picture::from_rgb(70, 70, vec![200; 3 * 4900]).unwrap();
        let values = (0..49).map(|cell| if cell == 24 { 5.0 } else { 0.0 }).collect();
        let map = ClassMap { class_id: 0, score: 0.01, height: 7, width: 7, values, bounds: None };
        let mut eraser = Eraser::default();
        let view = View::whole(70, 70);
        let without = eraser.erase(&picture, view, &map, 0.4, [1, 2, 3]).unwrap();
        let pixel = |x: usize, y: usize| without.rgb()[3 * (y * 70 + x)..][..3].to_vec();
        assert_eq!((pixel(35, 35), pixel(5, 5)), (vec![1, 2, 3], vec![200; 3]));
        assert!((80..400).contains(&eraser.marked()));
        let flat = ClassMap { values: vec![1.0; 49], ..map };
        assert!(eraser.erase(&picture, view, &flat, 0.4, [1, 2, 3]).is_none());
    }
}
