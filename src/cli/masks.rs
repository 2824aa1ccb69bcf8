//! The arguments of masks: `image`, `video` and `eval` write them below the folder of `-o`.

use std::path::{Path, PathBuf};

use crate::files::{FileError, check_outputs};
use crate::sink::{MaskFormat, MasksSink};
use anyhow::{Result, anyhow};

use super::settings::Settings;
use super::usage;

/// Whether masks are written, and how they are made.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Masks")]
pub(super) struct MaskArgs {
    /// Write which pixels belong to what is found, below the folder of -o: png, rle or polygons (docs/masks.md)
    #[arg(long, value_name = "FORMAT")]
    masks: Option<String>,
    /// End masks where the map does, not at the picture's edges
    #[arg(long)]
    no_edges: bool,
}

impl MaskArgs {
    pub(super) fn apply(&self, settings: &mut Settings) {
        settings.masks.edges &= !self.no_edges;
    }

    /// Whether any are asked for.
    pub(super) fn wanted(&self) -> bool {
        self.masks.is_some()
    }

    /// Refuses masks of several streams, whose frames have the same numbers; there has to be one of what is `shown`.
    pub(super) fn alone(&self, shown: &str) -> Result<()> {
        if self.wanted() {
            Err(usage(anyhow!("--masks names its files by frame: give {shown}")))
        } else {
            Ok(())
        }
    }

    /// The format and the folder, if masks are asked for: `output` must then be a folder, which `is_file` denies.
    pub(super) fn check<'a>(
        &self,
        output: Option<&'a Path>,
        is_file: bool,
    ) -> Result<Option<(&'a Path, MaskFormat)>> {
        let Some(name) = &self.masks else { return Ok(None) };
        let format = name.parse().map_err(|error| usage(anyhow!("--masks: {error}")))?;
        match output {
            None => Err(usage(anyhow!("--masks needs a folder to write to: add -o DIR"))),
            Some(path) if is_file => Err(usage(anyhow!(
                "--masks needs a folder, and {} is named like a file: give -o DIR",
                path.display()
            ))),
            Some(folder) => Ok(Some((folder, format))),
        }
    }

    /// Opens the masks, if they are asked for, as [`MaskArgs::check`] says.
    pub(super) fn open(
        &self,
        output: Option<&Path>,
        is_file: bool,
        inputs: &[&Path],
    ) -> Result<Option<MasksSink>> {
        let Some((folder, format)) = self.check(output, is_file)? else { return Ok(None) };
        let path = MasksSink::path(folder, format);
        check_outputs(&[&path], inputs)?;
        // What lies in that folder may be replaced by masks.
        let resolved = path.canonicalize().unwrap_or_else(|_| path.clone());
        let within = |input: &&&Path| input.canonicalize().is_ok_and(|input| input.starts_with(&resolved));
        if let Some(input) = inputs.iter().find(within) {
            return Err(FileError::IsInput { path: PathBuf::from(input) }.into());
        }
        Ok(Some(MasksSink::create(folder, format)?))
    }
}
