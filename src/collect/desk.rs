//! Collecting at a window: the picture, the keys that are held, the names that are typed.

use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::saver::{Saver, Shot};
use super::{Burst, Class, Classes, CollectCommand, CollectError, DIGITS, Tally};
use crate::frame::{Frame, PicturePool};
use crate::sink::{Panels, Window};
use crate::source::{Event, FrameSource, Notice, SourceError, Stop};

/// Between two looks at the keys while no frame comes.
const TICK: Duration = Duration::from_millis(10);

/// How often what is said over the picture changes: faster is unreadable, and each new text must be shaped.
const PANELS: Duration = Duration::from_millis(150);

/// What is collected, and where to.
#[derive(Debug)]
pub struct Collecting {
    /// The classes; those named in the window are added.
    pub classes: Classes,
    /// What the source is called in the names of pictures.
    pub source: String,
    /// The number of the next burst.
    pub burst: u64,
    /// Where pictures that are to be saved get their buffers.
    pub pool: PicturePool,
    /// What became of the frames for which a key was held.
    pub tally: Tally,
}

/// Shows a source in a window and saves its frames as pictures of a class while the class's digit is held, until the
/// source or the person ends it. A file is shown at its own pace.
///
/// A tap saves one frame. Every hold is a burst of its own.
///
/// # Errors
/// If the source, the window or the disk fails. What was saved stays, and is counted in `collecting`.
pub fn collect(
    source: Box<dyn FrameSource>,
    collecting: &mut Collecting,
    window: &mut Window<CollectCommand>,
    stop: &Stop,
) -> Result<(), CollectError> {
    let paced = !source.info().live;
    let saver = Saver::start();
    let ended = std::thread::scope(|scope| {
        // Nothing waits in between: a live source then gives its newest frame.
        let (give, events) = bounded(0);
        scope.spawn(move || read(source, |event| give.send(event).is_ok()));
        let mut desk =
            Desk { collecting, window, saver: &saver, doing: Doing::Watching, trouble: None, help: false };
        let ended = desk.run(&events, paced, stop);
        // Whatever ended it: the source shall not go on waiting for a frame.
        stop.stop();
        ended
    });
    let saved = saver.finish(&mut collecting.tally);
    saved.and(ended)
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

/// What the person does.
enum Doing {
    /// Looks.
    Watching,
    /// Holds the digit of a class; the burst has begun once it has a frame.
    Saving { digit: char, class: usize, burst: Burst, begun: bool },
    /// Types the name of a class.
    Naming(String),
}

struct Desk<'a> {
    collecting: &'a mut Collecting,
    window: &'a mut Window<CollectCommand>,
    saver: &'a Saver,
    doing: Doing,
    /// What is wrong with the source.
    trouble: Option<String>,
    help: bool,
}

