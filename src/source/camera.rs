//! Cameras.
//!
//! A thread captures and decodes; the newest frame wins. The thread is never waited for, because on some systems a
//! camera that stops sending holds it for ever. On Linux a silent camera is opened anew.

use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, bounded, never, select, unbounded};

use super::newest::Newest;
use super::{Encoding, Event, FrameSource, Notice, SourceError, SourceInfo, Stop};
use crate::frame::{Frame, PicturePool};

mod capture;
mod choice;
#[cfg_attr(target_os = "linux", path = "camera/v4l2.rs")]
#[cfg_attr(not(target_os = "linux"), path = "camera/native.rs")]
mod device;

use capture::Capture;

/// How long a camera may take to begin before the user hears of it.
const START: Duration = Duration::from_secs(3);

/// Silence that the user hears of.
const STALL: Duration = Duration::from_millis(1500);

/// A camera of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraInfo {
    /// Its number, as in `/dev/videoN` on Linux.
    pub index: u32,
    /// Its name, for people.
    pub name: String,
    /// Its device file on Linux; what the system identifies it by elsewhere.
    pub path: String,
}

impl std::fmt::Display for CameraInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "camera {} ({})", self.index, self.name)
    }
}

/// The cameras of this machine, by index; opens none for capture, so it disturbs nobody.
///
/// # Errors
/// If the system can't tell. No camera is no error here.
pub fn list() -> Result<Vec<CameraInfo>, SourceError> {
    device::list().map_err(|reason| SourceError::Camera { name: "listing cameras".into(), reason })
}

/// What is asked of a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraWish {
    /// Width and height; the nearest offered is taken. `None`: 1280x720.
    pub size: Option<(u32, u32)>,
    /// Frames a second; the nearest offered at that size is taken. `None`: 30.
    pub fps: Option<f64>,
    /// How pixels are packed, which decides over the size and the rate that can be had. `None`: as both want it.
    pub encoding: Option<Encoding>,
    /// Whether to wait for a camera that was pulled out, rather than to end with an error.
    pub reconnect: bool,
}

impl Default for CameraWish {
    fn default() -> CameraWish {
        CameraWish { size: None, fps: None, encoding: None, reconnect: true }
    }
}

/// Why a device can't be opened or read.
#[derive(Debug)]
enum Failure {
    Gone,
    Busy,
    Permission,
    NoFormat,
    /// It sent nothing for a while.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nokhwa waits for ever"))]
    Silent,
    Other(String),
}

impl Failure {
    fn explain(self, camera: &CameraInfo) -> SourceError {
        let name = if camera.path.starts_with("/dev/") { camera.path.clone() } else { camera.to_string() };
        match self {
            Failure::Gone => SourceError::CameraGone { name },
            Failure::Busy => SourceError::CameraBusy { name },
            Failure::Permission => SourceError::CameraPermission { name },
            Failure::NoFormat => SourceError::CameraFormats { name },
            Failure::Silent => SourceError::Camera { name, reason: "it sends nothing".into() },
            Failure::Other(reason) => SourceError::Camera { name, reason },
        }
    }
}

/// The frames of a camera, newest wins; gaps in `seq` are frames that were lost on the way.
pub struct CameraSource {
    info: SourceInfo,
    frames: Receiver<Frame>,
    news: Receiver<News>,
    stop: Stop,
    dropped: Stop,
    /// When the user hears of silence.
    due: Instant,
    silent: bool,
    /// The frame that came with the news that frames come again.
    held: Option<Frame>,
    ended: bool,
}

/// What the capture thread tells beside frames.
enum News {
    Notice(Notice),
    Failed(SourceError),
}

impl CameraSource {
    /// Opens a camera by its index (`"0"`) or device file (`"/dev/video0"`) and starts to capture. Frames' pictures
    /// come from `pool`.
    ///
    /// # Errors
    /// In plain words: no camera at all, none of that name (with those there), in use by another program, no
    /// permission, no format that can be decoded.
    pub fn open(
        which: &str,
        wish: &CameraWish,
        pool: &PicturePool,
        stop: &Stop,
    ) -> Result<CameraSource, SourceError> {
        let camera = find(list()?, which)?;
        let info = SourceInfo { name: camera.to_string(), live: true, ..Default::default() };
        let ((news_to, news), (newest, frames)) = (unbounded(), Newest::channel());
        let dropped = Stop::new();
        let capture = Capture {
            camera: camera.clone(),
            wish: wish.clone(),
            pool: pool.clone(),
            stop: stop.clone(),
            dropped: dropped.clone(),
            frames: newest,
            news: news_to,
            started: Instant::now(),
            next_seq: 0,
            broken: 0,
            complained: None,
        };
        let (opened_to, opened) = bounded(1);
        std::thread::spawn(move || capture.run(&opened_to));
        let (stop, due) = (stop.clone(), Instant::now() + START);
        let mut source =
            CameraSource { info, frames, news, stop, dropped, due, silent: false, held: None, ended: false };
        let offer = select! {
            recv(source.stop.stopped()) -> _ => return Ok(source),
            recv(opened) -> opened => opened.unwrap_or_else(|_| Err(Failure::Other("opening it failed".into()))),
        };
        let offer = offer.map_err(|failure| failure.explain(&camera))?;
        tracing::info!("{camera}: {offer}");
        source.info.size = Some((offer.width, offer.height));
        source.info.fps = offer.fps();
        source.due = Instant::now() + START;
        Ok(source)
    }

