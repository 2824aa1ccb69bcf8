//! Heat over a picture: [`Overlay`].

use std::ops::Range;

use super::colormap::Colormap;
use super::field::HeatField;
use crate::frame::Picture;
use crate::view::View;

/// What is left, in 256ths, of the brightness of pixels that the model never saw.
const UNSEEN: u16 = 112;
/// Heat at which a pixel begins to be tinted, and heat from which it has the full opacity.
const TINTED: Range<f32> = 0.08..0.65;
/// Bits behind the point in the fixed-point heat along a row.
const FRACTION: u32 = 16;
/// Where a row of the map is at least so many pixels high, two neighbouring rows of pixels differ by too little
/// to be seen, and share one row of heat.
const PAIRED_FROM: f64 = 64.0;

/// Blends heat onto pictures.
///
/// A pixel is tinted the more the hotter it is: cold pixels keep the photo as it is, so that the object stays
/// recognisable, and from a heat of 0.65 on they carry the full opacity. Pixels outside the view, which the
/// model never saw, are darkened, so that nobody takes them for cold.
///
/// It takes one to two nanoseconds a pixel: heat along a row is an addition a pixel (the rows of the field are
/// polylines), the colour one table look-up, and the blend itself runs on whole vectors of bytes.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    paint: Paint,
    columns: Columns,
    samples: Vec<f32>,
    /// The heat 0..255 of a row's seen pixels.
    levels: Vec<u8>,
    /// What is added to each byte of a row's seen pixels, and one byte to spare.
    tint: Vec<u8>,
    /// How many 255ths of each byte of a row's seen pixels are kept, and one byte to spare.
    keep: Vec<u8>,
}

impl Overlay {
    /// Draws `source` into `out`, a picture of the same size, with the heat of `field` over `view`, in a
    /// colour map at an opacity 0..1.
    pub(super) fn draw(
        &mut self,
        source: &Picture,
        view: View,
        field: &mut HeatField,
        look: (Colormap, f32),
        out: &mut Picture,
    ) {
        let (width, height) = source.size();
        let columns = seen(view.x, view.width, width);
        let rows = seen(view.y, view.height, height);
        self.paint.set(look);
        self.columns.set(view, columns.clone(), field.row_len());
        let paired = view.height >= PAIRED_FROM * field.height() as f64;
        let stride = 3 * width as usize;
        if stride == 0 {
            return;
        }
        let lines = source.rgb().chunks_exact(stride).zip(out.rgb_mut().chunks_exact_mut(stride));
        for (y, (from, to)) in lines.enumerate() {
            if !rows.contains(&y) {
                darken(from, to);
                continue;
            }
            let (left, right) = (3 * columns.start, 3 * columns.end);
            darken(&from[..left], &mut to[..left]);
            darken(&from[right..], &mut to[right..]);
            let (from, to) = (&from[left..right], &mut to[left..right]);
            if field.is_empty() {
                to.copy_from_slice(from);
                continue;
            }
            if y == rows.start || !paired || y % 2 == 0 {
                let v = (y as f64 + 0.5 - view.y) / view.height;
                field.row(v as f32, &mut self.samples);
                self.mix();
            }
            blend(from, to, &self.tint, &self.keep);
        }
    }

    /// From the samples of a row to what is added to and kept of every byte.
    fn mix(&mut self) {
        self.columns.levels(&self.samples, &mut self.levels);
        self.tint.resize(3 * self.levels.len() + 1, 0);
        self.keep.resize(3 * self.levels.len() + 1, 0);
        for (x, &level) in self.levels.iter().enumerate() {
            let (tint, keep) = &self.paint.table[usize::from(level)];
            // Four bytes are one store where three are two; the fourth is overwritten by the next pixel.
            self.tint[3 * x..3 * x + 4].copy_from_slice(tint);
            self.keep[3 * x..3 * x + 4].copy_from_slice(keep);
        }
    }
}

/// The pixels of `len` whose centre lies inside the view's side; none if the view is no proper rectangle.
fn seen(start: f64, side: f64, len: u32) -> Range<usize> {
    if !(start.is_finite() && side.is_finite() && side > 0.0) {
        return 0..0;
    }
    let inside = |edge: f64| (edge - 0.5).ceil().clamp(0.0, f64::from(len)) as usize;
    inside(start)..inside(start + side)
}

fn darken(from: &[u8], to: &mut [u8]) {
    for (from, to) in from.iter().zip(to) {
        *to = ((u16::from(*from) * UNSEEN) >> 8) as u8;
    }
}

/// `to = tint + from * keep / 255`. Plain bytes in step, so that the compiler makes vector code of it.
fn blend(from: &[u8], to: &mut [u8], tint: &[u8], keep: &[u8]) {
    for (((from, to), tint), keep) in from.iter().zip(to).zip(tint).zip(keep) {
        // Exact for keep = 255, so that untinted pixels stay untouched. The sum fits: tint <= 255 - keep.
        let kept = u16::from(*from) * u16::from(*keep) + 128;
        *to = tint.wrapping_add(((kept + (kept >> 8)) >> 8) as u8);
    }
}

/// What each level of heat does to a pixel.
#[derive(Debug)]
struct Paint {
    look: Option<(Colormap, f32)>,
    /// For every level: what is added to r, g and b, and how many 255ths of them are kept; each with one
    /// byte to spare.
    table: [([u8; 4], [u8; 4]); 256],
}

impl Default for Paint {
    fn default() -> Paint {
        Paint { look: None, table: [([0; 4], [255; 4]); 256] }
    }
}

