//! The cache folder.
//!
//! ```text
//! onnxruntime-1.32.0/libonnxruntime.so.1.32.0    one folder an asset and version, with a seal: whole, or not there
//! derived/efficientnet-lite0-v4.onnx             files computed from assets, each with a seal beside it
//! tmp/  locks/                                   work in progress
//! ```

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::manifest::{self, Manifest, Pinned, Wheel};
use super::pip::{Pip, PipError};
use super::seal::{Look, Seal};
use super::{Asset, AssetError, Progress, Step, ffmpeg_on_path};
use crate::digest;

/// The seal in an asset's folder.
const SEAL: &str = "seal.json";
/// What the name of a derived file's seal ends in.
const SEAL_ENDING: &str = "seal";

/// Names a library of the user's own in place of every build of ONNX Runtime.
const OWN_RUNTIME: &str = "CAMLOC_ORT_DYLIB";
/// Names an ffmpeg of the user's own.
const OWN_FFMPEG: &str = "CAMLOC_FFMPEG";

/// The cache folder, and the means to fill it. Several processes may use one folder at once.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    own_runtime: Option<PathBuf>,
    own_ffmpeg: Option<PathBuf>,
    manifest: &'static Manifest,
    pip: Pip,
}

impl Store {
    /// The store of this user: `CAMLOC_CACHE`, or else `camloc` in the user's cache folder.
    ///
    /// Where `CAMLOC_ORT_DYLIB` names a library, that is every build of ONNX Runtime; where `CAMLOC_FFMPEG` names a
    /// program, that is ffmpeg. Nothing is created yet.
    ///
    /// # Errors
    /// [`AssetError::NoCacheFolder`] where a user has no home.
    pub fn open() -> Result<Store, AssetError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let user_cache = directories::BaseDirs::new().map(|dirs| dirs.cache_dir().to_path_buf());
        let mut store = Store::at(cache_folder(set("CAMLOC_CACHE"), user_cache)?);
        store.own_runtime = set(OWN_RUNTIME).map(PathBuf::from);
        store.own_ffmpeg = set(OWN_FFMPEG).map(PathBuf::from);
        Ok(store)
    }

    /// A store in a folder of one's own, whatever the environment says. Nothing is created yet.
    pub fn at(dir: impl Into<PathBuf>) -> Store {
        let dir = dir.into();
        // pip runs in another working directory.
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        Store {
            dir,
            own_runtime: None,
            own_ffmpeg: None,
            manifest: manifest::built_in(),
            pip: Pip::default(),
        }
    }

    /// The cache folder. It may not exist yet.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The asset's file (or folder, as [`Asset`] says), fetched if it is not there yet.
    ///
    /// # Errors
    /// See [`AssetError`]. After an error nothing half-done is left behind.
    pub fn get(&self, asset: Asset, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, AssetError> {
        if let Some((variable, path)) = self.own(asset) {
            let path = path.to_owned();
            return if path.is_file() { Ok(path) } else { Err(AssetError::OwnMissing { variable, path }) };
        }
        if let Some(found) = self.cached(asset) {
            return Ok(found);
        }
        let (pinned, wheel) = self.pinned(asset)?;
        let mut report =
            |step, bytes| progress(Progress { what: &pinned.what, step, bytes, total: wheel.bytes });
        let _lock =
            self.lock(asset.key(), || report(Step::Waiting, 0)).map_err(|error| self.failed(error))?;
        if let Some(found) = self.cached(asset) {
            return Ok(found);
        }
        self.fetch(asset, pinned, wheel, &mut report)?;
        report(Step::Done, wheel.bytes);
        Ok(self.place(asset, pinned, wheel))
    }

    /// The asset's file (or folder), if it is there; never fetches.
    pub fn cached(&self, asset: Asset) -> Option<PathBuf> {
        if let Some((_, path)) = self.own(asset) {
            return path.is_file().then(|| path.to_owned());
        }
        self.looked_at(asset, Look::Quick)
    }

    /// The asset's file (or folder) where all of it is there, as it was fetched.
    fn looked_at(&self, asset: Asset, look: Look) -> Option<PathBuf> {
        let (pinned, wheel) = self.pinned(asset).ok()?;
        let home = self.home(asset, pinned);
        let whole = wheel.is_unpacked_in(&home) && Seal::holds(&home.join(SEAL), &home, look);
        whole.then(|| self.place(asset, pinned, wheel))
    }

    /// What is in the cache and not what was put there, by folder or file: every file is read.
    pub(crate) fn damaged(&self) -> Vec<PathBuf> {
        let assets = Asset::ALL.into_iter().filter(|&asset| self.own(asset).is_none()).filter_map(|asset| {
            let home = self.home(asset, self.pinned(asset).ok()?.0);
            (home.exists() && self.looked_at(asset, Look::Thorough).is_none()).then_some(home)
        });
        let derived = fs::read_dir(self.dir.join("derived")).into_iter().flatten().flatten();
        let derived = derived.map(|entry| entry.path()).filter(|path| {
            path.extension().is_none_or(|ending| ending != SEAL_ENDING) && !is_whole(path, Look::Thorough)
        });
        assets.chain(derived).collect()
    }

    /// Removes an asset from the cache; says whether it was there.
    ///
    /// # Errors
    /// Where the folder can't be removed.
    pub(crate) fn remove(&self, asset: Asset) -> Result<bool, AssetError> {
        let home = self.home(asset, self.pinned(asset)?.0);
        let _lock = self.lock(asset.key(), || ()).map_err(|error| self.failed(error))?;
        let there = home.exists();
        remove(&home).map_err(|error| self.failed(error))?;
        Ok(there)
    }

    /// The user's own file that stands in an asset's place, and the variable that names it.
    fn own(&self, asset: Asset) -> Option<(&'static str, &Path)> {
        let (variable, path) = match asset {
            Asset::Ffmpeg => (OWN_FFMPEG, &self.own_ffmpeg),
            _ if asset.is_runtime() => (OWN_RUNTIME, &self.own_runtime),
            _ => return None,
        };
        path.as_deref().map(|path| (variable, path))
    }

    /// The ffmpeg to use: the user's own, else the one on `PATH`, else the pinned one, fetched if it is not there yet.
    ///
    /// # Errors
    /// See [`get`](Store::get).
    pub fn ffmpeg(&self, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, AssetError> {
        self.ffmpeg_on_path().map_or_else(|| self.get(Asset::Ffmpeg, progress), Ok)
    }

    /// As [`ffmpeg`](Store::ffmpeg), if it is there; never fetches.
    pub(crate) fn ffmpeg_if_there(&self) -> Option<PathBuf> {
        self.ffmpeg_on_path().or_else(|| self.cached(Asset::Ffmpeg))
    }

    /// The ffmpeg on `PATH`, unless the user named another.
    fn ffmpeg_on_path(&self) -> Option<PathBuf> {
        if self.own_ffmpeg.is_none() { ffmpeg_on_path() } else { None }
    }

    /// A file that is computed once and then kept. `make` writes it to the path it is given.
    ///
    /// The name carries a version (`model-v2.onnx`), to be raised whenever `make` would write another file.
    ///
    /// # Errors
    /// Those of `make`, and [`AssetError`] for those of the cache folder.
    pub(crate) fn derived<E: From<AssetError>>(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        if let Some(found) = self.derived_if_cached(name) {
            return Ok(found);
        }
        let file = self.derived_place(name);
        let failed = |error| E::from(self.failed(error));
        let _lock = self.lock(name, || ()).map_err(failed)?;
        if !is_whole(&file, Look::Quick) {
            let workshop = Workshop::new(self.dir.join("tmp").join(name)).map_err(failed)?;
            let made = workshop.0.join(name);
            make(&made)?;
            File::options().append(true).open(&made).and_then(|file| file.sync_all()).map_err(failed)?;
            let seal = Seal::of([made.clone()]).map_err(failed)?;
            keep(&made, &file).and_then(|()| seal.write(&seal_of(&file))).map_err(failed)?;
        }
        Ok(file)
    }

    /// The file that [`derived`](Store::derived) keeps under this name, if it is there.
    pub(crate) fn derived_if_cached(&self, name: &str) -> Option<PathBuf> {
        Some(self.derived_place(name)).filter(|file| is_whole(file, Look::Quick))
    }

    fn derived_place(&self, name: &str) -> PathBuf {
        self.dir.join("derived").join(name)
    }

    fn pinned(&self, asset: Asset) -> Result<(&'static Pinned, &'static Wheel), AssetError> {
        let platform = manifest::platform();
        let pinned = self.manifest.get(asset.key());
        pinned.and_then(|pinned| Some((pinned, pinned.wheel(&platform)?))).ok_or_else(|| {
            AssetError::UnsupportedPlatform {
                what: pinned.map_or_else(|| asset.key().to_owned(), |pinned| pinned.what.clone()),
                platform,
                instead: pinned.map(|pinned| pinned.instead.clone()).unwrap_or_default(),
            }
        })
    }

    fn home(&self, asset: Asset, pinned: &Pinned) -> PathBuf {
        self.dir.join(format!("{}-{}", asset.key(), pinned.version))
    }

    fn place(&self, asset: Asset, pinned: &Pinned, wheel: &Wheel) -> PathBuf {
        let home = self.home(asset, pinned);
        match wheel.members.first() {
            Some(first) if asset != Asset::SamplePhotos => first.unpacked_in(&home),
            _ => home,
        }
    }

    /// Downloads, checks, unpacks and puts in place. The asset's lock is held.
    fn fetch(
        &self,
        asset: Asset,
        pinned: &Pinned,
        wheel: &Wheel,
        report: &mut dyn FnMut(Step, u64),
    ) -> Result<(), AssetError> {
        let failed = |error| self.failed(error);
        let workshop = Workshop::new(self.dir.join("tmp").join(asset.key())).map_err(failed)?;
        report(Step::Downloading, 0);
        let file = self
            .pip
            .download(pinned, wheel, &workshop.0, &mut |bytes| {
                report(Step::Downloading, bytes.min(wheel.bytes))
            })
            .map_err(|error| self.pip_failed(pinned, error))?;

        report(Step::Unpacking, wheel.bytes);
        let got = digest::of_file(&file).map_err(failed)?;
        if got != wheel.sha256 {
            return Err(AssetError::WrongHash {
                what: pinned.what.clone(),
                expected: wheel.sha256.clone(),
                got,
            });
        }
        let unpacked = workshop.0.join("unpacked");
        unpack(&file, wheel, &unpacked, asset == Asset::Ffmpeg).map_err(failed)?;
        if !wheel.is_unpacked_in(&unpacked) {
            let (what, instead) = (pinned.what.clone(), pinned.instead.clone());
            return Err(AssetError::Incomplete { what, file: wheel.file.clone(), instead });
        }
        let files = wheel.members.iter().map(|member| member.unpacked_in(&unpacked));
        Seal::of(files).and_then(|seal| seal.write(&unpacked.join(SEAL))).map_err(failed)?;
        keep(&unpacked, &self.home(asset, pinned)).map_err(failed)
    }

    fn failed(&self, error: io::Error) -> AssetError {
        AssetError::in_cache(&self.dir, error)
    }

    fn pip_failed(&self, pinned: &Pinned, error: PipError) -> AssetError {
        let (what, instead) = (pinned.what.clone(), pinned.instead.clone());
        match error {
            PipError::Absent => AssetError::NoPip { what, instead },
            PipError::Network(said) => AssetError::Network { what, instead, said },
            PipError::Failed(said) => AssetError::Pip { what, instead, said },
            PipError::DiskFull => AssetError::DiskFull { dir: self.dir.clone() },
            PipError::Io(error) => self.failed(error),
        }
    }

    /// Locks a name against other processes, until the file that is returned is dropped.
    fn lock(&self, name: &str, waiting: impl FnOnce()) -> io::Result<File> {
        let folder = self.dir.join("locks");
        fs::create_dir_all(&folder)?;
        let file = File::options().create(true).truncate(false).write(true).open(folder.join(name))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => waiting(),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        file.lock()?;
        Ok(file)
    }
}

/// A fresh folder for work in progress. A lock makes its path ours; what a killed process left there goes first.
struct Workshop(PathBuf);

impl Workshop {
    fn new(folder: PathBuf) -> io::Result<Workshop> {
        remove(&folder)?;
        fs::create_dir_all(&folder)?;
        Ok(Workshop(folder))
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "left behind");
        }
    }
}

