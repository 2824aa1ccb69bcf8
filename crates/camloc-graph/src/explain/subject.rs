//! What a method works on: the graph, the scores in it, and the classes chosen.

use super::error::ExplainError;
use super::features::{LayerGradient, activations};
use super::head::Layout;
use super::layers::Layer;
use super::outputs::{Choice, TARGETS};
use super::scores::Scores;
use crate::autodiff::{self, Gradient, Rectifier, Seed};
use crate::onnx::edit::GraphEditor;
use crate::onnx::proto::DataType;

/// What a method works on.
pub(super) struct Subject<'s, 'm> {
    pub(super) graph: &'s mut GraphEditor<'m>,
    pub(super) scores: &'s Scores,
    pub(super) choice: &'s Choice,
}

impl Subject<'_, '_> {
    /// How many classes are explained, K.
    pub(super) fn count(&self) -> usize {
        self.choice.count
    }

    /// The seed of the chosen classes' logits.
    pub(super) fn logits(&self) -> Seed {
        Seed::Classes { classes: self.choice.numbers.clone(), count: self.choice.count }
    }

    /// The gradient of the scores by a layer, from a seed.
    pub(super) fn gradient(&mut self, layer: &Layer, seed: &Seed) -> Result<LayerGradient, ExplainError> {
        let found = self.gradients(std::slice::from_ref(&layer.tensor), seed, Rectifier::Plain)?;
        LayerGradient::of(self.graph, &found[0], layer, self.count())
    }

    /// A layer's activations `[N, C, P]` and the logits' gradient by them.
    pub(super) fn features(&mut self, layer: &Layer) -> Result<(String, LayerGradient), ExplainError> {
        let seed = self.logits();
        let gradient = self.gradient(layer, &seed)?;
        Ok((activations(self.graph, layer), gradient))
    }

    /// The gradients of the scores by tensors, as many as tensors.
    pub(super) fn gradients(
        &mut self,
        by: &[String],
        seed: &Seed,
        rectifier: Rectifier,
    ) -> Result<Vec<Gradient>, ExplainError> {
        Ok(autodiff::gradients(self.graph, &self.scores.logits, seed, by, rectifier)?)
    }

    /// The image input, as floats, seen as a layer.
    pub(super) fn picture(&self) -> Result<Layer, ExplainError> {
        let input = self.graph.inputs().find(|input| input.name() != TARGETS);
        let name = input.map(|input| input.name().to_owned()).ok_or(ExplainError::NoImage)?;
        let layout = match self.graph.shape(&name) {
            Some([_, Some(1 | 3 | 4), _, _]) => Layout::Nchw,
            Some([_, _, _, Some(1 | 3 | 4)]) => Layout::Nhwc,
            Some([_, _, _, _]) => Layout::Nchw,
            _ => return Err(ExplainError::NoImage),
        };
        // Bytes have no gradient; what they are cast to has.
        let floats = self.graph.consumers(&name).find(|node| node.standard_op() == "Cast");
        let bytes = self.graph.element_type(&name) == Some(DataType::Uint8);
        let tensor = match floats.and_then(|node| node.output_at(0)) {
            Some(floats) if bytes => floats,
            _ => &name,
        };
        Ok(Layer::at(self.graph, tensor, layout))
    }
}
