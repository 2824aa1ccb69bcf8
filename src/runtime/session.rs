//! One model, ready to run again and again on the same buffers.

use std::num::NonZero;
use std::thread::available_parallelism;

use ort::session::IoBinding;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::Tensor;

use super::input::{Input, zeros};
use super::library::{environment, warn_once};
use super::outputs::Output;
use super::{Node, Provider, RuntimeError, nodes};
use crate::origin::Placement;

/// The input that says which classes an explained model explains.
const TARGETS: &str = "camloc.targets";

/// More threads than this gain a small classifier nothing, and take from the rest of the pipeline.
const MOST_THREADS: usize = 8;

/// How to run a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Threads for one run; 0 means as many as this process may use, at most 8.
    pub threads: usize,
    /// The shape of the image input, `[N, C, H, W]` or `[N, H, W, C]` as the model has it. `None` takes
    /// the graph's own, with a batch of 1 where that is open.
    pub shape: Option<Vec<usize>>,
    /// How many pictures a pass of an [explained](crate::runtime::ExplainedSession) model may take, if the model can; 0
    /// is 1.
    pub batch: usize,
    /// What runs the model. `None` takes the first of [`Provider::AUTOMATIC`] that can, and warns of those that can't.
    pub provider: Option<Provider>,
}

impl Options {
    /// How many threads one run will have.
    pub fn thread_count(&self) -> usize {
        match self.threads {
            0 => available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS),
            threads => threads,
        }
    }
}

/// A model in ONNX Runtime, with its input and its outputs allocated once for each size of batch.
///
/// Write the picture to [`Session::input_mut`], call [`Session::run`], read [`Session::floats`].
pub struct Session {
    session: ort::session::Session,
    /// One for each size of batch that was asked for.
    buffers: Vec<Buffers>,
    /// Which of them a run uses.
    used: usize,
    targets: Option<Tensor<i64>>,
    nodes: Vec<Node>,
    /// Whether a device has memory of its own, to which inputs are copied when they are bound.
    copies: bool,
}

impl Session {
    /// Loads a model from the bytes of its ONNX file, and runs it once on zeros.
    ///
    /// The model must have one input of f32, f16 or u8; inputs with a default value stay at it.
    /// Outputs whose shape depends on the picture's content are not supported.
    ///
    /// # Errors
    /// [`RuntimeError::NoProvider`] and [`RuntimeError::NotOnProvider`] where the provider that the options name can't run
    /// it; the others where none can.
    pub fn load(model: &[u8], options: &Options) -> Result<Session, RuntimeError> {
        if let Some(provider) = options.provider {
            return Session::load_on(provider, model, options).map_err(|error| error.on(provider));
        }
        let mut failed = Vec::new();
        for provider in Provider::AUTOMATIC.into_iter().filter(|&provider| provider != Provider::Cpu) {
            if !provider.is_here(&environment()?)? {
                continue;
            }
            match Session::load_on(provider, model, options) {
                Ok(session) => return Ok(session.having_failed(failed)),
                Err(error) => failed.push(error.on(provider)),
            }
        }
        Ok(Session::load_on(Provider::Cpu, model, options)?.having_failed(failed))
    }

    /// Says which providers could not be used in place of the one that is.
    fn having_failed(self, failed: Vec<RuntimeError>) -> Session {
        let used = self.placement();
        failed.iter().for_each(|error| warn_once(format!("{error}; using {}", used.provider())));
        self
    }

    fn load_on(provider: Provider, model: &[u8], options: &Options) -> Result<Session, RuntimeError> {
        let environment = environment()?;
        let builder = ort::session::Session::builder(&environment).map_err(RuntimeError::other)?;
        let builder = configure(builder, options).map_err(RuntimeError::other)?;
        let mut session = provider
            .take(builder, &environment, model, options.thread_count())?
            .commit_from_memory(model)
            .map_err(RuntimeError::refused)?;
        let nodes = nodes::placed(&session)?;
        if !nodes.is_empty() && nodes.iter().all(|node| node.provider != provider.to_string()) {
            return Err(RuntimeError::Refused("it takes none of its nodes".to_owned()));
        }
        let input = match session.inputs() {
            [image] => Input::new(image, options.shape.as_deref())?,
            others => {
                let names = others.iter().map(|input| input.name().to_owned()).collect();
                return Err(RuntimeError::Inputs(names));
            }
        };
        let targets = targets(&session)?;
        let buffers = vec![Buffers::bind(&mut session, input, targets.as_ref())?];
        let copies = nodes.iter().any(|node| node.provider != Provider::Cpu.to_string());
        Ok(Session { session, buffers, used: 0, targets, nodes, copies })
    }

