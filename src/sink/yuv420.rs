//! RGB to the colours of video: [`Yuv420`].

use yuv::{
    BufferStoreMut, YuvConversionMode, YuvError, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
    rgb_to_yuv420,
};

use crate::frame::Picture;

/// A picture as I420, BT.709, broadcast range, of even width and height.
///
/// Video codecs want even sizes: an odd picture grows by a column or row that repeats its last one. It is
/// converted here and not by ffmpeg because that takes a tenth of the time, and half the bytes go down the pipe.
#[derive(Debug)]
pub(super) struct Yuv420 {
    width: usize,
    height: usize,
    /// Y, then U, then V.
    bytes: Vec<u8>,
}

impl Yuv420 {
    /// For pictures of this size.
    pub(super) fn new((width, height): (u32, u32)) -> Yuv420 {
        let even = |side: u32| (side as usize).next_multiple_of(2);
        let (width, height) = (even(width), even(height));
        Yuv420 { width, height, bytes: vec![0; width * height * 3 / 2] }
    }

    /// Width and height, even.
    pub(super) fn size(&self) -> (u32, u32) {
        (self.width as u32, self.height as u32)
    }

    /// Y, then U, then V.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Converts a picture of the size given to [`Yuv420::new`].
    pub(super) fn convert(&mut self, picture: &Picture) -> Result<(), YuvError> {
        let (y_plane, chroma) = self.bytes.split_at_mut(self.width * self.height);
        let (u_plane, v_plane) = chroma.split_at_mut(self.width * self.height / 4);
        let (y_stride, chroma_stride) = (self.width as u32, self.width as u32 / 2);
        // Of an odd picture's rows the crate looks for the last one at the very end of the plane.
        let y_plane = &mut y_plane[..self.width * (picture.height() as usize).min(self.height)];
        let mut planes = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(y_plane),
            y_stride,
            u_plane: BufferStoreMut::Borrowed(u_plane),
            u_stride: chroma_stride,
            v_plane: BufferStoreMut::Borrowed(v_plane),
            v_stride: chroma_stride,
            width: picture.width(),
            height: picture.height(),
        };
        rgb_to_yuv420(
            &mut planes,
            picture.rgb(),
            3 * picture.width(),
            YuvRange::Limited,
            YuvStandardMatrix::Bt709,
            YuvConversionMode::Balanced,
        )?;
        self.repeat_edges(picture.width() as usize, picture.height() as usize);
        Ok(())
    }

    /// Fills the luma that an odd picture lacks; its chroma is whole.
    fn repeat_edges(&mut self, width: usize, height: usize) {
        let luma = &mut self.bytes[..self.width * self.height];
        if width < self.width {
            for row in luma.chunks_exact_mut(self.width) {
                row[width] = row[width - 1];
            }
        }
        if height < self.height {
            let last = (height - 1) * self.width;
            luma.copy_within(last..last + self.width, last + self.width);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_picture_repeats_its_edge() {
        let red = Picture::from_rgb(3, 3, [255, 0, 0].repeat(9)).unwrap();
        let mut yuv = Yuv420::new(red.size());
        yuv.convert(&red).unwrap();
        assert_eq!(yuv.size(), (4, 4));
        // Red in BT.709, broadcast range: Y 63, Cb 102, Cr 240.
        let (luma, chroma) = yuv.bytes().split_at(16);
        assert!(luma.iter().all(|y| y.abs_diff(63) <= 1), "{luma:?}");
        assert!(chroma[..4].iter().all(|u| u.abs_diff(102) <= 1), "{chroma:?}");
        assert!(chroma[4..].iter().all(|v| v.abs_diff(240) <= 1), "{chroma:?}");
    }
}
