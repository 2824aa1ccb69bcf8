//! Every format says the same of the same truth, and what is wrong is named and counted.

use std::path::Path;

use super::*;
use crate::model::Labels;

/// Writes files below a folder; pictures are 40 x 30 grey dots' worth of PGM.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

/// A black picture of 40 x 30 pixels, white inside a box.
fn picture([x0, y0, x1, y1]: [usize; 4]) -> Vec<u8> {
    let mut bytes = b"P5 40 30 255\n".to_vec();
    bytes.extend((0..1200).map(|at| {
        let (x, y) = (at % 40, at / 40);
        if (x0..x1).contains(&x) && (y0..y1).contains(&y) { 255 } else { 0 }
    }));
    bytes
}

fn black() -> Vec<u8> {
    picture([0; 4])
}

fn read(path: &Path) -> Result<Dataset, DatasetError> {
    let labels = Labels::imagenet();
    let classes = Classes::new(&labels, &["swan=black swan".parse().unwrap()]).unwrap();
    open(path, Reading::default(), &classes)
}

/// What is left of each sample on its picture of 40 x 30, by name.
fn settled(dataset: &Dataset) -> Vec<(String, Vec<usize>, Vec<[f64; 4]>)> {
    let mut faults = Vec::new();
    let boxes = |sample: &Sample, faults: &mut Vec<Fault>| sample.settle((40, 30), faults).unwrap().boxes;
    let samples = dataset.samples.iter();
    let all = samples
        .map(|sample| (sample.name.clone(), sample.accepted.clone(), boxes(sample, &mut faults)))
        .collect();
    assert_eq!(faults, []);
    all
}

