//! From the maps of one frame, and what was found in them, to pixels.

use super::super::GRID;
use super::super::boxes::{BoundingBox, Detection};
use super::super::localizer::Settings;
use super::super::normalize::Normalizer;
use super::super::placement::{Placement, Sample};
use super::Segmentation;
use super::field::Field;
use super::guided::Guide;
use crate::frame::Picture;
use crate::maps::ClassMap;
use crate::view::View;

/// Finds the pixels of what the [`Localizer`](super::super::Localizer) found, frame after frame; keeps its buffers.
///
/// A pixel belongs to a detection where it lies in the component that gave the box, and where the class's map, brought
/// to the picture's edges, exceeds the threshold too. So a mask never leaves its box.
#[derive(Debug)]
pub struct Segmenter {
    /// Whether masks follow the picture's edges by a guided filter; otherwise they end where the map falls below the
    /// threshold.
    pub edges: bool,
    normalizer: Normalizer,
    guide: Guide,
    fields: Vec<Field>,
    /// The frame's columns that the model saw.
    columns: Vec<(usize, Sample)>,
    /// A row of pixels between two rows of cells.
    row: Vec<f32>,
    /// The hottest so far of each pixel of a row.
    best: Vec<f32>,
}

impl Default for Segmenter {
    fn default() -> Segmenter {
        Segmenter::new(true)
    }
}

impl Segmenter {
    /// A segmenter that follows the picture's `edges`, or does not.
    pub fn new(edges: bool) -> Segmenter {
        Segmenter {
            edges,
            normalizer: Normalizer::default(),
            guide: Guide::default(),
            fields: Vec::new(),
            columns: Vec::new(),
            row: Vec::new(),
            best: Vec::new(),
        }
    }

    /// Replaces `out` by the pixels of `found`: what the localizer with these `settings` found in these `maps` of this
    /// `view` of the `picture`, before anything moved it. Where two claim a pixel, the one with the higher normalised
    /// heat has it.
    pub fn segment(
        &mut self,
        maps: &[ClassMap],
        settings: &Settings,
        found: &[Detection],
        view: View,
        picture: &Picture,
        out: &mut Segmentation,
    ) {
        out.reset(picture.size(), found);
        let found = &found[..out.regions.len()];
        let place = Placement { view, frame: picture.size() };
        let guided = self.edges && !found.is_empty() && self.guide.look(picture, place).is_some();
        let mut fields = 0;
        for (i, map) in maps.iter().enumerate() {
            let is_first = maps[..i].iter().all(|earlier| earlier.class_id != map.class_id);
            if is_first && found.iter().any(|found| found.class_id == map.class_id) {
                fields += usize::from(self.add_field(fields, map, settings, found, place, guided).is_some());
            }
        }
        self.paint(fields, found, place, out);
    }

    /// Makes the field at a place of the list; `None` where the map says nothing.
    fn add_field(
        &mut self,
        at: usize,
        map: &ClassMap,
        settings: &Settings,
        found: &[Detection],
        place: Placement,
        guided: bool,
    ) -> Option<()> {
        let grid = self.normalizer.normalize(map, settings.preset)?;
        if at == self.fields.len() {
            self.fields.push(Field::default());
        }
        let field = &mut self.fields[at];
        field.begin(grid, settings.threshold * place.peak(grid));
        for (found, label) in found.iter().zip(1..=u8::MAX) {
            if let (true, Some(&corner)) = (found.class_id == map.class_id, found.outline.first()) {
                field.own(place.cell(corner), label, place);
            }
        }
        field.forget_the_rest();
        if guided {
            field.follow(&mut self.guide, place);
            field.drop_specks(settings.min_area * (GRID * GRID) as f32);
        }
        field.grow();
        Some(())
    }

