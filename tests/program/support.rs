//! What the tests of the program share: the real binary, real media, a real display.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

/// The program under test, with nothing of the user's own settings.
pub(crate) fn camloc() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_camloc"));
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("CAMLOC_")) {
        if !matches!(key.as_str(), "CAMLOC_CACHE" | "CAMLOC_ORT_DYLIB") {
            command.env_remove(key);
        }
    }
    command.env("CAMLOC_FFMPEG", ffmpeg());
    command.env("XDG_CONFIG_HOME", "/nonexistent").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command
}

/// Runs `camloc` with these arguments.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    camloc().args(args).output().expect("the program starts")
}

/// Sends a program what Ctrl-C sends.
#[track_caller]
pub(crate) fn press_ctrl_c(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Asserts that a run ended with `code`, said one line of error that contains every one of `words`, and
/// did not panic.
#[track_caller]
pub(crate) fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    let errors: Vec<&str> = text.lines().filter(|line| line.contains("error:")).collect();
    assert_eq!(errors.len(), 1, "one line of error, got: {text}");
    for word in words {
        assert!(errors[0].contains(word), "no {word:?} in {:?}", errors[0]);
    }
    assert!(!text.contains("panicked"), "{text}");
}

/// The standard output of a run that succeeded.
#[track_caller]
pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// A folder that is gone after the test.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A photo of a cat, from the sample photos.
pub(crate) fn cat() -> PathBuf {
    sample_photos().join("chelsea.png")
}

/// The folder of the sample photos.
pub(crate) fn sample_photos() -> PathBuf {
    use camloc::assets::{Asset, Store};
    let store = Store::open().expect("the cache");
    store.get(Asset::SamplePhotos, &mut |_| {}).expect("the sample photos")
}

/// The ffmpeg of the tests, and of the program under test: the pinned one, as a fresh machine gets, unless
/// `CAMLOC_FFMPEG` names another.
pub(crate) fn ffmpeg() -> PathBuf {
    use camloc::assets::{Asset, Store};
    let store = Store::open().expect("the cache");
    store.get(Asset::Ffmpeg, &mut |_| {}).expect("ffmpeg")
}

/// Makes media with ffmpeg: `arguments` are everything after the global options.
#[track_caller]
pub(crate) fn make(arguments: &[&str]) {
    assert!(try_make(arguments), "ffmpeg {arguments:?}");
}

/// As [`make`], for options that not every ffmpeg has; says whether it worked.
pub(crate) fn try_make(arguments: &[&str]) -> bool {
    let mut command = Command::new(ffmpeg());
    command.args(["-nostdin", "-loglevel", "fatal", "-y"]).args(arguments);
    command.status().expect("ffmpeg starts").success()
}

/// A video of the cat under a slowly moving camera: `seconds` at 25 fps, H.264, with a tone as audio.
pub(crate) fn cat_clip(folder: &Path, seconds: u32) -> PathBuf {
    let path = folder.join("cat.mp4");
    let (cat, length) = (cat(), seconds.to_string());
    make(&[
        "-loop",
        "1",
        "-framerate",
        "25",
        "-t",
        &length,
        "-i",
        text(&cat),
        "-f",
        "lavfi",
        "-t",
        &length,
        "-i",
        "sine=440",
        "-vf",
        "scale=480:-2,crop=320:240:'20+10*t':20,format=yuv420p",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-c:a",
        "aac",
        "-shortest",
        text(&path),
    ]);
    path
}

/// A path as text; the tests' own paths are UTF-8.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The JSON lines of a run.
#[track_caller]
pub(crate) fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

/// The files in a folder, by name, sorted.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Skips are counted: `make test` prints them.
pub(crate) fn note_skip(test: &str, reason: &str) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
    let mut file =
        std::fs::OpenOptions::new().create(true).append(true).open(path).expect("the list of skips");
    writeln!(file, "{test}: {reason}").expect("the list of skips");
}

/// A Python that has onnxruntime and numpy: the one that `make test` sets up, or the one on PATH. `None`, with
/// the skip noted, where there is none.
pub(crate) fn python(test: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/python/bin/python");
    let works = |python: &PathBuf| {
        let output = Command::new(python).args(["-c", "import numpy, onnxruntime"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = [own, PathBuf::from("python3"), PathBuf::from("python")].into_iter().find(works);
    if found.is_none() {
        note_skip(test, "no Python with onnxruntime and numpy");
    }
    found
}
