//! What makes the maps of an [`Explainer`](super::Explainer): a graph that explains itself, or a network that is asked many
//! times.

use std::time::{Duration, Instant};

use camloc_graph::explain::{self, ExplainError, Explanation};
use camloc_graph::onnx::load::encode;
use camloc_graph::onnx::proto::ModelProto;

use super::black_box::{BlackBox, BlackBoxError, Estimate, Input};
use super::inspect::inspect;
use super::{ExplainerError, Method, Request};
use crate::maps::ClassMap;
use crate::model::{Layout, Preprocessing};
use crate::origin::Placement;
use crate::runtime::{ExplainedSession, Options, RuntimeError};

/// What makes the maps.
pub(super) enum Engine {
    /// A graph that explains itself in one pass.
    Graph(Box<ExplainedSession>),
    /// A network that is asked many times.
    BlackBox(Box<BlackBox>),
}

/// How a model is run, and what it is called.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) title: String,
    pub(super) options: Options,
    input: Input,
}

impl Run {
    /// For pictures prepared like this.
    pub(super) fn new(title: &str, options: &Options, preprocessing: &Preprocessing) -> Run {
        let input = Input {
            height: preprocessing.height as usize,
            width: preprocessing.width as usize,
            channels: preprocessing.channels.count(),
            interleaved: preprocessing.layout == Layout::Nhwc,
        };
        let options = Options { shape: Some(preprocessing.input_shape(1)), ..options.clone() };
        Run { title: title.to_owned(), options, input }
    }
}

impl Engine {
    /// Has a model explain itself, or prepares it to be asked, and loads it.
    pub(super) fn prepare(
        mut model: ModelProto,
        request: &Request,
        run: &Run,
    ) -> Result<(Explanation, Engine), ExplainerError> {
        let title = &run.title;
        let unfit = |source| ExplainerError::Explain {
            model: title.clone(),
            source: Box::new(source),
            methods: Vec::new(),
        };
        let method = match request.method {
            Some(Method::OnePass(method)) => Some(method),
            None => None,
            Some(Method::ManyPasses(method)) => {
                let loaded = BlackBox::load(model, method, request, run.input, &run.options);
                let (network, explanation) = loaded.map_err(|error| match error {
                    BlackBoxError::Explain(source) => unfit(source),
                    BlackBoxError::Encode(source) => ExplainerError::Encode { model: title.clone(), source },
                    BlackBoxError::Run(source) => ExplainerError::Run { model: title.clone(), source },
                    source @ BlackBoxError::PatchTooLarge { .. } => {
                        ExplainerError::Unfit { model: title.clone(), source }
                    }
                })?;
                return Ok((explanation, Engine::BlackBox(Box::new(network))));
            }
        };
        let explanation = explain::explain(&mut model, &request.rewrite(method)).map_err(|source| {
            let methods = instead(&model, request, &source);
            ExplainerError::Explain { model: title.clone(), source: Box::new(source), methods }
        })?;
        let engine = Engine::load(&model, &explanation, request, run)?;
        Ok((explanation, engine))
    }

    /// Loads an explained model, locked on the classes asked for.
    pub(super) fn load(
        model: &ModelProto,
        explanation: &Explanation,
        request: &Request,
        run: &Run,
    ) -> Result<Engine, ExplainerError> {
        let title = &run.title;
        let bytes =
            encode(model).map_err(|source| ExplainerError::Encode { model: title.clone(), source })?;
        let refused = |source| ExplainerError::Run { model: title.clone(), source };
        let mut session = ExplainedSession::load(&bytes, &run.options).map_err(refused)?;
        if let Some(&last) = request.targets.last() {
            // A model from a file may explain more classes than are asked for; the last is then asked for again.
            let mut targets: Vec<i64> = request.targets.iter().map(|&class| class as i64).collect();
            targets.resize(explanation.count.max(targets.len()), last as i64);
            session.set_targets(&targets).map_err(refused)?;
        }
        Ok(Engine::Graph(Box::new(session)))
    }

    /// How many pictures a pass can take.
    pub(super) fn batch(&self) -> usize {
        match self {
            Engine::Graph(session) => session.batch(),
            // Its passes are full of variants of one picture.
            Engine::BlackBox(_) => 1,
        }
    }

