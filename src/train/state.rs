//! What an unfinished run leaves on disk, so that it can be gone on with: weights after the last and the best epoch.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, safetensors};
use serde::{Deserialize, Serialize};

use super::TrainError;
use super::fit::Epoch;
use super::head::Head;
use crate::files::{AtomicFile, reason};

/// The tensor that holds the log as JSON.
const LOG: &str = "log";

/// What was done so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Log {
    /// The same for two runs only if one can go on with the other.
    run: String,
    epochs: Vec<Epoch>,
}

/// The state of a run.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    log: Log,
    /// The weights after the best epoch.
    best: HashMap<String, Tensor>,
}

impl State {
    /// A run that begins; `path` gets its state.
    pub(super) fn new(path: &Path, run: String) -> State {
        State { path: path.to_owned(), log: Log { run, epochs: Vec::new() }, best: HashMap::new() }
    }

    /// Goes on with the run that left its state at `path`; the head gets its weights.
    ///
    /// # Errors
    /// If there is none, it can't be read, or was of another run.
    pub(super) fn resume(path: &Path, run: String, head: &Head) -> Result<State, TrainError> {
        if !path.is_file() {
            return Err(TrainError::NothingToResume(path.to_owned()));
        }
        let unreadable =
            |reason: String| TrainError::State { what: "go on with", path: path.to_owned(), reason };
        let mut tensors =
            safetensors::load(path, &Device::Cpu).map_err(|error| unreadable(error.to_string()))?;
        let log = tensors.remove(LOG).ok_or_else(|| unreadable("it has no log".into()))?;
        let log: Log =
            log.to_vec1::<u8>().map_err(|error| unreadable(error.to_string())).and_then(|bytes| {
                serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))
            })?;
        if log.run != run {
            return Err(TrainError::OtherRun(path.to_owned()));
        }
        let mut best = HashMap::new();
        for (name, variable) in head.variables() {
            let kept = |key: &str| {
                tensors.get(&format!("{key}.{name}")).ok_or_else(|| unreadable(format!("it has no {name}")))
            };
            variable.set(kept("last")?).map_err(|error| unreadable(error.to_string()))?;
            best.insert(name.clone(), kept("best")?.clone());
        }
        Ok(State { path: path.to_owned(), log, best })
    }

    /// The epochs so far.
    pub(super) fn epochs(&self) -> &[Epoch] {
        &self.log.epochs
    }

    /// The epoch with the lowest held-out loss.
    pub(super) fn best_epoch(&self) -> Option<&Epoch> {
        self.log.epochs.iter().min_by(|a, b| a.held_out_loss.total_cmp(&b.held_out_loss))
    }

    /// For how many epochs nothing got better.
    pub(super) fn stale(&self) -> usize {
        self.best_epoch().map_or(0, |best| self.log.epochs.len() - best.number)
    }

    /// Adds an epoch and the weights after it, and writes the state.
    pub(super) fn add(&mut self, epoch: Epoch, head: &Head) -> Result<(), TrainError> {
        self.log.epochs.push(epoch);
        let last = head.variables();
        if self.stale() == 0 {
            for (name, variable) in &last {
                self.best.insert(name.clone(), variable.as_tensor().copy()?.detach());
            }
        }
        let failed = |reason: String| TrainError::State { what: "write", path: self.path.clone(), reason };
        let log = serde_json::to_vec(&self.log).map_err(|error| failed(error.to_string()))?;
        let length = log.len();
        let mut tensors = HashMap::from([(LOG.to_owned(), Tensor::from_vec(log, length, &Device::Cpu)?)]);
        tensors.extend(last.iter().map(|(name, one)| (format!("last.{name}"), one.as_tensor().clone())));
        tensors.extend(self.best.iter().map(|(name, one)| (format!("best.{name}"), one.clone())));
        let file = AtomicFile::create(&self.path).map_err(|error| failed(error.to_string()))?;
        safetensors::save(&tensors, file.path()).map_err(|error| failed(reason(&error)))?;
        file.finish().map(drop).map_err(|error| failed(error.to_string()))
    }

    /// Gives the head the weights of the best epoch.
    pub(super) fn restore_best(&self, head: &Head) -> Result<(), TrainError> {
        for (name, variable) in head.variables() {
            if let Some(best) = self.best.get(&name) {
                variable.set(best)?;
            }
        }
        Ok(())
    }

    /// Takes the state away: there is nothing left to go on with.
    pub(super) fn close(self) {
        // If it stays, --resume finds a run that is through.
        let _ = std::fs::remove_file(&self.path);
    }
}
