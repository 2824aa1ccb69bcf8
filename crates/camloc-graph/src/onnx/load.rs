//! Reading and writing model files, with limits: what cannot be a usable model is refused by name.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use prost::Message;

use super::census::Census;
use super::check::MAX_NODES;
pub use super::error::{MAX_BYTES, OnnxError};
use super::external;
use super::proto::ModelProto;

/// The most texts, byte strings and messages in a file. Each takes up to 300 bytes in memory.
const MAX_ENTRIES: usize = 4_000_000;

/// Reads a model from a file. External data is read into the model, so that it stands alone.
///
/// # Errors
///
/// One line naming the file: missing, empty, not ONNX, over 2 GB, or its external data is not
/// within the model's own folder, missing or too short.
pub fn load(path: &Path) -> Result<ModelProto, OnnxError> {
    let file = path.display().to_string();
    let metadata = fs::metadata(path).map_err(|source| read_error(&file, source))?;
    if !metadata.is_file() {
        return Err(OnnxError::NotAFile { file });
    }
    if metadata.len() > MAX_BYTES {
        return Err(OnnxError::TooLarge { file, bytes: metadata.len() });
    }
    let bytes = fs::read(path).map_err(|source| read_error(&file, source))?;
    let mut model = decode(&file, &bytes)?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    external::inline(&mut model, &file, folder, bytes.len() as u64)?;
    Ok(model)
}

/// Reads a model from memory. It has no folder, so its weights must all be inside.
///
/// # Errors
///
/// As [`load`]; a model with external data is an error.
pub fn parse(bytes: &[u8]) -> Result<ModelProto, OnnxError> {
    let file = "the model given as bytes";
    let mut model = decode(file, bytes)?;
    external::refuse(&mut model, file)?;
    Ok(model)
}

/// Writes a model as the bytes of an `.onnx` file.
///
/// # Errors
///
/// When it has over 2 GB.
pub fn encode(model: &ModelProto) -> Result<Vec<u8>, OnnxError> {
    encode_as("the model", model)
}

/// Writes a model to a file, in place of what was there: whole, or not at all.
///
/// # Errors
///
/// When it has over 2 GB, or the file cannot be written.
pub fn save(model: &ModelProto, path: &Path) -> Result<(), OnnxError> {
    let file = path.display().to_string();
    let bytes = encode_as(&file, model)?;
    write_whole(path, &bytes).map_err(|source| match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            OnnxError::DiskFull { file }
        }
        _ => OnnxError::Io { action: "write", file, source },
    })
}

/// Writes beside the file first, so that a full disk or an interruption leaves what was there.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A link stays a link: the file behind it is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if path.exists() && !path.is_file() {
        // A pipe or a device can't be replaced.
        return fs::write(path, bytes);
    }
    let part = path.with_added_extension("part");
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, &path));
    if written.is_err() {
        // What was written of it is of no use; if it can't be removed, the first error says why.
        let _ = fs::remove_file(&part);
    }
    written
}

fn encode_as(file: &str, model: &ModelProto) -> Result<Vec<u8>, OnnxError> {
    match model.encoded_len() as u64 {
        bytes if bytes > MAX_BYTES => Err(OnnxError::TooLarge { file: file.into(), bytes }),
        _ => Ok(model.encode_to_vec()),
    }
}

fn read_error(file: &str, source: std::io::Error) -> OnnxError {
    let file = file.to_owned();
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => OnnxError::Missing { file },
        _ => OnnxError::Io { action: "read", file, source },
    }
}

