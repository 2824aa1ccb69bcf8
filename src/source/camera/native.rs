//! Cameras on macOS and Windows, by nokhwa.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};
use nokhwa::{Buffer, NokhwaError};

use super::super::decode::Layout;
use super::choice::{self, Offer};
use super::{CameraInfo, CameraWish, Encoding, Failure};

const ENCODINGS: [(FrameFormat, Encoding); 6] = [
    (FrameFormat::YUYV, Encoding::Yuyv),
    (FrameFormat::NV12, Encoding::Nv12),
    (FrameFormat::RAWRGB, Encoding::Rgb),
    (FrameFormat::RAWBGR, Encoding::Bgr),
    (FrameFormat::MJPEG, Encoding::Mjpeg),
    (FrameFormat::GRAY, Encoding::Grey),
];

/// The cameras, by index.
pub(super) fn list() -> Result<Vec<CameraInfo>, String> {
    is_permitted();
    let mut cameras = Vec::new();
    for info in nokhwa::query(ApiBackend::Auto).map_err(|e| e.to_string())? {
        if let CameraIndex::Index(index) = *info.index() {
            let name = info.human_name();
            cameras.push(CameraInfo { index, path: info.misc(), name });
        }
    }
    cameras.sort_by_key(|camera| camera.index);
    Ok(cameras)
}

/// Cameras here have no path in the file system.
pub(super) fn index_of(_: &Path) -> Option<u32> {
    None
}

/// Whether we may use cameras. macOS asks the user once per program; elsewhere the answer is yes.
fn is_permitted() -> bool {
    static PERMITTED: OnceLock<bool> = OnceLock::new();
    *PERMITTED.get_or_init(|| {
        let (answered, answer) = crossbeam_channel::bounded(1);
        nokhwa::nokhwa_initialize(move |granted| {
            let _ = answered.try_send(granted);
        });
        answer.recv_timeout(Duration::from_secs(60)).unwrap_or(false)
    })
}

/// An open camera.
pub(super) struct Camera {
    camera: nokhwa::Camera,
    offer: Offer,
    buffer: Option<Buffer>,
}

impl Camera {
    pub(super) fn open(camera: &CameraInfo, wish: &CameraWish) -> Result<Camera, Failure> {
        if !is_permitted() {
            return Err(Failure::Permission);
        }
        let all = ENCODINGS.map(|(format, _)| format);
        let any = RequestedFormat::with_formats(RequestedFormatType::AbsoluteHighestFrameRate, &all);
        let mut camera = nokhwa::Camera::new(CameraIndex::Index(camera.index), any)?;
        let formats = camera.compatible_camera_formats()?;
        let offers: Vec<Offer> = formats.iter().filter_map(to_offer).collect();
        let offer = choice::nearest(&offers, wish).ok_or(Failure::NoFormat)?;
        let format = ENCODINGS.iter().find(|&&(_, encoding)| encoding == offer.encoding);
        let &(format, _) = format.ok_or(Failure::NoFormat)?;
        let rate = offer.interval.map_or(30, |(_, rate)| rate);
        let exact = CameraFormat::new(Resolution::new(offer.width, offer.height), format, rate);
        let request = RequestedFormat::with_formats(RequestedFormatType::Exact(exact), &all);
        camera.set_camera_requset(request)?;
        camera.open_stream()?;
        Ok(Camera { camera, offer, buffer: None })
    }

    pub(super) fn offer(&self) -> Offer {
        self.offer
    }

    pub(super) fn layout(&self) -> Layout {
        Layout::packed(self.offer.encoding, self.offer.width, self.offer.height)
    }

    /// Waits for the next frame, for ever if none comes. Frames aren't counted.
    pub(super) fn frame(&mut self) -> Result<(&[u8], Option<u64>), Failure> {
        let buffer = self.camera.frame()?;
        Ok((self.buffer.insert(buffer).buffer(), None))
    }
}

fn to_offer(format: &CameraFormat) -> Option<Offer> {
    let &(_, encoding) = ENCODINGS.iter().find(|&&(known, _)| known == format.format())?;
    let interval = Some((1, format.frame_rate()));
    Some(Offer { encoding, width: format.width(), height: format.height(), interval })
}

impl From<NokhwaError> for Failure {
    fn from(error: NokhwaError) -> Failure {
        let said = error.to_string();
        let says = |words: &[&str]| words.iter().any(|word| said.to_lowercase().contains(word));
        match error {
            NokhwaError::ReadFrameError(_) => Failure::Gone,
            // The systems' own words are all there is to go by.
            _ if says(&["denied", "permission", "not authorized"]) => Failure::Permission,
            _ if says(&["in use", "busy"]) => Failure::Busy,
            _ => Failure::Other(said),
        }
    }
}
