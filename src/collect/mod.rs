//! From a camera or a recording to a folder of pictures for each class, for training.
//!
//! ```text
//! source ──frames──► collect (a window, keys held) ──► Shutter ──┬──shots──► Saver ──► DIR/<class>/*.jpg
//!           └──────► sweep (no window) ──────────────────────────┘
//! ```
//!
//! The folders are all there is: what was collected before is read from them, and pictures from elsewhere may lie beside.

mod classes;
mod error;
mod fingerprint;
mod keys;
mod saver;
mod screen;
mod shutter;
mod sweep;
mod tally;

pub use classes::{BadName, Class, Classes};
pub use error::CollectError;
pub use keys::{CollectCommand, DIGITS};
pub use screen::collect;
pub use shutter::Shutter;
pub use sweep::{Swept, sweep};
pub use tally::Tally;

use fingerprint::{Fingerprint, Recent};
