//! Text in any script on a [`Picture`]: [`TextRenderer`].

use std::fmt;
use std::path::Path;

use super::RenderError;
use super::canvas::{self, over, premultiplied, rect};
use super::fonts::Fonts;
use crate::frame::Picture;
use cosmic_text::{
    Align, Attrs, Buffer, Ellipsize, EllipsizeHeightLimit, Family, Metrics, Shaping, SwashCache,
    SwashContent, SwashImage, Wrap,
};

/// Drawn texts that are kept to be stamped again.
const STAMPS: usize = 128;
/// Drawn glyphs that are kept; a window that is resized slowly would pile them up at every size.
const GLYPHS: usize = 4096;
/// Characters of a text that are drawn; more never fits a picture.
const LONGEST: usize = 400;
/// Line height, ascent and descent in font sizes, those of DejaVu Sans.
const LINE_HEIGHT: f32 = 1.25;
const ASCENT: f32 = 0.93;
const DESCENT: f32 = 0.24;

/// Draws text: any script, right to left as well, with the built-in font DejaVu Sans, fonts that the caller
/// [adds](TextRenderer::add_font_file), and the system's fonts as far as they are needed.
///
/// A character that no font has is never drawn as an empty box: a run of such characters becomes their code
/// points, "고양이" for example `U+ACE0·C591·C774`. `TextRenderer::missing` tells beforehand, so that a program
/// can fetch a font.
///
/// The last 128 texts are kept after drawing, so that a label that stays, or comes back, is not shaped again.
pub struct TextRenderer {
    fonts: Fonts,
    glyphs: SwashCache,
    buffer: Buffer,
    stamps: Vec<Stamp>,
    /// Counts draws, to find the stamp that was used longest ago.
    clock: u64,
}

/// How a text that is wider than allowed becomes narrower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fit {
    /// One line, its end cut off with "…".
    Cut,
    /// As many centred lines as it takes.
    Wrap,
}

/// What is drawn: the text and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TextStyle {
    /// Font size in pixels.
    pub(super) size: f32,
    pub(super) colour: [u8; 3],
    /// Pixels.
    pub(super) max_width: u32,
    pub(super) fit: Fit,
}

impl TextStyle {
    pub(super) fn new(size: f32, colour: [u8; 3]) -> TextStyle {
        // Widths and sizes are limited so that no text, however long, asks for an absurd amount of memory.
        let size = if size.is_finite() { size.clamp(4.0, 200.0) } else { 4.0 };
        TextStyle { size, colour, max_width: 16384, fit: Fit::Cut }
    }

    pub(super) fn at_most(self, max_width: u32) -> TextStyle {
        TextStyle { max_width: max_width.min(self.max_width), ..self }
    }

    pub(super) fn wrapped(self) -> TextStyle {
        TextStyle { fit: Fit::Wrap, ..self }
    }
}

/// A drawn text: premultiplied RGBA pixels.
struct Stamp {
    text: String,
    style: TextStyle,
    used: u64,
    width: u32,
    height: u32,
    pixels: Vec<[u8; 4]>,
}

impl fmt::Debug for TextRenderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextRenderer").field("stamps", &self.stamps.len()).finish_non_exhaustive()
    }
}

impl Default for TextRenderer {
    fn default() -> TextRenderer {
        TextRenderer::new()
    }
}

impl TextRenderer {
    /// A renderer with the built-in font; it reads no file.
    pub fn new() -> TextRenderer {
        TextRenderer {
            fonts: Fonts::new(),
            glyphs: SwashCache::new(),
            buffer: Buffer::new_empty(Metrics::new(16.0, 20.0)),
            stamps: Vec::new(),
            clock: 0,
        }
    }

    /// Adds a font file (TrueType, OpenType or a collection) for the characters that the built-in font lacks.
    ///
    /// # Errors
    /// If the file cannot be read or holds no font.
    pub fn add_font_file(&mut self, path: &Path) -> Result<(), RenderError> {
        self.stamps.clear();
        self.fonts.add_file(path)
    }

