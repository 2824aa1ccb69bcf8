use std::fs;

use super::*;
use crate::model::preprocessing::{Channels, Fit};
use camloc_graph::onnx::build::{Dim, f32_tensor, graph, model, node, value_info};
use camloc_graph::onnx::load::save;
use camloc_graph::onnx::proto::{DataType, NodeProto, StringStringEntryProto};

/// A model of 8x8 pixels and two classes, with these nodes between `image` and `front`.
fn network(front: Vec<NodeProto>, metadata: &[(&str, &str)]) -> ModelProto {
    let input = value_info("image", DataType::Float, &[1, 3, 8, 8].map(Dim::Fixed));
    let output = value_info("logits", DataType::Float, &[1, 2].map(Dim::Fixed));
    let mut nodes = front;
    if nodes.is_empty() {
        nodes.push(node("Identity", "front", &["image"], &["front"], vec![]));
    }
    nodes.push(node("Relu", "relu", &["front"], &["logits"], vec![]));
    let constants = vec![f32_tensor("byte", &[], &[255.0])];
    let mut network = model(graph("g", vec![input], vec![output], constants, nodes));
    network.metadata_props = metadata
        .iter()
        .map(|(key, value)| StringStringEntryProto { key: Some((*key).into()), value: Some((*value).into()) })
        .collect();
    network
}

fn divided() -> Vec<NodeProto> {
    vec![node("Div", "front", &["image", "byte"], &["front"], vec![])]
}

