//! The comparison as one picture.

use std::time::Duration;

use super::{Cell, Class, Column, SideBySide};
use crate::frame::Picture;
use crate::picture::resized;
use crate::render::{
    HeatScale, Mark, Renderer, Scene, Sheet, SheetColumn, Style, TextRenderer, Tile, fine_map,
};

/// Width of a tile in pixels, and its greatest height.
const TILE: (u32, u32) = (224, 280);

impl SideBySide {
    /// A contact sheet: methods across, classes down, every map in the same colours from 0 to its own peak.
    pub(crate) fn draw(&self, text: &mut TextRenderer) -> Picture {
        let (width, height) = self.photo.size();
        let scale = (f64::from(TILE.0) / f64::from(width)).min(f64::from(TILE.1) / f64::from(height));
        let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
        let mut painter = Painter {
            all: self,
            photo: resized(&self.photo, (side(width), side(height))),
            scale,
            renderer: Renderer::new(HeatScale::still(), TextRenderer::new()),
        };
        let heads = self.classes.iter().map(|class| painter.head(class)).collect();
        let columns = self.columns.iter().map(|column| painter.column(column)).collect();
        let sheet = Sheet {
            title: &self.title(),
            subtitle: &[self.subtitle()],
            tile: painter.photo.size(),
            heads,
            columns,
            colormap: self.colormap,
            legend: &self.legend(),
        };
        sheet.draw(text)
    }

    pub(super) fn title(&self) -> String {
        format!("{}: where {} looks", self.name, self.model)
    }

    /// What the model says.
    pub(super) fn subtitle(&self) -> String {
        let one = |(label, score): &(String, f32)| format!("{label} {}", percent(*score));
        self.predictions.iter().map(one).collect::<Vec<String>>().join(" · ")
    }

    /// What the figures and colours mean.
    pub(super) fn legend(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "heat from 0 to each map's own peak, box at {:.2} of it; maps of pixels in grey; time: one run for all \
             classes",
            self.threshold
        )];
        if self.steps > 0 {
            lines.push(format!(
                "del, ins: area under the class's probability while the hottest pixels go (low is good) or come (high \
                 is good) first, in {} steps",
                self.steps
            ));
        }
        lines
    }
}

/// A reason without its asides and advice, for which a page has room and a tile has not.
fn in_few_words(reason: &str) -> String {
    let end = [" (", "; "].iter().filter_map(|aside| reason.find(aside)).min();
    reason[..end.unwrap_or(reason.len())].to_owned()
}

/// A probability in words.
pub(super) fn percent(score: f32) -> String {
    match 100.0 * score {
        percent @ 10.0.. => format!("{percent:.0} %"),
        percent @ 0.1.. => format!("{percent:.1} %"),
        _ => "< 0.1 %".to_owned(),
    }
}

/// Draws tiles.
struct Painter<'a> {
    all: &'a SideBySide,
    /// The photo as large as a tile.
    photo: Picture,
    /// From the small photo to the tile.
    scale: f64,
    renderer: Renderer,
}

impl Painter<'_> {
    fn head(&self, class: &Class) -> Tile {
        let (width, height) = self.photo.size();
        Tile {
            content: Ok(resized(&self.photo, (width, height))),
            // A long name is cut: the figure comes first.
            caption: format!("{} {}", percent(class.score), class.label),
        }
    }

    fn column(&mut self, column: &Column) -> SheetColumn {
        let classes = &self.all.classes;
        let tile = |class: &Class| match &column.outcome {
            Ok(cells) => match cells.iter().find(|cell| cell.map.class_id == class.id) {
                Some(cell) => self.cell(cell, column.is_fine()),
                None => Tile { content: Err("no map of this class".to_owned()), caption: String::new() },
            },
            Err(reason) => Tile { content: Err(in_few_words(reason)), caption: "not here".to_owned() },
        };
        let tiles = classes.iter().map(tile).collect();
        SheetColumn { title: column.method.clone(), note: column.note.clone(), tiles }
    }

    fn cell(&mut self, cell: &Cell, is_fine: bool) -> Tile {
        let caption = cell.caption();
        let view = cell.view.scaled(self.scale);
        if is_fine {
            return Tile { content: Ok(fine_map(&cell.map, view, self.photo.size())), caption };
        }
        let mark = cell.found.as_ref().map(|found| {
            let edge = |at: u32| (f64::from(at) * self.scale).round() as u32;
            let bbox = found.bbox;
            let bbox = (edge(bbox.x0), edge(bbox.y0), edge(bbox.x1), edge(bbox.y1));
            Mark { bbox, peak: (bbox.0, bbox.1), outline: &[], class_slot: 1, text: "" }
        });
        let style = Style { colormap: self.all.colormap, opacity: self.all.opacity, ..Style::default() };
        let scene = Scene {
            source: &self.photo,
            view,
            heat: &[&cell.map],
            marks: mark.as_slice(),
            time: Duration::ZERO,
        };
        let mut out = Picture::black(0, 0);
        self.renderer.draw(&scene, &style, &mut out);
        Tile { content: Ok(out), caption }
    }
}
