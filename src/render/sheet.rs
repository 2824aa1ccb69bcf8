//! A contact sheet: captioned pictures in rows and columns under a title ([`Sheet`]).

use super::canvas::{fill, rect};
use super::colormap::Colormap;
use super::text::{TextRenderer, TextStyle};
use crate::frame::Picture;

const PAPER: [u8; 3] = [0xff; 3];
const INK: [u8; 3] = [0x1b, 0x21, 0x29];
const SOFT: [u8; 3] = [0x5d, 0x68, 0x75];
const BLANK: [u8; 3] = [0xf0, 0xf2, 0xf5];
/// Font sizes in pixels, all legible without zoom.
const TITLE: f32 = 22.0;
const HEAD: f32 = 16.0;
const CAPTION: f32 = 13.0;
/// Pixels between tiles and around all.
const GAP: u32 = 10;
const MARGIN: u32 = 18;
/// Columns of a sheet, the row heads among them, before it goes on below.
const ACROSS: usize = 8;
/// Width and height in pixels of the bar that shows the colours.
const BAR: (u32, u32) = (160, 12);

/// A contact sheet: what it shows, top to bottom.
#[derive(Debug)]
pub(crate) struct Sheet<'a> {
    /// One line, large.
    pub title: &'a str,
    /// Further lines below it.
    pub subtitle: &'a [String],
    /// Width and height of every tile in pixels.
    pub tile: (u32, u32),
    /// What stands at the left of each row.
    pub heads: Vec<Tile>,
    /// The columns; where there are many, the sheet goes on below with the same row heads.
    pub columns: Vec<SheetColumn>,
    /// The colours of heat, explained in the footer.
    pub colormap: Colormap,
    /// What stands in the footer.
    pub legend: &'a [String],
}

/// A column of a [`Sheet`].
#[derive(Debug)]
pub(crate) struct SheetColumn {
    /// Its heading.
    pub title: String,
    /// A smaller line below that; may be empty.
    pub note: String,
    /// A tile for each row.
    pub tiles: Vec<Tile>,
}

/// A picture with a caption.
#[derive(Debug)]
pub(crate) struct Tile {
    /// The picture of the sheet's tile size, or words in its place.
    pub content: Result<Picture, String>,
    /// A line below it.
    pub caption: String,
}

impl Sheet<'_> {
    /// The sheet as a picture. Text that is too long for its place is cut.
    pub(crate) fn draw(&self, text: &mut TextRenderer) -> Picture {
        let layout = Layout::of(self, text);
        let mut page = Page { picture: Picture::black(layout.width, layout.height), text };
        if let Some(all) = rect(0, 0, layout.width.into(), layout.height.into()) {
            fill(&mut page.picture, all, PAPER);
        }
        let room = layout.width.saturating_sub(2 * MARGIN);
        let mut y = MARGIN;
        page.line((MARGIN, y), room, TITLE, INK, self.title);
        y += line_height(TITLE);
        for line in self.subtitle {
            page.line((MARGIN, y), room, HEAD, SOFT, line);
            y += line_height(HEAD);
        }
        for band in self.columns.chunks(layout.per_band) {
            y += GAP;
            self.band(&mut page, band, y);
            y += layout.band;
        }
        self.footer(&mut page, y + GAP, &layout.legend, room);
        page.picture
    }

    /// Some columns beside the row heads.
    fn band(&self, page: &mut Page<'_>, columns: &[SheetColumn], top: u32) {
        let (width, height) = self.tile;
        let first = top + line_height(HEAD) + line_height(CAPTION);
        let row_height = height + line_height(CAPTION) + GAP;
        for (column, at) in columns.iter().zip(1..) {
            let x = MARGIN + at * (width + GAP);
            page.line((x, top), width, HEAD, INK, &column.title);
            page.line((x, top + line_height(HEAD)), width, CAPTION, SOFT, &column.note);
        }
        let places = std::iter::once(&self.heads).chain(columns.iter().map(|column| &column.tiles));
        for (tiles, across) in places.zip(0..) {
            for (tile, down) in tiles.iter().zip(0..) {
                page.tile((MARGIN + across * (width + GAP), first + down * row_height), self.tile, tile);
            }
        }
    }

    fn footer(&self, page: &mut Page<'_>, top: u32, legend: &[String], room: u32) {
        let (width, height) = BAR;
        for step in 0..width {
            let x = i64::from(MARGIN + step);
            let (y0, y1) = (i64::from(top + 3), i64::from(top + 3 + height));
            if let Some(area) = rect(x, y0, x + 1, y1) {
                fill(&mut page.picture, area, self.colormap.colour(step as f32 / (width - 1) as f32));
            }
        }
        let mut left = MARGIN + width + GAP;
        for (line, down) in legend.iter().zip(0..) {
            page.line((left, top + down * line_height(CAPTION)), room, CAPTION, SOFT, line);
            left = MARGIN;
        }
    }
}

