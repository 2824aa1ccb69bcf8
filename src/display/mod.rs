//! Where a person sees pictures while they come, and says what to do by keys and mouse: [`Display`], of which
//! `Window` is the one on this machine's screen.

pub(crate) mod commands;

use std::path::{Path, PathBuf};

pub(crate) use commands::{Command, Key, Keymap};

use crate::frame::Picture;
use crate::sink::SinkError;

/// Shows pictures, in one tile or several, with panels over them; hears keys, which mean `C`; follows the mouse.
///
/// It keeps the latest pictures, so that they can be drawn again at any time: after a change of size, or of a panel while
/// no new picture comes. It lives on the thread that made it.
pub(crate) trait Display<C: Keymap = Command> {
    /// Shows a picture, which replaces the one before, in the first tile.
    ///
    /// # Errors
    /// If the display can't show anything any more.
    fn show(&mut self, picture: Picture) -> Result<(), SinkError> {
        self.show_in(0, picture)
    }

    /// Shows a picture in this tile, from 0; a tile that there is not shows nothing.
    ///
    /// # Errors
    /// As [`Display::show`].
    fn show_in(&mut self, tile: usize, picture: Picture) -> Result<(), SinkError>;

    /// Writes a name into the lower right corner of each tile, from the first on.
    fn name_tiles(&mut self, names: Vec<String>);

    /// The panels, to be changed; what was changed is drawn with the next [`Display::show`] or [`Display::pump`].
    fn panels(&mut self) -> &mut Panels;

    /// Shows a word in place of the badge for as long as it takes to read it, for example that a picture was saved.
    fn notify(&mut self, notice: &str);

    /// Hears what was done at the display, draws it anew where that is due, and returns what was asked for. One that was
    /// closed asks to quit ([`Keymap::QUIT`]).
    ///
    /// To be called at least every 20 ms or so.
    ///
    /// # Errors
    /// As [`Display::show`].
    fn pump(&mut self) -> Result<Vec<C>, SinkError>;

    /// Whether a key that means this was down at the last [`Display::pump`]. A key that was let go again before it is seen
    /// only among the commands.
    fn is_held(&self, command: C) -> bool;

    /// Where the mouse is on the picture that is shown; `None` before the first picture, and where there are several tiles.
    /// What it did between two calls of [`Display::pump`] is not seen.
    fn pointer(&self) -> Option<Pointer>;

    /// Saves each picture that is shown, without panels and at its own resolution, as the next free
    /// `camloc-0001.png` in `folder`. Before the first picture nothing is saved.
    ///
    /// # Errors
    /// If a file can't be written; those before it stay.
    fn snapshot(&self, folder: &Path) -> Result<Vec<PathBuf>, SinkError>;
}

/// What a display says over the picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Panels {
    /// Figures in the lower left corner, a name and a value each; of more than 16, the first 16.
    pub figures: Vec<(String, String)>,
    /// A word in the upper right corner, for example `paused`.
    pub badge: Option<String>,
    /// A message in the middle, for example that the camera is gone.
    pub message: Option<String>,
    /// The table of keys.
    pub help: bool,
}

/// The mouse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pointer {
    /// Column and row in pixels of the picture; outside of it, too.
    pub at: (f64, f64),
    /// Whether the left button is down.
    pub pressed: bool,
}
