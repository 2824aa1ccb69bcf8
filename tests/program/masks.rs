//! `--masks` of `camloc image`, `video` and `eval`.

use std::fs;
use std::path::Path;

use camloc::localize::Runs;
use serde_json::Value;

use super::support::{assert_refused, cat, cat_clip, folder, names_in, run, sample_photos, stdout, text};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Width, height and the indices of a palette PNG.
fn indices(path: &Path) -> (u32, u32, Vec<u8>) {
    let mut decoder = png::Decoder::new(std::io::BufReader::new(fs::File::open(path).unwrap()));
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().unwrap();
    assert_eq!(reader.output_color_type(), (png::ColorType::Indexed, png::BitDepth::Eight));
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height, pixels)
}

/// Twice the area of a polygon `[x0, y0, x1, y1, …]`.
fn doubled_area(polygon: &Value) -> i64 {
    let values: Vec<i64> = polygon.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
    let corners: Vec<&[i64]> = values.chunks_exact(2).collect();
    let next = corners.iter().cycle().skip(1);
    corners.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum()
}

#[test]
fn photos_have_the_same_masks_in_every_format() {
    let folder = folder();
    let out = |name: &str| folder.path().join(name);
    let photos = sample_photos();
    for format in ["png", "rle", "polygons"] {
        let args = ["image", text(&photos), "--top-k", "3", "--masks", format, "-o"];
        stdout(&run(args.into_iter().chain([text(&out(format))])));
    }
    let names = fs::read_to_string(out("png/masks/labels.txt")).unwrap();
    let names: Vec<&str> = names.lines().collect();
    assert_eq!(names[0], "background");
    let (runs, polygons) = (json(&out("rle/masks.json")), json(&out("polygons/masks.json")));
    assert_eq!(runs["categories"], polygons["categories"]);
    let index = |annotation: &Value| {
        let category = &annotation["category_id"];
        let named = runs["categories"].as_array().unwrap().iter().find(|c| c["id"] == *category).unwrap();
        names.iter().position(|name| *name == named["name"].as_str().unwrap()).unwrap() as u8
    };
    let mut masks = 0;
    for image in runs["images"].as_array().unwrap() {
        let stem = Path::new(image["file_name"].as_str().unwrap()).file_stem().unwrap().to_str().unwrap();
        let (width, height, pixels) = indices(&out("png/masks").join(format!("{stem}.png")));
        assert_eq!(
            (image["width"].as_u64(), image["height"].as_u64()),
            (Some(width.into()), Some(height.into()))
        );
        let mut decoded = vec![0; pixels.len()];
        let of = |coco: &Value| -> Vec<Value> {
            let all = coco["annotations"].as_array().unwrap().clone();
            all.into_iter().filter(|annotation| annotation["image_id"] == image["id"]).collect()
        };
        for (run, polygon) in of(&runs).iter().zip(of(&polygons)) {
            let mask =
                Runs::from_text(width, height, run["segmentation"]["counts"].as_str().unwrap()).unwrap();
            mask.paint(&mut decoded, index(run));
            let areas = polygon["segmentation"].as_array().unwrap().iter().map(doubled_area);
            assert_eq!(areas.sum::<i64>(), 2 * mask.area() as i64);
            assert_eq!((&run["area"], &run["bbox"]), (&polygon["area"], &polygon["bbox"]));
            masks += 1;
        }
        assert!(decoded == pixels, "{stem}");
        assert!(
            out("png").join(format!("{stem}.cam.png")).exists()
                || out("png").join(format!("{stem}.cam.jpg")).exists()
        );
    }
    assert!(masks >= 2);
}

#[test]
fn a_photo_without_a_sure_class_has_an_empty_mask() {
    let folder = folder();
    let out = folder.path().join("out");
    stdout(&run(["image", text(&cat()), "--min-score", "1", "--masks", "png", "-o", text(&out)]));
    let (width, height, pixels) = indices(&out.join("masks/chelsea.png"));
    assert_eq!((width, height), (451, 300));
    assert!(pixels.iter().all(|&index| index == 0));
    assert_eq!(fs::read_to_string(out.join("masks/labels.txt")).unwrap(), "background\n");
}

