//! Looking through the labels by eye: which picture is next, and what is decided about it.

use serde::{Deserialize, Serialize};

use super::{Finding, Input, Journal, Object, Reason, Skip, sureness};
use crate::display::{Key, Keymap};
use crate::localize::{BoundingBox, iou};

/// Shorter sides, in pixels of the picture, are a click and no box.
const LEAST: f64 = 3.0;

/// What was decided about a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Its boxes are right.
    Keep,
    /// It is no good.
    Drop,
    /// These are its boxes.
    Redrawn(Vec<Object>),
}

impl Verdict {
    /// What was found on a picture, after this was decided about it.
    pub(crate) fn over(&self, finding: &Finding) -> Finding {
        match (self, finding) {
            (Verdict::Drop, Finding::Found { .. }) => {
                Finding::Skipped(Skip { reason: Reason::Dropped, score: None, what: String::new() })
            }
            (Verdict::Redrawn(objects), Finding::Found { size, .. }) if !objects.is_empty() => {
                Finding::Found { size: *size, objects: objects.clone() }
            }
            _ => finding.clone(),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Verdict::Keep => "kept",
            Verdict::Drop => "dropped",
            Verdict::Redrawn(_) => "redrawn",
        }
    }
}

/// What the person who reviews asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ReviewCommand {
    /// The boxes are right.
    Keep,
    /// The picture is no good.
    Drop,
    /// Back to the picture before.
    Back,
    /// The boxes as the model found them.
    Restore,
    /// Show or hide the table of keys.
    Help,
    /// End the review; what is decided stays.
    Quit,
}

impl Keymap for ReviewCommand {
    const QUIT: ReviewCommand = ReviewCommand::Quit;
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("Enter, Space", "keep the picture with these boxes"),
        ("d, x", "drop the picture"),
        ("mouse", "drag a box in place of those found; drag again for more"),
        ("u", "the boxes as they were found"),
        ("Backspace", "back to the picture before"),
        ("q, Esc", "stop; what is decided stays"),
        ("?, F1", "this help"),
    ];

    fn typed(character: char) -> Option<ReviewCommand> {
        Some(match character.to_ascii_lowercase() {
            ' ' => ReviewCommand::Keep,
            'd' | 'x' => ReviewCommand::Drop,
            'u' => ReviewCommand::Restore,
            'q' => ReviewCommand::Quit,
            '?' => ReviewCommand::Help,
            _ => return None,
        })
    }

    fn pressed(key: Key) -> Option<ReviewCommand> {
        match key {
            Key::Enter => Some(ReviewCommand::Keep),
            Key::Backspace => Some(ReviewCommand::Back),
            Key::Escape => Some(ReviewCommand::Quit),
            Key::F1 => Some(ReviewCommand::Help),
        }
    }

    fn repeats(self) -> bool {
        false
    }
}

/// A walk through the pictures on which something was found, the least sure first.
#[derive(Debug)]
pub(crate) struct Review<'a> {
    input: &'a Input,
    findings: &'a [Finding],
    /// Places in the input.
    order: Vec<usize>,
    /// What is decided, in that order.
    verdicts: Vec<Option<Verdict>>,
    at: usize,
    boxes: Vec<Object>,
    /// Whether a person drew the boxes.
    drawn: bool,
    /// Whether the next box takes the place of all others.
    replaces: bool,
}

