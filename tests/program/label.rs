//! `camloc label`: from folders of photos to datasets, and what stands in the way.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::support::{
    assert_refused, camloc, cat, folder, names_in, press_ctrl_c, run, sample_photos, stdout, text,
};
use super::window::{Display, wait};

/// Photos in folders named by what the model calls them, but for one.
fn photos(root: &Path) {
    let photos = sample_photos();
    for (from, to) in [
        ("chelsea.png", "katze/1.png"),
        ("coffee.png", "espresso/1.png"),
        ("chelsea.png", "espresso/no coffee at all.png"),
    ] {
        let to = root.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(photos.join(from), to).unwrap();
    }
    fs::write(root.join("espresso/broken.jpg"), "this is text").unwrap();
}

/// Runs `camloc label` on photos in `root/in`.
fn label(root: &Path, args: &[&str]) -> Output {
    let mut command = camloc();
    command.arg("label").arg(root.join("in")).arg("-o").arg(root.join("out"));
    command.args(args).output().unwrap()
}

const KATZE: [&str; 2] = ["--alias", "katze=tabby|tiger cat|Egyptian cat"];

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_tree_of_photos_becomes_a_dataset_that_eval_reads() {
    let folder = folder();
    photos(&folder.path().join("in"));
    for format in ["yolo", "coco", "voc"] {
        let output = label(folder.path(), &[&KATZE[..], &["--format", format, "--overwrite"]].concat());
        stdout(&output);
        let words = said(&output);
        assert!(
            words.contains("left out 1 picture that can't be read: ") && words.contains("broken.jpg"),
            "{words}"
        );
        assert!(words.contains("does not believe in the class: espresso/no coffee at all.png"), "{words}");
        let out = folder.path().join("out");
        for file in ["sheet.jpg", "skipped.csv", "labels.csv", "label.json"] {
            assert!(out.join(file).is_file(), "{file}");
        }
        // The boxes of eval are those that label found, so that all of them fit.
        let truth = match format {
            "coco" => vec!["annotations/instances_train.json", "annotations/instances_val.json"],
            _ => vec![""],
        };
        let mut command = camloc();
        command.arg("eval").args(truth.iter().map(|file| out.join(file))).args(KATZE).args(["--json", "-"]);
        let result: Value = serde_json::from_str(&stdout(&command.output().unwrap())).unwrap();
        let datasets = result["datasets"].as_array().cloned().unwrap_or_else(|| vec![result.clone()]);
        let items: Vec<&Value> = datasets.iter().flat_map(|set| set["items"].as_array().unwrap()).collect();
        assert_eq!(items.len(), 2, "{format}: {result}");
        for item in items {
            // JPEG changes a pixel here and there.
            assert!(item["box_iou"].as_f64().unwrap() > 0.95, "{format}: {item}");
        }
    }
    assert_eq!(names_in(folder.path()), ["in", "out"], "no journal is left without a review");
}

#[test]
fn what_a_folders_name_is_taken_for_is_said() {
    let folder = folder();
    let photo = folder.path().join("in/egyptian/1.png");
    fs::create_dir_all(photo.parent().unwrap()).unwrap();
    fs::copy(cat(), photo).unwrap();
    fs::create_dir(folder.path().join("in/banana")).unwrap();
    fs::copy(cat(), folder.path().join("in/banana/1.png")).unwrap();
    let words = said(&label(folder.path(), &[]));
    assert!(words.contains("\"egyptian\" is taken for the model's \"Egyptian cat\""), "{words}");
    assert!(words.contains("no box of \"banana\" is left"), "{words}");
    let told = said(&label(folder.path(), &["--alias", "egyptian=285", "--overwrite"]));
    assert!(!told.contains("taken for"), "{told}");
}

#[test]
fn a_flat_folder_takes_the_classes_that_may_be_on_its_photos() {
    let folder = folder();
    let root = folder.path();
    fs::create_dir_all(root.join("in")).unwrap();
    for name in ["chelsea.png", "coffee.png", "rocket.jpg"] {
        fs::copy(sample_photos().join(name), root.join("in").join(name)).unwrap();
    }
    stdout(&label(root, &["--classes", "katze,espresso", KATZE[0], KATZE[1], "--val-share", "0"]));
    let labels = fs::read_to_string(root.join("out/labels.csv")).unwrap();
    assert!(labels.contains("chelsea.png,katze,") && labels.contains("coffee.png,espresso,"), "{labels}");
    let skipped = fs::read_to_string(root.join("out/skipped.csv")).unwrap();
    assert!(skipped.contains("rocket.jpg,unsure,0."), "{skipped}");
    let yaml = fs::read_to_string(root.join("out/data.yaml")).unwrap();
    assert!(yaml.contains("val: images/train") && yaml.contains("0: \"katze\""), "{yaml}");
}