#[test]
fn a_video_has_a_mask_for_each_frame_and_the_overlay_beside() {
    let folder = folder();
    let clip = cat_clip(folder.path(), 1);
    let out = folder.path().join("out");
    stdout(&run(["video", text(&clip), "--masks", "png", "-o", text(&out)]));
    assert_eq!(names_in(&out), ["cat.cam.mp4", "masks"]);
    let masks = names_in(&out.join("masks"));
    assert_eq!((masks.len(), masks[0].as_str(), masks[25].as_str()), (26, "cat-000000.png", "labels.txt"));
    let (width, height, pixels) = indices(&out.join("masks/cat-000012.png"));
    assert_eq!((width, height), (320, 240));
    assert!(pixels.iter().filter(|&&index| index > 0).count() > 320 * 240 / 20);
    // The class of a pixel is the one that its box is named by.
    let rle = folder.path().join("rle");
    let lines = stdout(&run(["video", text(&clip), "--masks", "rle", "--json", "-", "-o", text(&rle)]));
    let coco = json(&rle.join("masks.json"));
    let mut annotations = coco["annotations"].as_array().unwrap().iter();
    for line in super::support::json_lines(&lines) {
        for detection in line["detections"].as_array().unwrap() {
            let annotation = annotations.next().unwrap();
            let keys = ["score", "track"];
            assert_eq!(keys.map(|key| &annotation[key]), keys.map(|key| &detection[key]));
            assert_eq!(annotation["category_id"], detection["class_id"]);
        }
    }
    assert!(annotations.next().is_none());
}

#[test]
fn eval_writes_the_masks_that_it_measures_and_spares_the_truth() {
    let folder = folder();
    let set = folder.path().join("set");
    for part in ["images/tabby", "masks/tabby"] {
        fs::create_dir_all(set.join(part)).unwrap();
    }
    let photo = image::open(cat()).unwrap().to_rgb8();
    photo.save(set.join("images/tabby/a.png")).unwrap();
    let truth = image::GrayImage::from_fn(451, 300, |x, y| {
        image::Luma([if (60..390).contains(&x) && (20..290).contains(&y) { 255 } else { 0 }])
    });
    truth.save(set.join("masks/tabby/a.png")).unwrap();

    let (out, report) = (folder.path().join("out"), folder.path().join("report"));
    let results = folder.path().join("eval.json");
    let evaluate = |format: &str| {
        let args = ["eval", text(&set), "--masks", format, "-o", text(&out)];
        stdout(&run(args.into_iter().chain(["--report", text(&report), "--json", text(&results)])))
    };
    evaluate("png");
    let (width, height, pixels) = indices(&out.join("masks/tabby/a.png"));
    let overlap = |count: fn(bool, bool) -> bool| {
        pixels.iter().zip(truth.as_raw()).filter(|(found, is)| count(**found > 0, **is > 0)).count() as f64
    };
    let iou = overlap(|a, b| a && b) / overlap(|a, b| a || b);
    let measured = json(&results)["mask_iou"]["value"].as_f64().unwrap();
    assert!((iou - measured).abs() < 0.01, "{iou} is not {measured}");
    // The second run takes the masks from its journal.
    evaluate("rle");
    let coco = json(&out.join("masks.json"));
    assert_eq!(coco["images"][0]["file_name"], "tabby/a.png");
    let counts = coco["annotations"][0]["segmentation"]["counts"].as_str().unwrap();
    let mut decoded = vec![0; pixels.len()];
    Runs::from_text(width, height, counts).unwrap().paint(&mut decoded, 1);
    assert!(decoded == pixels);

    let onto_truth = run(["eval", text(&set), "--masks", "png", "-o", text(&set)]);
    assert_refused(&onto_truth, 1, &["a.png", "read by this run"]);
    assert_eq!(image::open(set.join("masks/tabby/a.png")).unwrap().to_luma8(), truth);
}

#[test]
fn masks_without_a_place_and_unknown_formats_are_refused() {
    let folder = folder();
    let photo = cat();
    let out = folder.path().join("out");
    let refused = |args: &[&str], words: &[&str]| {
        assert_refused(&run(args), 2, words);
        assert!(!out.exists());
    };
    refused(&["image", text(&photo), "--masks", "gif", "-o", text(&out)], &["gif", "png, rle or polygons"]);
    refused(&["image", text(&photo), "--masks", "png"], &["-o DIR"]);
    refused(&["image", text(&photo), "--masks", "png", "-o", "cat.png"], &["cat.png", "-o DIR"]);
    refused(&["eval", text(folder.path()), "--masks", "png"], &["-o DIR"]);
    let clip = cat_clip(folder.path(), 1);
    refused(&["video", text(&clip), "--masks", "rle", "-o", "x.mp4"], &["x.mp4", "-o DIR"]);
    // Photos in the folder of masks are not written over.
    let photos = folder.path().join("set/masks");
    fs::create_dir_all(&photos).unwrap();
    fs::copy(&photo, photos.join("a.png")).unwrap();
    let set = folder.path().join("set");
    let output = run(["image", text(&photos), "--masks", "png", "-o", text(&set)]);
    assert_refused(&output, 1, &["a.png", "read by this run"]);
    // Of someone else's list of names nothing is lost.
    let theirs = out.join("masks/labels.txt");
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, "cat\ndog\n").unwrap();
    let output = run(["image", text(&photo), "--masks", "png", "-o", text(&out)]);
    assert_refused(&output, 1, &["labels.txt", "another folder"]);
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "cat\ndog\n");
}
