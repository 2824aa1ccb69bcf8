//! The ONNX Runtime library: loading it once, and what it can do.

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::AsPointer;
use ort::environment::Environment;
use ort::logging::LogLevel;

use super::provider::shown;
use super::{Provider, RuntimeError};

/// The library of this process; ONNX Runtime allows one environment, so it stays until the end.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

struct Loaded {
    path: PathBuf,
    environment: Environment,
    plugins: Vec<PathBuf>,
    /// Warnings that were given.
    warned: Vec<String>,
}

/// Loads ONNX Runtime from `library` (`libonnxruntime.so`, `onnxruntime.dll`, `libonnxruntime.dylib`),
/// with its telemetry off.
///
/// Call it once before the first session; calling it again with the same path changes nothing.
pub fn init(library: &Path) -> Result<(), RuntimeError> {
    let path = std::path::absolute(library).unwrap_or_else(|_| library.to_owned());
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    match &*loaded {
        Some(first) if first.path == path => return Ok(()),
        Some(first) => {
            return Err(RuntimeError::OtherLibrary { loaded: first.path.clone(), asked: path });
        }
        None => {}
    }
    if !path.is_file() {
        return Err(RuntimeError::NoLibrary(path));
    }
    let environment = ort::init_from(&path)
        .map_err(|error| unusable(&path, error))?
        .with_name("camloc")
        .with_telemetry(false)
        .build()
        .map_err(RuntimeError::other)?;
    // Without this the library formats its every step as text, only to be thrown away.
    environment.set_log_level(LogLevel::Warning);
    *loaded = Some(Loaded { path, environment, plugins: vec![], warned: vec![] });
    Ok(())
}

