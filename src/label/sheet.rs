//! Contact sheets to check the labels by eye, and a single picture with its boxes.

use std::io;
use std::time::Duration;

use image::ImageError;

use super::{Class, Object};
use crate::frame::Picture;
use crate::picture::{shrunk, write_jpeg};
use crate::render::{Mark, Renderer, Scene, Style};
use crate::view::View;

/// Greatest side of a picture on a sheet.
const SIDE: u32 = 256;
/// Between pictures.
const GAP: u32 = 8;
/// Under each picture, for its name.
const CAPTION: u32 = 22;
const FONT: f32 = 13.0;
const COLUMNS: u32 = 5;
const ROWS: u32 = 6;
const INK: [u8; 3] = [0x20; 3];
const PAPER: u8 = 0xf4;
const JPEG_QUALITY: u8 = 85;

/// Draws a picture, which is `scale` times as large as the one that was labelled, and its boxes into `out`.
pub(super) fn draw(
    renderer: &mut Renderer,
    (picture, scale): (&Picture, f64),
    objects: &[Object],
    classes: &[Class],
    out: &mut Picture,
) {
    let tags: Vec<String> = objects.iter().map(|object| tag(object, classes)).collect();
    let marks: Vec<Mark> = objects
        .iter()
        .zip(&tags)
        .map(|(object, text)| {
            let [x0, y0, x1, y1] = object.bbox.map(|edge| (f64::from(edge) * scale).round() as u32);
            Mark { bbox: (x0, y0, x1, y1), peak: (x0, y0), outline: &[], class_slot: object.class, text }
        })
        .collect();
    let style = Style { heatmap: false, ..Style::default() };
    let view = View::whole(picture.width(), picture.height());
    renderer.draw(
        &Scene { source: picture, view, heat: &[], marks: &marks, time: Duration::ZERO },
        &style,
        out,
    );
}

/// The class, and how sure the model is of it.
fn tag(object: &Object, classes: &[Class]) -> String {
    let class = classes.get(object.class).map_or("", |class| class.name.as_str());
    match object.score {
        Some(score) => format!("{class} {:.0} %", 100.0 * score),
        None => format!("{class} (drawn)"),
    }
}

/// A page after the other, filled row by row.
pub(super) struct Sheet {
    page: Picture,
    /// How many pictures are on the page.
    filled: u32,
    /// How many more come, these included.
    left: usize,
    tile: Picture,
}

impl Sheet {
    /// Sheets for this many pictures.
    pub(super) fn new(pictures: usize) -> Sheet {
        Sheet { page: page(pictures), filled: 0, left: pictures, tile: Picture::black(0, 0) }
    }

    /// How many pictures a page holds.
    pub(super) fn pages(pictures: usize) -> usize {
        pictures.div_ceil((COLUMNS * ROWS) as usize)
    }

    /// Adds a picture with its boxes; a page that is full is returned, as a JPEG file.
    pub(super) fn add(
        &mut self,
        renderer: &mut Renderer,
        picture: &Picture,
        objects: &[Object],
        classes: &[Class],
        name: &str,
    ) -> Option<io::Result<Vec<u8>>> {
        let (column, row) = (self.filled % COLUMNS, self.filled / COLUMNS);
        let (left, top) = (GAP + column * (SIDE + GAP), GAP + row * (SIDE + CAPTION + GAP));
        let (small, scale) = shrunk(picture, SIDE);
        draw(renderer, (&small, scale), objects, classes, &mut self.tile);
        let (width, height) = self.tile.size();
        paste(&self.tile, &mut self.page, (left + (SIDE - width) / 2, top + SIDE - height));
        let text = renderer.text();
        let shown = fitting(name, |part| text.measure(part, FONT).0 <= SIDE);
        text.draw(&mut self.page, (left as i32, (top + SIDE + 3) as i32), FONT, INK, &shown);
        self.filled += 1;
        self.left = self.left.saturating_sub(1);
        (self.filled == COLUMNS * ROWS).then(|| self.take())
    }