/// Removes a folder, if it is there.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Moves what is finished into place, in one step.
fn keep(finished: &Path, place: &Path) -> io::Result<()> {
    if place.is_dir() {
        fs::remove_dir_all(place)?;
    }
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::rename(finished, place)
}

/// Whether a derived file is there, as it was made.
fn is_whole(file: &Path, look: Look) -> bool {
    file.is_file() && file.parent().is_some_and(|folder| Seal::holds(&seal_of(file), folder, look))
}

fn seal_of(file: &Path) -> PathBuf {
    file.with_added_extension(SEAL_ENDING)
}

/// Takes a wheel's members out of it, those that are there. On disk before this returns.
fn unpack(file: &Path, wheel: &Wheel, folder: &Path, executable: bool) -> io::Result<()> {
    fs::create_dir(folder)?;
    let mut archive = ZipArchive::new(File::open(file)?).map_err(io::Error::other)?;
    for member in &wheel.members {
        let Ok(packed) = archive.by_name(&member.path) else { continue };
        let mut unpacked = File::create(member.unpacked_in(folder))?;
        io::copy(&mut packed.take(member.bytes), &mut unpacked)?;
        if executable {
            make_executable(&unpacked)?;
        }
        unpacked.sync_all()?;
    }
    Ok(())
}

