//! Other views of a picture that show the same: flipped, cut, in another light.

use crate::frame::Picture;

/// How a view is drawn by chance.
///
/// The shares are those of the usual training recipes, with cuts that keep at least half of the picture: less of it may
/// no longer show the object, and there is no box that would say so.
struct Chance {
    /// The share of the picture's area that a cut keeps.
    area: (f64, f64),
    /// Width by height of the cut, times the picture's own.
    aspect: (f64, f64),
    /// What each pixel, each pixel's distance to grey, and to its own luma, is multiplied with.
    light: (f64, f64),
}

const CHANCE: Chance = Chance { area: (0.5, 1.0), aspect: (0.8, 1.25), light: (0.7, 1.3) };

/// A view of the picture, drawn by chance.
pub(super) fn view(picture: &Picture, random: &mut fastrand::Rng) -> Picture {
    let mut view = cut(picture, random);
    if random.bool() {
        flip(&mut view);
    }
    relight(&mut view, random);
    view
}

fn between((low, high): (f64, f64), random: &mut fastrand::Rng) -> f64 {
    low + (high - low) * random.f64()
}

fn cut(picture: &Picture, random: &mut fastrand::Rng) -> Picture {
    let (width, height) = picture.size();
    let area = between(CHANCE.area, random).sqrt();
    let aspect = between(CHANCE.aspect, random).sqrt();
    let side = |length: u32, share: f64| ((f64::from(length) * share) as u32).clamp(1, length);
    let (columns, rows) = (side(width, area * aspect), side(height, area / aspect));
    let (x, y) = (random.u32(0..=width - columns), random.u32(0..=height - rows));
    let mut pixels = Vec::with_capacity(3 * columns as usize * rows as usize);
    for row in y..y + rows {
        let start = 3 * (row as usize * width as usize + x as usize);
        pixels.extend_from_slice(&picture.rgb()[start..start + 3 * columns as usize]);
    }
    // As many pixels as were asked for were taken.
    Picture::from_rgb(columns, rows, pixels).unwrap_or_else(|| Picture::black(columns, rows))
}

fn flip(picture: &mut Picture) {
    let width = 3 * picture.width() as usize;
    for row in picture.rgb_mut().chunks_exact_mut(width) {
        for column in 0..width / 6 {
            for channel in 0..3 {
                row.swap(3 * column + channel, width - 3 * (column + 1) + channel);
            }
        }
    }
}

/// Brightness, contrast and saturation.
fn relight(picture: &mut Picture, random: &mut fastrand::Rng) {
    let [brightness, contrast, saturation] = [(); 3].map(|()| between(CHANCE.light, random) as f32);
    for pixel in picture.rgb_mut().chunks_exact_mut(3) {
        let values: [f32; 3] = [0, 1, 2].map(|channel| f32::from(pixel[channel]));
        let luma = 0.299 * values[0] + 0.587 * values[1] + 0.114 * values[2];
        for (byte, value) in pixel.iter_mut().zip(values) {
            let value = luma + saturation * (value - luma);
            let value = 128.0 + contrast * (brightness * value - 128.0);
            *byte = value.round().clamp(0.0, 255.0) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_row_reads_backwards() {
        let mut picture = Picture::from_rgb(3, 1, (1..=9).collect()).unwrap();
        flip(&mut picture);
        assert_eq!(picture.rgb(), [7, 8, 9, 4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn views_differ_keep_half_of_the_picture_and_follow_from_the_seed() {
        let mut picture = Picture::black(40, 30);
        picture.rgb_mut().iter_mut().enumerate().for_each(|(at, byte)| *byte = (at % 251) as u8);
        let drawn = |seed| view(&picture, &mut fastrand::Rng::with_seed(seed));
        assert_eq!(drawn(1).rgb(), drawn(1).rgb());
        assert!(drawn(1).rgb() != drawn(2).rgb());
        for seed in 0..50 {
            let (width, height) = drawn(seed).size();
            assert!(width <= 40 && height <= 30 && width * height >= 550, "{width}x{height}");
        }
        // The smallest picture there is.
        assert_eq!(view(&Picture::black(1, 1), &mut fastrand::Rng::with_seed(0)).size(), (1, 1));
    }
}
