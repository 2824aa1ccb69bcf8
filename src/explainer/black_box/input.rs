//! One picture as the model takes it.

/// How the values of one picture lie in the model's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
    /// Whether the values of a pixel lie side by side, `[h, w, C]`, rather than in planes, `[C, h, w]`.
    pub interleaved: bool,
}

impl Input {
    /// How many pixels.
    pub(super) fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// How many values.
    pub(super) fn len(&self) -> usize {
        self.pixels() * self.channels
    }

    /// The position of a pixel's value.
    pub(super) fn at(&self, pixel: usize, channel: usize) -> usize {
        if self.interleaved { pixel * self.channels + channel } else { channel * self.pixels() + pixel }
    }

    /// Writes the picture times a mask `[h, w]`, so that 0 takes a pixel away: it becomes what the model's normalisation
    /// takes for nothing.
    pub(super) fn multiply(&self, picture: &[f32], mask: &[f32], out: &mut [f32]) {
        let pixels = self.pixels().max(1);
        if self.interleaved {
            let channels = self.channels.max(1);
            let pairs = out.chunks_exact_mut(channels).zip(picture.chunks_exact(channels));
            for ((out, picture), share) in pairs.zip(mask) {
                out.iter_mut().zip(picture).for_each(|(out, value)| *out = value * share);
            }
        } else {
            for (out, picture) in out.chunks_exact_mut(pixels).zip(picture.chunks_exact(pixels)) {
                for ((out, value), share) in out.iter_mut().zip(picture).zip(mask) {
                    *out = value * share;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_takes_the_same_pixels_away_in_either_order() {
        let planes = Input { height: 1, width: 2, channels: 3, interleaved: false };
        let pixels = Input { interleaved: true, ..planes };
        let (mask, mut out) = ([0.0, 0.5], [9.0; 6]);
        planes.multiply(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &mask, &mut out);
        assert_eq!(out, [0.0, 1.0, 0.0, 2.0, 0.0, 3.0]);
        pixels.multiply(&[1.0, 3.0, 5.0, 2.0, 4.0, 6.0], &mask, &mut out);
        assert_eq!(out, [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
        assert_eq!((planes.at(1, 2), pixels.at(1, 2)), (5, 5));
        assert_eq!((planes.at(0, 1), pixels.at(0, 1)), (2, 1));
    }
}
