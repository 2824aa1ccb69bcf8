//! What can go wrong between camloc and ONNX Runtime, in words for users.

use std::path::PathBuf;

use thiserror::Error;

use super::Provider;

/// An error of the room `runtime`.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// There is no file at the library's path.
    #[error("there is no ONNX Runtime at {}: check CAMLOC_ORT_DYLIB, or run `camloc doctor`", .0.display())]
    NoLibrary(PathBuf),
    /// The file is no shared library for this machine, or not ONNX Runtime's.
    #[error("{} is not an ONNX Runtime library for this machine: point CAMLOC_ORT_DYLIB at one, or run `camloc doctor`", path.display())]
    NotALibrary {
        /// The file.
        path: PathBuf,
        /// What the system's loader says.
        source: ort::LoadDynamicError,
    },
    /// The library is older than the interface that camloc is built for.
    #[error("{} is ONNX Runtime {found}, camloc needs 1.{} or newer: point CAMLOC_ORT_DYLIB at one, or run `camloc doctor`", path.display(), ort::MINOR_VERSION)]
    TooOld {
        /// The library.
        path: PathBuf,
        /// Its version.
        found: String,
    },
    /// A process can hold one ONNX Runtime only.
    #[error("ONNX Runtime is already loaded from {}, start anew to use {}", loaded.display(), asked.display())]
    OtherLibrary {
        /// Where the loaded library came from.
        loaded: PathBuf,
        /// The library asked for now.
        asked: PathBuf,
    },
    /// The file is no plugin for the loaded library.
    #[error("{} can't be added to ONNX Runtime: {why}; check CAMLOC_ORT_PLUGIN, or run `camloc doctor`", path.display())]
    NotAPlugin {
        /// The file.
        path: PathBuf,
        /// ONNX Runtime's reason.
        why: String,
    },
    /// The provider asked for can't be used on this machine.
    #[error("{provider} can't be used: {why}; `camloc doctor --provider {}` says what to do", provider.name())]
    NoProvider {
        /// What was asked for.
        provider: Provider,
        /// Why not.
        why: String,
    },
    /// The provider asked for is there, and refuses or fails at the model.
    #[error("{provider} can't run this model: {why}; leave --provider away to run it on another")]
    NotOnProvider {
        /// What was asked for.
        provider: Provider,
        /// Why not.
        why: String,
    },
    /// A session was asked for before [`init`](crate::runtime::init).
    #[error("ONNX Runtime is not loaded yet: call camloc::runtime::init first")]
    NotLoaded,
    /// ONNX Runtime rejects the graph.
    #[error("ONNX Runtime refuses this model: {0}")]
    Refused(String),
    /// The model does not have one image input.
    #[error("this model needs {} inputs ({}), camloc can feed only one: the image", .0.len(), .0.join(", "))]
    Inputs(Vec<String>),
    /// The input's element type is none of f32, f16 and u8.
    #[error("the input '{name}' wants {found} values, camloc feeds f32, f16 or u8")]
    InputType {
        /// The input.
        name: String,
        /// What it wants.
        found: String,
    },
    /// The input's shape is open in the graph and [`Options::shape`](crate::runtime::Options) does not say it.
    #[error(
        "the input '{name}' has no fixed size (its shape is {found}): give the size, for example in the model's manifest"
    )]
    OpenShape {
        /// The input.
        name: String,
        /// Its shape, `?` for open sizes.
        found: String,
    },
    /// The shape asked for contradicts the graph.
    #[error("the input '{name}' is {found}, it cannot be fed {asked}")]
    Shape {
        /// The input.
        name: String,
        /// Its shape, `?` for open sizes.
        found: String,
        /// The shape asked for.
        asked: String,
    },
    /// The model has no such output, or it holds something else.
    #[error("this model has no output '{name}' of {wanted} values: it has {}", found.join(", "))]
    NoOutput {
        /// The output asked for.
        name: String,
        /// The element type asked for.
        wanted: &'static str,
        /// The outputs there are.
        found: Vec<String>,
    },
    /// The model was not made by camloc, or its outputs contradict each other.
    #[error("this is not an explained model: {0}; make one with `camloc export`")]
    NotExplained(String),
    /// Locking classes needs the input `camloc.targets`.
    #[error("the classes of this model cannot be chosen while it runs: it has no input 'camloc.targets'")]
    NoTargets,
    /// More or fewer classes than the model explains at once.
    #[error("this model explains {expected} classes at once, {given} were given")]
    TargetCount {
        /// What the model was made for.
        expected: usize,
        /// What was given.
        given: usize,
    },
    /// A run failed.
    #[error("running the model failed: {0}")]
    Run(String),
    /// ONNX Runtime failed in another way.
    #[error("ONNX Runtime failed: {0}")]
    Other(String),
}