/// Whether [`init`] has loaded ONNX Runtime.
pub(crate) fn is_loaded() -> bool {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// Adds the execution providers of a plugin library to the loaded ONNX Runtime.
///
/// Adding it again changes nothing. Where the machine has no device for it, it adds none.
///
/// # Errors
/// [`RuntimeError::NotAPlugin`] if the file can't be loaded, or wants a newer ONNX Runtime.
pub fn add_plugin(library: &Path) -> Result<(), RuntimeError> {
    let path = std::path::absolute(library).unwrap_or_else(|_| library.to_owned());
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = loaded.as_mut().ok_or(RuntimeError::NotLoaded)?;
    if loaded.plugins.contains(&path) {
        return Ok(());
    }
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let registered = loaded.environment.register_ep_library(name, &path);
    registered
        .map_err(|error| RuntimeError::NotAPlugin { path: path.clone(), why: RuntimeError::reason(error) })?;
    loaded.plugins.push(path);
    Ok(())
}

/// Warns once in the life of the process: sessions are loaded again and again.
pub(super) fn warn_once(warning: String) {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = loaded.as_mut().filter(|loaded| !loaded.warned.contains(&warning)) {
        tracing::warn!("{warning}");
        loaded.warned.push(warning);
    }
}

fn unusable(path: &Path, error: ort::LoadDynamicError) -> RuntimeError {
    let path = path.to_owned();
    match error {
        ort::LoadDynamicError::BadVersion { version_str, .. } => {
            RuntimeError::TooOld { path, found: version_str }
        }
        source => RuntimeError::NotALibrary { path, source },
    }
}

/// The loaded library's environment.
pub(super) fn environment() -> Result<Environment, RuntimeError> {
    let loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.as_ref().map(|loaded| loaded.environment.clone()).ok_or(RuntimeError::NotLoaded)
}

/// The version of the loaded library, such as `1.32.0`.
pub(crate) fn version() -> Result<String, RuntimeError> {
    let environment = environment()?;
    // The library tells its version as a property of its own CPU device; nothing else in its
    // interface does once it is loaded.
    let device = environment
        .devices()
        .find(|device| device.ep().is_ok_and(|name| name == "CPUExecutionProvider"))
        .ok_or_else(|| RuntimeError::Other("it does not tell its version".to_owned()))?;
    Ok(device_version(&device).unwrap_or_else(|| "of unknown version".to_owned()))
}

#[allow(unsafe_code)] // `ort` has no safe call for a device's properties
fn device_version(device: &ort::device::Device<'_>) -> Option<String> {
    let api = ort::api();
    // SAFETY: the device comes from the living environment, which owns the property list and its
    // strings; null is what an absent list or key gives, and is checked.
    unsafe {
        let properties = (api.EpDevice_EpMetadata)(device.ptr());
        if properties.is_null() {
            return None;
        }
        let version = (api.GetKeyValue)(properties, c"version".as_ptr());
        (!version.is_null()).then(|| CStr::from_ptr(version).to_string_lossy().into_owned())
    }
}

/// The execution providers of the loaded library and of its plugins' devices, best first: `CUDA`, `CPU`, …
///
/// That it has one does not mean that it can use it: CUDA also needs its driver and libraries.
pub(crate) fn providers() -> Result<Vec<String>, RuntimeError> {
    let environment = environment()?;
    let mut names: Vec<String> = built_in()?.iter().map(|name| shown(name)).collect();
    for plugged in environment.devices().filter_map(|device| device.ep().ok().map(shown)) {
        if !names.contains(&plugged) {
            names.insert(0, plugged);
        }
    }
    Ok(names)
}

/// The devices that plugins have found for a provider, as in `GPU of NVIDIA`.
pub(crate) fn devices(provider: Provider) -> Result<Vec<String>, RuntimeError> {
    let environment = environment()?;
    let found =
        environment.devices().filter(|device| device.ep().is_ok_and(|id| shown(id) == provider.to_string()));
    let words = found.map(|device| {
        let hardware = device.hardware_device();
        format!("{:?} of {}", hardware.ty(), hardware.vendor().unwrap_or("unknown make"))
    });
    Ok(words.collect())
}

/// ONNX Runtime's names of the providers that the loaded library was built with.
#[allow(unsafe_code)] // `ort` can ask about one known provider, not for the list
pub(super) fn built_in() -> Result<Vec<String>, RuntimeError> {
    let _environment = environment()?;
    let api = ort::api();
    let mut names = std::ptr::null_mut();
    let mut count = 0;
    // SAFETY: on success the library returns `count` strings that end in zero, ours until released
    // with the same count; they are copied before that.
    unsafe {
        ort::Error::result_from_status((api.GetAvailableProviders)(&mut names, &mut count))
            .map_err(RuntimeError::other)?;
        let count_usize = usize::try_from(count).unwrap_or(0);
        let list =
            (0..count_usize).map(|i| CStr::from_ptr(*names.add(i)).to_string_lossy().into_owned()).collect();
        let _ = ort::Error::result_from_status((api.ReleaseAvailableProviders)(names, count));
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::init_for_tests;

    #[test]
    fn the_library_says_what_it_is() {
        init_for_tests();
        let version = version().unwrap();
        assert!(version.starts_with("1."), "{version}");
        assert!(providers().unwrap().contains(&"CPU".to_owned()));
    }

    #[test]
    fn loading_twice_is_fine_and_another_library_is_refused() {
        init_for_tests();
        init_for_tests();
        let other = init(Path::new("/elsewhere/libonnxruntime.so")).unwrap_err();
        assert!(matches!(other, RuntimeError::OtherLibrary { .. }), "{other}");
    }
    #[test]
    fn an_unusable_library_is_named_with_the_way_out() {
        // What the loader answers is given here: a process that has one library cannot try another.
        let path = Path::new("/lib/libother.so");
        let old = ort::LoadDynamicError::BadVersion { version_str: "1.20.1".into(), path: path.into() };
        assert_eq!(
            unusable(path, old).to_string(),
            "/lib/libother.so is ONNX Runtime 1.20.1, camloc needs 1.24 or newer: \
             point CAMLOC_ORT_DYLIB at one, or run `camloc doctor`"
        );
        let other = ort::LoadDynamicError::MissingApi { path: path.into() };
        let words = unusable(path, other).to_string();
        assert!(words.starts_with("/lib/libother.so is not an ONNX Runtime library"), "{words}");
    }
}
