//! A network that answers for a batch of variants.

use camloc_graph::explain::{Plain, Probabilities};
use camloc_graph::onnx::load::encode;
use camloc_graph::onnx::proto::ModelProto;

use super::BlackBoxError;
use super::score::{Score, scores};
use crate::runtime::{Options, RuntimeError, Session};

/// A session that answers for a batch of variants.
pub(super) struct Asked {
    pub(super) session: Session,
    /// Variants in one run.
    pub(super) batch: usize,
    logits: String,
    own: Option<String>,
    probabilities: Probabilities,
    classes: usize,
}

impl Asked {
    /// Loads a network for as many inputs of this shape at a time as wished, or as it takes.
    pub(super) fn load(
        model: &ModelProto,
        network: &Plain,
        options: &Options,
        shape: &[usize],
        wished: usize,
    ) -> Result<Asked, BlackBoxError> {
        let bytes = encode(model)?;
        let load = |batch: usize| {
            let shape = Some([&[batch], shape].concat());
            let session = Session::load(&bytes, &Options { shape, ..options.clone() })?;
            let asked = Asked {
                session,
                batch,
                logits: network.logits.clone(),
                own: network.own.clone(),
                probabilities: network.probabilities,
                classes: network.classes,
            };
            asked.row(batch - 1)?;
            Ok(asked)
        };
        let batch = network.batch.unwrap_or(wished).max(1);
        match load(batch) {
            // Some models say that they take any number, and have a reshape to 1 inside.
            Err(_) if batch > 1 && network.batch.is_none() => load(1),
            loaded => loaded,
        }
        .map_err(BlackBoxError::Run)
    }

    /// Whether the network behind a layer says of the picture's own activations what the whole says of the picture.
    pub(super) fn must_agree(&mut self, activations: &[f32], logits: &[f32]) -> Result<(), RuntimeError> {
        for sample in self.session.input_mut().chunks_exact_mut(activations.len().max(1)) {
            sample.copy_from_slice(activations);
        }
        self.session.run()?;
        let largest = logits.iter().fold(1.0_f32, |largest, logit| largest.max(logit.abs()));
        let off = self.row(0)?.iter().zip(logits).any(|(a, b)| (a - b).abs() > 1e-2 * largest);
        if off {
            Err(RuntimeError::Run(
                "behind the layer the model does not say what it says as a whole; take another --layer"
                    .into(),
            ))
        } else {
            Ok(())
        }
    }

    /// The logits of a picture of the batch.
    pub(super) fn row(&self, at: usize) -> Result<&[f32], RuntimeError> {
        let (shape, values) = self.session.floats(&self.logits)?;
        values.get(at * self.classes..(at + 1) * self.classes).ok_or_else(|| {
            let found = format!("{} has the shape {shape:?} for {} pictures", self.logits, self.batch);
            RuntimeError::Run(format!("{found}, not {} values a picture", self.classes))
        })
    }

    /// The scores of classes for a picture of the batch.
    pub(super) fn scores(
        &self,
        at: usize,
        classes: &[usize],
        out: &mut Vec<Score>,
    ) -> Result<(), RuntimeError> {
        let own = match &self.own {
            Some(own) => self.session.floats(own)?.1.get(at * self.classes..(at + 1) * self.classes),
            None => None,
        };
        scores(self.row(at)?, own, self.probabilities, classes, out);
        Ok(())
    }

    /// An output's values for the first picture of the batch.
    pub(super) fn sample(&self, output: &str) -> Result<&[f32], RuntimeError> {
        let values = self.session.floats(output)?.1;
        Ok(&values[..values.len() / self.batch.max(1)])
    }
}