impl<'a> Review<'a> {
    /// A review of what the model found, one finding for each picture of the input, from the first picture on about
    /// which nothing is decided.
    pub(crate) fn new(input: &'a Input, findings: &'a [Finding], journal: &Journal) -> Review<'a> {
        let rank = |&place: &usize| match &findings[place] {
            Finding::Found { objects, .. } => sureness(objects),
            Finding::Skipped(_) => f32::INFINITY,
        };
        let found = |&place: &usize| matches!(findings[place], Finding::Found { .. });
        let mut order: Vec<usize> = (0..findings.len().min(input.pictures.len())).filter(found).collect();
        order.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
        let verdict = |&place: &usize| journal.verdict(&input.pictures[place].name).cloned();
        let verdicts: Vec<Option<Verdict>> = order.iter().map(verdict).collect();
        let at = verdicts.iter().position(Option::is_none).unwrap_or(order.len());
        let mut review =
            Review { input, findings, order, verdicts, at, boxes: vec![], drawn: false, replaces: true };
        review.arrive();
        review
    }

    /// The place in the input of the picture to look at; `None` at the end.
    pub(crate) fn place(&self) -> Option<usize> {
        self.order.get(self.at).copied()
    }

    /// Its number, from 1, and how many there are.
    pub(crate) fn progress(&self) -> (usize, usize) {
        (self.at + 1, self.order.len())
    }

    /// How many pictures nothing is decided about.
    pub(crate) fn open(&self) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.is_none()).count()
    }

    /// Its boxes as they stand.
    pub(crate) fn boxes(&self) -> &[Object] {
        &self.boxes
    }

    /// What was decided about it before, in a word.
    pub(crate) fn decided(&self) -> Option<&'static str> {
        self.verdicts.get(self.at)?.as_ref().map(Verdict::word)
    }

    /// Draws a box between two corners, in pixels of the picture. The first on a picture takes the place of the boxes
    /// that are there, any more are added. Its class is that of the box found that it overlaps most. Says whether there
    /// was a box to draw: one that is a few pixels large.
    pub(crate) fn draw(&mut self, from: (f64, f64), to: (f64, f64)) -> bool {
        let Some(object) = self.object(from, to) else { return false };
        if self.replaces {
            self.boxes.clear();
        }
        (self.drawn, self.replaces) = (true, false);
        self.boxes.push(object);
        true
    }

    /// The box between two corners.
    pub(crate) fn object(&self, from: (f64, f64), to: (f64, f64)) -> Option<Object> {
        let place = self.place()?;
        let Finding::Found { size: (width, height), objects } = &self.findings[place] else { return None };
        let side = |a: f64, b: f64, length: u32| {
            let (low, high) = (a.min(b).max(0.0), a.max(b).min(f64::from(length)));
            (high - low >= LEAST).then(|| (low.round() as u32, high.round() as u32))
        };
        let ((x0, x1), (y0, y1)) = (side(from.0, to.0, *width)?, side(from.1, to.1, *height)?);
        let bbox = [x0, y0, x1, y1];
        let overlap = |object: &&Object| iou(&bounding(object.bbox), &bounding(bbox));
        // Of equal ones, as where none overlaps, the surest.
        let nearest = objects.iter().rev().max_by(|a, b| overlap(a).total_cmp(&overlap(b)))?;
        Some(Object { class: nearest.class, bbox, score: None })
    }

    /// Takes the boxes back that the model found.
    pub(crate) fn restore(&mut self) {
        if let Some(Finding::Found { objects, .. }) = self.place().map(|place| &self.findings[place]) {
            self.boxes.clone_from(objects);
        }
        (self.drawn, self.replaces) = (false, true);
    }

    /// Keeps the picture with its boxes as they stand, and goes on; the picture's name and the decision, for the
    /// journal.
    pub(crate) fn keep(&mut self) -> Option<(String, Verdict)> {
        let verdict = if self.drawn { Verdict::Redrawn(self.boxes.clone()) } else { Verdict::Keep };
        self.decide(verdict)
    }

    /// Drops the picture, and goes on.
    pub(crate) fn drop(&mut self) -> Option<(String, Verdict)> {
        self.decide(Verdict::Drop)
    }

    fn decide(&mut self, verdict: Verdict) -> Option<(String, Verdict)> {
        let place = self.place()?;
        self.verdicts[self.at] = Some(verdict.clone());
        self.pass();
        Some((self.input.pictures[place].name.clone(), verdict))
    }

    /// Goes on without a decision.
    pub(crate) fn pass(&mut self) {
        self.at = (self.at + 1).min(self.order.len());
        self.arrive();
    }

    /// Goes back to the picture before, where there is one.
    pub(crate) fn back(&mut self) {
        self.at = self.at.saturating_sub(1);
        self.arrive();
    }

    /// Looks at a picture as it was left.
    fn arrive(&mut self) {
        self.restore();
        if let Some(Some(Verdict::Redrawn(boxes))) = self.verdicts.get(self.at) {
            self.boxes.clone_from(boxes);
            self.drawn = true;
        }
    }
}

fn bounding([x0, y0, x1, y1]: [u32; 4]) -> BoundingBox {
    BoundingBox { x0, y0, x1, y1 }
}

#[cfg(test)]
mod tests {
    use super::super::{Class, Item, Line};
    use super::*;

