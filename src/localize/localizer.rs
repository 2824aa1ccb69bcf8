//! From the maps of one frame to its detections.

use std::str::FromStr;

use super::GRID;
use super::borders::{Border, Borders, Cell, corners, encloses};
use super::boxes::{Detection, iou};
use super::normalize::{Normalizer, Preset, maximum};
use super::placement::Placement;
use crate::maps::ClassMap;
use crate::view::View;

/// Which connected components of a class's thresholded map become boxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Components {
    /// The largest alone: one object a class, as the CAM papers do.
    Largest,
    /// Every one, largest first, but none whose box lies inside another's.
    #[default]
    All,
}

impl Components {
    /// How many of the components, largest first, are looked at.
    pub(super) fn limit(self) -> usize {
        match self {
            Components::Largest => 1,
            Components::All => usize::MAX,
        }
    }
}

/// No way to choose components has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no \"{0}\": use all or largest")]
pub struct UnknownComponents(String);

impl FromStr for Components {
    type Err = UnknownComponents;

    fn from_str(name: &str) -> Result<Components, UnknownComponents> {
        match name {
            "all" => Ok(Components::All),
            "largest" => Ok(Components::Largest),
            other => Err(UnknownComponents(other.to_owned())),
        }
    }
}

/// How maps become boxes; all of it may change between two frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How maps are normalised.
    pub preset: Preset,
    /// Share of the map's peak, 0..1, that a cell must exceed.
    pub threshold: f32,
    /// Which components become boxes.
    pub components: Components,
    /// Components that cover less than this share of the view, 0..1, are dropped.
    pub min_area: f32,
    /// Components whose own peak is below this share of the map's, 0..1, are dropped: what is barely warm is what looks
    /// a little like the object, and not a second one.
    pub min_peak: f32,
    /// Classes less probable than this, 0..1, get no box: a map is stretched to full scale however little the
    /// model believes in its class.
    pub min_score: f32,
    /// Of boxes of *different* classes that overlap by more than this IoU, only the most probable class's
    /// stays: "tabby" and "tiger cat" on one cat are one find. `None` keeps them all, which is what a user
    /// who locked classes wants.
    pub merge_overlap: Option<f32>,
}

impl Default for Settings {
    /// Measured with three networks on 650 ImageNet validation photos and three smaller sets (docs/quality.md). Large
    /// objects want a lower threshold than small ones: 0.4 loses least over all sets, for refined maps and for raw
    /// ones. At its best threshold `max` is as good as any preset, and among the cheapest.
    fn default() -> Settings {
        Settings {
            preset: Preset::default(),
            threshold: 0.4,
            components: Components::default(),
            min_area: 0.01,
            min_peak: 0.7,
            min_score: 0.1,
            merge_overlap: Some(0.7),
        }
    }
}

/// Finds boxes in the maps of frame after frame; keeps its buffers.
#[derive(Debug, Default)]
pub struct Localizer {
    /// May be changed between frames.
    pub settings: Settings,
    normalizer: Normalizer,
    borders: Borders,
    /// Outlines of earlier frames, for their buffers.
    spare: Vec<Vec<(f32, f32)>>,
}

impl Localizer {
    /// A localizer with these settings.
    pub fn new(settings: Settings) -> Localizer {
        Localizer { settings, ..Localizer::default() }
    }

    /// Replaces `out` by the detections of one frame, the most probable class first.
    ///
    /// `view` is the rectangle of the frame that the maps cover and `frame` the frame's `(width, height)`.
    /// What a letterbox adds around the frame is not searched. A map that says nothing about a place
    /// (constant, NaN) and the second map of a class give no detection.
    pub fn locate(&mut self, maps: &[ClassMap], view: View, frame: (u32, u32), out: &mut Vec<Detection>) {
        self.spare.extend(out.drain(..).map(|detection| detection.outline));
        let place = Placement { view, frame };
        for (i, map) in maps.iter().enumerate() {
            let repeated = maps[..i].iter().any(|earlier| earlier.class_id == map.class_id);
            let believed = map.score >= self.settings.min_score;
            match map.bounds {
                Some(bounds) if believed => out.extend(self.detected(map, bounds, place)),
                None if believed && !repeated => self.locate_class(map, place, out),
                _ => {}
            }
        }
        out.sort_by(|a, b| b.score.total_cmp(&a.score));
        if let Some(limit) = self.settings.merge_overlap {
            self.merge(out, limit);
        }
    }

