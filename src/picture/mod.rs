//! Pictures in other sizes, and as files.

mod encode;
mod resize;

pub use encode::{write_jpeg, write_png};
pub use resize::{mosaic, resized, rough_mosaic, shrunk};
