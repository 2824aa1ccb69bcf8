//! Where frames come from: a camera, a video, photos, or a slow pan over photos.
//!
//! Every source is a [`FrameSource`]: ask it for the [next](FrameSource::next) [`Event`] until it ends. A source
//! that waits (for a camera, a network stream) gives up as soon as its [`Stop`] is told to.
//! `docs/adding-a-source.md` shows how to write one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::frame::Frame;

#[cfg(feature = "camera")]
pub mod camera;
mod decode;
mod error;
mod images;
mod jpeg;
mod newest;
mod paced;
mod pan;
mod photo;
mod video;

use crate::files::Stop;
#[cfg(feature = "camera")]
pub use camera::{CameraInfo, CameraSource, CameraWish};
pub use decode::{Encoding, Layout, UnknownEncoding};
pub use error::SourceError;
pub use images::ImageSource;
pub(crate) use paced::PacedSource;
pub(crate) use pan::{PanSource, PanWish};
pub(crate) use photo::decode_photo;
pub use photo::read_photo;
pub use video::VideoSource;

/// Something that yields frames, one after the other.
pub trait FrameSource: Send {
    /// What is known of the source since it was opened.
    fn info(&self) -> &SourceInfo;

    /// Waits for the next frame, for news of the source, or for its end.
    ///
    /// # Errors
    /// An error is the source's last word, and the frames before it are good: a video that was cut short says so
    /// after its last frame. What can be survived (a broken photo among others, a camera that was pulled out)
    /// comes as [`Event::Notice`].
    fn next(&mut self) -> Result<Event, SourceError>;
}

/// What a source has to say.
#[derive(Debug)]
pub enum Event {
    /// The next frame.
    Frame(Frame),
    /// News for the user; more events follow.
    Notice(Notice),
    /// There are no more frames, or the source was stopped.
    End,
}

/// News of a source that goes on; `Display` is one line for the user.
#[derive(Debug, thiserror::Error)]
pub enum Notice {
    /// The camera can't do what was asked; the nearest it can do was chosen.
    #[error("{name} does not offer {wanted}: taking {chosen}")]
    OtherFormat {
        /// The camera.
        name: String,
        /// What was asked for.
        wanted: String,
        /// What it does instead.
        chosen: String,
    },
    /// No frame for a while, though the camera is there.
    #[error("{name} stopped sending; waiting for it")]
    Stalled {
        /// The camera.
        name: String,
    },
    /// The camera is gone, probably pulled out.
    #[error("{name} is gone; waiting for it to be plugged in again")]
    Gone {
        /// The camera.
        name: String,
    },
    /// Frames arrive again after [`Notice::Stalled`] or [`Notice::Gone`].
    #[error("{name} is sending again")]
    Resumed {
        /// The camera.
        name: String,
    },
    /// A frame could not be decoded and was left out.
    #[error("{name}: left out a broken frame ({total} so far)")]
    BrokenFrame {
        /// The camera.
        name: String,
        /// Broken frames since the start.
        total: u64,
    },
    /// A photo could not be read; the others follow.
    #[error("skipped: {0}")]
    Skipped(SourceError),
}

/// What is known of a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceInfo {
    /// How to call it: a file's name, `camera 0 (USB Webcam)`, a URL without its password.
    pub name: String,
    /// Whether time goes on without us: late frames of a live source are dropped, newest wins.
    pub live: bool,
    /// Width and height of the first frame, where known before it comes; later frames may differ.
    pub size: Option<(u32, u32)>,
    /// Frames a second, as declared.
    pub fps: Option<f64>,
    /// How many frames to expect: an estimate for videos, exact for photos.
    pub frames: Option<u64>,
    /// How long it lasts, as declared.
    pub duration: Option<Duration>,
    /// Whether there is sound beside the pictures.
    pub has_audio: bool,
    /// The files, if each frame is a file of its own: frame `seq` is `photos[seq]`. Standard input is `-`.
    pub photos: Arc<[PathBuf]>,
}
