//! Methods of many passes and `--what-if`, as a person uses them.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{assert_refused, camloc, cat, cat_clip, folder, run, stdout, text};
use super::window::{Display, wait};

/// The detections of a photo as JSON, and what was said of it.
fn image(arguments: &[&str]) -> (Value, String) {
    let cat = cat();
    let output = run([&["image", text(&cat), "--json", "-"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (serde_json::from_str(&stdout(&output)).unwrap(), said)
}

#[test]
fn every_method_of_many_passes_finds_the_cat() {
    for method in ["occlusion", "rise", "scorecam", "ablationcam"] {
        // 64 channels and masks are enough for the face of a cat that fills the photo.
        let asked =
            ["--method", method, "--channels", "64", "--rise-masks", "200", "--components", "largest"];
        let (found, said) = image(&asked);
        let detection = &found["detections"][0];
        assert!(detection["label"].as_str().unwrap().contains("cat"), "{method}: {found} {said}");
        let peak = |axis: usize| detection["peak"][axis].as_u64().unwrap();
        // chelsea.png is 451x300, her face is left of the middle and above the edge.
        assert!((40..400).contains(&peak(0)) && (10..290).contains(&peak(1)), "{method}: {found}");
        assert_eq!(said.contains("200 of 200 masks, error about"), method == "rise", "{said}");
    }
}

#[test]
fn a_budget_ends_the_asking_and_the_rest_is_told() {
    let began = Instant::now();
    let (found, said) = image(&["--method", "rise", "--rise-masks", "1000000", "--budget", "500ms"]);
    assert!(began.elapsed() < Duration::from_secs(60), "a million masks would take hours");
    assert!(said.contains(" of 1000000 masks, "), "{said}");
    assert!(found["detections"].is_array());
    let (once, _) = image(&["--method", "rise", "--rise-masks", "40", "--seed", "5"]);
    let (again, _) = image(&["--method", "rise", "--rise-masks", "40", "--seed", "5"]);
    assert_eq!(once, again, "the same seed");
}

#[test]
fn what_if_tells_the_probability_without_the_region() {
    let (found, _) = image(&["--what-if"]);
    let without = &found["without"];
    let change = &without["changes"][0];
    assert_eq!(change["class_id"], found["detections"][0]["class_id"]);
    assert_eq!(change["before"], found["detections"][0]["score"]);
    let after = change["after"].as_f64().unwrap();
    assert!(after < change["before"].as_f64().unwrap(), "{found}");
    assert!((0.01..0.95).contains(&without["share"].as_f64().unwrap()));
    let folder = folder();
    let cat = cat();
    let said = stdout(&run(["image", text(&cat), "--what-if", "-o", text(folder.path())]));
    assert!(said.contains("without this region (") && said.contains(" -> "), "{said}");
    let plain = image(&[]).0;
    assert!(plain.get("without").is_none());
}

#[test]
fn wrong_words_are_refused() {
    let cat = cat();
    let refused = |arguments: &[&str], code: i32, words: &[&str]| {
        assert_refused(&run([&["image", text(&cat)], arguments].concat()), code, words);
    };
    refused(&["--method", "rise", "--budget", "soon"], 2, &["budget", "soon", "2s"]);
    refused(&["--method", "rise", "--budget", "0s"], 2, &["budget", "above zero"]);
    refused(&["--method", "occlusion", "--stride", "0"], 2, &["--stride", "zero"]);
    refused(&["--method", "occlusion", "--fill", "pink"], 2, &["pink", "grey, blur or mean"]);
    refused(&["--method", "scorecam", "--layer", "-1,-2"], 1, &["scorecam", "it takes one layer"]);
    let export = run(["export", "--method", "rise", "-o", "nowhere.onnx"]);
    assert_refused(&export, 1, &["rise", "many variants", "gradcam"]);
    assert!(stdout(&run(["inspect"])).contains("random masks"));
}

#[test]
fn a_paused_window_is_asked_on_and_shows_what_speaks_against() {
    let name = "a_paused_window_is_asked_on_and_shows_what_speaks_against";
    let Some(display) = Display::start(name) else { return };
    let folder = folder();
    let clip = cat_clip(folder.path(), 60);
    let mut command = camloc();
    command.args(["video", text(&clip), "--show", "--method", "occlusion", "--budget", "20ms"]);
    command.args(["--stride", "32", "--patch", "64"]).env("DISPLAY", &display.name);
    let child = command.stderr(Stdio::null()).spawn().unwrap();
    let window = display.focus();
    std::thread::sleep(Duration::from_secs(4));
    display.xdotool(&["key", "space"]);
    std::thread::sleep(Duration::from_secs(1));
    let early = display.screenshot(&window, folder.path());
    // 49 patches take a second or two; then nothing moves any more.
    let end = Instant::now() + Duration::from_secs(60);
    let (mut last, mut still) = (early, 0);
    while still < 4 {
        assert!(Instant::now() < end, "the paused picture never comes to rest");
        std::thread::sleep(Duration::from_millis(500));
        let next = display.screenshot(&window, folder.path());
        still = if next == last { still + 1 } else { 0 };
        last = next;
    }
    // What speaks against the cat in the same frame is another map.
    display.xdotool(&["key", "c"]);
    std::thread::sleep(Duration::from_secs(3));
    assert_ne!(display.screenshot(&window, folder.path()), last);
    display.xdotool(&["key", "q"]);
    assert!(wait(child).success());
}