    /// The characters of `text`, each once, that no font has: not the built-in one, none added, none installed.
    ///
    /// The first character that needs the system's fonts makes them be read, which takes a moment.
    pub(crate) fn missing(&mut self, text: &str) -> Vec<char> {
        self.fonts.missing(text)
    }

    /// Width and height in pixels of a line of text at a font size in pixels.
    pub(crate) fn measure(&mut self, text: &str, size: f32) -> (u32, u32) {
        self.size_of(text, TextStyle::new(size, [255; 3]))
    }

    /// Draws a line of text; (x, y) is the upper left corner of the box that [`TextRenderer::measure`] gives.
    pub(crate) fn draw(
        &mut self,
        picture: &mut Picture,
        (x, y): (i32, i32),
        size: f32,
        colour: [u8; 3],
        text: &str,
    ) {
        self.stamp(picture, (x, y), text, TextStyle::new(size, colour));
    }

    pub(super) fn size_of(&mut self, text: &str, style: TextStyle) -> (u32, u32) {
        let stamp = self.find(text, style);
        (stamp.width, stamp.height)
    }

    pub(super) fn stamp(&mut self, picture: &mut Picture, (x, y): (i32, i32), text: &str, style: TextStyle) {
        let stamp = self.find(text, style);
        let (x, y) = (i64::from(x), i64::from(y));
        if let Some(area) = rect(x, y, x + i64::from(stamp.width), y + i64::from(stamp.height)) {
            canvas::stamp(picture, area, &stamp.pixels);
        }
    }

    /// The stamp of a text, drawn now if it is not at hand.
    fn find(&mut self, text: &str, style: TextStyle) -> &Stamp {
        self.clock += 1;
        let at = self.stamps.iter().position(|stamp| stamp.style == style && stamp.text == text);
        let at = at.unwrap_or_else(|| {
            let stamp = self.make(text, style);
            if self.stamps.len() < STAMPS {
                self.stamps.push(stamp);
                return self.stamps.len() - 1;
            }
            let oldest = self.stamps.iter().enumerate().min_by_key(|(_, stamp)| stamp.used);
            let at = oldest.map_or(0, |(at, _)| at);
            self.stamps[at] = stamp;
            at
        });
        self.stamps[at].used = self.clock;
        &self.stamps[at]
    }

    fn make(&mut self, text: &str, style: TextStyle) -> Stamp {
        self.lay_out(text, style);
        if self.glyphs.image_cache.len() > GLYPHS {
            self.glyphs.image_cache.clear();
        }
        let bounds = self.bounds(style);
        let mut stamp = Stamp {
            text: text.to_owned(),
            style,
            used: self.clock,
            width: (bounds.x1 - bounds.x0).max(0) as u32,
            height: (bounds.y1 - bounds.y0).max(0) as u32,
            pixels: Vec::new(),
        };
        stamp.pixels.resize(stamp.width as usize * stamp.height as usize, [0; 4]);
        self.each_glyph(|x, y, image| {
            let (x, y) = (x - bounds.x0, y - bounds.y0);
            for (i, ink) in inks(image, style.colour).enumerate() {
                let (dx, dy) = (i as u32 % image.placement.width, i as u32 / image.placement.width);
                let at = (y as usize + dy as usize) * stamp.width as usize + x as usize + dx as usize;
                if let Some(pixel) = stamp.pixels.get_mut(at) {
                    over(pixel, ink);
                }
            }
        });
        stamp
    }

    /// Shapes the text into `buffer`.
    fn lay_out(&mut self, text: &str, style: TextStyle) {
        let text = self.fonts.drawable(shortened(text), style.fit == Fit::Wrap);
        let (wrap, ellipsize, align) = match style.fit {
            Fit::Cut => (Wrap::None, Ellipsize::End(EllipsizeHeightLimit::Lines(1)), Align::Left),
            Fit::Wrap => (Wrap::WordOrGlyph, Ellipsize::None, Align::Center),
        };
        let metrics = Metrics::new(style.size, (style.size * LINE_HEIGHT).round());
        self.buffer.set_metrics_and_size(metrics, Some(style.max_width as f32), None);
        self.buffer.set_wrap(wrap);
        self.buffer.set_ellipsize(ellipsize);
        let attrs = Attrs::new().family(Family::SansSerif);
        self.buffer.set_text(&text, &attrs, Shaping::Advanced, Some(align));
        self.buffer.shape_until_scroll(&mut self.fonts.system, false);
    }