    /// Gives every pixel to the hottest field that exceeds its level there.
    fn paint(&mut self, fields: usize, found: &[Detection], place: Placement, out: &mut Segmentation) {
        let Segmenter { fields: all, columns, row, best, .. } = self;
        let (width, height) = (out.size.0 as usize, out.size.1);
        columns.clear();
        columns.extend((0..out.size.0).filter_map(|x| Some((x as usize, place.column(x)?))));
        for (y, labels) in (0..height).zip(out.labels.chunks_exact_mut(width.max(1))) {
            let Some(at) = place.row(y) else { continue };
            best.clear();
            best.resize(width, 0.0);
            for field in &all[..fields] {
                let [x0, y0, x1, y1] = field.bounds;
                if !(y0..y1).contains(&at.nearest) {
                    continue;
                }
                let cells = |y: usize| &field.heat[y * GRID..][..GRID];
                row.clear();
                row.extend(
                    cells(at.low).iter().zip(cells(at.high)).map(|(&low, &high)| at.between(low, high)),
                );
                let owners = &field.owners[at.nearest * GRID..][..GRID];
                let first = columns.partition_point(|(_, at)| at.nearest < x0);
                for &(x, at) in columns[first..].iter().take_while(|(_, at)| at.nearest < x1) {
                    let (heat, owner) = (at.between(row[at.low], row[at.high]), owners[at.nearest]);
                    if heat > field.level
                        && heat > best[x]
                        && owner > 0
                        && holds(&found[usize::from(owner) - 1].bbox, x, y)
                    {
                        (labels[x], best[x]) = (owner, heat);
                    }
                }
            }
        }
    }
}

