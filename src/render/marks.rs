//! Boxes, outlines, peaks and name tags of what was found: [`Mark`].

use imageproc::rect::Rect;

use super::Style;
use super::canvas::{disc, fill, frame, outline, rect};
use super::text::{TextRenderer, TextStyle};
use crate::frame::Picture;

/// The colours of classes, those of Okabe and Ito, which eyes with any colour blindness tell apart.
const COLOURS: [[u8; 3]; 7] = [
    [0xe6, 0x9f, 0x00], // orange
    [0x56, 0xb4, 0xe9], // sky blue
    [0x00, 0x9e, 0x73], // bluish green
    [0xf0, 0xe4, 0x42], // yellow
    [0xcc, 0x79, 0xa7], // reddish purple
    [0xd5, 0x5e, 0x00], // vermilion
    [0x00, 0x72, 0xb2], // blue
];
/// Around every line, so that it shows on any picture.
const RIM: [u8; 3] = [0x10, 0x10, 0x10];

/// One found object to be marked, in pixels of the picture.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// The box x0, y0, x1, y1; x1 and y1 exclusive. An empty box marks nothing; a box that reaches beyond the
    /// picture is cut.
    pub bbox: (u32, u32, u32, u32),
    /// Where the heat is highest.
    pub peak: (u32, u32),
    /// The object's closed outline; may be empty.
    pub outline: &'a [(f32, f32)],
    /// Chooses the colour: marks of one class share a slot, different classes take different ones.
    pub class_slot: usize,
    /// What the tag says, for example "tiger cat 83 %"; empty for no tag.
    pub text: &'a str,
}

/// The colour `[r, g, b]` of a class slot, for example for a legend.
pub(crate) fn class_colour(slot: usize) -> [u8; 3] {
    COLOURS[slot % COLOURS.len()]
}

/// Draws marks; keeps its lists from frame to frame.
#[derive(Debug, Default)]
pub(super) struct Marker {
    tags: Vec<Rect>,
}

impl Marker {
    /// Draws the marks, the first on top, and their tags above all lines.
    ///
    /// A tag stands on its box's upper left corner, or where there is room for it near the box; no tag covers
    /// another, and one that finds no room at all is left out.
    pub(super) fn draw(
        &mut self,
        picture: &mut Picture,
        marks: &[Mark<'_>],
        style: &Style,
        text: &mut TextRenderer,
    ) {
        let (width, height) = picture.size();
        let side = width.min(height) as f32;
        let line = (side / 270.0).round().clamp(2.0, 12.0) as u32;
        for mark in marks.iter().rev() {
            draw_lines(picture, mark, style, line);
        }
        self.tags.clear();
        if !style.labels {
            return;
        }
        let size = (side / 34.0).clamp(12.0, 80.0).round();
        for mark in marks.iter().filter(|mark| !mark.text.is_empty()) {
            if let Some(area) = mark_area(mark, (width, height)) {
                self.draw_tag(picture, mark, area, size, text);
            }
        }
    }

    fn draw_tag(
        &mut self,
        picture: &mut Picture,
        mark: &Mark<'_>,
        area: Rect,
        size: f32,
        text: &mut TextRenderer,
    ) {
        let colour = class_colour(mark.class_slot);
        let (side_pad, pad) = ((0.35 * size) as u32, (0.1 * size) as u32);
        let room = picture.width().saturating_sub(2 * side_pad);
        let style = TextStyle::new(size, ink_on(colour)).at_most(room);
        let (width, height) = text.size_of(mark.text, style);
        let (width, height) = (width + 2 * side_pad, height + 2 * pad);
        let Some(place) = place((width, height), area, picture.size(), &self.tags) else { return };
        fill(picture, place, colour);
        let corner = (place.left() + side_pad as i32, place.top() + pad as i32);
        text.stamp(picture, corner, mark.text, style);
        self.tags.push(place);
    }
}

fn draw_lines(picture: &mut Picture, mark: &Mark<'_>, style: &Style, line: u32) {
    let Some(area) = mark_area(mark, picture.size()) else { return };
    let colour = class_colour(mark.class_slot);
    if style.outlines && mark.outline.len() > 2 {
        outline(picture, mark.outline, line + 2, RIM);
        outline(picture, mark.outline, line, colour);
    }
    if style.boxes {
        frame(picture, area, line + 2, RIM);
        let inner = rect(
            i64::from(area.left()) + 1,
            i64::from(area.top()) + 1,
            i64::from(area.right()),
            i64::from(area.bottom()),
        );
        if let Some(inner) = inner {
            frame(picture, inner, line, colour);
        }
    }
    if style.peak {
        let edge = |at: u32, side: u32| at.min(side.saturating_sub(1)) as i32;
        let centre = (edge(mark.peak.0, picture.width()), edge(mark.peak.1, picture.height()));
        disc(picture, centre, 2 * line + 2, RIM);
        disc(picture, centre, 2 * line + 1, [255; 3]);
        disc(picture, centre, line, colour);
    }
}

/// The part of a mark's box inside a picture.
fn mark_area(mark: &Mark<'_>, (width, height): (u32, u32)) -> Option<Rect> {
    let (x0, y0, x1, y1) = mark.bbox;
    rect(x0.into(), y0.into(), x1.min(width).into(), y1.min(height).into())
}

/// Black or white, whichever reads better on a colour.
fn ink_on([r, g, b]: [u8; 3]) -> [u8; 3] {
    let luma = 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b);
    if luma > 125.0 { [0; 3] } else { [255; 3] }
}

