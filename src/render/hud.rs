//! What the window says about itself, drawn over the picture at the window's resolution.

use imageproc::rect::Rect;

use super::canvas::{rect, shade};
use super::text::{TextRenderer, TextStyle};
use crate::frame::Picture;

const PANEL: [u8; 3] = [0, 0, 0];
/// How much of the picture a panel hides, in 255ths.
const PANEL_ALPHA: u8 = 185;
const TEXT: [u8; 3] = [0xf2, 0xf2, 0xf2];
const ACCENT: [u8; 3] = [0xff, 0xd1, 0x66];
/// Font size of panels as a share of the canvas's height, and its limits in pixels.
const SIZE: f32 = 1.0 / 42.0;
const SIZES: (f32, f32) = (11.0, 56.0);

/// Draws panels of text on a canvas, which is a [`Picture`] at the window's resolution.
///
/// Letters grow with the canvas's height, so that they read alike from 640x360 to 4K.
#[derive(Debug)]
pub(crate) struct Hud<'a> {
    canvas: &'a mut Picture,
    text: &'a mut TextRenderer,
    size: f32,
}

impl<'a> Hud<'a> {
    /// A HUD over `canvas`.
    pub(crate) fn new(canvas: &'a mut Picture, text: &'a mut TextRenderer) -> Hud<'a> {
        let size = (canvas.height() as f32 * SIZE).clamp(SIZES.0, SIZES.1).round();
        Hud { canvas, text, size }
    }

    /// Figures in the lower left corner, where they hide no tag: these stand on the boxes' upper edges. One line
    /// each: a name and a value, for example `("fps", "29.8")`.
    ///
    /// A value that changes is shaped anew, so change it a few times a second rather than every frame.
    pub(crate) fn figures(&mut self, rows: &[(&str, &str)]) {
        let table = Table::measure(self, rows, self.size);
        let margin = self.size as i32 / 2;
        let top = self.canvas.height() as i32 - table.height as i32 - 2 * margin;
        table.draw(self, rows, (margin, top));
    }

    /// A table in the middle of the canvas under a title, for example keys and what they do.
    ///
    /// Letters shrink, down to 8 pixels, until every row fits.
    pub(crate) fn table(&mut self, title: &str, rows: &[(&str, &str)]) {
        let rows_high = (rows.len() + 4) as f32 * 1.4;
        let size = (1.15 * self.size).min(self.canvas.height() as f32 / rows_high).max(8.0).floor();
        let table = Table::measure(self, rows, size);
        let heading = TextStyle::new((1.25 * size).round(), TEXT);
        let (title_width, title_height) = self.text.size_of(title, heading);
        let (width, height) = (table.width.max(title_width), table.height + title_height + size as u32 / 2);
        let (x, y) = self.centred(width, height);
        self.panel(x, y, width, height, size);
        self.text.stamp(self.canvas, (x, y), title, heading);
        table.rows(self, rows, (x, y + title_height as i32 + size as i32 / 2));
    }

    /// A message in the middle of the canvas, wrapped where it is long; `\n` starts a new line.
    pub(crate) fn message(&mut self, message: &str) {
        let style =
            TextStyle::new((1.4 * self.size).round(), TEXT).at_most(self.canvas.width() * 3 / 4).wrapped();
        let (width, height) = self.text.size_of(message, style);
        let (x, y) = self.centred(width, height);
        self.panel(x, y, width, height, 1.6 * self.size);
        self.text.stamp(self.canvas, (x, y), message, style);
    }

    /// A word in the upper right corner, for example "paused"; a sentence is wrapped.
    pub(crate) fn badge(&mut self, word: &str) {
        let style =
            TextStyle::new((1.2 * self.size).round(), ACCENT).at_most(self.canvas.width() * 2 / 3).wrapped();
        let (width, height) = self.text.size_of(word, style);
        let x = self.canvas.width() as i32 - width as i32 - (1.2 * self.size) as i32;
        let y = self.size as i32;
        self.panel(x, y, width, height, self.size);
        self.text.stamp(self.canvas, (x, y), word, style);
    }

    /// What a part of the canvas shows, in the part's lower right corner.
    pub(crate) fn name(&mut self, part: Rect, name: &str) {
        let style = TextStyle::new(self.size, TEXT).at_most(part.width() / 2);
        let (width, height) = self.text.size_of(name, style);
        let edge = (self.size as i32, self.size as i32 / 2);
        let (x, y) = (part.right() - width as i32 - edge.0, part.bottom() - height as i32 - edge.1);
        self.panel(x, y, width, height, self.size);
        self.text.stamp(self.canvas, (x, y), name, style);
    }

    /// The upper left corner of a box in the middle of the canvas.
    fn centred(&self, width: u32, height: u32) -> (i32, i32) {
        let (canvas_width, canvas_height) = self.canvas.size();
        ((canvas_width as i32 - width as i32) / 2, (canvas_height as i32 - height as i32) / 2)
    }

    /// The translucent ground of a text box, somewhat larger than it.
    fn panel(&mut self, x: i32, y: i32, width: u32, height: u32, size: f32) {
        let (side, edge) = ((0.6 * size) as i64, (0.3 * size) as i64);
        let (x, y) = (i64::from(x), i64::from(y));
        let area = rect(x - side, y - edge, x + i64::from(width) + side, y + i64::from(height) + edge);
        if let Some(area) = area {
            shade(self.canvas, area, PANEL, PANEL_ALPHA);
        }
    }
}

