//! `--teach`: examples given at a real window, a head trained beside the picture, and what is shown afterwards.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{
    assert_refused, camloc, folder, json_lines, make, names_in, run, sample_photos, stdout, text,
};
use super::window::{Display, wait};

/// The video shows the cat for so many frames, then the cup, and so on.
const TURN: u64 = 75;

/// A video in which a cat and a cup take turns, both moving.
fn turns(folder: &Path, seconds: &str) -> PathBuf {
    let path = folder.join("turns.mp4");
    let moving = "scale=240:-2,crop=160:120:'30+25*sin(2*t)':'12+10*cos(3*t)'";
    let filter =
        format!("[0]{moving}[a];[1]{moving}[b];[a][b]overlay=enable='gte(mod(n,150),75)',format=yuv420p");
    let [cat, cup] = ["chelsea.png", "coffee.png"].map(|name| sample_photos().join(name));
    let photo = ["-loop", "1", "-framerate", "25", "-t", seconds, "-i"];
    let encoding = ["-filter_complex", &filter, "-c:v", "libx264", "-preset", "ultrafast", text(&path)];
    make(&[&photo[..], &[text(&cat)], &photo[..], &[text(&cup)], &encoding[..]].concat());
    path
}

/// Makes a cache folder in which all is that has been fetched, and nothing that was learned.
fn borrow_cache(cache: &Path) {
    let own = camloc::assets::Store::open().unwrap();
    std::fs::create_dir(cache).unwrap();
    for entry in std::fs::read_dir(own.dir()).unwrap() {
        let entry = entry.unwrap();
        if !matches!(entry.file_name().to_str(), Some("features" | "locks" | "tmp")) {
            std::os::unix::fs::symlink(entry.path(), cache.join(entry.file_name())).unwrap();
        }
    }
}

/// The program at a display, and the lines that it has written so far, one a frame.
struct Watched {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Watched {
    fn start(display: &Display, clip: &Path, things: &Path) -> Watched {
        Watched::start_by(camloc(), display, clip, things)
    }

