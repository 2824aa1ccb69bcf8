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
