use std::collections::BTreeMap;
use std::fs;

use image::{DynamicImage, ImageFormat, RgbImage};

use super::super::{Class, Item};
use super::*;
use crate::dataset::{Classes, Reading, open};
use crate::model::Labels;
use crate::render::{HeatScale, TextRenderer};
use crate::source::read_photo;

/// Names of pictures, what they are, and the size of the upright picture.
const PICTURES: [(&str, Kind, (u32, u32)); 6] = [
    ("cats/a b.png", Kind::Plain(ImageFormat::Png), (40, 30)),
    ("dogs/a b.png", Kind::Plain(ImageFormat::Png), (41, 31)),
    ("곰/사진 1.jpeg", Kind::Plain(ImageFormat::Jpeg), (640, 333)),
    ("turned.jpg", Kind::Turned, (30, 64)),
    ("moving.gif", Kind::Plain(ImageFormat::Gif), (50, 50)),
    ("page.webp", Kind::Plain(ImageFormat::WebP), (24, 36)),
];

#[derive(Clone, Copy)]
enum Kind {
    Plain(ImageFormat),
    /// By a quarter, by its EXIF orientation.
    Turned,
}

fn encode((width, height): (u32, u32), format: ImageFormat) -> Vec<u8> {
    let gradient =
        RgbImage::from_fn(width, height, |x, y| image::Rgb([(x % 256) as u8, (y % 256) as u8, 99]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::from(gradient).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn file(kind: Kind, size: (u32, u32)) -> Vec<u8> {
    match kind {
        Kind::Plain(format) => encode(size, format),
        Kind::Turned => {
            let jpeg = encode((size.1, size.0), ImageFormat::Jpeg);
            let exif =
                b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
            [&jpeg[..2], exif, &jpeg[2..]].concat()
        }
    }
}

/// Pictures on disk, and what was found on them: the first and the last pixel, the middle.
fn labelled(folder: &Path) -> (Input, Vec<Finding>) {
    let class = |name: &str, id| Class { name: name.into(), accepted: vec![id] };
    let mut input = Input {
        classes: vec![class("tiger cat", 282), class("곰 & <bär>", 294)],
        pictures: vec![],
        beside: 0,
    };
    let mut findings = Vec::new();
    for (i, (name, kind, (width, height))) in PICTURES.into_iter().enumerate() {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, file(kind, (width, height))).unwrap();
        input.pictures.push(Item { name: name.into(), path, class: None });
        let object = |class, bbox| Object { class, bbox, score: Some(0.1 * (i + 1) as f32) };
        let mut objects =
            vec![object(i % 2, [0, 0, width / 2, height / 3]), object(0, [3, 4, width, height])];
        objects.truncate(if i == 4 { 1 } else { 2 });
        findings.push(Finding::Found { size: (width, height), objects });
    }
    input.pictures.push(Item { name: "fog.jpg".into(), path: folder.join("fog.jpg"), class: None });
    findings.push(Finding::Skipped(Skip { reason: Reason::Unsure, score: Some(0.01), what: String::new() }));
    (input, findings)
}

fn outline(format: DetectorFormat) -> Outline {
    Outline { format, val: 0.3, seed: 0, link: false, about: Value::Null }
}

fn write_to(
    input: &Input,
    findings: &mut [Finding],
    output: &Path,
    outline: &Outline,
) -> Result<Written, LabellingError> {
    let mut renderer = Renderer::new(HeatScale::still(), TextRenderer::new());
    write(input, findings, output, outline, &mut renderer, &Stop::new(), &mut |_| {})
}

/// By stem and class, the boxes that `camloc eval` reads, each picture decoded and of the size that the truth says.
fn read(paths: &[PathBuf]) -> BTreeMap<(String, String), Vec<[f64; 4]>> {
    let labels = Labels::imagenet();
    let classes = Classes::new(&labels, &["곰 & <bär>=294".parse().unwrap()]).unwrap();
    let mut read = BTreeMap::new();
    for path in paths {
        let dataset = open(path, Reading::default(), &classes).unwrap();
        assert_eq!(dataset.faults.summary(), "");
        for sample in dataset.samples {
            let picture = read_photo(&sample.picture).unwrap();
            let mut faults = Vec::new();
            let mut boxes = sample.settle(picture.size(), &mut faults).unwrap().boxes;
            assert_eq!(faults, []);
            boxes.sort_by(|a, b| a[0].total_cmp(&b[0]));
            let stem = sample.picture.file_stem().unwrap().to_string_lossy().into_owned();
            read.insert((stem, sample.class), boxes);
        }
    }
    read
}

/// What should be read.
fn expected(input: &Input, findings: &[Finding]) -> BTreeMap<(String, String), Vec<[f64; 4]>> {
    let mut names = Names::default();
    let mut expected: BTreeMap<_, Vec<[f64; 4]>> = BTreeMap::new();
    for (item, finding) in input.pictures.iter().zip(findings) {
        let Finding::Found { objects, .. } = finding else { continue };
        let stem = names.give(&item.name);
        for object in objects {
            let key = (stem.clone(), input.classes[object.class].name.clone());
            expected.entry(key).or_default().push(object.bbox.map(f64::from));
        }
    }
    expected
}

#[test]
fn what_is_written_is_what_camloc_eval_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (input, mut findings) = labelled(&folder.path().join("in"));
    for format in DetectorFormat::ALL {
        let out = folder.path().join("out").join(format.name());
        let written = write_to(&input, &mut findings, &out, &outline(format)).unwrap();
        assert_eq!((written.train + written.val, written.objects), (6, 11));
        assert!(written.val > 0 && written.train > 0);
        let paths = match format {
            DetectorFormat::Coco => {
                ["train", "val"].map(|part| out.join(format!("annotations/instances_{part}.json"))).to_vec()
            }
            DetectorFormat::Yolo | DetectorFormat::Voc => vec![out.clone()],
        };
        assert_eq!(read(&paths), expected(&input, &findings), "{format}");
    }
}

#[test]
fn every_picture_is_of_a_kind_that_readers_load_alike() {
    let folder = tempfile::tempdir().unwrap();
    let (input, findings) = labelled(&folder.path().join("in"));
    let names = |format: &str| {
        let out = folder.path().join("out").join(format);
        let written =
            write_to(&input, &mut findings.clone(), &out, &outline(format.parse().unwrap())).unwrap();
        let mut names = Vec::new();
        for part in ["images/train", "images/val", "JPEGImages"] {
            let entries = fs::read_dir(out.join(part)).into_iter().flatten();
            names.extend(entries.map(|entry| entry.unwrap().path()));
        }
        names.sort_by_key(|path| path.file_name().unwrap().to_owned());
        (names, written.encoded)
    };
    let (yolo, encoded) = names("yolo");
    let called = |paths: &[PathBuf]| -> Vec<String> {
        paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    };
    let expected = ["cats_a b.png", "dogs_a b.png", "moving.png", "page.webp", "turned.jpg", "곰_사진 1.jpg"];
    assert_eq!((called(&yolo), encoded), (expected.map(str::to_owned).to_vec(), 2));
    // What was whole is copied byte by byte; what was turned stands upright, and no reader can turn it.
    assert_eq!(fs::read(&yolo[0]).unwrap(), fs::read(&input.pictures[0].path).unwrap());
    let upright = fs::read(&yolo[4]).unwrap();
    assert_eq!(image::load_from_memory(&upright).unwrap().to_rgb8().dimensions(), (30, 64));
    assert!(!upright.windows(4).any(|window| window == b"Exif"));
    // Readers of VOC look for .jpg alone.
    let (voc, _): (Vec<PathBuf>, usize) = names("voc");
    assert!(called(&voc).iter().all(|name| name.ends_with(".jpg")) && voc.len() == 6);
    for path in voc {
        assert_eq!(image::guess_format(&fs::read(path).unwrap()).unwrap(), ImageFormat::Jpeg);
    }
}

#[cfg(unix)]
#[test]
fn links_are_made_where_no_reader_would_write_to_the_users_own_file() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let (input, mut findings) = labelled(&folder.path().join("in"));
    let korean = &input.pictures[2].path;
    let links = |out: &str, findings: &mut [Finding]| {
        let linked = Outline { link: true, ..outline(DetectorFormat::Voc) };
        write_to(&input, findings, &folder.path().join(out), &linked).unwrap();
        fs::metadata(korean).unwrap().nlink()
    };
    assert_eq!(links("first", &mut findings), 2);
    // Some readers mend a file that goes on after its end, where it stands.
    let mut bytes = fs::read(korean).unwrap();
    bytes.extend(b"\0\0\0");
    fs::remove_file(korean).unwrap();
    fs::write(korean, bytes).unwrap();
    assert_eq!(links("second", &mut findings), 1);
}

