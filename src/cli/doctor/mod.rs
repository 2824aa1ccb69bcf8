//! `camloc doctor`: what camloc needs, what was found, and how to get the rest.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::assets::{Asset, Store};
use crate::model::lite0;
use crate::runtime::Provider;
use crate::{runtime, source};
use anyhow::{Result, bail};

use super::terminal::Lines;
use super::{Context, providers};

mod provider;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Check also what this needs to run models, and try it: cuda, tensorrt, coreml, directml, openvino or webgpu
    #[arg(long, env = "CAMLOC_PROVIDER", value_name = "NAME")]
    provider: Option<String>,
}

/// One thing that was looked for.
struct Finding {
    what: &'static str,
    /// What was found, or what to do about it.
    detail: std::result::Result<String, String>,
    /// Nothing works without it.
    vital: bool,
}

/// The folder that assets are kept in, which need not be there yet.
fn cache(store: &Store) -> Result<String, String> {
    let place = store.dir().display();
    if store.dir().exists() && !store.dir().is_dir() {
        Err(format!("{place} is a file: point CAMLOC_CACHE at a folder"))
    } else {
        Ok(place.to_string())
    }
}

/// What of the cache is not what was put there.
fn damaged(store: &Store) -> Vec<Finding> {
    let damaged = store.damaged().into_iter();
    let remedy = |path: PathBuf| {
        format!("{} is damaged: it is fetched or made again when it is next used", path.display())
    };
    damaged.map(|path| finding("cached file", false, Err(remedy(path)))).collect()
}

pub(super) fn run(args: Args, _context: &Context) -> Result<()> {
    let wish = args.provider.as_deref().map_or(Ok(None), providers::wish)?;
    let store = Store::open();
    let mut findings =
        vec![finding("camloc", true, Ok(format!("{} on {}", env!("CARGO_PKG_VERSION"), platform())))];
    match &store {
        Ok(store) => {
            findings.push(finding("cache", true, cache(store)));
            findings.extend(damaged(store));
            findings.extend(library(wish, store));
            findings.push(finding("default model", false, found(lite0::cached(store))));
            findings.push(finding("sample photos", false, found(store.cached(Asset::SamplePhotos))));
            findings.push(finding("ffmpeg", false, ffmpeg(store)));
        }
        Err(error) => findings.push(finding("cache", true, Err(error.to_string()))),
    }
    findings.push(finding("cameras", false, cameras()));
    findings.push(finding("display", false, display()));
    if let (Some(provider), Ok(store)) = (wish, &store) {
        findings.extend(provider::check(provider, store));
    }
    let mut out = Lines(std::io::stdout().lock());
    for Finding { what, detail, .. } in &findings {
        let (mark, detail) = match detail {
            Ok(detail) => ("ok", detail),
            Err(remedy) => ("--", remedy),
        };
        writeln!(out, "{mark}  {what:<16} {detail}")?;
    }
    match findings.iter().find(|finding| finding.vital && finding.detail.is_err()) {
        Some(broken) => bail!("camloc can't work yet: see \"{}\" above", broken.what),
        None => Ok(()),
    }
}

fn finding(what: &'static str, vital: bool, detail: std::result::Result<String, String>) -> Finding {
    Finding { what, detail, vital }
}

fn platform() -> String {
    format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// ONNX Runtime, its version and its providers. Missing is no failure: it is fetched when first needed.
fn library(wish: Option<Provider>, store: &Store) -> Vec<Finding> {
    const WHAT: &str = "ONNX Runtime";
    let asset = match providers::library(wish, store) {
        Ok(asset) => asset,
        Err(error) => return vec![finding(WHAT, true, Err(error.to_string()))],
    };
    let Some(path) = store.cached(asset) else {
        let named = std::env::var_os("CAMLOC_ORT_DYLIB");
        let detail = match &named {
            Some(path) => format!("CAMLOC_ORT_DYLIB names {}, which is not there", path.display()),
            None => {
                "not fetched yet: `camloc setup` fetches it, or set CAMLOC_ORT_DYLIB to your own".to_owned()
            }
        };
        return vec![finding(WHAT, named.is_some(), Err(detail))];
    };
    if let Err(error) = runtime::init(&path) {
        return vec![finding(WHAT, true, Err(error.to_string()))];
    }
    let plugins = providers::plugins(wish, store)
        .and_then(|plugins| plugins.iter().try_for_each(|plugin| Ok(runtime::add_plugin(plugin)?)));
    let version = runtime::version().unwrap_or_else(|error| error.to_string());
    let providers = runtime::providers().map(|names| names.join(", ")).map_err(|error| error.to_string());
    let mut findings = vec![
        finding(WHAT, true, Ok(format!("{version} at {}", path.display()))),
        finding("providers", true, providers),
    ];
    if let Err(error) = plugins {
        findings.push(finding("plugin", true, Err(error.to_string())));
    }
    findings
}

fn found(path: Option<PathBuf>) -> std::result::Result<String, String> {
    path.map(|path| path.display().to_string())
        .ok_or_else(|| "not fetched yet: `camloc setup` fetches it".to_owned())
}

fn ffmpeg(store: &Store) -> std::result::Result<String, String> {
    let path = store.ffmpeg_if_there();
    let path = path.ok_or_else(|| match std::env::var("CAMLOC_FFMPEG") {
        Ok(named) if !named.is_empty() => format!("CAMLOC_FFMPEG names {named}, which is not there"),
        _ => "none on PATH: install ffmpeg, or `camloc setup` fetches one (for videos)".to_owned(),
    })?;
    let output =
        Command::new(&path).arg("-version").output().map_err(|e| format!("{}: {e}", path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_whitespace().nth(2).unwrap_or("of unknown version");
    Ok(format!("{version} at {}", path.display()))
}

fn cameras() -> std::result::Result<String, String> {
    let cameras = source::camera::list().map_err(|error| error.to_string())?;
    if cameras.is_empty() {
        return Err(
            "none found: plug one in, and see that you may use it (on Linux the group `video`)".to_owned()
        );
    }
    let names: Vec<String> =
        cameras.iter().map(|camera| format!("{}: {}", camera.index, camera.name)).collect();
    Ok(names.join("; "))
}

/// Whether a window can be opened at all.
pub(super) fn display() -> std::result::Result<String, String> {
    if cfg!(any(target_os = "macos", windows)) {
        return Ok("native".to_owned());
    }
    match std::env::var("DISPLAY") {
        Ok(name) if !name.is_empty() => Ok(name),
        _ => Err("no DISPLAY: windows can't open here; files and JSON work".to_owned()),
    }
}