#[test]
fn every_format_says_the_same_of_the_same_truth() {
    let (blank, mask) = (black(), picture([10, 5, 30, 20]));
    let picture = |name| (name, blank.as_slice());
    let csv = folder(&[
        picture("images/a.pgm"),
        ("boxes.csv", b"image,class_name,x0,y0,x1,y1\na.pgm,swan,10,5,30,20\n"),
    ]);
    let voc = folder(&[
        picture("JPEGImages/a.pgm"),
        (
            "Annotations/a.xml",
            b"<annotation><filename>a.pgm</filename><size><width>40</width><height>30</height></size><object>\
              <name>swan</name><bndbox><xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>20</ymax></bndbox></object>\
              </annotation>",
        ),
    ]);
    let coco = |annotation: &str| {
        let text = format!(
            r#"{{"images":[{{"id":1,"file_name":"a.pgm","width":40,"height":30}}],
                "annotations":[{{"id":1,"image_id":1,"category_id":3,{annotation}}}],
                "categories":[{{"id":3,"name":"swan"}}]}}"#
        );
        folder(&[picture("images/a.pgm"), ("annotations/instances.json", text.as_bytes())])
    };
    let boxed = coco(r#""bbox":[10,5,20,15]"#);
    let polygon = coco(r#""segmentation":[[10,5,30,5,30,20,10,20]]"#);
    // Ten columns and five rows of background, then object and background 15 pixels each, 20 times; the rest.
    let counts = format!("305{},310", ",15".repeat(39));
    let runs = coco(&format!(r#""iscrowd":1,"segmentation":{{"size":[30,40],"counts":[{}]}}"#, counts));
    let yolo = folder(&[
        picture("images/a.pgm"),
        ("labels/a.txt", b"1 0.5 0.416667 0.5 0.5\n"),
        ("data.yaml", b"path: .\nnames:\n  0: cat\n  1: swan\n"),
    ]);
    let segments = folder(&[
        picture("images/a.pgm"),
        ("labels/a.txt", b"1 0.25 0.1666667 0.75 0.1666667 0.75 0.6666667 0.25 0.6666667\n"),
        ("data.yaml", b"names: [cat, 'swan']\n"),
    ]);
    let masks = folder(&[picture("images/swan/a.pgm"), ("masks/swan/a.pgm", &mask)]);
    for (folder, format) in [
        (csv, Format::BoxesCsv),
        (voc, Format::Voc),
        (boxed, Format::Coco),
        (polygon, Format::Coco),
        (runs, Format::Coco),
        (yolo, Format::Yolo),
        (segments, Format::Yolo),
        (masks, Format::Masks),
    ] {
        let dataset = read(folder.path()).unwrap();
        assert_eq!(dataset.format, format);
        let found = settled(&dataset);
        assert_eq!(found.len(), 1, "{format:?}");
        assert!(
            found[0].0.ends_with("a.pgm") && dataset.samples[0].picture.is_file(),
            "{format:?} {found:?}"
        );
        assert_eq!((&found[0].1, &found[0].2), (&vec![100], &vec![[10.0, 5.0, 30.0, 20.0]]), "{format:?}");
        assert_eq!(dataset.faults, Faults::default(), "{format:?}");
        let mut faults = Vec::new();
        if let Some(mask) = dataset.samples[0].settle((40, 30), &mut faults).unwrap().mask {
            assert_eq!(mask.bbox(), Some([10.0, 5.0, 30.0, 20.0]), "{format:?}");
            assert_eq!(mask.pixels.iter().filter(|&&cell| cell).count(), 300, "{format:?}");
        }
    }
}

#[test]
fn what_is_wrong_with_rows_is_counted_and_the_rest_is_kept() {
    let rows = "image,class_name,imagenet_id_or_blank,x0,y0,x1,y1,width,height,imagenet_ids_alt,note\n\
                a.pgm,black swan,100,1,2,20,20,40,30,,\n\
                a.pgm,black swan,100,1,2,20,20,40,30,,again\n\
                a.pgm,black swan,100,5,5,5,20,40,30,,no width\n\
                a.pgm,raccoon,,1,2,20,20,40,30,,\n\
                a.pgm,black swan,100,one,2,20,20,40,30,,\n\
                b.pgm,dog,,1,2,20,20,40,30,151|152,\n\
                a.pgm,car,656,1,2,20,20,40,30,436|656,\n\
                short\n";
    let folder = folder(&[("boxes.csv", rows.as_bytes())]);
    let dataset = read(folder.path()).unwrap();
    let names: Vec<&str> = dataset.samples.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(names, ["a.pgm#black swan", "a.pgm#car", "b.pgm"]);
    let explained: Vec<Option<usize>> = dataset.samples.iter().map(|sample| sample.explained).collect();
    assert_eq!(explained, [Some(100), Some(656), None]);
    let counts = [FaultKind::DuplicateRow, FaultKind::EmptyBox, FaultKind::UnknownClass, FaultKind::BadRow];
    assert_eq!(counts.map(|kind| dataset.faults.count(kind)), [1, 1, 1, 2]);
    assert!(dataset.faults.summary().contains("boxes.csv line 3"), "{}", dataset.faults.summary());
}

#[test]
fn a_set_without_truth_is_refused_with_the_reason() {
    let refusal = |files: &[(&str, &[u8])]| read(folder(files).path()).unwrap_err().to_string();
    let blank = black();
    let words = refusal(&[("images/a.pgm", &blank)]);
    assert!(words.contains("holds no ground truth that camloc knows"), "{words}");
    let words = refusal(&[("boxes.csv", b"image,class_name,x0,y0,x1,y1\n")]);
    assert!(words.ends_with("has no box or mask to compare with"), "{words}");
    let words = refusal(&[("boxes.csv", b"image,class_name,x0,y0,x1,y1\na.jpg,raccoon,1,1,2,2\n")]);
    assert!(
        words.contains("the model does not have (boxes.csv line 2: a.jpg: no class is called"),
        "{words}"
    );
    let words = refusal(&[("boxes.csv", b"picture,box\n")]);
    assert!(words.contains("it has no column \"image\""), "{words}");
    let words = refusal(&[("a.json", br#"{"images":1,"annotations":[],"categories":[]}"#)]);
    assert!(words.contains("is not a COCO file"), "{words}");
    let words = refusal(&[("Annotations/a.xml", b"<annotation><object>")]);
    assert!(words.contains("is not a Pascal VOC file"), "{words}");
    let words =
        refusal(&[("images/a.pgm", &blank), ("labels/a.txt", b"0 1 1 1 1"), ("d.yaml", b"names: {a: [")]);
    assert!(words.contains("is not a YOLO file"), "{words}");
    let missing = read(Path::new("/nowhere/at/all")).unwrap_err().to_string();
    assert_eq!(missing, "/nowhere/at/all does not exist");
}

#[test]
fn a_crowd_counts_only_where_nothing_else_is() {
    let text = r#"{"images":[{"id":1,"file_name":"a.pgm","width":40.0,"height":30},{"id":2,"file_name":"b.pgm","width":null},{"id":3,"file_name":"c.pgm"}],
        "annotations":[
            {"image_id":1,"category_id":3,"iscrowd":1,"bbox":[0,0,40,30]},
            {"image_id":1,"category_id":3,"iscrowd":false,"bbox":[10,5,20,15]},
            {"image_id":2,"category_id":3,"iscrowd":1,"bbox":[0,0,40,30]},
            {"image_id":9,"category_id":3,"bbox":[0,0,40,30]},
            {"image_id":2,"category_id":3,"bbox":[0,0]}],
        "categories":[{"id":3,"name":"swan"}]}"#;
    let folder = folder(&[("truth.json", text.as_bytes())]);
    let dataset = read(folder.path()).unwrap();
    let found = settled(&dataset);
    assert_eq!(found[0].2, [[10.0, 5.0, 30.0, 20.0]]);
    assert_eq!(found[1].2, [[0.0, 0.0, 40.0, 30.0]]);
    assert_eq!((dataset.faults.count(FaultKind::BadRow), dataset.faults.count(FaultKind::NoObjects)), (2, 1));
}

#[test]
fn voc_edges_start_at_one_unless_the_set_says_zero() {
    let xml = |xmin: u32| {
        format!(
            "<annotation><filename>C:\\data\\a.pgm</filename><size><width>0</width><height>0</height></size>\
             <object><name>swan</name><bndbox><xmin>{xmin}</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>\
             </object></annotation>"
        )
    };
    let blank = black();
    let read_one = |xmin| {
        let dir = folder(&[("a.pgm", &blank), ("a.xml", xml(xmin).as_bytes())]);
        let dataset = read(dir.path()).unwrap();
        assert!(dataset.samples[0].picture.is_file());
        settled(&dataset).remove(0).2[0]
    };
    assert_eq!(read_one(1), [0.0, 1.0, 9.0, 9.0]);
    assert_eq!(read_one(0), [0.0, 2.0, 9.0, 9.0]);
}

#[test]
fn yolo_without_names_counts_the_models_classes() {
    let blank = black();
    let dir = folder(&[
        ("train/images/a.pgm", &blank),
        ("a.pgm", &blank),
        ("a.txt", b"100 0.5 0.5 0.5 0.5\n100 0.5 0.5\nx 1 1 1 1\n"),
        ("b.txt", b"100 0.5 0.5 0.5 0.5\n"),
    ]);
    let dataset = read(dir.path()).unwrap();
    assert_eq!(settled(&dataset)[0].1, [100]);
    assert_eq!(dataset.faults.count(FaultKind::BadRow), 2);
    assert_eq!(dataset.faults.count(FaultKind::MissingPicture), 1);
}

#[test]
fn frames_with_masks_are_videos() {
    let (blank, mask) = (black(), picture([10, 5, 30, 20]));
    let dir = folder(&[
        ("images/swan/00000.pgm", &blank),
        ("images/swan/00001.pgm", &blank),
        ("masks/swan/00000.pgm", &mask),
        ("masks/swan/00001.pgm", &mask),
        ("masks/swan/00002.pgm", &mask),
        ("boxes.csv", b"image,class_name,x0,y0,x1,y1\nswan/00000.pgm,swan,10,5,30,20\n"),
    ]);
    let dataset = read(dir.path()).unwrap();
    assert_eq!((dataset.format, dataset.samples.len()), (Format::BoxesCsv, 1));
    std::fs::remove_file(dir.path().join("boxes.csv")).unwrap();
    let dataset = read(dir.path()).unwrap();
    let sequences: Vec<Option<&str>> = dataset.samples.iter().map(|s| s.sequence.as_deref()).collect();
    assert_eq!(sequences, [Some("swan"), Some("swan")]);
    assert_eq!(dataset.faults.count(FaultKind::MissingPicture), 1);
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    /// Good files, into which damage is done.
    const FILES: [(&str, &[u8]); 5] = [
        ("boxes.csv", b"image,class_name,x0,y0,x1,y1,width,height\na.pgm,swan,10,5,30,20,40,30\n"),
        (
            "a.xml",
            b"<annotation><filename>a.pgm</filename><object><name>swan</name><bndbox><xmin>1</xmin><ymin>2</ymin>\
              <xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>",
        ),
        (
            "truth.json",
            br#"{"images":[{"id":1,"file_name":"a.pgm","width":6,"height":5}],"annotations":[{"image_id":1,"category_id":3,
            "segmentation":{"size":[5,6],"counts":"632NO010O0124"}}],"categories":[{"id":3,"name":"swan"}]}"#,
        ),
        ("a.txt", b"1 0.25 0.1666667 0.75 0.1666667 0.75 0.6666667\n"),
        ("data.yaml", b"names:\n  0: cat\n  1: swan\n"),
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
        #[test]
        fn damaged_files_are_read_or_refused(which in 0..5usize, at in 0..400usize, byte: u8, cut in 0..400usize) {
            let blank = black();
            let mut damaged = FILES[which].1.to_vec();
            let place = at % damaged.len();
            damaged[place] = byte;
            if cut % 3 == 0 {
                damaged.truncate(cut);
            }
            let name = FILES[which].0;
            let text = ("a.txt", b"1 0.5 0.5 0.5 0.5".as_slice());
            let yolo = if which == 4 { vec![text] } else { vec![] };
            let files = [vec![("a.pgm", blank.as_slice()), (name, damaged.as_slice())], yolo].concat();
            if let Ok(dataset) = read(folder(&files).path()) {
                for sample in &dataset.samples {
                    for size in [(40, 30), (6, 5), (1, 1)] {
                        if let Some(settled) = sample.settle(size, &mut Vec::new()) {
                            prop_assert!(settled.boxes.iter().all(|[x0, y0, x1, y1]| x0 < x1 && y0 < y1));
                        }
                    }
                }
            }
        }
    }
}
