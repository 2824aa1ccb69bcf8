//! Execution providers: their names, which of them are at hand, and how a session is put on one.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use ort::environment::Environment;
use ort::ep::{self, ArbitrarilyConfigurableExecutionProvider, ExecutionProviderDispatch};
use ort::memory::DeviceType;
use ort::session::builder::SessionBuilder;
use prost::Message;

use super::RuntimeError;
use super::library::built_in;
use camloc_graph::onnx::proto::{ModelProto, NodeProto};

/// What of ONNX Runtime runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// The processor; every library has it.
    Cpu,
    /// NVIDIA's GPUs.
    Cuda,
    /// NVIDIA's GPUs, by engines that are compiled for each model.
    TensorRt,
    /// Apple's GPUs and neural engine.
    CoreMl,
    /// GPUs on Windows.
    DirectMl,
    /// Intel's processors, GPUs and NPUs.
    OpenVino,
    /// Any GPU with Vulkan, Metal or Direct3D 12.
    WebGpu,
}

/// OpenVINO takes bfloat16 where the processor has it: fast, and 2-3 % off.
const OPENVINO_PRECISION: &str =
    r#"{"CPU":{"INFERENCE_PRECISION_HINT":"f32"},"GPU":{"INFERENCE_PRECISION_HINT":"f32"}}"#;

impl Provider {
    /// Every provider.
    pub const ALL: [Provider; 7] = [
        Provider::Cpu,
        Provider::Cuda,
        Provider::TensorRt,
        Provider::CoreMl,
        Provider::DirectMl,
        Provider::OpenVino,
        Provider::WebGpu,
    ];

    /// What is tried, in this order, where none is asked for by name.
    ///
    /// TensorRT is not: it compiles for minutes before a model's first run. Nor are CoreML and DirectML, on which
    /// camloc's maps have not been compared with those of the CPU yet.
    pub const AUTOMATIC: [Provider; 4] =
        [Provider::Cuda, Provider::OpenVino, Provider::WebGpu, Provider::Cpu];

    /// The name to ask by: `cuda`.
    pub fn name(self) -> &'static str {
        match self {
            Provider::Cpu => "cpu",
            Provider::Cuda => "cuda",
            Provider::TensorRt => "tensorrt",
            Provider::CoreMl => "coreml",
            Provider::DirectMl => "directml",
            Provider::OpenVino => "openvino",
            Provider::WebGpu => "webgpu",
        }
    }

    /// ONNX Runtime's name for it.
    fn id(self) -> &'static str {
        match self {
            Provider::Cpu => "CPUExecutionProvider",
            Provider::Cuda => "CUDAExecutionProvider",
            Provider::TensorRt => "TensorrtExecutionProvider",
            Provider::CoreMl => "CoreMLExecutionProvider",
            Provider::DirectMl => "DmlExecutionProvider",
            Provider::OpenVino => "OpenVINOExecutionProvider",
            Provider::WebGpu => "WebGpuExecutionProvider",
        }
    }

    /// Whether the loaded library, or a plugin, has it. It may still lack its driver.
    pub(super) fn is_here(self, environment: &Environment) -> Result<bool, RuntimeError> {
        let plugged = environment.devices().any(|device| device.ep().is_ok_and(|name| name == self.id()));
        Ok(plugged || built_in()?.iter().any(|name| name == self.id()))
    }

    /// Puts the session that is being built on this provider; the nodes that it does not take are left to the CPU.
    ///
    /// # Errors
    /// [`RuntimeError::NoProvider`] with the reason why it can't be used.
    pub(super) fn take(
        self,
        builder: SessionBuilder,
        environment: &Environment,
        model: &[u8],
        threads: usize,
    ) -> Result<SessionBuilder, RuntimeError> {
        let unusable = |why: String| RuntimeError::NoProvider { provider: self, why };
        let devices = environment.devices().filter(|device| device.ep().is_ok_and(|name| name == self.id()));
        // A plugin may offer several devices; of WebGPU's, a session takes only one.
        let device = devices.min_by_key(|device| device.hardware_device().ty() != DeviceType::GPU);
        if let Some(device) = device {
            let options = self.device_options(model);
            let taken = builder.with_devices([device], Some(&options));
            return taken.map_err(|error| unusable(RuntimeError::reason(error)));
        }
        let names = built_in()?;
        match self.dispatch(threads) {
            Some(provider) if names.iter().any(|name| name == self.id()) => builder
                .with_execution_providers([provider.error_on_failure()])
                .map_err(|error| unusable(RuntimeError::reason(error))),
            _ => {
                let names: Vec<String> = names.iter().map(|name| shown(name)).collect();
                Err(unusable(format!("this ONNX Runtime has no device of it, only {}", names.join(", "))))
            }
        }
    }

    /// What a plugin's device is told about this model.
    fn device_options(self, model: &[u8]) -> Vec<(String, String)> {
        let option = |name: &str, value: String| (format!("{}.{name}", self.id()), value);
        match self {
            Provider::OpenVino => vec![option("load_config", OPENVINO_PRECISION.into())],
            Provider::WebGpu => vec![option("forceCpuNodeNames", beyond_webgpu(model).join("\n"))],
            _ => vec![],
        }
    }

    /// The provider of a library that has it built in. Each is told to compute as exactly as the CPU does.
    fn dispatch(self, threads: usize) -> Option<ExecutionProviderDispatch> {
        Some(match self {
            Provider::Cpu => return None,
            // TF32 keeps 10 bits of a product: too few for maps that are differences.
            Provider::Cuda => ep::CUDA::default().with_tf32(false).build(),
            Provider::TensorRt => ep::TensorRT::default().build(),
            Provider::CoreMl => ep::CoreML::default().build(),
            Provider::DirectMl => ep::DirectML::default().build(),
            Provider::OpenVino => ep::OpenVINO::default()
                .with_device_type("CPU")
                .with_num_threads(threads)
                .with_arbitrary_config("load_config", OPENVINO_PRECISION)
                .build(),
            Provider::WebGpu => ep::WebGPU::default().build(),
        })
    }
}

