//! Which library or plugin brings which execution provider, and where it comes from.

use std::path::{Path, PathBuf};

use crate::assets::{Asset, Store};
use crate::runtime::Provider;
use anyhow::{Result, bail};

use super::usage;

/// The provider that a setting names; `None` for `auto`.
pub(super) fn wish(name: &str) -> Result<Option<Provider>> {
    match name {
        "auto" => Ok(None),
        name => Ok(Some(name.parse().map_err(usage)?)),
    }
}

/// What `camloc setup --provider` fetches for a provider: a build of ONNX Runtime that has it, or a plugin. `None` where
/// nothing is pinned for it.
pub(super) fn asset(provider: Provider) -> Option<Asset> {
    match provider {
        Provider::Cpu => Some(Asset::OnnxRuntime),
        Provider::Cuda | Provider::TensorRt => Some(Asset::OnnxRuntimeCuda),
        Provider::OpenVino => Some(Asset::OnnxRuntimeOpenVino),
        Provider::WebGpu => Some(Asset::WebGpuPlugin),
        // Apple's build of ONNX Runtime has CoreML; for DirectML there is a build of Microsoft's only.
        Provider::CoreMl | Provider::DirectMl => None,
    }
}

/// The ONNX Runtime to load. One of many hundred megabytes is never fetched unasked: it is used if it is there.
pub(super) fn library(wish: Option<Provider>, store: &Store) -> Result<Asset> {
    let own_plugin = own_plugin().is_some();
    match wish {
        None if !own_plugin && has_nvidia_card() && store.cached(Asset::OnnxRuntimeCuda).is_some() => {
            Ok(Asset::OnnxRuntimeCuda)
        }
        Some(provider @ (Provider::Cuda | Provider::TensorRt | Provider::OpenVino)) if !own_plugin => {
            let asset = asset(provider).filter(|&asset| store.cached(asset).is_some());
            asset.ok_or_else(|| not_here(provider, "CAMLOC_ORT_DYLIB"))
        }
        _ => Ok(Asset::OnnxRuntime),
    }
}

/// Whether a driver for NVIDIA's cards is loaded. Without, CUDA can't run, and would only warn of that in every run.
pub(super) fn has_nvidia_card() -> bool {
    // Elsewhere than on Linux nothing so simple tells it.
    !cfg!(target_os = "linux")
        || ["/dev/nvidiactl", "/dev/dxg", "/dev/nvmap"].iter().any(|device| Path::new(device).exists())
}

/// The plugins to add to it.
pub(super) fn plugins(wish: Option<Provider>, store: &Store) -> Result<Vec<PathBuf>> {
    let fetched = match wish {
        None | Some(Provider::WebGpu) => store.cached(Asset::WebGpuPlugin),
        _ => None,
    };
    let plugins: Vec<PathBuf> = own_plugin().into_iter().chain(fetched).collect();
    let own_library = std::env::var_os("CAMLOC_ORT_DYLIB").is_some_and(|path| !path.is_empty());
    match wish {
        Some(Provider::WebGpu) if plugins.is_empty() && !own_library => {
            Err(not_here(Provider::WebGpu, "CAMLOC_ORT_PLUGIN"))
        }
        _ => Ok(plugins),
    }
}

/// A plugin of the user's own.
pub(super) fn own_plugin() -> Option<PathBuf> {
    std::env::var_os("CAMLOC_ORT_PLUGIN").filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn not_here(provider: Provider, variable: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{provider} is not at hand: `camloc setup --provider {}` fetches it, or point {variable} at your own",
        provider.name()
    )
}

/// Fails for a provider that can't be fetched, with what to do instead.
pub(super) fn fetchable(provider: Provider) -> Result<Asset> {
    match asset(provider) {
        Some(asset) => Ok(asset),
        None if provider == Provider::CoreMl => {
            bail!(
                "CoreML needs nothing fetched: ONNX Runtime for macOS has it; on other systems there is none"
            )
        }
        None => bail!(
            "no package of {provider} is pinned: point CAMLOC_ORT_DYLIB at an onnxruntime.dll that has it"
        ),
    }
}
