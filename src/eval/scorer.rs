//! What a classifier says of a picture, without any explanation: [`Scorer`]; and by it, how faithful a map is.

use super::metrics::faithfulness::{Perturbation, auc};
use super::picture_grid;
use crate::explain::probabilities;
use crate::frame::Picture;
use crate::localize::{Normalizer, Preset};
use crate::maps::ClassMap;
use crate::model::{Classifier, Preprocessor};
use crate::onnx::graph::Graph;
use crate::onnx::load::encode;
use crate::onnx::proto::ModelProto;
use crate::pipeline::ExplainerError;
use crate::runtime::{Options, RuntimeError, Session};
use crate::view::View;

/// A classifier that only classifies: one forward pass a picture, whatever explains it.
pub struct Scorer {
    preprocessor: Preprocessor,
    session: Session,
    output: String,
    link: Link,
}

/// How the model's output becomes probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// It holds them already.
    Identity,
    /// It holds their logarithms.
    Exponential,
    /// It holds logits.
    Softmax,
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
        Ok(self.link.apply(values))
    }

    /// Deletion and insertion of a class by a map over `view`, in `steps` steps each; `fill` is what a deleted pixel
    /// becomes ([`Explainer::neutral_colour`](crate::pipeline::Explainer::neutral_colour)). `None` where the map says
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

impl Link {
    /// What stands before an output, past what only gives values another shape or type.
    fn of(model: &ModelProto, output: &str) -> Link {
        // The graph's index wants to write; weights are not looked at.
        let mut model = model.clone();
        let graph = Graph::new(&mut model);
        let mut name = output.to_owned();
        for _ in 0..graph.nodes().len() {
            let Some(node) = graph.producer(&name) else { break };
            match node.standard_op() {
                "Softmax" | "Sigmoid" => return Link::Identity,
                "LogSoftmax" => return Link::Exponential,
                "Identity" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Cast" => {}
                _ => break,
            }
            name = node.input_at(0).unwrap_or_default().to_owned();
        }
        Link::Softmax
    }

    fn apply(self, values: &[f32]) -> Vec<f32> {
        match self {
            Link::Identity => values.to_vec(),
            Link::Exponential => values.iter().map(|value| value.exp()).collect(),
            Link::Softmax => probabilities(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::build::{Dim, graph, model, node, value_info};
    use crate::onnx::proto::DataType;

    fn ends_in(ops: &[&str]) -> ModelProto {
        let names: Vec<String> = (0..=ops.len()).map(|i| format!("t{i}")).collect();
        let nodes = ops.iter().enumerate();
        let nodes = nodes.map(|(i, op)| node(op, op, &[&names[i]], &[&names[i + 1]], vec![])).collect();
        let sizes = [Dim::Fixed(1), Dim::Fixed(3)];
        let input = value_info("t0", DataType::Float, &sizes);
        model(graph(
            "g",
            vec![input],
            vec![value_info(&names[ops.len()], DataType::Float, &sizes)],
            vec![],
            nodes,
        ))
    }

    #[test]
    fn what_is_a_probability_already_stays_as_it_is() {
        assert_eq!(Link::of(&ends_in(&["Relu", "Softmax", "Identity"]), "t3"), Link::Identity);
        assert_eq!(Link::of(&ends_in(&["Sigmoid"]), "t1"), Link::Identity);
        assert_eq!(Link::of(&ends_in(&["LogSoftmax"]), "t1"), Link::Exponential);
        assert_eq!(Link::of(&ends_in(&["Softmax", "Relu"]), "t2"), Link::Softmax);
        assert_eq!(Link::of(&ends_in(&["Relu"]), "no such output"), Link::Softmax);
    }

    #[test]
    fn each_kind_of_output_becomes_probabilities_in_its_own_way() {
        assert_eq!(Link::Softmax.apply(&[7.0, 7.0]), [0.5, 0.5]);
        assert_eq!(Link::Identity.apply(&[0.9, 0.8]), [0.9, 0.8]);
        assert_eq!(Link::Exponential.apply(&[0.0, f32::NEG_INFINITY]), [1.0, 0.0]);
    }
}
