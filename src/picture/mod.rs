//! Pictures in other sizes.

mod resize;

pub use resize::{mosaic, resized, rough_mosaic, shrunk};
