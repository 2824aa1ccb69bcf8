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

pub(crate) use classes::{BadName, Class, Classes};
pub(crate) use error::CollectError;
pub(crate) use keys::{CollectCommand, DIGITS};
pub(crate) use screen::collect;
pub(crate) use shutter::Shutter;
pub(crate) use sweep::{Swept, sweep};
pub(crate) use tally::Tally;

use fingerprint::{Fingerprint, Recent};