impl RuntimeError {
    pub(super) fn refused<R>(error: ort::Error<R>) -> RuntimeError {
        RuntimeError::Refused(plain(error.message()))
    }

    pub(super) fn run(error: ort::Error) -> RuntimeError {
        RuntimeError::Run(plain(error.message()))
    }

    /// ONNX Runtime's own words, on one line.
    pub(super) fn reason<R>(error: ort::Error<R>) -> String {
        plain(error.message())
    }

    /// The same failure as one of a provider that was asked for by name, if the provider may be the cause.
    pub(super) fn on(self, provider: Provider) -> RuntimeError {
        match self {
            RuntimeError::Refused(why) | RuntimeError::Run(why) | RuntimeError::Other(why) => {
                RuntimeError::NotOnProvider { provider, why }
            }
            other => other,
        }
    }

    pub(super) fn other<R>(error: ort::Error<R>) -> RuntimeError {
        RuntimeError::Other(plain(error.message()))
    }
}

/// ONNX Runtime's message as one line that starts with the point: where it names an operator that it
/// lacks, that; else its text without the C++ source locations and line breaks.
fn plain(message: &str) -> String {
    if let Some((_, rest)) = message.split_once("No Op registered for ") {
        let operator = rest.split_whitespace().next().unwrap_or("?");
        let opset = rest.rsplit("domain_version of ").next().unwrap_or("?");
        return format!("it has no operator {operator} (at opset {})", opset.trim());
    }
    if let Some((_, rest)) = message.split_once("Fatal error: ")
        && let Some((operator, _)) = rest.split_once(" is not a registered function/op")
    {
        // The operator comes as domain:Name(version), -1 where the version is unknown.
        return format!("it has no operator {}", operator.trim_end_matches("(-1)"));
    }
    if let Some((_, rest)) = message.split_once("Could not find an implementation for ") {
        let operator = rest.split_whitespace().next().unwrap_or("?");
        return format!(
            "it has no implementation of the operator {operator} for these types on this provider"
        );
    }
    without_locations(without_code(message))
}

/// Drops `[ONNXRuntimeError] : 1 : FAIL : `, in front of what providers say.
fn without_code(message: &str) -> &str {
    match message.strip_prefix("[ONNXRuntimeError] : ") {
        Some(rest) => rest.splitn(3, " : ").last().unwrap_or(rest),
        None => message,
    }
}

/// Drops `/path/file.cc:123 void signature(...)` of messages, which says nothing to a user.
fn without_locations(message: &str) -> String {
    let mut text = message.trim();
    for marker in [".cc:", ".h:"] {
        let Some(at) = text.find(marker) else { continue };
        // The location ends at the signature's last parenthesis that is followed by a space.
        if let Some(end) = text[at..].find(") ").map(|end| at + end + 2) {
            text = text[end..].trim_start_matches("const ").trim();
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_missing_operator_is_named() {
        let standard = "This is an invalid model. In Node, (\"n1\", Frobnicate, \"\", -1) : (\"x\": tensor(float),) \
                        -> (\"y\": tensor(float),) , Error No Op registered for Frobnicate with domain_version of 17";
        assert_eq!(plain(standard), "it has no operator Frobnicate (at opset 17)");
        let custom = "Fatal error: com.acme:Foo(-1) is not a registered function/op";
        assert_eq!(plain(custom), "it has no operator com.acme:Foo");
        let kernel = "Could not find an implementation for Conv(11) node with name 'c'";
        assert!(plain(kernel).contains("operator Conv(11)"), "{}", plain(kernel));
    }

    #[test]
    fn source_locations_and_line_breaks_are_dropped() {
        let text = "/a/core/graph/model.cc:256 onnxruntime::Model::Model(onnx::ModelProto&&, const Logger&) \
                    Unsupported model IR version: 40,\n max supported IR version: 14\n";
        assert_eq!(plain(text), "Unsupported model IR version: 40, max supported IR version: 14");
        assert_eq!(plain("no é location.cc: here"), "no é location.cc: here");
        let coded = "[ONNXRuntimeError] : 1 : FAIL : Failed to load library x.so with error: no y.so : here";
        assert_eq!(plain(coded), "Failed to load library x.so with error: no y.so : here");
    }
}
