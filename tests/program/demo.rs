//! `camloc demo` and `camloc doctor`: the first things a person tries.

use std::process::Stdio;

use super::support::{camloc, folder, names_in, run, stdout, text};

#[test]
fn without_a_display_the_demo_says_so_and_writes_a_video_and_a_still() {
    let folder = folder();
    let output = run(["demo", "-o", text(folder.path())]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no DISPLAY"));
    assert_eq!(names_in(folder.path()), ["demo.mp4", "demo.png"]);
    assert_eq!(image::open(folder.path().join("demo.png")).unwrap().width(), 800);
}

#[test]
fn the_doctor_names_what_it_found() {
    let report = stdout(&run(["doctor"]));
    for word in ["ONNX Runtime", "providers", "ffmpeg", "cache", "cameras", "no DISPLAY"] {
        assert!(report.contains(word), "no {word} in {report}");
    }
}

#[cfg(unix)]
#[test]
fn reports_end_quietly_when_nobody_reads_on() {
    for arguments in [&["doctor"][..], &["completions", "bash"], &["models"]] {
        let mut command = camloc();
        let mut child =
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}
