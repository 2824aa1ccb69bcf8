//! Shapes on a [`Picture`], without copying it.

use image::{ImageBuffer, Rgb};
use imageproc::drawing::{
    draw_antialiased_line_segment_mut, draw_filled_circle_mut, draw_filled_rect_mut, draw_line_segment_mut,
};
use imageproc::pixelops::interpolate;
use imageproc::rect::Rect;

use crate::frame::Picture;

/// The bytes of a picture as `imageproc` draws on them.
type Canvas<'a> = ImageBuffer<Rgb<u8>, &'a mut [u8]>;

/// `None` never happens: a picture has exactly the bytes that its size asks for.
fn canvas(picture: &mut Picture) -> Option<Canvas<'_>> {
    let (width, height) = picture.size();
    ImageBuffer::from_raw(width, height, picture.rgb_mut())
}

/// A rectangle from its edges, the right and the lower one exclusive; `None` if it is empty.
///
/// Edges are limited to a range in which no sum of them overflows.
pub(super) fn rect(x0: i64, y0: i64, x1: i64, y1: i64) -> Option<Rect> {
    const FAR: i64 = 1 << 28;
    let [x0, y0, x1, y1] = [x0, y0, x1, y1].map(|edge| edge.clamp(-FAR, FAR));
    let (width, height) = (x1 - x0, y1 - y0);
    (width > 0 && height > 0).then(|| Rect::at(x0 as i32, y0 as i32).of_size(width as u32, height as u32))
}

/// Fills what lies of the rectangle inside the picture.
pub(super) fn fill(picture: &mut Picture, area: Rect, colour: [u8; 3]) {
    if let Some(mut canvas) = canvas(picture) {
        draw_filled_rect_mut(&mut canvas, area, Rgb(colour));
    }
}

/// The frame of a rectangle, `thickness` pixels wide, inside its edges.
pub(super) fn frame(picture: &mut Picture, area: Rect, thickness: u32, colour: [u8; 3]) {
    let (x0, y0) = (i64::from(area.left()), i64::from(area.top()));
    let (x1, y1) = (x0 + i64::from(area.width()), y0 + i64::from(area.height()));
    let t = i64::from(thickness.min(area.width()).min(area.height()));
    let bars = [(x0, y0, x1, y0 + t), (x0, y1 - t, x1, y1), (x0, y0, x0 + t, y1), (x1 - t, y0, x1, y1)];
    for bar in bars.into_iter().filter_map(|(x0, y0, x1, y1)| rect(x0, y0, x1, y1)) {
        fill(picture, bar, colour);
    }
}

/// A closed polygon, `thickness` pixels wide, anti-aliased; points outside the picture are moved to its edge.
pub(super) fn outline(picture: &mut Picture, points: &[(f32, f32)], thickness: u32, colour: [u8; 3]) {
    let (width, height) = picture.size();
    let Some(mut canvas) = canvas(picture) else { return };
    if width == 0 || height == 0 {
        return;
    }
    let pixel = |(x, y): (f32, f32), shift: (i32, i32)| {
        let inside = |at: f32, shift: i32, side: u32| {
            (at.round() as i32).saturating_add(shift).clamp(0, side as i32 - 1)
        };
        (inside(x, shift.0, width), inside(y, shift.1, height))
    };
    let next = points.iter().cycle().skip(1);
    for (&from, &to) in points.iter().zip(next) {
        let flat = (to.0 - from.0).abs() >= (to.1 - from.1).abs();
        // A thick line is thin ones side by side; only the outermost are smoothed, or their seams would show.
        for i in 0..thickness as i32 {
            let shift = i - thickness as i32 / 2;
            let shift = if flat { (0, shift) } else { (shift, 0) };
            let (from, to) = (pixel(from, shift), pixel(to, shift));
            let centres = |(x, y): (i32, i32)| (x as f32, y as f32);
            draw_line_segment_mut(&mut canvas, centres(from), centres(to), Rgb(colour));
            if i == 0 || i == thickness as i32 - 1 {
                draw_antialiased_line_segment_mut(&mut canvas, from, to, Rgb(colour), interpolate);
            }
        }
    }
}

/// A disc of this radius; what lies outside the picture is left out.
pub(super) fn disc(picture: &mut Picture, centre: (i32, i32), radius: u32, colour: [u8; 3]) {
    if let Some(mut canvas) = canvas(picture) {
        draw_filled_circle_mut(&mut canvas, centre, radius as i32, Rgb(colour));
    }
}

/// Blends a colour over a rectangle, `alpha` 255ths of it.
///
/// `imageproc` blends only pixels that have an alpha of their own, which RGB8 has not.
pub(super) fn shade(picture: &mut Picture, area: Rect, colour: [u8; 3], alpha: u8) {
    let [r, g, b] = colour.map(|c| premultiplied(c, alpha));
    each_row(picture, area, |row, _, _| {
        for pixel in row.chunks_exact_mut(3) {
            over(pixel, [r, g, b, alpha]);
        }
    });
}

/// Blends an image of premultiplied RGBA pixels, as large as `area`, over the picture.
pub(super) fn stamp(picture: &mut Picture, area: Rect, pixels: &[[u8; 4]]) {
    let width = area.width() as usize;
    each_row(picture, area, |row, x, y| {
        let from = y * width + x;
        for (pixel, &ink) in row.chunks_exact_mut(3).zip(pixels.get(from..).unwrap_or_default()) {
            over(pixel, ink);
        }
    });
}

/// Calls `paint` with the bytes of every row of `area` that lie inside the picture, and with the column and the
/// row of the first of them within `area`.
fn each_row(picture: &mut Picture, area: Rect, mut paint: impl FnMut(&mut [u8], usize, usize)) {
    let (width, height) = picture.size();
    let Some(seen) = rect(0, 0, width.into(), height.into()).and_then(|all| all.intersect(area)) else {
        return;
    };
    let stride = 3 * width as usize;
    let columns = 3 * seen.left() as usize..3 * (seen.left() as usize + seen.width() as usize);
    let x = (seen.left() - area.left()) as usize;
    let rows =
        picture.rgb_mut().chunks_exact_mut(stride).skip(seen.top() as usize).take(seen.height() as usize);
    for (y, row) in rows.enumerate() {
        paint(&mut row[columns.clone()], x, (seen.top() - area.top()) as usize + y);
    }
}

/// A channel times an alpha, 255 being one.
pub(super) fn premultiplied(channel: u8, alpha: u8) -> u8 {
    ((u16::from(channel) * u16::from(alpha) + 127) / 255) as u8
}

/// Blends a premultiplied colour over the channels of a pixel.
pub(super) fn over(pixel: &mut [u8], ink: [u8; 4]) {
    let keep = 255 - ink[3];
    for (channel, ink) in pixel.iter_mut().zip(ink) {
        *channel = ink.saturating_add(premultiplied(*channel, keep));
    }
}
