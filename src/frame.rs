//! What flows through the pipeline: [`Frame`]s, made of pooled [`Picture`]s.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

/// One picture of a source, with its place in time.
#[derive(Debug)]
pub struct Frame {
    /// Sequence number in the source, from 0; gaps are frames that a live source dropped.
    pub seq: u64,
    /// Presentation time since the start of the source.
    pub time: Duration,
    /// When camloc received the frame; latency is measured from here.
    pub arrived: Instant,
    /// The pixels.
    pub picture: Picture,
}

/// An RGB8 picture: rows top to bottom, tightly packed, `3 * width * height` bytes.
///
/// The buffer returns to its [`PicturePool`] when the picture is dropped.
#[derive(Debug)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: PixelBuffer,
}

impl Picture {
    /// A picture from pixels of one's own.
    ///
    /// Returns `None` unless `pixels` holds exactly `3 * width * height` bytes.
    pub fn from_rgb(width: u32, height: u32, pixels: Vec<u8>) -> Option<Picture> {
        let pixels = PixelBuffer { bytes: pixels, home: None };
        (pixels.bytes.len() == rgb_len(width, height)).then_some(Picture { width, height, pixels })
    }

    /// A black picture outside any pool.
    pub fn black(width: u32, height: u32) -> Picture {
        let bytes = vec![0; rgb_len(width, height)];
        Picture { width, height, pixels: PixelBuffer { bytes, home: None } }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The bytes, RGBRGB…
    pub fn rgb(&self) -> &[u8] {
        &self.pixels
    }

    /// The bytes, RGBRGB…, to write to.
    pub fn rgb_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }
}

fn rgb_len(width: u32, height: u32) -> usize {
    3 * width as usize * height as usize
}

/// Hands out [`Picture`]s whose buffers come back, so that the hot path allocates nothing per frame.
#[derive(Clone, Debug)]
pub struct PicturePool {
    give: Sender<Vec<u8>>,
    take: Receiver<Vec<u8>>,
}

impl PicturePool {
    /// A pool that keeps at most `spare` unused buffers.
    pub fn new(spare: usize) -> PicturePool {
        let (give, take) = bounded(spare);
        PicturePool { give, take }
    }

    /// A picture of this size with *unspecified* content: the caller writes every pixel.
    pub fn picture(&self, width: u32, height: u32) -> Picture {
        let mut bytes = self.take.try_recv().unwrap_or_default();
        bytes.resize(rgb_len(width, height), 0);
        Picture { width, height, pixels: PixelBuffer { bytes, home: Some(self.give.clone()) } }
    }
}

/// Bytes that go home when dropped.
#[derive(Debug)]
struct PixelBuffer {
    bytes: Vec<u8>,
    home: Option<Sender<Vec<u8>>>,
}

impl Deref for PixelBuffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for PixelBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for PixelBuffer {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            // A full pool has spares enough: this buffer is freed.
            let _ = home.try_send(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_picture_gives_its_buffer_back() {
        let pool = PicturePool::new(2);
        let first = pool.picture(4, 2);
        let address = first.rgb().as_ptr();
        drop(first);
        assert_eq!(pool.picture(4, 2).rgb().as_ptr(), address);
    }

    #[test]
    fn a_picture_has_exactly_three_bytes_a_pixel() {
        assert!(Picture::from_rgb(2, 2, vec![0; 12]).is_some());
        assert!(Picture::from_rgb(2, 2, vec![0; 13]).is_none());
        assert_eq!(PicturePool::new(1).picture(3, 5).rgb().len(), 45);
    }
}