#[test]
fn what_can_not_be_done_is_said_in_a_line_and_leaves_nothing_behind() {
    let folder = folder();
    let root = folder.path();
    photos(&root.join("in"));
    let refused = |args: &[&str], code: i32, words: &[&str]| assert_refused(&label(root, args), code, words);
    refused(&[], 2, &["\"katze\" is no class", "did you mean", "--alias \"katze=NAME|ID\"", "--classes"]);
    refused(
        &["--classes", "koala"],
        1,
        &["no picture is left", "3 pictures in which the model does not believe"],
    );
    refused(&["--classes", "espresso,koala"], 2, &["no folder \"koala\"", "\"espresso\", \"katze\""]);
    refused(&["--classes", "espresso", "--min-score", "1"], 1, &["no picture is left", "--min-score"]);
    refused(&["--class", "espresso"], 2, &["leave out --class"]);
    refused(&["--format", "kitti"], 2, &["use yolo, coco or voc"]);
    refused(&["--val-share", "2"], 2, &["--val-share is a share"]);
    refused(&[KATZE[0], KATZE[1], "--review"], 1, &["no window can be opened", "DISPLAY"]);
    let inside =
        camloc().arg("label").arg(root.join("in")).arg("-o").arg(root.join("in/set")).output().unwrap();
    assert_refused(&inside, 1, &["lie in each other"]);
    fs::create_dir(root.join("empty")).unwrap();
    let empty =
        camloc().arg("label").arg(root.join("empty")).arg("-o").arg(root.join("out")).output().unwrap();
    assert_refused(&empty, 1, &["empty holds no pictures"]);
    let missing = run(["label", text(&root.join("none")), "-o", text(&root.join("out"))]);
    assert_refused(&missing, 1, &["none is no folder"]);
    let theirs = run(["label", text(&root.join("in")), "-o", text(&root.join("empty/..")), "--overwrite"]);
    assert_refused(&theirs, 1, &["lie in each other"]);
    assert_eq!(names_in(root), ["empty", "in"]);
    fs::write(root.join("out"), "a file of mine").unwrap();
    refused(&["--overwrite"], 1, &["is not a dataset that camloc wrote"]);
    assert_eq!(fs::read(root.join("out")).unwrap(), b"a file of mine");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_half_of_a_dataset() {
    let folder = folder();
    let root = folder.path();
    fs::create_dir_all(root.join("in/tabby")).unwrap();
    fs::copy(cat(), root.join("in/tabby/1.png")).unwrap();
    // A file may have no more than 100 KB here; the photo is larger.
    let script = "ulimit -f 100; trap '' XFSZ; exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("bash");
    let program = env!("CARGO_BIN_EXE_camloc");
    command.args(["-c", script, program, "label", text(&root.join("in")), "-o", text(&root.join("out"))]);
    command.args(["--min-score", "0.05"]);
    assert_refused(&command.output().unwrap(), 1, &["the disk is full"]);
    assert!(!root.join("out").exists());
    assert!(names_in(root).iter().all(|name| !name.ends_with(".part")), "{:?}", names_in(root));
}

/// The rows of `labels.csv` by the photo's name: score and box.
fn labels(root: &Path) -> Vec<(String, String, [i64; 4])> {
    let rows = fs::read_to_string(root.join("out/labels.csv")).unwrap();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let edge = |i: usize| fields[i].parse().unwrap();
        (fields[1].to_owned(), fields[3].to_owned(), [edge(4), edge(5), edge(6), edge(7)])
    };
    rows.lines().skip(1).map(row).collect()
}

