//! A camera made of photos: a window pans and zooms slowly over each, and one fades into the next.

use std::time::{Duration, Instant};

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::{Event, FrameSource, SourceError, SourceInfo, Stop};
use crate::frame::{Frame, Picture, PicturePool};

/// Seconds from one photo to the next.
const SHOWN: f64 = 5.0;
/// Seconds of these in which both are seen.
const FADE: f64 = 0.6;
/// The narrowest window, as a share of the widest that fits the photo.
const NARROW: f64 = 0.72;
/// Where the wide window lies: the share of the free space left of it and above it. Heads are in the upper third.
const WIDE_AT: (f64, f64) = (0.5, 0.3);
/// The same for the narrow window, photo after photo.
const NARROW_AT: [(f64, f64); 4] = [(0.25, 0.3), (0.8, 0.2), (0.4, 0.6), (0.7, 0.1)];

/// What the panning camera is to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PanWish {
    /// Width and height of its frames, at least 1.
    pub size: (u32, u32),
    /// Frames a second, > 0.
    pub fps: f64,
    /// How many frames; `None`: without end, from the first photo again after the last.
    pub frames: Option<u64>,
    /// Whether frames come in real time, and late ones are dropped, as from a camera. If not, they come as fast as
    /// they are taken and none is dropped.
    pub live: bool,
}

impl Default for PanWish {
    fn default() -> PanWish {
        PanWish { size: (1280, 720), fps: 30.0, frames: None, live: true }
    }
}

/// The frames of a slow pan over photos; frame `seq` of given photos is always the same.
pub(crate) struct PanSource {
    info: SourceInfo,
    wish: PanWish,
    photos: Vec<Picture>,
    resizer: Resizer,
    pool: PicturePool,
    stop: Stop,
    started: Option<Instant>,
    next: u64,
}

impl PanSource {
    /// A camera that pans over `photos`; without any it ends at once. Frames' pictures come from `pool`.
    pub(crate) fn new(photos: Vec<Picture>, wish: PanWish, pool: &PicturePool, stop: &Stop) -> PanSource {
        let info = SourceInfo {
            name: "demo photos".into(),
            live: wish.live,
            size: Some(wish.size),
            fps: Some(wish.fps),
            frames: wish.frames,
            ..Default::default()
        };
        let (pool, stop) = (pool.clone(), stop.clone());
        PanSource { info, wish, photos, resizer: Resizer::new(), pool, stop, started: None, next: 0 }
    }

    /// Waits until the next frame is due, leaving out those that are late; false if stopped meanwhile.
    fn keep_pace(&mut self) -> bool {
        let started = *self.started.get_or_insert_with(Instant::now);
        if !self.wish.live {
            return true;
        }
        self.next = self.next.max((started.elapsed().as_secs_f64() * self.wish.fps) as u64);
        let due = Duration::try_from_secs_f64(self.next as f64 / self.wish.fps).unwrap_or_default();
        !self.stop.sleep_until(started + due)
    }

    /// The frame at this many seconds.
    fn draw(&mut self, seconds: f64) -> Option<Picture> {
        let turn = (seconds / SHOWN) as usize;
        let since = seconds - turn as f64 * SHOWN;
        let mut frame = self.view(turn, since)?;
        // The photo before is still moving while it fades.
        if since < FADE && turn > 0 && self.photos.len() > 1 {
            let before = self.view(turn - 1, since + SHOWN)?;
            let share = (256.0 * ease(since / FADE)) as u32;
            for (new, &old) in frame.rgb_mut().iter_mut().zip(before.rgb()) {
                *new = ((u32::from(*new) * share + u32::from(old) * (256 - share)) >> 8) as u8;
            }
        }
        Some(frame)
    }

    /// What the window sees of the photo of this turn, this many seconds after it came.
    fn view(&mut self, turn: usize, since: f64) -> Option<Picture> {
        let (width, height) = self.wish.size;
        let mut frame = self.pool.picture(width, height);
        let photo = self.photos.get(turn % self.photos.len().max(1))?;
        let [left, top, w, h] = window(photo.size(), self.wish.size, turn, since / (SHOWN + FADE));
        let from = TypedImageRef::<U8x3>::from_buffer(photo.width(), photo.height(), photo.rgb()).ok()?;
        let mut to = TypedImage::<U8x3>::from_buffer(width, height, frame.rgb_mut()).ok()?;
        let smooth = ResizeAlg::Convolution(FilterType::Bilinear);
        let options = ResizeOptions::new().resize_alg(smooth).crop(left, top, w, h);
        self.resizer.resize_typed(&from, &mut to, &options).ok()?;
        Some(frame)
    }
}

impl FrameSource for PanSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Event, SourceError> {
        if self.photos.is_empty() || self.stop.is_stopped() || !self.keep_pace() {
            return Ok(Event::End);
        }
        if self.wish.frames.is_some_and(|frames| self.next >= frames) {
            return Ok(Event::End);
        }
        let seq = self.next;
        let seconds = seq as f64 / self.wish.fps;
        self.next += 1;
        let arrived = Instant::now();
        Ok(self.draw(seconds).map_or(Event::End, |picture| {
            let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            Event::Frame(Frame { seq, time, arrived, picture })
        }))
    }
}

