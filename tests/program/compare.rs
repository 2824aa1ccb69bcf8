//! `camloc compare`: one photo by many methods, side by side.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::{assert_refused, cat, folder, names_in, run, sample_photos, stdout, text};

/// The cat and a cup of coffee side by side.
fn cat_and_coffee(folder: &Path) -> PathBuf {
    let square = |name: &str, left: u32, side: u32| {
        let photo = image::open(sample_photos().join(name)).unwrap().crop_imm(left, 0, side, side);
        photo.thumbnail_exact(160, 160).to_rgb8()
    };
    let (cat, cup) = (square("chelsea.png", 70, 300), square("coffee.png", 100, 400));
    let both = image::RgbImage::from_fn(320, 160, |x, y| match x {
        0..160 => *cat.get_pixel(x, y),
        _ => *cup.get_pixel(x - 160, y),
    });
    let path = folder.join("both.png");
    both.save(&path).unwrap();
    path
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn a_sheet_has_a_row_for_each_class_and_a_column_for_each_method() {
    let folder = folder();
    let (photo, sheet) = (cat_and_coffee(folder.path()), folder.path().join("sheet.png"));
    let arguments = ["--classes", "Egyptian cat,espresso", "--steps", "2"];
    let methods = ["--methods", "cam,guided-gradcam"];
    let said =
        stdout(&run([&["compare", text(&photo), "-o", text(&sheet)], &arguments[..], &methods].concat()));
    assert!(said.contains("2 methods for Egyptian cat, espresso"), "{said}");
    let two = image::open(&sheet).unwrap().to_rgb8();
    // Tiles are 224 pixels wide and 10 apart: where a map's tile differs from the photo's, there is heat.
    let heat = |columns: std::ops::Range<u32>, rows: std::ops::Range<u32>| {
        let places = rows.flat_map(|y| columns.clone().map(move |x| (18 + x, y)));
        places.filter(|&(x, y)| two.get_pixel(x, y) != two.get_pixel(x + 234, y)).count()
    };
    let (cat, cup) = (120..240, 250..380);
    assert!(heat(0..112, cat.clone()) > heat(112..224, cat), "the cat is on the left");
    assert!(heat(112..224, cup.clone()) > heat(0..112, cup), "the cup is on the right");
    let jpeg = folder.path().join("sheet.jpg");
    let one = ["--methods", "cam", "--steps", "0"];
    stdout(&run([&["compare", text(&photo), "-o", text(&jpeg), "--class", "espresso"], &one[..]].concat()));
    let single = image::open(&jpeg).unwrap().to_rgb8();
    assert!(two.width() > single.width() + 200 && two.height() > single.height() + 100);
}

#[test]
fn a_page_is_one_file_with_a_map_for_each_class_and_method() {
    let folder = folder();
    let (photo, page) = (cat_and_coffee(folder.path()), folder.path().join("page.html"));
    let arguments = ["--classes", "cat,espresso", "--methods", "cam,layercam", "--steps", "0"];
    let said = stdout(&run([&["compare", text(&photo), "-o", text(&page)], &arguments[..]].concat()));
    assert!(
        said.contains("cat, espresso"),
        "a word that several classes share takes the most probable: {said}"
    );
    let html = fs::read_to_string(&page).unwrap();
    let (_, rest) = html.split_once("id=\"data\">").unwrap();
    let data: serde_json::Value = serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap();
    for row in 0..2 {
        for column in 0..2 {
            let map = &data["cells"][row][column];
            assert_eq!((&map["rows"], &map["columns"]), (&7.into(), &7.into()), "row {row}, column {column}");
        }
    }
    assert_ne!(data["cells"][0][0]["values"], data["cells"][1][0]["values"]);
    assert_eq!(names_in(folder.path()), ["both.png", "page.html"]);
}

#[test]
fn a_method_that_the_model_does_not_allow_gets_a_cell_that_says_why() {
    let folder = folder();
    let page = folder.path().join("page.html");
    let vit = golden("vit.onnx");
    let arguments = ["--methods", "cam,gradcam", "--steps", "0", "-o", text(&page), "--model", text(&vit)];
    let said = stdout(&run([&["compare", text(&cat())], &arguments[..]].concat()));
    assert!(said.contains("1 method for") && said.contains("1 more says why"), "{said}");
    assert!(fs::read_to_string(&page).unwrap().contains("has no closed form"));
}

#[test]
fn what_is_wrong_is_said_before_the_model_is_loaded() {
    let folder = folder();
    let (photo, out) = (cat(), folder.path().join("sheet.png"));
    let refused = |code: i32, arguments: &[&str], words: &[&str]| {
        assert_refused(&run([&["compare"], arguments].concat()), code, words);
    };
    refused(2, &[text(&photo), "-o", "sheet.tiff"], &["sheet.tiff", ".html"]);
    refused(2, &[text(&photo), "-o", text(&out), "--methods", "grdcam"], &["nearest is \"gradcam\""]);
    refused(2, &[text(&photo), "-o", text(&out), "--classes", "espressso"], &["did you mean 'espresso'"]);
    refused(2, &[text(&photo), "-o", text(&out), "--steps", "100000"], &["--steps"]);
    refused(2, &[text(&photo), "-o", text(&out), "--target", "logits:3"], &["--target"]);
    refused(1, &[text(&photo), "-o", text(&photo)], &["chelsea.png"]);
    refused(1, &["no-such.png", "-o", text(&out)], &["no-such.png does not exist"]);
    let broken = folder.path().join("broken.jpg");
    fs::write(&broken, "this is text").unwrap();
    refused(1, &[text(&broken), "-o", text(&out)], &["broken.jpg"]);
    assert_eq!(names_in(folder.path()), ["broken.jpg"], "nothing is written");
}
