//! How faithful a map is, by what the classifier says of pictures without what it marks: [`Areas`].

use super::metrics::faithfulness::{Perturbation, auc};
use super::picture_grid;
use crate::explainer::Scorer;
use crate::frame::Picture;
use crate::localize::{Normalizer, Preset};
use crate::maps::ClassMap;
use crate::runtime::RuntimeError;
use crate::view::View;

/// How well a map says what the classifier goes by (Petsiuk et al., RISE, BMVC 2018); each 0..1.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Areas {
    /// Area under the class's probability while the hottest pixels are taken away first; low is good.
    pub deletion: f64,
    /// Area under the class's probability while the hottest pixels come back first; high is good.
    pub insertion: f64,
}

impl Scorer {
    /// Deletion and insertion of a class by a map over `view`, in `steps` steps each; `fill` is what a deleted pixel
    /// becomes ([`Explainer::neutral_colour`](crate::explainer::Explainer::neutral_colour)). `None` where the map says
    /// nothing about a place.
    ///
    /// # Errors
    ///
    /// If the model fails.
    pub fn areas(
        &mut self,
        picture: &Picture,
        (map, view): (&ClassMap, View),
        fill: [u8; 3],
        steps: usize,
    ) -> Result<Option<Areas>, RuntimeError> {
        let mut normalizer = Normalizer::default();
        let Some(grid) = normalizer.normalize(map, Preset::Max) else { return Ok(None) };
        let heat = picture_grid::over_picture(grid, view, picture.size());
        let heat = picture_grid::per_pixel(&heat, picture.size());
        let class = map.class_id;
        let mut score = |picture: &Picture| -> Result<f32, RuntimeError> {
            Ok(self.score(picture)?.get(class).copied().unwrap_or_default())
        };
        let deletion = Perturbation::deletion(picture, &heat, fill);
        let deleted = deletion.map(|p| p.scores(steps, &mut score)).transpose()?;
        let insertion = Perturbation::insertion(picture, &heat);
        let inserted = insertion.map(|p| p.scores(steps, &mut score)).transpose()?;
        let area = |scores: Option<Vec<f32>>| scores.as_deref().and_then(auc);
        Ok(match (area(deleted), area(inserted)) {
            (Some(deletion), Some(insertion)) => Some(Areas { deletion, insertion }),
            _ => None,
        })
    }
}
