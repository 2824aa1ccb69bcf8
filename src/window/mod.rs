//! A window on the screen, by minifb: [`Window`], a [`Display`].

mod keyboard;
mod screen;

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use minifb::{InputCallback, Key, MouseButton, MouseMode, ScaleMode, WindowOptions};

use crate::display::{Command, Display, Keymap, Panels, Pointer};
use crate::frame::Picture;
use crate::render::{Hud, TextRenderer};
use crate::sink::{SinkError, snapshot};
use keyboard::Keyboard;
use screen::{Screen, initial_size, on_picture};

/// How long a notice stays at least, and for each character: a sentence takes longer to read than a word.
const NOTICE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(50));

/// A window that was covered by another does not hear of it, so it is drawn again this often.
const REFRESH: Duration = Duration::from_millis(250);

/// A window that shows pictures, hears keys, which mean `C`, and follows the mouse. Lives on the main thread.
///
/// It keeps the latest pictures, so that they can be drawn again at any time: after a change of size, or of a panel while
/// no new picture comes.
pub(crate) struct Window<C = Command> {
    window: minifb::Window,
    keyboard: Rc<RefCell<Keyboard<C>>>,
    text: TextRenderer,
    screen: Screen,
    /// One for each tile.
    pictures: Vec<Option<Picture>>,
    /// What tiles are called; may be fewer than there are.
    names: Vec<String>,
    panels: Panels,
    notice: Option<(String, Instant)>,
    /// Whether the panels have changed since they were drawn.
    stale: bool,
    drawn: Instant,
    /// Whether keys came here when last asked.
    active: bool,
}

impl<C: Keymap> Window<C> {
    /// Opens a window for pictures of `size`, width and height in pixels; its text is written with `text`.
    ///
    /// The window has the picture's aspect, its longer side 640 to 1280 pixels, and can be resized.
    pub(crate) fn open(title: &str, size: (u32, u32), text: TextRenderer) -> Result<Window<C>, SinkError> {
        Window::tiled(title, size, 1, text)
    }

    /// As [`Window::open`], for `count` pictures beside and below each other, of the same or other sizes.
    pub(crate) fn tiled(
        title: &str,
        size: (u32, u32),
        count: usize,
        text: TextRenderer,
    ) -> Result<Window<C>, SinkError> {
        let (width, height) = initial_size(size, count);
        // The window's title ends at a NUL for the window system, and minifb refuses one.
        let title = title.replace('\0', " ");
        let options = WindowOptions { resize: true, scale_mode: ScaleMode::UpperLeft, ..Default::default() };
        let mut window = minifb::Window::new(&title, width as usize, height as usize, options)
            .map_err(|error| SinkError::NoDisplay { reason: display_reason(&error) })?;
        // The frames set the pace; minifb would sleep in every update.
        window.set_target_fps(0);
        let keyboard = Rc::new(RefCell::new(Keyboard::default()));
        window.set_input_callback(Box::new(SharedKeyboard(Rc::clone(&keyboard))));
        Ok(Window {
            window,
            keyboard,
            text,
            screen: Screen::default(),
            pictures: (0..count).map(|_| None).collect(),
            names: Vec::new(),
            panels: Panels::default(),
            notice: None,
            stale: true,
            drawn: Instant::now(),
            active: false,
        })
    }

    fn size(&self) -> (u32, u32) {
        let (width, height) = self.window.get_size();
        (width as u32, height as u32)
    }

    fn draw(&mut self) -> Result<(), SinkError> {
        let size = self.size();
        // A minimised window may have no pixels.
        if size.0 == 0 || size.1 == 0 {
            return Ok(());
        }
        let (canvas, tiles) = self.screen.place(&self.pictures, size);
        let mut hud = Hud::new(canvas, &mut self.text);
        for (place, name) in self.names.iter().enumerate().take(self.pictures.len()) {
            hud.name(tiles.tile(place), name);
        }
        let notice = self.notice.as_ref().map(|(notice, _)| notice.as_str());
        write(&self.panels, notice, &mut hud, C::KEYS);
        let pixels = self.screen.pixels();
        self.stale = false;
        self.drawn = Instant::now();
        self.window
            .update_with_buffer(pixels, size.0 as usize, size.1 as usize)
            .map_err(|source| SinkError::Window { source: source.into() })
    }
}

