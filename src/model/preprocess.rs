//! The per-frame work: cut, resize, normalise.

use fast_image_resize::images::{TypedCroppedImageMut, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ImageView, ResizeAlg, ResizeError, ResizeOptions, Resizer};

use super::preprocessing::{Channels, Filter, Fit, Inner, Layout, Preprocessing};
use crate::frame::Picture;
use crate::view::View;

/// Turns pictures of any size into the values of a model's input, on buffers of its own.
pub struct Preprocessor {
    preprocessing: Preprocessing,
    resizer: Resizer,
    /// The resized picture: RGB8, `[height, width]`.
    resized: TypedImage<'static, U8x3>,
    /// The input's value for each byte of a channel, in the order of the channels.
    values: [[f32; 256]; 3],
}

impl Preprocessor {
    /// A preprocessor for one model.
    pub fn new(preprocessing: &Preprocessing) -> Preprocessor {
        let value = |channel: usize, byte: usize| {
            // A byte is at most 255, f64 holds it exactly.
            ((byte as f64 - preprocessing.mean[channel]) / preprocessing.std[channel]) as f32
        };
        Preprocessor {
            preprocessing: preprocessing.clone(),
            resizer: Resizer::new(),
            resized: TypedImage::new(preprocessing.width, preprocessing.height),
            values: std::array::from_fn(|channel| std::array::from_fn(|byte| value(channel, byte))),
        }
    }

    /// Writes `picture` to `input`, which holds the values of one picture in the model's layout, and
    /// returns the rectangle of the picture that they show.
    ///
    /// # Panics
    ///
    /// If `input` is not as long as [`Preprocessing::input_shape`] of one picture says.
    pub fn run(&mut self, picture: &Picture, input: &mut [f32]) -> View {
        self.expect(input);
        let (width, height) = picture.size();
        let view = self.preprocessing.view(width, height);
        self.resize(picture, &view);
        self.normalise(input);
        view
    }

    /// As [`Preprocessor::run`] for a part of the picture, which fills the input whatever the resize rule.
    ///
    /// # Panics
    ///
    /// As [`Preprocessor::run`].
    pub fn run_part(&mut self, picture: &Picture, part: View, input: &mut [f32]) {
        self.expect(input);
        let (width, height) = picture.size();
        if let Ok(source) = TypedImageRef::<U8x3>::from_buffer(width, height, picture.rgb()) {
            let cut = self.cut(&source, &part);
            debug_assert!(cut.is_ok(), "{cut:?}: {part:?} of {width}x{height}");
        }
        self.normalise(input);
    }

    fn expect(&self, input: &[f32]) {
        let expected: usize = self.preprocessing.input_shape(1).iter().product();
        assert_eq!(input.len(), expected, "the input does not belong to this preprocessor");
    }

    /// Resizes what lies in `part` to the whole input.
    fn cut(&mut self, source: &TypedImageRef<'_, U8x3>, part: &View) -> Result<(), ResizeError> {
        let (x, y) = (part.x.max(0.0), part.y.max(0.0));
        // Rounding may carry the far edges beyond the picture by a trifle, which is refused.
        let width = part.width.min(f64::from(source.width()) - x);
        let height = part.height.min(f64::from(source.height()) - y);
        let options = ResizeOptions::new().resize_alg(algorithm(self.preprocessing.filter));
        self.resizer.resize_typed(source, &mut self.resized, &options.crop(x, y, width, height))
    }

    fn resize(&mut self, picture: &Picture, view: &View) {
        let (width, height) = picture.size();
        let Ok(source) = TypedImageRef::<U8x3>::from_buffer(width, height, picture.rgb()) else {
            // A picture always holds 3 bytes a pixel.
            return;
        };
        let options = ResizeOptions::new().resize_alg(algorithm(self.preprocessing.filter));
        let resized = match self.preprocessing.fit {
            Fit::Squash => self.resizer.resize_typed(&source, &mut self.resized, &options),
            Fit::Crop(_) | Fit::Stretch(_) => self.cut(&source, view),
            Fit::Letterbox(colour) => {
                self.resized.pixels_mut().fill(U8x3::new(colour));
                let Inner { x, y, width, height } = self.preprocessing.letterbox(width, height);
                match TypedCroppedImageMut::from_ref(&mut self.resized, x, y, width, height) {
                    Ok(mut inner) => self.resizer.resize_typed(&source, &mut inner, &options),
                    Err(_) => Ok(()),
                }
            }
        };
        debug_assert!(resized.is_ok(), "{resized:?}: {width}x{height} with {:?}", self.preprocessing);
    }