/// A place for a tag inside a picture, near its box, that covers none of the tags `taken`.
fn place(tag: (u32, u32), area: Rect, picture: (u32, u32), taken: &[Rect]) -> Option<Rect> {
    let (width, height) = (i64::from(tag.0), i64::from(tag.1));
    let (right, bottom) = (i64::from(picture.0) - width, i64::from(picture.1) - height);
    if width == 0 || height == 0 || right < 0 || bottom < 0 {
        return None;
    }
    let (x0, y0) = (i64::from(area.left()), i64::from(area.top()));
    let (x1, y1) = (x0 + i64::from(area.width()), y0 + i64::from(area.height()));
    // On the box's edges, inside them, then row by row down the picture.
    let near = [y0 - height, y0, y1, y1 - height];
    let everywhere = (0..=bottom / height).map(|row| row * height);
    near.into_iter().chain(everywhere).filter(|y| (0..=bottom).contains(y)).find_map(|y| {
        [x0, x1 - width].into_iter().find_map(|x| {
            let x = x.clamp(0, right);
            let place = rect(x, y, x + width, y + height)?;
            taken.iter().all(|other| other.intersect(place).is_none()).then_some(place)
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(bbox: (u32, u32, u32, u32), class_slot: usize) -> Mark<'static> {
        Mark { bbox, peak: (bbox.0, bbox.1), outline: &[], class_slot, text: "tiger cat 83 %" }
    }

    fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
        let at = 3 * (y * picture.width() + x) as usize;
        picture.rgb()[at..at + 3].try_into().unwrap()
    }

    #[test]
    fn a_box_is_drawn_inside_its_edges() {
        let style = Style { labels: false, peak: false, ..Style::default() };
        let mut picture = Picture::from_rgb(100, 80, vec![99; 3 * 100 * 80]).unwrap();
        Marker::default().draw(&mut picture, &[mark((10, 20, 60, 50), 1)], &style, &mut TextRenderer::new());
        for (x, y) in [(9, 20), (10, 19), (60, 30), (30, 50), (30, 35)] {
            assert_eq!(pixel(&picture, x, y), [99; 3], "({x}, {y}) is no part of the line");
        }
        for (x, y) in [(11, 21), (58, 48), (12, 30), (30, 48)] {
            assert_eq!(pixel(&picture, x, y), class_colour(1), "({x}, {y}) is the line");
        }
        assert_eq!(pixel(&picture, 10, 20), RIM);
        assert_eq!(pixel(&picture, 59, 49), RIM);
    }

    #[test]
    fn the_first_mark_is_on_top() {
        let style = Style { labels: false, ..Style::default() };
        let mut picture = Picture::black(100, 80);
        let marks = [mark((10, 20, 60, 50), 1), mark((10, 20, 60, 50), 2)];
        Marker::default().draw(&mut picture, &marks, &style, &mut TextRenderer::new());
        assert_eq!(pixel(&picture, 40, 21), class_colour(1));
    }

    #[test]
    fn tags_of_near_boxes_stand_side_by_side_or_stacked() {
        let mut marker = Marker::default();
        let marks: Vec<_> = (0..6).map(|i| mark((200 + i, 100 + i, 400, 300), i as usize)).collect();
        marker.draw(&mut Picture::black(640, 480), &marks, &Style::default(), &mut TextRenderer::new());
        assert_eq!(marker.tags.len(), 6);
        for (i, tag) in marker.tags.iter().enumerate() {
            assert!(marker.tags[..i].iter().all(|other| other.intersect(*tag).is_none()));
        }
        assert_eq!(marker.tags[0].left(), 200);
        assert_eq!(marker.tags[0].bottom() + 1, 100, "the first tag stands on its box");
    }

    #[test]
    fn a_tag_that_finds_no_room_is_left_out() {
        let mut marker = Marker::default();
        let marks = vec![mark((0, 0, 60, 40), 0); 20];
        marker.draw(&mut Picture::black(60, 40), &marks, &Style::default(), &mut TextRenderer::new());
        assert!((1..=3).contains(&marker.tags.len()), "{}", marker.tags.len());
    }

    proptest! {
        #[test]
        fn marks_at_and_beyond_the_edges_are_harmless(
            width in 0u32..90, height in 0u32..90,
            boxes in proptest::collection::vec((any::<[u32; 4]>(), 0u32..100, 0u32..100), 0..5),
            points in proptest::collection::vec(any::<(f32, f32)>(), 0..5),
        ) {
            let marks: Vec<_> = boxes.iter().map(|&([a, b, c, d], x, y)| Mark {
                // Boxes of any numbers and boxes near the picture.
                bbox: if a % 2 == 0 { (a, b, c, d) } else { (x, y, x + c % 50, y + d % 50) },
                peak: (a, y), outline: &points, class_slot: d as usize, text: "cat",
            }).collect();
            let mut picture = Picture::black(width, height);
            let mut marker = Marker::default();
            let style = Style { outlines: true, peak: true, ..Style::default() };
            marker.draw(&mut picture, &marks, &style, &mut TextRenderer::new());
            for tag in &marker.tags {
                prop_assert!(tag.left() >= 0 && tag.right() < width as i32);
                prop_assert!(tag.top() >= 0 && tag.bottom() < height as i32);
            }
        }
    }
}