/// The names of a model's nodes that WebGPU takes and then does wrong.
fn beyond_webgpu(model: &[u8]) -> Vec<String> {
    // What can't be read here is refused by ONNX Runtime, in its own words.
    let graph = ModelProto::decode(model).unwrap_or_default().graph.unwrap_or_default();
    let kernels: HashMap<&str, &[i64]> =
        graph.initializer.iter().map(|weights| (weights.name(), weights.dims.as_slice())).collect();
    let is_wrong = |node: &&NodeProto| match node.op_type() {
        // One that also tells where the largest values were, as the gradient of a pooling does, fails when it runs.
        "MaxPool" => node.output.len() > 1,
        // The plugin 0.4.0 reads channels by threes where they are no multiple of four, and gives other numbers.
        "Conv" => match node.input.get(1).and_then(|weights| kernels.get(weights.as_str())) {
            Some([out, channels, sizes @ ..]) => {
                let by_threes = channels % 3 == 0 && channels % 4 != 0 && *channels > 3;
                by_threes && out % 4 == 0 && sizes.iter().any(|&size| size > 1)
            }
            _ => false,
        },
        _ => false,
    };
    graph.node.iter().filter(is_wrong).map(|node| node.name().to_owned()).collect()
}

/// As users know it: `CUDA`.
impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Provider::Cpu => "CPU",
            Provider::Cuda => "CUDA",
            Provider::TensorRt => "TensorRT",
            Provider::CoreMl => "CoreML",
            Provider::DirectMl => "DirectML",
            Provider::OpenVino => "OpenVINO",
            Provider::WebGpu => "WebGPU",
        })
    }
}

/// No provider has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no execution provider \"{0}\": use auto, cpu, cuda, tensorrt, coreml, directml, openvino or webgpu")]
pub struct UnknownProvider(String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Provider, UnknownProvider> {
        let known = Provider::ALL.into_iter().find(|provider| provider.name() == name);
        known.ok_or_else(|| UnknownProvider(name.to_owned()))
    }
}

/// A provider as users know it, from ONNX Runtime's name.
pub(super) fn shown(id: &str) -> String {
    let known = Provider::ALL.into_iter().find(|provider| provider.id() == id);
    known.map_or_else(|| id.trim_end_matches("ExecutionProvider").to_owned(), |known| known.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_found_by_the_names_that_the_error_lists() {
        let error = "gpu".parse::<Provider>().unwrap_err().to_string();
        for provider in Provider::ALL {
            assert_eq!(provider.name().parse(), Ok(provider));
            assert!(error.contains(provider.name()), "{error}");
            assert_eq!(shown(provider.id()), provider.to_string());
        }
        assert_eq!(shown("QNNExecutionProvider"), "QNN");
    }
}
