//! What bad input gets: one line that says what is wrong, exit 1, no panic, and nothing half-written.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use super::support::{
    assert_refused, camloc, cat, cat_clip, ffmpeg, folder, json_lines, make, names_in, press_ctrl_c, run,
    stdout, text,
};

#[track_caller]
fn refuses_photo(path: &Path, words: &[&str]) {
    let out = folder();
    let output = run(["image", text(path), "-o", text(out.path())]);
    assert_refused(&output, 1, words);
    assert_eq!(names_in(out.path()), [""; 0], "nothing is written for a photo that fails");
}

#[test]
fn photos_that_are_none_are_refused_by_name() {
    let folder = folder();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    refuses_photo(&folder.path().join("missing.jpg"), &["missing.jpg"]);
    refuses_photo(&file("empty.jpg", b""), &["empty.jpg", "empty"]);
    refuses_photo(&file("text.jpg", b"not a photo, just words"), &["text.jpg"]);
    let jpeg = folder.path().join("whole.jpg");
    image::open(cat()).unwrap().to_rgb8().save(&jpeg).unwrap();
    let bytes = fs::read(&jpeg).unwrap();
    refuses_photo(&file("cut.jpg", &bytes[..bytes.len() / 2]), &["cut.jpg", "cut short"]);
    let empty = folder.path().join("nothing-here");
    fs::create_dir(&empty).unwrap();
    refuses_photo(&empty, &["nothing-here"]);
}

#[test]
fn what_is_no_photo_but_something_else_is_told_where_to_go() {
    let folder = folder();
    let clip = cat_clip(folder.path(), 1);
    refuses_photo(&clip, &["cat.mp4 is a video", "camloc video"]);
    refuses_photo(Path::new("https://example.org/x.jpg"), &["example.org/x.jpg", "download it first"]);
    let sheet = folder.path().join("sheet.png");
    let whole = run(["compare", text(folder.path()), "-o", text(&sheet)]);
    assert_refused(&whole, 1, &["is a folder", "one photo"]);
    assert_eq!(names_in(folder.path()), ["cat.mp4"]);
}

#[test]
fn unusual_photos_work() {
    let folder = folder();
    let photo = image::open(cat()).unwrap();
    let save = |name: &str, picture: image::DynamicImage| {
        let path = folder.path().join(name);
        picture.save(&path).unwrap();
        path
    };
    let paths = [
        save("one.png", photo.crop_imm(0, 0, 1, 1)),
        save("grey.png", photo.to_luma8().into()),
        save("deep.png", photo.to_rgb16().into()),
        save("alpha.png", photo.to_rgba8().into()),
        save("sliver.png", photo.crop_imm(0, 0, 451, 1)),
        save("odd.png", photo.crop_imm(0, 0, 333, 217)),
    ];
    let gif = folder.path().join("moving.gif");
    make(&["-f", "lavfi", "-t", "1", "-i", "testsrc2=size=160x120:rate=5", text(&gif)]);
    let args = paths.iter().map(|p| text(p)).chain([text(&gif), "--json", "-"]);
    let output = run(["image"].into_iter().chain(args));
    assert_eq!(json_lines(&stdout(&output)).len(), 7);
}

#[track_caller]
fn refuses_video(path: &Path, words: &[&str]) {
    let out = folder();
    let target = out.path().join("out.mp4");
    assert_refused(&run(["video", text(path), "-o", text(&target)]), 1, words);
    assert_eq!(names_in(out.path()), [""; 0], "nothing is left of a video that fails");
}

#[test]
fn videos_that_are_none_are_refused_by_name() {
    let folder = folder();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    refuses_video(&folder.path().join("missing.mp4"), &["missing.mp4"]);
    refuses_video(&file("empty.mp4", b""), &["empty.mp4", "empty"]);
    refuses_video(&file("text.mp4", b"not a video, just words"), &["text.mp4"]);
    let sound = folder.path().join("sound.mp4");
    make(&["-f", "lavfi", "-t", "1", "-i", "sine=440", "-c:a", "aac", text(&sound)]);
    refuses_video(&sound, &["sound.mp4", "no video"]);
}

