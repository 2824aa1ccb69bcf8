//! What a user may choose of the black-box methods.

use std::str::FromStr;
use std::time::Duration;

use super::input::Input;

/// How the black-box methods ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Occlusion: side of the patch, in pixels of the model's input; `None` is a seventh of the shorter side.
    pub patch: Option<usize>,
    /// Occlusion: step of the patch, in pixels of the model's input; the map has one cell for each step. `None` gives the
    /// shorter side 14 cells.
    pub stride: Option<usize>,
    /// Occlusion: what the patch shows.
    pub fill: Fill,
    /// RISE: how many masks.
    pub masks: usize,
    /// RISE: cells a side of the grid that masks are drawn on.
    pub cells: usize,
    /// Score-CAM and Ablation-CAM: ask about this many channels, those that vary most; `None` asks about all.
    pub channels: Option<usize>,
    /// Seed of what is random.
    pub seed: u64,
    /// How long one picture may take; its map is then the best that can be said so far. At least one batch is asked about;
    /// `None` asks about all variants.
    pub budget: Option<Duration>,
    /// Pictures in one forward pass; 0 for two a thread: on a processor, larger batches leave its caches
    /// (docs/performance.md).
    pub batch: usize,
}

impl Default for Settings {
    /// RISE: 7 cells are the paper's; its thousands of masks are for its curves, the map is seen after 1000.
    fn default() -> Settings {
        Settings {
            patch: None,
            stride: None,
            fill: Fill::default(),
            masks: 1000,
            cells: 7,
            channels: None,
            seed: 0,
            budget: None,
            batch: 0,
        }
    }
}

impl Settings {
    /// Side of the patch for such pictures, at least 1.
    pub(super) fn patch_for(&self, input: Input) -> usize {
        self.patch.unwrap_or(input.height.min(input.width).div_ceil(7)).max(1)
    }

    /// Step of the patch for such pictures, at least 1: half the usual patch, so that neighbours overlap.
    pub(super) fn stride_for(&self, input: Input) -> usize {
        self.stride.unwrap_or(input.height.min(input.width).div_ceil(14)).max(1)
    }
}

/// What an occluding patch shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fill {
    /// What the model's normalisation takes for nothing, a grey: zeros.
    #[default]
    Grey,
    /// The picture, blurred.
    Blur,
    /// The picture's mean colour.
    Mean,
}

/// No fill has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no \"{0}\": use grey, blur or mean")]
pub struct UnknownFill(String);

impl FromStr for Fill {
    type Err = UnknownFill;

    fn from_str(name: &str) -> Result<Fill, UnknownFill> {
        match name {
            "grey" | "gray" => Ok(Fill::Grey),
            "blur" => Ok(Fill::Blur),
            "mean" => Ok(Fill::Mean),
            other => Err(UnknownFill(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_patch_follows_the_pictures_size() {
        let usual = |height, width| {
            let (settings, input) =
                (Settings::default(), Input { height, width, channels: 3, interleaved: false });
            (settings.patch_for(input), settings.stride_for(input))
        };
        assert_eq!(usual(224, 224), (32, 16));
        assert_eq!(usual(28, 28), (4, 2));
        assert_eq!(usual(448, 224), (32, 16));
        assert_eq!(usual(1, 1), (1, 1));
    }
}
