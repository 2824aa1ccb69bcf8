//! Which of a camera's formats to take.

use super::{CameraWish, Encoding};

/// The size and rate taken where the user has no wish: enough for a classifier, and what most webcams do best.
const USUAL: (u32, u32, f64) = (1280, 720, 30.0);

/// A format that a camera offers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Offer {
    pub(super) encoding: Encoding,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Seconds between frames, as a fraction; unknown of some cameras.
    pub(super) interval: Option<(u32, u32)>,
}

impl Offer {
    pub(super) fn fps(&self) -> Option<f64> {
        let (numerator, denominator) = self.interval.filter(|&(n, d)| n > 0 && d > 0)?;
        Some(f64::from(denominator) / f64::from(numerator))
    }

    /// Whether this is what was wished for.
    pub(super) fn grants(&self, wish: &CameraWish) -> bool {
        let size = wish.size.is_none_or(|size| size == (self.width, self.height));
        let rate = wish.fps.zip(self.fps()).is_none_or(|(wanted, fps)| (wanted - fps).abs() < 0.5);
        let encoding = wish.encoding.is_none_or(|encoding| encoding == self.encoding);
        size && rate && encoding
    }
}

impl std::fmt::Display for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{} {}", self.width, self.height, self.encoding)?;
        match self.fps() {
            Some(fps) => write!(f, " at {} fps", (fps * 100.0).round() / 100.0),
            None => Ok(()),
        }
    }
}

/// What was wished for, in words.
pub(super) fn in_words(wish: &CameraWish) -> String {
    let size = wish.size.map(|(width, height)| format!("{width}x{height}"));
    let encoding = wish.encoding.map(|encoding| encoding.to_string());
    let fps = wish.fps.map(|fps| format!("at {fps} fps"));
    [size, encoding, fps].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The offer nearest to the wish: in encoding first, then in size, then in rate, then the one that decodes fastest.
pub(super) fn nearest(offers: &[Offer], wish: &CameraWish) -> Option<Offer> {
    let (width, height) = wish.size.unwrap_or((USUAL.0, USUAL.1));
    let fps = wish.fps.unwrap_or(USUAL.2);
    let distance = |offer: &Offer| {
        let other = wish.encoding.is_some_and(|encoding| encoding != offer.encoding);
        let size = offer.width.abs_diff(width) + offer.height.abs_diff(height);
        let rate = offer.fps().map_or(0.0, |f| (f - fps).abs());
        (other, size, (rate * 100.0) as u64, offer.encoding)
    };
    offers.iter().copied().min_by_key(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(encoding: Encoding, width: u32, height: u32, fps: u32) -> Offer {
        Offer { encoding, width, height, interval: Some((1, fps)) }
    }

    fn webcam() -> Vec<Offer> {
        vec![
            offer(Encoding::Yuyv, 640, 480, 30),
            offer(Encoding::Yuyv, 1280, 720, 10),
            offer(Encoding::Mjpeg, 640, 480, 30),
            offer(Encoding::Mjpeg, 1280, 720, 30),
            offer(Encoding::Mjpeg, 1920, 1080, 30),
        ]
    }

    fn wish(size: Option<(u32, u32)>, fps: Option<f64>) -> CameraWish {
        CameraWish { size, fps, ..Default::default() }
    }

    #[test]
    fn without_a_wish_it_is_720p_at_a_full_rate() {
        assert_eq!(nearest(&webcam(), &wish(None, None)), Some(offer(Encoding::Mjpeg, 1280, 720, 30)));
    }

    #[test]
    fn size_counts_before_rate_and_raw_before_jpeg() {
        let chosen = nearest(&webcam(), &wish(Some((640, 480)), None)).unwrap();
        assert_eq!(chosen, offer(Encoding::Yuyv, 640, 480, 30));
        let chosen = nearest(&webcam(), &wish(Some((1280, 720)), Some(10.0))).unwrap();
        assert_eq!(chosen, offer(Encoding::Yuyv, 1280, 720, 10));
        assert!(chosen.grants(&wish(Some((1280, 720)), Some(10.0))));
    }

    #[test]
    fn what_is_not_offered_gives_the_nearest_and_is_noticed() {
        let wanted = wish(Some((4000, 3000)), Some(60.0));
        let chosen = nearest(&webcam(), &wanted).unwrap();
        assert_eq!(chosen, offer(Encoding::Mjpeg, 1920, 1080, 30));
        assert!(!chosen.grants(&wanted));
        assert_eq!(in_words(&wanted), "4000x3000 at 60 fps");
        assert_eq!(chosen.to_string(), "1920x1080 MJPEG at 30 fps");
        assert_eq!(nearest(&[], &wanted), None);
    }

    #[test]
    fn an_encoding_counts_before_all_and_is_missed_if_not_offered() {
        let raw = CameraWish { encoding: Some(Encoding::Yuyv), ..wish(Some((1920, 1080)), None) };
        assert_eq!(nearest(&webcam(), &raw), Some(offer(Encoding::Yuyv, 1280, 720, 10)));
        let grey = CameraWish { encoding: Some(Encoding::Grey), ..wish(None, Some(30.0)) };
        let chosen = nearest(&webcam(), &grey).unwrap();
        assert_eq!(chosen, offer(Encoding::Mjpeg, 1280, 720, 30));
        assert!(!chosen.grants(&grey));
        assert_eq!(in_words(&grey), "GREY at 30 fps");
    }

    #[test]
    fn fractional_and_unknown_rates_are_fine() {
        let ntsc = Offer { interval: Some((1001, 30_000)), ..offer(Encoding::Yuyv, 640, 480, 1) };
        assert!(ntsc.grants(&wish(None, Some(30.0))));
        assert_eq!(ntsc.to_string(), "640x480 YUYV at 29.97 fps");
        let unknown = Offer { interval: None, ..ntsc };
        assert!(unknown.grants(&wish(None, Some(30.0))));
        assert_eq!(Offer { interval: Some((0, 0)), ..ntsc }.fps(), None);
    }
}
