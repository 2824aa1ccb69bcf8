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

pub use error::TeachError;
pub use lesson::Course;
pub use teacher::{Taught, Teacher};