impl Paint {
    fn set(&mut self, look: (Colormap, f32)) {
        if self.look == Some(look) {
            return;
        }
        let (colormap, opacity) = look;
        for (level, colour) in colormap.table().into_iter().enumerate() {
            let alpha = (opacity * ramp(level as f32 / 255.0) * 255.0).round() as u8;
            let [r, g, b] = colour.map(|c| ((u16::from(c) * u16::from(alpha) + 127) / 255) as u8);
            self.table[level] = ([r, g, b, 0], [255 - alpha; 4]);
        }
        self.look = Some(look);
    }
}

/// The share of the opacity that a heat gets: a smooth step over [`TINTED`].
fn ramp(heat: f32) -> f32 {
    let t = ((heat - TINTED.start) / (TINTED.end - TINTED.start)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Where the seen pixels of a row stand among the samples of the field.
#[derive(Debug, Default)]
struct Columns {
    made_for: Option<(View, Range<usize>, usize)>,
    segments: Vec<Segment>,
    /// Samples a pixel.
    step: f64,
}

/// Neighbouring pixels between the same two samples.
#[derive(Debug)]
struct Segment {
    pixels: Range<usize>,
    /// The samples to their left and right; one and the same before the first centre and after the last,
    /// where heat is constant.
    between: (usize, usize),
    /// The place of the first pixel between the two, 0..1.
    offset: f32,
}

impl Columns {
    fn set(&mut self, view: View, columns: Range<usize>, samples: usize) {
        let wanted = Some((view, columns.clone(), samples));
        if self.made_for == wanted {
            return;
        }
        self.segments.clear();
        self.step = samples as f64 / view.width;
        let last = samples.saturating_sub(1);
        for (pixel, column) in columns.enumerate() {
            let position = (column as f64 + 0.5 - view.x) * self.step - 0.5;
            let left = (position.max(0.0) as usize).min(last);
            let right = if position < 0.0 { left } else { (left + 1).min(last) };
            match self.segments.last_mut() {
                Some(open) if open.between == (left, right) => open.pixels.end = pixel + 1,
                _ => self.segments.push(Segment {
                    pixels: pixel..pixel + 1,
                    between: (left, right),
                    offset: (position - left as f64) as f32,
                }),
            }
        }
        self.made_for = wanted;
    }

    /// The heat 0..255 of every seen pixel of a row, from the row's samples (0..1).
    fn levels(&self, samples: &[f32], levels: &mut Vec<u8>) {
        levels.resize(self.segments.last().map_or(0, |segment| segment.pixels.end), 0);
        let one = (255u32 << FRACTION) as f32;
        for segment in &self.segments {
            let (left, right) = (samples[segment.between.0], samples[segment.between.1]);
            let slope = right - left;
            // Half a level is added, so that cutting the fraction off rounds, and so that the lost
            // fractions of `step` can never carry the sum below 0.
            let mut heat = ((left + slope * segment.offset) * one) as u32 + (1 << (FRACTION - 1));
            let step = (slope * self.step as f32 * one) as i32;
            for level in &mut levels[segment.pixels.clone()] {
                *level = (heat >> FRACTION) as u8;
                heat = heat.wrapping_add_signed(step);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn heat_along_a_row_is_linear_between_the_samples(
            samples in proptest::collection::vec(0f32..=1.0, 1..40),
            width in 1u32..900, start in -300f64..300.0, side in 1f64..1500.0,
        ) {
            let view = View { x: start, y: 0.0, width: side, height: 1.0 };
            let seen = seen(start, side, width);
            let (mut columns, mut levels) = (Columns::default(), Vec::new());
            columns.set(view, seen.clone(), samples.len());
            columns.levels(&samples, &mut levels);
            prop_assert_eq!(levels.len(), seen.len());
            for (level, x) in levels.into_iter().zip(seen) {
                let place = (x as f64 + 0.5 - start) / side * samples.len() as f64 - 0.5;
                let place = place.clamp(0.0, (samples.len() - 1) as f64) as f32;
                let (left, right) = (samples[place as usize], samples[place.ceil() as usize]);
                let wanted = 255.0 * (left + (right - left) * place.fract());
                prop_assert!((f32::from(level) - wanted).abs() < 1.1, "{} for {} at {}", level, wanted, x);
            }
        }

        #[test]
        fn blending_mixes_and_never_wraps(level: u8, from: u8, opacity in 0f32..=1.0) {
            let mut paint = Paint::default();
            paint.set((Colormap::Jet, opacity));
            let (tint, keep) = paint.table[usize::from(level)];
            let mut to = [0; 3];
            blend(&[from; 3], &mut to, &tint, &keep);
            let alpha = 1.0 - f32::from(keep[0]) / 255.0;
            for (mixed, colour) in to.into_iter().zip(Colormap::Jet.table()[usize::from(level)]) {
                let wanted = f32::from(from) * (1.0 - alpha) + f32::from(colour) * alpha;
                prop_assert!((f32::from(mixed) - wanted).abs() < 1.1, "{} for {}", mixed, wanted);
            }
        }
    }

    #[test]
    fn a_pixel_is_seen_if_its_centre_is() {
        assert_eq!(seen(0.0, 10.0, 10), 0..10);
        assert_eq!(seen(2.5, 5.0, 10), 2..7);
        assert_eq!(seen(2.6, 5.0, 10), 3..8);
        assert_eq!(seen(-70.0, 280.0, 140), 0..140);
        assert_eq!(seen(50.0, 5.0, 10), 10..10);
        for (start, side) in [(f64::NAN, 5.0), (0.0, f64::INFINITY), (0.0, 0.0), (3.0, -4.0)] {
            assert!(seen(start, side, 10).is_empty());
        }
    }
}
