//! What a classifier says of a picture, without any explanation: [`Scorer`]; and by it, how faithful a map is.

use super::metrics::faithfulness::areas;
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

pub use super::metrics::faithfulness::Areas;

/// A classifier that only classifies: one forward pass a picture, whatever explains it.
pub struct Scorer {
    preprocessor: Preprocessor,
    session: Session,
    output: String,
    link: Link,
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
            link: Link::of(&mut classifier.model.clone(), &classifier.output),
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
        let heat = picture_grid::heat(grid, view, picture.size());
        let class = map.class_id;
        areas(picture, &heat, fill, steps, &mut |picture| {
            Ok(self.score(picture)?.get(class).copied().unwrap_or_default())
        })
    }
}
