//! Whether what a map marks is what the classifier goes by: insertion, deletion, drop and increase.

use std::cmp::Ordering;

use imageproc::filter::gaussian_blur_f32;

use crate::frame::Picture;

/// Steps that RISE takes: 224 pixels at a time on a picture of 224x224.
pub const STEPS: usize = 224;

/// A picture whose pixels change over to another's, most important first.
///
/// Deletion (Petsiuk et al., RISE, BMVC 2018) starts from the picture and ends in grey, insertion starts
/// from a blurred picture and ends in the picture.
#[derive(Debug)]
pub struct Perturbation {
    current: Picture,
    goal: Vec<u8>,
    ranking: Vec<u32>,
    done: usize,
}

impl Perturbation {
    /// Deletes the pixels of `picture`, those where `heat` is highest first.
    ///
    /// `fill` is what a deleted pixel becomes: the mean colour of the model's normalisation, which it sees as
    /// 0. `None` unless `heat` has a value for each pixel, `[h, w]`.
    pub fn deletion(picture: &Picture, heat: &[f32], fill: [u8; 3]) -> Option<Perturbation> {
        let goal = picture.rgb().chunks_exact(3).flat_map(|_| fill).collect();
        Perturbation::new(picture.size(), picture.rgb().to_vec(), goal, heat)
    }

    /// Inserts the pixels of `picture` into its blur, those where `heat` is highest first.
    ///
    /// `None` unless `heat` has a value for each pixel, `[h, w]`.
    pub fn insertion(picture: &Picture, heat: &[f32]) -> Option<Perturbation> {
        Perturbation::new(picture.size(), blurred(picture)?, picture.rgb().to_vec(), heat)
    }

    fn new((width, height): (u32, u32), from: Vec<u8>, goal: Vec<u8>, heat: &[f32]) -> Option<Perturbation> {
        let current = Picture::from_rgb(width, height, from)?;
        let ranking = ranking(heat);
        (3 * ranking.len() == goal.len()).then_some(Perturbation { current, goal, ranking, done: 0 })
    }

    /// The picture as it is now.
    pub fn picture(&self) -> &Picture {
        &self.current
    }

    /// Changes the next pixels until `share` (0..1) of all are changed.
    pub fn advance(&mut self, share: f64) {
        let until = ((share * self.ranking.len() as f64).round() as usize).min(self.ranking.len());
        let pixels = self.current.rgb_mut();
        for &pixel in self.ranking.get(self.done..until).unwrap_or_default() {
            let bytes = 3 * pixel as usize..3 * pixel as usize + 3;
            pixels[bytes.clone()].copy_from_slice(&self.goal[bytes]);
        }
        self.done = self.done.max(until);
    }

    /// The class's probability after each of `steps` steps and before the first: `steps + 1` scores.
    ///
    /// # Errors
    ///
    /// The first of `score`.
    pub fn scores<E>(
        mut self,
        steps: usize,
        mut score: impl FnMut(&Picture) -> Result<f32, E>,
    ) -> Result<Vec<f32>, E> {
        let mut scores = vec![score(&self.current)?];
        for step in 1..=steps {
            self.advance(step as f64 / steps as f64);
            scores.push(score(&self.current)?);
        }
        Ok(scores)
    }
}

/// The pixels of a heat map, highest first; of equals the one that comes first. NaN comes last.
pub fn ranking(heat: &[f32]) -> Vec<u32> {
    let mut ranking: Vec<u32> = (0..u32::try_from(heat.len()).unwrap_or(u32::MAX)).collect();
    let value = |i: u32| heat[i as usize];
    ranking.sort_by(|&a, &b| {
        value(b)
            .partial_cmp(&value(a))
            .unwrap_or_else(|| value(a).is_nan().cmp(&value(b).is_nan()))
            .then(Ordering::Equal)
    });
    ranking
}

/// The area under equidistant scores, as a share of the greatest possible (trapezoids): 0..1 for
/// probabilities; `None` for fewer than two.
pub fn auc(scores: &[f32]) -> Option<f64> {
    let steps = scores.windows(2).map(|pair| f64::midpoint(f64::from(pair[0]), f64::from(pair[1])));
    (scores.len() > 1).then(|| steps.sum::<f64>() / (scores.len() - 1) as f64)
}

/// The picture where its heat map (0..1, `[h, w]`) leaves it: each pixel times its heat.
///
/// The explanation map of Grad-CAM++ (Chattopadhay et al., WACV 2018). `None` unless `heat` has a value for
/// each pixel.
pub fn explanation(picture: &Picture, heat: &[f32]) -> Option<Picture> {
    let (width, height) = picture.size();
    if 3 * heat.len() != picture.rgb().len() {
        return None;
    }
    let pixels = picture.rgb().chunks_exact(3).zip(heat);
    let kept = pixels.flat_map(|(pixel, &heat)| {
        [0, 1, 2].map(|c| (f32::from(pixel[c]) * heat.clamp(0.0, 1.0)).round() as u8)
    });
    Picture::from_rgb(width, height, kept.collect())
}

/// The drop of one picture's confidence, 0..1: `max(0, full - kept) / full`, where `kept` is the class's
/// probability for the [`explanation`] alone; the mean over a set is Grad-CAM++'s average drop.
pub fn drop(full: f32, kept: f32) -> f64 {
    if full > 0.0 { f64::from(((full - kept) / full).clamp(0.0, 1.0)) } else { 0.0 }
}

/// Whether the class's probability rises on the [`explanation`] alone; the share of a set where it does is
/// Grad-CAM++'s increase in confidence.
pub fn increases(full: f32, kept: f32) -> bool {
    kept > full
}

/// RISE's start for insertion: blurred with sigma 5 at 224 pixels.
fn blurred(picture: &Picture) -> Option<Vec<u8>> {
    let (width, height) = picture.size();
    let image = image::RgbImage::from_raw(width, height, picture.rgb().to_vec())?;
    let sigma = 5.0 / 224.0 * width.min(height) as f32;
    if sigma <= 0.0 {
        return Some(image.into_raw());
    }
    Some(gaussian_blur_f32(&image, sigma).into_raw())
}