    fn item(name: &str) -> Item {
        Item { name: name.into(), path: name.into(), class: None }
    }

    fn object(class: usize, bbox: [u32; 4], score: f32) -> Object {
        Object { class, bbox, score: Some(score) }
    }

    fn input() -> Input {
        let class = |name: &str| Class { name: name.into(), accepted: vec![0] };
        let pictures = ["sure", "nothing", "unsure", "two"].map(item).to_vec();
        Input { classes: vec![class("cat"), class("dog")], pictures, beside: 0 }
    }

    fn findings() -> Vec<Finding> {
        let found = |objects: &[Object]| Finding::Found { size: (100, 80), objects: objects.to_vec() };
        let skip = Skip { reason: Reason::NoBox, score: Some(0.9), what: String::new() };
        vec![
            found(&[object(0, [0, 0, 50, 50], 0.9)]),
            Finding::Skipped(skip),
            found(&[object(1, [10, 10, 90, 70], 0.2)]),
            found(&[object(0, [0, 0, 40, 80], 0.8), object(1, [60, 0, 100, 80], 0.5)]),
        ]
    }

    fn with(work: impl FnOnce(&Input, &[Finding], &mut Journal)) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("x.labels.jsonl"), "run").unwrap();
        work(&input(), &findings(), &mut journal);
    }

    #[test]
    fn the_least_sure_comes_first_and_a_review_goes_on_where_it_was() {
        with(|input, findings, journal| {
            let mut review = Review::new(input, findings, journal);
            assert_eq!((review.place(), review.progress(), review.open()), (Some(2), (1, 3), 3));
            let (name, verdict) = review.keep().unwrap();
            assert_eq!((name.as_str(), &verdict), ("unsure", &Verdict::Keep));
            journal.add(Line::Verdict(name, verdict)).unwrap();
            let mut review = Review::new(input, findings, journal);
            assert_eq!((review.place(), review.open()), (Some(3), 2));
            review.back();
            assert_eq!((review.place(), review.decided()), (Some(2), Some("kept")));
            review.back();
            assert_eq!(review.drop().unwrap().1, Verdict::Drop);
            review.pass();
            review.keep();
            assert_eq!((review.place(), review.keep(), review.open()), (None, None, 1));
            review.back();
            assert_eq!(review.place(), Some(0));
        });
    }

    #[test]
    fn a_drawn_box_replaces_those_found_and_takes_the_class_of_the_one_it_overlaps() {
        with(|input, findings, journal| {
            let mut review = Review::new(input, findings, journal);
            review.pass();
            assert!(!review.draw((5.0, 5.0), (6.0, 60.0)), "a click is no box");
            assert_eq!(review.boxes().len(), 2);
            assert!(review.draw((120.4, 90.0), (61.4, -3.0)));
            assert_eq!(review.boxes(), [Object { class: 1, bbox: [61, 0, 100, 80], score: None }]);
            assert!(review.draw((0.0, 0.0), (30.0, 30.0)));
            assert_eq!(review.boxes()[1].class, 0);
            let (_, verdict) = review.keep().unwrap();
            assert!(matches!(&verdict, Verdict::Redrawn(boxes) if boxes.len() == 2));
            // Looked at again, the boxes are those drawn; kept again, they stay.
            review.back();
            assert_eq!((review.boxes().len(), review.decided()), (2, Some("redrawn")));
            assert_eq!(review.keep().unwrap().1, verdict);
            review.back();
            review.restore();
            assert_eq!(review.keep().unwrap().1, Verdict::Keep);
        });
    }

    #[test]
    fn a_verdict_changes_what_was_found() {
        let findings = findings();
        let drawn = vec![Object { class: 0, bbox: [1, 2, 3, 4], score: None }];
        assert_eq!(Verdict::Keep.over(&findings[0]), findings[0]);
        assert_eq!(
            Verdict::Redrawn(drawn.clone()).over(&findings[0]),
            Finding::Found { size: (100, 80), objects: drawn.clone() }
        );
        assert!(matches!(
            Verdict::Drop.over(&findings[0]),
            Finding::Skipped(Skip { reason: Reason::Dropped, .. })
        ));
        assert_eq!(Verdict::Redrawn(drawn).over(&findings[1]), findings[1]);
        assert_eq!(Verdict::Redrawn(vec![]).over(&findings[0]), findings[0]);
    }
}
