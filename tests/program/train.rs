//! `camloc train`: from folders of pictures to a model that finds what is in them, and what stands in the way.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use camloc::assets::{Asset, Store};
use image::{Rgb, RgbImage};
use serde_json::Value;

use super::support::{assert_refused, camloc, folder, json_lines, names_in, press_ctrl_c, run, stdout, text};

const SIDE: u32 = 160;

/// A thing on a meadow of noise, and its box: a red disc with a dark ring, or a blue cross.
fn picture(thing: &str, number: u64) -> (RgbImage, [u32; 4]) {
    let mut random = fastrand::Rng::with_seed(number);
    let mut image = RgbImage::from_fn(SIDE, SIDE, |_, _| {
        Rgb([60 + random.u8(..40), 110 + random.u8(..40), 50 + random.u8(..40)])
    });
    let radius = random.i32(22..34);
    let (x, y) = (random.i32(radius..SIDE as i32 - radius), random.i32(radius..SIDE as i32 - radius));
    for (dx, dy) in (-radius..radius).flat_map(|dx| (-radius..radius).map(move |dy| (dx, dy))) {
        let far = ((dx * dx + dy * dy) as f64).sqrt() / f64::from(radius);
        let colour = match thing {
            "disc" if far < 0.6 => [220, 30, 30],
            "disc" if far < 1.0 => [40, 10, 10],
            "a/cross" | "십자 cross" if dx.abs().min(dy.abs()) < radius / 3 => [30, 60, 230],
            _ => continue,
        };
        image.put_pixel((x + dx) as u32, (y + dy) as u32, Rgb(colour));
    }
    let corner = |centre: i32, by: i32| (centre + by).clamp(0, SIDE as i32) as u32;
    (image, [corner(x, -radius), corner(y, -radius), corner(x, radius), corner(y, radius)])
}

/// So many pictures of each thing, in folders.
fn things(root: &Path, things: &[&str], count: u64) {
    for thing in things {
        fs::create_dir_all(root.join(thing)).unwrap();
        for number in 0..count {
            picture(thing, number).0.save(root.join(thing).join(format!("{number}.png"))).unwrap();
        }
    }
}