    /// The pixels that the text laid out needs: its lines and all its ink.
    fn bounds(&mut self, style: TextStyle) -> Bounds {
        let mut bounds: Option<Bounds> = None;
        for run in self.buffer.layout_runs() {
            let left = run.glyphs.iter().map(|glyph| glyph.x).fold(f32::INFINITY, f32::min);
            let left = if left.is_finite() { left } else { 0.0 };
            let baseline = run.line_y.round() as i32;
            let line = Bounds {
                x0: left.floor() as i32,
                y0: baseline - (ASCENT * style.size).round() as i32,
                x1: (left + run.line_w).ceil() as i32,
                y1: baseline + (DESCENT * style.size).round() as i32,
            };
            bounds = Some(bounds.map_or(line, |all| all.with(line)));
        }
        let mut bounds = bounds.unwrap_or_default();
        self.each_glyph(|x, y, image| {
            let (x1, y1) = (x + image.placement.width as i32, y + image.placement.height as i32);
            bounds = bounds.with(Bounds { x0: x, y0: y, x1, y1 });
        });
        bounds
    }

    /// Calls `paint` with the upper left corner and the image of every glyph that has ink.
    fn each_glyph(&mut self, mut paint: impl FnMut(i32, i32, &SwashImage)) {
        for run in self.buffer.layout_runs() {
            // Glyph 0 is the empty box that no reader wants to see.
            for glyph in run.glyphs.iter().filter(|glyph| glyph.glyph_id != 0) {
                let glyph = glyph.physical((0.0, run.line_y.round()), 1.0);
                let image = self.glyphs.get_image(&mut self.fonts.system, glyph.cache_key);
                if let Some(image) = image.as_ref().filter(|image| image.placement.width > 0) {
                    paint(glyph.x + image.placement.left, glyph.y - image.placement.top, image);
                }
            }
        }
    }
}

/// A box of pixels, x1 and y1 exclusive.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    x0: i32,
    y0: i32,
    x1: i32,
    y1: i32,
}

impl Bounds {
    fn with(self, other: Bounds) -> Bounds {
        Bounds {
            x0: self.x0.min(other.x0),
            y0: self.y0.min(other.y0),
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
        }
    }
}

/// The pixels of a glyph, row by row, premultiplied RGBA: in the text's colour, or in their own as of an emoji.
fn inks(image: &SwashImage, colour: [u8; 3]) -> impl Iterator<Item = [u8; 4]> {
    let own = image.content == SwashContent::Color;
    image.data.chunks_exact(if own { 4 } else { 1 }).map(move |pixel| {
        let (colour, alpha) = match *pixel {
            [r, g, b, alpha] => ([r, g, b], alpha),
            _ => (colour, pixel.first().copied().unwrap_or(0)),
        };
        let [r, g, b] = colour.map(|channel| premultiplied(channel, alpha));
        [r, g, b, alpha]
    })
}

