//! Normalising a raw map to 0..1 on the working grid, by the rule of a named preset.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::GRID;
use super::resize::{Interpolation, Upsampler};
use crate::maps::ClassMap;

/// The rule that turns a raw activation map into a heat map of 0..1.
///
/// Libraries and papers differ here by up to a fifth of full scale, so every rule has its name.
/// All but [`Preset::Wsol`] upsample bilinearly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Preset {
    /// As the library pytorch-grad-cam: clip at 0 and min-max (eps 1e-7) at feature resolution, upsample,
    /// min-max again.
    PytorchGradCam,
    /// As the library torchcam: min-max (eps 1e-8) at feature resolution, upsample. Not rectified.
    TorchCam,
    /// As wsolevaluation (Choe et al., CVPR 2020): upsample bicubically, min-max. Not rectified.
    Wsol,
    /// Upsample, clip at 0, divide by the maximum.
    #[default]
    Max,
    /// Percentile as a standard (Bae et al., ECCV 2020): upsample, min-max with the 90th percentile as the
    /// maximum, clip at 1.
    Pas,
    /// Inferior value removal (Kim et al., ICCV 2021): upsample, subtract the 45th percentile, clip at 0,
    /// divide by the maximum.
    Ivr,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Preset; 6] =
        [Preset::PytorchGradCam, Preset::TorchCam, Preset::Wsol, Preset::Max, Preset::Pas, Preset::Ivr];

    fn name(self) -> &'static str {
        match self {
            Preset::PytorchGradCam => "pytorch-grad-cam",
            Preset::TorchCam => "torch-cam",
            Preset::Wsol => "wsol",
            Preset::Max => "max",
            Preset::Pas => "pas",
            Preset::Ivr => "ivr",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A preset's name that there is not.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("unknown preset \"{0}\": choose one of pytorch-grad-cam, torch-cam, wsol, max, pas, ivr")]
pub struct UnknownPreset(String);

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(name: &str) -> Result<Preset, UnknownPreset> {
        Preset::ALL.into_iter().find(|p| p.name() == name).ok_or_else(|| UnknownPreset(name.to_owned()))
    }
}

/// Normalises maps on a grid of a fixed size; keeps its buffers.
#[derive(Debug)]
pub(crate) struct Normalizer {
    width: usize,
    height: usize,
    upsampler: Upsampler,
    /// The map before upsampling.
    raw: Vec<f32>,
    grid: Vec<f32>,
    ranked: Vec<f32>,
}

impl Default for Normalizer {
    /// On the working grid of [`GRID`] x [`GRID`] cells.
    fn default() -> Normalizer {
        Normalizer::new(GRID, GRID)
    }
}

impl Normalizer {
    /// A normaliser whose maps come out as `[height, width]`.
    pub(crate) fn new(width: usize, height: usize) -> Normalizer {
        Normalizer {
            width,
            height,
            upsampler: Upsampler::default(),
            raw: Vec::new(),
            grid: Vec::new(),
            ranked: Vec::new(),
        }
    }

    /// The map `[height, width]`, row by row, each value in 0..1.
    ///
    /// `None` where the map says nothing about a place: it holds a NaN or an infinity, is constant, is
    /// nowhere positive (rules that clip at 0), or its size does not fit its values.
    pub(crate) fn normalize(&mut self, map: &ClassMap, preset: Preset) -> Option<&[f32]> {
        let varies = minimum(&map.values) < maximum(&map.values);
        if !varies || !map.values.iter().all(|v| v.is_finite()) {
            return None;
        }
        self.raw.clear();
        self.raw.extend_from_slice(&map.values);
        match preset {
            Preset::PytorchGradCam => {
                clip(&mut self.raw);
                min_max(&mut self.raw, 1e-7)?;
                self.upsample(map, Interpolation::Linear)?;
                clip(&mut self.grid);
                min_max(&mut self.grid, 1e-7)?;
            }
            Preset::TorchCam => {
                min_max(&mut self.raw, 1e-8)?;
                self.upsample(map, Interpolation::Linear)?;
            }
            Preset::Wsol => {
                self.upsample(map, Interpolation::Cubic)?;
                min_max(&mut self.grid, 0.0)?;
            }
            Preset::Max => {
                self.upsample(map, Interpolation::Linear)?;
                self.rescale(0.0, maximum(&self.grid))?;
            }
            Preset::Pas => {
                self.upsample(map, Interpolation::Linear)?;
                let top = percentile(&self.grid, 90.0, &mut self.ranked)?;
                self.rescale(minimum(&self.grid), top)?;
            }
            Preset::Ivr => {
                self.upsample(map, Interpolation::Linear)?;
                let floor = percentile(&self.grid, 45.0, &mut self.ranked)?;
                self.rescale(floor, maximum(&self.grid))?;
            }
        }
        Some(&self.grid)
    }

    fn upsample(&mut self, map: &ClassMap, interpolation: Interpolation) -> Option<()> {
        let (from, to) = ((map.width, map.height), (self.width, self.height));
        self.upsampler.resize(&self.raw, from, to, interpolation, &mut self.grid)
    }

    /// Brings `low` to 0 and `high` to 1, and cuts what lies beyond; `None` where there is nothing between
    /// them.
    fn rescale(&mut self, low: f32, high: f32) -> Option<()> {
        let gain = 1.0 / positive(high - low)?;
        self.grid.iter_mut().for_each(|v| *v = ((*v - low) * gain).clamp(0.0, 1.0));
        Some(())
    }
}

/// The least value, NaN aside.
fn minimum(values: &[f32]) -> f32 {
    values.iter().copied().fold(f32::INFINITY, f32::min)
}

