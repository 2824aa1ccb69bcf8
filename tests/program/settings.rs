//! Settings come from the command line, then the environment, then a file, then the defaults.

use super::support::{assert_refused, camloc, cat, folder, run, stdout, text};

fn detections_with(configure: impl FnOnce(&mut std::process::Command)) -> serde_json::Value {
    let mut command = camloc();
    command.args(["image", text(&cat()), "--json", "-"]);
    configure(&mut command);
    let output = command.output().expect("the program starts");
    serde_json::from_str(&stdout(&output)).expect("one JSON object")
}

fn width(result: &serde_json::Value) -> u64 {
    let edge = |i: usize| result["detections"][0]["box"][i].as_u64().expect("a box");
    edge(2) - edge(0)
}

#[test]
fn the_command_line_beats_the_environment_which_beats_the_file() {
    let folder = folder();
    let file = folder.path().join("camloc.toml");
    std::fs::write(&file, "[localize]\nthreshold = 0.9\n").unwrap();
    let default = width(&detections_with(|_| {}));
    let from_file = width(&detections_with(|command| {
        command.args(["--config", text(&file)]);
    }));
    let from_environment = width(&detections_with(|command| {
        command.args(["--config", text(&file)]).env("CAMLOC_THRESHOLD", "0.6");
    }));
    let from_arguments = width(&detections_with(|command| {
        command.args(["--config", text(&file), "--threshold", "0.2"]).env("CAMLOC_THRESHOLD", "0.6");
    }));
    assert!(from_file < from_environment, "{from_file} {from_environment}");
    assert!(from_environment < from_arguments, "{from_environment} {from_arguments}");
    assert!(default > from_file);
}

#[test]
fn an_unknown_key_is_wrong_usage_and_names_the_nearest() {
    let folder = folder();
    let file = folder.path().join("camloc.toml");
    std::fs::write(&file, "[overlay]\nopacitty = 0.9\n").unwrap();
    let output = run(["image", text(&cat()), "--config", text(&file)]);
    assert_refused(&output, 2, &["overlay.opacitty", "\"opacity\"", "camloc.toml"]);
}

#[test]
fn a_wrong_value_is_wrong_usage_and_lists_what_is_right() {
    assert_refused(&run(["image", text(&cat()), "--preset", "maxx"]), 2, &["maxx", "pytorch-grad-cam"]);
    assert_refused(&run(["image", text(&cat()), "--threshold", "7"]), 2, &["threshold", "7"]);
    assert_refused(&run(["image", text(&cat()), "--class", "tabbby"]), 2, &["tabbby", "tabby"]);
    assert_refused(&run(["image", text(&cat()), "--threads", "100000"]), 2, &["100000 threads", "1 to 256"]);
    for size in ["9", "288x", "0x288", "a lot"] {
        let refused = run(["image", text(&cat()), "--input-size", size]);
        assert_refused(&refused, 2, &[&format!("not \"{size}\""), "WIDTHxHEIGHT"]);
    }
}

#[test]
fn what_makes_no_sense_is_refused_rather_than_left_out() {
    let image = |args: &[&str], words: &[&str]| {
        assert_refused(&run([&["image", text(&cat()), "--json", "-"], args].concat()), 2, words);
    };
    image(&["--top-k", "0"], &["--top-k", "at least 1"]);
    image(&["--input", "foo=3"], &["--input", "only its image", "'image'"]);
    image(&["--target", "logits:281", "--class", "3"], &["--target", "--class", "leave one out"]);
    image(&["--method", "occlusion", "--patch", "999"], &["999", "224x224", "--patch"]);
    image(&["--layer=-300"], &["no layer -300"]);
    image(&["--coco", "-"], &["given for two outputs"]);
    image(&["--coco", "dog.jpg"], &["dog.jpg", "named like a picture"]);
    let over = run(["image", text(&cat()), "--json", "clip.MP4"]);
    assert_refused(&over, 2, &["clip.MP4", "named like a picture"]);
    let folder = folder();
    let (file, out) = (folder.path().join("camloc.toml"), folder.path().join("out.onnx"));
    std::fs::write(&file, "[model]\ntop_k = 0\n").unwrap();
    image(&["--config", text(&file)], &["model.top_k", "at least 1"]);
    let both = run(["export", "-o", text(&out), "--refine", "--no-refine"]);
    assert_refused(&both, 2, &["--no-refine"]);
    assert!(!out.exists());
    let no_model = run(["train", text(folder.path()), "-o", "t.txt"]);
    assert_refused(&no_model, 2, &["t.txt", ".onnx"]);
}

#[test]
fn completions_and_help_need_nothing() {
    let completions = stdout(&run(["completions", "bash"]));
    for name in ["camloc", "gradcampp", "torch-cam", "letterbox", "openvino"] {
        assert!(completions.contains(name), "{name}");
    }
    assert!(!stdout(&run(["image", "--help"])).contains("possible values"));
    for command in ["demo", "live", "video", "image", "doctor", "bench"] {
        assert!(stdout(&run([command, "--help"])).contains("Usage"), "{command}");
    }
}
