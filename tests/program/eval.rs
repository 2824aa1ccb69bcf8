//! `camloc eval`: figures on small sets whose truth is known.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::support::{assert_refused, camloc, cat, folder, press_ctrl_c, run, stdout, text};

/// Width and height of the test's pictures.
const SIZE: (u32, u32) = (225, 150);
/// A box on the cat, as `[x0, y0, x1, y1]`.
const CAT: [u32; 4] = [30, 15, 180, 150];

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Saves the cat: as it is, and in a mirror.
fn save_cats(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let photo = image::open(cat()).unwrap().thumbnail_exact(SIZE.0, SIZE.1);
    photo.to_rgb8().save(folder.join("left.png")).unwrap();
    photo.fliph().to_rgb8().save(folder.join("right.png")).unwrap();
}

/// Pictures and where their cats are.
fn truth() -> [(&'static str, [u32; 4]); 2] {
    [("left", CAT), ("right", [SIZE.0 - CAT[2], CAT[1], SIZE.0 - CAT[0], CAT[3]])]
}

fn csv(root: &Path) {
    save_cats(&root.join("images"));
    let rows = truth().map(|(name, [x0, y0, x1, y1])| {
        format!("{name}.png,cat,281,{x0},{y0},{x1},{y1},{},{},282,\n", SIZE.0, SIZE.1)
    });
    let header = "image,class_name,imagenet_id_or_blank,x0,y0,x1,y1,width,height,imagenet_ids_alt,note\n";
    write(&root.join("boxes.csv"), [header, &rows.concat()].concat());
}

fn voc(root: &Path) {
    save_cats(&root.join("JPEGImages"));
    for (name, [x0, y0, x1, y1]) in truth() {
        // Pixels are counted from 1, the last one belongs to the box.
        let edges =
            format!("<xmin>{}</xmin><ymin>{}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>", x0 + 1, y0 + 1);
        let xml = format!(
            "<annotation><filename>{name}.png</filename><size><width>{}</width><height>{}</height></size>\
             <object><name>tabby</name><bndbox>{edges}</bndbox></object></annotation>",
            SIZE.0, SIZE.1
        );
        write(&root.join(format!("Annotations/{name}.xml")), xml);
    }
}

fn coco(root: &Path, object: fn([u32; 4]) -> Value) {
    save_cats(&root.join("images"));
    let images = [0, 1].map(|i| {
        json!({"id": i, "file_name": format!("{}.png", truth()[i].0),
        "width": SIZE.0, "height": SIZE.1})
    });
    let annotations = [0, 1].map(|i| {
        let mut annotation = object(truth()[i].1);
        annotation["image_id"] = json!(i);
        annotation["category_id"] = json!(7);
        annotation
    });
    let file =
        json!({"images": images, "annotations": annotations, "categories": [{"id": 7, "name": "tabby"}]});
    write(&root.join("annotations/instances.json"), file.to_string());
}

fn polygon([x0, y0, x1, y1]: [u32; 4]) -> Value {
    json!({"bbox": [x0, y0, x1 - x0, y1 - y0], "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]]})
}

fn runs([x0, y0, x1, y1]: [u32; 4]) -> Value {
    let mut counts = vec![x0 * SIZE.1 + y0];
    for _ in x0..x1 {
        counts.extend([y1 - y0, SIZE.1 - (y1 - y0)]);
    }
    let rest = SIZE.0 * SIZE.1 - counts.iter().sum::<u32>();
    *counts.last_mut().unwrap() += rest;
    json!({"segmentation": {"size": [SIZE.1, SIZE.0], "counts": counts}})
}

fn yolo(root: &Path) {
    save_cats(&root.join("images"));
    write(&root.join("data.yaml"), "train: images\nnames:\n  0: dog\n  1: tabby\n");
    for (name, corners) in truth() {
        let [x0, y0, x1, y1] = corners.map(f64::from);
        let (width, height) = (f64::from(SIZE.0), f64::from(SIZE.1));
        let line = format!(
            "1 {:.6} {:.6} {:.6} {:.6}\n",
            (x0 + x1) / 2.0 / width,
            (y0 + y1) / 2.0 / height,
            (x1 - x0) / width,
            (y1 - y0) / height
        );
        write(&root.join(format!("labels/{name}.txt")), line);
    }
}

fn masks(root: &Path) {
    save_cats(&root.join("images/tabby"));
    for (name, [x0, y0, x1, y1]) in truth() {
        let mask = image::GrayImage::from_fn(SIZE.0, SIZE.1, |x, y| {
            image::Luma([if (x0..x1).contains(&x) && (y0..y1).contains(&y) { 255 } else { 0 }])
        });
        let path = root.join(format!("masks/tabby/{name}.png"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        mask.save(path).unwrap();
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_format_gives_the_same_figures_for_the_same_truth() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    csv(&at("csv"));
    voc(&at("voc"));
    coco(&at("polygons"), polygon);
    coco(&at("runs"), runs);
    yolo(&at("yolo"));
    masks(&at("masks"));
    let sets = ["csv", "voc", "polygons", "runs", "yolo", "masks"].map(at);
    let file = at("all.json");
    let args = ["eval", "--json", text(&file)].into_iter().chain(sets.iter().map(|set| text(set)));
    let table = stdout(&run(args));
    for word in ["GT-known Loc", "95 % interval", "pointing game", "centre", "dataset"] {
        assert!(table.contains(word), "{table}");
    }
    let all = json(&file);
    let datasets = all["datasets"].as_array().unwrap();
    assert_eq!(datasets.len(), 6);
    let keys =
        ["top1", "top5", "gt_known_loc", "top1_loc", "box_iou", "pointing", "max_box_acc", "max_box_acc_v2"];
    for set in datasets {
        assert_eq!(
            (&set["faults"], &set["dataset"]["evaluated"]),
            (&json!({}), &json!(2)),
            "{}",
            set["dataset"]
        );
        for key in keys {
            assert_eq!(set[key], datasets[0][key], "{key} of {}", set["dataset"]);
            assert!(set[key]["low"].as_f64() <= set[key]["value"].as_f64());
        }
        for (key, baselines) in datasets[0]["baselines"].as_object().unwrap() {
            assert_eq!(&set["baselines"][key], baselines, "{key} of {}", set["dataset"]);
        }
    }
    let first = &datasets[0];
    // The centred square of 180 of the grid's 224 cells overlaps both boxes by 0.75.
    for key in ["max_box_acc", "max_box_acc_v2"] {
        let baselines = &first["baselines"][key];
        assert_eq!(
            (&baselines["centre_map"], &baselines["centre_box"]),
            (&json!(1.0), &Value::Null),
            "{key}"
        );
    }
    assert!(first["box_iou"]["value"].as_f64().unwrap() > 0.3, "{}", first["box_iou"]);
    assert_eq!(first["items"][0]["truth"], json!([CAT.map(f64::from)]));
    for (with_masks, key) in [(2, "mask_iou"), (3, "px_ap"), (5, "mask_iou")] {
        let (value, same) = (&datasets[with_masks][key], &datasets[5][key]);
        assert!(value["value"].as_f64().unwrap() > 0.1 && value == same, "{key}: {value} {same}");
    }
}

#[test]
fn each_fault_is_named_and_counted_and_the_rest_is_evaluated() {
    let folder = folder();
    let root = folder.path();
    csv(root);
    let picture = fs::read(root.join("images/left.png")).unwrap();
    write(&root.join("images/cut.png"), &picture[..picture.len() / 2]);
    write(&root.join("images/text.png"), "no picture");
    for name in ["beyond.png", "outside.png", "size.png"] {
        write(&root.join("images").join(name), &picture);
    }
    let (w, h) = SIZE;
    let rows = format!(
        "left.png,cat,281,30,15,180,150,{w},{h},282,again\n\
         right.png,cat,281,60,60,60,90,{w},{h},282,no width\n\
         right.png,cat,281,a,60,60,90,{w},{h},282,no number\n\
         left.png,zeppelin of old,,1,1,60,90,{w},{h},,no such class\n\
         gone.png,cat,281,1,1,60,90,{w},{h},282,no picture\n\
         cut.png,cat,281,1,1,60,90,{w},{h},282,\n\
         text.png,cat,281,1,1,60,90,{w},{h},282,\n\
         beyond.png,cat,281,30,15,500,600,{w},{h},282,\n\
         outside.png,cat,281,300,15,500,600,{w},{h},282,\n\
         size.png,cat,281,30,15,180,150,9,9,282,\n"
    );
    let file = root.join("boxes.csv");
    write(&file, fs::read_to_string(&file).unwrap() + &rows);
    let out = root.join("out.json");
    let output = run(["eval", text(root), "--json", text(&out)]);
    stdout(&output);
    let said = words(&output);
    let results = json(&out);
    for (kind, count, name) in [
        ("duplicate_row", 1, "line 4"),
        ("empty_box", 1, "line 5"),
        ("bad_row", 1, "line 6"),
        ("unknown_class", 1, "zeppelin of old"),
        ("missing_picture", 1, "gone.png"),
        ("unreadable_picture", 2, "text.png"),
        ("box_clipped", 1, "beyond.png"),
        ("box_outside", 1, "outside.png"),
        ("size_differs", 1, "size.png"),
        ("nothing_left", 1, "outside.png"),
    ] {
        assert_eq!(results["faults"][kind]["count"], count, "{kind}: {}", results["faults"]);
        assert!(said.contains(name), "{name} in {said}");
    }
    assert_eq!(results["gt_known_loc"]["n"], 3);
    assert!(!said.contains("panicked"));
}

#[test]
fn what_cannot_be_evaluated_is_refused_in_one_line() {
    let folder = folder();
    let root = folder.path();
    save_cats(&root.join("images"));
    assert_refused(&run(["eval", text(root)]), 1, &["no ground truth", "docs/evaluating.md"]);
    assert_refused(&run(["eval", text(&root.join("none"))]), 1, &["none", "does not exist"]);
    write(&root.join("boxes.csv"), "image,class_name,x0,y0,x1,y1\n");
    assert_refused(&run(["eval", text(root)]), 1, &["no box or mask"]);
    write(&root.join("boxes.csv"), "image,class_name,x0,y0,x1,y1\ngone.png,tabby,1,1,9,9\n");
    assert_refused(&run(["eval", text(root)]), 1, &["not one picture", "gone.png"]);
    write(&root.join("boxes.csv"), "image,class_name,x0,y0,x1,y1\nleft.png,zeppelin of old,1,1,9,9\n");
    assert_refused(&run(["eval", text(root)]), 1, &["zeppelin of old"]);
    assert_refused(&run(["eval", text(root), "--class", "tabby"]), 2, &["--class"]);
    coco(&root.join("parts"), polygon);
    fs::copy(root.join("parts/annotations/instances.json"), root.join("parts/annotations/val.json")).unwrap();
    assert_refused(&run(["eval", text(&root.join("parts"))]), 1, &["2 COCO files", "instances.json"]);
    assert_refused(&run(["eval", text(root), "--format", "xls"]), 2, &["csv, voc, coco, yolo or masks"]);
    assert_refused(&run(["eval", text(root), "--alias", "zeppelin"]), 2, &["kangaroo=wallaby"]);
}

#[test]
fn a_class_of_another_name_is_found_by_its_alias() {
    let folder = folder();
    voc(folder.path());
    for (name, _) in truth() {
        let file = folder.path().join(format!("Annotations/{name}.xml"));
        write(&file, fs::read_to_string(&file).unwrap().replace("tabby", "Mieze"));
    }
    assert_refused(&run(["eval", text(folder.path())]), 1, &["Mieze"]);
    let out = folder.path().join("out.json");
    stdout(&run(["eval", text(folder.path()), "--alias", "Mieze=281|tiger cat", "--json", text(&out)]));
    assert_eq!(json(&out)["top5"]["value"], 1.0);
}

/// A video of the cat, `frames` long, with a box for each frame.
fn frames(root: &Path, frames: u32) {
    let photo = image::open(cat()).unwrap().to_rgb8();
    add_video(root, "cat", frames, |frame| {
        let view = image::imageops::crop_imm(&photo, 2 * frame, frame, 240, 200).to_image();
        (view, (100 - 2 * frame, 40 - frame))
    });
}

/// The cat before a camera that stands still, noisy in blocks as a dark video that was compressed.
fn noisy_frames(root: &Path, frames: u32) {
    let photo = image::open(cat()).unwrap().to_rgb8();
    let still = image::imageops::crop_imm(&photo, 40, 20, 240, 200).to_image();
    let mut random = fastrand::Rng::with_seed(11);
    add_video(root, "still", frames, |frame| {
        let mut noisy = still.clone();
        for (x, y) in (0..240).step_by(8).flat_map(|x| (0..200).step_by(8).map(move |y| (x, y))) {
            let noise = random.i16(-60..=60);
            let brighter = |v: &mut u8| *v = (i16::from(*v) + noise).clamp(0, 255) as u8;
            (0..64).for_each(|i| noisy.get_pixel_mut(x + i % 8, y + i / 8).0.iter_mut().for_each(brighter));
        }
        // An annotator's hand is steady to a pixel.
        (noisy, (60 + frame % 2, 20))
    });
}

/// Adds a video to `boxes.csv`: by frame, its picture and the upper left corner of its box.
fn add_video(
    root: &Path,
    name: &str,
    frames: u32,
    mut frame: impl FnMut(u32) -> (image::RgbImage, (u32, u32)),
) {
    let folder = root.join("images").join(name);
    fs::create_dir_all(&folder).unwrap();
    let file = root.join("boxes.csv");
    let header = "image,class_name,imagenet_id_or_blank,x0,y0,x1,y1\n";
    let mut rows = fs::read_to_string(&file).unwrap_or_else(|_| header.to_owned());
    for i in 0..frames {
        let (picture, (x0, y0)) = frame(i);
        picture.save(folder.join(format!("{i:03}.png"))).unwrap();
        rows += &format!("{name}/{i:03}.png,cat,281,{x0},{y0},{},{}\n", x0 + 120, y0 + 120);
    }
    write(&file, rows);
}

#[test]
fn boxes_of_a_video_are_those_that_a_viewer_sees() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    noisy_frames(&at("set"), 16);
    let eval = |out: &str, more: &[&str]| {
        let (set, out) = (at("set"), at(out));
        stdout(&run(["eval", text(&set), "--threshold", "0.4", "--json", text(&out)].iter().chain(more)));
        json(&out)
    };
    let (seen, alone) = (eval("seen.json", &[]), eval("alone.json", &["--no-track"]));
    let slow = eval("slow.json", &["--fps", "0.5"]);
    let jitter = |results: &Value| results["jitter"]["value"].as_f64().unwrap();
    assert!(jitter(&seen) < 0.6 * jitter(&alone), "{} of {}", jitter(&seen), jitter(&alone));
    // Frames two seconds apart have nothing in common.
    assert_eq!(slow["items"], alone["items"]);
    assert_eq!(
        (&seen["settings"]["track"], &slow["settings"]["fps"], &alone["settings"]["track"]),
        (&json!(true), &json!(0.5), &json!(false))
    );
    let set = at("set");
    for wrong in ["0", "-1", "inf", "nan"] {
        assert_refused(&run(["eval", text(&set), &format!("--fps={wrong}")]), 2, &["--fps"]);
    }
}

#[test]
fn pictures_have_nothing_to_do_with_each_other() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    csv(&at("set"));
    let (set, seen, alone) = (at("set"), at("seen.json"), at("alone.json"));
    stdout(&run(["eval", text(&set), "--json", text(&seen)]));
    stdout(&run(["eval", text(&set), "--json", text(&alone), "--no-track"]));
    assert_eq!(json(&seen)["items"], json(&alone)["items"]);
}

#[test]
fn a_video_that_was_left_in_the_middle_is_begun_again() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let set = at("set");
    frames(&set, 10);
    noisy_frames(&set, 10);
    let eval = |report: &Path, out: &Path, more: &[&str]| {
        let args = ["eval", text(&set), "--report", text(report), "--json", text(out)];
        run(args.iter().chain(more))
    };
    stdout(&eval(&at("whole"), &at("whole.json"), &[]));
    let whole = fs::read(at("whole.json")).unwrap();

    // Half of one video, all of the other, and what a second interruption leaves of the first.
    let journal = fs::read_to_string(at("whole/journal.jsonl")).unwrap();
    let (head, entries) = journal.split_once('\n').unwrap();
    let of = |video: &str| entries.lines().filter(|line| line.contains(video)).collect::<Vec<_>>();
    let (still, moving) = (of("\"still/0"), of("\"cat/0"));
    assert_eq!((still.len(), moving.len()), (10, 10));
    let kept = [&[head], &still[..6], &moving[..], &still[..3]].concat().join("\n") + "\n";
    write(&at("cut/journal.jsonl"), kept);
    for done in [10, 20] {
        let output = eval(&at("cut"), &at("cut.json"), &[]);
        stdout(&output);
        assert!(words(&output).contains(&format!("{done} pictures done before")), "{}", words(&output));
        assert_eq!(fs::read(at("cut.json")).unwrap(), whole);
    }

    // Boxes that are not followed, and those of another speed, are another run's.
    for other in [&["--no-track"][..], &["--fps", "10"]] {
        let output = eval(&at("cut"), &at("other.json"), other);
        stdout(&output);
        assert!(words(&output).contains("beginning anew"), "{}", words(&output));
    }
}

#[test]
fn an_interrupted_run_goes_on_and_gives_the_same_results() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let set = at("set");
    frames(&set, 24);
    let eval = |report: &Path, out: &Path, more: &[&str]| {
        let args = ["eval", text(&set), "--no-track", "--report", text(report), "--json", text(out)];
        run(args.iter().chain(more))
    };
    stdout(&eval(&at("whole"), &at("whole.json"), &[]));
    let whole = json(&at("whole.json"));
    assert_eq!(whole["per_sequence"]["cat"]["n"], 24);
    assert!(whole["jitter"]["value"].as_f64().unwrap() >= 0.0);

    let page = fs::read_to_string(at("whole/report.html")).unwrap();
    for part in ["GT-known Loc", "data:image/jpeg", "<svg", "cat/000.png", "camloc eval"] {
        assert!(page.contains(part), "no {part} in the report");
    }
    for outside in ["<script", "<link", "src=\"http", "url(http"] {
        assert!(!page.contains(outside), "the report loads {outside}");
    }

    // As a killed run leaves it: the first eight frames, and half a line.
    let journal = fs::read_to_string(at("whole/journal.jsonl")).unwrap();
    let lines: Vec<&str> = journal.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 25);
    write(&at("cut/journal.jsonl"), [lines[..9].concat(), lines[9][..40].to_owned()].concat());
    let output = eval(&at("cut"), &at("cut.json"), &[]);
    stdout(&output);
    assert!(words(&output).contains("8 pictures done before"), "{}", words(&output));
    assert_eq!(fs::read(at("cut.json")).unwrap(), fs::read(at("whole.json")).unwrap());

    // Other settings give other figures.
    let output = eval(&at("cut"), &at("other.json"), &["--threshold", "0.5"]);
    stdout(&output);
    assert!(words(&output).contains("beginning anew"), "{}", words(&output));
    assert_ne!(json(&at("other.json"))["box_iou"], whole["box_iou"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_is_done() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let set = at("set");
    frames(&set, 30);
    let report = at("report");
    let args = ["eval", text(&set), "--no-track", "--report", text(&report)];
    let mut command = camloc();
    command.args(args).stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let journal = report.join("journal.jsonl");
    let lines = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    for _ in 0..12_000 {
        if lines() >= 3 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    press_ctrl_c(&child);
    let output = child.wait_with_output().unwrap();
    assert_refused(&output, 1, &["stopped after", "of 30 pictures"]);
    let kept = lines() - 1;
    assert!((2..30).contains(&kept), "{kept}");
    let output = run(args);
    stdout(&output);
    assert!(words(&output).contains(&format!("{kept} pictures done before")), "{}", words(&output));
}

#[test]
fn a_run_differs_from_itself_by_nothing_and_from_a_worse_one_by_something() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    csv(&at("set"));
    frames(&at("video"), 3);
    let eval = |set: &str, more: &[&str]| {
        let set = at(set);
        run(["eval", text(&set)].iter().chain(more))
    };
    let (first, second) = (at("first.json"), at("second.json"));
    stdout(&eval("set", &["--json", text(&first)]));
    let table = stdout(&eval("set", &["--against", text(&first), "--json", text(&second)]));
    assert!(table.contains("against"), "{table}");
    let comparison = &json(&second)["comparison"];
    assert_eq!(comparison["pairs"], 2);
    for key in ["gt_known_loc", "box_iou", "pointing", "top1"] {
        let found = &comparison["metrics"][key];
        assert_eq!(
            (&found["difference"], &found["low"], &found["high"]),
            (&json!(0.0), &json!(0.0), &json!(0.0))
        );
    }
    stdout(&eval("set", &["--threshold", "0.9", "--against", text(&first), "--json", text(&second)]));
    assert!(json(&second)["comparison"]["metrics"]["box_iou"]["high"].as_f64().unwrap() < 0.0);
    assert_refused(&eval("video", &["--against", text(&first)]), 1, &["shares no picture"]);
    assert_refused(
        &eval("set", &["--against", text(&at("set/boxes.csv"))]),
        1,
        &["boxes.csv", "camloc eval --json"],
    );
}

#[test]
fn faithfulness_is_measured_where_it_is_asked_for() {
    let folder = folder();
    csv(folder.path());
    let output = run(["eval", text(folder.path()), "--limit", "1", "--faithfulness", "--json", "-"]);
    let results: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let value = |key: &str| results[key]["value"].as_f64().unwrap();
    assert!(
        value("insertion_auc") > value("deletion_auc"),
        "{} {}",
        value("insertion_auc"),
        value("deletion_auc")
    );
    for key in ["average_drop", "increase_in_confidence"] {
        assert!((0.0..=1.0).contains(&value(key)) && results[key]["n"] == 1, "{key}");
    }
}
