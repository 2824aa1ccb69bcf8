//! Upsampling of small maps, with OpenCV's figures.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::F32;
use fast_image_resize::{Filter, FilterType, ResizeAlg, ResizeOptions, Resizer};

/// How values between the map's cells are found; cells are sampled at their centres and the border is
/// replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interpolation {
    /// `cv2.INTER_LINEAR`.
    Linear,
    /// `cv2.INTER_CUBIC`: Keys' kernel with a = -0.75.
    Cubic,
}

/// Cells of replicated border around the map: what the cubic kernel reaches.
const BORDER: usize = 2;

/// Resizes maps; keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Upsampler {
    resizer: Resizer,
    padded: Vec<F32>,
    resized: Vec<F32>,
}

impl Upsampler {
    /// Resizes a map `[h, w]` to `to = (width, height)` and writes it to `out`, row by row.
    ///
    /// Returns `None` where a size is 0 or `map` does not hold `h * w` values.
    pub(super) fn resize(
        &mut self,
        map: &[f32],
        (w, h): (usize, usize),
        (to_w, to_h): (usize, usize),
        interpolation: Interpolation,
        out: &mut Vec<f32>,
    ) -> Option<()> {
        if w == 0 || h == 0 || to_w == 0 || to_h == 0 || map.len() != w.checked_mul(h)? {
            return None;
        }
        self.pad(map, w);
        self.resized.resize(to_w * to_h, F32::new(0.0));
        let (padded_w, padded_h) = (w + 2 * BORDER, h + 2 * BORDER);
        let source = TypedImageRef::<F32>::new(
            u32::try_from(padded_w).ok()?,
            u32::try_from(padded_h).ok()?,
            &self.padded,
        )
        .ok()?;
        let (to_w, to_h) = (u32::try_from(to_w).ok()?, u32::try_from(to_h).ok()?);
        let mut target = TypedImage::<F32>::from_pixels_slice(to_w, to_h, &mut self.resized).ok()?;
        let options = ResizeOptions::new().resize_alg(interpolation.algorithm()?).crop(
            BORDER as f64,
            BORDER as f64,
            w as f64,
            h as f64,
        );
        self.resizer.resize_typed(&source, &mut target, &options).ok()?;
        out.clear();
        out.extend(self.resized.iter().map(|pixel| pixel.0));
        Some(())
    }

    /// The library renormalises a kernel cut by the border; OpenCV repeats the border's value instead.
    fn pad(&mut self, map: &[f32], w: usize) {
        self.padded.clear();
        let rows = map.chunks_exact(w);
        let (first, last) = (rows.clone().next(), rows.clone().next_back());
        for row in
            first.into_iter().cycle().take(BORDER).chain(rows).chain(last.into_iter().cycle().take(BORDER))
        {
            let (left, right) = (row[0], row[w - 1]);
            self.padded
                .extend([left; BORDER].iter().chain(row).chain(&[right; BORDER]).map(|&v| F32::new(v)));
        }
    }
}

impl Interpolation {
    fn algorithm(self) -> Option<ResizeAlg> {
        Some(ResizeAlg::Interpolation(match self {
            Interpolation::Linear => FilterType::Bilinear,
            Interpolation::Cubic => FilterType::Custom(Filter::new("cv2-cubic", cubic, 2.0).ok()?),
        }))
    }
}

/// Keys' cubic convolution kernel (1981) with a = -0.75.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.75;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resize(map: &[f32], from: (usize, usize), to: (usize, usize), how: Interpolation) -> Vec<f32> {
        let mut out = Vec::new();
        Upsampler::default().resize(map, from, to, how, &mut out).unwrap();
        out
    }

    fn assert_close(ours: &[f32], opencv: &[f32]) {
        assert_eq!(ours.len(), opencv.len());
        for (a, b) in ours.iter().zip(opencv) {
            assert!((a - b).abs() < 1e-5, "{ours:?} is not {opencv:?}");
        }
    }

    const MAP: [f32; 6] = [0.0, 1.0, 3.0, 2.0, -1.0, 0.5];

    #[test]
    fn linear_has_opencvs_figures() {
        #[rustfmt::skip]
        let opencv = [
            0.0, 0.142857, 0.571429, 1.0, 1.857143, 2.714286, 3.0,
            0.2, 0.285714, 0.542857, 0.8, 1.635714, 2.471429, 2.75,
            1.0, 0.857143, 0.428571, 0.0, 0.75, 1.5, 1.75,
            1.8, 1.428571, 0.314286, -0.8, -0.135714, 0.528571, 0.75,
            2.0, 1.571429, 0.285714, -1.0, -0.357143, 0.285714, 0.5,
        ];
        assert_close(&resize(&MAP, (3, 2), (7, 5), Interpolation::Linear), &opencv);
    }

    #[test]
    fn cubic_has_opencvs_figures_up_to_the_border() {
        #[rustfmt::skip]
        let opencv = [
            -0.378045, -0.073114, 0.399834, 1.2205, 2.234535, 3.045878, 3.500311,
            0.09053, 0.219605, 0.348269, 0.836, 1.728968, 2.566794, 3.009176,
            1.10933, 0.85605, 0.236152, 0.0, 0.629738, 1.525146, 1.941327,
            2.128129, 1.492494, 0.124035, -0.836, -0.469492, 0.483498, 0.873477,
            2.596704, 1.785213, 0.072469, -1.2205, -0.975059, 0.004414, 0.382343,
        ];
        assert_close(&resize(&MAP, (3, 2), (7, 5), Interpolation::Cubic), &opencv);
    }

    #[test]
    fn a_map_larger_than_the_grid_is_sampled_as_opencv_does() {
        let squares: Vec<f32> = (0..25u8).map(|i| f32::from(i).powi(2)).collect();
        let opencv = [25.125, 53.875, 293.875, 385.125];
        assert_close(&resize(&squares, (5, 5), (2, 2), Interpolation::Linear), &opencv);
    }

    #[test]
    fn a_size_that_does_not_fit_the_values_is_refused() {
        for from in [(0, 0), (4, 2), (usize::MAX, 3)] {
            let mut out = Vec::new();
            assert!(
                Upsampler::default().resize(&MAP, from, (7, 5), Interpolation::Linear, &mut out).is_none()
            );
        }
    }
}