/// The greatest value, NaN aside.
pub(super) fn maximum(values: &[f32]) -> f32 {
    values.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

fn clip(values: &mut [f32]) {
    values.iter_mut().for_each(|v| *v = v.max(0.0));
}

/// A span that can be divided by: not 0, so small that its inverse overflows, or infinite.
fn positive(span: f32) -> Option<f32> {
    (span.is_normal() && span > 0.0).then_some(span)
}

/// Subtracts the minimum, divides by `eps` + the new maximum; `None` where nothing is left.
fn min_max(values: &mut [f32], eps: f32) -> Option<()> {
    let low = minimum(values);
    let gain = 1.0 / (positive(maximum(values) - low)? + eps);
    values.iter_mut().for_each(|v| *v = ((*v - low) * gain).min(1.0));
    Some(())
}

/// The `q`-th percentile (0..100), interpolated linearly between ranks, as `numpy.percentile`.
fn percentile(values: &[f32], q: f64, ranked: &mut Vec<f32>) -> Option<f32> {
    ranked.clear();
    ranked.extend_from_slice(values);
    let rank = values.len().checked_sub(1)? as f64 * q / 100.0;
    let (_, &mut below, rest) = ranked.select_nth_unstable_by(rank as usize, f32::total_cmp);
    let above = rest.iter().copied().fold(f32::INFINITY, f32::min);
    let share = rank.fract() as f32;
    Some(if share > 0.0 { below + share * (above - below) } else { below })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EfficientNet-Lite0's class map of a golden retriever.
    #[rustfmt::skip]
    const RETRIEVER: [f32; 49] = [
        1.2116, 14.696, 31.0491, 31.6187, 20.7223, 1.4765, 0.6572,
        7.0228, 22.7361, 38.2908, 38.0885, 29.2518, 2.7026, 1.0588,
        11.4138, 20.1916, 28.7826, 20.5762, 16.1436, 3.9453, 0.8623,
        8.2605, 15.7486, 13.8813, 6.0362, 4.4409, 3.0002, 0.3514,
        6.7091, 14.3386, 17.558, 6.1342, 2.1991, 1.3148, 0.2538,
        6.2369, 15.7678, 17.1219, 9.9674, 2.8689, 0.2236, 0.1617,
        1.3302, 5.4918, 9.5987, 3.5914, 2.5363, 0.2633, -0.021,
    ];

    fn map(width: usize, values: &[f32]) -> ClassMap {
        ClassMap {
            class_id: 0,
            score: 1.0,
            height: values.len() / width,
            width,
            values: values.to_vec(),
            bounds: None,
        }
    }

    #[test]
    fn each_preset_has_the_figures_of_numpy_and_opencv() {
        let places = [(0, 0), (223, 0), (100, 40), (57, 130), (112, 112), (180, 201)];
        let figures = [
            (Preset::PytorchGradCam, [0.031738, 0.017216, 0.958222, 0.399535, 0.157493, 0.005867]),
            (Preset::TorchCam, [0.032173, 0.017702, 0.955341, 0.398653, 0.157477, 0.006332]),
            (Preset::Wsol, [0.011257, 0.039344, 0.98832, 0.404119, 0.163689, 0.026723]),
            (Preset::Max, [0.031738, 0.017216, 0.958222, 0.399535, 0.157493, 0.005805]),
            (Preset::Pas, [0.045574, 0.025076, 1.0, 0.564706, 0.223072, 0.00897]),
            (Preset::Ivr, [0.0, 0.0, 0.949508, 0.274282, 0.0, 0.0]),
        ];
        let mut normalizer = Normalizer::default();
        for (preset, expected) in figures {
            let grid = normalizer.normalize(&map(7, &RETRIEVER), preset).unwrap();
            for ((x, y), expected) in places.into_iter().zip(expected) {
                let ours = grid[y * GRID + x];
                assert!((ours - expected).abs() < 1e-5, "{preset} at {x},{y}: {ours}, not {expected}");
            }
        }
    }

    #[test]
    fn a_map_that_says_nothing_is_no_map() {
        let (nan, infinite) = ([0.0, f32::NAN, 1.0, 2.0], [0.0, 1.0, f32::INFINITY, 2.0]);
        let beyond_f32 = [f32::MIN, f32::MAX, 0.0, 1.0];
        let mut normalizer = Normalizer::default();
        for preset in Preset::ALL {
            for values in [nan, infinite, [0.3; 4], [0.0; 4], [-1.0; 4]] {
                assert_eq!(normalizer.normalize(&map(2, &values), preset), None, "{preset} of {values:?}");
            }
            let _ = normalizer.normalize(&map(2, &beyond_f32), preset);
            assert_eq!(normalizer.normalize(&map(1, &[]), preset), None);
        }
        let nowhere_positive = map(2, &[-1.0, -2.0, -3.0, -4.0]);
        assert_eq!(normalizer.normalize(&nowhere_positive, Preset::Max), None);
        assert!(normalizer.normalize(&nowhere_positive, Preset::TorchCam).is_some());
    }

    #[test]
    fn percentiles_are_interpolated_as_numpy_does() {
        let percentile = |q| percentile(&[5.0, 1.0, 4.0, 2.0, 3.5], q, &mut Vec::new()).unwrap();
        assert!((percentile(45.0) - 3.2).abs() < 1e-6);
        assert!((percentile(90.0) - 4.6).abs() < 1e-6);
        assert_eq!((percentile(0.0), percentile(100.0)), (1.0, 5.0));
    }

    #[test]
    fn presets_are_read_as_they_are_written_and_a_wrong_name_lists_them() {
        for preset in Preset::ALL {
            assert_eq!(preset.to_string().parse(), Ok(preset));
            let error = "grad-cam".parse::<Preset>().unwrap_err().to_string();
            assert!(error.contains(&preset.to_string()), "{error}");
        }
    }
}