    /// A detector's own detection, of which the map only says why.
    fn detected(&mut self, map: &ClassMap, bounds: [f32; 4], place: Placement) -> Option<Detection> {
        let bbox = place.shares(bounds)?;
        let grid = self.normalizer.normalize(map, self.settings.preset);
        let centre = ((bbox.x0 + bbox.x1) / 2, (bbox.y0 + bbox.y1) / 2);
        let peak = grid.map_or(centre, |grid| place.highest(grid, &bbox));
        let mut outline = self.spare.pop().unwrap_or_default();
        outline.clear();
        let [x0, y0, x1, y1] = [bbox.x0, bbox.y0, bbox.x1, bbox.y1].map(|edge| edge as f32);
        outline.extend([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]);
        Some(Detection {
            class_id: map.class_id,
            score: map.score,
            bbox,
            peak,
            outline,
            area: (x1 - x0) * (y1 - y0),
            track: None,
        })
    }

    fn locate_class(&mut self, map: &ClassMap, place: Placement, out: &mut Vec<Detection>) {
        let Some(grid) = self.normalizer.normalize(map, self.settings.preset) else { return };
        let (columns, rows) = place.window();
        let peak = place.peak(grid);
        let level = self.settings.threshold * peak;
        self.borders.find((GRID, GRID), |y, row| {
            if rows.contains(&y) {
                let values = &grid[y * GRID..][columns.clone()];
                for (cell, &value) in row[columns.clone()].iter_mut().zip(values) {
                    *cell = u8::from(value > level);
                }
            }
        });
        let first = out.len();
        let least = f64::from(self.settings.min_area) * (GRID * GRID) as f64;
        let components = self.borders.list().iter().filter(|border| !border.is_hole);
        let most = first.saturating_add(self.settings.components.limit());
        for border in components {
            if out.len() >= most {
                break;
            }
            let Some(bbox) = place.bbox(border.bounds) else { continue };
            if border.enclosed_cells() < least
                || out[first..].iter().any(|larger| larger.bbox.encloses(&bbox))
            {
                continue;
            }
            let points = self.borders.points(border);
            let (x, y) = highest(border, points, grid);
            if grid[y as usize * GRID + x as usize] < self.settings.min_peak * peak {
                continue;
            }
            let mut outline = self.spare.pop().unwrap_or_default();
            outline.clear();
            outline.extend(corners(points).map(|cell| place.point(cell)));
            out.push(Detection {
                class_id: map.class_id,
                score: map.score,
                bbox,
                peak: place.pixel((x, y), &bbox),
                outline,
                area: (border.enclosed_cells() * place.cell_area()) as f32,
                track: None,
            });
        }
    }

    /// Drops each detection that a more probable one of another class covers; `out` is sorted by probability.
    fn merge(&mut self, out: &mut Vec<Detection>, limit: f32) {
        let mut i = 0;
        while i < out.len() {
            let covers = |better: &Detection| {
                better.class_id != out[i].class_id && iou(&better.bbox, &out[i].bbox) > limit
            };
            if out[..i].iter().any(covers) {
                self.spare.push(out.remove(i).outline);
            } else {
                i += 1;
            }
        }
    }
}

/// The cell on or within a border where the grid is highest.
fn highest(border: &Border, points: &[Cell], grid: &[f32]) -> Cell {
    let [x0, y0, x1, y1] = border.bounds;
    let row = |y: i32| &grid[y as usize * GRID..][x0 as usize..=x1 as usize];
    let search = |counts: &dyn Fn(Cell) -> bool| {
        let mut best = (f32::NEG_INFINITY, points[0]);
        for y in y0..=y1 {
            if maximum(row(y)) <= best.0 {
                continue;
            }
            for (x, &value) in (x0..).zip(row(y)) {
                if value > best.0 && counts((x, y)) {
                    best = (value, (x, y));
                }
            }
        }
        best.1
    };
    let cell = search(&|_| true);
    // Seldom another component reaches into the box: only then every cell is looked at closely.
    if encloses(points, cell) { cell } else { search(&|cell| encloses(points, cell)) }
}

#[cfg(test)]
mod tests {
    use super::super::boxes::BoundingBox;
    use super::*;
    use proptest::prelude::*;

    /// A class map `[h, w]`.
    fn map(class_id: usize, score: f32, rows: &[&[f32]]) -> ClassMap {
        ClassMap {
            class_id,
            score,
            height: rows.len(),
            width: rows[0].len(),
            values: rows.concat(),
            bounds: None,
        }
    }

