//! What an explainer says of one picture, complete: [`Explanation`].

use std::borrow::Cow;
use std::time::Duration;

use crate::frame::Picture;
use crate::localize::Detection;
use crate::maps::ClassMap;
use crate::origin::Origin;
use crate::render::{HeatScale, Mark, Renderer, Scene, Style, TextRenderer};
use crate::view::View;

/// What a classifier says of a picture, and where it looks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The classes explained: the best ones, the most probable first, or those asked for in the order asked.
    pub classes: Vec<Class>,
    /// Where they are, by what their maps mark, the most probable first. A class whose map marks nothing, or that is too
    /// improbable, is nowhere.
    pub detections: Vec<Detection>,
    /// Where the model looks for the first of the classes.
    pub heatmap: Heatmap,
    /// The maps as the method makes them, one for each of the classes.
    pub maps: Vec<ClassMap>,
    /// The model and the method.
    pub made_by: Origin,
}

/// A class that was explained.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Class {
    /// Its index among the model's outputs.
    pub index: usize,
    /// What it is called; `class 7` where it has no name.
    pub name: String,
    /// 0..1.
    pub probability: f32,
}

/// A map, normalised: what the model sees where.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Heatmap {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row, 0..1; all 0 where the map says nothing about a place.
    pub values: Vec<f32>,
    /// The part of the picture that it covers.
    pub view: View,
}

impl Heatmap {
    /// The value at a place in pixels of the picture, 0..1; `None` where the model did not look at all.
    pub fn at(&self, x: f64, y: f64) -> Option<f32> {
        let cell = |at: f64, start: f64, length: f64, cells: usize| {
            let cell = (at - start) / length * cells as f64;
            (cell >= 0.0 && cell < cells as f64).then_some(cell as usize)
        };
        let column = cell(x, self.view.x, self.view.width, self.width)?;
        let row = cell(y, self.view.y, self.view.height, self.height)?;
        self.values.get(row * self.width + column).copied()
    }
}

impl Explanation {
    /// What a class is called; `class 7` where it was not explained.
    pub fn name(&self, class: usize) -> Cow<'_, str> {
        let found = self.classes.iter().find(|known| known.index == class);
        found.map_or_else(|| format!("class {class}").into(), |class| class.name.as_str().into())
    }

    /// The picture that was explained with heat, boxes and names over it. To draw picture after picture in other ways there
    /// is [`Renderer`].
    pub fn draw_over(&self, picture: &Picture) -> Picture {
        let tag = |found: &Detection| self.made_by.tag(&self.name(found.class_id), found.score);
        let tags: Vec<String> = self.detections.iter().map(tag).collect();
        let marks = self.detections.iter().zip(&tags).map(|(found, tag)| mark(found, tag, &self.maps));
        let marks: Vec<Mark<'_>> = marks.collect();
        let heat: Vec<&ClassMap> = self.maps.iter().collect();
        let (view, time) = (self.heatmap.view, Duration::ZERO);
        let scene = Scene { source: picture, view, heat: &heat, marks: &marks, time };
        let mut drawn = Picture::black(picture.width(), picture.height());
        Renderer::new(HeatScale::still(), TextRenderer::new()).draw(&scene, &Style::default(), &mut drawn);
        drawn
    }
}

/// A detection as it is drawn, with `text` beside it; a class keeps its rank's colour.
pub(crate) fn mark<'a>(found: &'a Detection, text: &'a str, maps: &[ClassMap]) -> Mark<'a> {
    let bbox = found.bbox;
    Mark {
        bbox: (bbox.x0, bbox.y0, bbox.x1, bbox.y1),
        peak: found.peak,
        outline: &found.outline,
        class_slot: maps.iter().position(|map| map.class_id == found.class_id).unwrap_or_default(),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heatmap_is_read_in_pixels_of_the_picture() {
        // A centre crop: the model saw the middle half.
        let view = View { x: 50.0, y: 0.0, width: 100.0, height: 100.0 };
        let heatmap = Heatmap { width: 2, height: 2, values: vec![0.1, 0.2, 0.3, 1.0], view };
        assert_eq!((heatmap.at(60.0, 10.0), heatmap.at(149.0, 99.0)), (Some(0.1), Some(1.0)));
        assert_eq!((heatmap.at(49.0, 10.0), heatmap.at(150.0, 10.0)), (None, None));
        assert_eq!(heatmap.at(f64::NAN, 0.0), None);
    }
}
