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