    /// Sets how many pictures the following runs take, the first size of the image input. The first time, a run on zeros
    /// finds out whether the model can, and how large its outputs are.
    ///
    /// # Errors
    /// If the model's batch is fixed, or it can't run on this many; the session is then as it was.
    pub fn set_batch(&mut self, count: usize) -> Result<(), RuntimeError> {
        let batch = |buffers: &Buffers| buffers.input.shape().first() == Some(&count);
        if let Some(used) = self.buffers.iter().position(batch) {
            self.used = used;
            return Ok(());
        }
        let shape = self.input_shape();
        let shape: Vec<usize> = std::iter::once(count).chain(shape.iter().skip(1).copied()).collect();
        let Some(image) = self.session.inputs().first() else {
            return Err(RuntimeError::Inputs(Vec::new()));
        };
        let input = Input::new(image, Some(&shape))?;
        self.buffers.push(Buffers::bind(&mut self.session, input, self.targets.as_ref())?);
        self.used = self.buffers.len() - 1;
        Ok(())
    }

    /// The shape of the image input.
    pub fn input_shape(&self) -> &[usize] {
        self.buffers[self.used].input.shape()
    }

    /// The values of the image input, to write before a run; they stay as they are until written again.
    pub fn input_mut(&mut self) -> &mut [f32] {
        self.buffers[self.used].input.values_mut()
    }

    /// Chooses the classes that the following runs explain, one for each of the model's maps; -1 takes
    /// the class that ranks there.
    pub fn set_targets(&mut self, classes: &[i64]) -> Result<(), RuntimeError> {
        let values = self.targets.as_mut().ok_or(RuntimeError::NoTargets)?.extract_tensor_mut().1;
        if values.len() != classes.len() {
            return Err(RuntimeError::TargetCount { expected: values.len(), given: classes.len() });
        }
        values.copy_from_slice(classes);
        Ok(())
    }

    /// The classes that runs explain, as [`Session::set_targets`] has them; `None` where the model has no choice of them.
    pub fn targets(&self) -> Option<&[i64]> {
        self.targets.as_ref().map(|targets| targets.extract_tensor().1)
    }

    /// Runs the model on the input.
    pub fn run(&mut self) -> Result<(), RuntimeError> {
        let Buffers { binding, input, outputs } = &mut self.buffers[self.used];
        input.convert();
        if self.copies {
            input.bind(binding).map_err(RuntimeError::other)?;
            bind_targets(binding, self.targets.as_ref())?;
        }
        self.session.run_binding(binding).map_err(RuntimeError::run)?;
        outputs.iter_mut().for_each(Output::convert);
        Ok(())
    }

    /// Shape and values of the output `name` after the last run; f16 outputs are given as f32.
    pub fn floats(&self, name: &str) -> Result<(&[usize], &[f32]), RuntimeError> {
        self.find(name)
            .and_then(|output| Some((output.shape(), output.floats()?)))
            .ok_or_else(|| self.no_output(name, "f32"))
    }

    /// Shape and values of the i64 output `name` after the last run.
    pub fn integers(&self, name: &str) -> Result<(&[usize], &[i64]), RuntimeError> {
        self.find(name)
            .and_then(|output| Some((output.shape(), output.integers()?)))
            .ok_or_else(|| self.no_output(name, "i64"))
    }

    /// Names and shapes of the outputs that can be read, in the model's order.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.readable().iter().map(|output| (output.name(), output.shape()))
    }

    /// The model's nodes and where each one runs.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many nodes each execution provider runs.
    pub fn placement(&self) -> Placement {
        Placement::count(self.nodes.iter().map(|node| node.provider.as_str()))
    }

    fn readable(&self) -> &[Output] {
        &self.buffers[self.used].outputs
    }

    fn find(&self, name: &str) -> Option<&Output> {
        self.readable().iter().find(|output| output.name() == name)
    }

    fn no_output(&self, name: &str, wanted: &'static str) -> RuntimeError {
        let found = self.readable().iter().map(Output::describe).collect();
        RuntimeError::NoOutput { name: name.to_owned(), wanted, found }
    }
}

/// The input and the outputs of one size of batch, bound to their session.
struct Buffers {
    binding: IoBinding,
    input: Input,
    outputs: Vec<Output>,
}

impl Buffers {
    fn bind(
        session: &mut ort::session::Session,
        input: Input,
        targets: Option<&Tensor<i64>>,
    ) -> Result<Buffers, RuntimeError> {
        let mut binding = session.create_binding().map_err(RuntimeError::other)?;
        input.bind(&mut binding).map_err(RuntimeError::other)?;
        bind_targets(&mut binding, targets)?;
        let outputs = Output::bind_all(session, &mut binding, input.times())?;
        Ok(Buffers { binding, input, outputs })
    }
}

/// Spinning is off: between frames it burns a processor for no gain in latency.
fn configure(builder: SessionBuilder, options: &Options) -> ort::Result<SessionBuilder> {
    Ok(builder
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(options.thread_count())?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_config_entry(nodes::RECORD, "1")?)
}

