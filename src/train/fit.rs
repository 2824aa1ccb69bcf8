//! The loop: epochs of steps, each a batch of features, a loss, its gradient, and a small change of the weights.

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use serde::{Deserialize, Serialize};

use super::dataset::Item;
use super::features::Features;
use super::head::{Head, HeadKind};
use super::state::State;
use super::{Settings, TrainError};
use crate::files::Stop;

/// What an epoch came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// From 1.
    pub number: usize,
    /// The mean loss of the steps: cross-entropy in nats, of ACoL the sum of both branches'.
    pub loss: f64,
    /// The mean cross-entropy of the held-out pictures in nats, every class weighing the same.
    pub held_out_loss: f64,
    /// The share of the held-out pictures whose class is the most probable one, 0..1, every class weighing the same.
    pub accuracy: f64,
    /// How long it took.
    pub time: Duration,
}

/// Pictures with their features.
pub(super) struct Pictures<'a> {
    pub(super) features: &'a Features,
    pub(super) items: Vec<&'a Item>,
}

impl Pictures<'_> {
    /// Features `[N, h, w, C]` and classes, u32 `[N]`, of pictures by place, each in one of its views.
    fn batch(&self, picked: &[(usize, usize)]) -> Result<(Tensor, Tensor), TrainError> {
        let mut values = Vec::with_capacity(picked.len() * self.features.len());
        for &(place, view) in picked {
            self.features.read(self.items[place], view, &mut values)?;
        }
        let [rows, columns, channels] = self.features.shape;
        let features = Tensor::from_vec(values, (picked.len(), rows, columns, channels), &Device::Cpu)?;
        let classes: Vec<u32> = picked.iter().map(|&(place, _)| self.items[place].class as u32).collect();
        let classes = Tensor::from_vec(classes, picked.len(), &Device::Cpu)?;
        Ok((features, classes))
    }

    /// The probabilities of all classes for each picture as it is.
    pub(super) fn probabilities(&self, head: &Head, batch: usize) -> Result<Vec<Vec<f32>>, TrainError> {
        let mut all = Vec::with_capacity(self.items.len());
        let places: Vec<(usize, usize)> = (0..self.items.len()).map(|place| (place, 0)).collect();
        for picked in places.chunks(batch.max(1)) {
            let (features, _) = self.batch(picked)?;
            all.extend(head.probabilities(&features)?.to_vec2::<f32>()?);
        }
        Ok(all)
    }

    /// One epoch's pictures, each with a view drawn by chance: as many of every class, so that a class of few pictures
    /// is not drowned, and as many in all as there are.
    fn draw(&self, classes: usize, random: &mut fastrand::Rng) -> Vec<(usize, usize)> {
        let quota = self.items.len().div_ceil(classes.max(1));
        let mut drawn = Vec::with_capacity(quota * classes);
        for class in 0..classes {
            let mut deck: Vec<usize> =
                (0..self.items.len()).filter(|&place| self.items[place].class == class).collect();
            random.shuffle(&mut deck);
            drawn.extend(
                deck.iter().cycle().take(quota).map(|&place| (place, random.usize(..self.features.views))),
            );
        }
        random.shuffle(&mut drawn);
        drawn
    }
}

/// Trains a head until the epochs are through, nothing gets better, or `stop` stops it; the state after each epoch goes
/// to `state`. The head ends as it was after its best epoch.
///
/// # Errors
/// If the loss runs away, features or state fail, or it is stopped before the first epoch is through.
pub(super) fn fit(
    head: &Head,
    learned: &Pictures<'_>,
    held_out: &Pictures<'_>,
    (settings, classes): (&Settings, usize),
    state: &mut State,
    stop: &Stop,
    observe: &mut dyn FnMut(Epoch),
) -> Result<(), TrainError> {
    let variables: Vec<Var> = head.variables().into_iter().map(|(_, variable)| variable).collect();
    let adam = ParamsAdamW { weight_decay: settings.weight_decay, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(variables, adam)?;
    for number in state.epochs().len() + 1..=settings.epochs {
        if state.stale() >= settings.patience {
            break;
        }
        let started = Instant::now();
        // Each epoch's own numbers, so that one resumed goes the way that it would have gone.
        let mut random =
            fastrand::Rng::with_seed(settings.seed.wrapping_mul(0x9e37_79b9).wrapping_add(number as u64));
        let drawn = learned.draw(classes, &mut random);
        let steps = drawn.len().div_ceil(settings.batch);
        let mut loss = 0.0;
        for (step, picked) in drawn.chunks(settings.batch).enumerate() {
            if stop.is_stopped() {
                return if state.epochs().is_empty() {
                    Err(TrainError::Stopped)
                } else {
                    state.restore_best(head)
                };
            }
            let through = (number - 1) as f64 + step as f64 / steps as f64;
            optimizer.set_learning_rate(settings.rate(through));
            let (features, classes) = learned.batch(picked)?;
            let features = if settings.head == HeadKind::Linear { pooled(&features)? } else { features };
            let now = head.loss(&features, &classes)?;
            optimizer.backward_step(&now)?;
            loss += f64::from(now.to_scalar::<f32>()?) / steps as f64;
        }
        let (held_out_loss, accuracy) = check(head, held_out, classes, settings.batch)?;
        if !loss.is_finite() || !held_out_loss.is_finite() {
            return Err(TrainError::Diverged { epoch: number });
        }
        let epoch = Epoch { number, loss, held_out_loss, accuracy, time: started.elapsed() };
        state.add(epoch, head)?;
        observe(epoch);
    }
    state.restore_best(head)
}

/// The mean over all places, `[N, 1, 1, C]`: a linear head makes the same scores of it, at a fraction of the cost.
fn pooled(features: &Tensor) -> candle_core::Result<Tensor> {
    features.mean_keepdim((1, 2))?.to_dtype(DType::F32)
}

/// The cross-entropy and the accuracy of held-out pictures, every class weighing the same.
fn check(
    head: &Head,
    pictures: &Pictures<'_>,
    classes: usize,
    batch: usize,
) -> Result<(f64, f64), TrainError> {
    let (mut losses, mut hits, mut counts) = (vec![0.0; classes], vec![0.0; classes], vec![0.0; classes]);
    for (row, item) in pictures.probabilities(head, batch)?.iter().zip(&pictures.items) {
        losses[item.class] -= f64::from(row[item.class].max(f32::MIN_POSITIVE)).ln();
        hits[item.class] += f64::from(u8::from(best(row) == item.class));
        counts[item.class] += 1.0;
    }
    let mean = |sums: &[f64]| {
        let shares =
            sums.iter().zip(&counts).filter(|(_, count)| **count > 0.0).map(|(sum, count)| sum / count);
        shares.clone().sum::<f64>() / shares.count().max(1) as f64
    };
    Ok((mean(&losses), mean(&hits)))
}

/// The most probable class.
pub(super) fn best(probabilities: &[f32]) -> usize {
    (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap_or(0)
}
