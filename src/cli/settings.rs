//! Settings: the defaults of `config/camloc.toml`, overlaid by the user's file. The command line and
//! the environment come on top, in each command's arguments.

use std::io;
use std::path::{Path, PathBuf};

use crate::likeness::like;
use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use toml::{Table, Value};

/// The file that documents every key *is* the default: the two can't disagree.
pub(super) const DEFAULTS: &str = include_str!("../../config/camloc.toml");

/// All settings, complete.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Settings {
    pub(super) model: Model,
    pub(super) black_box: BlackBox,
    pub(super) localize: Localize,
    pub(super) masks: Masks,
    pub(super) track: Track,
    pub(super) overlay: Overlay,
    pub(super) camera: Camera,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Model {
    pub(super) path: String,
    pub(super) manifest: String,
    pub(super) top_k: usize,
    pub(super) classes: Vec<String>,
    pub(super) method: String,
    pub(super) layers: Vec<String>,
    pub(super) fusion: String,
    pub(super) refine: bool,
    pub(super) target: String,
    pub(super) inputs: Vec<String>,
    pub(super) fit: String,
    pub(super) input_size: String,
    pub(super) threads: usize,
    pub(super) provider: String,
    /// Where to write how the model was read; no setting, only an argument.
    #[serde(skip)]
    pub(super) write_manifest: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct BlackBox {
    pub(super) budget: String,
    pub(super) patch: usize,
    pub(super) stride: usize,
    pub(super) fill: String,
    pub(super) masks: usize,
    pub(super) channels: usize,
    pub(super) seed: u64,
    pub(super) batch: usize,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Localize {
    pub(super) preset: String,
    pub(super) threshold: f32,
    pub(super) components: String,
    pub(super) min_area: f32,
    pub(super) min_peak: f32,
    pub(super) min_score: f32,
    pub(super) closer: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Masks {
    pub(super) edges: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Track {
    pub(super) enabled: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Overlay {
    pub(super) heatmap: bool,
    pub(super) boxes: bool,
    pub(super) opacity: f32,
    pub(super) colormap: String,
    pub(super) what_if: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Camera {
    pub(super) device: String,
    pub(super) size: String,
    pub(super) fps: f64,
    pub(super) encoding: String,
    pub(super) reconnect: bool,
}

impl Settings {
    /// The defaults alone.
    #[cfg(test)]
    pub(super) fn documented() -> Result<Settings> {
        Ok(defaults()?.try_into()?)
    }

    /// The defaults, overlaid by `file`, or by the user's configuration file where there is one.
    pub(super) fn load(file: Option<&Path>) -> Result<Settings> {
        let mut table = defaults()?;
        if let Some(path) = file.map(Path::to_owned).or_else(user_file) {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            let user: Table = toml::from_str(&text).map_err(|error| not_toml(&path, &text, &error))?;
            overlay(&mut table, user, "").with_context(|| format!("in {}", path.display()))?;
        }
        table.try_into().context("a setting has a value of the wrong type")
    }
}

/// What the file documents, as it is.
fn defaults() -> Result<Table> {
    toml::from_str(DEFAULTS).context("config/camloc.toml is broken")
}

fn unreadable(path: &Path, error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::InvalidData => anyhow!("{} is not text in UTF-8: save it as that", path.display()),
        kind => anyhow!("cannot read the settings file {}: {kind}", path.display()),
    }
}

/// What is wrong with a TOML text, and where, on one line.
fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let (line, column) =
        (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1);
    let what = error.message().replace('\n', ", ");
    anyhow!("{}, line {line}, column {column}: {what}", path.display())
}

fn user_file() -> Option<PathBuf> {
    let path = directories::ProjectDirs::from("", "", "camloc")?.config_dir().join("config.toml");
    path.is_file().then_some(path)
}

/// Overlays `user` on `defaults`; a key that the defaults lack, or of another type, is an error.
fn overlay(defaults: &mut Table, user: Table, section: &str) -> Result<()> {
    for (key, value) in user {
        let Some(default) = defaults.get_mut(&key) else {
            bail!("unknown setting \"{section}{key}\"{}", nearest(&key, defaults.keys()));
        };
        match (default, value) {
            (Value::Table(inner), Value::Table(user)) => overlay(inner, user, &format!("{section}{key}."))?,
            (default @ Value::Float(_), Value::Integer(n)) => *default = Value::Float(n as f64),
            (default, value) if default.same_type(&value) => *default = value,
            (default, value) => bail!(
                "the setting \"{section}{key}\" wants a {}, not a {}",
                default.type_str(),
                value.type_str()
            ),
        }
    }
    Ok(())
}

/// `; did you mean "x"?`, where a known name is near enough to be meant.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a String>) -> String {
    let like = like(wrong, known, |name| (*name).clone());
    like.first().map(|name| format!("; the nearest is \"{name}\"")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        Settings::load(Some(file.path()))
    }

    #[test]
    fn a_users_file_overlays_the_defaults() {
        let settings = load("[localize]\nthreshold = 0.5\n[camera]\nfps = 15").unwrap();
        assert_eq!(settings.localize.threshold, 0.5);
        assert_eq!(settings.camera.fps, 15.0);
        assert_eq!(settings.model.top_k, 1);
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = format!("{:#}", load("[localize]\ntreshold = 0.5").unwrap_err());
        assert!(error.contains("\"localize.treshold\""), "{error}");
        assert!(error.contains("the nearest is \"threshold\""), "{error}");
    }

    #[test]
    fn what_is_no_toml_names_the_place_once() {
        let error = format!("{:#}", load("[model]\ntop_k = = 3").unwrap_err());
        assert!(error.contains(", line 2, column 9: "), "{error}");
        assert!(!error.contains('\n') && error.matches("line").count() == 1, "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, b"[model]\npath = \"K\xfcche.onnx\"").unwrap();
        let error = format!("{:#}", Settings::load(Some(file.path())).unwrap_err());
        assert!(error.ends_with("is not text in UTF-8: save it as that"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_type_names_its_key() {
        let error = format!("{:#}", load("[model]\ntop_k = \"three\"").unwrap_err());
        assert!(error.contains("\"model.top_k\" wants a integer"), "{error}");
    }
}
