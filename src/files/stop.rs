use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

/// Tells everything that holds a clone of it to stop; waiting sources wake at once.
#[derive(Clone, Debug)]
pub struct Stop {
    // Nothing is ever sent: dropping the sender disconnects every receiver, which wakes every `select!`.
    running: Arc<Mutex<Option<Sender<()>>>>,
    stopped: Receiver<()>,
}

impl Stop {
    /// A new handle, not stopped.
    pub fn new() -> Stop {
        let (running, stopped) = bounded(0);
        Stop { running: Arc::new(Mutex::new(Some(running))), stopped }
    }

    /// Stops, for ever. Any thread may call it (also the one that `ctrlc` runs), any number of times.
    pub fn stop(&self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Whether [`Stop::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// A channel that becomes ready when stopped, for `select!` beside other channels.
    pub fn stopped(&self) -> &Receiver<()> {
        &self.stopped
    }

    /// Sleeps until `deadline`, or until stopped; says whether it was stopped.
    pub fn sleep_until(&self, deadline: std::time::Instant) -> bool {
        let stopped = self.stopped.recv_deadline(deadline);
        matches!(stopped, Err(crossbeam_channel::RecvTimeoutError::Disconnected))
    }
}

impl Default for Stop {
    fn default() -> Stop {
        Stop::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_stop_wakes_a_sleeper_on_another_thread() {
        let stop = Stop::new();
        let sleeper = stop.clone();
        let slept = std::thread::spawn(move || sleeper.sleep_until(Instant::now() + Duration::from_secs(60)));
        stop.stop();
        assert!(slept.join().unwrap());
        assert!(stop.is_stopped() && stop.clone().is_stopped());
    }

    #[test]
    fn an_undisturbed_sleep_ends_at_its_time() {
        let stop = Stop::new();
        assert!(!stop.sleep_until(Instant::now() + Duration::from_millis(5)));
        assert!(!stop.is_stopped());
    }
}
