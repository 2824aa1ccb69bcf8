//! Which part of a frame the model saw.

/// The rectangle of the source frame that the model's input covers, in source pixels.
///
/// Every resize rule is such a rectangle: a centre crop lies inside the frame, a squash is the frame
/// itself, a letterbox reaches beyond it. An activation map `[h, w]` covers the same rectangle, so
/// boxes go back to the frame through [`View::to_source`], the exact inverse of the preprocessing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Left edge; negative where a letterbox reaches beyond the frame.
    pub x: f64,
    /// Top edge; negative where a letterbox reaches beyond the frame.
    pub y: f64,
    /// Width, > 0.
    pub width: f64,
    /// Height, > 0.
    pub height: f64,
}

impl View {
    /// The whole of a frame of this size.
    pub fn whole(width: u32, height: u32) -> View {
        View { x: 0.0, y: 0.0, width: f64::from(width), height: f64::from(height) }
    }

    /// This view of a picture that is `scale` times as large.
    pub fn scaled(self, scale: f64) -> View {
        let View { x, y, width, height } = self;
        View { x: x * scale, y: y * scale, width: width * scale, height: height * scale }
    }

    /// The source position of a point given as shares (0..1) of the view's width and height.
    pub fn to_source(&self, u: f64, v: f64) -> (f64, f64) {
        (self.x + u * self.width, self.y + v * self.height)
    }
}
