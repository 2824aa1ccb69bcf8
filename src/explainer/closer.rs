//! A second look, closer: what a map marks is cut out with some of its surroundings and explained again.
//!
//! One threshold can't serve a dog that fills the picture and a car far away: of a share of the peak, the dog's box wants less
//! and the car's, which one cell of the map overfills, more. Cut out, both fill the picture alike, and the map's cells are
//! as fine as the object is small. `docs/quality.md` has the figures.

use fast_image_resize::images::{TypedCroppedImageMut, TypedImage, TypedImageRef};
use fast_image_resize::pixels::F32;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::localize::{Components, Detection, Localizer, Settings};
use crate::maps::ClassMap;
use crate::view::View;

/// How many times as wide and high as the box of the first map the part is that is looked at again: less cuts off what the box
/// has missed, more is no closer. From 1.5 to 2.0 boxes fit alike.
const MARGIN: f64 = 1.75;

/// Cells of the new map for each of the old one, a side: an object of a quarter of the picture keeps all its detail.
const FINER: usize = 4;

/// No finer than boxes are made.
const MOST: usize = 224;

/// The power that what is seen is raised to, as shares of its peak. What is cut out fills the picture, and its boxes fit best at
/// a threshold of 0.3; with this power that is 0.4, as it is for whole pictures, so one threshold serves both.
const POWER: f32 = 0.75;

/// Says what to look at again, and lays what was seen there into the map; keeps its buffers.
#[derive(Default)]
pub(super) struct Closer {
    localizer: Localizer,
    found: Vec<Detection>,
    resizer: Resizer,
}

/// Cells of a grid over the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    grid: (u32, u32),
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Part {
    /// Where it lies in the source, of which the map covers `view`.
    pub(super) fn within(&self, view: View) -> View {
        let (columns, rows) = (f64::from(self.grid.0), f64::from(self.grid.1));
        let (x, y) = view.to_source(f64::from(self.left) / columns, f64::from(self.top) / rows);
        let (width, height) = (f64::from(self.width) / columns, f64::from(self.height) / rows);
        View { x, y, width: width * view.width, height: height * view.height }
    }
}

impl Closer {
    /// The part of a picture of this size to look at again, by a map of the part of it that is `view`. `None` where the map
    /// marks nothing, or so much that a second look would see no more than the first one.
    pub(super) fn part(&mut self, map: &ClassMap, view: View, size: (u32, u32)) -> Option<Part> {
        self.localizer.settings = Settings {
            components: Components::Largest,
            min_area: 0.005,
            min_score: 0.0,
            ..Settings::default()
        };
        self.localizer.locate(std::slice::from_ref(map), view, size, &mut self.found);
        let bbox = self.found.first()?.bbox;
        let finer = |cells: usize| u32::try_from((cells * FINER).min(MOST).max(cells)).ok();
        let grid = (finer(map.width)?, finer(map.height)?);
        // The picture's own edges end the part, also where the view reaches beyond them.
        let along = |low: u32, high: u32, start: f64, length: f64, source: u32, cells: u32| {
            let (low, high) = (f64::from(low), f64::from(high));
            let (centre, half) = ((low + high) / 2.0, (high - low) / 2.0 * MARGIN);
            let cell = |at: f64| (at.clamp(0.0, f64::from(source)) - start) / length * f64::from(cells);
            let first = (cell(centre - half).round().max(0.0) as u32).min(cells.saturating_sub(1));
            let end = (cell(centre + half).round().max(0.0) as u32).clamp(first + 1, cells);
            (first, end - first)
        };
        let (left, width) = along(bbox.x0, bbox.x1, view.x, view.width, size.0, grid.0);
        let (top, height) = along(bbox.y0, bbox.y1, view.y, view.height, size.1, grid.1);
        let part = Part { grid, left, top, width, height };
        ((width, height) != grid).then_some(part)
    }

