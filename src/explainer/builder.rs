//! How an explainer is put together: [`ExplainerBuilder`].

use std::path::Path;

use super::{Explainer, ExplainerError, Method, Request};
use crate::assets::{Asset, Store};
use crate::localize;
use crate::model::Classifier;
use crate::runtime::{self, Options};

/// A classifier, and how it is to be explained; [`build`](ExplainerBuilder::build) makes it an [`Explainer`].
///
/// What is not said is as the program has it: the best class, by the closed form where the model has one, else by
/// Grad-CAM; maps refined; as many threads as this process may use, at most 8.
#[derive(Clone, Debug)]
#[must_use = "`build` makes the explainer"]
pub struct ExplainerBuilder {
    pub(super) classifier: Classifier,
    pub(super) request: Request,
    pub(super) options: Options,
    pub(super) boxes: localize::Settings,
    pub(super) switchable: bool,
    pub(super) scoring: bool,
}

impl Explainer {
    /// Opens an ONNX classifier, to be explained. A manifest beside it (`my.toml` for `my.onnx`), or what exporters leave in
    /// and beside the file, says how it wants its pictures and what its classes are called.
    ///
    /// # Errors
    /// If the file is no classifier, or its manifest is wrong.
    pub fn open(path: impl AsRef<Path>) -> Result<ExplainerBuilder, ExplainerError> {
        Ok(Explainer::of(Classifier::open(path.as_ref(), None)?))
    }

    /// The model that the program uses where none is named, EfficientNet-Lite0 with the classes of ImageNet. It is fetched the
    /// first time, with the user's own pip; [`Store`] says where to.
    ///
    /// # Errors
    /// If it can't be fetched.
    pub fn default_model() -> Result<ExplainerBuilder, ExplainerError> {
        Ok(Explainer::of(Classifier::default_model(&Store::open()?, &mut |_| {})?))
    }

    /// A classifier, to be explained.
    pub fn of(classifier: Classifier) -> ExplainerBuilder {
        let (request, options) = (Request::default(), Options::default());
        let boxes = localize::Settings::default();
        ExplainerBuilder { classifier, request, options, boxes, switchable: false, scoring: false }
    }
}

impl ExplainerBuilder {
    /// Makes maps by this method.
    pub fn method(mut self, method: impl Into<Method>) -> ExplainerBuilder {
        self.request.method = Some(method.into());
        self
    }

    /// Explains this many classes, the best ones.
    pub fn top_k(mut self, count: usize) -> ExplainerBuilder {
        self.request.top_k = count;
        self
    }

    /// Explains these classes, whatever their rank, in this order.
    pub fn classes(mut self, classes: impl IntoIterator<Item = usize>) -> ExplainerBuilder {
        self.request.targets = classes.into_iter().collect();
        self
    }

    /// All else that can be asked, in place of what was said before.
    pub fn request(mut self, request: Request) -> ExplainerBuilder {
        self.request = request;
        self
    }

    /// How ONNX Runtime runs the model.
    pub fn options(mut self, options: Options) -> ExplainerBuilder {
        self.options = options;
        self
    }

    /// How maps become the boxes of [`Explainer::explain`].
    pub fn boxes(mut self, settings: localize::Settings) -> ExplainerBuilder {
        self.boxes = settings;
        self
    }

    /// Keeps the model as it was in memory, for [`Explainer::next_method`] and [`Explainer::show_counterfactual`].
    pub fn switchable(mut self) -> ExplainerBuilder {
        self.switchable = true;
        self
    }

    /// Loads the plain model beside the one with maps, so that [`Explainer::score`] costs a plain forward pass.
    pub fn scoring(mut self) -> ExplainerBuilder {
        self.scoring = true;
        self
    }

    /// Rewrites the classifier's graph so that it explains itself, and loads it. A model that explains itself already is
    /// loaded as it is. ONNX Runtime is fetched and loaded, too, unless [`runtime::init`] has done so.
    ///
    /// # Errors
    /// If the model can't be explained as asked, ONNX Runtime can't be had, or it refuses the model.
    pub fn build(self) -> Result<Explainer, ExplainerError> {
        if !runtime::is_loaded() {
            runtime::init(&Store::open()?.get(Asset::OnnxRuntime, &mut |_| {})?)?;
        }
        Explainer::build(self)
    }
}
