//! What a classifier says of a picture, without any explanation: [`Scorer`]; and by it, how faithful a map is.

use super::metrics::faithfulness::{Perturbation, auc};
use super::picture_grid;
use crate::explainer::ExplainerError;
use crate::frame::Picture;
use crate::localize::{Normalizer, Preset};
use crate::maps::ClassMap;
use crate::model::{Classifier, Preprocessor};
use crate::runtime::{Options, RuntimeError, Session};
use crate::view::View;
use camloc_graph::explain::Link;
use camloc_graph::onnx::load::encode;

/// A classifier that only classifies: one forward pass a picture, whatever explains it.
pub struct Scorer {
    preprocessor: Preprocessor,
    session: Session,
    output: String,
    link: Link,
}

/// How well a map says what the classifier goes by (Petsiuk et al., RISE, BMVC 2018); each 0..1.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Areas {
    /// Area under the class's probability while the hottest pixels are taken away first; low is good.
    pub deletion: f64,
    /// Area under the class's probability while the hottest pixels come back first; high is good.
    pub insertion: f64,
}

impl Scorer {
    /// Loads the classifier's graph as it is. [`crate::runtime::init`] must have been called.
    ///
    /// # Errors
    ///
    /// If the graph is too large to be passed on, or ONNX Runtime refuses it.
    pub fn new(classifier: &Classifier, options: &Options) -> Result<Scorer, ExplainerError> {
        let model = || classifier.title.clone();
        let bytes =
            encode(&classifier.model).map_err(|source| ExplainerError::Encode { model: model(), source })?;
        let options = Options { shape: Some(classifier.preprocessing.input_shape(1)), ..options.clone() };
        let run = |source| ExplainerError::Run { model: model(), source };
        let session = Session::load(&bytes, &options).map_err(run)?;
        session.floats(&classifier.output).map_err(run)?;
        Ok(Scorer {
            preprocessor: Preprocessor::new(&classifier.preprocessing),
            session,
            output: classifier.output.clone(),
            link: Link::of(&classifier.model, &classifier.output),
        })
    }

    /// The probability of every class, 0..1.
    ///
    /// # Errors
    ///
    /// If the model fails.
    pub fn score(&mut self, picture: &Picture) -> Result<Vec<f32>, RuntimeError> {
        self.preprocessor.run(picture, self.session.input_mut());
        self.session.run()?;
        let (_, values) = self.session.floats(&self.output)?;
        Ok(self.link.probabilities(values))
    }

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