#[test]
fn what_is_left_out_is_listed_and_so_is_where_every_box_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let (input, mut findings) = labelled(&folder.path().join("in"));
    fs::remove_file(&input.pictures[0].path).unwrap();
    fs::write(&input.pictures[1].path, encode((9, 9), ImageFormat::Png)).unwrap();
    fs::write(&input.pictures[5].path, "\"text\", not a picture").unwrap();
    let out = folder.path().join("out");
    let written = write_to(&input, &mut findings, &out, &outline(DetectorFormat::Yolo)).unwrap();
    assert_eq!(written.train + written.val, 3);
    let rows = |name: &str| -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_path(out.join(name)).unwrap();
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    };
    let skipped = rows("skipped.csv");
    let reasons: Vec<(&str, &str)> = skipped.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
    let unreadable = ["cats/a b.png", "dogs/a b.png", "page.webp"].map(|name| (name, "unreadable"));
    assert_eq!(reasons, [unreadable.as_slice(), &[("fog.jpg", "unsure")]].concat());
    assert!(skipped[1][3].contains("another picture than the one that was labelled"), "{skipped:?}");
    let labels = rows("labels.csv");
    assert_eq!((labels.len(), labels[0].len()), (5, 8));
    let gif = labels.iter().find(|row| row[1] == "moving.gif").unwrap();
    assert!(gif[0].ends_with("moving.png") && gif[3] == "0.5000", "{gif:?}");
    let sheet = image::open(out.join("sheet.jpg")).unwrap();
    assert!(sheet.width() > 1000);
}

#[test]
fn nothing_is_written_where_nothing_is_left_or_the_run_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (input, mut findings) = labelled(&folder.path().join("in"));
    let mut renderer = Renderer::new(HeatScale::still(), TextRenderer::new());
    let stop = Stop::new();
    stop.stop();
    let out = folder.path().join("out");
    let stopped =
        write(&input, &mut findings, &out, &outline(DetectorFormat::Coco), &mut renderer, &stop, &mut |_| {});
    assert!(matches!(stopped, Err(LabellingError::Stopped)));
    input.pictures.iter().for_each(|item| drop(fs::remove_file(&item.path)));
    let error = write_to(&input, &mut findings, &out, &outline(DetectorFormat::Voc)).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "no picture is left for a dataset: 6 pictures that can't be read, 1 picture in which"
        )
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing but the input");
}