/// The first [`LONGEST`] characters.
fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(end, _)| end);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHITE: [u8; 3] = [255; 3];

    fn pixels(text: &mut TextRenderer, words: &str, style: TextStyle) -> Vec<[u8; 4]> {
        text.find(words, style).pixels.clone()
    }

    #[test]
    fn text_puts_ink_inside_its_measured_box_only() {
        let mut text = TextRenderer::new();
        for words in ["tiger cat 83 %", "gjpqy|ÅÇ", "قطة", "кошка", "f", "A\u{301}\u{323}"] {
            for size in [12.0, 31.0] {
                let (width, height) = text.measure(words, size);
                let mut picture = Picture::black(width + 20, height + 20);
                text.draw(&mut picture, (10, 10), size, WHITE, words);
                let mut ink = 0;
                for (at, pixel) in picture.rgb().chunks_exact(3).enumerate() {
                    let (x, y) = (at as u32 % (width + 20), at as u32 / (width + 20));
                    let inside = (10..10 + width).contains(&x) && (10..10 + height).contains(&y);
                    assert!(inside || pixel == [0; 3], "{words:?} has ink at ({x}, {y})");
                    ink += usize::from(pixel != [0; 3]);
                }
                assert!(ink > size as usize, "{words:?} has ink");
            }
        }
    }

    #[test]
    fn arabic_letters_join_and_run_from_right_to_left() {
        let mut text = TextRenderer::new();
        let isolated: u32 = ["ق", "ط", "ة"].iter().map(|letter| text.measure(letter, 40.0).0).sum();
        assert!(text.measure("قطة", 40.0).0 < isolated);
        // The first letter in memory is the rightmost.
        text.lay_out("قطة", TextStyle::new(40.0, WHITE));
        let run = text.buffer.layout_runs().next().unwrap();
        let order: Vec<_> = run.glyphs.iter().map(|glyph| (glyph.x as i32, glyph.start)).collect();
        assert!(run.rtl && order.is_sorted_by(|a, b| a.0 > b.0 && a.1 < b.1), "{order:?}");
    }

    #[test]
    fn a_character_that_no_font_has_is_drawn_as_its_code_point() {
        let mut text = TextRenderer::new();
        // The last private-use characters of Unicode, which no font draws.
        let style = TextStyle::new(20.0, WHITE);
        let stand_in = pixels(&mut text, "cat U+10FFFC·10FFFD 9 %", style);
        assert_eq!(pixels(&mut text, "cat \u{10FFFC}\u{10FFFD} 9 %", style), stand_in);
    }

    #[test]
    fn a_text_too_wide_is_cut_or_wrapped() {
        let mut text = TextRenderer::new();
        let words = "hartebeest, impala and tiger cat";
        let line = TextStyle::new(20.0, WHITE);
        let (width, height) = text.size_of(words, line);
        let (cut_width, cut_height) = text.size_of(words, line.at_most(120));
        assert!(width > 240 && (60..=120).contains(&cut_width) && cut_height == height);
        let (wrapped_width, wrapped_height) = text.size_of(words, line.at_most(120).wrapped());
        assert!(wrapped_width <= 120 && wrapped_height >= 2 * height);
        assert!(text.size_of("a\nb", line.wrapped()).1 > text.size_of("a\nb", line).1);
    }

    #[test]
    fn drawn_texts_are_kept_but_not_without_end() {
        let mut text = TextRenderer::new();
        text.measure("stays", 12.0);
        for i in 0..3 * STAMPS {
            text.measure(&i.to_string(), 12.0);
            text.measure("stays", 12.0);
        }
        assert_eq!(text.stamps.len(), STAMPS);
        assert!(text.stamps.iter().any(|stamp| stamp.text == "stays"));
    }

    #[test]
    fn a_font_file_that_is_none_is_an_error_with_its_name() {
        let mut text = TextRenderer::new();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "no font").unwrap();
        let error = text.add_font_file(file.path()).unwrap_err();
        assert!(matches!(error, RenderError::NotAFont { .. }), "{error}");
        let error = text.add_font_file(Path::new("nowhere/font.ttf")).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }

    #[test]
    fn an_added_font_is_taken_into_use() {
        let mut text = TextRenderer::new();
        let before = text.fonts.system.db().len();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), dejavu::sans::regular()).unwrap();
        text.add_font_file(file.path()).unwrap();
        assert_eq!(text.fonts.system.db().len(), before + 1);
        assert!(text.measure("still here", 20.0).0 > 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_at_any_size_is_harmless(
            words in any::<String>(), size in any::<f32>(), room in 0u32..200, wrap: bool,
        ) {
            let mut text = TextRenderer::new();
            let style = TextStyle::new(size, WHITE).at_most(room);
            let style = if wrap { style.wrapped() } else { style };
            let mut picture = Picture::black(33, 21);
            text.stamp(&mut picture, (-5, 7), &words, style);
            text.stamp(&mut picture, (i32::MAX, i32::MIN), &words, style);
        }
    }
}
