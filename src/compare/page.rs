//! The comparison as one self-contained page: `templates/compare.html`, compiled in. Labels and names are text to it.

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::ImageError;
use serde::Serialize;

use super::draw::percent;
use super::{Cell, Class, Column, SideBySide};
use crate::maps::ClassMap;
use crate::picture::write_jpeg;
use crate::render::fine_peak;

/// 88 of 100: the photo is the background of everything.
const JPEG_QUALITY: u8 = 88;

/// Why a page can't be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// The photo can't be put into it.
    #[error("the photo can't be put into the page: its size is beyond what JPEG can hold")]
    Photo(#[from] ImageError),
    /// The maps can't be put into it.
    #[error("the maps can't be put into the page")]
    Maps(#[from] serde_json::Error),
    /// The page can't be written out.
    #[error("the page can't be written out")]
    Page(#[from] askama::Error),
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    all: &'a SideBySide,
    title: String,
    subtitle: String,
    legend: Vec<String>,
    threshold: f32,
    opacity: f32,
    /// The photo as a data URI.
    photo: String,
    /// What the script reads, as JSON that is safe within a page.
    data: String,
}

/// What the script reads.
#[derive(Serialize)]
struct Data {
    width: u32,
    height: u32,
    /// 256 colours from cold to hot, RGB, in base 64.
    colours: String,
    /// By row, then by column.
    cells: Vec<Vec<Option<MapData>>>,
}

/// A map in a compact form.
#[derive(Serialize)]
struct MapData {
    rows: usize,
    columns: usize,
    /// Left, top, width and height of what the map covers, in pixels of the photo.
    view: [f64; 4],
    low: f32,
    high: f32,
    /// In base 64: for each value a little-endian u16, 0 for `low`, 65535 for `high`.
    values: String,
    fine: bool,
    /// What is drawn white, where it is drawn in greys.
    white: f32,
}

impl SideBySide {
    /// A page with the maps in it: the cursor shows their values, sliders move the threshold and the opacity. It needs
    /// no network and no other file.
    ///
    /// # Errors
    ///
    /// When the photo is too large for JPEG (it is not), or the template refuses to write to memory.
    pub(crate) fn html(&self) -> Result<String, PageError> {
        let data = Data {
            width: self.photo.width(),
            height: self.photo.height(),
            colours: STANDARD.encode(self.colormap.table().as_flattened()),
            cells: self.classes.iter().map(|class| self.row(class)).collect(),
        };
        let mut photo = Vec::new();
        write_jpeg(&self.photo, JPEG_QUALITY, &mut photo)?;
        let page = Page {
            all: self,
            title: self.title(),
            subtitle: self.subtitle(),
            legend: self.legend(),
            threshold: self.threshold,
            opacity: self.opacity,
            photo: format!("data:image/jpeg;base64,{}", STANDARD.encode(photo)),
            // The only text that could end a script.
            data: serde_json::to_string(&data)?.replace('<', "\\u003c"),
        };
        Ok(page.render()?)
    }

    fn row(&self, class: &Class) -> Vec<Option<MapData>> {
        let one = |column: &Column| {
            let cell = of_class(column.outcome.as_ref().ok()?, class)?;
            Some(pack(cell, column.is_fine()))
        };
        self.columns.iter().map(one).collect()
    }
}

impl Page<'_> {
    fn percent(&self, class: &Class) -> String {
        percent(class.score)
    }

    fn cell<'c>(&self, cells: &'c [Cell], class: &Class) -> Option<&'c Cell> {
        of_class(cells, class)
    }
}

fn of_class<'c>(cells: &'c [Cell], class: &Class) -> Option<&'c Cell> {
    cells.iter().find(|cell| cell.map.class_id == class.id)
}

/// Values that are no number count as 0.
fn pack(cell: &Cell, fine: bool) -> MapData {
    let ClassMap { height, width, values, .. } = &cell.map;
    let finite = |&value: &f32| if value.is_finite() { value } else { 0.0 };
    let range = |(low, high): (f32, f32), value: f32| (low.min(value), high.max(value));
    let (low, high) = values.iter().map(finite).fold((f32::INFINITY, f32::NEG_INFINITY), range);
    let (low, high) = if low <= high { (low, high) } else { (0.0, 0.0) };
    let reach = f64::from(high) - f64::from(low);
    let step = |value: &f32| {
        let share = (f64::from(finite(value)) - f64::from(low)) / reach;
        // Of a constant map every step is 0.
        ((65535.0 * share).round() as u16).to_le_bytes()
    };
    let bytes: Vec<u8> = values.iter().flat_map(step).collect();
    let view = cell.view;
    MapData {
        rows: *height,
        columns: *width,
        view: [view.x, view.y, view.width, view.height],
        low,
        high,
        values: STANDARD.encode(bytes),
        fine,
        white: fine_peak(&cell.map),
    }
}
