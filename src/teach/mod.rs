//! Teaching at the window: examples are given while the picture goes on, a head is trained beside it, and the model that
//! comes of it takes over.
//!
//! ```text
//! window ──keys, frames──► Teacher ──► Shutter ──► DIR/<class>/*.jpg
//!    ▲                        │ t                        │
//!    └── Controls::replace ◄──┴── Lesson (a thread) ◄────┘ ──► DIR/taught.onnx
//! ```

mod error;
mod lesson;
mod teacher;

pub(crate) use error::TeachError;
pub(crate) use lesson::Course;
pub(crate) use teacher::{Taught, Teacher};