    /// The last page, unless it is empty.
    pub(super) fn finish(&mut self) -> Option<io::Result<Vec<u8>>> {
        (self.filled > 0).then(|| self.take())
    }

    fn take(&mut self) -> io::Result<Vec<u8>> {
        let full = std::mem::replace(&mut self.page, page(self.left));
        self.filled = 0;
        let mut jpeg = Vec::new();
        write_jpeg(&full, JPEG_QUALITY, &mut jpeg).map(|()| jpeg).map_err(|error| match error {
            ImageError::IoError(error) => error,
            other => io::Error::other(other),
        })
    }
}

/// An empty page, as high as the pictures that are left ask for.
fn page(left: usize) -> Picture {
    let rows = (left.div_ceil(COLUMNS as usize)).clamp(1, ROWS as usize) as u32;
    let (width, height) = (GAP + COLUMNS * (SIDE + GAP), GAP + rows * (SIDE + CAPTION + GAP));
    let mut page = Picture::black(width, height);
    page.rgb_mut().fill(PAPER);
    page
}

fn paste(tile: &Picture, page: &mut Picture, (left, top): (u32, u32)) {
    let (length, stride) = (3 * tile.width() as usize, 3 * page.width() as usize);
    let rows = page.rgb_mut().chunks_exact_mut(stride).skip(top as usize);
    for (row, pixels) in rows.zip(tile.rgb().chunks_exact(length.max(1))) {
        row[3 * left as usize..][..length].copy_from_slice(pixels);
    }
}

/// The end of a name that fits, which tells pictures apart better than its beginning.
fn fitting(name: &str, mut fits: impl FnMut(&str) -> bool) -> String {
    if fits(name) {
        return name.to_owned();
    }
    let mut ends = name.char_indices().skip(1).map(|(i, _)| format!("…{}", &name[i..]));
    ends.find(|end| fits(end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{HeatScale, TextRenderer};

    #[test]
    fn pages_hold_thirty_pictures_and_the_last_is_as_high_as_it_needs() {
        let mut renderer = Renderer::new(HeatScale::still(), TextRenderer::new());
        let classes = [Class { name: "곰".into(), accepted: vec![294] }];
        let objects = [Object { class: 0, bbox: [100, 50, 300, 150], score: Some(0.5) }];
        let red = Picture::from_rgb(400, 200, [200, 0, 0].repeat(400 * 200)).unwrap();
        let mut sheet = Sheet::new(31);
        let mut pages = Vec::new();
        for i in 0..31 {
            let name = format!("{}{i}.jpg", "a very long folder/".repeat(4));
            pages.extend(sheet.add(&mut renderer, &red, &objects, &classes, &name));
        }
        pages.extend(sheet.finish());
        assert_eq!((pages.len(), Sheet::pages(31), Sheet::pages(30)), (2, 2, 1));
        let sizes: Vec<_> = pages
            .into_iter()
            .map(|page| image::load_from_memory(&page.unwrap()).unwrap().to_rgb8())
            .collect();
        assert_eq!(sizes[0].dimensions(), (1328, 1724));
        assert_eq!(sizes[1].dimensions(), (1328, 294));
        // Red in the tile's middle, paper where no tile is, and the box's colour on its edge.
        let near = |at: [u8; 3], wanted: [u8; 3]| at.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 60);
        let at = |x, y| sizes[1].get_pixel(x, y).0;
        assert!(near(at(8 + 128, 8 + 192), [200, 0, 0]) && near(at(700, 100), [PAPER; 3]));
        assert!(!near(at(8 + 65, 8 + 192), [200, 0, 0]), "{:?}", at(8 + 65, 8 + 192));
    }

    #[test]
    fn a_name_that_is_too_long_keeps_its_end() {
        let fits = |part: &str| part.chars().count() <= 6;
        assert_eq!(fitting("short", fits), "short");
        assert_eq!(fitting("folder/곰1.jpg", fits), "…1.jpg");
        assert_eq!(fitting("", fits), "");
    }
}