/// Pixels from a line of text to the next.
fn line_height(size: f32) -> u32 {
    (1.4 * size).round() as u32
}

/// Text as lines that are no wider than `room`, the first one no wider than `first`; a longer word has its own line.
fn broken(text: &mut TextRenderer, words: &str, first: u32, room: u32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let width = if lines.len() == 1 { first } else { room };
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if text.measure(&format!("{line} {word}"), CAPTION).0 <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The sizes that follow from a sheet's content.
struct Layout {
    /// The legend, line by line.
    legend: Vec<String>,
    /// Columns side by side, the row heads not among them; at least one.
    per_band: usize,
    /// Height of the columns that stand side by side.
    band: u32,
    width: u32,
    height: u32,
}

impl Layout {
    fn of(sheet: &Sheet<'_>, text: &mut TextRenderer) -> Layout {
        let bands = sheet.columns.len().div_ceil(ACROSS - 1).max(1);
        let per_band = sheet.columns.len().div_ceil(bands).max(1);
        let rows = sheet.heads.len() as u32;
        let row_height = sheet.tile.1 + line_height(CAPTION) + GAP;
        let band = line_height(HEAD) + line_height(CAPTION) + rows * row_height;
        let titles = line_height(TITLE) + sheet.subtitle.len() as u32 * line_height(HEAD);
        let across = per_band.min(sheet.columns.len()) as u32 + 1;
        let width = 2 * MARGIN + across * (sheet.tile.0 + GAP) - GAP;
        let room = width - 2 * MARGIN;
        let beside_bar = room.saturating_sub(BAR.0 + GAP);
        let lines = sheet.legend.iter().zip(0..);
        let legend: Vec<String> = lines
            .flat_map(|(line, at)| broken(text, line, if at == 0 { beside_bar } else { room }, room))
            .collect();
        let footer = legend.len().max(1) as u32 * line_height(CAPTION);
        Layout {
            legend,
            per_band,
            band,
            width,
            height: 2 * MARGIN + titles + bands as u32 * (band + GAP) + GAP + footer,
        }
    }
}

/// The sheet while it is drawn.
struct Page<'a> {
    picture: Picture,
    text: &'a mut TextRenderer,
}

impl Page<'_> {
    /// A line of text, cut where it is wider than `room`.
    fn line(&mut self, (x, y): (u32, u32), room: u32, size: f32, colour: [u8; 3], line: &str) {
        let style = TextStyle::new(size, colour).at_most(room);
        self.text.stamp(&mut self.picture, (x as i32, y as i32), line, style);
    }

    fn tile(&mut self, (x, y): (u32, u32), (width, height): (u32, u32), tile: &Tile) {
        match &tile.content {
            Ok(picture) => paste(&mut self.picture, picture, (x, y)),
            Err(words) => self.words((x, y), (width, height), words),
        }
        self.line((x, y + height + 2), width, CAPTION, SOFT, &tile.caption);
    }

    /// Words in place of a picture, in its middle, as many as there is room for.
    fn words(&mut self, (x, y): (u32, u32), (width, height): (u32, u32), words: &str) {
        let edges = [x, y, x + width, y + height].map(i64::from);
        if let Some(area) = rect(edges[0], edges[1], edges[2], edges[3]) {
            fill(&mut self.picture, area, BLANK);
        }
        let style = TextStyle::new(CAPTION, SOFT).at_most(width.saturating_sub(2 * GAP)).wrapped();
        let mut shown = words.to_owned();
        while self.text.size_of(&shown, style).1 > height.saturating_sub(GAP) {
            let Some((rest, _)) = shown.trim_end_matches(" …").rsplit_once(' ') else { return };
            shown = format!("{rest} …");
        }
        let (w, h) = self.text.size_of(&shown, style);
        let at = (x + width.saturating_sub(w) / 2, y + height.saturating_sub(h) / 2);
        self.text.stamp(&mut self.picture, (at.0 as i32, at.1 as i32), &shown, style);
    }
}