    fn locate(settings: Settings, maps: &[ClassMap], view: View, frame: (u32, u32)) -> Vec<Detection> {
        let mut out = Vec::new();
        Localizer::new(settings).locate(maps, view, frame, &mut out);
        out
    }

    /// A quarter of the peak, so that edges can be reckoned by hand.
    fn quarter() -> Settings {
        Settings { threshold: 0.25, ..Settings::default() }
    }

    /// One hot cell of 7x7, in column 3 and row 2.
    fn spot(class_id: usize, score: f32) -> ClassMap {
        let mut values = vec![0.0; 49];
        values[2 * 7 + 3] = 5.0;
        ClassMap { class_id, score, height: 7, width: 7, values, bounds: None }
    }

    /// A larger spot to the left, a smaller one to the right.
    fn two_spots() -> ClassMap {
        map(
            0,
            0.9,
            &[
                &[0.0; 7],
                &[0.0, 9.0, 0.0, 0.0, 0.0, 8.0, 0.0],
                &[0.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0],
                &[0.0; 7],
            ],
        )
    }

    #[test]
    fn a_spot_is_found_where_it_lies_in_the_frame() {
        let found = locate(quarter(), &[spot(4, 0.8)], View::whole(700, 350), (700, 350));
        let [detection] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((detection.class_id, detection.score), (4, 0.8));
        // Halfway to the neighbours and a bit: a quarter of the peak is passed at three quarters of a cell
        // from the centre.
        assert_eq!(detection.bbox, BoundingBox { x0: 275, y0: 88, x1: 425, y1: 163 });
        assert!((348..=352).contains(&detection.peak.0) && (124..=126).contains(&detection.peak.1));
        let (xs, ys): (Vec<f32>, Vec<f32>) = detection.outline.iter().copied().unzip();
        assert!(
            xs.iter().all(|x| (275.0..=425.0).contains(x)) && ys.iter().all(|y| (88.0..=163.0).contains(y))
        );
        assert!(detection.area > 0.5 * 150.0 * 75.0 && detection.area < 150.0 * 75.0);
    }

    #[test]
    fn a_centre_crop_shifts_the_box_and_a_letterbox_is_cut_at_the_frame() {
        let crop = View { x: 175.0, y: 0.0, width: 350.0, height: 350.0 };
        let found = locate(quarter(), &[spot(0, 0.8)], crop, (700, 350));
        assert_eq!(found[0].bbox, BoundingBox { x0: 313, y0: 88, x1: 388, y1: 163 });
        // The frame covers rows 75..150 of the view's 0..225, the spot rows 56..105.
        let letterbox = View { x: 0.0, y: -75.0, width: 225.0, height: 225.0 };
        let found = locate(quarter(), &[spot(0, 0.8)], letterbox, (225, 75));
        assert_eq!(found[0].bbox.y0, 0);
        assert!((4..=5).contains(&found[0].peak.1));
        // The spot lies wholly beside the frame.
        let beside = View { x: 0.0, y: -200.0, width: 225.0, height: 225.0 };
        assert_eq!(locate(Settings::default(), &[spot(0, 0.8)], beside, (225, 25)), []);
    }

    #[test]
    fn the_threshold_may_change_between_frames() {
        let mut localizer = Localizer::new(Settings { threshold: 0.2, min_area: 0.0, ..Settings::default() });
        let mut out = Vec::new();
        let mut area = |localizer: &mut Localizer| {
            localizer.locate(&[spot(0, 0.8)], View::whole(224, 224), (224, 224), &mut out);
            out[0].bbox.area()
        };
        let wide = area(&mut localizer);
        localizer.settings.threshold = 0.8;
        assert!(area(&mut localizer) < wide);
        localizer.settings.threshold = 0.2;
        assert_eq!(area(&mut localizer), wide);
    }

    #[test]
    fn components_are_the_largest_or_all_of_enough_area() {
        let whole = View::whole(700, 400);
        let one = Settings { components: Components::Largest, ..Settings::default() };
        let largest = locate(one, &[two_spots()], whole, (700, 400));
        assert_eq!(largest.len(), 1);
        assert!(largest[0].bbox.x1 <= 350);
        let all = Settings { components: Components::All, ..Settings::default() };
        let found = locate(all, &[two_spots()], whole, (700, 400));
        assert_eq!(found.len(), 2);
        assert!(found[1].bbox.x0 >= 350 && found[1].peak.0 > 350 && found[0].area > found[1].area);
        assert_eq!(locate(Settings { min_area: 0.05, ..all }, &[two_spots()], whole, (700, 400)).len(), 1);
        assert_eq!(locate(Settings { min_peak: 0.95, ..all }, &[two_spots()], whole, (700, 400)), found[..1]);
    }

