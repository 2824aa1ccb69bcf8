//! How a picture becomes a model's input: the settings, and what follows from them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::view::View;

/// Everything between a picture and the values of the model's image input.
///
/// It belongs to the model: a network sees what it has been trained on only if its pictures are cut,
/// resized and normalised as they were then.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessing {
    /// Width of the input in pixels, > 0.
    pub width: u32,
    /// Height of the input in pixels, > 0.
    pub height: u32,
    /// Which part of the picture fills the input.
    pub fit: Fit,
    /// How pixels are interpolated.
    pub filter: Filter,
    /// Which channels the input has, in which order.
    pub channels: Channels,
    /// How the input's axes are ordered.
    pub layout: Layout,
    /// Subtracted from each channel, in units of 0..255, in the order of `channels`.
    pub mean: [f64; 3],
    /// Divides each channel after that, in units of 0..255, never 0.
    pub std: [f64; 3],
}

/// Which part of a picture fills the model's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fit {
    /// The largest centred rectangle of the input's aspect, times this share, 0 < share <= 1.
    Crop(f64),
    /// The whole picture, its aspect given up.
    Squash,
    /// The centre of the picture, this share of each side, 0 < share <= 1, its aspect given up.
    Stretch(f64),
    /// The whole picture, its aspect kept, the rest in this RGB colour.
    Letterbox([u8; 3]),
}

impl fmt::Display for Fit {
    /// As a manifest has it: `crop 0.875`, `squash`, `stretch 0.875`, `letterbox`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fit::Crop(share) => write!(f, "crop {share}"),
            Fit::Squash => f.write_str("squash"),
            Fit::Stretch(share) => write!(f, "stretch {share}"),
            Fit::Letterbox(_) => f.write_str("letterbox"),
        }
    }
}

/// How pixels are interpolated; all of these smooth when they shrink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// The nearest pixel; does not smooth.
    Nearest,
    /// The mean of the covered pixels.
    Box,
    /// Linear, what torchvision does by default.
    #[default]
    Bilinear,
    /// Cubic (Catmull-Rom, a = -0.5).
    Bicubic,
    /// A windowed sinc of three lobes.
    Lanczos,
}

/// The channels of a model's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red, as OpenCV and Caffe have them.
    Bgr,
    /// One channel: luma after ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B.
    Gray,
}

impl fmt::Display for Channels {
    /// As a manifest has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Channels::Rgb => "rgb",
            Channels::Bgr => "bgr",
            Channels::Gray => "gray",
        })
    }
}

/// The order of an input's axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[N, C, H, W]`, as PyTorch has it.
    #[default]
    Nchw,
    /// `[N, H, W, C]`, as TensorFlow has it.
    Nhwc,
}

impl fmt::Display for Layout {
    /// As a manifest has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layout::Nchw => "nchw",
            Layout::Nhwc => "nhwc",
        })
    }
}

impl Channels {
    /// 1 or 3.
    pub fn count(self) -> usize {
        match self {
            Channels::Rgb | Channels::Bgr => 3,
            Channels::Gray => 1,
        }
    }
}

impl Preprocessing {
    /// The shape of an input of `batch` pictures, for [`crate::runtime::Options`].
    pub fn input_shape(&self, batch: usize) -> Vec<usize> {
        let (height, width, channels) = (self.height as usize, self.width as usize, self.channels.count());
        match self.layout {
            Layout::Nchw => vec![batch, channels, height, width],
            Layout::Nhwc => vec![batch, height, width, channels],
        }
    }

    /// The rectangle of a picture of this size that the input covers.
    pub fn view(&self, width: u32, height: u32) -> View {
        let (source_width, source_height) = (f64::from(width), f64::from(height));
        let (input_width, input_height) = (f64::from(self.width), f64::from(self.height));
        match self.fit {
            Fit::Squash => View::whole(width, height),
            Fit::Stretch(share) => View {
                x: (1.0 - share) * source_width / 2.0,
                y: (1.0 - share) * source_height / 2.0,
                width: share * source_width,
                height: share * source_height,
            },
            Fit::Crop(share) => {
                let scale = share * (source_width / input_width).min(source_height / input_height);
                let (width, height) = (scale * input_width, scale * input_height);
                View { x: (source_width - width) / 2.0, y: (source_height - height) / 2.0, width, height }
            }
            Fit::Letterbox(_) => {
                let inner = self.letterbox(width, height);
                let (scale_x, scale_y) =
                    (source_width / f64::from(inner.width), source_height / f64::from(inner.height));
                View {
                    x: -f64::from(inner.x) * scale_x,
                    y: -f64::from(inner.y) * scale_y,
                    width: input_width * scale_x,
                    height: input_height * scale_y,
                }
            }
        }
    }

    /// The whole pixels of the input that the picture takes within its letterbox.
    pub(super) fn letterbox(&self, width: u32, height: u32) -> Inner {
        let scale = (f64::from(self.width) / f64::from(width.max(1)))
            .min(f64::from(self.height) / f64::from(height.max(1)));
        let side =
            |source: u32, most: u32| ((f64::from(source) * scale).round() as u32).clamp(1, most.max(1));
        let (inner_width, inner_height) = (side(width, self.width), side(height, self.height));
        Inner {
            x: (self.width - inner_width) / 2,
            y: (self.height - inner_height) / 2,
            width: inner_width,
            height: inner_height,
        }
    }
}

/// A rectangle within the input, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inner {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

#[cfg(test)]
impl Preprocessing {
    /// Plain RGB values, for tests of where pixels come from.
    pub(super) fn plain(width: u32, height: u32, fit: Fit) -> Preprocessing {
        Preprocessing {
            width,
            height,
            fit,
            filter: Filter::Bilinear,
            channels: Channels::Rgb,
            layout: Layout::Nchw,
            mean: [0.0; 3],
            std: [1.0; 3],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_is_centred_and_keeps_the_aspect() {
        let view = Preprocessing::plain(224, 224, Fit::Crop(0.875)).view(1280, 720);
        assert_eq!(view, View { x: 325.0, y: 45.0, width: 630.0, height: 630.0 });
        let wide = Preprocessing::plain(200, 100, Fit::Crop(1.0)).view(300, 300);
        assert_eq!(wide, View { x: 0.0, y: 75.0, width: 300.0, height: 150.0 });
        let stretched = Preprocessing::plain(224, 224, Fit::Stretch(0.5)).view(400, 200);
        assert_eq!(stretched, View { x: 100.0, y: 50.0, width: 200.0, height: 100.0 });
    }

    #[test]
    fn a_letterbox_reaches_beyond_the_picture() {
        let view = Preprocessing::plain(224, 224, Fit::Letterbox([0; 3])).view(448, 224);
        assert_eq!(view, View { x: 0.0, y: -112.0, width: 448.0, height: 448.0 });
    }

    #[test]
    fn the_shape_follows_the_layout() {
        let mut input = Preprocessing::plain(20, 10, Fit::Squash);
        assert_eq!(input.input_shape(2), [2, 3, 10, 20]);
        input.layout = Layout::Nhwc;
        input.channels = Channels::Gray;
        assert_eq!(input.input_shape(1), [1, 10, 20, 1]);
    }
}