/// Copies a picture into a larger one; what reaches beyond is left out.
fn paste(out: &mut Picture, picture: &Picture, (x, y): (u32, u32)) {
    let (stride, width) = (3 * out.width() as usize, 3 * picture.width() as usize);
    let (left, top) = (3 * x as usize, y as usize);
    let fits = width.min(stride.saturating_sub(left));
    if fits == 0 {
        return;
    }
    let rows = out.rgb_mut().chunks_exact_mut(stride).skip(top);
    for (to, from) in rows.zip(picture.rgb().chunks_exact(width)) {
        to[left..left + fits].copy_from_slice(&from[..fits]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILE: (u32, u32) = (100, 60);

    fn grey(level: u8) -> Tile {
        let pixels = vec![level; 3 * 100 * 60];
        Tile { content: Ok(Picture::from_rgb(100, 60, pixels).unwrap()), caption: "12 ms".to_owned() }
    }

    fn sheet(columns: usize, rows: usize) -> Picture {
        let column = |at: usize| SheetColumn {
            title: format!("method {at}"),
            note: String::new(),
            tiles: (0..rows).map(|row| grey((10 * at + row) as u8)).collect(),
        };
        let sheet = Sheet {
            title: "고양이 and a title that is much longer than the sheet is wide, so that it has to be cut somewhere",
            subtitle: &["second line".to_owned()],
            tile: TILE,
            heads: (0..rows).map(|_| grey(200)).collect(),
            columns: (0..columns).map(column).collect(),
            colormap: Colormap::Turbo,
            legend: &["what the colours mean".to_owned()],
        };
        sheet.draw(&mut TextRenderer::new())
    }

    fn count(picture: &Picture, level: u8) -> usize {
        picture.rgb().chunks_exact(3).filter(|pixel| *pixel == [level; 3]).count()
    }

    #[test]
    fn every_tile_is_there_once_and_row_heads_on_every_band() {
        let few = sheet(3, 2);
        for level in [0, 1, 10, 11, 20, 21] {
            // Some pixels of smoothed letters may have a grey by chance.
            assert!((6000..6100).contains(&count(&few, level)), "{level}: {}", count(&few, level));
        }
        assert!((12000..12100).contains(&count(&few, 200)));
        let many = sheet(9, 1);
        assert!((12000..12100).contains(&count(&many, 200)), "two bands");
        assert!(many.width() < 10 * 110 && many.height() > 2 * 60);
    }

    #[test]
    fn nothing_is_drawn_on_the_margin() {
        let sheet = sheet(2, 1);
        let width = sheet.width() as usize;
        let edge = |i: usize| i % width < 12 || i % width >= width - 12;
        assert!(sheet.rgb().chunks_exact(3).enumerate().all(|(i, pixel)| !edge(i) || pixel == PAPER));
    }

    #[test]
    fn a_cell_without_a_picture_says_why_in_its_bounds() {
        let words = "one-word-that-is-long ".repeat(60);
        let tile = Tile { content: Err(words), caption: String::new() };
        let column = SheetColumn { title: String::new(), note: String::new(), tiles: vec![tile] };
        let sheet = Sheet {
            title: "",
            subtitle: &[],
            tile: TILE,
            heads: vec![grey(0)],
            columns: vec![column],
            colormap: Colormap::Turbo,
            legend: &[],
        };
        let drawn = sheet.draw(&mut TextRenderer::new());
        let blank = drawn.rgb().chunks_exact(3).filter(|pixel| *pixel == BLANK).count();
        assert!(blank > 3000 && blank < 6000, "{blank} blank pixels: words stand in the rest");
    }

    #[test]
    fn a_legend_takes_as_many_lines_as_it_needs() {
        let mut text = TextRenderer::new();
        let words = "some words that take more than one line";
        let lines = broken(&mut text, words, 60, 120);
        assert_eq!(lines.join(" "), words);
        assert!(lines.len() > 2);
        let widths: Vec<u32> = lines.iter().map(|line| text.measure(line, CAPTION).0).collect();
        assert!(widths[0] <= 60 && widths.iter().all(|&width| width <= 120), "{widths:?}");
        assert_eq!(broken(&mut text, words, 1, 1).len(), 8);
    }

    #[test]
    fn no_columns_and_no_rows_are_a_sheet_too() {
        assert!(sheet(0, 0).width() > 0 && sheet(0, 2).height() > sheet(0, 1).height());
    }
}