    #[test]
    fn a_component_inside_anothers_box_is_not_found_again() {
        let ring: [&[f32]; 5] = [
            &[9.0; 5],
            &[9.0, 0.0, 0.0, 0.0, 9.0],
            &[9.0, 0.0, 5.0, 0.0, 9.0],
            &[9.0, 0.0, 0.0, 0.0, 9.0],
            &[9.0; 5],
        ];
        let all = Settings { components: Components::All, threshold: 0.4, ..Settings::default() };
        assert_eq!(locate(all, &[map(0, 0.9, &ring)], View::whole(100, 100), (100, 100)).len(), 1);
    }

    #[test]
    fn one_object_under_two_classes_is_found_once_unless_both_are_wanted() {
        let (maps, view) = ([spot(281, 0.3), spot(282, 0.6)], View::whole(100, 100));
        let classes = |settings| -> Vec<usize> {
            locate(settings, &maps, view, (100, 100)).iter().map(|found| found.class_id).collect()
        };
        assert_eq!(classes(Settings::default()), [282]);
        assert_eq!(classes(Settings { merge_overlap: None, ..Settings::default() }), [282, 281]);
    }

    #[test]
    fn a_class_that_is_not_believed_in_or_that_comes_twice_gives_no_box() {
        let keep_all = Settings { merge_overlap: None, ..Settings::default() };
        for maps in [
            vec![spot(1, 0.9), spot(2, 0.01)],
            vec![spot(1, 0.9), spot(2, f32::NAN)],
            vec![spot(1, 0.9), spot(1, 0.9)],
        ] {
            assert_eq!(locate(keep_all, &maps, View::whole(9, 9), (9, 9)).len(), 1);
        }
    }

    fn figure() -> impl Strategy<Value = f32> {
        prop_oneof![8 => -10.0..10.0f32, 1 => prop::num::f32::ANY]
    }

    /// Smooth, wild, and now and then broken maps of 1x1 to 40x40.
    fn maps() -> impl Strategy<Value = ClassMap> {
        (1usize..=40, 1usize..=40, prop::bool::weighted(0.7)).prop_flat_map(|(width, height, tame)| {
            let figure = if tame { (-10.0..10.0f32).boxed() } else { figure().boxed() };
            prop::collection::vec(figure, width * height).prop_map(move |values| ClassMap {
                class_id: 0,
                score: 1.0,
                height,
                width,
                values,
                bounds: None,
            })
        })
    }

    fn views() -> impl Strategy<Value = View> {
        let edge = prop_oneof![8 => -100.0..100.0f64, 1 => prop::num::f64::ANY];
        let side = prop_oneof![8 => 0.1..400.0f64, 1 => prop::num::f64::ANY];
        (edge.clone(), edge, side.clone(), side).prop_map(|(x, y, width, height)| View {
            x,
            y,
            width,
            height,
        })
    }

    proptest! {
        #[test]
        fn whatever_comes_the_boxes_lie_in_the_frame(
            map in maps(),
            view in views(),
            frame in (0u32..300, 0u32..300),
            preset in prop::sample::select(Preset::ALL.to_vec()),
            threshold in prop_oneof![4 => 0.0..1.0f32, 1 => prop::num::f32::ANY],
            components in prop::sample::select(vec![Components::Largest, Components::All]),
        ) {
            let settings = Settings { preset, threshold, components, min_area: 0.0, ..Settings::default() };
            for found in locate(settings, &[map], view, frame) {
                let BoundingBox { x0, y0, x1, y1 } = found.bbox;
                prop_assert!(x0 < x1 && x1 <= frame.0 && y0 < y1 && y1 <= frame.1, "{:?}", found.bbox);
                prop_assert!((x0..x1).contains(&found.peak.0) && (y0..y1).contains(&found.peak.1));
                for (x, y) in found.outline {
                    prop_assert!((0.0..=frame.0 as f32).contains(&x) && (0.0..=frame.1 as f32).contains(&y));
                }
            }
        }

        #[test]
        fn a_normalised_map_lies_between_0_and_1(
            map in maps(),
            preset in prop::sample::select(Preset::ALL.to_vec()),
        ) {
            if let Some(grid) = Normalizer::new(30, 20).normalize(&map, preset) {
                prop_assert_eq!(grid.len(), 600);
                prop_assert!(grid.iter().all(|v| (0.0..=1.0).contains(v)));
            }
        }
    }
}
