//! The frozen part: a classifier up to a layer, and how pictures are fed to it.

use sha2::{Digest, Sha256};

use super::TrainError;
use crate::digest::hex;
use crate::frame::Picture;
use crate::model::{Classifier, Preprocessor};
use crate::runtime::{Options, Provider, Session};
use camloc_graph::explain::{Cut, FEATURES, Request, cut};
use camloc_graph::onnx::load::encode;

/// A classifier cut behind a layer; its weights stay as they are.
#[derive(Clone, Debug)]
pub(crate) struct Backbone {
    /// The classifier, of which the graph now ends at the layer.
    pub(super) classifier: Classifier,
    /// Where it was cut.
    pub(super) cut: Cut,
    /// The same for two backbones only if they make the same features of every picture.
    pub(super) fingerprint: String,
    /// What runs it; `None`: the first execution provider that can.
    provider: Option<Provider>,
}

impl Backbone {
    /// Cuts a classifier behind `layer`, as [`camloc_graph::explain::layers::select`] reads it; `None`: where a head gives the
    /// best boxes ([`cut`]).
    ///
    /// # Errors
    /// If there is no such layer, or it has no rows and columns of a known number.
    pub(crate) fn new(mut classifier: Classifier, layer: Option<&str>) -> Result<Backbone, TrainError> {
        classifier.fix_size();
        let request = Request {
            top_k: 1,
            output: Some(classifier.output.clone()),
            layers: layer.map(str::to_owned).into_iter().collect(),
            ..Request::default()
        };
        let cut = cut(&mut classifier.model, &request)?;
        let mut hash = Sha256::new();
        hash.update(encode(&classifier.model)?);
        hash.update(format!("{:?}", classifier.preprocessing));
        let fingerprint = hex(&hash.finalize()[..8]);
        Ok(Backbone { classifier, cut, fingerprint, provider: None })
    }

    /// The backbone, run by this execution provider; `None`: by the first one that can.
    pub(crate) fn on(self, provider: Option<Provider>) -> Backbone {
        Backbone { provider, ..self }
    }

    /// What the model that it is a part of is called.
    pub(crate) fn title(&self) -> &str {
        &self.classifier.title
    }

    /// The layer that the head sits on: a tensor's name.
    pub(crate) fn layer(&self) -> &str {
        &self.cut.layer
    }

    /// The layer's channels, rows and columns, `[C, h, w]`.
    pub(crate) fn shape(&self) -> [usize; 3] {
        self.cut.shape
    }

    /// The backbone, ready to be run on `threads` threads.
    pub(super) fn extractor(&self, threads: usize) -> Result<FeatureExtractor, TrainError> {
        let shape = Some(self.classifier.preprocessing.input_shape(1));
        let options = Options { threads, shape, provider: self.provider, ..Options::default() };
        let session = Session::load(&encode(&self.classifier.model)?, &options)?;
        Ok(FeatureExtractor { session, preprocessor: Preprocessor::new(&self.classifier.preprocessing) })
    }
}

/// A backbone at work.
pub(super) struct FeatureExtractor {
    session: Session,
    preprocessor: Preprocessor,
}

impl FeatureExtractor {
    /// The features of a picture, `[C, h, w]`.
    pub(super) fn see(&mut self, picture: &Picture) -> Result<&[f32], TrainError> {
        self.preprocessor.run(picture, self.session.input_mut());
        self.session.run()?;
        Ok(self.session.floats(FEATURES)?.1)
    }
}
