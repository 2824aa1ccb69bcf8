//! How faithful a map is, by what the classifier says of pictures without what it marks: [`Areas`].

use super::metrics::faithfulness::areas;
use super::picture_grid;
use crate::explainer::Scorer;
use crate::frame::Picture;
use crate::localize::{Normalizer, Preset};
use crate::maps::ClassMap;
use crate::runtime::RuntimeError;
use crate::view::View;

pub(crate) use super::metrics::faithfulness::Areas;

impl Scorer {
    /// Deletion and insertion of a class by a map over `view`, in `steps` steps each; `fill` is what a deleted pixel
    /// becomes ([`Explainer::neutral_colour`](crate::explainer::Explainer::neutral_colour)). `None` where the map says
    /// nothing about a place.
    ///
    /// # Errors
    ///
    /// If the model fails.
    pub(crate) fn areas(
        &mut self,
        picture: &Picture,
        (map, view): (&ClassMap, View),
        fill: [u8; 3],
        steps: usize,
    ) -> Result<Option<Areas>, RuntimeError> {
        let mut normalizer = Normalizer::default();
        let Some(grid) = normalizer.normalize(map, Preset::Max) else { return Ok(None) };
        let heat = picture_grid::heat(grid, view, picture.size());
        let class = map.class_id;
        areas(picture, &heat, fill, steps, &mut |picture| {
            Ok(self.score(picture)?.get(class).copied().unwrap_or_default())
        })
    }
}
