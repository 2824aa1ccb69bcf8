//! The thread that captures.

use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::super::newest::Newest;
use super::super::{Notice, Stop};
use super::choice::{self, Offer};
use super::{CameraInfo, CameraWish, Failure, News, device};
use crate::frame::{Frame, PicturePool};

/// Between two attempts to open a camera that is gone.
const RETRY: Duration = Duration::from_millis(500);
/// Broken frames are reported at most this often.
const QUIET: Duration = Duration::from_secs(10);

/// The capture thread.
pub(super) struct Capture {
    pub(super) camera: CameraInfo,
    pub(super) wish: CameraWish,
    pub(super) pool: PicturePool,
    pub(super) stop: Stop,
    /// Stopped when the source is dropped.
    pub(super) dropped: Stop,
    pub(super) frames: Newest,
    pub(super) news: Sender<News>,
    pub(super) started: Instant,
    pub(super) next_seq: u64,
    pub(super) broken: u64,
    pub(super) complained: Option<Instant>,
}

impl Capture {
    /// Opens the camera, says with what format, and captures until stopped or until the source is dropped.
    pub(super) fn run(mut self, opened: &Sender<Result<Offer, Failure>>) {
        // Some systems tie a camera to the thread that opened it.
        let mut device = match device::Camera::open(&self.camera, &self.wish) {
            Ok(device) => Some(device),
            Err(failure) => {
                let _ = opened.send(Err(failure));
                return;
            }
        };
        if let Some(offer) = device.as_ref().map(device::Camera::offer) {
            if !offer.grants(&self.wish) {
                let (name, wanted) = (self.camera.to_string(), choice::in_words(&self.wish));
                self.tell(Notice::OtherFormat { name, wanted, chosen: offer.to_string() });
            }
            let _ = opened.send(Ok(offer));
        }
        let mut is_gone = false;
        loop {
            let opened = match device.take() {
                Some(device) => Ok(device),
                None => self.reopen(),
            };
            let failure = match opened {
                Ok(device) => {
                    is_gone = false;
                    match self.capture(device) {
                        Some(failure) => failure,
                        None => return,
                    }
                }
                Err(failure) => failure,
            };
            tracing::debug!("{}: {failure:?}", self.camera);
            // A camera that was pulled out may still be listed for a moment, then opening it fails in many ways.
            if !matches!(failure, Failure::Silent) {
                if !self.wish.reconnect {
                    let _ = self.news.send(News::Failed(failure.explain(&self.camera)));
                    return;
                }
                if !is_gone {
                    self.tell(Notice::Gone { name: self.camera.to_string() });
                }
                is_gone = true;
            }
            self.stop.sleep_until(Instant::now() + RETRY);
            if self.is_over() {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.stop.is_stopped() || self.dropped.is_stopped()
    }

    fn tell(&self, notice: Notice) {
        // If nobody listens any more, the thread is about to end.
        let _ = self.news.send(News::Notice(notice));
    }

    /// Opens the camera again, by its name if its number has changed.
    fn reopen(&mut self) -> Result<device::Camera, Failure> {
        let cameras = device::list().map_err(Failure::Other)?;
        let same = cameras.iter().find(|c| c.index == self.camera.index && c.name == self.camera.name);
        let named = same.or_else(|| cameras.iter().find(|c| c.name == self.camera.name));
        self.camera = named.ok_or(Failure::Gone)?.clone();
        device::Camera::open(&self.camera, &self.wish)
    }

    /// Hands frames over until the camera fails, or (`None`) nobody wants them.
    fn capture(&mut self, mut device: device::Camera) -> Option<Failure> {
        let (layout, base) = (device.layout(), self.next_seq);
        let mut first = None;
        loop {
            let (bytes, count) = match device.frame() {
                Ok(frame) => frame,
                Err(failure) => return Some(failure),
            };
            let arrived = Instant::now();
            if self.is_over() {
                return None;
            }
            let seq = match count {
                Some(count) => base + count.saturating_sub(*first.get_or_insert(count)),
                None => self.next_seq,
            };
            self.next_seq = seq + 1;
            match layout.decode(bytes, &self.pool) {
                Some(picture) => {
                    let time = arrived - self.started;
                    self.frames.offer(Frame { seq, time, arrived, picture });
                }
                None => self.complain(arrived),
            }
        }
    }

    /// Counts a broken frame, and says so now and then.
    fn complain(&mut self, now: Instant) {
        self.broken += 1;
        if self.complained.is_none_or(|last| now - last >= QUIET) {
            self.complained = Some(now);
            self.tell(Notice::BrokenFrame { name: self.camera.to_string(), total: self.broken });
        }
    }
}
