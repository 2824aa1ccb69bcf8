//! The stage that asks the model.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::controls::Choice;
use super::incoming::{Asked, Incoming, Next};
use super::stages::{Explained, Model};
use super::{Controls, PipelineError, Stage, Stats};
use crate::explainer::{Eraser, Explainer};
use crate::files::Stop;
use crate::frame::{Frame, Picture};
use crate::maps::{ClassMap, WhatIf};
use crate::view::View;

/// How often a better map of a paused frame is shown.
const REFRESH: Duration = Duration::from_millis(200);

/// The model, and what it needs to know of the run around it.
pub(super) struct Inference<'a> {
    explainer: Explainer,
    model: Arc<Model>,
    controls: &'a Controls,
    stop: &'a Stop,
    stats: &'a Stats,
    /// The frame asked about last: its stream, its number, and the part of it that the model saw.
    last: Option<(usize, u64, View)>,
    eraser: Eraser,
}

impl<'a> Inference<'a> {
    pub(super) fn new(
        explainer: Explainer,
        controls: &'a Controls,
        stop: &'a Stop,
        stats: &'a Stats,
    ) -> Inference<'a> {
        let before = Choice { counterfactual: false, ..controls.look().choice() };
        let model = Model::of(&explainer, before);
        Inference { explainer, model, controls, stop, stats, last: None, eraser: Eraser::default() }
    }

    /// Explains frames until there are no more, and goes on asking about those that are wanted better. `to_draw` has a
    /// channel for each stream.
    pub(super) fn run(
        mut self,
        mut incoming: Incoming,
        to_draw: &[Sender<Explained>],
    ) -> Result<(), PipelineError> {
        loop {
            let look = self.controls.look();
            // What a model says without a region is asked picture by picture.
            let most = if look.what_if || look.counterfactual { 1 } else { self.explainer.batch() };
            let next = incoming.next(most);
            self.follow_keys();
            let go_on = match next {
                Next::End => false,
                Next::Refine(paused) => self.refine(paused, to_draw)?,
                Next::Explain(asked) => self.explain_all(asked, to_draw)?,
            };
            if !go_on {
                return Ok(());
            }
        }
    }

    /// Follows what the window's keys ask of the explainer, or has another one take over.
    fn follow_keys(&mut self) {
        let successor = self.controls.successor();
        let mut before = self.model.choice;
        let wanted = self.controls.look().choice();
        if wanted == before && successor.is_none() {
            return;
        }
        if let Some(explainer) = successor {
            (self.explainer, before.counterfactual) = (explainer, false);
        }
        if wanted.counterfactual != before.counterfactual {
            self.explainer.show_counterfactual(wanted.counterfactual);
        }
        if wanted.method_steps != before.method_steps {
            self.explainer.next_method();
        }
        (self.model, self.last) = (Model::of(&self.explainer, wanted), None);
    }

    /// Explains frames of several streams and hands them on. Returns whether to go on.
    fn explain_all(
        &mut self,
        asked: Vec<Asked>,
        to_draw: &[Sender<Explained>],
    ) -> Result<bool, PipelineError> {
        let mut waiting = asked;
        // Another method may take fewer pictures in a pass than the one before.
        while !waiting.is_empty() {
            let later = waiting.split_off(self.explainer.batch().min(waiting.len()));
            for (stream, explained) in self.explain(&waiting)? {
                let cut = explained.progress.is_some_and(|progress| !progress.is_complete());
                // A map cut short by the end of the run is no result.
                if self.stop.is_stopped() && cut || to_draw[stream].send(explained).is_err() {
                    return Ok(false);
                }
            }
            waiting = later;
        }
        Ok(true)
    }

    /// Explains frames in one pass.
    fn explain(&mut self, asked: &[Asked]) -> Result<Vec<(usize, Explained)>, PipelineError> {
        let pictures: Vec<&Picture> = asked.iter().map(|asked| &asked.frame.picture).collect();
        let mut maps = vec![Vec::new(); asked.len()];
        let (stop, stats) = (self.stop, self.stats);
        let explainer = &mut self.explainer;
        let prepared = pictures.iter().enumerate().map(|(at, picture)| {
            stats.time(Stage::Preprocess, || explainer.prepare(picture, at, pictures.len()))
        });
        let views = prepared.collect::<Result<Vec<View>, _>>()?;
        stats.time(Stage::Forward, || {
            explainer.explain_prepared(&pictures, &views, &mut maps, &mut |asked| {
                stats.ask(asked);
                !stop.is_stopped()
            })
        })?;
        let progress = self.explainer.progress();
        let answers = asked.iter().zip(views).zip(maps);
        answers
            .map(|((Asked { stream, frame }, view), maps)| {
                self.last = Some((*stream, frame.seq, view));
                let what_if = self.what_if(frame, view, &maps)?;
                let (frame, model) = (frame.clone(), self.model.clone());
                Ok((*stream, Explained { frame, view, maps, model, progress, what_if, again: false }))
            })
            .collect()
    }

    /// What the model says without what the map shown marks, if that is asked.
    fn what_if(
        &mut self,
        frame: &Frame,
        view: View,
        maps: &[ClassMap],
    ) -> Result<Option<WhatIf>, PipelineError> {
        let look = self.controls.look();
        match maps.get(look.rank.unwrap_or_default()) {
            Some(map) if look.what_if || look.counterfactual => {
                let eraser = &mut self.eraser;
                Ok(eraser.ask(&mut self.explainer, &frame.picture, view, map, look.threshold)?)
            }
            _ => Ok(None),
        }
    }

    /// Asks on about a frame while it is paused. Returns whether anyone still listens.
    fn refine(&mut self, paused: Asked, to_draw: &[Sender<Explained>]) -> Result<bool, PipelineError> {
        let (view, mut maps) = match self.last {
            Some((stream, seq, view)) if (stream, seq) == (paused.stream, paused.frame.seq) => {
                (view, Vec::new())
            }
            // Frames that were already on their way have been asked about since, or it was another method that was asked.
            _ => match self.explain(std::slice::from_ref(&paused))?.pop() {
                Some((_, again)) => (again.view, again.maps),
                None => return Ok(true),
            },
        };
        let Asked { stream, frame } = paused;
        loop {
            self.explainer.refine(REFRESH, &mut maps)?;
            let progress = self.explainer.progress();
            let complete = progress.is_none_or(|progress| progress.is_complete());
            let (frame, maps, model) = (frame.clone(), maps.clone(), self.model.clone());
            let what_if = self.what_if(&frame, view, &maps)?;
            let better = Explained { frame, view, maps, model, progress, what_if, again: true };
            if to_draw[stream].send(better).is_err() {
                return Ok(false);
            }
            let look = self.controls.look();
            let wanted = look.paused && look.choice() == self.model.choice;
            if complete || self.stop.is_stopped() || !wanted {
                return Ok(true);
            }
        }
    }
}
