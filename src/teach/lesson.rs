//! Learning beside the show: [`Lesson`].

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::TeachError;
use crate::explainer::Explainer;
use crate::explainer::Request;
use crate::files::{Stop, write_file};
use crate::model::Classifier;
use crate::runtime::Options;
use crate::train::{self, Backbone, Milestone, Plan, TrainError, gather, train};
use camloc_graph::onnx::load::encode;

/// How much nicer the threads that learn are than the rest, on Linux: where the picture takes every core, each gets a ninth
/// of what one of the picture's gets.
#[cfg(target_os = "linux")]
const NICER: i32 = 10;

/// What every lesson goes by.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    /// A folder of pictures for each class; `taught.onnx` there becomes the model.
    pub folder: PathBuf,
    /// What the head sits on.
    pub backbone: Backbone,
    /// How the head is trained.
    pub settings: train::Settings,
    /// Where features of pictures are kept, so that only new ones are seen anew.
    pub cache: PathBuf,
    /// How the model that was taught is explained.
    pub request: Request,
    /// How it is run.
    pub options: Options,
}

impl Course {
    /// The model's file.
    pub(crate) fn model(&self) -> PathBuf {
        self.folder.join("taught.onnx")
    }

    /// Trains a head, writes the model, and makes it ready to be shown.
    fn learn(&self, stop: &Stop, tell: &Sender<Word>) -> Result<Learned, TeachError> {
        let dataset = gather(&self.folder, None)?;
        let path = self.model();
        let plan = Plan {
            dataset: &dataset,
            backbone: &self.backbone,
            settings: &self.settings,
            cache: &self.cache,
            state: path.with_added_extension("training"),
            resume: false,
        };
        let (pictures, epochs) = (dataset.items.len(), self.settings.epochs);
        let trained = train(&plan, stop, &|progress| {
            let word = match progress {
                Milestone::Seen(count) => format!("sees picture {count} of {pictures}"),
                Milestone::Epoch(epoch) => {
                    format!("epoch {} of {epochs}, {:.0} % right", epoch.number, 100.0 * epoch.accuracy)
                }
            };
            // Nobody listens any more only when the window is closed.
            let _ = tell.send(word);
        })?;
        let (right, held_out) = (trained.accuracy(), trained.held_out.len());
        let stopped = stop.is_stopped();
        let model = trained.model(&plan, "taught")?;
        trained.close();
        if stopped {
            return Err(TrainError::Stopped.into());
        }
        let bytes = encode(&model).map_err(TrainError::from)?;
        write_file(&path, &bytes).map_err(TrainError::from)?;
        let classifier = Classifier::open(&path, None).map_err(TrainError::from)?;
        let explainer = Explainer::of(classifier).request(self.request.clone());
        let explainer = explainer.options(self.options.clone()).switchable().build()?;
        Ok(Learned { explainer, right, held_out })
    }
}

/// How far a lesson is, in words.
type Word = String;

/// What came of a lesson.
pub(super) struct Learned {
    /// The model that was taught, ready to be shown.
    pub(super) explainer: Explainer,
    /// The share of the held-out pictures that it names right, 0..1.
    pub(super) right: f64,
    /// How many pictures were held out.
    pub(super) held_out: usize,
}

/// A head that is being trained, on a thread of its own.
pub(super) struct Lesson {
    stop: Stop,
    words: Receiver<Word>,
    thread: JoinHandle<Result<Learned, TeachError>>,
}

impl Lesson {
    pub(super) fn begin(course: &Arc<Course>) -> Lesson {
        let (course, stop) = (Arc::clone(course), Stop::new());
        let (tell, words) = unbounded();
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            // Threads that this one starts inherit it. Elsewhere niceness belongs to the whole program.
            #[cfg(target_os = "linux")]
            if let Err(error) = rustix::process::nice(NICER) {
                tracing::debug!("learning has the usual priority: {error}");
            }
            course.learn(&stopped, &tell)
        });
        Lesson { stop, words, thread }
    }

    /// The latest word, if there is one since the last call.
    pub(super) fn word(&self) -> Option<Word> {
        self.words.try_iter().last()
    }

    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for what comes of it.
    pub(super) fn end(self) -> Result<Learned, TeachError> {
        self.thread.join().unwrap_or(Err(TeachError::Died))
    }

    /// Gives it up, which takes no longer than a step does.
    pub(super) fn give_up(self) {
        self.stop.stop();
        // What came of it is not wanted.
        let _ = self.thread.join();
    }
}
