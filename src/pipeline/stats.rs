//! How long each stage takes. The window's HUD, `--stats` and `camloc bench` show these numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

/// The stages of the pipeline, in the order a frame passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waiting for and reading the next frame.
    Capture,
    /// Fitting the picture to the model's input.
    Preprocess,
    /// The forward pass with the explanation in it.
    Forward,
    /// From maps to boxes.
    Localize,
    /// Drawing heat, boxes and labels.
    Render,
    /// Writing to files, or handing the pixels to the window.
    Write,
}

impl Stage {
    /// Every stage, in order.
    pub(crate) const ALL: [Stage; 6] =
        [Stage::Capture, Stage::Preprocess, Stage::Forward, Stage::Localize, Stage::Render, Stage::Write];

    /// The stage's name as reports show it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stage::Capture => "capture",
            Stage::Preprocess => "preprocess",
            Stage::Forward => "forward",
            Stage::Localize => "localize",
            Stage::Render => "render",
            Stage::Write => "write",
        }
    }
}

/// How many of the latest measurements a median looks at: two seconds of a camera.
const RECENT: usize = 64;

/// A ring of the latest measurements.
#[derive(Clone, Debug, Default)]
struct Recent {
    values: Vec<Duration>,
    next: usize,
}

impl Recent {
    fn push(&mut self, value: Duration) {
        if self.values.len() < RECENT {
            self.values.push(value);
        } else {
            self.values[self.next] = value;
        }
        self.next = (self.next + 1) % RECENT;
    }

    fn median(&self) -> Duration {
        let mut sorted = [Duration::ZERO; RECENT];
        let sorted = &mut sorted[..self.values.len()];
        sorted.copy_from_slice(&self.values);
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}

#[derive(Clone, Debug, Default)]
struct StageClock {
    frames: u64,
    wall: Duration,
    cpu: Duration,
    recent: Recent,
}

/// Shared by all stages; each locks only its own clock.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    clocks: [Mutex<StageClock>; Stage::ALL.len()],
    latency: Mutex<Recent>,
    shown: Mutex<Recent>,
    dropped: AtomicU64,
    /// Variants of the present picture that a black box has asked about, and how many there are.
    asked: Mutex<(usize, usize)>,
}

/// The figures of one stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StageFigures {
    /// Which stage.
    pub stage: Stage,
    /// Frames that passed it.
    pub frames: u64,
    /// Mean wall time a frame.
    pub wall: Duration,
    /// Mean CPU time a frame of the stage's own thread (ONNX Runtime's helper threads not counted).
    pub cpu: Duration,
    /// Median wall time of the latest frames.
    pub recent: Duration,
}

impl Stats {
    /// Runs one frame's work of `stage` and clocks it.
    pub(crate) fn time<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let (wall, cpu) = (Instant::now(), ThreadTime::now());
        let result = work();
        let (wall, cpu) = (wall.elapsed(), cpu.elapsed());
        let mut clock = lock(&self.clocks[stage as usize]);
        clock.frames += 1;
        clock.wall += wall;
        clock.cpu += cpu;
        clock.recent.push(wall);
        result
    }

    /// Counts frames that a live source dropped because the model was busy.
    pub(crate) fn drop_frames(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Frames dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Notes how many variants of the present picture a black box has asked about, and how many there are.
    pub(crate) fn ask(&self, asked: (usize, usize)) {
        *lock(&self.asked) = asked;
    }

    /// Variants of the present picture that a black box has asked about, and how many there are.
    pub(crate) fn asked(&self) -> (usize, usize) {
        *lock(&self.asked)
    }

    /// Notes that a frame reached the end, `latency` after its arrival and `since` the one before it.
    pub(crate) fn show(&self, latency: Duration, since: Duration) {
        lock(&self.latency).push(latency);
        lock(&self.shown).push(since);
    }

    /// Median time from a frame's arrival to its pixels handed over, of the latest frames.
    pub(crate) fn latency(&self) -> Duration {
        lock(&self.latency).median()
    }

    /// Frames a second at the end of the pipeline, of the latest frames.
    pub(crate) fn fps(&self) -> f64 {
        let recent = lock(&self.shown);
        let total: f64 = recent.values.iter().map(Duration::as_secs_f64).sum();
        if total > 0.0 { recent.values.len() as f64 / total } else { 0.0 }
    }

    /// The figures of every stage, in order.
    pub(crate) fn stages(&self) -> [StageFigures; Stage::ALL.len()] {
        Stage::ALL.map(|stage| {
            let clock = lock(&self.clocks[stage as usize]);
            let frames = u32::try_from(clock.frames).unwrap_or(u32::MAX).max(1);
            StageFigures {
                stage,
                frames: clock.frames,
                wall: clock.wall / frames,
                cpu: clock.cpu / frames,
                recent: clock.recent.median(),
            }
        })
    }
}

/// A clock stays readable even if a stage died while holding it: only figures are behind the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_knows_its_frames_and_its_time() {
        let stats = Stats::default();
        for _ in 0..3 {
            stats.time(Stage::Render, || std::thread::sleep(Duration::from_millis(5)));
        }
        let render = stats.stages()[Stage::Render as usize];
        assert_eq!(render.frames, 3);
        assert!(render.wall >= Duration::from_millis(5));
        assert!(render.cpu < Duration::from_millis(5), "sleeping costs no CPU");
        assert_eq!(stats.stages()[Stage::Write as usize].frames, 0);
    }

    #[test]
    fn the_median_ignores_one_hiccup_and_forgets_old_frames() {
        let stats = Stats::default();
        for _ in 0..RECENT {
            stats.show(Duration::from_millis(50), Duration::from_millis(40));
        }
        for _ in 0..RECENT - 1 {
            stats.show(Duration::from_millis(9), Duration::from_millis(40));
        }
        stats.show(Duration::from_secs(2), Duration::from_millis(40));
        assert_eq!(stats.latency(), Duration::from_millis(9));
        assert!((stats.fps() - 25.0).abs() < 1e-9);
    }
}