    /// Puts the map of a part in place of a map: finer cells over the same view, 0 outside of the part. Class, score and peak
    /// stay those of the first look. A map that marks nothing puts nothing in its place.
    pub(super) fn lay(&mut self, closer: &ClassMap, part: Part, map: &mut ClassMap) {
        let peak = |map: &ClassMap| map.values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f32::max);
        let (before, now) = (peak(map), peak(closer));
        if before <= 0.0 || now <= 0.0 {
            return;
        }
        // What is not finite marks nothing.
        let marked = |value: f32| if value.is_finite() { value.max(0.0) } else { 0.0 };
        let shares: Vec<F32> =
            closer.values.iter().map(|&value| F32::new((marked(value) / now).powf(POWER) * before)).collect();
        let (columns, rows) = part.grid;
        let mut laid = TypedImage::<F32>::new(columns, rows);
        let seen = u32::try_from(closer.width).ok().zip(u32::try_from(closer.height).ok());
        let seen = seen.and_then(|(width, height)| TypedImageRef::new(width, height, &shares).ok());
        let place = TypedCroppedImageMut::from_ref(&mut laid, part.left, part.top, part.width, part.height);
        let (Some(seen), Ok(mut place)) = (seen, place) else { return };
        let linear = ResizeAlg::Convolution(FilterType::Bilinear);
        if self.resizer.resize_typed(&seen, &mut place, &ResizeOptions::new().resize_alg(linear)).is_ok() {
            (map.width, map.height) = (columns as usize, rows as usize);
            map.values.clear();
            map.values.extend(laid.pixels().iter().map(|pixel| pixel.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A map of 28 x 28 cells with one hot block of `side` cells.
    fn hot(left: usize, top: usize, side: usize) -> ClassMap {
        let inside = |cell: usize| {
            (left..left + side).contains(&(cell % 28)) && (top..top + side).contains(&(cell / 28))
        };
        let values = (0..28 * 28).map(|cell| if inside(cell) { 6.0 } else { -1.0 }).collect();
        ClassMap { class_id: 3, score: 0.5, height: 28, width: 28, values, bounds: None }
    }

    #[test]
    fn an_object_is_looked_at_with_some_of_its_surroundings() {
        let frame = (560, 280);
        let part = Closer::default().part(&hot(12, 12, 4), View::whole(560, 280), frame).unwrap();
        // The block is 80 x 40 pixels around (280, 140), its box a little larger.
        let view = part.within(View::whole(560, 280));
        assert!((view.x + view.width / 2.0 - 280.0).abs() < 6.0, "{view:?}");
        assert!((140.0..=160.0).contains(&view.width) && (70.0..=80.0).contains(&view.height), "{view:?}");
    }

    #[test]
    fn what_fills_the_picture_is_not_looked_at_again() {
        let (whole, wide) = (View::whole(280, 280), View { x: 0.0, y: -140.0, width: 560.0, height: 560.0 });
        assert_eq!(Closer::default().part(&hot(4, 4, 20), whole, (280, 280)), None);
        // The same in a letterbox, of which half is no picture.
        assert!(Closer::default().part(&hot(4, 4, 20), wide, (560, 280)).is_some());
    }

    #[test]
    fn what_is_seen_closer_takes_the_place_of_the_map_where_it_was_seen() {
        let (mut closer, view) = (Closer::default(), View::whole(560, 560));
        let mut map = hot(4, 4, 6);
        let part = closer.part(&map, view, (560, 560)).unwrap();
        // Closer, the object has the left half of the part.
        let values = (0..28 * 28).map(|cell| if cell % 28 < 14 { 2.0 } else { 0.1 }).collect();
        let seen = ClassMap { values, score: 0.9, ..map.clone() };
        closer.lay(&seen, part, &mut map);
        assert_eq!((map.height, map.width, map.class_id, map.score), (112, 112, 3, 0.5));
        assert_eq!(map.values.iter().copied().fold(0.0, f32::max), 6.0, "the peak stays");
        let mut found = Vec::new();
        closer.localizer.locate(std::slice::from_ref(&map), view, (560, 560), &mut found);
        let (bbox, part) = (found[0].bbox, part.within(view));
        let near = |edge: u32, at: f64| (f64::from(edge) - at).abs() < 8.0;
        assert!(near(bbox.x0, part.x) && near(bbox.x1, part.x + part.width / 2.0), "{bbox:?} in {part:?}");
        assert!(near(bbox.y0, part.y) && near(bbox.y1, part.y + part.height), "{bbox:?} in {part:?}");
    }

    #[test]
    fn a_look_at_nothing_changes_nothing() {
        let mut closer = Closer::default();
        let view = View::whole(100, 100);
        let cold = ClassMap { values: vec![-1.0; 28 * 28], ..hot(0, 0, 1) };
        assert_eq!(closer.part(&cold, view, (100, 100)), None);
        let mut map = hot(8, 8, 5);
        let part = closer.part(&map, view, (100, 100)).unwrap();
        for value in [-1.0, 0.0, f32::NAN] {
            closer.lay(&ClassMap { values: vec![value; 28 * 28], ..cold.clone() }, part, &mut map);
            assert_eq!(map, hot(8, 8, 5));
        }
    }

    proptest! {
        #[test]
        fn the_part_lies_in_the_picture(
            left in 0_usize..28, top in 0_usize..28, side in 1_usize..28,
            size in (1_u32..2000, 1_u32..2000), (x, y) in (-0.5_f64..0.5, -0.5_f64..0.5),
            scale in 0.3_f64..2.0,
        ) {
            let (width, height) = (f64::from(size.0), f64::from(size.1));
            let view = View { x: x * width, y: y * height, width: scale * width, height: scale * height };
            if let Some(part) = Closer::default().part(&hot(left, top, side), view, size) {
                prop_assert!(part.width > 0 && part.height > 0);
                prop_assert!(part.left + part.width <= part.grid.0 && part.top + part.height <= part.grid.1);
            }
        }
    }
}
