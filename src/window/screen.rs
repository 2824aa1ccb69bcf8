//! From pictures to the pixels of a window: [`Screen`].

use fast_image_resize::images::{TypedCroppedImageMut, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use imageproc::rect::Rect;

use crate::frame::Picture;

/// Beside and around the picture.
const GROUND: u8 = 0x14;

/// The longer side of a new window, in pixels: no less and no more.
const SIDES: (f64, f64) = (640.0, 1280.0);

/// The size of a new window for `count` pictures of this size, side by side: of their aspect, neither tiny nor larger than
/// most screens.
pub(super) fn initial_size((width, height): (u32, u32), count: usize) -> (u32, u32) {
    // A square of pictures has a picture's aspect, and what is wider than high suits screens.
    let columns = (1..=count).find(|columns| columns * columns >= count).unwrap_or(1);
    let rows = count.div_ceil(columns);
    let (width, height) = (columns as f64 * f64::from(width.max(1)), rows as f64 * f64::from(height.max(1)));
    let longer = width.max(height);
    let scale = longer.clamp(SIDES.0, SIDES.1) / longer;
    // Even a picture of one line gets a window that can be seen.
    let side = |length: f64| (length * scale).round().max(64.0) as u32;
    (side(width), side(height))
}

/// Where pictures are enlarged or reduced, drawn upon, and packed for the window system.
///
/// Allocates nothing while sizes stay.
#[derive(Debug)]
pub(super) struct Screen {
    canvas: Picture,
    pixels: Vec<u32>,
    resizer: Resizer,
}

impl Default for Screen {
    fn default() -> Screen {
        let canvas = Picture::black(0, 0);
        Screen { canvas, pixels: Vec::new(), resizer: Resizer::new() }
    }
}

impl Screen {
    /// Width and height of the canvas.
    pub(super) fn size(&self) -> (u32, u32) {
        self.canvas.size()
    }

    /// Puts each picture in the middle of its tile of a canvas of this size, as large as fits, and returns the canvas and
    /// its tiles. One picture has all of it.
    pub(super) fn place(&mut self, pictures: &[Option<Picture>], size: (u32, u32)) -> (&mut Picture, Tiles) {
        if self.canvas.size() != size {
            self.canvas = Picture::black(size.0, size.1);
        }
        // Panels may have been drawn on the ground, so it is painted every time; it is small or quick.
        let is_whole = |picture: &Picture| fitted(picture.size(), size) == size;
        if !matches!(pictures, [Some(picture)] if is_whole(picture)) {
            self.canvas.rgb_mut().fill(GROUND);
        }
        let sizes = pictures.iter().flatten().map(Picture::size);
        let tiles = Tiles::of(sizes.max().unwrap_or(size), pictures.len(), size);
        for (place, picture) in pictures.iter().enumerate() {
            if let Some(picture) = picture {
                self.fit(picture, tiles.tile(place));
            }
        }
        (&mut self.canvas, tiles)
    }

    /// The canvas as minifb wants it: `0RGB`, a `u32` a pixel.
    pub(super) fn pixels(&mut self) -> &[u32] {
        let rgb = self.canvas.rgb();
        self.pixels.resize(rgb.len() / 3, 0);
        let pack = |rgb: &[u8; 3]| u32::from_be_bytes([0, rgb[0], rgb[1], rgb[2]]);
        // Four at a time compile to vector instructions, twice as fast as one by one.
        let (fours, rest) = self.pixels.as_chunks_mut::<4>();
        let (rgb_fours, rgb_rest) = rgb.as_chunks::<12>();
        for (pixels, rgb) in fours.iter_mut().zip(rgb_fours) {
            let (rgb, _) = rgb.as_chunks::<3>();
            *pixels = std::array::from_fn(|i| pack(&rgb[i]));
        }
        for (pixel, rgb) in rest.iter_mut().zip(rgb_rest.as_chunks::<3>().0) {
            *pixel = pack(rgb);
        }
        &self.pixels
    }

    fn fit(&mut self, picture: &Picture, tile: Rect) {
        let (width, height) = self.canvas.size();
        let room = (tile.width(), tile.height());
        if picture.size() == (width, height) && room == (width, height) {
            self.canvas.rgb_mut().copy_from_slice(picture.rgb());
            return;
        }
        let (fit_width, fit_height) = fitted(picture.size(), room);
        let beside = ((room.0 - fit_width) / 2, (room.1 - fit_height) / 2);
        let (left, top) = (tile.left() as u32 + beside.0, tile.top() as u32 + beside.1);
        // Linear between the nearest pixels; only a reduction to less than half would skip some, so it weighs them
        // all, which takes half as long again.
        let algorithm = if picture.width() > 2 * fit_width || picture.height() > 2 * fit_height {
            ResizeAlg::Convolution(FilterType::Bilinear)
        } else {
            ResizeAlg::Interpolation(FilterType::Bilinear)
        };
        let options = ResizeOptions::new().resize_alg(algorithm);
        let source = TypedImageRef::<U8x3>::from_buffer(picture.width(), picture.height(), picture.rgb());
        let canvas = TypedImage::<U8x3>::from_buffer(width, height, self.canvas.rgb_mut());
        // Both buffers are as long as their sizes say and the fitted rectangle lies inside; an empty picture, which
        // fails here, leaves the ground.
        if let (Ok(source), Ok(mut canvas)) = (source, canvas)
            && let Ok(mut place) =
                TypedCroppedImageMut::from_ref(&mut canvas, left, top, fit_width, fit_height)
        {
            let _ = self.resizer.resize_typed(&source, &mut place, &options);
        }
    }
}

/// A canvas divided among pictures, in rows from the left.
pub(super) struct Tiles {
    canvas: (u32, u32),
    columns: u32,
    rows: u32,
}

impl Tiles {
    /// As many columns as make `count` pictures of this size largest.
    fn of(picture: (u32, u32), count: usize, canvas: (u32, u32)) -> Tiles {
        let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let tiles = |columns: u32| Tiles { canvas, columns, rows: count.div_ceil(columns) };
        let shown = |tiles: &Tiles| fitted(picture, (canvas.0 / tiles.columns, canvas.1 / tiles.rows)).0;
        // Of equals the first: fewer columns have fewer tiles that stay empty.
        (2..=count)
            .map(tiles)
            .fold(tiles(1), |best, other| if shown(&other) > shown(&best) { other } else { best })
    }

    /// Where on the canvas a picture has its place.
    pub(super) fn tile(&self, place: usize) -> Rect {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        let (column, row) = (place % self.columns, place / self.columns);
        // A canvas of fewer pixels than tiles has places outside of itself, where nothing is drawn.
        let (width, height) = ((self.canvas.0 / self.columns).max(1), (self.canvas.1 / self.rows).max(1));
        Rect::at((column * width) as i32, (row * height) as i32).of_size(width, height)
    }
}

/// The largest size of the picture's aspect that fits into the canvas.
fn fitted((width, height): (u32, u32), (canvas_width, canvas_height): (u32, u32)) -> (u32, u32) {
    let (width, height) = (f64::from(width.max(1)), f64::from(height.max(1)));
    let scale = (f64::from(canvas_width) / width).min(f64::from(canvas_height) / height);
    let side = |length: f64, limit: u32| ((length * scale).round() as u32).clamp(1.min(limit), limit);
    (side(width, canvas_width), side(height, canvas_height))
}

/// The place on a picture of a place on the canvas where it is shown, in pixels of either.
pub(super) fn on_picture((x, y): (f64, f64), picture: (u32, u32), canvas: (u32, u32)) -> (f64, f64) {
    let fit = fitted(picture, canvas);
    let along = |at: f64, picture: u32, canvas: u32, fit: u32| {
        (at - f64::from((canvas - fit) / 2)) * f64::from(picture) / f64::from(fit.max(1))
    };
    (along(x, picture.0, canvas.0, fit.0), along(y, picture.1, canvas.1, fit.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREY: u32 = 0x14_14_14;

    fn shown(picture: (u32, u32), size: (u32, u32)) -> Vec<u32> {
        let pixels = [255, 128, 0].repeat((picture.0 * picture.1) as usize);
        let picture = Picture::from_rgb(picture.0, picture.1, pixels).unwrap();
        let mut screen = Screen::default();
        screen.place(&[Some(picture)], size);
        screen.pixels().to_vec()
    }

    #[test]
    fn several_pictures_share_the_window_and_keep_their_places() {
        let plain = |size: (u32, u32), level: u8| {
            Picture::from_rgb(size.0, size.1, vec![level; 3 * (size.0 * size.1) as usize])
        };
        let mut screen = Screen::default();
        let at = |screen: &mut Screen, size: (u32, u32), x: u32, y: u32| {
            screen.pixels()[(y * size.0 + x) as usize] & 0xff
        };
        // Side by side where that is larger, above each other where this is.
        let two = [plain((8, 4), 100), plain((8, 4), 200)];
        screen.place(&two, (16, 4));
        assert_eq!((at(&mut screen, (16, 4), 0, 0), at(&mut screen, (16, 4), 15, 3)), (100, 200));
        screen.place(&two, (8, 8));
        assert_eq!((at(&mut screen, (8, 8), 0, 0), at(&mut screen, (8, 8), 7, 7)), (100, 200));
        // A picture that has not come yet leaves its tile empty, and so does a fourth of three.
        let three = [plain((8, 4), 100), None, plain((8, 4), 200)];
        screen.place(&three, (16, 8));
        let corners = [(0, 0), (15, 0), (0, 7), (15, 7)];
        assert_eq!(corners.map(|(x, y)| at(&mut screen, (16, 8), x, y)), [100, 0x14, 200, 0x14]);
    }

    #[test]
    fn the_picture_fills_the_window_and_keeps_its_aspect() {
        for (picture, size) in [((8, 4), (8, 4)), ((80, 40), (8, 4)), ((2, 1), (8, 4))] {
            assert!(shown(picture, size).iter().all(|&pixel| pixel == 0xff_80_00));
        }
        let wide = shown((8, 4), (8, 8));
        assert!(wide[..16].iter().chain(&wide[48..]).all(|&pixel| pixel == GREY));
        assert!(wide[16..48].iter().all(|&pixel| pixel == 0xff_80_00));
        let tall = shown((2, 8), (8, 8));
        assert_eq!(&tall[..8], &[GREY, GREY, GREY, 0xff_80_00, 0xff_80_00, GREY, GREY, GREY]);
    }

    #[test]
    fn odd_sizes_do_no_harm() {
        shown((1, 3000), (5, 5));
        shown((3000, 1), (1, 1));
        shown((7, 7), (1, 900));
        let mut screen = Screen::default();
        screen.place(&[Some(Picture::black(0, 0))], (3, 2));
        assert_eq!(screen.pixels(), [GREY; 6]);
        screen.place(&[None], (2, 2));
        assert_eq!(screen.pixels(), [GREY; 4]);
    }

    #[test]
    fn a_place_on_the_canvas_is_found_on_the_picture() {
        // Twice as large, with bars of 50 above and below.
        let at = |place| on_picture(place, (100, 50), (200, 200));
        assert_eq!(at((0.0, 50.0)), (0.0, 0.0));
        assert_eq!(at((200.0, 150.0)), (100.0, 50.0));
        assert_eq!(at((50.0, 100.0)), (25.0, 25.0));
        assert_eq!(at((0.0, 0.0)), (0.0, -25.0));
        assert!(on_picture((1.0, 1.0), (0, 0), (0, 0)).0.is_finite());
    }

    #[test]
    fn a_new_window_suits_the_picture_and_the_screen() {
        assert_eq!(initial_size((1280, 720), 1), (1280, 720));
        assert_eq!(initial_size((3840, 2160), 1), (1280, 720));
        assert_eq!(initial_size((224, 224), 1), (640, 640));
        assert_eq!(initial_size((1080, 1920), 1), (720, 1280));
        assert_eq!(initial_size((10_000, 1), 1), (1280, 64));
        assert_eq!(initial_size((640, 480), 2), (1280, 480));
        assert_eq!(initial_size((640, 480), 4), (1280, 960));
    }
}
