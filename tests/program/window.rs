//! The window, for real: under Xvfb, with keys pressed and a screenshot looked at.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::support::{camloc, cat_clip, folder, make, names_in, note_skip, text};

/// A display of its own for a test.
pub(crate) struct Display {
    server: Child,
    pub(crate) name: String,
}

impl Display {
    /// `None`, with the skip noted, where Xvfb or xdotool is not installed.
    pub(crate) fn start(test: &str) -> Option<Display> {
        let started = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1400x900x24", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let tools =
            Command::new("xdotool").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        let (Ok(mut server), Ok(_)) = (started, tools) else {
            note_skip(test, "Xvfb or xdotool is not installed");
            return None;
        };
        let mut number = String::new();
        BufReader::new(server.stdout.take()?).read_line(&mut number).expect("Xvfb names its display");
        Some(Display { server, name: format!(":{}", number.trim()) })
    }

    pub(crate) fn xdotool(&self, args: &[&str]) -> String {
        let output = Command::new("xdotool").args(args).env("DISPLAY", &self.name).output().expect("xdotool");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Waits for the window and gives it the keyboard.
    pub(crate) fn focus(&self) -> String {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            let id = self.xdotool(&["search", "--onlyvisible", "--name", "camloc"]);
            if let Some(id) = id.lines().next().filter(|id| !id.is_empty()) {
                self.xdotool(&["windowfocus", "--sync", id]);
                return id.to_owned();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no window appeared");
    }

    /// The window's pixels.
    pub(crate) fn screenshot(&self, window: &str, folder: &Path) -> image::RgbImage {
        let path = folder.join("screen.png");
        let shot =
            Command::new("import").args(["-window", window, text(&path)]).env("DISPLAY", &self.name).status();
        assert!(shot.expect("import of ImageMagick").success());
        image::open(path).expect("a screenshot").to_rgb8()
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// How much two pictures differ, in mean levels of 0..255.
fn difference(a: &image::RgbImage, b: &image::RgbImage) -> f64 {
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

pub(crate) fn wait(mut child: Child) -> std::process::ExitStatus {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        if let Some(status) = child.try_wait().expect("the program") {
            return status;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    panic!("the program did not end");
}

#[test]
fn the_demo_shows_heat_and_follows_the_keys() {
    let Some(display) = Display::start("the_demo_shows_heat_and_follows_the_keys") else { return };
    let folder = folder();
    let mut command = camloc();
    command.arg("demo").env("DISPLAY", &display.name).current_dir(folder.path());
    let child = command.stderr(Stdio::null()).spawn().unwrap();
    let window = display.focus();
    let pause = || std::thread::sleep(Duration::from_millis(700));
    std::thread::sleep(Duration::from_secs(4));
    // Paused, the picture stands still, and each key changes it at once.
    display.xdotool(&["key", "space"]);
    pause();
    let heat = display.screenshot(&window, folder.path());
    pause();
    let still = difference(&heat, &display.screenshot(&window, folder.path()));
    assert!(still < 0.5, "paused, yet it moved by {still}");
    display.xdotool(&["key", "h"]);
    pause();
    let without = difference(&heat, &display.screenshot(&window, folder.path()));
    assert!(without > 5.0, "without heat the picture differs by {without} only");
    display.xdotool(&["type", "?"]);
    pause();
    let help = display.screenshot(&window, folder.path());
    assert!(difference(&heat, &help) > without.min(5.0));
    display.xdotool(&["key", "s"]);
    pause();
    display.xdotool(&["key", "q"]);
    assert!(wait(child).success());
    let saved = names_in(folder.path()).into_iter().filter(|name| name.starts_with("camloc-")).count();
    assert_eq!(saved, 1, "one snapshot");
}

#[test]
fn a_video_can_be_watched_and_closed() {
    let Some(display) = Display::start("a_video_can_be_watched_and_closed") else { return };
    let folder = folder();
    let clip = cat_clip(folder.path(), 30);
    let mut command = camloc();
    command.args(["video", text(&clip), "--show"]).env("DISPLAY", &display.name);
    let child = command.stderr(Stdio::null()).spawn().unwrap();
    let window = display.focus();
    std::thread::sleep(Duration::from_secs(3));
    let picture = display.screenshot(&window, folder.path());
    let ground = picture.pixels().filter(|pixel| pixel.0.iter().all(|&level| level < 0x20)).count();
    assert!(ground * 2 < picture.as_raw().len() / 3, "the picture fills the window");
    display.xdotool(&["key", "Escape"]);
    assert!(wait(child).success());
}

#[test]
fn videos_are_watched_side_by_side() {
    let Some(display) = Display::start("videos_are_watched_side_by_side") else { return };
    let folder = folder();
    let clip = cat_clip(folder.path(), 30);
    let dark = folder.path().join("dark.mp4");
    make(&["-f", "lavfi", "-i", "color=0x303030:s=320x240:r=25:d=30", "-pix_fmt", "yuv420p", text(&dark)]);
    let mut command = camloc();
    command.args(["video", text(&clip), text(&dark), "--show"]).current_dir(folder.path());
    let child = command.env("DISPLAY", &display.name).stderr(Stdio::null()).spawn().unwrap();
    let window = display.focus();
    std::thread::sleep(Duration::from_secs(3));
    let picture = display.screenshot(&window, folder.path());
    // The upper half, as figures stand below.
    let half = |left: u32| {
        let (width, height) = (picture.width() / 2, picture.height() / 2);
        let levels = image::imageops::crop_imm(&picture, left, 0, width, height).to_image();
        levels.as_raw().iter().map(|&level| f64::from(level)).sum::<f64>() / levels.as_raw().len() as f64
    };
    let (left, right) = (half(0), half(picture.width() / 2));
    assert!(picture.width() > 2 * picture.height() && left > right + 30.0, "{left} beside {right}");
    display.xdotool(&["key", "s"]);
    std::thread::sleep(Duration::from_millis(700));
    display.xdotool(&["key", "q"]);
    assert!(wait(child).success());
    let saved = names_in(folder.path()).into_iter().filter(|name| name.starts_with("camloc-")).count();
    assert_eq!(saved, 2, "one snapshot of each");
}
