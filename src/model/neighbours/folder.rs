//! Which file of a folder is the model, and whether what lies beside a model belongs to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::error::ModelError;

/// What variants of one model are called besides: `model_quantized.onnx` is the same network as `model.onnx`.
const VARIANTS: [&str; 12] = [
    "_quantized",
    "_int8",
    "_uint8",
    "_fp16",
    "_q4",
    "_q4f16",
    "_bnb4",
    "_optimized",
    "_simplified",
    ".sim",
    "_sim",
    "_slim",
];

/// The most entries of a folder that are looked at.
const MOST_ENTRIES: usize = 10_000;

/// A model's file, and where the files are that may say more of it.
#[derive(Debug)]
pub(in crate::model) struct Place {
    /// The ONNX file.
    pub(in crate::model) model: PathBuf,
    /// The folders with files that belong to it, the nearer first; empty where they may belong to other models.
    pub(in crate::model) folders: Vec<PathBuf>,
    /// Where links may lead.
    pub(in crate::model) root: PathBuf,
    /// What to call the model.
    pub(in crate::model) name: String,
    /// What else was found, for the user.
    pub(in crate::model) notes: Vec<String>,
}

impl Place {
    /// Of a model's file, or of a folder that holds one.
    pub(in crate::model) fn find(path: &Path) -> Result<Place, ModelError> {
        if path.is_dir() { Place::within(path) } else { Ok(Place::of_file(path)) }
    }

    fn of_file(path: &Path) -> Place {
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let models = networks(&folder);
        let mut place = Place {
            model: path.to_owned(),
            folders: Vec::new(),
            root: root(&folder),
            name,
            notes: Vec::new(),
        };
        if models.len() <= 1 {
            place.folders = with_parent(&folder);
        } else if let Some(first) = super::FILES.iter().find(|name| folder.join(name).is_file()) {
            place.notes.push(format!(
                "{first} lies beside {} models and may belong to any of them: it is left unread; name it in a manifest, \
                 or give each model a folder",
                models.len()
            ));
        }
        place
    }

    fn within(folder: &Path) -> Result<Place, ModelError> {
        let known = ["model.onnx", "onnx/model.onnx"].map(|name| folder.join(name));
        let mut found: Vec<PathBuf> = onnx_files(folder);
        if found.is_empty() {
            found = onnx_files(&folder.join("onnx"));
        }
        let model = match (known.into_iter().find(|path| path.is_file()), found.as_slice()) {
            (Some(model), _) => model,
            (None, [only]) => only.clone(),
            (None, several) => {
                let found = several.iter().map(|path| path.display().to_string()).collect();
                return Err(ModelError::NotOneModel { folder: folder.to_owned(), found });
            }
        };
        let others: Vec<String> = found
            .iter()
            .filter(|path| **path != model)
            .map(|path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned())
            .collect();
        let mut notes = Vec::new();
        if !others.is_empty() {
            notes.push(format!(
                "{} holds other models, too ({}): {} is taken",
                folder.display(),
                first_few(&others),
                model.display()
            ));
        }
        let name = folder.canonicalize().ok();
        let name = name.as_deref().and_then(Path::file_name).unwrap_or(folder.as_os_str());
        let name = name.to_string_lossy().into_owned();
        let mut folders = vec![folder.to_owned()];
        folders.extend(model.parent().filter(|parent| *parent != folder).map(Path::to_owned));
        Ok(Place { model, folders, root: root(folder), name, notes })
    }
}

/// `a, b, c and 4 more`.
fn first_few(names: &[String]) -> String {
    const SHOWN: usize = 3;
    match names.len() {
        0..=SHOWN => names.join(", "),
        more => format!("{} and {} more", names[..SHOWN].join(", "), more - SHOWN),
    }
}

/// A folder, and the one above it where the export has a folder of its own.
fn with_parent(folder: &Path) -> Vec<PathBuf> {
    let above = folder.parent().filter(|_| folder.file_name().is_some_and(|name| name == "onnx"));
    std::iter::once(folder.to_owned()).chain(above.map(Path::to_owned)).collect()
}