impl<C: Keymap> Display<C> for Window<C> {
    fn show_in(&mut self, tile: usize, picture: Picture) -> Result<(), SinkError> {
        if let Some(shown) = self.pictures.get_mut(tile) {
            *shown = Some(picture);
        }
        self.draw()
    }

    fn name_tiles(&mut self, names: Vec<String>) {
        self.names = names;
        self.stale = true;
    }

    fn panels(&mut self) -> &mut Panels {
        self.stale = true;
        &mut self.panels
    }

    fn notify(&mut self, notice: &str) {
        let length = u32::try_from(notice.chars().count()).unwrap_or(u32::MAX);
        let stay = NOTICE.0 + NOTICE.1.saturating_mul(length).min(Duration::from_secs(10));
        self.notice = Some((notice.to_owned(), Instant::now() + stay));
        self.stale = true;
    }

    fn pump(&mut self) -> Result<Vec<C>, SinkError> {
        self.window.update();
        if self.notice.as_ref().is_some_and(|(_, end)| *end < Instant::now()) {
            self.notice = None;
            self.stale = true;
        }
        let size = self.size();
        if self.stale || self.screen.size() != size || self.drawn.elapsed() > REFRESH {
            self.draw()?;
        }
        let mut keyboard = self.keyboard.borrow_mut();
        // Without a window manager a window is never active, so only a loss counts.
        let active = self.window.is_active();
        if self.active && !active {
            keyboard.let_go();
        }
        self.active = active;
        let mut commands = keyboard.take();
        if !self.window.is_open() {
            commands.push(C::QUIT);
        }
        Ok(commands)
    }

    fn is_held(&self, command: C) -> bool {
        self.keyboard.borrow().is_held(command)
    }

    fn pointer(&self) -> Option<Pointer> {
        let [Some(picture)] = self.pictures.as_slice() else { return None };
        let (x, y) = self.window.get_mouse_pos(MouseMode::Pass)?;
        let at = on_picture((f64::from(x), f64::from(y)), picture.size(), self.screen.size());
        Some(Pointer { at, pressed: self.window.get_mouse_down(MouseButton::Left) })
    }

    fn snapshot(&self, folder: &Path) -> Result<Vec<PathBuf>, SinkError> {
        self.pictures.iter().flatten().map(|picture| snapshot(picture, folder)).collect()
    }
}

/// Writes what stands over the picture.
fn write(panels: &Panels, notice: Option<&str>, hud: &mut Hud<'_>, keys: &[(&str, &str)]) {
    let mut rows = [("", ""); 16];
    let count = panels.figures.len().min(rows.len());
    for (row, (name, value)) in rows.iter_mut().zip(&panels.figures) {
        *row = (name, value);
    }
    hud.figures(&rows[..count]);
    if let Some(word) = notice.or(panels.badge.as_deref()) {
        hud.badge(word);
    }
    if panels.help {
        hud.table("Keys", keys);
    } else if let Some(message) = &panels.message {
        hud.message(message);
    }
}

impl<C: Keymap> fmt::Debug for Window<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("size", &self.size())
            .field("panels", &self.panels)
            .finish_non_exhaustive()
    }
}

/// The keyboard as minifb wants it; the window reads it, too.
struct SharedKeyboard<C>(Rc<RefCell<Keyboard<C>>>);

impl<C: Keymap> InputCallback for SharedKeyboard<C> {
    fn add_char(&mut self, character: u32) {
        self.0.borrow_mut().add_char(character);
    }

    fn set_key_state(&mut self, key: Key, down: bool) {
        self.0.borrow_mut().set_key_state(key, down);
    }
}

/// Why there is no window, as the person who sees it may know the cause.
fn display_reason(error: &minifb::Error) -> String {
    if cfg!(all(unix, not(target_os = "macos"))) {
        match std::env::var("DISPLAY") {
            Ok(display) if display.is_empty() => "DISPLAY is empty".to_owned(),
            Ok(display) => format!("DISPLAY={display}: {error}"),
            Err(_) => "DISPLAY is not set".to_owned(),
        }
    } else {
        error.to_string()
    }
}
