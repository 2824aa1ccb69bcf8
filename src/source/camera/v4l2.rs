//! Cameras on Linux: Video4Linux2.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use v4l::buffer::{Flags, Type};
use v4l::format::FourCC;
use v4l::fraction::Fraction;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::{FrameSizeEnum, Stepwise};
use v4l::io::traits::CaptureStream;
use v4l::prelude::MmapStream;
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format};

use super::super::decode::Layout;
use super::choice::{self, Offer};
use super::{CameraInfo, CameraWish, Encoding, Failure};

/// How long a camera may be silent before it is opened anew.
const TIMEOUT: Duration = Duration::from_secs(3);

const ENCODINGS: [(&[u8; 4], Encoding); 7] = [
    (b"YUYV", Encoding::Yuyv),
    (b"UYVY", Encoding::Uyvy),
    (b"NV12", Encoding::Nv12),
    (b"RGB3", Encoding::Rgb),
    (b"BGR3", Encoding::Bgr),
    (b"MJPG", Encoding::Mjpeg),
    (b"GREY", Encoding::Grey),
];

/// The devices that capture video, by index; those that may not be opened are among them.
pub(super) fn list() -> Result<Vec<CameraInfo>, String> {
    let mut cameras = Vec::new();
    let Ok(entries) = std::fs::read_dir("/dev") else { return Ok(cameras) };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Some(index) = index_of(&path) else { continue };
        // A camera has further nodes, for metadata, that offer no formats.
        let is_camera = match Device::with_path(&path) {
            Ok(device) => device.enum_formats().is_ok_and(|formats| !formats.is_empty()),
            // Not ours to open: the first node of a device is the one that captures.
            Err(e) => {
                !matches!(Failure::from(e), Failure::Gone)
                    && attribute(index, "index").as_deref() == Some("0")
            }
        };
        if is_camera {
            let name = attribute(index, "name").unwrap_or_else(|| path.display().to_string());
            cameras.push(CameraInfo { index, name, path: path.display().to_string() });
        }
    }
    cameras.sort_by_key(|camera| camera.index);
    Ok(cameras)
}

/// What the kernel says of `/dev/videoN` to everybody.
fn attribute(index: u32, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/sys/class/video4linux/video{index}/{name}")).ok()?;
    Some(text.trim().to_owned())
}

/// The number of `/dev/videoN`; links such as those in `/dev/v4l/by-id` are followed.
pub(super) fn index_of(path: &Path) -> Option<u32> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path));
    let name = path.strip_prefix("/dev").ok()?.to_str()?;
    name.strip_prefix("video")?.parse().ok()
}

/// An open camera.
pub(super) struct Camera {
    stream: MmapStream<'static>,
    offer: Offer,
    layout: Layout,
}

impl Camera {
    pub(super) fn open(camera: &CameraInfo, wish: &CameraWish) -> Result<Camera, Failure> {
        let device = Device::with_path(&camera.path)?;
        let mut offers = Vec::new();
        for format in device.enum_formats()? {
            if let Some(&(_, encoding)) = ENCODINGS.iter().find(|(code, _)| **code == format.fourcc.repr) {
                offers_of(&device, format.fourcc, encoding, wish, &mut offers)?;
            }
        }
        tracing::debug!("{} offers {offers:?}", camera.path);
        let offer = choice::nearest(&offers, wish).ok_or(Failure::NoFormat)?;
        let fourcc = ENCODINGS
            .iter()
            .find(|&&(_, encoding)| encoding == offer.encoding)
            .map(|(code, _)| FourCC::new(code));
        let fourcc = fourcc.ok_or(Failure::NoFormat)?;
        let set = device.set_format(&Format::new(offer.width, offer.height, fourcc))?;
        if set.fourcc != fourcc {
            return Err(Failure::Other(format!("it refused {offer}")));
        }
        let mut offer = Offer { width: set.width, height: set.height, ..offer };
        if let Some((numerator, denominator)) = offer.interval {
            // Some drivers have no rate to set: they send as they please.
            if let Ok(set) = device.set_params(&Parameters::new(Fraction::new(numerator, denominator))) {
                offer.interval = Some((set.interval.numerator, set.interval.denominator));
            }
        }
        let mut layout = Layout::packed(offer.encoding, set.width, set.height);
        layout.stride = layout.stride.max(set.stride);
        let mut stream = MmapStream::new(&device, Type::VideoCapture)?;
        stream.set_timeout(TIMEOUT);
        Ok(Camera { stream, offer, layout })
    }