#[test]
fn a_review_keeps_drops_and_redraws_and_goes_on_where_it_was() {
    let Some(display) = Display::start("a_review_keeps_drops_and_redraws_and_goes_on_where_it_was") else {
        return;
    };
    let folder = folder();
    let root = folder.path();
    fs::create_dir_all(root.join("in/katze")).unwrap();
    let photo = image::open(cat()).unwrap();
    for (name, darker) in [("a", 0), ("b", -60), ("c", -110)] {
        photo.brighten(darker).to_rgb8().save(root.join(format!("in/katze/{name}.png"))).unwrap();
    }
    let start = || {
        let mut command = camloc();
        command.arg("label").arg(root.join("in")).arg("-o").arg(root.join("out")).args(KATZE);
        command.args(["--review", "--min-score", "0.01"]).env("DISPLAY", &display.name);
        command.stderr(Stdio::piped()).spawn().unwrap()
    };
    let pause = || std::thread::sleep(Duration::from_millis(900));
    let key = |key: &str| {
        display.xdotool(&["key", key]);
        pause();
    };
    let mouse = |args: &[&str]| {
        display.xdotool(args);
        std::thread::sleep(Duration::from_millis(200));
    };

    // Dropped, then stopped: nothing is written, and the decision stays.
    let child = start();
    display.focus();
    std::thread::sleep(Duration::from_secs(5));
    key("d");
    display.xdotool(&["key", "q"]);
    let stopped = child.wait_with_output().unwrap();
    assert_refused(&stopped, 1, &["2 of 3 pictures were not looked at"]);
    assert_eq!(names_in(root), ["in", "out.labels.jsonl"]);

    let child = start();
    let window = display.focus();
    std::thread::sleep(Duration::from_secs(5));
    // The photo of 451x300 fills the width of 1280 in a window of 800: 2.838 times as large, 851 high, so the height
    // decides: 2.667 times, 1203 wide, from column 38 on.
    let place = |x: u32, y: u32| (38 + x * 8 / 3, y * 8 / 3);
    let (from, to) = (place(120, 30), place(330, 270));
    let moved = |(x, y): (u32, u32)| {
        ["mousemove", "--window", &window, &x.to_string(), &y.to_string()].map(str::to_owned)
    };
    let go = |at: (u32, u32)| {
        let args = moved(at);
        mouse(&args.iter().map(String::as_str).collect::<Vec<_>>());
    };
    go(from);
    mouse(&["mousedown", "1"]);
    // The window polls the mouse: a drag begins where it is when the press is seen.
    std::thread::sleep(Duration::from_millis(500));
    go(place(200, 100));
    go(to);
    display.screenshot(&window, root);
    fs::rename(root.join("screen.png"), Path::new(env!("CARGO_TARGET_TMPDIR")).join("review.png")).unwrap();
    mouse(&["mouseup", "1"]);
    key("Return");
    // Seen again and kept again; the last one ends the review.
    key("BackSpace");
    key("Return");
    key("space");
    let mut child = child;
    let mut errors = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut errors).unwrap();
    assert!(wait(child).success(), "{errors}");
    assert!(errors.contains("left out 1 picture dropped in review"), "{errors}");
    // The least sure was seen first, and what a person drew is surer than any model.
    let labels = labels(root);
    let [(kept, score, _), (redrawn, drawn, bbox)] = labels.as_slice() else { panic!("{labels:?}") };
    assert!(score.parse::<f64>().is_ok() && kept != redrawn, "{labels:?}");
    let near = bbox.iter().zip([120, 30, 330, 270]).all(|(a, b)| (a - b).abs() <= 3);
    assert!(drawn == "drawn" && near, "{labels:?}");
    assert!(root.join("out.labels.jsonl").is_file(), "a person's decisions are not thrown away");
    // The same decisions serve another format.
    let mut command = camloc();
    command.arg("label").arg(root.join("in")).arg("-o").arg(root.join("out")).args(KATZE);
    command.args(["--min-score", "0.01", "--format", "voc", "--overwrite"]);
    let output = command.output().unwrap();
    stdout(&output);
    assert!(said(&output).contains("3 of 3 pictures labelled before"), "{}", said(&output));
    let xml = |name: &String| format!("{}.xml", name.replace('/', "_").trim_end_matches(".png"));
    let mut expected = [xml(kept), xml(redrawn)];
    expected.sort();
    assert_eq!(names_in(&root.join("out/Annotations")), expected);
}

#[cfg(unix)]
#[test]
fn a_run_that_was_interrupted_goes_on_where_it_was() {
    let folder = folder();
    let root = folder.path();
    fs::create_dir_all(root.join("in/tabby")).unwrap();
    for i in 0..60 {
        fs::copy(cat(), root.join(format!("in/tabby/{i}.png"))).unwrap();
    }
    let mut command = camloc();
    command.arg("label").arg(root.join("in")).arg("-o").arg(root.join("out")).args(["--min-score", "0.01"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let journal = root.join("out.labels.jsonl");
    let lines = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    while lines() < 4 {
        std::thread::sleep(Duration::from_millis(5));
    }
    press_ctrl_c(&child);
    assert_refused(&child.wait_with_output().unwrap(), 1, &["of 60 pictures", "goes on from there"]);
    assert_eq!(names_in(root), ["in", "out.labels.jsonl"]);
    let done = lines() - 1;
    let output = command.output().unwrap();
    stdout(&output);
    assert!(said(&output).contains(&format!("{done} of 60 pictures labelled before")), "{}", said(&output));
    assert_eq!(labels(root).len(), 60);
    assert_eq!(names_in(&root.join("out/images/val")).len(), 12);
    assert_eq!(names_in(root), ["in", "out"]);
}