fn bind_targets(binding: &mut IoBinding, targets: Option<&Tensor<i64>>) -> Result<(), RuntimeError> {
    targets.map_or(Ok(()), |targets| binding.bind_input(TARGETS, targets)).map_err(RuntimeError::other)
}

/// The input `camloc.targets`, where the model has one, at its default of -1: classes by rank.
fn targets(session: &ort::session::Session) -> Result<Option<Tensor<i64>>, RuntimeError> {
    let initializers = session.overridable_initializers();
    let Some(targets) = initializers.iter().find(|initializer| initializer.name() == TARGETS) else {
        return Ok(None);
    };
    let shape: Vec<usize> = targets
        .dtype()
        .tensor_shape()
        .map(|shape| shape.iter().filter_map(|&size| usize::try_from(size).ok()).collect())
        .unwrap_or_default();
    let mut tensor = zeros::<i64>(&ort::memory::Allocator::default(), &shape)?;
    tensor.extract_tensor_mut().1.fill(-1);
    Ok(Some(tensor))
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::runtime::init_for_tests;
    use camloc_graph::onnx::build::{Dim, graph, i64_tensor, int, model, node, value_info};
    use camloc_graph::onnx::proto::{DataType, ModelProto, NodeProto};

    /// A model from input `x` to output `y`, both of `element`, made of `nodes`.
    fn through(element: DataType, dims: &[Dim<'_>], nodes: Vec<NodeProto>) -> ModelProto {
        let x = value_info("x", element, dims);
        let y = value_info("y", element, &[Dim::Unknown; 4][..dims.len()]);
        model(graph("g", vec![x], vec![y], vec![], nodes))
    }

    fn load(model: &ModelProto, shape: Option<Vec<usize>>) -> Result<Session, RuntimeError> {
        init_for_tests();
        Session::load(&model.encode_to_vec(), &Options { threads: 1, shape, ..Options::default() })
    }

    /// What a user sees of a load that must fail.
    fn refusal(model: &ModelProto) -> String {
        match load(model, None) {
            Ok(_) => panic!("the model loads"),
            Err(error) => error.to_string(),
        }
    }

    fn identity() -> Vec<NodeProto> {
        vec![node("Identity", "n", &["x"], &["y"], vec![])]
    }

    #[test]
    fn every_run_reads_the_input_anew_and_writes_the_same_buffer() {
        let twice = through(
            DataType::Float,
            &[Dim::Symbol("N"), Dim::Fixed(2)],
            vec![node("Add", "n", &["x", "x"], &["y"], vec![])],
        );
        let mut session = load(&twice, None).unwrap();
        assert_eq!(session.input_shape(), [1, 2]);
        let buffer = session.floats("y").unwrap().1.as_ptr();
        for value in [1.0, -3.5] {
            session.input_mut().copy_from_slice(&[value, 10.0]);
            session.run().unwrap();
            assert_eq!(session.floats("y").unwrap(), (&[1, 2][..], &[2.0 * value, 20.0][..]));
            assert_eq!(session.floats("y").unwrap().1.as_ptr(), buffer);
        }
        assert_eq!(session.outputs().collect::<Vec<_>>(), [("y", &[1, 2][..])]);
    }

    #[test]
    fn a_model_of_a_fixed_batch_is_fed_the_picture_in_every_place() {
        let sum = through(
            DataType::Float,
            &[Dim::Fixed(3), Dim::Fixed(2)],
            vec![
                node("ReduceSum", "s", &["x"], &["s"], vec![int("keepdims", 1)]),
                node("Add", "n", &["x", "s"], &["y"], vec![]),
            ],
        );
        let mut session = load(&sum, Some(vec![1, 2])).unwrap();
        assert_eq!(session.input_shape(), [1, 2]);
        session.input_mut().copy_from_slice(&[1.0, 2.0]);
        session.run().unwrap();
        assert_eq!(session.floats("y").unwrap(), (&[1, 2][..], &[10.0, 11.0][..]));
        assert!(load(&sum, Some(vec![2, 2])).is_err());
    }

    #[test]
    fn a_session_can_move_to_the_thread_that_uses_it() {
        fn moves<T: Send>() {}
        moves::<Session>();
        moves::<crate::runtime::ExplainedSession>();
    }

    #[test]
    fn half_precision_models_are_fed_and_read_as_f32() {
        let mut session =
            load(&through(DataType::Float16, &[Dim::Fixed(1), Dim::Fixed(3)], identity()), None).unwrap();
        session.input_mut().copy_from_slice(&[0.5, -2.0, 1024.0]);
        session.run().unwrap();
        assert_eq!(session.floats("y").unwrap().1, [0.5, -2.0, 1024.0]);
    }

    #[test]
    fn byte_models_get_rounded_and_clamped_values() {
        let cast = node("Cast", "n", &["x"], &["y"], vec![int("to", i64::from(i32::from(DataType::Float)))]);
        let x = value_info("x", DataType::Uint8, &[Dim::Fixed(1), Dim::Fixed(5)]);
        let y = value_info("y", DataType::Float, &[Dim::Unknown, Dim::Unknown]);
        let mut session = load(&model(graph("g", vec![x], vec![y], vec![], vec![cast])), None).unwrap();
        session.input_mut().copy_from_slice(&[-3.0, 0.4, 127.5, 254.6, 300.0]);
        session.run().unwrap();
        assert_eq!(session.floats("y").unwrap().1, [0.0, 0.0, 128.0, 255.0, 255.0]);
    }

    #[test]
    fn open_sizes_take_the_shape_asked_for() {
        let open = [Dim::Symbol("N"), Dim::Fixed(3), Dim::Symbol("H"), Dim::Symbol("W")];
        let open = through(DataType::Float, &open, identity());
        let session = load(&open, Some(vec![4, 3, 5, 7])).unwrap();
        assert_eq!(session.floats("y").unwrap().0, [4, 3, 5, 7]);
        assert!(refusal(&open).contains("?x3x?x?"), "{}", refusal(&open));
        let Err(error) = load(&open, Some(vec![1, 1, 5, 7])) else { panic!("one channel of three") };
        assert!(error.to_string().contains("cannot be fed 1x1x5x7"), "{error}");
    }

    #[test]
    fn classes_are_locked_without_a_new_session() {
        let x = value_info("x", DataType::Float, &[Dim::Fixed(1), Dim::Fixed(1)]);
        let targets = value_info(TARGETS, DataType::Int64, &[Dim::Fixed(2)]);
        let out = value_info("chosen", DataType::Int64, &[Dim::Fixed(2)]);
        let y = value_info("y", DataType::Float, &[Dim::Fixed(1), Dim::Fixed(1)]);
        let nodes = vec![
            node("Identity", "a", &["x"], &["y"], vec![]),
            node("Identity", "b", &[TARGETS], &["chosen"], vec![]),
        ];
        let defaults = vec![i64_tensor(TARGETS, &[2], &[-1, -1])];
        let explained = model(graph("g", vec![x, targets], vec![y, out], defaults, nodes));
        let mut session = load(&explained, None).unwrap();
        session.run().unwrap();
        assert_eq!(session.integers("chosen").unwrap().1, [-1, -1]);
        session.set_targets(&[281, -1]).unwrap();
        session.run().unwrap();
        assert_eq!(session.integers("chosen").unwrap().1, [281, -1]);
        let error = session.set_targets(&[1]).unwrap_err();
        assert_eq!(error.to_string(), "this model explains 2 classes at once, 1 were given");

        let mut plain =
            load(&through(DataType::Float, &[Dim::Fixed(1), Dim::Fixed(1)], identity()), None).unwrap();
        assert!(matches!(plain.set_targets(&[1]), Err(RuntimeError::NoTargets)));
    }

    #[test]
    fn refused_models_say_why_on_one_line() {
        let dims = [Dim::Fixed(1), Dim::Fixed(1)];
        let unknown = through(DataType::Float, &dims, vec![node("Frobnicate", "n", &["x"], &["y"], vec![])]);
        assert_eq!(
            refusal(&unknown),
            "ONNX Runtime refuses this model: it has no operator Frobnicate (at opset 17)"
        );
        let words = refusal(&through(DataType::Double, &dims, identity()));
        assert_eq!(words, "the input 'x' wants f64 values, camloc feeds f32, f16 or u8");
        let two = vec![value_info("x", DataType::Float, &dims), value_info("mask", DataType::Float, &dims)];
        let y = value_info("y", DataType::Float, &dims);
        let add = node("Add", "n", &["x", "mask"], &["y"], vec![]);
        let words = refusal(&model(graph("g", two, vec![y], vec![], vec![add])));
        assert_eq!(words, "this model needs 2 inputs (x, mask), camloc can feed only one: the image");
        init_for_tests();
        for text in [&b"not a model"[..], b""] {
            let Err(error) = Session::load(text, &Options::default()) else { panic!("{text:?} loads") };
            assert!(error.to_string().lines().count() == 1, "{error}");
        }
    }

    #[test]
    fn a_missing_output_is_answered_with_the_ones_there_are() {
        let session =
            load(&through(DataType::Float, &[Dim::Fixed(1), Dim::Fixed(3)], identity()), None).unwrap();
        let error = session.integers("y").unwrap_err().to_string();
        assert_eq!(error, "this model has no output 'y' of i64 values: it has 'y' (f32 1x3)");
    }
}