    fn normalise(&self, input: &mut [f32]) {
        let pixels = self.resized.pixels().iter().map(|pixel| &pixel.0);
        let [first, second, third] = &self.values;
        let value = |table: &[f32; 256], byte: u8| table[usize::from(byte)];
        // Where the channels of an RGB pixel are, in the model's order.
        let (a, b, c) = match self.preprocessing.channels {
            Channels::Rgb => (0, 1, 2),
            Channels::Bgr => (2, 1, 0),
            Channels::Gray => {
                for (out, pixel) in input.iter_mut().zip(pixels) {
                    *out = value(first, luma(pixel));
                }
                return;
            }
        };
        match self.preprocessing.layout {
            Layout::Nhwc => {
                for (out, pixel) in input.chunks_exact_mut(3).zip(pixels) {
                    out[0] = value(first, pixel[a]);
                    out[1] = value(second, pixel[b]);
                    out[2] = value(third, pixel[c]);
                }
            }
            Layout::Nchw => {
                let (first_plane, rest) = input.split_at_mut(input.len() / 3);
                let (second_plane, third_plane) = rest.split_at_mut(rest.len() / 2);
                let planes = first_plane.iter_mut().zip(second_plane).zip(third_plane);
                for (((x, y), z), pixel) in planes.zip(pixels) {
                    *x = value(first, pixel[a]);
                    *y = value(second, pixel[b]);
                    *z = value(third, pixel[c]);
                }
            }
        }
    }
}

/// ITU-R BT.601 luma in thousandths, rounded.
fn luma(pixel: &[u8; 3]) -> u8 {
    let [red, green, blue] = pixel.map(u32::from);
    // The weights add up to 1000, so the result is at most 255.
    ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
}

