//! Whether two pictures are as good as one: [`Fingerprint`] and [`Recent`].

use std::collections::VecDeque;
use std::path::Path;

use crate::dataset::pictures_below;
use crate::frame::Picture;
use crate::picture::mosaic;
use crate::source::read_photo;

/// Rows and columns of a fingerprint.
const SIDE: u32 = 16;

/// The mean difference, in levels of 0..255, from which on two pictures are two. It lies between what means nothing and
/// what does, as tested below: noise of 25 levels in every pixel and a hand that shakes by a pixel differ by 0.3, as each
/// value is a mean of many pixels; an object a quarter of the picture wide that moves by a sixteenth of it, by 2.5.
const DIFFERENT: f32 = 1.0;

/// How many pictures of a class are remembered: what a person takes in some seconds, during which an object moves to and
/// fro.
const REMEMBERED: usize = 32;

/// What is left of a picture from far away: 16 x 16 grey levels less their mean, so that a flickering lamp or a camera
/// that adapts its exposure makes no new picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fingerprint([f32; (SIDE * SIDE) as usize]);

impl Fingerprint {
    /// The fingerprint of a picture.
    pub(super) fn of(picture: &Picture) -> Fingerprint {
        // The weights of ITU-R BT.601.
        let grey = |[r, g, b]: [u8; 3]| 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b);
        let mut levels = [0.0; (SIDE * SIDE) as usize];
        levels.iter_mut().zip(mosaic(picture, SIDE)).for_each(|(level, pixel)| *level = grey(pixel));
        let mean = levels.iter().sum::<f32>() / levels.len() as f32;
        levels.iter_mut().for_each(|level| *level -= mean);
        Fingerprint(levels)
    }

    /// The mean absolute difference, in levels 0..255.
    pub(super) fn difference(&self, other: &Fingerprint) -> f32 {
        let sum: f32 = self.0.iter().zip(&other.0).map(|(a, b)| (a - b).abs()).sum();
        sum / self.0.len() as f32
    }
}

/// The last few pictures of a class.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(VecDeque<Fingerprint>);

impl Recent {
    /// Those in a folder, the last by name; what can't be read is passed over.
    pub(super) fn in_folder(folder: &Path) -> Recent {
        let pictures = pictures_below(folder);
        let last = &pictures[pictures.len().saturating_sub(REMEMBERED)..];
        Recent(last.iter().filter_map(|path| Some(Fingerprint::of(&read_photo(path).ok()?))).collect())
    }

    /// Whether one of them is as good as this.
    pub(super) fn knows(&self, fingerprint: &Fingerprint) -> bool {
        self.0.iter().any(|known| known.difference(fingerprint) < DIFFERENT)
    }

    /// Remembers one, in place of the oldest if there are too many.
    pub(super) fn add(&mut self, fingerprint: Fingerprint) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(fingerprint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (i32, i32) = (640, 480);

    /// A grey wall with a darker square on it, a quarter of the picture wide, `x` pixels from the left; every pixel is off by
    /// up to `noise` levels, and all of them by `light`.
    fn scene(x: i32, noise: i32, light: i32) -> Fingerprint {
        let mut random = fastrand::Rng::with_seed(x.unsigned_abs().into());
        let mut pixels = Vec::new();
        for (row, column) in (0..SIZE.1).flat_map(|row| (0..SIZE.0).map(move |column| (row, column))) {
            let inside = (x..x + SIZE.0 / 4).contains(&column) && (160..320).contains(&row);
            for _ in 0..3 {
                let level = if inside { 70 } else { 130 } + light + random.i32(-noise..=noise);
                pixels.push(level.clamp(0, 255) as u8);
            }
        }
        Fingerprint::of(&Picture::from_rgb(SIZE.0 as u32, SIZE.1 as u32, pixels).unwrap())
    }

    #[test]
    fn noise_and_flicker_make_no_new_picture_and_movement_does() {
        let known = scene(100, 0, 0);
        let noisy = known.difference(&scene(101, 25, 0));
        let lighter = known.difference(&scene(100, 0, 12));
        let moved = known.difference(&scene(100 + SIZE.0 / 16, 0, 0));
        assert!(noisy < 0.3 * DIFFERENT && lighter < 0.3 * DIFFERENT, "{noisy} {lighter}");
        assert!(moved > 1.5 * DIFFERENT, "{moved}");
    }

    #[test]
    fn the_last_few_are_remembered_and_no_more() {
        let mut recent = Recent::default();
        let first = scene(0, 0, 0);
        assert!(!recent.knows(&first));
        recent.add(first.clone());
        assert!(recent.knows(&first));
        for _ in 0..REMEMBERED {
            recent.add(scene(320, 0, 0));
        }
        assert!(!recent.knows(&first) && recent.0.len() == REMEMBERED);
    }

    #[test]
    fn odd_pictures_do_no_harm() {
        for (width, height) in [(0, 0), (1, 1), (1, 3000), (3, 2)] {
            let fingerprint = Fingerprint::of(&Picture::black(width, height));
            assert!(fingerprint.difference(&scene(0, 0, 0)) > DIFFERENT);
        }
    }
}