fn holds(bbox: &BoundingBox, x: usize, y: u32) -> bool {
    (bbox.x0 as usize..bbox.x1 as usize).contains(&x) && (bbox.y0..bbox.y1).contains(&y)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::localize::{Components, Localizer, Region};

    fn map(
        class_id: usize,
        score: f32,
        (width, height): (usize, usize),
        heat: impl Fn(usize, usize) -> f32,
    ) -> ClassMap {
        let values = (0..width * height).map(|at| heat(at % width, at / width)).collect();
        ClassMap { class_id, score, height, width, values, bounds: None }
    }

    /// The block of a map of 7 x 7 cells.
    fn block(class_id: usize, score: f32, (x, y): (usize, usize), side: usize) -> ClassMap {
        map(class_id, score, (7, 7), |at_x, at_y| {
            let inside = (x..x + side).contains(&at_x) && (y..y + side).contains(&at_y);
            if inside { 1.0 } else { 0.0 }
        })
    }

    fn grey(width: u32, height: u32) -> Picture {
        Picture::from_rgb(width, height, vec![90; (3 * width * height) as usize]).unwrap()
    }

    fn segment(
        edges: bool,
        settings: Settings,
        maps: &[ClassMap],
        view: View,
        picture: &Picture,
    ) -> (Vec<Detection>, Segmentation) {
        let (mut found, mut pixels) = (Vec::new(), Segmentation::default());
        Localizer::new(settings).locate(maps, view, picture.size(), &mut found);
        Segmenter::new(edges).segment(maps, &settings, &found, view, picture, &mut pixels);
        (found, pixels)
    }

    fn all() -> Settings {
        Settings { components: Components::All, merge_overlap: None, threshold: 0.5, ..Settings::default() }
    }

    #[test]
    fn a_mask_fills_its_box_and_stays_in_it() {
        let (found, pixels) =
            segment(false, all(), &[block(4, 0.8, (2, 1), 3)], View::whole(700, 350), &grey(700, 350));
        assert_eq!((pixels.size, pixels.labels.len()), ((700, 350), 700 * 350));
        assert_eq!(pixels.regions, [Region { class_id: 4, score: 0.8, track: None }]);
        let bounds = pixels.bounds(0).unwrap();
        let bbox = found[0].bbox;
        let near = |a: u32, b: u32| a.abs_diff(b) <= 2;
        assert!(bbox.encloses(&bounds), "{bounds:?} {bbox:?}");
        assert!(near(bounds.x0, bbox.x0) && near(bounds.y1, bbox.y1) && near(bounds.x1, 500), "{bounds:?}");
    }

    #[test]
    fn only_components_with_a_box_have_pixels() {
        let two = |x: usize, _| if x == 1 || x == 5 { [1.0, 0.6][x / 5] } else { 0.0 };
        let maps = [map(0, 0.9, (7, 7), two)];
        let (found, pixels) = segment(false, all(), &maps, View::whole(70, 70), &grey(70, 70));
        assert_eq!((found.len(), pixels.regions.len()), (1, 1));
        assert!(pixels.bounds(0).unwrap().x1 < 35);
        let both = Settings { min_peak: 0.0, ..all() };
        let (found, pixels) = segment(true, both, &maps, View::whole(70, 70), &grey(70, 70));
        assert_eq!((found.len(), pixels.regions.len()), (2, 2));
        assert!(pixels.bounds(0).unwrap().x1 < 35 && pixels.bounds(1).unwrap().x0 > 35);
    }

    #[test]
    fn where_two_classes_claim_a_pixel_the_hotter_has_it() {
        let maps =
            [map(1, 0.9, (7, 7), |x, _| 1.0 - x as f32 / 6.0), map(2, 0.4, (7, 7), |x, _| x as f32 / 6.0)];
        let settings = Settings { threshold: 0.2, ..all() };
        let (_, pixels) = segment(false, settings, &maps, View::whole(140, 14), &grey(140, 14));
        assert_eq!((pixels.regions[0].class_id, pixels.regions[1].class_id), (1, 2));
        let row = &pixels.labels[..140];
        assert!(
            row[..69].iter().all(|&label| label == 1) && row[71..].iter().all(|&label| label == 2),
            "{row:?}"
        );
    }

    #[test]
    fn a_mask_ends_at_the_pictures_edge_and_one_that_would_vanish_stays() {
        // The object covers the left half, the map reaches over its edge.
        let colour = |at: u32| if at % 224 < 112 { [210, 60, 60] } else { [40, 120, 50] };
        let pixels = (0..224 * 224).flat_map(colour).collect();
        let picture = Picture::from_rgb(224, 224, pixels).unwrap();
        let maps = [map(0, 0.9, (28, 28), |x, _| if x < 15 { 1.0 } else { 0.1 })];
        let right = |edges| {
            let (_, pixels) = segment(edges, all(), &maps, View::whole(224, 224), &picture);
            pixels.bounds(0).unwrap().x1
        };
        assert!(right(false) > 118, "{}", right(false));
        assert!((111..=113).contains(&right(true)), "{}", right(true));
        let spot = [block(0, 0.9, (3, 3), 1)];
        let bare = segment(false, all(), &spot, View::whole(224, 224), &grey(224, 224));
        assert!(bare.1.bounds(0).is_some());
        assert_eq!(segment(true, all(), &spot, View::whole(224, 224), &grey(224, 224)), bare);
    }

    #[test]
    fn what_says_nothing_gives_background_and_buffers_are_used_again() {
        let (view, picture) = (View::whole(20, 10), grey(20, 10));
        let nothing = [map(0, 0.9, (7, 7), |_, _| 0.3), map(1, 0.9, (7, 7), |_, _| f32::NAN)];
        let mut pixels =
            segment(true, all(), &[block(4, 0.8, (2, 1), 3)], View::whole(90, 90), &grey(90, 90)).1;
        Segmenter::default().segment(&nothing, &all(), &[], view, &picture, &mut pixels);
        assert_eq!(pixels, Segmentation::empty((20, 10)));
        assert_eq!((pixels.labels.len(), pixels.bounds(0), pixels.polygons(0).len()), (200, None, 0));
    }

    #[test]
    fn a_region_takes_the_name_that_following_gives() {
        let (mut found, mut pixels) =
            segment(true, all(), &[block(4, 0.8, (2, 1), 3)], View::whole(90, 90), &grey(90, 90));
        (found[0].class_id, found[0].score, found[0].track) = (5, 0.7, Some(3));
        pixels.rename(&found);
        assert_eq!(pixels.regions, [Region { class_id: 5, score: 0.7, track: Some(3) }]);
    }

    fn maps() -> impl Strategy<Value = Vec<ClassMap>> {
        let value = prop_oneof![8 => -10.0..10.0f32, 1 => Just(f32::NAN)];
        let one = (1usize..9, 1usize..9, 0usize..4).prop_flat_map(move |(width, height, class_id)| {
            let values = prop::collection::vec(value.clone(), width * height);
            values.prop_map(move |values| ClassMap {
                class_id,
                score: 0.9,
                height,
                width,
                values,
                bounds: None,
            })
        });
        prop::collection::vec(one, 0..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn every_pixel_lies_in_the_box_of_its_detection(
            maps in maps(),
            (x, y, width, height) in (-40.0..40.0f64, -40.0..40.0f64, 0.5..200.0f64, 0.5..200.0f64),
            (frame, edges, threshold) in ((1u32..90, 1u32..90), any::<bool>(), 0.0..1.0f32),
        ) {
            let settings = Settings { threshold, min_area: 0.0, ..all() };
            let view = View { x, y, width, height };
            let (found, pixels) = segment(edges, settings, &maps, view, &grey(frame.0, frame.1));
            prop_assert_eq!(pixels.regions.len(), found.len().min(255));
            prop_assert_eq!(pixels.labels.len(), (frame.0 * frame.1) as usize);
            for (at, &label) in pixels.labels.iter().enumerate().filter(|(_, label)| **label > 0) {
                let bbox = found[usize::from(label) - 1].bbox;
                prop_assert!(holds(&bbox, at % frame.0 as usize, at as u32 / frame.0), "{at} {bbox:?}");
            }
        }
    }
}
