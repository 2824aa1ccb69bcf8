//! `camloc check`: whether explanations are true of the model.

use std::fs;

use serde_json::Value;

use super::support::{assert_refused, cat, folder, run, stdout, text};

#[test]
fn grad_cam_forgets_with_the_network_and_guided_backpropagation_does_not() {
    let cat = cat();
    let arguments = ["--methods", "gradcam,guided-backprop", "--steps", "2", "--json", "-"];
    let found: Value =
        serde_json::from_str(&stdout(&run([&["check", text(&cat)], &arguments[..]].concat()))).unwrap();
    let methods = found["methods"].as_array().unwrap();
    let verdicts: Vec<&str> = methods.iter().map(|method| method["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["changes", "stays"], "{found}");
    // The layer of the classes alone: what it learned is all that tells the classes apart.
    let top = |method: usize| methods[method]["forgetting"][0]["rank"].as_f64().unwrap();
    assert!(top(0) < 0.7 && top(1) > 0.9, "{found}");
    assert_eq!(found["shuffled"][0], 1);
    let insertion = |of: &Value| of["insertion"].as_f64().unwrap();
    assert!(insertion(&methods[0]["areas"]) > insertion(&found["chance"]), "{found}");
    let agreement = |a: usize, b: usize| found["agreement"][a][b].as_f64().unwrap();
    assert!(
        (agreement(0, 0) - 1.0).abs() < 1e-9 && agreement(0, 1) == agreement(1, 0) && agreement(0, 1) < 0.9
    );
}

#[test]
fn the_findings_are_a_table_and_no_failure() {
    let folder = folder();
    fs::copy(cat(), folder.path().join("a.png")).unwrap();
    let json = folder.path().join("found.json");
    let arguments = ["--method", "guided-backprop", "--steps", "0", "--seed", "3", "--json", text(&json)];
    let said = stdout(&run([&["check", text(folder.path())], &arguments[..]].concat()));
    assert!(said.contains("guided-backprop") && said.contains("STAYS"), "{said}");
    assert!(!said.contains("Faithfulness") && !said.contains("Agreement"), "{said}");
    let found: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!((&found["photos"], &found["seed"]), (&1.into(), &3.into()));
}

#[test]
fn a_folder_without_photos_and_a_limit_of_none_are_refused() {
    let folder = folder();
    assert_refused(&run(["check", text(folder.path())]), 1, &["no pictures"]);
    assert_refused(&run(["check", text(&cat()), "--limit", "0"]), 2, &["--limit"]);
    assert_refused(&run(["check", text(&cat()), "--methods", "grdcam"]), 2, &["nearest is \"gradcam\""]);
    fs::write(folder.path().join("a.png"), "text").unwrap();
    fs::write(folder.path().join("b.png"), "text").unwrap();
    let output = run(["check", text(folder.path())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("none of the photos"));
}
