//! What a classifier says of a picture, without any explanation: [`Scorer`].

use std::collections::HashSet;

use camloc_graph::explain::Link;
use camloc_graph::onnx::load::encode;
use camloc_graph::onnx::prune::prune;

use super::ExplainerError;
use crate::frame::Picture;
use crate::model::{Classifier, Preprocessor};
use crate::runtime::{Options, RuntimeError, Session};

/// A classifier that only classifies: one forward pass a picture, whatever explains it.
pub(crate) struct Scorer {
    preprocessor: Preprocessor,
    session: Session,
    output: String,
    link: Link,
}

impl Scorer {
    /// Loads the classifier's graph without any maps that it may have. [`crate::runtime::init`] must have been called.
    ///
    /// # Errors
    /// If the graph is too large to be passed on, or ONNX Runtime refuses it.
    pub(crate) fn new(classifier: &Classifier, options: &Options) -> Result<Scorer, ExplainerError> {
        let title = || classifier.title.clone();
        let mut model = classifier.model.clone();
        let link = classifier.link.unwrap_or_else(|| Link::of(&model, &classifier.output));
        if let Some(graph) = &mut model.graph {
            graph.output.retain(|output| output.name() == classifier.output);
        }
        prune(&mut model);
        // What only the maps go by, such as the choice of classes, is no input any more.
        if let Some(graph) = &mut model.graph {
            let used: HashSet<&str> =
                graph.node.iter().flat_map(|node| &node.input).map(String::as_str).collect();
            graph.input.retain(|input| input.name() == classifier.input || used.contains(input.name()));
        }
        let bytes = encode(&model).map_err(|source| ExplainerError::Encode { model: title(), source })?;
        let options = Options { shape: Some(classifier.preprocessing.input_shape(1)), ..options.clone() };
        let run = |source| ExplainerError::Run { model: title(), source };
        let session = Session::load(&bytes, &options).map_err(run)?;
        session.floats(&classifier.output).map_err(run)?;
        let preprocessor = Preprocessor::new(&classifier.preprocessing);
        Ok(Scorer { preprocessor, session, output: classifier.output.clone(), link })
    }

    /// The probability of every class, 0..1.
    ///
    /// # Errors
    /// If the model fails.
    pub(crate) fn score(&mut self, picture: &Picture) -> Result<Vec<f32>, RuntimeError> {
        self.preprocessor.run(picture, self.session.input_mut());
        self.session.run()?;
        let (_, values) = self.session.floats(&self.output)?;
        Ok(self.link.probabilities(values))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::explainer::{Explainer, ExplainerBuilder, Request};
    use crate::runtime::init_for_tests;

    fn residual() -> Classifier {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        Classifier::open(&folder.join("residual.onnx"), None).unwrap()
    }

    /// The same, with its maps in the file.
    fn explained() -> Classifier {
        let mut classifier = residual();
        let request = Request::default().one_pass().unwrap();
        camloc_graph::explain::explain(&mut classifier.model, &request).unwrap();
        classifier
    }

    fn picture(seed: u8) -> Picture {
        let pixel = |at: u32| (at as u8).wrapping_mul(seed);
        Picture::from_rgb(40, 30, (0..3 * 40 * 30).map(pixel).collect()).unwrap()
    }

    /// The scores of some pictures by an explainer that has explained one before.
    fn scores(asked: ExplainerBuilder) -> Vec<f32> {
        let mut explainer = asked.build().unwrap();
        let explanation = explainer.explain(&picture(7)).unwrap();
        let scores = (1..6).map(|seed| explainer.score(&picture(seed), 2).unwrap()).collect();
        // A score in between changes nothing of what is explained.
        assert_eq!(explainer.explain(&picture(7)).unwrap().classes, explanation.classes);
        scores
    }

    #[test]
    fn scores_are_the_same_without_maps_with_them_and_of_a_model_that_explains_itself() {
        init_for_tests();
        let with_maps = scores(Explainer::of(residual()));
        assert!(with_maps.iter().any(|score| (score - with_maps[0]).abs() > 1e-3), "{with_maps:?}");
        for asked in [residual(), explained()] {
            for (plain, with_map) in scores(Explainer::of(asked).scoring()).iter().zip(&with_maps) {
                assert!((plain - with_map).abs() < 1e-6, "{plain} {with_map}");
            }
        }
    }

    #[test]
    fn what_only_maps_go_by_is_not_run() {
        init_for_tests();
        let explained = explained();
        let options = Options { shape: Some(explained.preprocessing.input_shape(1)), ..Options::default() };
        let with_maps = Session::load(&encode(&explained.model).unwrap(), &options).unwrap();
        let nodes = |classifier: &Classifier| {
            Scorer::new(classifier, &Options::default()).unwrap().session.nodes().len()
        };
        assert_eq!(nodes(&explained), nodes(&residual()));
        assert!(nodes(&explained) < with_maps.nodes().len());
    }
}
