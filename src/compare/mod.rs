//! One photo explained by many methods, side by side: how it is made ([`explain_by_all`]), and the two forms in which
//! it is shown: a picture ([`SideBySide::draw`]) and a page ([`SideBySide::html`]).
//!
//! ```text
//! methods ──► one Explainer after the other ──► maps ──► deletion, insertion, boxes ──► contact sheet
//! ```

mod draw;
mod make;
mod page;
mod small;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::eval::scorer::Areas;
use crate::explainer::Method;
use crate::frame::Picture;
use crate::localize::Detection;
use crate::maps::ClassMap;
use crate::render::Colormap;
use crate::view::View;

pub(crate) use make::{Plan, explain_by_all};
pub(crate) use small::small;

/// What is shown of one photo: methods across, classes down.
#[derive(Debug)]
pub(crate) struct SideBySide {
    /// The photo's name.
    pub name: String,
    /// The model's title.
    pub model: String,
    /// The photo, made small.
    pub photo: Picture,
    /// The most probable classes: name and probability, best first.
    pub predictions: Vec<(String, f32)>,
    /// The classes explained, the rows.
    pub classes: Vec<Class>,
    /// The methods, the columns.
    pub columns: Vec<Column>,
    /// In how many steps deletion and insertion were measured; 0: they were not.
    pub steps: usize,
    /// The colours of heat.
    pub colormap: Colormap,
    /// How much of the photo the hottest place hides, 0..1.
    pub opacity: f32,
    /// A pixel belongs to the object above this share of the map's peak, 0..1.
    pub threshold: f32,
}

/// A class that is explained.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Class {
    /// Its index among the model's outputs.
    pub id: usize,
    /// Its name.
    pub label: String,
    /// Its probability, 0..1.
    pub score: f32,
}

/// What one method says.
#[derive(Debug)]
pub(crate) struct Column {
    /// The method that was asked for; `None`: whatever suits the model.
    pub asked: Option<Method>,
    /// The method's name in the program.
    pub method: String,
    /// Something that is to be known of all its maps, such as that they are of no class; may be empty.
    pub note: String,
    /// A cell for each class, or in few words why there are none.
    pub outcome: Result<Vec<Cell>, String>,
}

/// One class explained by one method.
#[derive(Debug)]
pub(crate) struct Cell {
    /// The map, as the method made it.
    pub map: ClassMap,
    /// The part of the small photo that the map covers.
    pub view: View,
    /// How long the method took for all classes together, preprocessing included.
    pub time: Duration,
    /// Deletion and insertion; `None` where they were not measured or the map says nothing about a place.
    pub areas: Option<Areas>,
    /// The box at the threshold, in pixels of the small photo; `None` where there is none, and for maps of pixels.
    pub found: Option<Detection>,
}

impl Column {
    /// Whether its maps are made of pixels rather than regions: papers show those in grey.
    pub(crate) fn is_fine(&self) -> bool {
        self.asked.is_some_and(Method::is_of_pixels)
    }
}

impl Cell {
    /// Time, deletion and insertion in words.
    pub(crate) fn caption(&self) -> String {
        let rest = match (self.areas, self.is_empty()) {
            (_, true) => " · nothing above 0".to_owned(),
            (Some(areas), _) => {
                format!(" · del {} · ins {}", share(areas.deletion), share(areas.insertion))
            }
            (None, _) => String::new(),
        };
        format!("{}{rest}", self.time_text())
    }

    /// Whether the map speaks for the class nowhere.
    fn is_empty(&self) -> bool {
        !self.map.values.iter().any(|&value| value > 0.0 && value.is_finite())
    }

    fn time_text(&self) -> String {
        let seconds = self.time.as_secs_f64();
        match seconds {
            ..0.00995 => format!("{:.1} ms", 1e3 * seconds),
            ..0.9995 => format!("{:.0} ms", 1e3 * seconds),
            _ => format!("{seconds:.1} s"),
        }
    }
}

/// A share of 1 in words, with a third digit where two would say little.
fn share(value: f64) -> String {
    if value < 0.0995 { format!("{value:.3}") } else { format!("{value:.2}") }
}
