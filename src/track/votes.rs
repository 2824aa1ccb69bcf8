//! Which class an object is, by the frames of the last second.

use std::time::Duration;

/// Mean age of a vote, in seconds.
const MEMORY: f64 = 1.0;

/// How many times the votes of the class shown another needs to take its place. Were it one, the younger of two
/// equals would win each frame.
const MAJORITY: f64 = 1.5;

/// How long every frame has to say the same for what was said before to be forgotten, in seconds, and how many frames at
/// least: look-alikes take turns faster, another object stays.
const CERTAIN: (f64, u32) = (0.4, 4);

/// What remains of a frame's vote when it is forgotten: after three seconds.
const FORGOTTEN: f64 = 0.05;

/// Votes of frames on one object's class: each frame gives the class that it found its probability, and older
/// votes count less.
///
/// Between look-alikes (tabby, tiger cat) a classifier changes its mind from frame to frame, and the majority does
/// not. Where every frame of a while says the same, the object is another, and older votes don't count at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Votes {
    ballots: Vec<Ballot>,
    winner: usize,
    last: Duration,
    run: Run,
}

/// Frames in a row that found one class.
#[derive(Clone, Debug, Default)]
struct Run {
    class_id: usize,
    since: Duration,
    frames: u32,
}

#[derive(Clone, Debug)]
struct Ballot {
    class_id: usize,
    /// Frames that found the class, each by its age.
    frames: f64,
    /// Their probabilities, each by its age.
    votes: f64,
}

impl Votes {
    /// Adds the vote of the frame at `time`. What is no number counts as improbable.
    pub(crate) fn add(&mut self, class_id: usize, probability: f32, time: Duration) {
        let kept = (-time.saturating_sub(self.last).as_secs_f64() / MEMORY).exp();
        self.last = time;
        for ballot in &mut self.ballots {
            ballot.frames *= kept;
            ballot.votes *= kept;
        }
        self.ballots.retain(|ballot| ballot.frames > FORGOTTEN);
        let vote = if probability.is_finite() { f64::from(probability) } else { 0.0 };
        match self.ballots.iter_mut().find(|ballot| ballot.class_id == class_id) {
            Some(ballot) => {
                ballot.frames += 1.0;
                ballot.votes += vote;
            }
            None => self.ballots.push(Ballot { class_id, frames: 1.0, votes: vote }),
        }
        if self.is_certain(class_id, time) {
            self.ballots.retain(|ballot| ballot.class_id == class_id);
        }
        let shown = self.ballots.iter().find(|ballot| ballot.class_id == self.winner);
        let needed = shown.map_or(f64::NEG_INFINITY, |shown| MAJORITY * shown.votes);
        let best = self.ballots.iter().max_by(|a, b| a.votes.total_cmp(&b.votes));
        if let Some(best) = best.filter(|best| best.votes > needed) {
            self.winner = best.class_id;
        }
    }

    /// Whether all frames of a while, to the one at `time`, found this class.
    fn is_certain(&mut self, class_id: usize, time: Duration) -> bool {
        if self.run.frames == 0 || self.run.class_id != class_id {
            self.run = Run { class_id, since: time, frames: 0 };
        }
        self.run.frames = self.run.frames.saturating_add(1);
        let (seconds, frames) = CERTAIN;
        self.run.frames >= frames && time.saturating_sub(self.run.since).as_secs_f64() >= seconds
    }

    /// The class with most votes, and its mean probability in the frames that found it. To take its place another
    /// must have clearly more.
    pub(crate) fn winner(&self) -> Option<(usize, f32)> {
        let winner = self.ballots.iter().find(|ballot| ballot.class_id == self.winner)?;
        Some((winner.class_id, (winner.votes / winner.frames) as f32))
    }

    /// Whether one of the last frames found this class.
    pub(crate) fn has(&self, class_id: usize) -> bool {
        self.ballots.iter().any(|ballot| ballot.class_id == class_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABBY: usize = 281;
    const TIGER: usize = 282;

    fn vote(votes: &mut Votes, frames: impl IntoIterator<Item = (f64, usize, f32)>) -> Vec<usize> {
        let mut winners = Vec::new();
        for (seconds, class_id, probability) in frames {
            votes.add(class_id, probability, Duration::from_secs_f64(seconds));
            winners.push(votes.winner().unwrap().0);
        }
        winners
    }

    #[test]
    fn look_alikes_that_alternate_have_one_label() {
        let mut votes = Votes::default();
        // Three frames of one, three of the other.
        let frames = (0..60).map(|i| (f64::from(i) / 10.0, if i / 3 % 2 == 1 { TIGER } else { TABBY }, 0.4));
        assert!(vote(&mut votes, frames).iter().all(|&winner| winner == TABBY));
        assert!(votes.has(TIGER));
    }

    #[test]
    fn another_object_has_its_own_label_at_once_however_sure_the_model_was_of_the_last_at_any_frame_rate() {
        let outvoted_after = |fps: u32| {
            let mut votes = Votes::default();
            let frames = |from: u32, class_id, probability| {
                let frames = from * fps..(from + 3) * fps;
                frames.map(move |i| (f64::from(i) / f64::from(fps), class_id, probability))
            };
            vote(&mut votes, frames(0, TABBY, 0.9));
            let winners = vote(&mut votes, frames(3, TIGER, 0.2));
            let first = winners.iter().position(|&winner| winner == TIGER).unwrap();
            assert!(winners[first..].iter().all(|&winner| winner == TIGER));
            first as f64 / f64::from(fps)
        };
        for fps in [10, 25, 60] {
            assert!((0.39..0.5).contains(&outvoted_after(fps)), "{} s at {fps}", outvoted_after(fps));
        }
        assert!(outvoted_after(2) < 2.5, "a slow camera needs four frames");
    }

    #[test]
    fn the_probability_is_the_mean_of_the_frames_that_found_the_class() {
        let mut votes = Votes::default();
        vote(&mut votes, [(0.0, TABBY, 0.8), (0.0, TIGER, 0.1), (0.0, TABBY, 0.4)]);
        let (winner, probability) = votes.winner().unwrap();
        assert_eq!(winner, TABBY);
        assert!((probability - 0.6).abs() < 1e-6);
    }

    #[test]
    fn a_probability_that_is_no_number_wins_nothing() {
        let mut votes = Votes::default();
        assert_eq!(vote(&mut votes, [(0.0, TIGER, f32::NAN), (0.0, TABBY, 0.1)]), [TIGER, TABBY]);
        assert_eq!(votes.winner(), Some((TABBY, 0.1)));
    }

    #[test]
    fn old_votes_take_no_memory() {
        let mut votes = Votes::default();
        vote(&mut votes, (0..1000).map(|i| (f64::from(i), i as usize, 0.5)));
        assert!(votes.ballots.len() <= 4, "{}", votes.ballots.len());
    }
}