impl Desk<'_> {
    fn run(
        &mut self,
        events: &Receiver<Result<Event, SourceError>>,
        paced: bool,
        stop: &Stop,
    ) -> Result<(), CollectError> {
        let mut pace = Pace { paced, began: None };
        let mut early: Option<Frame> = None;
        let mut panels_due = Instant::now();
        while !stop.is_stopped() && self.saver.is_alive() {
            match early.take_if(|frame| pace.is_due(frame)) {
                Some(frame) => self.take(frame)?,
                None if early.is_some() => std::thread::sleep(TICK / 2),
                None => match events.recv_timeout(TICK) {
                    Ok(Ok(Event::Frame(frame))) => early = Some(frame),
                    Ok(Ok(Event::Notice(notice))) => self.hear(&notice),
                    Ok(Ok(Event::End)) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                    Ok(Err(error)) => return Err(error.into()),
                    Err(RecvTimeoutError::Timeout) => {}
                },
            }
            let commands = self.window.pump()?;
            let said = !commands.is_empty();
            for command in commands {
                if self.follow(command) {
                    return Ok(());
                }
            }
            self.let_go();
            self.saver.report(&mut self.collecting.tally);
            if said || panels_due <= Instant::now() {
                *self.window.panels() = self.panels();
                panels_due = Instant::now() + PANELS;
            }
        }
        Ok(())
    }

    /// Shows a frame, and has it saved if a digit is held.
    fn take(&mut self, frame: Frame) -> Result<(), CollectError> {
        if let Doing::Saving { class, burst, begun, .. } = &mut self.doing {
            let (width, height) = frame.picture.size();
            let mut picture = self.collecting.pool.picture(width, height);
            picture.rgb_mut().copy_from_slice(frame.picture.rgb());
            let path = self.collecting.classes.folder(*class).join(burst.file_name(frame.seq));
            *begun = true;
            if !self.saver.offer(Shot { class: *class, path, picture }) {
                self.collecting.tally.dropped += 1;
            }
        }
        Ok(self.window.show(frame.picture)?)
    }

    /// Does what a key asks for; says whether that is to end.
    fn follow(&mut self, command: CollectCommand) -> bool {
        match (command, &mut self.doing) {
            (CollectCommand::Close, _) => return true,
            (CollectCommand::Help, _) => self.help ^= true,
            (CollectCommand::Typed(character), Doing::Naming(name)) => name.push(character),
            (CollectCommand::Backspace, Doing::Naming(name)) => drop(name.pop()),
            (CollectCommand::Escape, Doing::Naming(_)) => self.doing = Doing::Watching,
            (CollectCommand::Enter, Doing::Naming(name)) => {
                let name = std::mem::take(name);
                self.name(name);
            }
            (CollectCommand::Typed('q' | 'Q') | CollectCommand::Escape, _) => return true,
            (CollectCommand::Typed('?'), _) => self.help ^= true,
            (CollectCommand::Typed('n' | 'N'), _) if self.collecting.classes.all().len() >= DIGITS => {
                self.window.notify("all nine digits have a class");
            }
            (CollectCommand::Typed('n' | 'N'), _) => self.doing = Doing::Naming(String::new()),
            (CollectCommand::Typed(digit @ '1'..='9'), _) => self.press(digit),
            (CollectCommand::Typed(_) | CollectCommand::Enter | CollectCommand::Backspace, _) => {}
        }
        false
    }

    /// Begins a burst, unless the same digit's goes on.
    fn press(&mut self, digit: char) {
        if matches!(self.doing, Doing::Saving { digit: held, .. } if held == digit) {
            return;
        }
        let class = digit as usize - '1' as usize;
        if class >= self.collecting.classes.all().len() {
            self.window.notify(format!("{digit} has no class yet: n names one"));
            return;
        }
        let burst = Burst::new(SystemTime::now(), &self.collecting.source, self.collecting.burst);
        self.collecting.burst += 1;
        self.doing = Doing::Saving { digit, class, burst, begun: false };
    }

    /// Ends the burst whose digit was let go, once it has a frame.
    fn let_go(&mut self) {
        if let Doing::Saving { digit, begun: true, .. } = self.doing
            && !self.window.is_held(CollectCommand::Typed(digit))
        {
            self.doing = Doing::Watching;
        }
    }

    /// Adds a class; a name that can't be is left to be corrected.
    fn name(&mut self, name: String) {
        self.doing = match self.collecting.classes.add(&name) {
            Ok(_) => Doing::Watching,
            Err(bad) => {
                self.window.notify(bad.to_string());
                Doing::Naming(name)
            }
        };
    }

    /// Tells the person what the source says; what is still true stays.
    fn hear(&mut self, notice: &Notice) {
        match notice {
            Notice::Stalled { .. } | Notice::Gone { .. } => self.trouble = Some(notice.to_string()),
            Notice::Resumed { .. } => self.trouble = None,
            Notice::OtherFormat { .. } | Notice::BrokenFrame { .. } | Notice::Skipped(_) => {
                self.window.notify(notice.to_string());
            }
        }
    }

    /// What is said over the picture.
    fn panels(&self) -> Panels {
        let Collecting { classes, tally, .. } = &*self.collecting;
        let count = |(place, class): (usize, &Class)| {
            let count = class.before + tally.saved(place);
            (format!("{}  {}", place + 1, class.name), count.to_string())
        };
        let mut figures: Vec<_> = classes.all().iter().take(DIGITS).enumerate().map(count).collect();
        let mut lost = format!("{} alike, {} dropped", tally.alike, tally.dropped);
        if tally.there > 0 {
            let _ = write!(lost, ", {} there already", tally.there);
        }
        figures.push(("left out".to_owned(), lost));
        figures.push(("keys".to_owned(), "hold a digit to save, n new class, q stop, ? help".to_owned()));
        let badge = match &self.doing {
            Doing::Saving { class, .. } => Some(format!("saving {}", classes.all()[*class].name)),
            Doing::Watching | Doing::Naming(_) => None,
        };
        let next = classes.all().len() + 1;
        let message = match &self.doing {
            Doing::Naming(name) => {
                Some(format!("Class {next}: {name}_\nEnter takes the name, Esc leaves it"))
            }
            _ if self.trouble.is_some() => self.trouble.clone(),
            _ if classes.all().is_empty() => Some("Press n and name what you will show".to_owned()),
            _ => None,
        };
        Panels { figures, badge, message, help: self.help }
    }
}

/// When the frames of a file are due.
struct Pace {
    paced: bool,
    /// When the first frame would have been shown, had all been in time.
    began: Option<Instant>,
}

impl Pace {
    fn is_due(&mut self, frame: &Frame) -> bool {
        let now = Instant::now();
        let due = self.began.is_none_or(|began| began + frame.time <= now);
        if due {
            // A slow window is not made up for by haste.
            self.began = now.checked_sub(frame.time);
        }
        due || !self.paced
    }
}