    fn start_by(mut command: Command, display: &Display, clip: &Path, things: &Path) -> Watched {
        command.args(["video", text(clip), "--teach", text(things), "--teach-class", "cat,큰 컵"]);
        command.args(["--json", "-", "--input-size", "96"]).env("DISPLAY", &display.name);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, kept) = (BufReader::new(child.stdout.take().unwrap()), lines.clone());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                kept.lock().unwrap().extend(json_lines(&line));
            }
        });
        Watched { child, lines }
    }

    /// Waits until the lines so far are as wanted, and returns their number.
    #[track_caller]
    fn until(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> usize {
        let end = Instant::now() + Duration::from_secs(90);
        loop {
            let lines = self.lines.lock().unwrap();
            if wanted(&lines) {
                return lines.len();
            }
            assert!(Instant::now() < end, "{what}: {:?}", lines.last());
            drop(lines);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Holds a key, from when the cat's or the cup's turn begins, until a folder has six pictures.
    fn hold(&self, display: &Display, key: &str, cup: bool, folder: &Path) {
        self.until("a turn begins", |lines| {
            lines.last().is_some_and(|line| is_cup(line) == cup && frame(line) % TURN < TURN / 3)
        });
        display.xdotool(&["keydown", key]);
        let count = || std::fs::read_dir(folder).map_or(0, Iterator::count);
        self.until("six pictures", |_| count() >= 6);
        display.xdotool(&["keyup", key]);
    }
}

fn frame(line: &Value) -> u64 {
    line["frame"].as_u64().unwrap()
}

fn is_cup(line: &Value) -> bool {
    frame(line) / TURN % 2 == 1
}

/// The first label of a frame, if anything was found.
fn label(line: &Value) -> Option<&str> {
    line["detections"][0]["label"].as_str()
}

#[test]
fn what_is_taught_at_the_window_is_shown_while_the_picture_goes_on() {
    let Some(display) = Display::start("what_is_taught_at_the_window_is_shown_while_the_picture_goes_on")
    else {
        return;
    };
    let folder = folder();
    let (clip, things) = (turns(folder.path(), "120"), folder.path().join("things"));
    let watched = Watched::start(&display, &clip, &things);
    display.focus();
    watched.hold(&display, "1", false, &things.join("cat"));
    // One class is told from nothing: that is said, and the picture goes on.
    display.xdotool(&["key", "t"]);
    watched.hold(&display, "2", true, &things.join("큰 컵"));
    assert_eq!(names_in(&things), ["cat", "큰 컵"]);

    let taught = |line: &Value| matches!(label(line), Some("cat" | "큰 컵"));
    display.xdotool(&["key", "t"]);
    let begun = watched.lines.lock().unwrap().len();
    watched.until("the model was taught", |lines| lines.last().is_some_and(taught));
    let swapped = watched.lines.lock().unwrap().iter().position(taught).unwrap();
    assert!(swapped > begun + 5, "{} frames were shown during the training", swapped - begun);
    let seen = watched.until("frames of both", |lines| {
        let turn = |cup| lines[swapped..].iter().filter(|line| is_cup(line) == cup).count();
        turn(false) > 20 && turn(true) > 20
    });
    display.xdotool(&["key", "q"]);
    let lines = watched.lines.lock().unwrap().clone();
    assert!(lines.iter().enumerate().all(|(place, line)| frame(line) == place as u64), "no frame is lost");
    // Six pictures of one moment make no good model, but one that is of both.
    for (cup, name) in [(false, "cat"), (true, "큰 컵")] {
        let mut turn = lines[swapped..seen].iter().filter(|line| is_cup(line) == cup);
        assert!(turn.any(|line| label(line) == Some(name)), "no frame shows {name}");
    }

    let mut child = watched.child;
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert!(wait(child).success(), "{said}");
    let model = things.join("taught.onnx");
    assert!(said.contains(&format!("wrote {}", model.display())), "{said}");
    assert!(said.contains("큰 컵: saved") && !said.contains("error"), "{said}");
    assert_eq!(names_in(&things), ["cat", "taught.onnx", "큰 컵"], "nothing else is left");
    let cup = things.join("큰 컵").join(&names_in(&things.join("큰 컵"))[0]);
    let found = stdout(&run(["image", text(&cup), "--model", text(&model), "--json", "-"]));
    assert_eq!(label(&json_lines(&found)[0]), Some("큰 컵"), "{found}");
}

#[test]
fn a_recording_that_ends_leaves_the_training_its_time() {
    let Some(display) = Display::start("a_recording_that_ends_leaves_the_training_its_time") else { return };
    let folder = folder();
    let things = folder.path().join("things");
    // Examples of another day, each another picture: there is as much to learn as there are of them.
    for (class, photo) in [("cat", "chelsea.png"), ("큰 컵", "coffee.png")] {
        let class = things.join(class);
        std::fs::create_dir_all(&class).unwrap();
        let photo = sample_photos().join(photo);
        let noise = ["-vf", "scale=160:-2,noise=alls=20:allf=t"];
        make(
            &[&["-loop", "1", "-t", "1", "-i", text(&photo)], &noise[..], &[text(&class.join("%d.png"))]]
                .concat(),
        );
    }
    // A cache of its own, as what was seen of these pictures in another run would be learned in no time.
    let cache = folder.path().join("cache");
    borrow_cache(&cache);
    // The recording is a pipe, which ends when it is let go of.
    let pipe = folder.path().join("pipe.mkv");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let recording = folder.path().join("turns.mkv");
    make(&["-i", text(&turns(folder.path(), "1")), "-c", "copy", text(&recording)]);
    let mut command = camloc();
    command.env("CAMLOC_CACHE", &cache);
    let watched = Watched::start_by(command, &display, &pipe, &things);
    let mut recorder = std::fs::File::options().write(true).open(&pipe).unwrap();
    std::io::Write::write_all(&mut recorder, &std::fs::read(&recording).unwrap()).unwrap();
    display.focus();
    watched.until("a frame", |lines| !lines.is_empty());
    display.xdotool(&["key", "t"]);
    let features =
        |entry: std::fs::DirEntry| std::fs::read_dir(entry.path()).is_ok_and(|files| files.count() > 0);
    watched.until("the training has begun", |_| {
        std::fs::read_dir(cache.join("features")).is_ok_and(|folders| folders.flatten().any(features))
    });
    drop(recorder);
    let mut child = watched.child;
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert!(wait(child).success(), "{said}");
    assert!(said.contains("the training goes on") && said.contains("taught.onnx"), "{said}");
    assert!(things.join("taught.onnx").is_file());
}

#[test]
fn what_can_not_be_taught_is_said_before_anything_is_opened() {
    let folder = folder();
    let teach = |args: &[&str]| run(["video", "none.mp4", "--teach", text(folder.path())].iter().chain(args));
    let refused = |args: &[&str], words: &[&str]| assert_refused(&teach(args), 2, words);
    refused(&[], &["no classes to teach", "--teach-class"]);
    refused(&["--teach-class", "a/b"], &["\"a/b\"", "leave out the slash"]);
    refused(&["--teach-class", "1,2,3,4,5,6,7,8,9,10"], &["keys for 9 classes, not for 10"]);
    refused(&["--teach-class", "mug", "--class", "tabby"], &["leave out --class"]);
    refused(&["--teach-class", "mug", "--coco", "a.json"], &["--teach", "--coco"]);
    refused(&["--teach-class", "mug", "--head", "tree"], &["acol, cam or linear"]);
    assert_refused(&run(["live", "--teach", "things", "--no-window"]), 2, &["--no-window"]);
    assert_eq!(names_in(folder.path()), [""; 0]);
}
