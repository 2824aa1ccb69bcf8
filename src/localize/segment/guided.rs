//! Edges from the picture: the guided filter (He, Sun and Tang, 2013) with the picture's colours as its guide.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::super::GRID;
use super::super::placement::Placement;
use super::blur::Blur;
use crate::frame::Picture;

/// How far colours are compared, in cells: an eighth of the view to each side. Of 8 to 80 cells, those around this one
/// gave the best masks on each of three videos (docs/masks.md).
const RADIUS: usize = GRID / 8;

/// Variance of colours, of 0..1, below which a difference is noise.
const NOISE: f32 = 1e-4;

/// Lets maps follow a picture's edges; keeps its buffers.
///
/// In each window around a cell the map is fitted by a linear function of the cells' colours. What is inside of an
/// object and of its colour is brought up, what is beside it and of another is brought down.
#[derive(Debug, Default)]
pub(super) struct Guide {
    resizer: Resizer,
    resized: Option<Image<'static>>,
    width: usize,
    colours: Vec<[f32; 3]>,
    /// Of the colours in the window around each cell: their mean.
    means: Vec<[f32; 3]>,
    /// The inverse of their covariance: the entries 00, 01, 02, 11, 12, 22.
    inverses: Vec<[f32; 6]>,
    moments: Vec<[f32; 9]>,
    blurred: Vec<[f32; 9]>,
    fits: Vec<[f32; 4]>,
    blurred_fits: Vec<[f32; 4]>,
    blur_moments: Blur<9>,
    blur_fits: Blur<4>,
}

impl Guide {
    /// Takes the picture's part under the cells of the placement's window as the guide. `None` where there is no such
    /// part.
    pub(super) fn look(&mut self, picture: &Picture, place: Placement) -> Option<()> {
        self.width = place.window().0.len();
        self.resize(picture, place)?;
        self.moments.clear();
        self.moments.extend(
            self.colours.iter().map(|&[r, g, b]| [r, g, b, r * r, r * g, r * b, g * g, g * b, b * b]),
        );
        self.blur_moments.blur(&self.moments, self.width, RADIUS, &mut self.blurred);
        self.means.clear();
        self.means.extend(self.blurred.iter().map(|&[r, g, b, ..]| [r, g, b]));
        self.inverses.clear();
        self.inverses.extend(self.blurred.iter().map(|&[r, g, b, rr, rg, rb, gg, gb, bb]| {
            inverse([
                rr - r * r + NOISE,
                rg - r * g,
                rb - r * b,
                gg - g * g + NOISE,
                gb - g * b,
                bb - b * b + NOISE,
            ])
        }));
        Some(())
    }

    /// Replaces `heat`, the cells of the window row by row, by what fits the picture's colours.
    pub(super) fn filter(&mut self, heat: &mut [f32]) {
        let Guide { colours, means, inverses, fits, blurred_fits, blur_fits, width, .. } = self;
        fits.clear();
        fits.extend(heat.iter().zip(&*colours).map(|(&p, &[r, g, b])| [p * r, p * g, p * b, p]));
        blur_fits.blur(fits, *width, RADIUS, blurred_fits);
        fits.clear();
        fits.extend(blurred_fits.iter().zip(means.iter().zip(&*inverses)).map(
            |(&moments, (&mean, &inverse))| {
                let [pr, pg, pb, p] = moments;
                let [r, g, b] = mean;
                let a = product(inverse, [pr - p * r, pg - p * g, pb - p * b]);
                [a[0], a[1], a[2], p - a[0] * r - a[1] * g - a[2] * b]
            },
        ));
        blur_fits.blur(fits, *width, RADIUS, blurred_fits);
        for (heat, (&[a0, a1, a2, b], &[red, green, blue])) in
            heat.iter_mut().zip(blurred_fits.iter().zip(&*colours))
        {
            *heat = a0 * red + a1 * green + a2 * blue + b;
        }
    }

