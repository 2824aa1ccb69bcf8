//! Which frame of a stream is drawn next: those that come, or, while the display is paused, one of them again and again.
//!
//! ```text
//!            paused, all is known of the frame
//!   Moving ────────────────────────────────────► Paused ◄─┐ the maps have come, or no more will
//!     ▲ │                                          │      │
//!     │ └─ paused, there is more to ask ──────► Awaiting ─┘
//!     └──────────── no longer paused ◄────────────┴─┘ ▲
//!                                                  └──┘ keys choose other maps
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use super::controls::{Choice, Look};
use super::stages::Explained;
use crate::frame::Frame;

/// Decides which frame is drawn next, and keeps those that can't be drawn yet.
#[derive(Default)]
pub(super) struct Playback {
    state: State,
    /// The frame that was drawn last.
    last: Option<Explained>,
    /// Frames that came while other maps of the last one were awaited.
    later: VecDeque<Explained>,
}

/// Whether frames follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// They do.
    #[default]
    Moving,
    /// One is held, and maps of it that were so chosen are on their way.
    Awaiting(Choice),
    /// One is held.
    Paused,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for what comes.
    Wait,
    /// Draw the [current](Playback::current) frame; `again` if it was drawn before, with other maps or in another look.
    Draw { again: bool },
    /// Nothing more will come.
    End,
}

impl Playback {
    /// The frame to draw.
    pub(super) fn current(&mut self) -> Option<&mut Explained> {
        self.last.as_mut()
    }

    /// Whether frames are taken: while one is held that nothing more is awaited for, those behind it wait where they are.
    pub(super) fn takes_frames(&self) -> bool {
        self.state != State::Paused
    }

    /// Follows what the keys have chosen. `ask` has the frame that is held asked about: further, where a black box has more
    /// to say of it, or anew, where other maps are chosen; it says whether that could be done now.
    pub(super) fn follow(&mut self, look: &Look, ask: impl FnOnce(Arc<Frame>) -> bool) -> Step {
        self.state = match &self.last {
            Some(last) if look.paused => {
                let unfinished = last.progress.is_some_and(|progress| !progress.is_complete());
                let chosen =
                    if let State::Awaiting(choice) = self.state { choice } else { last.model.choice };
                let wanted = chosen != look.choice() || self.state == State::Moving && unfinished;
                match self.state {
                    _ if wanted && ask(last.frame.clone()) => State::Awaiting(look.choice()),
                    State::Moving => State::Paused,
                    state => state,
                }
            }
            _ => State::Moving,
        };
        let next = if self.state == State::Moving { self.later.pop_front() } else { None };
        next.map_or(Step::Wait, |next| self.draw(next, false))
    }

    /// Takes a frame, or other maps of the one that is held.
    pub(super) fn take(&mut self, next: Explained) -> Step {
        let State::Awaiting(choice) = self.state else {
            // Maps that nobody awaits any more.
            return if next.again && self.last.is_some() { Step::Wait } else { self.draw(next, false) };
        };
        if !next.again {
            self.later.push_back(next);
            return Step::Wait;
        }
        if self.last.as_ref().is_none_or(|last| last.frame.seq != next.frame.seq) {
            return Step::Wait;
        }
        let complete = next.progress.is_none_or(|progress| progress.is_complete());
        if complete && choice == next.model.choice {
            self.state = State::Paused;
        }
        self.draw(next, true)
    }

    /// The source has ended. What is held stays until it is no longer paused.
    pub(super) fn end(&mut self) -> Step {
        if let State::Awaiting(_) = self.state {
            self.state = State::Paused;
            return Step::Wait;
        }
        Step::End
    }

    /// The look has changed.
    pub(super) fn look_again(&self) -> Step {
        if self.last.is_some() { Step::Draw { again: true } } else { Step::Wait }
    }

    /// The run is stopped: what flows is still drawn, what is held is not waited for.
    pub(super) fn stop(&self) -> Step {
        if self.state == State::Moving { Step::Wait } else { Step::End }
    }