#[test]
fn a_video_that_was_cut_short_gives_its_frames_and_says_so() {
    let folder = folder();
    let whole = cat_clip(folder.path(), 4);
    let fast = folder.path().join("fast.mp4");
    make(&["-i", text(&whole), "-c", "copy", "-movflags", "+faststart", text(&fast)]);
    let bytes = fs::read(&fast).unwrap();
    let cut = folder.path().join("cut.mp4");
    fs::write(&cut, &bytes[..bytes.len() * 6 / 10]).unwrap();
    let out = folder.path().join("out.mp4");
    let output = run(["video", text(&cut), "--json", "-", "-o", text(&out)]);
    assert_refused(&output, 1, &["cut.mp4", "cut short"]);
    let frames = json_lines(&String::from_utf8(output.stdout).unwrap()).len();
    assert!((10..100).contains(&frames), "{frames} of 100 frames");
    assert!(out.is_file(), "what was read is kept");
}

#[test]
fn an_output_that_cannot_be_written_is_named_and_nothing_is_left() {
    let folder = folder();
    let clip = cat_clip(folder.path(), 1);
    let missing = folder.path().join("no/such/folder/out.mp4");
    assert_refused(&run(["video", text(&clip), "-o", text(&missing)]), 1, &["no/such/folder"]);
    let below_a_file = clip.join("out.json");
    assert_refused(&run(["video", text(&clip), "--json", text(&below_a_file)]), 1, &["out.json"]);
    assert_refused(&run(["video", text(&clip), "-o", text(&clip)]), 1, &["cat.mp4"]);
    assert_eq!(names_in(folder.path()), ["cat.mp4"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_in_one_line() {
    let output = run(["image", text(&cat()), "--json", "/dev/full"]);
    assert_refused(&output, 1, &["/dev/full", "the disk is full"]);
    // A file may have no more than 20 KB here.
    let script = "ulimit -f 20; trap '' XFSZ; exec \"$0\" \"$@\"";
    let folder = folder();
    let photo = cat();
    let (overlay, masks, model) =
        (folder.path().join("cat.png"), folder.path().join("set"), folder.path().join("model.onnx"));
    let outputs: [&[&str]; 3] = [
        &["image", text(&photo), "-o", text(&overlay)],
        &["image", text(&photo), "--masks", "png", "-o", text(&masks)],
        &["export", "-o", text(&model)],
    ];
    for arguments in outputs {
        let mut command = std::process::Command::new("bash");
        command.args(["-c", script, env!("CARGO_BIN_EXE_camloc")]).args(arguments);
        assert_refused(&command.output().unwrap(), 1, &["cannot be written: the disk is full"]);
    }
    assert_eq!(names_in(folder.path()), ["set"]);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let folder = folder();
    let clip = cat_clip(folder.path(), 4);
    let mut command = camloc();
    command.args(["video", text(&clip), "--json", "-"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with('{'));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(unix)]
#[test]
fn a_video_interrupted_by_ctrl_c_still_plays() {
    let folder = folder();
    let clip = cat_clip(folder.path(), 60);
    let out = folder.path().join("out.mp4");
    let mut command = camloc();
    command.args(["video", text(&clip), "-o", text(&out), "--json", "-"]).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.by_ref().take(20).for_each(drop);
    press_ctrl_c(&child);
    lines.for_each(drop);
    let output = child.wait_with_output().unwrap();
    assert_refused(&output, 1, &["stopped", "out.mp4"]);
    let played = std::process::Command::new(ffmpeg())
        .args(["-nostdin", "-v", "error", "-i", text(&out), "-f", "null", "-"])
        .output()
        .unwrap();
    assert!(
        played.status.success() && played.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&played.stderr)
    );
    assert_eq!(names_in(folder.path()), ["cat.mp4", "out.mp4"]);
}

#[test]
fn a_camera_that_is_not_there_says_what_to_do() {
    // With other cameras there, it lists them; without any, it says to plug one in.
    let output = run(["live", "/dev/video97"]);
    assert_refused(&output, 1, &["no camera"]);
}
