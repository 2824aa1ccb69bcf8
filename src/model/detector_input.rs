//! What a detector's pictures are, where nobody says.

use camloc_graph::explain::Detector;

use super::manifest::{FitName, Manifest, PerChannel};
use super::preprocessing::Channels;

/// The grey around the pictures of YOLO's detectors.
pub(super) const FILL: [u8; 3] = [114; 3];

/// Fills in what detectors of this kind are fed with by those who make them, and says what of it was assumed.
pub(super) fn assume(detector: &Detector, manifest: &mut Manifest, assumed: &mut Vec<String>) {
    if manifest.fit.is_none() && manifest.crop.is_none() {
        (manifest.fit, manifest.fill) = (Some(FitName::Letterbox), Some(FILL));
        assumed.push("a detector's letterbox".to_owned());
    }
    if manifest.mean_std().is_none() {
        let (range, pixels) =
            if detector.is_yolox() { (255.0, "pixels of 0..255") } else { (1.0, "pixels of 0..1") };
        (manifest.range, manifest.mean, manifest.std) =
            (Some(range), Some(PerChannel::All(0.0)), Some(PerChannel::All(1.0)));
        assumed.push(pixels.to_owned());
        if detector.is_yolox() && manifest.channels.is_none() {
            manifest.channels = Some(Channels::Bgr);
            assumed.push("BGR".to_owned());
        }
    }
}