/// Where links may lead: the folder. The hub's cache keeps a repository's files once, two folders above, and links to them.
fn root(folder: &Path) -> PathBuf {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let export = whole.file_name().is_some_and(|name| name == "onnx");
    let snapshot = if export { whole.parent().unwrap_or(&whole) } else { &whole };
    match snapshot.parent() {
        Some(above) if above.file_name().is_some_and(|name| name == "snapshots") => {
            above.parent().unwrap_or(snapshot).to_owned()
        }
        _ => snapshot.to_owned(),
    }
}

fn onnx_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MOST_ENTRIES).flatten();
    let is_onnx = |path: &PathBuf| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("onnx"));
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| is_onnx(path) && path.is_file()).collect();
    files.sort();
    files
}

/// The networks in a folder, variants of one counted once.
fn networks(folder: &Path) -> BTreeSet<String> {
    let stem = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let plain = VARIANTS.iter().find_map(|variant| stem.strip_suffix(variant));
        plain.map(str::to_owned).unwrap_or(stem)
    };
    onnx_files(folder).iter().map(stem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_of(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn taken(files: &[&str]) -> (PathBuf, Vec<String>) {
        let folder = folder_of(files);
        let place = Place::find(folder.path()).unwrap();
        (place.model.strip_prefix(folder.path()).unwrap().to_owned(), place.notes)
    }

    #[test]
    fn a_folder_has_one_model_or_one_of_the_usual_name() {
        assert_eq!(taken(&["flowers.onnx", "config.json"]), ("flowers.onnx".into(), vec![]));
        assert_eq!(taken(&["onnx/model.onnx", "config.json"]), ("onnx/model.onnx".into(), vec![]));
        assert_eq!(taken(&["onnx/only.onnx", "config.json"]).0, PathBuf::from("onnx/only.onnx"));
        let (model, notes) = taken(&["model.onnx", "a.onnx", "b.onnx", "c.onnx", "d.onnx"]);
        assert_eq!(model, PathBuf::from("model.onnx"));
        assert!(notes[0].contains("(a.onnx, b.onnx, c.onnx and 1 more)"), "{notes:?}");
        let words = |files: &[&str]| Place::find(folder_of(files).path()).unwrap_err().to_string();
        let two = words(&["a.onnx", "b.onnx"]);
        assert!(two.contains("a.onnx") && two.contains("b.onnx") && two.contains("name one"), "{two}");
        assert!(words(&["config.json"]).contains("holds no ONNX file"));
    }

    #[test]
    fn what_lies_beside_a_file_belongs_to_it_where_it_is_the_only_one() {
        let folders = |files: &[&str], model: &str| {
            let folder = folder_of(files);
            let place = Place::find(&folder.path().join(model)).unwrap();
            (place.folders.len(), place.notes.len())
        };
        assert_eq!(folders(&["a.onnx", "labels.txt"], "a.onnx"), (1, 0));
        assert_eq!(folders(&["a.onnx", "b.onnx", "labels.txt"], "a.onnx"), (0, 1));
        assert_eq!(folders(&["a.onnx", "b.onnx"], "a.onnx"), (0, 0));
        let export = ["onnx/model.onnx", "onnx/model_quantized.onnx", "onnx/model_fp16.onnx", "config.json"];
        assert_eq!(folders(&export, "onnx/model_quantized.onnx"), (2, 0));
    }

    #[test]
    fn links_may_lead_to_what_the_hubs_cache_keeps_of_a_repository() {
        let folder = folder_of(&["models--a--b/snapshots/123/model.onnx", "models--a--b/blobs/9"]);
        let place = Place::find(&folder.path().join("models--a--b/snapshots/123")).unwrap();
        assert!(place.root.ends_with("models--a--b"), "{:?}", place.root);
    }
}
