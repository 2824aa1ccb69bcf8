//! What a user with a camera relies on. Each case is a script for the guest, in the words of `agent.sh`, and what must
//! come of it.

use std::path::Path;

use crate::film;
use crate::guest::{Guest, Run};
use crate::reader::{write_bars, write_reader};
use crate::seen::{Seen, numbers};

/// A test: it runs a script in the guest, and looks at what came of it.
pub(crate) type Case = fn(&mut Guest);

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// Every case with its name, in the order in which they run.
        pub(crate) const ALL: [(&str, Case); [$(stringify!($name)),*].len()] = [$((stringify!($name), $name)),*];
    };
}

cases![
    without_a_camera_it_says_so,
    cameras_are_listed_by_name_in_order_without_their_metadata,
    every_frame_of_an_mjpeg_film_comes_once_whole_and_in_order,
    every_frame_of_a_yuyv_film_comes_once_whole_and_in_order,
    two_cameras_share_a_run,
    what_is_not_offered_gives_the_nearest_and_is_said,
    a_camera_pulled_out_is_waited_for,
    without_reconnecting_a_camera_pulled_out_is_an_error,
    a_camera_that_stalls_is_reported_and_opened_anew,
    a_window_stays_alive_while_the_camera_stalls,
    a_camera_in_use_is_an_error,
    a_camera_without_permission_is_an_error,
    broken_mjpeg_frames_are_left_out_and_counted,
    raw_formats_have_the_right_colours,
];

/// Frames of the MJPEG reels: ten seconds.
const REEL: u32 = 300;

/// The colour bars that the kernel's test camera, vivid, shows: white, yellow, cyan, green, magenta, red, blue, black.
const BARS: [[f32; 3]; 8] = {
    const L: f32 = 0.75;
    [
        [L, L, L],
        [L, L, 0.0],
        [0.0, L, L],
        [0.0, L, 0.0],
        [L, 0.0, L],
        [L, 0.0, 0.0],
        [0.0, 0.0, L],
        [0.0, 0.0, 0.0],
    ]
};

