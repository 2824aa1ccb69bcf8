//! The stage that asks the model.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select};

use super::stages::{Explained, Model};
use super::{Controls, Eraser, Explainer, PipelineError, Stats};
use crate::frame::Frame;
use crate::maps::{ClassMap, WhatIf};
use crate::source::Stop;
use crate::view::View;

/// How often a better map of a frame that stands still is shown.
const REFRESH: Duration = Duration::from_millis(200);

/// The model, and what it needs to know of the run around it.
pub(super) struct Inference<'a> {
    pub(super) explainer: Explainer,
    pub(super) controls: &'a Controls,
    pub(super) stop: &'a Stop,
    pub(super) stats: &'a Stats,
    /// The frame asked about last: its number, and the part of it that the model saw.
    pub(super) last: Option<(u64, View)>,
    /// Whether what speaks against the classes is shown.
    pub(super) against: bool,
    pub(super) eraser: Eraser,
}

impl Inference<'_> {
    /// Explains frames until there are no more, and goes on asking about those that are `wanted` better.
    pub(super) fn run(
        mut self,
        frames: Receiver<Frame>,
        wanted: Receiver<Arc<Frame>>,
        to_draw: Sender<Explained>,
    ) -> Result<(), PipelineError> {
        let mut model = Model::of(&self.explainer);
        let mut steps = self.controls.look().method_steps;
        loop {
            let still = select! {
                recv(wanted) -> frame => frame.ok(),
                recv(frames) -> frame => {
                    let Ok(frame) = frame else { break };
                    if let Some(explainer) = self.controls.successor() {
                        (self.explainer, self.last, self.against) = (explainer, None, false);
                        model = Model::of(&self.explainer);
                    }
                    let look = self.controls.look();
                    if look.counterfactual != self.against {
                        self.against = !self.against;
                        self.explainer.show_counterfactual(self.against);
                        model = Model::of(&self.explainer);
                    }
                    if look.method_steps != steps {
                        self.explainer.next_method();
                        (model, steps) = (Model::of(&self.explainer), look.method_steps);
                    }
                    let explained = self.explain(Arc::new(frame), &model)?;
                    let cut = explained.progress.is_some_and(|progress| !progress.is_complete());
                    // A map cut short by the end of the run is no result.
                    if self.stop.is_stopped() && cut || to_draw.send(explained).is_err() {
                        break;
                    }
                    None
                }
            };
            if let Some(frame) = still
                && !self.refine(frame, &model, &to_draw)?
            {
                break;
            }
        }
        Ok(())
    }

    fn explain(&mut self, frame: Arc<Frame>, model: &Arc<Model>) -> Result<Explained, PipelineError> {
        let mut maps = Vec::new();
        let (stop, stats) = (self.stop, self.stats);
        let view = self.explainer.explain_timed(&frame.picture, &mut maps, stats, &mut |asked| {
            stats.ask(asked);
            !stop.is_stopped()
        })?;
        self.last = Some((frame.seq, view));
        let progress = self.explainer.progress();
        let what_if = self.what_if(&frame, view, &maps)?;
        Ok(Explained { frame, view, maps, model: model.clone(), progress, what_if, refined: false })
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

    /// Asks on about a frame while it stands still. Returns whether anyone still listens.
    fn refine(
        &mut self,
        frame: Arc<Frame>,
        model: &Arc<Model>,
        to_draw: &Sender<Explained>,
    ) -> Result<bool, PipelineError> {
        let (view, mut maps) = match self.last {
            Some((seq, view)) if seq == frame.seq => (view, Vec::new()),
            // Frames that were already on their way have been asked about since.
            _ => {
                let again = self.explain(frame.clone(), model)?;
                (again.view, again.maps)
            }
        };
        loop {
            self.explainer.refine(REFRESH, &mut maps)?;
            let progress = self.explainer.progress();
            let complete = progress.is_none_or(|progress| progress.is_complete());
            let (frame, maps, model) = (frame.clone(), maps.clone(), model.clone());
            let what_if = self.what_if(&frame, view, &maps)?;
            let better = Explained { frame, view, maps, model, progress, what_if, refined: true };
            if to_draw.send(better).is_err() {
                return Ok(false);
            }
            if complete || self.stop.is_stopped() || !self.controls.look().paused {
                return Ok(true);
            }
        }
    }
}
