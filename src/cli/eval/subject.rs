//! What is evaluated: the model, the settings, and a name for all that the figures depend on.

use std::collections::BTreeMap;

use crate::assets::Store;
use crate::dataset::Dataset;
use crate::digest::hex;
use crate::eval::results::Subject;
use crate::explainer::Explainer;
use crate::explainer::{Method, black_box};
use crate::model::Classifier;
use anyhow::{Result, anyhow};
use camloc_graph::onnx::load::encode;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::super::report::Report;
use super::super::settings::Settings;
use super::{Evaluation, assemble};

/// The model, ready to explain one class at a time, and a fingerprint of it; `scoring` where it is to be asked about many
/// pictures without maps.
pub(in crate::cli) fn explainer(
    settings: &Settings,
    store: &Store,
    report: &Report,
    scoring: bool,
) -> Result<(Explainer, String)> {
    let classifier = assemble::classifier(settings, store, report)?;
    let request = assemble::request(settings, &classifier.labels, 1)?;
    let mut hash = Sha256::new();
    hash.update(encode(&classifier.model)?);
    let mut asked = request.clone();
    if !asked.method.is_some_and(Method::is_black_box) {
        // How others would ask changes nothing here.
        asked.black_box = black_box::Settings::default();
    }
    let options = assemble::options(settings)?;
    let Classifier { preprocessing, labels, .. } = &classifier;
    hash.update(format!("{asked:?} {preprocessing:?} {labels:?} {:?}", options.provider));
    let explainer = Explainer::of(classifier).request(request).options(options);
    let explainer = if scoring { explainer.scoring() } else { explainer };
    Ok((explainer.build()?, hex(&hash.finalize())))
}

/// A setting as it was written: 0.2, not 0.20000000298023224.
pub(in crate::cli) fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

/// What goes into the results about the model, the dataset and the settings.
pub(super) fn subject(evaluation: &Evaluation<'_>, dataset: &Dataset) -> Result<Subject> {
    let explainer = evaluation.explainer.lock().map_err(|_| anyhow!("the model is lost"))?;
    let (args, settings) = (evaluation.args, &evaluation.settings);
    let localize = evaluation.localize;
    let settings = BTreeMap::from([
        ("preset", json!(localize.preset.to_string())),
        ("threshold", json!(decimal(localize.threshold))),
        ("components", json!(settings.localize.components)),
        ("min_area", json!(decimal(settings.localize.min_area))),
        ("min_peak", json!(decimal(settings.localize.min_peak))),
        ("closer", json!(settings.localize.closer)),
        ("edges", json!(settings.masks.edges)),
        ("fit", json!(settings.model.fit)),
        ("input_size", json!(settings.model.input_size)),
        ("refine", json!(settings.model.refine)),
        ("method", json!(settings.model.method)),
        ("layers", json!(settings.model.layers)),
        ("fusion", json!(settings.model.fusion)),
        ("seed", json!(args.seed)),
        ("limit", json!(args.limit)),
        ("faithfulness", json!(args.faithfulness)),
        ("video", json!(args.video)),
        ("track", json!(settings.track.enabled)),
        ("fps", json!(args.fps)),
        ("aliases", json!(args.aliases)),
    ]);
    Ok(Subject {
        dataset: dataset.name.clone(),
        format: dataset.format.name(),
        samples: dataset.samples.len(),
        model: explainer.title().to_owned(),
        method: explainer.origin().method,
        layer: explainer.explanation().layer.clone(),
        settings,
    })
}

/// The same for two runs only if they give the same figures.
pub(super) fn run_id(evaluation: &Evaluation<'_>, dataset: &Dataset) -> String {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(&evaluation.fingerprint);
    let (localize, followed_at) = (evaluation.localize, evaluation.followed_at());
    hash.update(format!("{localize:?} {} {followed_at:?}", evaluation.args.faithfulness));
    hash.update(format!("{} {}", evaluation.settings.masks.edges, evaluation.masks.wanted()));
    for sample in &dataset.samples {
        hash.update(format!("{sample:?}"));
    }
    hex(&hash.finalize())
}
