//! Collecting pictures: by keys held in a real window, and without one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::support::{assert_refused, camloc, cat, folder, make, names_in, run, stdout, text};
use super::window::{Display, wait};

/// A video in which everything moves.
fn moving_clip(folder: &Path, seconds: u32) -> PathBuf {
    let path = folder.join("moving.mp4");
    let pattern = format!("testsrc2=size=320x240:rate=25:duration={seconds}");
    make(&["-f", "lavfi", "-i", &pattern, "-c:v", "libx264", "-preset", "ultrafast", text(&path)]);
    path
}

/// What is before the last `_` of each picture's name, and its frame number.
fn bursts(folder: &Path) -> Vec<(String, u64)> {
    let split = |name: String| {
        let (burst, rest) = name.rsplit_once('_').expect("burst and frame");
        (burst.to_owned(), rest.strip_suffix(".jpg").expect("a JPEG").parse().expect("a frame's number"))
    };
    names_in(folder).into_iter().map(split).collect()
}

fn sweep(folder: &Path, clip: &Path, every: &str) -> Output {
    run(["collect", text(folder), "--class", "mug", "--video", text(clip), "--every", every])
}

/// Opens the window over a clip.
fn open(display: &Display, folder: &Path, clip: &Path, classes: &[&str]) -> Child {
    let mut command = camloc();
    command.args(["collect", text(folder), "--video", text(clip)]).args(classes);
    let child = command.env("DISPLAY", &display.name).stderr(Stdio::null()).spawn().unwrap();
    display.focus();
    child
}

/// Waits until a folder holds this many pictures.
#[track_caller]
fn until(folder: &Path, pictures: usize) {
    let end = Instant::now() + Duration::from_secs(30);
    let count = || std::fs::read_dir(folder).map_or(0, Iterator::count);
    while count() < pictures {
        assert!(Instant::now() < end, "{} of {pictures} pictures in {}", count(), folder.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_key_that_is_held_saves_a_burst_and_the_next_run_goes_on() {
    let Some(display) = Display::start("a_key_that_is_held_saves_a_burst_and_the_next_run_goes_on") else {
        return;
    };
    let folder = folder();
    let (clip, out) = (moving_clip(folder.path(), 60), folder.path().join("things"));
    let child = open(&display, &out, &clip, &["--class", "큰 컵"]);
    display.xdotool(&["keydown", "1"]);
    until(&out.join("큰 컵"), 5);
    display.xdotool(&["keyup", "1"]);
    // A second class, named in the window, and a tap on its key.
    display.xdotool(&["key", "n"]);
    display.xdotool(&["type", "a/ mug"]);
    display.xdotool(&["key", "Return"]);
    display.xdotool(&["key", "BackSpace", "BackSpace", "BackSpace", "BackSpace", "BackSpace"]);
    display.xdotool(&["type", "mug 1"]);
    display.xdotool(&["key", "Return"]);
    display.xdotool(&["key", "2"]);
    until(&out.join("amug 1"), 1);
    display.xdotool(&["key", "q"]);
    assert!(wait(child).success());
    assert_eq!(names_in(&out), ["amug 1", "큰 컵"]);
    let held = bursts(&out.join("큰 컵"));
    assert_eq!(held.iter().map(|(burst, _)| burst).collect::<BTreeSet<_>>().len(), 1, "{held:?}");
    assert!(held[0].0.ends_with("-moving-1"), "{held:?}");
    let tapped = bursts(&out.join("amug 1"));
    assert!(tapped.len() == 1 && tapped[0].0.ends_with("-moving-2"), "{tapped:?}");
    let picture = image::open(out.join("amug 1").join(&names_in(&out.join("amug 1"))[0])).unwrap();
    assert_eq!((picture.width(), picture.height()), (320, 240));

    // The folders are the classes now, by name: the mug is first.
    let child = open(&display, &out, &clip, &[]);
    display.xdotool(&["key", "1"]);
    until(&out.join("amug 1"), 2);
    display.xdotool(&["key", "Escape"]);
    assert!(wait(child).success());
    assert_eq!(bursts(&out.join("큰 컵")), held);
    let tapped = bursts(&out.join("amug 1"));
    assert!(tapped.len() == 2 && tapped[1].0.ends_with("-moving-3"), "{tapped:?}");
}

#[test]
fn a_recording_gives_every_nth_frame_once() {
    let folder = folder();
    let (clip, out) = (moving_clip(folder.path(), 2), folder.path().join("things"));
    stdout(&sweep(&out, &clip, "10"));
    let first = bursts(&out.join("mug"));
    assert_eq!(first.iter().map(|(_, frame)| *frame).collect::<Vec<_>>(), [0, 10, 20, 30, 40]);
    assert!(first.iter().all(|(burst, _)| *burst == first[0].0), "a recording is a burst: {first:?}");
    let again = sweep(&out, &clip, "5");
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("holds 5 mug") && said.contains("left out 5 saved before"), "{said}");
    assert_eq!(bursts(&out.join("mug")).len(), 10);
}

#[test]
fn a_camera_that_looks_at_one_thing_gives_one_picture() {
    let folder = folder();
    let (clip, out) = (folder.path().join("still.mp4"), folder.path().join("things"));
    let noise = "scale=320:240,noise=alls=16:allf=t,format=yuv420p";
    make(&["-loop", "1", "-framerate", "25", "-t", "3", "-i", text(&cat()), "-vf", noise, text(&clip)]);
    let said = sweep(&out, &clip, "1");
    assert_eq!(bursts(&out.join("mug")).len(), 1, "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn what_can_not_be_collected_is_said_in_a_line_and_leaves_nothing_behind() {
    let folder = folder();
    let (clip, out) = (moving_clip(folder.path(), 1), folder.path().join("things"));
    let collect = |args: &[&str]| run(["collect", text(&out)].iter().chain(args));
    let video = ["--video", text(&clip)];
    let refused = |args: &[&str], code: i32, words: &[&str]| {
        assert_refused(&collect(&[args, &video].concat()), code, words);
    };
    refused(&["--class", "mug"], 1, &["no display", "DISPLAY", "--every N"]);
    refused(&["--class", "mug,cup", "--every", "5"], 2, &["frames of one class"]);
    refused(&["--every", "5"], 2, &["frames of one class"]);
    refused(&["--class", "a/b", "--every", "5"], 2, &["\"a/b\"", "leave out the slash"]);
    refused(&["--class", "1,2,3,4,5,6,7,8,9,10"], 2, &["keys for 9 classes"]);
    let missing = collect(&["--class", "mug", "--every", "5", "--video", "none.mp4"]);
    assert_refused(&missing, 1, &["none.mp4 does not exist"]);
    let camera = collect(&["--class", "mug", "--every", "5", "--camera", "/dev/none"]);
    assert_refused(&camera, 1, &["camera"]);
    assert_eq!(names_in(folder.path()), ["moving.mp4"]);
    assert_refused(&sweep(&clip, &clip, "5"), 1, &["moving.mp4", "is a file, not a folder"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_it_with_whole_pictures_only() {
    let folder = folder();
    let (clip, out) = (moving_clip(folder.path(), 1), folder.path().join("things"));
    // A file may have no more than 8 KB here; a picture is larger.
    let script = "ulimit -f 8; trap '' XFSZ; exec \"$0\" \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_camloc"), "collect", text(&out)]);
    command.args(["--class", "mug", "--every", "1", "--video", text(&clip)]);
    assert_refused(&command.output().unwrap(), 1, &["mug", "the disk is full"]);
    assert_eq!(names_in(&out.join("mug")), [""; 0]);
}