fn decode(file: &str, bytes: &[u8]) -> Result<ModelProto, OnnxError> {
    let file = file.to_owned();
    if bytes.is_empty() {
        return Err(OnnxError::Empty { file });
    }
    if bytes.get(4..8) == Some(b"ORTM") {
        return Err(OnnxError::OrtFormat { file });
    }
    let census = Census::of(bytes);
    for (count, what, limit) in
        [(census.nodes, "nodes", MAX_NODES), (census.entries, "names and values", MAX_ENTRIES)]
    {
        if count > limit {
            return Err(OnnxError::TooMany { file, count, what, limit });
        }
    }
    // The decoder gives up at a nesting of 100, as the standard's own does, so the stack is safe.
    let model =
        ModelProto::decode(bytes).map_err(|source| OnnxError::NotOnnx { file: file.clone(), source })?;
    match model.graph {
        Some(_) => Ok(model),
        None => Err(OnnxError::NoGraph { file }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::onnx::build;
    use crate::onnx::proto::{GraphProto, TensorProto};

    fn small_model() -> ModelProto {
        let weight = build::f32_tensor("w", &[2], &[1.0, 2.0]);
        build::model(build::graph("g", vec![], vec![], vec![weight], vec![]))
    }

    /// A folder with `model.onnx` holding these bytes.
    fn folder(bytes: &[u8]) -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("model.onnx");
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn refusal(path: &Path) -> String {
        let message = load(path).unwrap_err().to_string();
        assert!(!message.contains('\n') && message.contains("model.onnx"), "{message}");
        message
    }

    #[test]
    fn a_model_that_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        save(&small_model(), &path).unwrap();
        let before = fs::read(&path).unwrap();
        // In the way of the new file, as a full disk would be.
        fs::create_dir(folder.path().join("m.onnx.part")).unwrap();
        let mut other = small_model();
        other.doc_string = Some("other".into());
        assert!(save(&other, &path).unwrap_err().to_string().contains("m.onnx"));
        assert_eq!(fs::read(&path).unwrap(), before);
        fs::remove_dir(folder.path().join("m.onnx.part")).unwrap();
        save(&other, &path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_saved_model_loads_again() {
        let (_folder, path) = folder(b"");
        save(&small_model(), &path).unwrap();
        assert_eq!(load(&path).unwrap(), small_model());
        assert_eq!(parse(&encode(&small_model()).unwrap()).unwrap(), small_model());
    }

    #[test]
    fn what_is_no_model_is_refused_by_name() {
        let (folder, path) = folder(b"");
        assert!(refusal(&path).contains("is empty"));
        fs::write(&path, "<!DOCTYPE html><html>404</html>").unwrap();
        assert!(refusal(&path).contains("is not an ONNX model"));
        fs::write(&path, b"\x18\0\0\0ORTM and more").unwrap();
        assert!(refusal(&path).contains("ONNX Runtime's own format"));
        fs::write(&path, [0x08, 0x08]).unwrap();
        assert!(refusal(&path).contains("holds no graph"));
        assert!(refusal(&folder.path().join("no/model.onnx")).contains("there is no model file"));
        fs::create_dir(folder.path().join("not_a_model.onnx")).unwrap();
        assert!(refusal(&folder.path().join("not_a_model.onnx")).contains("is not a regular file"));
    }

    #[test]
    fn over_2_gb_is_refused_unread() {
        let (_folder, path) = folder(b"");
        fs::File::options().write(true).open(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(refusal(&path).contains("over 2 GB"));
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        // A graph in an attribute in a node in a graph …, written back to front, from the inside out.
        let (graph, attribute, node, model_graph) = (0x32, 0x2a, 0x0a, 0x3a);
        let mut reversed = Vec::new();
        for key in [graph, attribute, node].repeat(50_000).into_iter().chain([model_graph]) {
            let mut length = Vec::new();
            prost::encoding::encode_varint(reversed.len() as u64, &mut length);
            reversed.extend(length.iter().rev());
            reversed.push(key);
        }
        let bytes: Vec<u8> = reversed.into_iter().rev().collect();
        assert!(matches!(parse(&bytes), Err(OnnxError::NotOnnx { .. })));
    }

    /// A model whose only weight lies in another file.
    fn external(entries: &[(&str, &str)]) -> ModelProto {
        let mut model = small_model();
        let entry = |&(key, value): &(&str, &str)| crate::onnx::proto::StringStringEntryProto {
            key: Some(key.into()),
            value: Some(value.into()),
        };
        let weight = &mut model.graph.as_mut().unwrap().initializer[0];
        weight.raw_data = None;
        weight.data_location = Some(1);
        weight.external_data = entries.iter().map(entry).collect();
        model
    }

    #[test]
    fn external_data_beside_the_model_is_read_into_it() {
        for model in [
            external(&[("location", "w.bin"), ("offset", "4"), ("length", "8")]),
            external(&[("location", "./w.bin"), ("offset", "4")]),
        ] {
            let (folder, path) = folder(&encode(&model).unwrap());
            let mut data = vec![9; 4];
            data.extend([1.0_f32, 2.0].iter().flat_map(|value| value.to_le_bytes()));
            data.extend([9; 4]);
            fs::write(folder.path().join("w.bin"), data).unwrap();
            assert_eq!(load(&path).unwrap(), small_model());
            assert!(parse(&encode(&model).unwrap()).is_err());
        }
    }

    #[test]
    fn external_data_is_found_in_subgraphs_too() {
        let weight = external(&[("location", "w.bin")]).graph.unwrap().initializer.remove(0);
        let branch = GraphProto { initializer: vec![weight], ..Default::default() };
        let node = build::node("If", "if", &["c"], &["y"], vec![build::subgraph("then_branch", branch)]);
        let model = build::model(build::graph("g", vec![], vec![], vec![], vec![node]));
        let (folder, path) = folder(&encode(&model).unwrap());
        fs::write(folder.path().join("w.bin"), [0; 8]).unwrap();
        let loaded = load(&path).unwrap().graph.unwrap();
        let weight: &TensorProto = &loaded.node[0].attribute[0].g.as_ref().unwrap().initializer[0];
        assert_eq!(weight.raw_data(), [0; 8]);
    }

    #[test]
    fn external_data_outside_the_folder_is_refused() {
        for location in ["../../etc/passwd", "/etc/passwd", "a/../../w.bin"] {
            let (_folder, path) = folder(&encode(&external(&[("location", location)])).unwrap());
            let message = refusal(&path);
            assert!(message.contains(location) && message.contains("outside"), "{message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn external_data_behind_a_link_that_leads_out_is_refused() {
        let (folder, path) = folder(&encode(&external(&[("location", "w.bin")])).unwrap());
        let elsewhere = TempDir::new().unwrap();
        fs::write(elsewhere.path().join("secret"), [0; 8]).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("secret"), folder.path().join("w.bin")).unwrap();
        assert!(refusal(&path).contains("outside"));
    }

    #[test]
    fn external_data_that_is_missing_or_short_is_refused() {
        let (folder, path) = folder(&encode(&external(&[("location", "w.bin")])).unwrap());
        assert!(refusal(&path).contains("\"w.bin\", which is not beside it"));
        fs::write(folder.path().join("w.bin"), [0; 7]).unwrap();
        assert!(refusal(&path).contains("needs 8 bytes, it has 7"));
        let huge = external(&[("location", "w.bin"), ("offset", "9"), ("length", "18446744073709551615")]);
        save(&huge, &path).unwrap();
        assert!(refusal(&path).contains("cut short"));
        save(&external(&[("location", "w.bin"), ("offset", "-1")]), &path).unwrap();
        assert!(refusal(&path).contains("offset is \"-1\""));
        save(&external(&[]), &path).unwrap();
        assert!(refusal(&path).contains("no location"));
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