    pub(super) fn offer(&self) -> Offer {
        self.offer
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// Waits for the next frame; with it comes the driver's count of frames, which has gaps where some were lost.
    pub(super) fn frame(&mut self) -> Result<(&[u8], Option<u64>), Failure> {
        let (bytes, meta) = CaptureStream::next(&mut self.stream)?;
        // What follows in the buffer is left from earlier frames; all of it is, if the driver lost some of the frame.
        let used = if meta.flags.contains(Flags::ERROR) { 0 } else { meta.bytesused as usize };
        let used = bytes.get(..used).unwrap_or(bytes);
        Ok((used, Some(u64::from(meta.sequence))))
    }
}

fn offers_of(
    device: &Device,
    fourcc: FourCC,
    encoding: Encoding,
    wish: &CameraWish,
    offers: &mut Vec<Offer>,
) -> Result<(), Failure> {
    for size in device.enum_framesizes(fourcc)? {
        let (width, height) = match size.size {
            FrameSizeEnum::Discrete(size) => (size.width, size.height),
            FrameSizeEnum::Stepwise(steps) => nearest_step(&steps, wish.size.unwrap_or((1280, 720))),
        };
        let offer = |interval| Offer { encoding, width, height, interval };
        let intervals = device.enum_frameintervals(fourcc, width, height).unwrap_or_default();
        if intervals.is_empty() {
            offers.push(offer(None));
        }
        for interval in intervals {
            match interval.interval {
                FrameIntervalEnum::Discrete(f) => offers.push(offer(Some((f.numerator, f.denominator)))),
                // A whole range: the driver takes the nearest to what is set.
                FrameIntervalEnum::Stepwise(range) => {
                    let (shortest, longest) = (seconds(range.min), seconds(range.max));
                    let wanted = wish.fps.unwrap_or(30.0).recip().min(longest).max(shortest);
                    offers.push(offer(Some(((wanted * 1e6) as u32, 1_000_000))));
                }
            }
        }
    }
    Ok(())
}

fn seconds(interval: Fraction) -> f64 {
    f64::from(interval.numerator) / f64::from(interval.denominator.max(1))
}

fn nearest_step(steps: &Stepwise, wanted: (u32, u32)) -> (u32, u32) {
    let nearest = |wanted: u32, min: u32, max: u32, step: u32| {
        let step = step.max(1);
        (min + wanted.saturating_sub(min) / step * step).min(max.max(min))
    };
    (
        nearest(wanted.0, steps.min_width, steps.max_width, steps.step_width),
        nearest(wanted.1, steps.min_height, steps.max_height, steps.step_height),
    )
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        const ENODEV: i32 = 19;
        const ENXIO: i32 = 6;
        const EBUSY: i32 = 16;
        match (error.kind(), error.raw_os_error()) {
            // A signal, such as that of a terminal that changes its size, ends the wait for a frame early.
            (io::ErrorKind::TimedOut | io::ErrorKind::Interrupted, _) => Failure::Silent,
            (io::ErrorKind::NotFound, _) | (_, Some(ENODEV | ENXIO)) => Failure::Gone,
            (io::ErrorKind::PermissionDenied, _) => Failure::Permission,
            (io::ErrorKind::ResourceBusy, _) | (_, Some(EBUSY)) => Failure::Busy,
            _ => Failure::Other(error.to_string()),
        }
    }
}
