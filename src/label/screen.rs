//! The review at a window: pictures with their boxes, keys, and the mouse.

use std::time::Duration;

use super::sheet::draw;
use super::{Class, Input, Journal, LabellingError, Line, Object, Review, ReviewCommand};
use crate::display::Display;
use crate::files::Stop;
use crate::frame::Picture;
use crate::picture::shrunk;
use crate::render::Renderer;
use crate::source::read_photo;

/// Between two looks at keys and mouse.
const TICK: Duration = Duration::from_millis(15);

/// The longer side of pictures on the screen.
const SIDE: u32 = 1280;

/// How a review ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Every picture was decided about.
    Complete,
    /// The person, or a stop, ended it before.
    Early,
}

/// Shows picture after picture until each is decided about, or the review is ended. Every decision is in the journal
/// before the next picture is shown. A picture that can't be read any more is passed over.
///
/// # Errors
/// If the window or the journal fails.
pub(crate) fn review(
    input: &Input,
    mut review: Review<'_>,
    journal: &mut Journal,
    window: &mut dyn Display<ReviewCommand>,
    renderer: &mut Renderer,
    stop: &Stop,
) -> Result<Ended, LabellingError> {
    while let Some(place) = review.place() {
        let Ok(picture) = read_photo(&input.pictures[place].path) else {
            review.pass();
            continue;
        };
        let (picture, scale) = shrunk(&picture, SIDE);
        let mut screen = Screen { picture, scale, armed: false, from: None, classes: &input.classes };
        describe(&review, input, place, window);
        screen.show(&review, window, renderer, None)?;
        loop {
            if stop.is_stopped() {
                return Ok(Ended::Early);
            }
            let commands = window.pump()?;
            screen.follow(&mut review, window, renderer)?;
            // A second key belongs to the next picture, which has not been seen yet.
            let Some(&command) = commands.first() else {
                std::thread::sleep(TICK);
                continue;
            };
            let decided = match command {
                ReviewCommand::Quit => return Ok(Ended::Early),
                ReviewCommand::Help => {
                    window.panels().help ^= true;
                    continue;
                }
                ReviewCommand::Restore => {
                    review.restore();
                    screen.show(&review, window, renderer, None)?;
                    continue;
                }
                ReviewCommand::Back => {
                    review.back();
                    None
                }
                ReviewCommand::Keep => review.keep(),
                ReviewCommand::Drop => review.drop(),
            };
            if let Some((name, verdict)) = decided {
                journal.add(Line::Verdict(name, verdict))?;
            }
            break;
        }
    }
    Ok(if review.open() == 0 { Ended::Complete } else { Ended::Early })
}

/// Says which picture it is, and what was decided about it.
fn describe(review: &Review<'_>, input: &Input, place: usize, window: &mut dyn Display<ReviewCommand>) {
    let (number, total) = review.progress();
    let panels = window.panels();
    panels.figures = vec![
        (format!("{number} of {total}"), input.pictures[place].name.clone()),
        ("keys".to_owned(), "Enter keep, d drop, drag a box, Backspace back, q stop, ? help".to_owned()),
    ];
    panels.badge = review.decided().map(str::to_owned);
}

/// The picture that is looked at.
struct Screen<'a> {
    picture: Picture,
    /// Its size over that of the picture that was labelled.
    scale: f64,
    /// Whether the button was seen up: a drag does not go on on the next picture.
    armed: bool,
    /// Where it was pressed, in pixels of the picture that was labelled.
    from: Option<(f64, f64)>,
    classes: &'a [Class],
}

impl Screen<'_> {
    /// Follows the mouse.
    fn follow(
        &mut self,
        review: &mut Review<'_>,
        window: &mut dyn Display<ReviewCommand>,
        renderer: &mut Renderer,
    ) -> Result<(), LabellingError> {
        let Some(pointer) = window.pointer() else { return Ok(()) };
        let at = (pointer.at.0 / self.scale, pointer.at.1 / self.scale);
        match (self.from, pointer.pressed) {
            (None, true) => self.from = Some(at).filter(|_| self.armed),
            (None, false) => self.armed = true,
            (Some(from), true) => {
                if let Some(object) = review.object(from, at) {
                    self.show(review, window, renderer, Some(object))?;
                }
            }
            (Some(from), false) => {
                self.from = None;
                review.draw(from, at);
                self.show(review, window, renderer, None)?;
            }
        }
        Ok(())
    }

    /// Shows the picture with the boxes as they stand, or with the one that is being drawn.
    fn show(
        &self,
        review: &Review<'_>,
        window: &mut dyn Display<ReviewCommand>,
        renderer: &mut Renderer,
        drawing: Option<Object>,
    ) -> Result<(), LabellingError> {
        let mut out = Picture::black(self.picture.width(), self.picture.height());
        let objects = drawing.as_ref().map_or(review.boxes(), std::slice::from_ref);
        draw(renderer, (&self.picture, self.scale), objects, self.classes, &mut out);
        Ok(window.show(out)?)
    }
}