    fn notice(&self, notice: fn(String) -> Notice) -> Result<Event, SourceError> {
        Ok(Event::Notice(notice(self.info.name.clone())))
    }
}

impl FrameSource for CameraSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Event, SourceError> {
        if self.ended || self.stop.is_stopped() {
            return Ok(Event::End);
        }
        if let Some(frame) = self.held.take() {
            return Ok(Event::Frame(frame));
        }
        let stalled = if self.silent { never() } else { at(self.due) };
        select! {
            recv(self.stop.stopped()) -> _ => Ok(Event::End),
            recv(self.news) -> news => match news {
                Ok(News::Notice(notice)) => {
                    self.silent |= matches!(notice, Notice::Gone { .. });
                    Ok(Event::Notice(notice))
                }
                Ok(News::Failed(error)) => {
                    self.ended = true;
                    Err(error)
                }
                // The thread only ends after it said why, or by a bug in a driver's library.
                Err(_) => {
                    self.ended = true;
                    let name = self.info.name.clone();
                    Err(SourceError::Camera { name, reason: "capturing ended unexpectedly".into() })
                }
            },
            recv(self.frames) -> frame => match frame {
                Ok(frame) => {
                    self.due = Instant::now() + STALL;
                    if !std::mem::take(&mut self.silent) {
                        return Ok(Event::Frame(frame));
                    }
                    self.held = Some(frame);
                    self.notice(|name| Notice::Resumed { name })
                }
                Err(_) => {
                    self.frames = never();
                    self.next()
                }
            },
            recv(stalled) -> _ => {
                self.silent = true;
                self.notice(|name| Notice::Stalled { name })
            }
        }
    }
}

impl Drop for CameraSource {
    fn drop(&mut self) {
        self.dropped.stop();
    }
}

/// The camera of this index or device file.
fn find(cameras: Vec<CameraInfo>, which: &str) -> Result<CameraInfo, SourceError> {
    if cameras.is_empty() {
        return Err(SourceError::NoCamera);
    }
    let index = which.parse().ok().or_else(|| device::index_of(Path::new(which)));
    let found = cameras.iter().find(|camera| Some(camera.index) == index);
    found.cloned().ok_or_else(|| SourceError::NoSuchCamera {
        wanted: which.to_owned(),
        there: cameras.iter().map(|camera| camera.to_string().replacen("camera ", "", 1)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cameras() -> Vec<CameraInfo> {
        let camera = |index: u32, name: &str| CameraInfo {
            index,
            name: name.into(),
            path: format!("/dev/video{index}"),
        };
        vec![camera(0, "Built-in"), camera(2, "USB")]
    }

    #[test]
    fn cameras_are_found_by_index_and_the_others_named_if_not() {
        assert_eq!(find(cameras(), "2").unwrap().name, "USB");
        let said = find(cameras(), "7").unwrap_err().to_string();
        assert_eq!(said, "there is no camera 7; there is 0 (Built-in), 2 (USB)");
        assert!(find(cameras(), "/dev/none").is_err());
        assert_eq!(find(vec![], "0").unwrap_err().to_string(), "no camera found: plug one in");
        if cfg!(target_os = "linux") {
            assert_eq!(find(cameras(), "/dev/video2").unwrap().name, "USB");
        }
    }

    #[test]
    fn failures_say_what_to_do() {
        let camera = &cameras()[0];
        let said = |failure: Failure| failure.explain(camera).to_string();
        assert_eq!(said(Failure::Busy), "another program holds /dev/video0: close it");
        if cfg!(target_os = "linux") {
            assert!(said(Failure::Permission).contains("add yourself to the group video"));
        }
        assert!(said(Failure::Gone).contains("plug it in"));
    }
}
