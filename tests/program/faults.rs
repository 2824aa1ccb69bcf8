//! Faults of what stands around a run: finished work stays, and nobody's text moves a terminal.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::support::{assert_refused, camloc, folder, make, names_in, run, stdout, text};

/// A small model that needs no fetching.
fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plain.onnx")
}

/// A photo of this name.
fn photo(path: &Path) {
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images/example.jpg"), path).unwrap();
}

/// Three photos in a folder of their own.
fn photos(folder: &Path) -> PathBuf {
    let photos = folder.join("photos");
    fs::create_dir(&photos).unwrap();
    ["a.jpg", "b.jpg", "c.jpg"].iter().for_each(|name| photo(&photos.join(name)));
    photos
}

const MADE: [&str; 3] = ["a.cam.jpg", "b.cam.jpg", "c.cam.jpg"];

#[cfg(target_os = "linux")]
#[test]
fn pictures_are_made_though_nobody_can_read_of_them() {
    let folder = folder();
    let (photos, out) = (photos(folder.path()), folder.path().join("out"));
    let mut command = camloc();
    command.args(["image", text(&photos), "--model", text(&model()), "-o", text(&out)]);
    let full = command.stdout(File::create("/dev/full").unwrap()).stderr(Stdio::piped());
    let output = full.spawn().unwrap().wait_with_output().unwrap();
    assert_refused(&output, 1, &["standard output", "disk is full"]);
    assert_eq!(names_in(&out), MADE);

    fs::remove_dir_all(&out).unwrap();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(names_in(&out), MADE);
}

#[test]
fn a_video_is_finished_though_the_reader_of_its_lines_goes() {
    let folder = folder();
    let (clip, out) = (folder.path().join("clip.mp4"), folder.path().join("out.mp4"));
    make(&["-f", "lavfi", "-i", "testsrc=d=4:s=160x120:r=25", text(&clip)]);
    let mut command = camloc();
    command.args(["video", text(&clip), "--model", text(&model()), "-o", text(&out), "--json", "-"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("100 frames"), "{said}");
    assert!(out.is_file());
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_fails_leaves_the_others() {
    let folder = folder();
    let (photos, out) = (photos(folder.path()), folder.path().join("out"));
    let output =
        run(["image", text(&photos), "--model", text(&model()), "-o", text(&out), "--json", "/dev/full"]);
    assert_refused(&output, 1, &["/dev/full cannot be written: the disk is full"]);
    assert_eq!(names_in(&out), MADE);
}

#[cfg(unix)]
#[test]
fn names_of_files_reach_a_terminal_written_out() {
    let folder = folder();
    let name = folder.path().join("x\u{1b}[31m\ncamloc: error: forged.jpg");
    photo(&name);
    let out = folder.path().join("out");
    let output = run(["image", text(&name), "--model", text(&model()), "-o", text(&out)]);
    let said = stdout(&output) + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("x\\u{1b}[31m\\ncamloc: error: forged"), "{said}");
    assert!(
        !said.contains('\u{1b}') && !said.lines().any(|line| line.contains("error") && !line.contains("\\n"))
    );
}

#[test]
fn a_crop_that_no_picture_has_is_refused() {
    let folder = folder();
    let (picture, manifest) = (folder.path().join("a.jpg"), folder.path().join("m.toml"));
    photo(&picture);
    fs::write(&manifest, "crop = 1e-300").unwrap();
    let output = run(["image", text(&picture), "--model", text(&model()), "--manifest", text(&manifest)]);
    assert_refused(&output, 1, &["crop is a share", "0.01 to 1"]);
}
