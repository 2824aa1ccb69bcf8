//! What a comparison looks like, whoever made its maps.

use std::time::Duration;

use super::*;
use crate::render::TextRenderer;

const HOSTILE: &str = "</script><script>alert('\"&')</script>";

fn cell(class_id: usize, side: usize, value: impl Fn(usize) -> f32) -> Cell {
    let values = (0..side * side).map(value).collect();
    Cell {
        map: ClassMap { class_id, score: 0.5, height: side, width: side, values, bounds: None },
        view: View::whole(60, 40),
        time: Duration::from_micros(12_340),
        areas: Some(Areas { deletion: 0.25, insertion: 0.0631 }),
        found: None,
    }
}

fn column(asked: Option<Method>, method: &str, outcome: Result<Vec<Cell>, String>) -> Column {
    Column { asked, method: method.to_owned(), note: String::new(), outcome }
}

/// Two classes, one with a name in Hangul, and a method of each kind.
fn comparison(label: &str) -> SideBySide {
    let class = |id: usize, label: &str| Class { id, label: label.to_owned(), score: 0.5 };
    let peaked = |class| cell(class, 7, |at| if at == 8 { 4.0 } else { -1.0 });
    let fine = |class| cell(class, 50, |at| at as f32);
    SideBySide {
        name: label.to_owned(),
        model: label.to_owned(),
        photo: Picture::black(60, 40),
        predictions: vec![(label.to_owned(), 0.5)],
        classes: vec![class(3, label), class(1, "고양이")],
        columns: vec![
            column(None, "cam", Ok(vec![peaked(1), peaked(3)])),
            column(
                Some(camloc_graph::explain::Method::GuidedBackprop.into()),
                "guided-backprop",
                Ok(vec![fine(3)]),
            ),
            column(Some(camloc_graph::explain::Method::GradCam.into()), label, Err(label.to_owned())),
        ],
        steps: 16,
        colormap: Colormap::Turbo,
        opacity: 0.6,
        threshold: 0.4,
    }
}

/// What the page's script reads.
fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn no_label_becomes_markup() {
    let page = comparison(HOSTILE).html().unwrap();
    assert_eq!(page.matches("<script").count(), 2, "the page's own two");
    assert!(!page.contains("&amp;lt;"), "a label was escaped twice");
    // The title and the head, the predictions, one class, alternative text of two photos, and the method that can't
    // be had with its reason, for two classes; a title names photo and model.
    assert_eq!(page.matches("alert(").count(), 4 + 1 + 1 + 2 + 4);
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = comparison("cat").html().unwrap();
    for loads in ["src=\"http", "href=", "url(", "@import", "src=\"/", "src=\"file", "fetch(", "import "] {
        assert!(!page.contains(loads), "the page loads something: {loads}");
    }
    assert!(page.contains("src=\"data:image/jpeg;base64,/9j/"));
}

#[test]
fn the_page_has_the_raw_values_of_each_cell_at_its_place() {
    use base64::Engine;
    let data = data(&comparison("cat").html().unwrap());
    let map = &data["cells"][0][0];
    assert_eq!((&map["rows"], &map["low"], &map["high"]), (&7.into(), &(-1.0).into(), &4.0.into()));
    let bytes = base64::engine::general_purpose::STANDARD.decode(map["values"].as_str().unwrap()).unwrap();
    let values: Vec<u16> = bytes.as_chunks().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect();
    assert_eq!((values.len(), values[7], values[8]), (49, 0, 65535));
    assert_eq!((&data["cells"][0][1]["fine"], &map["fine"]), (&true.into(), &false.into()));
    assert!(data["cells"][1][1].is_null() && data["cells"][0][2].is_null(), "no map, no data");
}

#[test]
fn values_that_are_no_numbers_do_not_break_the_page() {
    let mut all = comparison("cat");
    let broken = |at: usize| [f32::NAN, f32::INFINITY, f32::MAX, f32::MIN][at % 4];
    all.columns[0].outcome = Ok(vec![cell(3, 7, broken), cell(1, 0, broken)]);
    let data = data(&all.html().unwrap());
    assert!(data["cells"][0][0]["low"].is_number() && data["cells"][1][0]["low"] == 0.0);
    all.draw(&mut TextRenderer::new());
}

#[test]
fn the_sheet_shows_each_cell_and_cuts_what_is_long() {
    let mut text = TextRenderer::new();
    let sheet = comparison("cat").draw(&mut text);
    assert_eq!(comparison(&"long ".repeat(200)).draw(&mut text).size(), sheet.size());
    let warm = |pixel: &[u8]| pixel[0] > pixel[2].saturating_add(60);
    let heat = sheet.rgb().chunks_exact(3).filter(|pixel| warm(pixel)).count();
    assert!(heat > 400, "{heat} warm pixels: two maps and the bar of colours");
}

#[test]
fn captions_say_time_and_faithfulness_or_why_there_is_none() {
    let mut cell = cell(0, 2, |_| 1.0);
    assert_eq!(cell.caption(), "12 ms · del 0.25 · ins 0.063");
    cell.areas = None;
    assert_eq!(cell.caption(), "12 ms");
    cell.map.values.fill(-1.0);
    cell.time = Duration::from_millis(4_260);
    assert_eq!(cell.caption(), "4.3 s · nothing above 0");
}
