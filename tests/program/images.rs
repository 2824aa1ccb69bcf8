//! `camloc image`.

use std::fs;
use std::process::Stdio;

use super::support::{
    assert_refused, camloc, cat, folder, json_lines, names_in, run, sample_photos, stdout, text,
};

#[test]
fn a_photo_of_a_cat_gives_a_box_on_the_cat() {
    let output = run(["image", text(&cat()), "--json", "-"]);
    let lines = json_lines(&stdout(&output));
    assert_eq!(lines.len(), 1);
    let result = &lines[0];
    assert_eq!(result["schema"], 1);
    assert_eq!(result["frame"], 0);
    assert_eq!((result["width"].as_u64(), result["height"].as_u64()), (Some(451), Some(300)));
    let detection = &result["detections"][0];
    assert!(
        detection["label"].as_str().unwrap().contains("cat") || detection["label"] == "tabby",
        "{detection}"
    );
    assert!(detection["score"].as_f64().unwrap() > 0.3);
    // The face of the cat fills the middle of the photo.
    let corner = |i: usize| detection["box"][i].as_u64().unwrap();
    assert!(corner(0) < 200 && corner(2) > 250 && corner(2) <= 451, "{detection}");
    assert!(corner(1) < 120 && corner(3) > 150 && corner(3) <= 300, "{detection}");
}

#[test]
fn the_overlay_is_written_where_told_and_keeps_the_photos_size() {
    let folder = folder();
    let out = folder.path().join("out");
    stdout(&run(["image", text(&cat()), "-o", text(&out)]));
    let names = names_in(&out);
    assert_eq!(names.len(), 1, "{names:?}");
    let overlay = image::open(out.join(&names[0])).unwrap().to_rgb8();
    assert_eq!(overlay.dimensions(), (451, 300));
    let photo = image::open(cat()).unwrap().to_rgb8();
    let changed = overlay.pixels().zip(photo.pixels()).filter(|(a, b)| a != b).count();
    assert!(changed > 451 * 300 / 10, "the heatmap shows");
}

#[test]
fn one_file_takes_one_overlay_of_a_kind_that_is_written() {
    let folder = folder();
    let (png, gif) = (folder.path().join("both.png"), folder.path().join("cat.gif"));
    let both = run(["image", text(&cat()), text(&cat()), "-o", text(&png)]);
    assert_refused(&both, 2, &["one file for 2 photos", "name a folder"]);
    assert_refused(&run(["image", text(&cat()), "-o", text(&gif)]), 2, &["cat.gif", ".png, .jpg or .jpeg"]);
    assert!(names_in(folder.path()).is_empty());
}

