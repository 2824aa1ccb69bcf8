//! What the person at the window may change while frames flow.

use std::sync::{Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::display::Command;
use crate::explainer::Explainer;
use crate::render::Style;

/// The state that the window's keys change and the drawing stage follows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Look {
    /// What is drawn.
    pub style: Style,
    /// A pixel belongs to the object above this share of the peak (0..1).
    pub threshold: f32,
    /// How many classes are explained.
    pub classes: usize,
    /// `None` shows the classes asked for; `Some(rank)` only the one of this rank, from 0.
    pub rank: Option<usize>,
    /// How often the next method was asked for.
    pub method_steps: u32,
    /// What speaks against the class is shown.
    pub counterfactual: bool,
    /// What the map marks is removed, and the model asked again.
    pub what_if: bool,
    /// One frame is held, and no other shown.
    pub paused: bool,
    /// The figures are shown.
    pub figures: bool,
    /// The table of keys is shown.
    pub help: bool,
}

/// What keys choose of how maps are made: it takes another pass, where the rest of a [`Look`] is drawn anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// How often the next method was asked for.
    pub(super) method_steps: u32,
    /// What speaks against the class is shown.
    pub(super) counterfactual: bool,
}

impl Look {
    /// How maps are to be made.
    pub(super) fn choice(&self) -> Choice {
        Choice { method_steps: self.method_steps, counterfactual: self.counterfactual }
    }

    /// Follows a key. What is not about the look changes nothing.
    pub(crate) fn follow(&mut self, command: Command) {
        match command {
            Command::Pause => self.paused = !self.paused,
            Command::Heatmap => self.style.heatmap = !self.style.heatmap,
            Command::Boxes => {
                self.style.boxes = !self.style.boxes;
                self.style.labels = self.style.boxes;
            }
            Command::NextClass => self.rank = step(self.rank, 1, self.classes),
            Command::PreviousClass => self.rank = step(self.rank, -1, self.classes),
            Command::NextMethod => {
                self.method_steps = self.method_steps.wrapping_add(1);
                self.counterfactual = false;
            }
            Command::ThresholdUp => self.threshold = nudge(self.threshold, 1.0),
            Command::ThresholdDown => self.threshold = nudge(self.threshold, -1.0),
            Command::OpacityUp => self.style.opacity = nudge(self.style.opacity, 1.0),
            Command::OpacityDown => self.style.opacity = nudge(self.style.opacity, -1.0),
            Command::Counterfactual => self.counterfactual = !self.counterfactual,
            Command::Figures => self.figures = !self.figures,
            Command::Help => self.help = !self.help,
            Command::Quit | Command::Snapshot | Command::Example(_) | Command::Learn => {}
        }
    }

    /// What to say of a key that was followed, where the picture doesn't.
    pub(crate) fn notice(&self, command: Command) -> Option<String> {
        match command {
            Command::ThresholdUp | Command::ThresholdDown => Some(format!("threshold {:.2}", self.threshold)),
            Command::OpacityUp | Command::OpacityDown => Some(format!("opacity {:.2}", self.style.opacity)),
            _ => None,
        }
    }
}

/// Goes around: all that was asked for, the best class, the second, … the last, and all again.
fn step(rank: Option<usize>, by: isize, classes: usize) -> Option<usize> {
    let places = classes as isize + 1;
    let place = rank.map_or(0, |rank| rank as isize + 1);
    ((place + by).rem_euclid(places) as usize).checked_sub(1)
}

/// One press of a key is 5 %; rounded, so that a hundred presses up and down end where they began.
fn nudge(share: f32, by: f32) -> f32 {
    ((share * 20.0).round() + by).clamp(0.0, 20.0) / 20.0
}

/// What the window shares with the stages before it: a [`Look`], and at times another explainer.
pub(crate) struct Controls {
    look: Mutex<Look>,
    /// One for each drawing stage that wants to know.
    changed: Mutex<Vec<Sender<()>>>,
    explainer: Mutex<Option<Explainer>>,
}

impl Controls {
    /// Controls that begin with `look`.
    pub(crate) fn new(look: Look) -> Controls {
        Controls { look: Mutex::new(look), changed: Mutex::default(), explainer: Mutex::new(None) }
    }

    /// The present look.
    pub(crate) fn look(&self) -> Look {
        self.look.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the look and wakes those who wait for [`Controls::changes`].
    pub(crate) fn change(&self, edit: impl FnOnce(&mut Look)) {
        edit(&mut self.look.lock().unwrap_or_else(PoisonError::into_inner));
        for changed in self.changed.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // A wake-up that is already waiting is enough.
            let _ = changed.try_send(());
        }
    }

    /// Has the frames that follow explained by another explainer.
    pub(crate) fn replace(&self, explainer: Explainer) {
        let classes = explainer.top_k();
        *self.explainer.lock().unwrap_or_else(PoisonError::into_inner) = Some(explainer);
        self.change(|look| (look.classes, look.rank) = (classes, None));
    }

    /// The explainer that is to take over, if there is one.
    pub(super) fn successor(&self) -> Option<Explainer> {
        self.explainer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A channel that receives a message after each change from now on.
    pub(crate) fn changes(&self) -> Receiver<()> {
        let (changed, changes) = bounded(1);
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).push(changed);
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> Look {
        Look {
            style: Style::default(),
            threshold: 0.2,
            classes: 3,
            rank: None,
            method_steps: 0,
            counterfactual: false,
            what_if: false,
            paused: false,
            figures: true,
            help: false,
        }
    }

    #[test]
    fn what_the_picture_does_not_show_is_said() {
        let mut look = look();
        look.follow(Command::ThresholdUp);
        assert_eq!(look.notice(Command::ThresholdUp).as_deref(), Some("threshold 0.25"));
        assert_eq!((look.notice(Command::NextMethod), look.notice(Command::Heatmap)), (None, None));
    }

    #[test]
    fn next_goes_through_every_class_and_comes_back_to_all() {
        let mut look = look();
        let mut ranks = Vec::new();
        for _ in 0..4 {
            look.follow(Command::NextClass);
            ranks.push(look.rank);
        }
        assert_eq!(ranks, [Some(0), Some(1), Some(2), None]);
        look.follow(Command::PreviousClass);
        assert_eq!(look.rank, Some(2));
    }

    #[test]
    fn the_threshold_stays_between_nothing_and_everything() {
        let mut look = look();
        for _ in 0..40 {
            look.follow(Command::ThresholdUp);
        }
        assert_eq!(look.threshold, 1.0);
        for _ in 0..40 {
            look.follow(Command::ThresholdDown);
        }
        assert_eq!(look.threshold, 0.0);
    }

    #[test]
    fn a_change_wakes_each_drawing_stage_once() {
        let controls = Controls::new(look());
        let stages = [controls.changes(), controls.changes()];
        controls.change(|look| look.follow(Command::Pause));
        controls.change(|look| look.follow(Command::Heatmap));
        for changes in stages {
            assert!(changes.try_recv().is_ok() && changes.try_recv().is_err());
        }
        assert!(controls.look().paused && !controls.look().style.heatmap);
    }
}