fn algorithm(filter: Filter) -> ResizeAlg {
    match filter {
        Filter::Nearest => ResizeAlg::Nearest,
        Filter::Box => ResizeAlg::Convolution(FilterType::Box),
        Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
        Filter::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn input_of(settings: &Preprocessing, picture: &Picture) -> (Vec<f32>, View) {
        let mut input = vec![f32::NAN; settings.input_shape(1).iter().product()];
        let view = Preprocessor::new(settings).run(picture, &mut input);
        (input, view)
    }

    /// A 2x1 picture: an orange and a dark blue pixel.
    fn two_pixels() -> Picture {
        Picture::from_rgb(2, 1, vec![200, 100, 0, 10, 20, 50]).unwrap()
    }

    #[test]
    fn values_are_normalised_in_the_order_of_the_model() {
        let mut settings = Preprocessing::plain(2, 1, Fit::Squash);
        (settings.mean, settings.std) = ([10.0, 20.0, 30.0], [2.0, 4.0, 5.0]);
        let (input, _) = input_of(&settings, &two_pixels());
        assert_eq!(input, [95.0, 0.0, 20.0, 0.0, -6.0, 4.0]);
        settings.layout = Layout::Nhwc;
        assert_eq!(input_of(&settings, &two_pixels()).0, [95.0, 20.0, -6.0, 0.0, 0.0, 4.0]);
        settings.channels = Channels::Bgr;
        assert_eq!(input_of(&settings, &two_pixels()).0, [-5.0, 20.0, 34.0, 20.0, 0.0, -4.0]);
        settings.channels = Channels::Gray;
        settings.mean = [0.0; 3];
        settings.std = [1.0; 3];
        // 0.299 * 200 + 0.587 * 100 = 118.5 and 0.299 * 10 + 0.587 * 20 + 0.114 * 50 = 20.43
        assert_eq!(input_of(&settings, &two_pixels()).0, [119.0, 20.0]);
    }

    #[test]
    fn a_letterbox_is_filled_with_its_colour() {
        let settings = Preprocessing::plain(2, 3, Fit::Letterbox([7, 8, 9]));
        let (input, _) = input_of(&settings, &two_pixels());
        assert_eq!(input[..6], [7.0, 7.0, 200.0, 10.0, 7.0, 7.0]);
        assert_eq!(input[12..], [9.0, 9.0, 0.0, 50.0, 9.0, 9.0]);
    }

    #[test]
    fn shrinking_looks_at_every_pixel() {
        let mut checks = Picture::black(8, 8);
        for (at, pixel) in checks.rgb_mut().chunks_exact_mut(3).enumerate() {
            pixel.fill(if (at + at / 8) % 2 == 0 { 200 } else { 0 });
        }
        let (input, _) = input_of(&Preprocessing::plain(2, 2, Fit::Squash), &checks);
        assert!(input.iter().all(|value| (value - 100.0).abs() <= 1.0), "{input:?}");
    }

    #[test]
    fn the_smallest_the_longest_and_the_largest_pictures_work() {
        let fits =
            [Fit::Squash, Fit::Stretch(0.6), Fit::Crop(0.875), Fit::Crop(0.01), Fit::Letterbox([255; 3])];
        for (width, height) in [(1, 1), (1, 60_000), (60_000, 1), (2, 3), (5000, 4000)] {
            let white = Picture::from_rgb(width, height, vec![255; (3 * width * height) as usize]).unwrap();
            for fit in fits {
                for filter in
                    [Filter::Nearest, Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos]
                {
                    let settings = Preprocessing { filter, ..Preprocessing::plain(32, 32, fit) };
                    let (input, view) = input_of(&settings, &white);
                    assert!(view.width > 0.0 && view.height > 0.0, "{view:?}");
                    assert!(input.iter().all(|&value| value == 255.0), "{width}x{height} {settings:?}");
                }
            }
        }
    }

    fn any_fit() -> impl Strategy<Value = Fit> {
        prop_oneof![Just(Fit::Squash), Just(Fit::Letterbox([0; 3])), (0.3..=1.0_f64).prop_map(Fit::Crop),]
    }

    proptest! {
        /// The brightness around a white dot, seen by the model, leads back to the dot through the view.
        #[test]
        fn a_dot_is_found_where_it_is(
            fit in any_fit(),
            (width, height) in (90..300_u32, 90..300_u32),
            (input_width, input_height) in (33..80_u32, 33..80_u32),
            (across, down) in (0.0..1.0_f64, 0.0..1.0_f64),
        ) {
            let settings = Preprocessing::plain(input_width, input_height, fit);
            let seen = settings.view(width, height);
            // A dot of 9x9 pixels somewhere within both the picture and the view.
            let place = |share: f64, start: f64, length: f64, side: u32| {
                let (low, high) = (start.max(0.0) + 18.0, (start + length).min(f64::from(side)) - 18.0);
                (high > low).then_some((low + share * (high - low)) as u32)
            };
            let x = place(across, seen.x, seen.width, width);
            let y = place(down, seen.y, seen.height, height);
            prop_assume!(x.is_some() && y.is_some());
            let (x, y) = (x.unwrap(), y.unwrap());

            let mut picture = Picture::black(width, height);
            for row in y - 4..=y + 4 {
                let start = 3 * (row * width + x - 4) as usize;
                picture.rgb_mut()[start..start + 27].fill(255);
            }
            let (input, view) = input_of(&settings, &picture);

            let (mut sum, mut u, mut v) = (0.0, 0.0, 0.0);
            let plane = &input[..(input_width * input_height) as usize];
            for (at, &value) in (0_u32..).zip(plane) {
                let weight = f64::from(value);
                sum += weight;
                u += weight * (f64::from(at % input_width) + 0.5) / f64::from(input_width);
                v += weight * (f64::from(at / input_width) + 0.5) / f64::from(input_height);
            }
            prop_assert!(sum > 0.0);
            let (found_x, found_y) = view.to_source(u / sum, v / sum);
            // The centre of pixel x is x + 0.5; rounding to bytes costs a little.
            prop_assert!((found_x - f64::from(x) - 0.5).abs() < 0.5, "{found_x} for {x}: {view:?}");
            prop_assert!((found_y - f64::from(y) - 0.5).abs() < 0.5, "{found_y} for {y}: {view:?}");
        }
    }
}