/// A folder with this model as `model.onnx` and these files.
fn folder(model: &ModelProto, files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    save(model, &folder.path().join("model.onnx")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn read(model: &ModelProto, files: &[(&str, &str)]) -> Classifier {
    Classifier::open(folder(model, files).path(), None).unwrap()
}

fn origin(classifier: &Classifier, fact: &str) -> String {
    let found = classifier.sources.iter().find(|source| source.fact == fact);
    found.unwrap_or_else(|| panic!("no {fact} in {:?}", classifier.sources)).origin.clone()
}

const PREPROCESSOR: &str = r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2,
    "size": {"height": 8, "width": 8}, "image_processor_type": "ViTImageProcessor"}"#;
const CONFIG: &str = r#"{"id2label": {"0": "cat", "1": "dog"}}"#;

#[test]
fn a_folder_is_read_with_its_neighbours_and_says_where_from_in_one_line() {
    let files = [("preprocessor_config.json", PREPROCESSOR), ("config.json", CONFIG)];
    let found = read(&network(vec![], &[]), &files);
    assert_eq!(found.labels.names(), ["cat", "dog"]);
    assert_eq!((found.preprocessing.mean, found.preprocessing.fit), ([127.5; 3], Fit::Squash));
    let line = found.assumptions().unwrap();
    let said = "size, scale, mean and std, fit, filter from preprocessor_config.json; labels from config.json; a manifest";
    assert!(line.contains(said), "{line}");
    assert!(found.assumed.is_empty() && found.notes.is_empty(), "{:?} {:?}", found.assumed, found.notes);
    assert_eq!(origin(&found, "output"), "the graph");
}

#[test]
fn the_manifest_goes_before_the_file_and_the_file_before_its_neighbours() {
    let metadata = [("names", "['a', 'b']"), ("Image.NominalPixelRange", "NominalRange_0_255")];
    let files = [("preprocessor_config.json", PREPROCESSOR), ("labels.txt", "cat\ndog\n")];
    let found = read(&network(vec![], &metadata), &files);
    assert_eq!((found.preprocessing.mean, found.preprocessing.std), ([0.0; 3], [1.0; 3]));
    assert_eq!(found.labels.names(), ["a", "b"]);
    assert!(found.notes[0].contains("labels.txt names the classes otherwise"), "{:?}", found.notes);
    let manifest = ("model.toml", "range = 1\nlabels = ['x', 'y']\n");
    let found = read(&network(vec![], &metadata), &[files[0], files[1], manifest]);
    assert_eq!(found.preprocessing.std, [255.0; 3]);
    assert_eq!((found.labels.names()[0].as_str(), found.preprocessing.fit), ("x", Fit::Squash));
    assert!(found.notes.is_empty(), "who wrote a manifest knows: {:?}", found.notes);
}

#[test]
fn what_the_first_nodes_do_is_not_done_again() {
    let found = read(&network(divided(), &[]), &[("preprocessor_config.json", PREPROCESSOR)]);
    assert_eq!((found.preprocessing.mean, found.preprocessing.std), ([0.0; 3], [1.0; 3]));
    assert_eq!(origin(&found, "scale, mean and std"), "the graph's first nodes");
    let twice = read(&network(divided(), &[]), &[("model.toml", "range = 1\n")]);
    assert!(twice.notes[0].contains("normalised twice"), "{:?}", twice.notes);
}

#[test]
fn ultralytics_and_windows_files_need_no_manifest() {
    let metadata = [("task", "classify"), ("imgsz", "[8, 8]"), ("names", "{0: 'cat', 1: 'dog'}")];
    let found = read(&network(vec![], &metadata), &[]);
    assert_eq!((found.preprocessing.std, found.preprocessing.fit), ([255.0; 3], Fit::Crop(1.0)));
    assert_eq!((found.labels.names()[1].as_str(), found.assumed.len()), ("dog", 0));
    let metadata = [("Image.BitmapPixelFormat", "Bgr8"), ("Image.NominalPixelRange", "NominalRange_0_255")];
    let found = read(&network(vec![], &metadata), &[("labels.txt", "cat\ndog")]);
    assert_eq!((found.preprocessing.channels, found.preprocessing.std), (Channels::Bgr, [1.0; 3]));
}

/// A network of one sigmoid for each picture.
fn one_number() -> ModelProto {
    let input = value_info("image", DataType::Float, &[1, 3, 8, 8].map(Dim::Fixed));
    let output = value_info("p", DataType::Float, &[1, 1].map(Dim::Fixed));
    let nodes = vec![
        node("GlobalAveragePool", "pool", &["image"], &["pool"], vec![]),
        node("Flatten", "flat", &["pool"], &["flat"], vec![]),
        node("MatMul", "linear", &["flat", "w"], &["z"], vec![]),
        node("Sigmoid", "sigmoid", &["z"], &["p"], vec![]),
    ];
    let constants = vec![f32_tensor("w", &[3, 1], &[1.0; 3])];
    model(graph("g", vec![input], vec![output], constants, nodes))
}

#[test]
fn one_probability_is_two_classes_unless_it_has_one_name() {
    let two = read(&one_number(), &[("labels.txt", "cat\ndog\n")]);
    assert_eq!(
        (two.labels.names(), two.output.as_str()),
        (&["cat".to_owned(), "dog".to_owned()][..], "p.both")
    );
    let unnamed = read(&one_number(), &[]);
    assert_eq!(unnamed.labels.classes(), Some(2));
    let one = read(&one_number(), &[("labels.txt", "defect\n")]);
    assert_eq!((one.labels.names(), one.output.as_str()), (&["defect".to_owned()][..], "p"));
    // What is written down is read again of the model itself.
    let again = read(&one_number(), &[("model.toml", &two.manifest())]);
    assert_eq!((again.output, again.labels), (two.output, two.labels));
}

#[test]
fn what_scores_are_is_read_where_the_graph_does_not_tell() {
    let config = r#"{"id2label": {"0": "cat", "1": "dog"}, "problem_type": "multi_label_classification"}"#;
    let found = read(&network(vec![], &[]), &[("config.json", config)]);
    assert_eq!((found.link, origin(&found, "scores").as_str()), (Some(Link::Sigmoid), "config.json"));
    let told = read(&one_number(), &[("config.json", config)]);
    assert_eq!(told.link, None, "it ends in a sigmoid");
    let said =
        read(&network(vec![], &[]), &[("config.json", config), ("model.toml", "scores = 'probabilities'")]);
    assert_eq!(said.link, Some(Link::Identity));
}

#[test]
fn an_export_takes_what_camloc_can_t_feed() {
    let mut bands = network(vec![], &[]);
    bands.graph.as_mut().unwrap().input[0] =
        value_info("image", DataType::Float, &[1, 13, 8, 8].map(Dim::Fixed));
    let folder = folder(&bands, &[]);
    assert!(matches!(Classifier::open(folder.path(), None), Err(ModelError::NoImage { .. })));
    assert_eq!(Classifier::open_unfed(folder.path(), None).unwrap().output, "logits");
}

#[test]
fn contradictions_are_named_with_what_was_taken_instead() {
    let wrong = read(&network(vec![], &[]), &[("labels.txt", "a\nb\nc\n"), ("config.json", CONFIG)]);
    assert_eq!(wrong.labels.names(), ["cat", "dog"]);
    let two = read(&network(vec![], &[]), &[("labels.txt", "a\nb\nc\n"), ("classes.txt", "a\n")]);
    assert!(two.labels.names().is_empty());
    assert!(two.notes.iter().all(|note| note.contains("classes go by number")), "{:?}", two.notes);
    assert_eq!(
        wrong.notes,
        ["labels.txt has 3 labels, but the model has 2 classes: those of config.json are taken"]
    );
    let broken = read(&network(vec![], &[]), &[("config.json", "{\"id2label\""), ("labels.txt", "cat\ndog")]);
    assert!(
        broken.notes[0].contains("config.json is left unread: it is no JSON (line 1"),
        "{:?}",
        broken.notes
    );
    assert_eq!(broken.labels.names(), ["cat", "dog"]);
    let large = PREPROCESSOR.replace("\"height\": 8, \"width\": 8", "\"height\": 224, \"width\": 224");
    let sized = read(&network(vec![], &[]), &[("preprocessor_config.json", &large)]);
    assert_eq!((sized.preprocessing.width, sized.preprocessing.mean), (8, [127.5; 3]));
    assert!(sized.notes[0].ends_with("is 1x3x8x8: the graph is believed"), "{:?}", sized.notes);
    let absurd = r#"{"image_mean": 0.5, "image_std": 0, "size": 99999999}"#;
    let absurd = read(&network(vec![], &[]), &[("preprocessor_config.json", absurd)]);
    assert!(absurd.notes[0].contains("left unread: size must be"), "{:?}", absurd.notes);
}

#[cfg(unix)]
#[test]
fn hostile_neighbours_are_left_unread_at_once() {
    use std::os::unix::fs::symlink;
    let folder = folder(&network(vec![], &[]), &[]);
    symlink("/dev/zero", folder.path().join("config.json")).unwrap();
    symlink("/etc/hostname", folder.path().join("labels.txt")).unwrap();
    let pipe = folder.path().join("classes.txt");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let found = Classifier::open(folder.path(), None).unwrap();
    assert!(found.labels.names().is_empty());
    let notes = found.notes.join("\n");
    assert_eq!(notes.matches("leads out of the model's folder").count(), 2, "{notes}");
    assert!(notes.contains("classes.txt is left unread: it is no regular file"), "{notes}");
}
