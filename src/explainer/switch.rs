//! Another method for a model that is loaded.

use camloc_graph::explain;
use camloc_graph::onnx::proto::ModelProto;

use super::engine::{Engine, Run};
use super::{Explainer, Method, Request};

/// A model before it was explained, and what was asked.
pub(super) struct Base {
    pub(super) model: ModelProto,
    pub(super) request: Request,
    pub(super) run: Run,
}

impl Explainer {
    /// Shows what speaks against classes, or again what was shown before. Nothing changes where the model has no
    /// gradient, or where the explainer was not made [`switchable`](super::ExplainerBuilder::switchable).
    pub fn show_counterfactual(&mut self, on: bool) {
        let shown = std::mem::take(&mut self.aside);
        match (on, shown) {
            (true, None) => {
                let Some(base) = &self.base else { return };
                let request =
                    Request { method: Some(explain::Method::Counterfactual.into()), ..base.request.clone() };
                match Engine::prepare(base.model.clone(), &request, &base.run) {
                    Ok((explanation, engine)) => {
                        let explanation = std::mem::replace(&mut self.explanation, explanation);
                        self.aside = Some((explanation, std::mem::replace(&mut self.engine, engine)));
                    }
                    Err(error) => tracing::warn!("counterfactual can't be had: {error}"),
                }
            }
            (false, Some((explanation, engine))) => (self.explanation, self.engine) = (explanation, engine),
            (_, shown) => self.aside = shown,
        }
    }

    /// Goes on to the next method that this model allows, at the same layer. Nothing changes where there is none,
    /// or where the explainer was not made [`switchable`](super::ExplainerBuilder::switchable).
    pub fn next_method(&mut self) {
        self.aside = None;
        let Some(base) = &self.base else { return };
        let methods: Vec<Method> = Method::all().collect();
        // The closed forms have names of their own.
        let now =
            methods.iter().position(|method| method.name() == self.explanation.method.name()).unwrap_or(0);
        let following = methods.iter().cycle().skip(now + 1).take(methods.len() - 1);
        for &method in following {
            let request = Request { method: Some(method), ..base.request.clone() };
            match Engine::prepare(base.model.clone(), &request, &base.run) {
                Ok((explanation, engine)) => {
                    (self.explanation, self.engine) = (explanation, engine);
                    return;
                }
                Err(error) => tracing::info!("{method} is left out: {error}"),
            }
        }
    }
}
