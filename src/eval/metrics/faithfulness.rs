//! Whether what a map marks is what the classifier goes by: insertion, deletion, drop and increase.

use std::cmp::Ordering;

use imageproc::filter::gaussian_blur_f32;

use crate::frame::Picture;

/// Steps that RISE takes: 224 pixels at a time on a picture of 224x224.
pub(crate) const STEPS: usize = 224;

/// A picture whose pixels change over to another's, most important first.
///
/// Deletion (Petsiuk et al., RISE, BMVC 2018) starts from the picture and ends in grey, insertion starts
/// from a blurred picture and ends in the picture.
#[derive(Debug)]
pub(crate) struct Perturbation {
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
    pub(crate) fn deletion(picture: &Picture, heat: &[f32], fill: [u8; 3]) -> Option<Perturbation> {
        let goal = picture.rgb().chunks_exact(3).flat_map(|_| fill).collect();
        Perturbation::new(picture.size(), picture.rgb().to_vec(), goal, heat)
    }

    /// Inserts the pixels of `picture` into its blur, those where `heat` is highest first.
    ///
    /// `None` unless `heat` has a value for each pixel, `[h, w]`.
    pub(crate) fn insertion(picture: &Picture, heat: &[f32]) -> Option<Perturbation> {
        Perturbation::new(picture.size(), blurred(picture)?, picture.rgb().to_vec(), heat)
    }

    fn new((width, height): (u32, u32), from: Vec<u8>, goal: Vec<u8>, heat: &[f32]) -> Option<Perturbation> {
        let current = Picture::from_rgb(width, height, from)?;
        let ranking = ranking(heat);
        (3 * ranking.len() == goal.len()).then_some(Perturbation { current, goal, ranking, done: 0 })
    }