#[cfg(unix)]
fn make_executable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &File) -> io::Result<()> {
    Ok(())
}

/// The cache folder, from the variable and the user's own cache folder.
fn cache_folder(set: Option<OsString>, user_cache: Option<PathBuf>) -> Result<PathBuf, AssetError> {
    match (set, user_cache) {
        (Some(folder), _) => Ok(folder.into()),
        (None, Some(cache)) => Ok(cache.join("camloc")),
        (None, None) => Err(AssetError::NoCacheFolder),
    }
}

#[cfg(test)]
mod fetching;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_comes_before_the_users_cache_folder() {
        let user = || Some(PathBuf::from("home/.cache"));
        assert_eq!(cache_folder(Some("mine".into()), user()).unwrap(), PathBuf::from("mine"));
        assert_eq!(cache_folder(None, user()).unwrap(), PathBuf::from("home/.cache/camloc"));
        let nowhere = cache_folder(None, None).unwrap_err().to_string();
        assert!(nowhere.contains("CAMLOC_CACHE"), "{nowhere}");
    }

    #[test]
    fn a_runtime_of_ones_own_is_used_as_it_is_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("libonnxruntime.so");
        let mut store = Store::at(dir.path());
        store.own_runtime = Some(library.clone());
        let missing = store.get(Asset::OnnxRuntime, &mut |_| ()).unwrap_err();
        assert!(matches!(missing, AssetError::OwnMissing { .. }));
        fs::write(&library, "").unwrap();
        assert_eq!(store.get(Asset::OnnxRuntime, &mut |_| ()).unwrap(), library);
        assert_eq!(store.cached(Asset::OnnxRuntime), Some(library));
    }

    #[test]
    fn an_ffmpeg_of_ones_own_comes_before_any_on_path() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("ffmpeg");
        let mut store = Store::at(dir.path());
        store.own_ffmpeg = Some(own.clone());
        let missing = store.ffmpeg(&mut |_| ()).unwrap_err().to_string();
        assert!(missing.contains("CAMLOC_FFMPEG"), "{missing}");
        fs::write(&own, "").unwrap();
        assert_eq!(store.ffmpeg(&mut |_| ()).unwrap(), own);
        assert_eq!(store.ffmpeg_if_there(), Some(own));
    }

    #[test]
    fn a_derived_file_is_made_once_and_never_kept_half_made() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let failing = store.derived("x-v1", |path| {
            fs::write(path, "half").unwrap();
            Err(AssetError::NoCacheFolder)
        });
        assert!(matches!(failing, Err(AssetError::NoCacheFolder)));

        let made =
            store.derived("x-v1", |path| fs::write(path, "whole").map_err(|e| store.failed(e))).unwrap();
        assert_eq!(fs::read_to_string(&made).unwrap(), "whole");
        let again = store.derived("x-v1", |_| -> Result<(), AssetError> { panic!("made twice") }).unwrap();
        assert_eq!(again, made);

        // What does not hold is made again.
        fs::write(&made, "Whole").unwrap();
        assert_eq!(store.damaged(), std::slice::from_ref(&made));
        store.derived("x-v1", |path| fs::write(path, "anew").map_err(|e| store.failed(e))).unwrap();
        assert_eq!(fs::read_to_string(&made).unwrap(), "anew");
        assert!(store.damaged().is_empty());
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn a_derived_file_whose_maker_forgot_to_write_it_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let nothing = Store::at(dir.path()).derived("x-v1", |_| Ok::<(), AssetError>(()));
        assert!(matches!(nothing, Err(AssetError::Cache { .. })));
    }
}