#[test]
fn a_folder_is_read_in_order_and_one_bad_photo_does_not_stop_the_rest() {
    let folder = folder();
    for name in ["b2.png", "b10.png"] {
        fs::copy(cat(), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("b3.jpg"), "this is text").unwrap();
    let output = run(["image", text(folder.path()), "--json", "-"]);
    assert_refused(&output, 1, &["b3.jpg"]);
    let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
    let names: Vec<&str> = lines.iter().map(|line| line["source"].as_str().unwrap()).collect();
    assert!(names[0].ends_with("b2.png") && names[1].ends_with("b10.png"), "{names:?}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_photo_comes_in_on_standard_input() {
    let mut command = camloc();
    command.args(["image", "-", "--json", "-"]).stdin(fs::File::open(cat()).unwrap());
    let output = command.stdout(Stdio::piped()).output().unwrap();
    assert_eq!(json_lines(&stdout(&output)).len(), 1);
}

#[test]
fn several_classes_are_explained_in_one_pass_and_a_class_can_be_locked() {
    let output = run([
        "image",
        text(&cat()),
        "--json",
        "-",
        "--class",
        "espresso",
        "--class",
        "285",
        "--min-score",
        "0",
    ]);
    let lines = json_lines(&stdout(&output));
    let ids: Vec<u64> =
        lines[0]["detections"].as_array().unwrap().iter().map(|d| d["class_id"].as_u64().unwrap()).collect();
    assert!(ids.contains(&285) && ids.contains(&967), "both locked classes are reported: {ids:?}");
}

#[test]
fn coco_output_opens_as_coco() {
    let folder = folder();
    let file = folder.path().join("coco.json");
    stdout(&run(["image", text(&sample_photos()), "--coco", text(&file)]));
    let coco: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let annotations = coco["annotations"].as_array().unwrap();
    assert!(!annotations.is_empty());
    for annotation in annotations {
        let image = annotation["image_id"].as_u64().unwrap();
        assert!(coco["images"].as_array().unwrap().iter().any(|i| i["id"].as_u64() == Some(image)));
        assert!(annotation["bbox"][2].as_f64().unwrap() > 0.0);
    }
}

/// Intersection over union of the one box found and `truth`.
fn overlap(line: &serde_json::Value, truth: [f64; 4]) -> f64 {
    let side = |i: usize| line["detections"][0]["box"][i].as_f64().unwrap();
    let found = [side(0), side(1), side(2), side(3)];
    let area = |b: [f64; 4]| (b[2] - b[0]).max(0.0) * (b[3] - b[1]).max(0.0);
    let common = area([
        found[0].max(truth[0]),
        found[1].max(truth[1]),
        found[2].min(truth[2]),
        found[3].min(truth[3]),
    ]);
    common / (area(found) + area(truth) - common)
}

#[test]
fn a_small_object_is_boxed_better_by_a_closer_look() {
    let folder = folder();
    let mut scene = image::RgbImage::from_fn(800, 600, |_, y| image::Rgb([140 - (y / 12) as u8; 3]));
    let small = image::open(cat()).unwrap().resize(220, 220, image::imageops::FilterType::Triangle).to_rgb8();
    image::imageops::replace(&mut scene, &small, 480, 380);
    let photo = folder.path().join("far away.png");
    scene.save(&photo).unwrap();
    let truth = [480.0, 380.0, 480.0 + f64::from(small.width()), 380.0 + f64::from(small.height())];
    let seen = |more: &[&str]| {
        let arguments = ["image", text(&photo), "--class", "tabby", "--json", "-"];
        json_lines(&stdout(&run([&arguments[..], more].concat()))).swap_remove(0)
    };
    let (far, near) = (seen(&[]), seen(&["--closer"]));
    assert_eq!(near["made_by"]["method"], "cam refined closer");
    assert!(overlap(&near, truth) > 0.55, "{near}");
    assert!(overlap(&near, truth) > overlap(&far, truth) + 0.1, "{far} {near}");
    assert_eq!(near["detections"][0]["score"], far["detections"][0]["score"], "sure by the whole picture");
    // What is said without the region starts from the whole picture, too.
    let (far, near) = (seen(&["--what-if"]), seen(&["--what-if", "--closer"]));
    let before = |line: &serde_json::Value| line["without"]["changes"][0]["before"].as_f64();
    assert!(before(&far).is_some() && before(&far) == before(&near), "{far} {near}");
    assert_refused(&run(["image", text(&photo), "--closer", "--method", "rise"]), 2, &["--closer", "rise"]);
}

#[test]
fn nothing_found_says_what_was_near_and_why_it_is_left_out() {
    let said = stdout(&run(["image", text(&cat()), "-o", text(folder().path()), "--min-score", "0.999"]));
    assert!(said.contains("nothing found (best: ") && said.contains("below --min-score 0.999)"), "{said}");
    let said = stdout(&run(["image", text(&cat()), "-o", text(folder().path()), "--min-area", "1"]));
    assert!(said.contains("nothing found (best: ") && said.contains("marks nothing"), "{said}");
}

#[test]
fn the_one_file_that_is_written_is_named() {
    let folder = folder();
    let image = |photo: &str| {
        let mut command = camloc();
        command.args(["image", photo]).stdin(fs::File::open(cat()).unwrap()).current_dir(&folder);
        let output = command.output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = image(text(&cat()));
    assert!(said.contains("chelsea.cam.png (1 photo)"), "{said}");
    let said = image("-");
    assert!(said.contains("stdin.cam.png (1 photo)"), "{said}");
    assert_eq!(names_in(folder.path()), ["chelsea.cam.png", "stdin.cam.png"]);
}