    /// Fills `colours`, each 0..1, with the mean colour under each cell of the window.
    fn resize(&mut self, picture: &Picture, place: Placement) -> Option<()> {
        let (columns, rows) = place.window();
        let size = (u32::try_from(columns.len()).ok()?, u32::try_from(rows.len()).ok()?);
        if size.0 == 0 || size.1 == 0 {
            return None;
        }
        let source = ImageRef::new(picture.width(), picture.height(), picture.rgb(), PixelType::U8x3).ok()?;
        if self.resized.as_ref().is_none_or(|image| (image.width(), image.height()) != size) {
            self.resized = Some(Image::new(size.0, size.1, PixelType::U8x3));
        }
        let target = self.resized.as_mut()?;
        let (x0, y0) = place.corner((columns.start, rows.start));
        let (x1, y1) = place.corner((columns.end, rows.end));
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Box))
            .use_alpha(false)
            .crop(x0, y0, x1 - x0, y1 - y0);
        self.resizer.resize(&source, target, &options).ok()?;
        self.colours.clear();
        let share = |byte: u8| f32::from(byte) / 255.0;
        self.colours
            .extend(target.buffer().chunks_exact(3).map(|rgb| [share(rgb[0]), share(rgb[1]), share(rgb[2])]));
        Some(())
    }
}

/// The inverse of a symmetric matrix whose eigenvalues are all at least [`NOISE`].
fn inverse([a, b, c, d, e, f]: [f32; 6]) -> [f32; 6] {
    let (aa, ab, ac) = (d * f - e * e, c * e - b * f, b * e - c * d);
    let scale = 1.0 / (a * aa + b * ab + c * ac).max(NOISE * NOISE * NOISE);
    [aa, ab, ac, a * f - c * c, b * c - a * e, a * d - b * b].map(|entry| entry * scale)
}

fn product([a, b, c, d, e, f]: [f32; 6], [x, y, z]: [f32; 3]) -> [f32; 3] {
    [a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::View;

    /// Filters heat that is a function of the cell by a picture whose pixels are one.
    fn filtered(colour: impl Fn(u32, u32) -> [u8; 3], heat: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        let size = GRID as u32;
        let pixels =
            (0..size).flat_map(|y| (0..size).map(move |x| (x, y))).flat_map(|(x, y)| colour(x, y)).collect();
        let picture = Picture::from_rgb(size, size, pixels).unwrap();
        let mut guide = Guide::default();
        guide.look(&picture, Placement { view: View::whole(size, size), frame: picture.size() }).unwrap();
        let mut cells: Vec<f32> = (0..GRID * GRID).map(|at| heat(at % GRID, at / GRID)).collect();
        guide.filter(&mut cells);
        cells
    }

    #[test]
    fn heat_takes_the_pictures_edge() {
        // The map falls slowly, the picture ends at column 100.
        let object = |x: u32, _| if x < 100 { [200, 40, 40] } else { [30, 90, 30] };
        let cells = filtered(object, |x, _| 1.0 - (x as f32 / 200.0).min(1.0));
        let at = |x: usize| cells[112 * GRID + x];
        assert!(at(99) - at(100) > 0.1, "{} {}", at(99), at(100));
        assert!((at(98) - at(99)).abs() < 0.02 && (at(100) - at(101)).abs() < 0.02);
    }

    #[test]
    fn what_the_colours_say_stays_and_a_plain_picture_only_blurs() {
        let ramp = |x: u32, y: u32| [x as u8, y as u8, 0];
        let by_colour = |x: usize, y: usize| (0.2 + 0.5 * x as f32 - 0.3 * y as f32) / 255.0;
        let cells = filtered(ramp, by_colour);
        for (at, &ours) in cells.iter().enumerate() {
            assert!((ours - by_colour(at % GRID, at / GRID)).abs() < 0.01, "{ours} at {at}");
        }
        let plain = filtered(|_, _| [80; 3], |x, _| f32::from(u8::from(x < 112)));
        let row = &plain[..GRID];
        assert!(row.windows(2).all(|pair| pair[0] >= pair[1] - 1e-3));
        assert!((row[112] - 0.5).abs() < 0.02 && row[20] > 0.99 && row[200] < 0.01);
    }

    #[test]
    fn a_matrix_times_its_inverse_changes_nothing() {
        let matrix = [0.2, 0.05, -0.02, 0.1, 0.03, 0.3];
        let there = product(matrix, [1.0, -2.0, 0.5]);
        let back = product(inverse(matrix), there);
        assert!(back.iter().zip([1.0, -2.0, 0.5]).all(|(a, b)| (a - b).abs() < 1e-4), "{back:?}");
    }
}
