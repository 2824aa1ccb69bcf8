//! Models that explain themselves: written by the real binary, run by plain onnxruntime in Python, and given back.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::support::{assert_refused, cat, folder, python, run, stdout, text};

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

/// What Python says of an exported golden network.
fn in_python(python: &Path, network: &str, layer: &str, method: &str, classes: [&str; 2]) -> Value {
    let folder = folder();
    let (plain, exported) = (golden(&format!("{network}.onnx")), folder.path().join("out.onnx"));
    let name = format!("--layer={layer}");
    let mut arguments = vec!["export", text(&plain), "-o", text(&exported), "--method", method, &name];
    arguments.extend(["--class", classes[0], "--class", classes[1]]);
    stdout(&run(arguments));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/export.py");
    let (input, maps) = (format!("{network}/input.npy"), format!("{network}/last.{method}.npy"));
    let output = Command::new(python)
        .args([&script, &plain, &exported, &golden(&input), &golden(&maps)])
        .output()
        .expect("Python starts");
    serde_json::from_str(&stdout(&output)).expect("JSON")
}

#[test]
fn exported_models_explain_themselves_in_python() {
    let Some(python) = python("exported_models_explain_themselves_in_python") else { return };
    let layer = "/blocks/blocks.1/norm1/LayerNormalization_output_0";
    for (network, layer, classes) in
        [("residual", "-1", ["3", "1"]), ("plain", "-1", ["6", "1"]), ("vit", layer, ["1", "8"])]
    {
        for method in ["gradcam", "layercam", "hirescam"] {
            let said = in_python(&python, network, layer, method, classes);
            assert_eq!(
                (&said["identical"], &said["shapes"]),
                (&true.into(), &true.into()),
                "{network}: {said}"
            );
            assert!(said["distance"].as_f64().unwrap() < 1e-4, "{network}: {said}");
            assert_eq!(said["locked"], true, "{network}: {said}");
            assert_eq!(said["metadata"]["camloc.method"], method, "{said}");
            assert!(said["metadata"]["camloc.manifest"].as_str().unwrap().contains("size"), "{said}");
        }
    }
}

/// What camloc finds in the cat, as its JSON line.
fn boxes(arguments: &[&str]) -> Value {
    let cat = cat();
    let all = [&["-q", "image", text(&cat), "--json", "-"], arguments].concat();
    let mut found: Value = serde_json::from_str(&stdout(&run(all))).expect("JSON");
    found["detections"].take()
}

#[test]
fn an_exported_model_is_recognised() {
    let folder = folder();
    let file = |name: &str| folder.path().join(name);
    let (plain, bytes, refined) = (file("cam.onnx"), file("u8.onnx"), file("refined.onnx"));
    let said = stdout(&run(["export", "-o", text(&plain), "--method", "layercam", "--top-k", "2"]));
    assert!(said.contains("layercam at ") && said.contains("maps 7x7"), "{said}");
    stdout(&run(["export", "-o", text(&bytes), "--method", "layercam", "--with-preprocessing"]));
    let said = stdout(&run(["export", "-o", text(&refined), "--method", "layercam", "--refine"]));
    assert!(said.contains("maps 28x28"), "{said}");
    let raw = boxes(&["--method", "layercam", "--no-refine"]);
    let with_guides = boxes(&["--method", "layercam"]);
    assert_eq!(
        (&raw[0]["label"], &with_guides[0]["label"]),
        (&"Egyptian cat".into(), &"Egyptian cat".into())
    );
    assert_ne!(raw, with_guides);
    for (file, expected) in [(&plain, &raw), (&bytes, &raw), (&refined, &with_guides)] {
        assert_eq!(&boxes(&["--model", text(file)]), expected, "{}", file.display());
        assert!(stdout(&run(["inspect", text(file)])).contains("explains itself: layercam"));
    }
    let (other, classes) = (["--model", text(&plain), "--method", "gradcam"], ["--class", "281"]);
    assert_refused(&run([&["image", text(&cat())], &other[..]].concat()), 1, &["explained already"]);
    let locked = boxes(&[&["--model", text(&plain)], &classes[..]].concat());
    assert_eq!((locked.as_array().unwrap().len(), &locked[0]["class_id"]), (1, &281.into()));
}

#[test]
fn one_value_of_an_output_is_explained_as_its_class_is() {
    let (value, class) =
        (boxes(&["--target", "logits:281"]), boxes(&["--class", "281", "--method", "gradcam"]));
    assert_eq!((&value[0]["class_id"], &value[0]["box"]), (&281.into(), &class[0]["box"]));
}

#[test]
fn pictures_are_prepared_to_the_size_asked_for() {
    let folder = folder();
    let file = folder.path().join("wide.onnx");
    // Refined maps have a cell for each 8 x 8 pixels.
    for (size, maps) in [("288x160", "maps 20x36"), ("160", "maps 20x20")] {
        let told = stdout(&run(["export", "--refine", "--input-size", size, "-o", text(&file)]));
        assert!(told.contains(maps), "{size}: {told}");
    }
}

#[test]
fn what_a_model_offers_is_told() {
    let said = stdout(&run(["inspect", text(&golden("plain.onnx"))]));
    for words in
        ["-1  /features/features.8/MaxPool_output_0", "12 x 4x6", "gradcam", "cam              not here"]
    {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
}

#[test]
fn wrong_wishes_are_refused_with_the_way_out() {
    let plain = golden("plain.onnx");
    let wish = |arguments: &[&str]| run([&["export", text(&plain), "-o", "never.onnx"], arguments].concat());
    assert_refused(&wish(&["--method", "gradcan"]), 2, &["gradcan", "nearest is \"gradcam\""]);
    assert_refused(&wish(&["--method", "cam"]), 1, &["no closed form", "--method gradcam"]);
    assert_refused(
        &wish(&["--layer", "/features/features.8/MaxPol_output_0"]),
        2,
        &["MaxPool_output_0", "inspect"],
    );
    assert_refused(&wish(&["--layer", "-99"]), 2, &["-99"]);
    assert_refused(&wish(&["--target", "logits"]), 2, &["OUTPUT:INDEX"]);
    assert_refused(&wish(&["--target", "logits:99"]), 2, &["logits", "99"]);
    assert_refused(&wish(&["--input", "mask=1"]), 2, &["mask", "its inputs are"]);
    assert!(!Path::new("never.onnx").exists());
}

#[test]
fn the_model_itself_is_not_written_over_and_its_export_is_listed() {
    let folder = folder();
    let (plain, out) = (folder.path().join("plain.onnx"), folder.path().join("out.onnx"));
    std::fs::copy(golden("plain.onnx"), &plain).unwrap();
    let whole = std::fs::read(&plain).unwrap();
    assert_refused(&run(["export", text(&plain), "-o", text(&plain)]), 1, &["plain.onnx", "another name"]);
    let things = folder.path().join("things");
    for class in ["a", "b"] {
        std::fs::create_dir_all(things.join(class)).unwrap();
        std::fs::copy(cat(), things.join(class).join("1.png")).unwrap();
    }
    let train = run(["train", text(&things), "--backbone", text(&plain), "-o", text(&plain)]);
    assert_refused(&train, 1, &["plain.onnx", "another name"]);
    assert!(std::fs::read(&plain).unwrap() == whole);
    stdout(&run(["export", text(&plain), "-o", text(&out)]));
    assert!(stdout(&run(["models", text(&out)])).contains("explains itself already"));
}
