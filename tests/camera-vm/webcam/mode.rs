//! What a webcam can send: `mjpeg:1280x720@30,15:FILE` plays a reel, `yuyv:640x480@30` draws the film.

use std::borrow::Cow;

use crate::film;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    Mjpeg,
    Yuyv,
}

pub(super) struct Mode {
    pub(super) format: Format,
    pub(super) width: u16,
    pub(super) height: u16,
    /// Frames a second, the default first.
    pub(super) rates: Vec<u32>,
    /// The frames of an MJPEG film.
    reel: Vec<Vec<u8>>,
}

impl Mode {
    /// Reads the argument; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Mode> {
        let mut parts = text.splitn(3, ':');
        let format = parts.next()?;
        let (size, rates) = parts.next()?.split_once('@')?;
        let (width, height) = size.split_once('x')?;
        let rates: Option<Vec<u32>> = rates.split(',').map(|rate| rate.parse().ok()).collect();
        let (format, reel) = match format {
            "mjpeg" => (Format::Mjpeg, film::read_reel(parts.next()?.as_ref())),
            "yuyv" => (Format::Yuyv, Vec::new()),
            _ => return None,
        };
        Some(Mode { format, width: width.parse().ok()?, height: height.parse().ok()?, rates: rates?, reel })
    }

    /// Time between frames at one of the rates, in units of 100 ns.
    pub(super) fn interval(&self, rate: usize) -> u32 {
        10_000_000 / self.rates[rate]
    }

    /// Bytes that a frame takes at most.
    pub(super) fn largest_frame(&self) -> u32 {
        u32::from(self.width) * u32::from(self.height) * 2
    }

    /// Frame `number` of the film, which begins anew after its end.
    pub(super) fn frame(&self, number: u32) -> Cow<'_, [u8]> {
        match self.format {
            Format::Mjpeg => Cow::Borrowed(&self.reel[number as usize % self.reel.len()]),
            Format::Yuyv => film::yuyv(number, self.width.into(), self.height.into()).into(),
        }
    }
}
