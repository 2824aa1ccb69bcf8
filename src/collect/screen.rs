//! Collecting at a window: the picture, the keys that are held, the names that are typed.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::{CollectCommand, CollectError, DIGITS, Shutter};
use crate::display::{Display, Panels};
use crate::files::Stop;
use crate::frame::Frame;
use crate::source::{Event, FrameSource, Notice, PacedSource, SourceError};

/// Between two looks at the keys while no frame comes.
const TICK: Duration = Duration::from_millis(10);

/// How often what is said over the picture changes: faster is unreadable, and each new text must be shaped.
const PANELS: Duration = Duration::from_millis(150);

/// Shows a source in a window and saves its frames as pictures of a class while the class's digit is held, until the
/// source or the person ends it, or the disk is full. A file is shown at its own pace. Classes named in the window are
/// added to those of the shutter.
///
/// # Errors
/// If the source or the window fails. What is wrong with the disk is said by [`Shutter::finish`].
pub(crate) fn collect(
    source: Box<dyn FrameSource>,
    shutter: &mut Shutter,
    window: &mut dyn Display<CollectCommand>,
    stop: &Stop,
) -> Result<(), CollectError> {
    let source = if source.info().live { source } else { Box::new(PacedSource::new(source, stop)) };
    std::thread::scope(|scope| {
        // Nothing waits in between: a live source then gives its newest frame.
        let (give, events) = bounded(0);
        scope.spawn(move || read(source, |event| give.send(event).is_ok()));
        let mut screen = Screen { shutter, window, naming: None, trouble: None, help: false };
        let ended = screen.run(&events, stop);
        // Whatever ended it: the source shall not go on waiting for a frame.
        stop.stop();
        ended
    })
}

/// Passes on what a source has to say until it ends, or nobody listens.
fn read(mut source: Box<dyn FrameSource>, mut give: impl FnMut(Result<Event, SourceError>) -> bool) {
    loop {
        let event = source.next();
        let last = !matches!(event, Ok(Event::Frame(_) | Event::Notice(_)));
        if !give(event) || last {
            return;
        }
    }
}

struct Screen<'a> {
    shutter: &'a mut Shutter,
    window: &'a mut dyn Display<CollectCommand>,
    /// The name of a class, while it is typed.
    naming: Option<String>,
    /// What is wrong with the source.
    trouble: Option<String>,
    help: bool,
}

impl Screen<'_> {
    fn run(
        &mut self,
        events: &Receiver<Result<Event, SourceError>>,
        stop: &Stop,
    ) -> Result<(), CollectError> {
        let mut panels_due = Instant::now();
        while !stop.is_stopped() && self.shutter.is_alive() {
            match events.recv_timeout(TICK) {
                Ok(Ok(Event::Frame(frame))) => self.take(frame)?,
                Ok(Ok(Event::Notice(notice))) => self.hear(&notice),
                Ok(Ok(Event::End)) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(Err(error)) => return Err(error.into()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let commands = self.window.pump()?;
            let said = !commands.is_empty();
            for command in commands {
                if self.follow(command) {
                    return Ok(());
                }
            }
            self.shutter.look(|digit| self.window.is_held(CollectCommand::Typed(digit)));
            if said || panels_due <= Instant::now() {
                *self.window.panels() = self.panels();
                panels_due = Instant::now() + PANELS;
            }
        }
        Ok(())
    }

    /// Shows a frame, and has it saved if a digit is held.
    fn take(&mut self, frame: Frame) -> Result<(), CollectError> {
        self.shutter.take(&frame);
        Ok(self.window.show(frame.picture)?)
    }

    /// Does what a key asks for; says whether that is to end.
    fn follow(&mut self, command: CollectCommand) -> bool {
        match (command, &mut self.naming) {
            (CollectCommand::Close, _) => return true,
            (CollectCommand::Help, _) => self.help ^= true,
            (CollectCommand::Typed(character), Some(name)) => name.push(character),
            (CollectCommand::Backspace, Some(name)) => drop(name.pop()),
            (CollectCommand::Escape, Some(_)) => self.naming = None,
            (CollectCommand::Enter, Some(name)) => {
                let name = std::mem::take(name);
                self.name(name);
            }
            (CollectCommand::Typed('q' | 'Q') | CollectCommand::Escape, None) => return true,
            (CollectCommand::Typed('?'), None) => self.help ^= true,
            (CollectCommand::Typed('n' | 'N'), None) if self.shutter.classes.all().len() >= DIGITS => {
                self.window.notify("all nine digits have a class");
            }
            (CollectCommand::Typed('n' | 'N'), None) => {
                self.shutter.release();
                self.naming = Some(String::new());
            }
            (CollectCommand::Typed(digit @ '1'..='9'), None) => {
                if !self.shutter.press(digit) {
                    self.window.notify(&format!("{digit} has no class yet: n names one"));
                }
            }
            (CollectCommand::Typed(_) | CollectCommand::Enter | CollectCommand::Backspace, None) => {}
        }
        false
    }

    /// Adds a class; a name that can't be is left to be corrected.
    fn name(&mut self, name: String) {
        self.naming = self.shutter.classes.add(&name).err().map(|bad| {
            self.window.notify(&bad.to_string());
            name
        });
    }

    /// Tells the person what the source says; what is still true stays.
    fn hear(&mut self, notice: &Notice) {
        match notice {
            Notice::Stalled { .. } | Notice::Gone { .. } => self.trouble = Some(notice.to_string()),
            Notice::Resumed { .. } => self.trouble = None,
            Notice::OtherFormat { .. } | Notice::BrokenFrame { .. } | Notice::Skipped(_) => {
                self.window.notify(&notice.to_string());
            }
        }
    }

    /// What is said over the picture.
    fn panels(&self) -> Panels {
        let mut figures = self.shutter.counts();
        figures.push(("left out".to_owned(), self.shutter.left_out()));
        figures.push(("keys".to_owned(), "hold a digit to save, n new class, q stop, ? help".to_owned()));
        let badge = self.shutter.saving().map(|class| format!("saving {}", class.name));
        let next = self.shutter.classes.all().len() + 1;
        let message = match &self.naming {
            Some(name) => Some(format!("Class {next}: {name}_\nEnter takes the name, Esc leaves it")),
            None if self.trouble.is_some() => self.trouble.clone(),
            None if next == 1 => Some("Press n and name what you will show".to_owned()),
            None => None,
        };
        Panels { figures, badge, message, help: self.help }
    }
}
