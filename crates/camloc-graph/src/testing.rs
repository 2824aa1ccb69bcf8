//! ONNX Runtime, on which the tests try what was written: the library that `camloc setup` fetches.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use half::f16;
use ort::environment::Environment;
use ort::session::SessionInputValue;
use ort::value::{Tensor, TensorElementType, Value, ValueType};

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| {
    let library =
        library().expect("ONNX Runtime: run `camloc setup` once, or name the library in ORT_DYLIB_PATH");
    ort::init_from(&library).unwrap().with_name("camloc-graph").with_telemetry(false).build().unwrap()
});

/// The library that the program has in its cache.
fn library() -> Option<PathBuf> {
    if let Some(library) = env::var_os("ORT_DYLIB_PATH") {
        return Some(library.into());
    }
    let own = env::var_os("CAMLOC_CACHE").map(PathBuf::from);
    let cache = own.or_else(|| Some(directories::BaseDirs::new()?.cache_dir().join("camloc")))?;
    let starts = |path: &PathBuf, start: &str| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
    };
    let within = |folder: PathBuf| fs::read_dir(folder).ok().map(|found| found.flatten().map(|it| it.path()));
    // Builds for other providers have a name in place of the version.
    let plain = |path: &PathBuf| ('0'..='9').any(|digit| starts(path, &format!("onnxruntime-{digit}")));
    let mut folders: Vec<PathBuf> = within(cache)?.filter(plain).collect();
    folders.sort();
    let files = folders.into_iter().rev().filter_map(within).flatten();
    files.into_iter().find(|path| starts(path, "libonnxruntime.") || starts(path, "onnxruntime.dll"))
}

const TARGETS: &str = "camloc.targets";

/// A model in ONNX Runtime, with one image input.
pub(crate) struct Session {
    session: ort::session::Session,
    input: (String, TensorElementType, Vec<usize>),
    values: Vec<f32>,
    targets: Option<Vec<i64>>,
    outputs: HashMap<String, Output>,
}

enum Output {
    Floats(Vec<usize>, Vec<f32>),
    Integers(Vec<usize>, Vec<i64>),
}

impl Session {
    /// Loads a model, its input in this shape, or in the model's own, with open sizes as 1, and runs it on zeros.
    pub(crate) fn load(model: &[u8], shape: Option<&[usize]>) -> Result<Session, ort::Error> {
        let builder = ort::session::Session::builder(&ENVIRONMENT)?.with_intra_threads(1)?;
        let session = { builder }.commit_from_memory(model)?;
        let [image] = session.inputs() else { panic!("one input is fed") };
        let ValueType::Tensor { ty, shape: own, .. } = image.dtype() else { panic!("the input is a tensor") };
        let own = own.iter().map(|&size| usize::try_from(size).unwrap_or(1)).collect();
        let shape = shape.map_or(own, <[usize]>::to_vec);
        let values = vec![0.0; shape.iter().product()];
        let input = (image.name().to_owned(), *ty, shape);
        // Classes go by rank, whatever the file has them locked on.
        let overridable = session.overridable_initializers();
        let targets = overridable.iter().find(|value| value.name() == TARGETS).and_then(|value| {
            let count = usize::try_from(*value.dtype().tensor_shape()?.first()?).ok()?;
            Some(vec![-1; count])
        });
        let mut session = Session { session, input, values, targets, outputs: HashMap::new() };
        session.run()?;
        Ok(session)
    }

    /// The values of the input.
    pub(crate) fn input_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The classes that the following runs explain.
    pub(crate) fn set_targets(&mut self, classes: &[i64]) {
        self.targets = Some(classes.to_vec());
    }

    /// Runs the model on the input.
    pub(crate) fn run(&mut self) -> Result<(), ort::Error> {
        let (name, element, shape) = self.input.clone();
        let values = self.values.clone();
        let input = match element {
            TensorElementType::Float32 => Tensor::from_array((shape, values))?.into_dyn(),
            TensorElementType::Float16 => {
                Tensor::from_array((shape, values.into_iter().map(f16::from_f32).collect::<Vec<_>>()))?
                    .into_dyn()
            }
            TensorElementType::Uint8 => {
                Tensor::from_array((shape, values.into_iter().map(|value| value as u8).collect::<Vec<_>>()))?
                    .into_dyn()
            }
            other => panic!("an input of {other}"),
        };
        let mut inputs: Vec<(String, SessionInputValue<'_>)> = vec![(name, input.into())];
        if let Some(targets) = &self.targets {
            inputs.push((TARGETS.into(), Tensor::from_array(([targets.len()], targets.clone()))?.into()));
        }
        let found = self.session.run(inputs)?;
        self.outputs =
            found.iter().filter_map(|(name, value)| Some((name.to_owned(), read(&value)?))).collect();
        Ok(())
    }

    /// Shape and values of an output after the last run; f16 is given as f32.
    #[track_caller]
    pub(crate) fn floats(&self, name: &str) -> (&[usize], &[f32]) {
        match self.outputs.get(name) {
            Some(Output::Floats(shape, values)) => (shape, values),
            _ => panic!("no output {name} of floats"),
        }
    }

    /// Shape and values of an i64 output after the last run.
    #[track_caller]
    pub(crate) fn integers(&self, name: &str) -> (&[usize], &[i64]) {
        match self.outputs.get(name) {
            Some(Output::Integers(shape, values)) => (shape, values),
            _ => panic!("no output {name} of integers"),
        }
    }
}

fn read(value: &Value) -> Option<Output> {
    let ValueType::Tensor { ty, shape, .. } = value.dtype() else { return None };
    let shape = shape.iter().map(|&size| size as usize).collect();
    Some(match ty {
        TensorElementType::Float32 => {
            Output::Floats(shape, value.try_extract_tensor::<f32>().ok()?.1.to_vec())
        }
        TensorElementType::Float16 => {
            let values = value.try_extract_tensor::<f16>().ok()?.1;
            Output::Floats(shape, values.iter().map(|value| value.to_f32()).collect())
        }
        TensorElementType::Int64 => {
            Output::Integers(shape, value.try_extract_tensor::<i64>().ok()?.1.to_vec())
        }
        _ => return None,
    })
}