    fn draw(&mut self, next: Explained, again: bool) -> Step {
        self.last = Some(next);
        Step::Draw { again }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::explainer::black_box::Estimate;
    use crate::frame::Picture;
    use crate::model::Labels;
    use crate::origin::Origin;
    use crate::pipeline::stages::Model;
    use crate::render::Style;
    use crate::view::View;

    const FIRST: Choice = Choice { method_steps: 0, counterfactual: false };
    const SECOND: Choice = Choice { method_steps: 1, counterfactual: false };
    const DRAW: Step = Step::Draw { again: false };
    const AGAIN: Step = Step::Draw { again: true };

    fn look(paused: bool, choice: Choice) -> Look {
        Look {
            style: Style::default(),
            threshold: 0.4,
            classes: 1,
            rank: None,
            method_steps: choice.method_steps,
            counterfactual: choice.counterfactual,
            what_if: false,
            paused,
            figures: true,
            help: false,
        }
    }

    fn frame(seq: u64) -> Explained {
        let picture = Picture::black(1, 1);
        let frame = Arc::new(Frame { seq, time: Duration::ZERO, arrived: Instant::now(), picture });
        let model = Arc::new(Model { origin: Origin::default(), labels: Labels::new(vec![]), choice: FIRST });
        let (view, maps) = (View::whole(1, 1), vec![]);
        Explained { frame, view, maps, model, progress: None, what_if: None, again: false }
    }

    /// Other maps of a frame, of a black box that has asked `done` of 10 questions.
    fn better(seq: u64, choice: Choice, done: usize) -> Explained {
        let model = Arc::new(Model { origin: Origin::default(), labels: Labels::new(vec![]), choice });
        Explained { model, progress: progress(done), again: true, ..frame(seq) }
    }

    fn progress(done: usize) -> Option<Estimate> {
        Some(Estimate { done, of: 10, what: "masks", error: None })
    }

    fn drawn(playback: &mut Playback) -> u64 {
        playback.current().unwrap().frame.seq
    }

    /// Nothing is to be asked.
    fn never(_: Arc<Frame>) -> bool {
        panic!("nothing is to be asked")
    }

    #[test]
    fn frames_are_drawn_as_they_come() {
        let mut playback = Playback::default();
        assert_eq!(playback.follow(&look(true, FIRST), never), Step::Wait, "there is nothing to hold yet");
        for seq in 0..3 {
            assert_eq!(playback.follow(&look(false, FIRST), never), Step::Wait);
            assert_eq!((playback.take(frame(seq)), drawn(&mut playback)), (DRAW, seq));
        }
        assert_eq!((playback.look_again(), playback.stop(), playback.end()), (AGAIN, Step::Wait, Step::End));
    }

    #[test]
    fn a_paused_frame_is_drawn_again_in_another_look_and_those_behind_it_wait() {
        let mut playback = Playback::default();
        assert_eq!(playback.look_again(), Step::Wait);
        playback.take(frame(0));
        assert_eq!(playback.follow(&look(true, FIRST), never), Step::Wait);
        assert!(!playback.takes_frames());
        assert_eq!((playback.look_again(), playback.stop()), (AGAIN, Step::End));
        assert_eq!(playback.follow(&look(false, FIRST), never), Step::Wait);
        assert!(playback.takes_frames());
        assert_eq!(playback.take(frame(1)), DRAW);
    }

    #[test]
    fn a_paused_frame_is_asked_about_until_all_is_known() {
        let mut playback = Playback::default();
        playback.take(Explained { progress: progress(3), ..frame(0) });
        let mut asked = None;
        playback.follow(&look(true, FIRST), |frame| asked.replace(frame.seq).is_none());
        assert_eq!(asked, Some(0));
        for done in [5, 8] {
            assert_eq!(playback.follow(&look(true, FIRST), never), Step::Wait);
            assert_eq!(playback.take(better(0, FIRST, done)), AGAIN);
            assert!(playback.takes_frames(), "better maps are to come");
        }
        assert_eq!(playback.take(better(0, FIRST, 10)), AGAIN);
        assert!(!playback.takes_frames());
    }

    #[test]
    fn frames_that_come_while_maps_are_awaited_follow_later_and_in_order() {
        let mut playback = Playback::default();
        playback.take(frame(0));
        playback.follow(&look(true, SECOND), |_| true);
        assert_eq!((playback.take(frame(1)), playback.take(frame(2))), (Step::Wait, Step::Wait));
        assert_eq!((playback.take(better(0, SECOND, 10)), drawn(&mut playback)), (AGAIN, 0));
        for seq in [1, 2] {
            assert_eq!((playback.follow(&look(false, FIRST), never), drawn(&mut playback)), (DRAW, seq));
        }
        assert_eq!(playback.follow(&look(false, FIRST), never), Step::Wait);
    }

    #[test]
    fn maps_of_a_method_that_was_left_meanwhile_are_drawn_and_the_others_still_awaited() {
        let mut playback = Playback::default();
        playback.take(frame(0));
        playback.follow(&look(true, SECOND), |_| true);
        let third = Choice { counterfactual: true, ..SECOND };
        playback.follow(&look(true, third), |_| true);
        assert_eq!(playback.take(better(0, SECOND, 10)), AGAIN);
        assert!(playback.takes_frames());
        playback.take(better(0, third, 10));
        assert!(!playback.takes_frames());
    }

    #[test]
    fn a_question_that_can_not_be_put_is_put_again() {
        let mut playback = Playback::default();
        playback.take(frame(0));
        for _ in 0..2 {
            let mut tried = false;
            playback.follow(&look(true, SECOND), |_| {
                tried = true;
                false
            });
            assert!(tried && !playback.takes_frames());
        }
    }

    #[test]
    fn maps_that_nobody_awaits_are_not_drawn() {
        let mut playback = Playback::default();
        playback.take(frame(0));
        playback.follow(&look(true, SECOND), |_| true);
        // Of another frame, and of this one when it is no longer paused.
        assert_eq!(playback.take(better(7, SECOND, 10)), Step::Wait);
        playback.follow(&look(false, SECOND), never);
        assert_eq!(playback.take(better(0, SECOND, 10)), Step::Wait);
    }

    #[test]
    fn a_source_that_ends_leaves_the_paused_frame() {
        let mut playback = Playback::default();
        playback.take(frame(0));
        playback.follow(&look(true, SECOND), |_| true);
        playback.take(frame(1));
        assert_eq!(playback.end(), Step::Wait);
        assert!(!playback.takes_frames());
        assert_eq!((playback.follow(&look(false, SECOND), never), drawn(&mut playback)), (DRAW, 1));
        assert_eq!(playback.end(), Step::End);
    }
}
