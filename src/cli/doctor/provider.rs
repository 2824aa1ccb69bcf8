//! What a person would check who wonders why a provider is not used: its files, the libraries that it needs, the device,
//! and whether a run on it says what the CPU says.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::assets::{Asset, Store};
use crate::model::{Classifier, Preprocessor, lite0};
use crate::runtime::{self, Options, Provider, RuntimeError, Session};
use crate::source::read_photo;
use anyhow::{Context as _, Result, anyhow};
use camloc_graph::explain::{self, Request};
use camloc_graph::onnx::load::encode;

use super::{Finding, finding};

/// How far a map may be from the CPU's, as a share of the range of its values: more would be seen.
const TOLERANCE: f32 = 1e-2;
/// Passes that are timed.
const PASSES: usize = 20;

/// Walks the checks; each that fails says what to do.
pub(super) fn check(provider: Provider, store: &Store) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What a library of the user's own needs is not known here; the trial tells.
    if std::env::var_os("CAMLOC_ORT_DYLIB").is_none() {
        findings.extend(provider.needs().iter().map(|need| {
            let found = need.check().map_err(|missing| format!("{missing}: {}", need.remedy));
            finding(need.what, false, found)
        }));
    }
    if matches!(provider, Provider::Cuda | Provider::TensorRt) {
        findings.push(finding("NVIDIA device", false, nvidia_devices()));
    }
    let plugged = runtime::devices(provider).unwrap_or_default();
    if !plugged.is_empty() {
        findings.push(finding("device", false, Ok(plugged.join("; "))));
    }
    if runtime::version().is_ok() {
        let tried = trial(provider, store).map_err(|error| format!("{error:#}"));
        findings.push(finding("trial", true, tried));
    }
    findings
}

/// What the driver says.
fn nvidia_devices() -> Result<String, String> {
    let output = Command::new("nvidia-smi")
        .args(["--query-gpu=name,memory.total,driver_version,compute_cap", "--format=csv,noheader"])
        .output()
        .map_err(|_| "no nvidia-smi on PATH: install NVIDIA's driver")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let devices: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if output.status.success() && !devices.is_empty() {
        Ok(devices.join("; "))
    } else {
        Err(format!("nvidia-smi finds no device: {}", said.trim()))
    }
}

/// The default model's maps of a photo, on this provider and on the CPU.
fn trial(provider: Provider, store: &Store) -> Result<String> {
    // The doctor fetches nothing.
    let missing =
        || anyhow!("the default model or the sample photos are not fetched yet: `camloc setup` fetches them");
    lite0::cached(store).with_context(missing)?;
    let photo = store.cached(Asset::SamplePhotos).with_context(missing)?.join("chelsea.png");
    let mut classifier = Classifier::default_model(store, &mut |_| ())?;
    classifier.fix_size();
    explain::explain(&mut classifier.model, &Request { top_k: 1, ..Request::default() })?;
    let (model, preprocessing) = (encode(&classifier.model)?, &classifier.preprocessing);
    let run = |provider: Provider| -> Result<Tried> {
        let shape = Some(preprocessing.input_shape(1));
        let options = Options { shape, provider: Some(provider), ..Options::default() };
        let began = Instant::now();
        let mut session = Session::load(&model, &options).map_err(|error| match error {
            // What to do is what the doctor is asked just now.
            RuntimeError::NoProvider { provider, why } => anyhow!("{provider} can't be used: {why}"),
            error => error.into(),
        })?;
        let load = began.elapsed();
        Preprocessor::new(preprocessing).run(&read_photo(&photo)?, session.input_mut());
        let passes: Vec<Duration> = (0..PASSES).map(|_| pass(&mut session)).collect::<Result<_>>()?;
        let pass = passes.into_iter().min().unwrap_or_default();
        Ok(Tried { load, pass, session })
    };
    let (there, cpu) = (run(provider)?, run(Provider::Cpu)?);
    let (maps, expected) = (there.maps()?, cpu.maps()?);
    let off = distance(maps, expected);
    let said = format!(
        "{} on {}{}; loaded in {:.1} s, {:.2} ms a pass (CPU {:.2} ms); maps {off:.0e} of their range off the CPU's",
        classifier.title,
        there.session.placement(),
        elsewhere(&there.session),
        there.load.as_secs_f64(),
        1e3 * there.pass.as_secs_f64(),
        1e3 * cpu.pass.as_secs_f64(),
    );
    if off <= TOLERANCE {
        Ok(said)
    } else {
        Err(anyhow!("{said}: that can be seen, so do not use it; please report it"))
    }
}

/// A model that was loaded and run.
struct Tried {
    /// Loading and the first run.
    load: Duration,
    /// The fastest of the later runs.
    pass: Duration,
    session: Session,
}

impl Tried {
    fn maps(&self) -> Result<&[f32]> {
        Ok(self.session.floats("camloc.maps")?.1)
    }
}

fn pass(session: &mut Session) -> Result<Duration> {
    let began = Instant::now();
    session.run()?;
    Ok(began.elapsed())
}

/// The largest difference, as a share of the range of what is expected. What is no number is infinitely far.
fn distance(found: &[f32], expected: &[f32]) -> f32 {
    let low = expected.iter().copied().fold(f32::INFINITY, f32::min);
    let high = expected.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let most =
        differences.fold(0.0, |most: f32, off| if off.is_nan() { f32::INFINITY } else { most.max(off) });
    most / (high - low).max(f32::MIN_POSITIVE)
}

/// ` (Gather 2, Shape 1)`: the operators of nodes that another provider runs.
fn elsewhere(session: &Session) -> String {
    let placement = session.placement();
    let mut operators: BTreeMap<&str, usize> = BTreeMap::new();
    for node in session.nodes().iter().filter(|node| node.provider != placement.provider()) {
        *operators.entry(&node.operator).or_default() += 1;
    }
    let words: Vec<String> =
        operators.iter().map(|(operator, nodes)| format!("{operator} {nodes}")).collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn a_distance_is_a_share_of_the_range_and_never_hides_what_is_no_number() {
        assert_eq!(distance(&[0.0, 1.0, 2.25], &[0.0, 1.0, 2.0]), 0.125);
        assert_eq!(distance(&[f32::NAN, 1.0], &[0.0, 1.0]), f32::INFINITY);
    }
}
