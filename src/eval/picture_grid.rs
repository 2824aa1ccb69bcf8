//! A map's values on a grid over the whole picture, whatever part of it the model saw.

use std::borrow::Cow;

use super::metrics::Rect;
use crate::dataset::Mask;
use crate::localize::{GRID, Segmentation};
use crate::view::View;

/// A grid `[224, 224]` over the view, laid over the picture: cells that the model did not see are 0.
pub(super) fn over_picture<'a>(grid: &'a [f32], view: View, size: (u32, u32)) -> Cow<'a, [f32]> {
    if view == View::whole(size.0, size.1) {
        return Cow::Borrowed(grid);
    }
    let cell = |at: usize, side: u32, start: f64, length: f64| {
        let pixel = (at as f64 + 0.5) * f64::from(side) / GRID as f64;
        let place = (pixel - start) / length * GRID as f64;
        (place >= 0.0 && place < GRID as f64).then_some(place as usize)
    };
    let columns: Vec<Option<usize>> = (0..GRID).map(|x| cell(x, size.0, view.x, view.width)).collect();
    let rows = (0..GRID).map(|y| cell(y, size.1, view.y, view.height));
    let value = |y: Option<usize>, x: Option<usize>| grid.get(y? * GRID + x?).copied();
    rows.flat_map(|y| columns.iter().map(move |&x| value(y, x).unwrap_or(0.0))).collect()
}

/// A grid over the picture as a value for each of its pixels.
fn per_pixel(grid: &[f32], (width, height): (u32, u32)) -> Vec<f32> {
    let cell = |pixel: u32, side: u32| pixel as usize * GRID / side as usize;
    let row = |y: u32| (0..width).map(move |x| grid[cell(y, height) * GRID + cell(x, width)]);
    (0..height).flat_map(row).collect()
}

/// The heat of a map's grid over `view` at each pixel of a picture, `[h, w]`.
pub(super) fn heat(grid: &[f32], view: View, size: (u32, u32)) -> Vec<f32> {
    per_pixel(&over_picture(grid, view, size), size)
}

/// The centre of a cell, in pixels of the picture.
fn centre(cell: usize, size: (u32, u32)) -> (f64, f64) {
    let pixel = |cell: usize, side: u32| (cell as f64 + 0.5) * f64::from(side) / GRID as f64;
    (pixel(cell % GRID, size.0), pixel(cell / GRID, size.1))
}

/// The centre of the highest cell, in pixels of the picture; `None` where no cell is above 0.
pub(super) fn peak(over_picture: &[f32], size: (u32, u32)) -> Option<(f64, f64)> {
    let highest = over_picture.iter().copied().fold(0.0, f32::max);
    let at = over_picture.iter().position(|&v| v > 0.0 && v == highest)?;
    Some(centre(at, size))
}

/// The true mask at the cells' centres.
pub(super) fn of_mask(mask: &Mask) -> Vec<bool> {
    at_centres(mask.size, &mask.pixels).map(|pixel| pixel.unwrap_or(false)).collect()
}

/// The pixels of all regions at the cells' centres, 1 or 0.
pub(super) fn of_pixels(found: &Segmentation) -> Vec<f32> {
    at_centres(found.size, &found.labels).map(|label| f32::from(u8::from(label.unwrap_or(0) > 0))).collect()
}

/// The pixels, `[height, width]`, at the cells' centres.
fn at_centres<T: Copy>((width, height): (u32, u32), pixels: &[T]) -> impl Iterator<Item = Option<T>> {
    let (width, height) = (width as usize, height as usize);
    let pixel = |cell: usize, side: usize| (2 * cell + 1) * side / (2 * GRID);
    (0..GRID * GRID)
        .map(move |cell| pixels.get(pixel(cell / GRID, height) * width + pixel(cell % GRID, width)).copied())
}

/// The cells whose centres lie in a box.
pub(super) fn of_box(bbox: &Rect, size: (u32, u32)) -> Vec<f32> {
    let inside = |cell: usize| bbox.contains(centre(cell, size));
    (0..GRID * GRID).map(|cell| f32::from(u8::from(inside(cell)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Picture;
    use crate::localize::{Localizer, Segmenter, Settings};
    use crate::maps::ClassMap;

    #[test]
    fn a_crop_is_put_back_in_its_place() {
        let grid: Vec<f32> = (0..GRID * GRID).map(|i| if i % GRID < GRID / 2 { 1.0 } else { 0.25 }).collect();
        let view = View { x: 100.0, y: 0.0, width: 200.0, height: 200.0 };
        let laid = over_picture(&grid, view, (400, 200));
        let at = |x: usize| laid[100 * GRID + x];
        assert_eq!(
            [at(10), at(55), at(57), at(111), at(113), at(167), at(169)],
            [0.0, 0.0, 1.0, 1.0, 0.25, 0.25, 0.0]
        );
        let whole = over_picture(&grid, View::whole(400, 200), (400, 200));
        assert!(matches!(whole, Cow::Borrowed(_)));
        assert_eq!(peak(&laid, (400, 200)), Some((100.0 + 50.0 / 56.0, 200.0 / 448.0)));
        assert_eq!(peak(&[0.0; GRID * GRID], (4, 2)), None);
    }

    #[test]
    fn the_pixels_of_a_region_are_its_cells() {
        // Half of the map is hot; its cells are those above half of the peak.
        let values = (0..49).map(|i| if i % 7 < 3 { 1.0 } else { 0.0 }).collect();
        let maps = [ClassMap { class_id: 1, score: 1.0, height: 7, width: 7, values, bounds: None }];
        let (view, picture) = (View::whole(448, 300), Picture::black(448, 300));
        let settings = Settings { threshold: 0.5, ..Settings::default() };
        let (mut found, mut pixels) = (Vec::new(), Segmentation::default());
        Localizer::new(settings).locate(&maps, view, picture.size(), &mut found);
        Segmenter::new(false).segment(&maps, &settings, &found, view, &picture, &mut pixels);
        let cells = of_pixels(&pixels);
        assert_eq!(cells, of_box(&found[0].bbox.into(), picture.size()));
        assert!(cells.contains(&1.0) && cells.contains(&0.0));
    }

    #[test]
    fn each_pixel_has_the_value_of_its_cell() {
        let grid: Vec<f32> = (0..GRID * GRID).map(|cell| (cell % GRID) as f32).collect();
        assert_eq!(per_pixel(&grid, (4, 1)), [0.0, 56.0, 112.0, 168.0]);
    }
}