    /// Changes the next pixels until `share` (0..1) of all are changed.
    pub(crate) fn advance(&mut self, share: f64) {
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
    pub(crate) fn scores<E>(
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

/// How well a map says what the classifier goes by (Petsiuk et al., RISE, BMVC 2018); each 0..1.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(crate) struct Areas {
    /// Area under the class's probability while the hottest pixels are taken away first; low is good.
    pub deletion: f64,
    /// Area under the class's probability while the hottest pixels come back first; high is good.
    pub insertion: f64,
}

/// Deletion and insertion by a heat map, `[h, w]`, in `steps` steps each; `fill` is what a deleted pixel becomes.
/// `score` is the class's probability on a picture. `None` unless `heat` has a value for each pixel.
///
/// # Errors
///
/// The first of `score`.
pub(crate) fn areas<E>(
    picture: &Picture,
    heat: &[f32],
    fill: [u8; 3],
    steps: usize,
    score: &mut dyn FnMut(&Picture) -> Result<f32, E>,
) -> Result<Option<Areas>, E> {
    let deletion = Perturbation::deletion(picture, heat, fill);
    let deleted = deletion.map(|p| p.scores(steps, &mut *score)).transpose()?;
    let insertion = Perturbation::insertion(picture, heat);
    let inserted = insertion.map(|p| p.scores(steps, &mut *score)).transpose()?;
    let area = |scores: Option<Vec<f32>>| scores.as_deref().and_then(auc);
    Ok(area(deleted).zip(area(inserted)).map(|(deletion, insertion)| Areas { deletion, insertion }))
}

/// The pixels of a heat map, highest first; of equals the one that comes first. NaN comes last.
pub(crate) fn ranking(heat: &[f32]) -> Vec<u32> {
    let value = |&pixel: &u32| {
        let v = heat[pixel as usize];
        if v.is_nan() { f32::NEG_INFINITY } else { v }
    };
    // A picture has fewer than 2^32 pixels.
    let mut ranking: Vec<u32> = (0..heat.len() as u32).collect();
    ranking.sort_by(|a, b| value(b).partial_cmp(&value(a)).unwrap_or(Ordering::Equal));
    ranking
}

/// The area under equidistant scores, as a share of the greatest possible (trapezoids): 0..1 for
/// probabilities; `None` for fewer than two.
pub(crate) fn auc(scores: &[f32]) -> Option<f64> {
    let steps = scores.windows(2).map(|pair| f64::midpoint(f64::from(pair[0]), f64::from(pair[1])));
    (scores.len() > 1).then(|| steps.sum::<f64>() / (scores.len() - 1) as f64)
}

/// The picture where its heat map (0..1, `[h, w]`) leaves it: each pixel times its heat.
///
/// The explanation map of Grad-CAM++ (Chattopadhay et al., WACV 2018). `None` unless `heat` has a value for
/// each pixel.
pub(crate) fn explanation(picture: &Picture, heat: &[f32]) -> Option<Picture> {
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
pub(crate) fn drop(full: f32, kept: f32) -> f64 {
    if full > 0.0 { f64::from(((full - kept) / full).clamp(0.0, 1.0)) } else { 0.0 }
}

/// Whether the class's probability rises on the [`explanation`] alone; the share of a set where it does is
/// Grad-CAM++'s increase in confidence.
pub(crate) fn increases(full: f32, kept: f32) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// A classifier that goes by the contrast of the picture's left half.
    fn left_half(picture: &Picture) -> Result<f32, Infallible> {
        let width = picture.width() as usize;
        let pixels = picture.rgb().chunks_exact(3).enumerate();
        let left = pixels.filter(|(i, _)| i % width < width / 2);
        let contrast: f32 = left.map(|(_, pixel)| (f32::from(pixel[0]) / 255.0).powi(2)).sum();
        Ok(contrast / (picture.rgb().len() / 12) as f32)
    }

    const SIDE: usize = 64;

    fn striped_left() -> Picture {
        let is_white = |x: usize| x < SIDE / 2 && x.is_multiple_of(2);
        let pixels = (0..SIDE * SIDE).flat_map(|i| [if is_white(i % SIDE) { 255 } else { 0 }; 3]);
        Picture::from_rgb(SIDE as u32, SIDE as u32, pixels.collect()).unwrap()
    }

    fn heat(of: impl Fn(usize) -> f32) -> Vec<f32> {
        (0..SIDE * SIDE).map(|i| of(i % SIDE)).collect()
    }

    fn deletion(heat: &[f32]) -> f64 {
        let perturbation = Perturbation::deletion(&striped_left(), heat, [0; 3]).unwrap();
        auc(&perturbation.scores(16, left_half).unwrap()).unwrap()
    }

    fn insertion(heat: &[f32]) -> f64 {
        let perturbation = Perturbation::insertion(&striped_left(), heat).unwrap();
        auc(&perturbation.scores(16, left_half).unwrap()).unwrap()
    }

    #[test]
    fn a_map_of_what_the_classifier_goes_by_deletes_low_and_inserts_high() {
        let right = heat(|x| if x < SIDE / 2 { 1.0 } else { 0.0 });
        let wrong = heat(|x| if x < SIDE / 2 { 0.0 } else { 1.0 });
        assert!((deletion(&right) - 0.25).abs() < 1e-6 && (deletion(&wrong) - 0.75).abs() < 1e-6);
        // The blur has half of the contrast.
        assert!(insertion(&right) > insertion(&wrong) + 0.2);
    }

    #[test]
    fn steps_start_at_the_one_picture_and_end_at_the_other() {
        let mut seen = Vec::new();
        let watch = |picture: &Picture| -> Result<f32, Infallible> {
            seen.push(picture.rgb().to_vec());
            Ok(0.0)
        };
        let perturbation = Perturbation::deletion(&striped_left(), &heat(|x| x as f32), [1, 2, 3]).unwrap();
        assert_eq!(perturbation.scores(7, watch).unwrap().len(), 8);
        assert_eq!(seen[0], striped_left().rgb());
        assert!(seen[7].chunks_exact(3).all(|pixel| pixel == [1, 2, 3]));
        let changed = |rgb: &[u8]| rgb.chunks_exact(3).filter(|pixel| *pixel == [1, 2, 3]).count();
        assert!(seen.windows(2).all(|pair| changed(&pair[0]) < changed(&pair[1])));
        assert_eq!(changed(&seen[3]), (3.0_f64 / 7.0 * 4096.0).round() as usize);
    }

    #[test]
    fn a_classifier_that_fails_ends_it() {
        let perturbation = Perturbation::deletion(&striped_left(), &heat(|_| 0.0), [0; 3]).unwrap();
        let mut calls = 0;
        let failing = |_: &Picture| {
            calls += 1;
            if calls < 3 { Ok(0.5) } else { Err("no device") }
        };
        assert_eq!(perturbation.scores(10, failing), Err("no device"));
        assert_eq!(calls, 3);
    }

    #[test]
    fn a_map_of_another_size_is_refused() {
        let (picture, heat) = (striped_left(), [1.0; 9]);
        assert!(Perturbation::deletion(&picture, &heat, [0; 3]).is_none());
        assert!(Perturbation::insertion(&picture, &heat).is_none());
        assert!(explanation(&picture, &heat).is_none());
        assert!(Perturbation::insertion(&Picture::black(0, 0), &[]).is_some());
    }

    #[test]
    fn pixels_are_ranked_by_heat_then_place_and_nan_last() {
        assert_eq!(ranking(&[0.1, f32::NAN, 0.9, 0.1, f32::INFINITY, -0.0, 0.0]), [4, 2, 0, 3, 5, 6, 1]);
    }

    #[test]
    fn the_area_is_that_of_trapezoids() {
        assert_eq!(auc(&[1.0, 0.5, 0.0]), Some(0.5));
        assert_eq!(auc(&[0.0, 0.0, 1.0]), Some(0.25));
        assert_eq!((auc(&[1.0]), auc(&[])), (None, None));
    }

    #[test]
    fn an_explanation_keeps_a_pixel_as_far_as_it_is_hot() {
        let picture = Picture::from_rgb(2, 1, vec![200, 100, 50, 9, 9, 9]).unwrap();
        assert_eq!(explanation(&picture, &[0.5, f32::NAN]).unwrap().rgb(), [100, 50, 25, 0, 0, 0]);
        assert_eq!(explanation(&picture, &[7.0, -1.0]).unwrap().rgb(), [200, 100, 50, 0, 0, 0]);
    }

    #[test]
    fn a_drop_is_a_share_and_a_rise_is_no_drop() {
        assert_eq!((drop(0.5, 0.25), drop(0.5, 0.75), drop(0.0, 0.0)), (0.5, 0.0, 0.0));
        assert!(increases(0.5, 0.6) && !increases(0.5, 0.5));
    }
}