/// From 0 to 1 with a soft start and end.
fn ease(t: f64) -> f64 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The window (left, top, width, height) in a photo at share `t` (0..1) of its turn: it goes in and out by turns.
fn window(photo: (u32, u32), frame: (u32, u32), turn: usize, t: f64) -> [f64; 4] {
    let (w, h) = (f64::from(photo.0), f64::from(photo.1));
    let aspect = f64::from(frame.0) / f64::from(frame.1);
    let (widest, highest) = if w / h > aspect { (h * aspect, h) } else { (w, w / aspect) };
    let inward = if turn.is_multiple_of(2) { ease(t) } else { 1.0 - ease(t) };
    let scale = 1.0 + (NARROW - 1.0) * inward;
    let (x, y) = NARROW_AT[turn % NARROW_AT.len()];
    let place = |wide: f64, narrow: f64| wide + (narrow - wide) * inward;
    // Rounding must not push the window over the photo's edge.
    let (width, height) = ((widest * scale).min(w), (highest * scale).min(h));
    [(w - width) * place(WIDE_AT.0, x), (h - height) * place(WIDE_AT.1, y), width, height]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A photo of one colour with soft stripes.
    fn photo(width: u32, height: u32, red: u8) -> Picture {
        let stripe = |x: u32| (128.0 + 100.0 * (f64::from(x) / 20.0).sin()) as u8;
        let pixels = (0..width * height).flat_map(|i| [red, stripe(i % width), 0]).collect();
        Picture::from_rgb(width, height, pixels).unwrap()
    }

    fn pan(frames: u64, live: bool) -> PanSource {
        let wish = PanWish { size: (160, 90), fps: 30.0, frames: Some(frames), live };
        PanSource::new(
            vec![photo(200, 150, 0), photo(90, 120, 255)],
            wish,
            &PicturePool::new(4),
            &Stop::new(),
        )
    }

    fn frames(mut source: PanSource) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Event::Frame(frame) = source.next().unwrap() {
            frames.push(frame);
        }
        frames
    }

    #[test]
    fn the_same_photos_give_the_same_frames_and_all_of_them() {
        let (first, second) = (frames(pan(200, false)), frames(pan(200, false)));
        assert_eq!(first.len(), 200);
        assert!(first.iter().zip(&second).all(|(a, b)| a.picture.rgb() == b.picture.rgb()));
        assert!(first.iter().map(|frame| frame.seq).eq(0..200));
        assert_eq!(first[30].time, Duration::from_secs(1));
    }

    #[test]
    fn motion_is_smooth_and_photos_fade_into_each_other() {
        let frames = frames(pan(330, false));
        let red = |i: usize| f64::from(frames[i].picture.rgb()[0]);
        assert_eq!((red(149), red(170)), (0.0, 255.0));
        assert!((1..17).all(|i| red(150 + i) >= red(149 + i)) && red(159) > 60.0 && red(159) < 200.0);
        let difference = |i: usize| {
            let pairs = frames[i].picture.rgb().iter().zip(frames[i + 1].picture.rgb());
            pairs.map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / (160.0 * 90.0 * 3.0)
        };
        let steps: Vec<f64> = (0..329).map(difference).collect();
        assert!(steps.iter().all(|&step| step < 12.0), "{steps:?}");
        assert!(steps[40..110].iter().all(|&step| step > 0.05), "it moves: {steps:?}");
    }

    #[test]
    fn a_live_pan_keeps_real_time_and_drops_what_is_late() {
        let mut source = pan(1000, true);
        let started = Instant::now();
        let Event::Frame(_) = source.next().unwrap() else { panic!() };
        std::thread::sleep(Duration::from_millis(250));
        let Event::Frame(late) = source.next().unwrap() else { panic!() };
        assert!(late.seq >= 7, "{}", late.seq);
        assert!(started.elapsed() >= late.time);
    }

    #[test]
    fn without_photos_it_ends_at_once() {
        let mut source = PanSource::new(vec![], PanWish::default(), &PicturePool::new(1), &Stop::new());
        assert!(matches!(source.next(), Ok(Event::End)));
    }

    proptest! {
        #[test]
        fn the_window_stays_inside_the_photo(w in 1u32..5000, h in 1u32..5000, fw in 1u32..2000, fh in 1u32..2000, turn in 0usize..9, t in 0f64..=1.0) {
            let [left, top, width, height] = window((w, h), (fw, fh), turn, t);
            let slack = 1e-9 * f64::from(w.max(h));
            prop_assert!(left >= 0.0 && top >= 0.0 && width > 0.0 && height > 0.0);
            prop_assert!(left + width <= f64::from(w) + slack && top + height <= f64::from(h) + slack);
            prop_assert!((width / height / (f64::from(fw) / f64::from(fh)) - 1.0).abs() < 1e-6);
        }
    }
}