/// Draws the films and makes the models that read them.
pub(crate) fn prepare(share: &Path) {
    write_reader(&share.join("reader.onnx"));
    write_bars(&share.join("bars.onnx"), BARS);
    write_bars(&share.join("grey.onnx"), BARS.map(|[r, g, b]| [0.299 * r + 0.587 * g + 0.114 * b; 3]));
    film::write_reel(&share.join("720p.reel"), &film::jpegs(REEL, (1280, 720)));
    let mut small = film::jpegs(REEL, (320, 240));
    film::write_reel(&share.join("small.reel"), &small);
    for (number, frame) in small.iter_mut().enumerate() {
        match number % 10 {
            3 => frame.truncate(frame.len() / 2),
            6 => *frame = (0..3000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
            _ => {}
        }
    }
    film::write_reel(&share.join("broken.reel"), &small);
}

/// That a run ended with `code`, said one line of error that contains every one of `words`, and did not panic.
#[track_caller]
fn assert_refused(run: &Run, code: i32, words: &[&str]) {
    let notes = run.text("notes");
    assert_eq!(run.status(), code, "{notes}");
    assert!(!notes.contains("panicked"), "{notes}");
    let said = run.said("notes");
    let errors: Vec<&str> =
        said.iter().map(|said| &said.line[..]).filter(|line| line.contains("error:")).collect();
    assert_eq!(errors.len(), 1, "one line of error: {notes}");
    assert!(words.iter().all(|word| errors[0].contains(word)), "{words:?} in {errors:?}");
}

/// That `times` are one after the other by at least `seconds.0` and at most `seconds.1`.
#[track_caller]
fn assert_apart(what: &str, from: f64, to: f64, seconds: (f64, f64)) {
    let apart = to - from;
    assert!((seconds.0..=seconds.1).contains(&apart), "{what} took {apart:.2} s, not {seconds:?}");
}

/// That the frames of a film are whole and in order, and that camloc's account of them is honest: those it saw and those
/// it says it dropped are all that the webcam sent until then.
#[track_caller]
fn assert_honest(run: &Run, size: (u64, u64), at_least: usize) {
    let notes = run.text("notes");
    assert_eq!(run.status(), 0, "{notes}");
    let frames = run.frames("seen");
    assert!(frames.iter().all(|frame| frame.size == size), "not all frames are {size:?}");
    let numbers = numbers(&frames);
    let (seen, dropped) = (numbers.len() as u64, run.dropped("notes"));
    let sent = u64::from(numbers.last().expect("frames") + 1);
    assert_eq!(seen + dropped, sent, "{seen} seen and {dropped} dropped of {sent}: {notes}");
    assert!(numbers.len() >= at_least, "only {seen} frames of {sent}: {notes}");
}

fn without_a_camera_it_says_so(guest: &mut Guest) {
    let run = guest.run("none", "live 9 --model /mnt/reader.onnx");
    assert_refused(&run, 1, &["no camera found: plug one in"]);
}

fn cameras_are_listed_by_name_in_order_without_their_metadata(guest: &mut Guest) {
    let script = "
        plug 1 --name 'Desk Camera' yuyv:640x480@30
        plug 0 --name 'Door Camera' mjpeg:320x240@30:/mnt/small.reel
        $CAMLOC doctor >doctor";
    let run = guest.run("list", script);
    let doctor = run.text("doctor");
    let line = doctor.lines().find(|line| line.contains("cameras")).expect("a line on cameras");
    assert!(line.ends_with("0: Desk Camera; 2: Door Camera"), "{line}");
}

fn every_frame_of_an_mjpeg_film_comes_once_whole_and_in_order(guest: &mut Guest) {
    let script = "
        plug 0 mjpeg:1280x720@30:/mnt/720p.reel
        live 5 --model /mnt/reader.onnx";
    let run = guest.run("mjpeg", script);
    assert_honest(&run, (1280, 720), 40);
}

fn every_frame_of_a_yuyv_film_comes_once_whole_and_in_order(guest: &mut Guest) {
    let script = "
        plug 0 yuyv:640x480@30
        live 4 --size 640x480 --model /mnt/reader.onnx";
    let run = guest.run("yuyv", script);
    assert_honest(&run, (640, 480), 50);
}

fn two_cameras_share_a_run(guest: &mut Guest) {
    let script = "
        plug 0 mjpeg:320x240@15:/mnt/small.reel
        plug 1 yuyv:160x120@15
        live 3 0 2 --size 160x120 --model /mnt/reader.onnx";
    let run = guest.run("two", script);
    let notes = run.text("notes");
    assert_eq!(run.status(), 0, "{notes}");
    let (mut seen, mut sent) = (0, 0);
    for (camera, size) in [("camera 0 (Test Webcam)", (320, 240)), ("camera 2 (Test Webcam)", (160, 120))] {
        let frames: Vec<Seen> =
            run.frames("seen").into_iter().filter(|frame| frame.camera == camera).collect();
        assert!(frames.len() > 15, "{camera}: {} frames: {notes}", frames.len());
        assert!(frames.iter().all(|frame| frame.size == size));
        sent += u64::from(numbers(&frames).last().expect("frames") + 1);
        seen += frames.len() as u64;
    }
    let dropped = run.dropped("notes");
    assert_eq!(seen + dropped, sent, "{seen} seen and {dropped} dropped of {sent}: {notes}");
}

fn what_is_not_offered_gives_the_nearest_and_is_said(guest: &mut Guest) {
    let script = "
        plug 0 mjpeg:1280x720@30,15:/mnt/720p.reel mjpeg:320x240@30:/mnt/small.reel yuyv:640x480@30 yuyv:320x240@10
        live 2 --size 700x500 --fps 25 --model /mnt/reader.onnx
        mkdir rate
        cd rate
        live 2 --size 1280x720 --fps 12 --model /mnt/reader.onnx";
    let run = guest.run("nearest", script);
    run.when(
        "notes",
        "camera 0 (Test Webcam) does not offer 700x500 at 25 fps: taking 640x480 YUYV at 30 fps",
    );
    assert!(run.frames("seen").iter().all(|frame| frame.size == (640, 480)));
    run.when("rate/notes", "does not offer 1280x720 at 12 fps: taking 1280x720 MJPEG at 15 fps");
    assert!(run.frames("rate/seen").len() > 5);
}

fn a_camera_pulled_out_is_waited_for(guest: &mut Guest) {
    let script = "
        plug 0 mjpeg:320x240@10:/mnt/small.reel
        live 60 --size 320x240 --model /mnt/reader.onnx &
        watching=$!
        await test -s seen
        sleep 1
        unplug 0
        sleep 1.5
        wc -l <seen >before
        plug 0 mjpeg:320x240@10:/mnt/small.reel
        mark back
        await grep 'sending again' notes
        sleep 1
        pkill -INT -x camloc
        wait $watching";
    let run = guest.run("unplugged", script);
    assert_eq!(run.status(), 0, "{}", run.text("notes"));
    let gone = run.when("notes", "camera 0 (Test Webcam) is gone; waiting for it to be plugged in again");
    assert_apart("saying that it is gone", run.when("marks", "unplugged"), gone, (0.0, 1.0));
    let again = run.when("notes", "camera 0 (Test Webcam) is sending again");
    // The mark is made when a look every tenth of a second finds the camera.
    assert_apart("resuming", run.when("marks", "back"), again, (-0.5, 2.0));
    let before: usize = run.text("before").trim().parse().expect("a count");
    let frames = run.frames("seen");
    assert!(before > 5 && frames.len() > before + 5, "{before} frames before, {} in all", frames.len());
    numbers(&frames[..before]);
    numbers(&frames[before..]);
}

fn without_reconnecting_a_camera_pulled_out_is_an_error(guest: &mut Guest) {
    let script = "
        plug 0 mjpeg:320x240@10:/mnt/small.reel
        (await test -s seen; sleep .5; unplug 0) &
        live 20 --no-reconnect --size 320x240 --model /mnt/reader.onnx
        status=$?
        mark ended
        exit $status";
    let run = guest.run("no-reconnect", script);
    assert_refused(&run, 1, &["/dev/video0 is gone: plug it in and start again"]);
    assert_apart("ending", run.when("marks", "unplugged"), run.when("marks", "ended"), (0.0, 1.5));
    assert!(!numbers(&run.frames("seen")).is_empty());
}

fn a_camera_that_stalls_is_reported_and_opened_anew(guest: &mut Guest) {
    let script = "
        plug 0 --stall-after 1.5 mjpeg:320x240@10:/mnt/small.reel
        live 7 --size 320x240 --model /mnt/reader.onnx";
    let run = guest.run("stalled", script);
    let stalled = run.when("notes", "camera 0 (Test Webcam) stopped sending; waiting for it");
    let silent = run.when("webcam-0", "silent");
    assert_apart("saying that it stalls", silent, stalled, (1.0, 2.0));
    let again = run.when("notes", "camera 0 (Test Webcam) is sending again");
    assert_apart("opening it anew", silent, again, (2.0, 5.0));
}

fn a_window_stays_alive_while_the_camera_stalls(guest: &mut Guest) {
    let script = "
        export DISPLAY=:7
        Xvfb :7 -screen 0 640x480x24 -nolisten tcp -noreset &
        await xdotool getmouselocation
        plug 0 --stall-after 3 mjpeg:320x240@10:/mnt/small.reel
        $CAMLOC live --size 320x240 --model /mnt/reader.onnx 2>&1 | stamp >notes &
        watching=$!
        await grep 'stopped sending' notes
        window=$(xdotool search --onlyvisible --name camloc)
        mark pressed
        xdotool windowfocus $window key q
        wait $watching
        mark ended";
    let run = guest.run("window", script);
    assert_apart("ending", run.when("marks", "pressed"), run.when("marks", "ended"), (0.0, 1.0));
}

fn a_camera_in_use_is_an_error(guest: &mut Guest) {
    let script = "
        plug 0 mjpeg:320x240@10:/mnt/small.reel
        mkdir other
        (cd other; live 20 --size 320x240 --model /mnt/reader.onnx) &
        await test -s other/seen
        live 9 --size 320x240 --model /mnt/reader.onnx";
    let run = guest.run("busy", script);
    assert_refused(&run, 1, &["another program holds /dev/video0: close it"]);
}

fn a_camera_without_permission_is_an_error(guest: &mut Guest) {
    // Root without the right to pass over permissions.
    let script = "
        plug 0 mjpeg:320x240@10:/mnt/small.reel
        chmod 0 /dev/video0
        CAMLOC=\"setpriv --bounding-set=-dac_override,-dac_read_search $CAMLOC\"
        timeout 9 $CAMLOC live --no-window --json - --model /mnt/reader.onnx 2>&1 >seen | stamp >notes
        exit ${PIPESTATUS[0]}";
    let run = guest.run("permission", script);
    assert_refused(&run, 1, &["no permission to use /dev/video0: add yourself to the group video"]);
}

fn broken_mjpeg_frames_are_left_out_and_counted(guest: &mut Guest) {
    let script = "
        plug 0 mjpeg:320x240@30:/mnt/broken.reel
        live 4 --size 320x240 --model /mnt/reader.onnx";
    let run = guest.run("broken", script);
    run.when("notes", "left out a broken frame");
    assert_honest(&run, (320, 240), 50);
    assert!(numbers(&run.frames("seen")).iter().all(|number| ![3, 6].contains(&(number % 10))));
}

fn raw_formats_have_the_right_colours(guest: &mut Guest) {
    let script = "
        modprobe -d \"$MODULES\" vivid
        await test -c /dev/video0
        $CAMLOC doctor >doctor
        for encoding in yuyv uyvy nv12 rgb bgr grey; do
            bars=/mnt/bars.onnx
            [ $encoding = grey ] && bars=/mnt/grey.onnx
            mkdir $encoding
            cd $encoding
            live 1 --encoding $encoding --size 640x360 --model $bars
            cd ..
        done";
    let run = guest.run("vivid", script);
    // Beside the camera, vivid has outputs, metadata and more, which are none.
    let doctor = run.text("doctor");
    let line = doctor.lines().find(|line| line.contains("cameras")).expect("a line on cameras");
    assert!(line.contains("0: vivid") && !line.contains(';'), "{line}");
    for encoding in ["yuyv", "uyvy", "nv12", "rgb", "bgr", "grey"] {
        let notes = run.text(&format!("{encoding}/notes"));
        assert!(!notes.contains("does not offer"), "{notes}");
        let frames = run.frames(&format!("{encoding}/seen"));
        assert!(frames.len() > 3, "{encoding}: {} frames: {notes}", frames.len());
        for frame in frames {
            assert_eq!(
                (frame.size, &frame.label[..]),
                ((640, 360), "bars"),
                "{encoding}, frame {}",
                frame.seq
            );
        }
    }
}