/// Two columns of text and their measures in pixels.
struct Table {
    left: TextStyle,
    right: TextStyle,
    /// Where the right column begins.
    tab: u32,
    line: u32,
    width: u32,
    height: u32,
}

impl Table {
    fn measure(hud: &mut Hud<'_>, rows: &[(&str, &str)], size: f32) -> Table {
        let room = hud.canvas.width().saturating_sub((2.5 * size) as u32);
        let left = TextStyle::new(size, ACCENT).at_most(room / 2);
        let first = rows.iter().map(|(text, _)| hud.text.size_of(text, left).0).max().unwrap_or(0);
        let tab = first + size as u32;
        let right = TextStyle::new(size, TEXT).at_most(room.saturating_sub(tab));
        let second = rows.iter().map(|(_, text)| hud.text.size_of(text, right).0).max().unwrap_or(0);
        let line = (1.35 * size).round() as u32;
        Table { left, right, tab, line, width: tab + second, height: line * rows.len() as u32 }
    }

    fn draw(&self, hud: &mut Hud<'_>, rows: &[(&str, &str)], (x, y): (i32, i32)) {
        if rows.is_empty() {
            return;
        }
        let area = Rect::at(x, y).of_size(self.width.max(1), self.height.max(1));
        hud.panel(
            area.left() + self.line as i32 / 2,
            area.top() + self.line as i32 / 4,
            self.width,
            self.height,
            self.left.size,
        );
        self.rows(hud, rows, (x + self.line as i32 / 2, y + self.line as i32 / 4));
    }

    fn rows(&self, hud: &mut Hud<'_>, rows: &[(&str, &str)], (x, mut y): (i32, i32)) {
        for (left, right) in rows {
            hud.text.stamp(hud.canvas, (x, y), left, self.left);
            hud.text.stamp(hud.canvas, (x + self.tab as i32, y), right, self.right);
            y += self.line as i32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: [(&str, &str); 16] = [("Space", "pause, go on"); 16];

    /// The columns and rows that differ from a grey canvas: x0, y0, x1, y1, exclusive.
    fn drawn(width: u32, height: u32, draw: impl FnOnce(&mut Hud<'_>)) -> Option<[u32; 4]> {
        let grey = vec![200; 3 * width as usize * height as usize];
        let mut canvas = Picture::from_rgb(width, height, grey).unwrap();
        draw(&mut Hud::new(&mut canvas, &mut TextRenderer::new()));
        let changed = canvas.rgb().chunks_exact(3).enumerate().filter(|(_, pixel)| *pixel != [200; 3]);
        changed.map(|(at, _)| (at as u32 % width, at as u32 / width)).fold(None, |all, (x, y)| {
            let [x0, y0, x1, y1] = all.unwrap_or([x, y, x, y]);
            Some([x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1)])
        })
    }

    #[test]
    fn everything_fits_from_360_lines_to_4k() {
        for (width, height) in [(640, 360), (1280, 720), (3840, 2160)] {
            let [x0, y0, x1, y1] = drawn(width, height, |hud| hud.figures(&KEYS[..5])).unwrap();
            assert!(x0 > 0 && y0 > 2 * height / 3 && x1 < width / 2 && y1 < height);
            let [x0, y0, x1, y1] = drawn(width, height, |hud| hud.table("Keys", &KEYS)).unwrap();
            assert!(x0 > 0 && y0 > 0 && x1 < width && y1 < height);
            assert!(x0.abs_diff(width - x1) < 4 && y0.abs_diff(height - y1) < height / 10);
            let [x0, _, x1, y1] = drawn(width, height, |hud| hud.badge("paused")).unwrap();
            assert!(x0 > width / 2 && x1 < width && y1 < height / 5);
            let [x0, y0, x1, y1] =
                drawn(width, height, |hud| hud.badge(&"a word of error ".repeat(15))).unwrap();
            assert!(x0 > 0 && y0 > 0 && x1 < width && y1 < height / 3);
            let message = "The camera stopped sending. Waiting for it to come back.".repeat(4);
            let [x0, y0, x1, y1] = drawn(width, height, |hud| hud.message(&message)).unwrap();
            assert!(x0 > 0 && y0 > height / 4 && x1 < width && y1 < 3 * height / 4);
        }
    }

    #[test]
    fn a_part_of_the_canvas_has_its_name_in_its_corner() {
        let part = Rect::at(640, 0).of_size(640, 360);
        for name in ["a.mp4", &"a long name ".repeat(20)] {
            let [x0, y0, x1, y1] = drawn(1280, 720, |hud| hud.name(part, name)).unwrap();
            assert!(x0 > 900 && x1 < 1280 && y0 > 320 && y1 < 360, "{name}: {x0} {y0} {x1} {y1}");
        }
    }

    #[test]
    fn no_figures_no_panel() {
        assert_eq!(drawn(640, 360, |hud| hud.figures(&[])), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_canvas_is_harmless(width in 0u32..150, height in 0u32..150) {
            drawn(width, height, |hud| {
                hud.figures(&KEYS);
                hud.table("Keys", &KEYS);
                hud.message("waiting…");
                hud.message("");
                hud.badge("paused");
                hud.name(Rect::at(0, 0).of_size(width.max(1), height.max(1)), "a.mp4");
            });
        }
    }
}