    /// The values of this many pictures, one after the other, as the model takes them; the next pass explains these.
    pub(super) fn inputs_mut(&mut self, count: usize) -> Result<&mut [f32], RuntimeError> {
        match self {
            Engine::Graph(session) => {
                session.set_batch(count)?;
                Ok(session.input_mut())
            }
            Engine::BlackBox(network) => Ok(network.input_mut()),
        }
    }

    /// Explains this class in each of `count` places instead of those asked for; `None` goes by rank.
    pub(super) fn set_class(&mut self, class: Option<usize>, count: usize) -> Result<(), RuntimeError> {
        match self {
            Engine::Graph(session) => {
                let target = class.and_then(|class| i64::try_from(class).ok()).unwrap_or(-1);
                session.set_targets(&vec![target; count])
            }
            Engine::BlackBox(network) => {
                network.set_targets(&vec![class; count]);
                Ok(())
            }
        }
    }

    /// The classes that a graph explains, by rank where they are -1; `None` for a black box, or where there is no choice.
    pub(super) fn targets(&self) -> Option<&[i64]> {
        match self {
            Engine::Graph(session) => session.session().targets(),
            Engine::BlackBox(_) => None,
        }
    }

    /// Explains these [targets](Engine::targets) again.
    pub(super) fn set_targets(&mut self, targets: &[i64]) -> Result<(), RuntimeError> {
        match self {
            Engine::Graph(session) => session.set_targets(targets),
            Engine::BlackBox(_) => Ok(()),
        }
    }

    /// Fills `maps` for each of the pictures. A black box, which takes one, tells `go_on` after each batch how many
    /// variants it has asked about and how many there are, and ends where that says no.
    pub(super) fn explain(
        &mut self,
        maps: &mut [Vec<ClassMap>],
        go_on: &mut dyn FnMut((usize, usize)) -> bool,
    ) -> Result<(), RuntimeError> {
        match self {
            Engine::Graph(session) => session.explain(maps),
            Engine::BlackBox(network) => {
                let began = Instant::now();
                network.begin()?;
                ask(network, began, network.budget(), go_on)?;
                maps.iter_mut().for_each(|maps| network.read(maps));
                Ok(())
            }
        }
    }

    /// Goes on asking about the picture for this long, and brings `maps` up to date.
    pub(super) fn refine(&mut self, time: Duration, maps: &mut Vec<ClassMap>) -> Result<(), RuntimeError> {
        if let Engine::BlackBox(network) = self {
            ask(network, Instant::now(), Some(time), &mut |_| true)?;
            network.read(maps);
        }
        Ok(())
    }

    /// How far the picture is asked about.
    pub(super) fn progress(&mut self) -> Option<Estimate> {
        match self {
            Engine::Graph(_) => None,
            Engine::BlackBox(network) => network.progress(),
        }
    }

    /// What tells the picture that was explained from others.
    pub(super) fn picture(&mut self) -> u64 {
        let values: &[f32] = match self {
            Engine::Graph(session) => session.input_mut(),
            Engine::BlackBox(network) => network.input_mut(),
        };
        let turned =
            |mark: u64, value: &f32| (mark ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3);
        values.iter().step_by(1 + values.len() / 1024).fold(0xcbf2_9ce4_8422_2325, turned)
    }

    /// Where the model's nodes run.
    pub(super) fn placement(&self) -> Placement {
        match self {
            Engine::Graph(session) => session.session().placement(),
            Engine::BlackBox(network) => network.placement(),
        }
    }
}

/// The methods that can explain a model where one can't; none where it is not for the method.
fn instead(model: &ModelProto, request: &Request, error: &ExplainError) -> Vec<&'static str> {
    let of_method = matches!(
        error,
        ExplainError::Gradient { .. } | ExplainError::NotForLayer { .. } | ExplainError::NoClosedForm { .. }
    );
    let found = if of_method { inspect(model, request).ok() } else { None };
    let methods = found.map(|found| found.methods).unwrap_or_default();
    methods.into_iter().filter(|(_, had)| had.is_ok()).map(|(method, _)| method.name()).collect()
}

/// Asks about one batch of variants after the other until there are no more, or the time is over.
fn ask(
    network: &mut BlackBox,
    began: Instant,
    budget: Option<Duration>,
    go_on: &mut dyn FnMut((usize, usize)) -> bool,
) -> Result<(), RuntimeError> {
    while network.advance()? {
        if budget.is_some_and(|budget| began.elapsed() >= budget) || !go_on(network.asked()) {
            break;
        }
    }
    Ok(())
}