/// Runs `camloc train` on `root/in`, to `root/my.onnx`.
fn train(root: &Path, args: &[&str]) -> Output {
    let mut command = camloc();
    command.arg("train").arg(root.join("in")).arg("-o").arg(root.join("my.onnx")).args(args);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn labels_alone_teach_a_model_that_boxes_what_it_never_saw() {
    let folder = folder();
    let root = folder.path();
    things(&root.join("in"), &["disc", "십자 cross", "background"], 12);
    fs::write(root.join("in/disc/broken.jpg"), "this is text").unwrap();
    for head in ["linear", "cam", "acol"] {
        let output = train(root, &["--head", head, "--width", "24", "--epochs", "12"]);
        stdout(&output);
        let words = said(&output);
        assert!(words.contains("1 picture that can't be read") && words.contains("broken.jpg"), "{words}");
        assert!(
            !names_in(root).contains(&"my.onnx.training".to_owned()),
            "no state is left of a run that is through"
        );

        // Pictures that were not there, all in one run.
        let unseen = root.join("unseen");
        fs::create_dir_all(&unseen).unwrap();
        let mut boxes = Vec::new();
        for number in 100..107 {
            let thing = match number {
                106 => "background",
                number if number % 2 == 0 => "disc",
                _ => "십자 cross",
            };
            let (image, place) = picture(thing, number);
            image.save(unseen.join(format!("{number}.png"))).unwrap();
            boxes.push((thing, place));
        }
        let lines =
            stdout(&run(["image", text(&unseen), "--model", text(&root.join("my.onnx")), "--json", "-"]));
        let lines: Vec<Value> =
            json_lines(&lines).into_iter().filter(|line| line["frame"].is_number()).collect();
        assert_eq!(lines.len(), boxes.len());
        let (mut named, mut placed) = (0, 0);
        for (line, (thing, [x0, y0, x1, y1])) in lines.iter().zip(boxes) {
            let found = &line["detections"];
            if thing == "background" {
                assert_eq!(found.as_array().unwrap().len(), 0, "nothing is nowhere: {line}");
                continue;
            }
            named += usize::from(found[0]["label"] == thing);
            let peak = |axis: usize| found[0]["peak"][axis].as_f64().unwrap_or(-1.0);
            let inside = |at: f64, low: u32, high: u32| f64::from(low) <= at && at < f64::from(high);
            placed += usize::from(inside(peak(0), x0, x1) && inside(peak(1), y0, y1));
        }
        // Twelve pictures of each and a few seconds make no perfect model; by chance one peak of six is on a thing, and the
        // mean of all places tells things apart without a need to know where they are.
        let least = if head == "linear" { (3, 0) } else { (4, 3) };
        assert!(
            named >= least.0 && placed >= least.1,
            "{head}: {named} of 6 things have their name, {placed} their place"
        );
    }
}

#[test]
fn what_cannot_be_learned_from_is_said_before_work_begins() {
    let folder = folder();
    let root = folder.path();
    things(&root.join("in"), &["disc"], 6);
    assert_refused(&train(root, &[]), 1, &["only one class, \"disc\"", "--negatives"]);
    fs::create_dir(root.join("in/cross")).unwrap();
    assert_refused(&train(root, &[]), 1, &["the class \"cross\" has no pictures", "remove the folder"]);
    fs::write(root.join("in/cross/1.jpg"), "this is text").unwrap();
    things(&root.join("in"), &["cross"], 3);
    assert_refused(&train(root, &[]), 1, &["\"cross\" has 3 pictures that can be read", "at least 5"]);
    things(&root.join("in"), &["cross"], 6);
    assert_refused(&train(root, &["--resume"]), 1, &["nothing to resume", "my.onnx.training"]);
    assert_refused(&train(root, &["--head", "tree"]), 2, &["acol, cam or linear"]);
    assert_refused(&train(root, &["--epochs", "0"]), 2, &["--epochs must be at least 1"]);
    assert_refused(&train(root, &["--layer", "nowhere"]), 2, &["no layer \"nowhere\""]);
    let mut command = camloc();
    command.arg("train").arg(root.join("in")).args(["-o", "no/such/folder/my.onnx"]);
    assert_refused(&command.output().unwrap(), 1, &["can't write no/such/folder/my.onnx"]);
    // The cache is where a disk is full first; a file in the way stands for that.
    fs::create_dir(root.join("cache")).unwrap();
    fs::write(root.join("cache/features"), "").unwrap();
    let library = Store::open().unwrap().cached(Asset::OnnxRuntime).unwrap();
    let mut command = camloc();
    command.env("CAMLOC_ORT_DYLIB", library).env("CAMLOC_CACHE", root.join("cache"));
    command.arg("train").arg(root.join("in")).arg("-o").arg(root.join("my.onnx"));
    command.args(["--backbone", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/plain.onnx")]);
    assert_refused(&command.output().unwrap(), 1, &["can't keep the features in", "CAMLOC_CACHE"]);
    assert_eq!(names_in(root), ["cache", "in"], "nothing was written");
}

#[test]
fn an_interrupted_run_keeps_the_best_and_is_gone_on_with() {
    let folder = folder();
    let root = folder.path();
    things(&root.join("in"), &["disc", "a/cross"], 10);
    let mut command = camloc();
    command.arg("train").arg(root.join("in")).arg("-o").arg(root.join("my.onnx"));
    command.args(["--epochs", "400", "--width", "8", "-v"]).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let begun = Instant::now();
    while !root.join("my.onnx.training").is_file() {
        assert!(begun.elapsed() < Duration::from_secs(120), "an epoch is through");
        std::thread::sleep(Duration::from_millis(20));
    }
    press_ctrl_c(&child);
    let output = child.wait_with_output().unwrap();
    assert_refused(&output, 1, &["stopped after epoch", "of 400", "--resume goes on"]);
    stdout(&run(["inspect", text(&root.join("my.onnx"))]));

    let epochs = ["--epochs", "400", "--width", "8"];
    assert_refused(&train(root, &["--resume", "--epochs", "400", "--width", "9"]), 1, &["is of another run"]);
    let output = train(root, &[&epochs[..], &["--resume"]].concat());
    stdout(&output);
    assert!(!root.join("my.onnx.training").exists(), "{}", said(&output));
}
