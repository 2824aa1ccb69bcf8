//! Ctrl-C before anything is done: nothing is said to be written that is not. (How to see that a program watches for it
//! differs from system to system.)
#![cfg(target_os = "linux")]

use std::fs;
use std::process::{Command, Output, Stdio};

use super::support::{assert_refused, camloc, cat, cat_clip, folder, names_in, press_ctrl_c, text};

/// Runs a command and presses Ctrl-C as soon as it watches for it.
fn interrupted_early(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Once it watches, SIGINT is in the mask of the signals that it catches.
    let status = format!("/proc/{}/status", child.id());
    let watches = || {
        let status = fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        u64::from_str_radix(&caught, 16).unwrap() & 0b10 != 0
    };
    let begun = std::time::Instant::now();
    while !watches() {
        assert!(begun.elapsed().as_secs() < 60, "it watches for Ctrl-C");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    press_ctrl_c(&child);
    child.wait_with_output().unwrap()
}

#[test]
fn a_video_interrupted_before_its_first_frame_is_not_said_to_be_written() {
    let folder = folder();
    let clip = cat_clip(folder.path(), 60);
    let out = folder.path().join("out.mp4");
    let mut command = camloc();
    command.args(["video", text(&clip), "-o", text(&out)]);
    let output = interrupted_early(command);
    assert_refused(&output, 1, &["stopped before the first frame was done"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("wrote"));
    assert_eq!(names_in(folder.path()), ["cat.mp4"]);
}

#[test]
fn a_photo_interrupted_by_ctrl_c_is_not_said_to_be_written() {
    let folder = folder();
    let out = folder.path().join("rise.png");
    let mut command = camloc();
    command.args(["image", text(&cat()), "--method", "rise", "--rise-masks", "1000000", "-o", text(&out)]);
    let output = interrupted_early(command);
    assert_refused(&output, 1, &["stopped before the first photo was explained"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("wrote"));
    assert_eq!(names_in(folder.path()), [""; 0]);
}
