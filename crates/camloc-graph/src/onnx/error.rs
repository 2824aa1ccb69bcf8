//! Why a model file cannot be read or written.

/// The most bytes a model may have, external data included: protobuf's own limit.
pub const MAX_BYTES: u64 = i32::MAX as u64;

/// Why a model cannot be read or written. `file` is the model's.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// There is no such file.
    #[error("there is no model file {file}; check the path")]
    Missing {
        /// The model.
        file: String,
    },
    /// A folder, a device, a pipe.
    #[error("{file} is not a regular file; give the path of an .onnx file")]
    NotAFile {
        /// The model.
        file: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {file}; check its permissions and the disk")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file that was read or written.
        file: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// No space is left.
    #[error("{file} cannot be written: the disk is full; free some space or choose another place")]
    DiskFull {
        /// The file.
        file: String,
    },
    /// Nothing in it.
    #[error("{file} is empty (0 bytes); export or download the model again")]
    Empty {
        /// The model.
        file: String,
    },
    /// Does not decode as ONNX.
    #[error("{file} is not an ONNX model, or it is damaged; export or download it again")]
    NotOnnx {
        /// The model.
        file: String,
        /// What the decoder stumbled over.
        source: prost::DecodeError,
    },
    /// ONNX Runtime's own format.
    #[error(
        "{file} is in ONNX Runtime's own format (.ort), which only that reads; give the .onnx file that it was made from"
    )]
    OrtFormat {
        /// The model.
        file: String,
    },
    /// Decodes, but there is no network in it.
    #[error("{file} is not an ONNX model: it holds no graph; export or download it again")]
    NoGraph {
        /// The model.
        file: String,
    },
    /// More nodes than any classifier has, or more of anything else than memory is for.
    #[error(
        "{file} holds {count} {what}, over the limit of {limit}, which no classifier comes near; simplify the model"
    )]
    TooMany {
        /// The model.
        file: String,
        /// How many.
        count: usize,
        /// Of what.
        what: &'static str,
        /// How many it may have.
        limit: usize,
    },
    /// Over [`MAX_BYTES`].
    #[error(
        "{file} has over 2 GB with its weights ({bytes} bytes), the limit of an ONNX model in memory; use a smaller \
         model or one with 16-bit weights"
    )]
    TooLarge {
        /// The model.
        file: String,
        /// Its size so far.
        bytes: u64,
    },
    /// External data outside the model's own folder.
    #[error(
        "{file} wants its weights from {location:?}, which is outside the model's own folder: refused; keep weight \
         files beside the model"
    )]
    OutsideFolder {
        /// The model.
        file: String,
        /// The location as the model gives it.
        location: String,
    },
    /// The external file is not there.
    #[error(
        "{file} keeps weights in {location:?}, which is not beside it; put that file into the same folder"
    )]
    ExternalMissing {
        /// The model.
        file: String,
        /// The location as the model gives it.
        location: String,
    },
    /// The external file ends too early.
    #[error(
        "{location:?}, which holds weights of {file}, is cut short: tensor {tensor} needs {needed} bytes, it has \
         {available}; download it again"
    )]
    ExternalShort {
        /// The model.
        file: String,
        /// The location as the model gives it.
        location: String,
        /// The tensor that does not fit.
        tensor: String,
        /// Where the tensor's bytes would end.
        needed: u64,
        /// The size of the external file.
        available: u64,
    },
    /// The model says nonsense about its external data.
    #[error("{file} describes the external data of tensor {tensor} wrongly ({what}); export the model again")]
    ExternalMalformed {
        /// The model.
        file: String,
        /// The tensor.
        tensor: String,
        /// What is wrong.
        what: String,
    },
}
