//! External data: weights that a model keeps in other files of its folder.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::error::{MAX_BYTES, OnnxError};
use super::proto::*;
use super::tensor;
use super::visit::each_tensor;

/// Reads all external data into the model, which has `size` bytes without it.
pub(super) fn inline(model: &mut ModelProto, file: &str, folder: &Path, size: u64) -> Result<(), OnnxError> {
    let mut external = External { file: file.into(), folder: folder.into(), total: size };
    each_tensor(model, &mut |tensor| external.inline(tensor))
}

/// Refuses a model that has external data.
pub(super) fn refuse(model: &mut ModelProto, file: &str) -> Result<(), OnnxError> {
    each_tensor(model, &mut |tensor| {
        if is_external(tensor) {
            Err(OnnxError::ExternalMissing { file: file.into(), location: entry(tensor, "location").into() })
        } else {
            Ok(())
        }
    })
}

fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::External.into())
}

fn entry<'a>(tensor: &'a TensorProto, key: &str) -> &'a str {
    tensor.external_data.iter().find(|entry| entry.key() == key).map_or("", |entry| entry.value())
}

/// Reads external data into tensors.
struct External {
    file: String,
    folder: PathBuf,
    /// Bytes of the model so far.
    total: u64,
}

impl External {
    fn inline(&mut self, tensor: &mut TensorProto) -> Result<(), OnnxError> {
        if !is_external(tensor) {
            return Ok(());
        }
        let location = entry(tensor, "location").to_owned();
        let offset = self.number(tensor, "offset")?.unwrap_or(0);
        let length = self.number(tensor, "length")?;
        let mut data = self.open(tensor, &location)?;
        let read_error = |source| OnnxError::Io { action: "read", file: location.clone(), source };
        let available = data.metadata().map_err(read_error)?.len();
        let length = length.or(tensor::byte_len(tensor)).unwrap_or(available.saturating_sub(offset));
        let needed = offset.saturating_add(length);
        if needed > available {
            return Err(OnnxError::ExternalShort {
                file: self.file.clone(),
                location,
                tensor: tensor.name().into(),
                needed,
                available,
            });
        }
        self.total = self.total.saturating_add(length);
        if self.total > MAX_BYTES {
            return Err(OnnxError::TooLarge { file: self.file.clone(), bytes: self.total });
        }
        let mut bytes = vec![0; length as usize];
        data.seek(SeekFrom::Start(offset)).map_err(read_error)?;
        data.read_exact(&mut bytes).map_err(read_error)?;
        tensor.raw_data = Some(bytes);
        tensor.external_data.clear();
        tensor.data_location = None;
        Ok(())
    }

    fn number(&self, tensor: &TensorProto, key: &str) -> Result<Option<u64>, OnnxError> {
        match entry(tensor, key) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| self.malformed(tensor, format!("{key} is {text:?}"))),
        }
    }

    fn malformed(&self, tensor: &TensorProto, what: String) -> OnnxError {
        OnnxError::ExternalMalformed { file: self.file.clone(), tensor: tensor.name().into(), what }
    }

    /// Opens an external file, if it truly lies within the model's folder: neither the written path
    /// nor a link may lead out, else a model could read any file of its user.
    fn open(&self, tensor: &TensorProto, location: &str) -> Result<File, OnnxError> {
        if location.is_empty() {
            return Err(self.malformed(tensor, "no location".into()));
        }
        let outside = || OnnxError::OutsideFolder { file: self.file.clone(), location: location.into() };
        let missing = || OnnxError::ExternalMissing { file: self.file.clone(), location: location.into() };
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !Path::new(location).components().all(inside) {
            return Err(outside());
        }
        let folder = self.folder.canonicalize().map_err(|_| missing())?;
        let path = folder.join(location).canonicalize().map_err(|_| missing())?;
        if !path.starts_with(&folder) {
            return Err(outside());
        }
        if !path.is_file() {
            return Err(missing());
        }
        File::open(&path).map_err(|source| OnnxError::Io { action: "read", file: location.into(), source })
    }
}
