//! Who teaches: [`Teacher`].

use std::path::PathBuf;
use std::sync::Arc;

use super::TeachError;
use super::lesson::{Course, Learned, Lesson};
use crate::collect::{Classes, CollectError, Shutter, Tally};
use crate::display::{Command, Display};
use crate::frame::Frame;
use crate::pipeline::{Controls, Extension};

/// Saves frames as examples while a digit is held, and has a model learn from them when it is asked to.
pub(crate) struct Teacher {
    shutter: Shutter,
    course: Arc<Course>,
    lesson: Option<Lesson>,
    /// What became of the lessons so far, and how far the present one is.
    word: String,
    /// Whether a lesson has ended well.
    taught: bool,
}

/// What is left of teaching when the window is closed.
#[derive(Debug)]
pub(crate) struct Taught {
    /// The classes.
    pub classes: Classes,
    /// What became of the frames for which a digit was held.
    pub tally: Tally,
    /// The last model, if one was learned.
    pub model: Option<PathBuf>,
    /// Whether a lesson was under way, which was given up.
    pub given_up: bool,
    /// Whether the last examples could be saved.
    pub saved: Result<(), CollectError>,
}

impl Teacher {
    /// A teacher of the shutter's classes.
    pub(crate) fn new(shutter: Shutter, course: Course) -> Teacher {
        let word = "hold a digit to give examples, t learns from them".to_owned();
        Teacher { shutter, course: Arc::new(course), lesson: None, word, taught: false }
    }

    /// Whether a lesson is under way.
    pub(crate) fn is_learning(&self) -> bool {
        self.lesson.is_some()
    }

    /// Waits for what comes of the present lesson.
    ///
    /// # Errors
    /// If that is nothing.
    pub(crate) fn wait(&mut self) -> Result<(), TeachError> {
        if let Some(lesson) = self.lesson.take() {
            lesson.end()?;
            self.taught = true;
        }
        Ok(())
    }

    /// Gives up the present lesson and waits until all is saved.
    pub(crate) fn finish(self) -> Taught {
        let given_up = self.lesson.is_some();
        if let Some(lesson) = self.lesson {
            lesson.give_up();
        }
        let (classes, tally, saved) = self.shutter.finish();
        Taught { classes, tally, model: self.taught.then(|| self.course.model()), given_up, saved }
    }

    /// Begins a lesson, unless one goes on or there is too little to learn from.
    fn learn(&mut self, window: &mut dyn Display) {
        if self.lesson.is_some() {
            return window.notify("still learning");
        }
        let shown = |&class: &usize| self.shutter.count(class) > 0;
        let shown: Vec<usize> = (0..self.shutter.classes.all().len()).filter(shown).collect();
        match shown[..] {
            [] => window.notify("hold a digit first, and show what it stands for"),
            [one] => {
                let name = &self.shutter.classes.all()[one].name;
                window.notify(&format!("show another class, too: {name} must be told from something"));
            }
            _ => {
                self.word = "begins".to_owned();
                self.lesson = Some(Lesson::begin(&self.course));
            }
        }
    }

    /// Takes over what came of a lesson.
    fn conclude(
        &mut self,
        learned: Result<Learned, TeachError>,
        window: &mut dyn Display,
        controls: &Controls,
    ) {
        match learned {
            Ok(Learned { explainer, right, held_out }) => {
                self.word = format!("{:.0} % of {held_out} right; t learns again", 100.0 * right);
                self.taught = true;
                controls.replace(explainer);
                window.notify("now showing what you taught");
            }
            Err(error) => {
                self.word = "nothing learned; t tries again".to_owned();
                window.notify(&error.to_string());
            }
        }
    }
}

impl Extension for Teacher {
    fn shown(&mut self, frame: &Frame) {
        self.shutter.take(frame);
    }

    fn follow(&mut self, commands: &[Command], window: &mut dyn Display, controls: &Controls) {
        for &command in commands {
            match command {
                Command::Example(digit) if !self.shutter.press(digit) => {
                    window.notify(&format!("{digit} has no class: --teach-class names them"));
                }
                Command::Learn => self.learn(window),
                _ => {}
            }
        }
        self.shutter.look(|digit| window.is_held(Command::Example(digit)));
        if let Some(error) = self.shutter.trouble() {
            window.notify(&error.to_string());
        }
        if let Some(word) = self.lesson.as_ref().and_then(Lesson::word) {
            self.word = word;
        }
        if let Some(lesson) = self.lesson.take_if(|lesson| lesson.is_over()) {
            self.conclude(lesson.end(), window, controls);
        }
    }

    fn figures(&self) -> Vec<(String, String)> {
        let mut rows = self.shutter.counts();
        let name = if self.lesson.is_some() { "training" } else { "teaching" };
        rows.push((name.to_owned(), self.word.clone()));
        rows
    }

    fn badge(&self) -> Option<String> {
        self.shutter.saving().map(|class| format!("saving {}", class.name))
    }
}
