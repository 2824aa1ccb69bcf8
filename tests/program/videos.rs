//! `camloc video`.

use super::support::{
    assert_refused, cat, cat_clip, ffmpeg, folder, json_lines, make, names_in, run, sample_photos, stdout,
    text, try_make,
};

/// What ffmpeg says of a file.
fn describe(path: &std::path::Path) -> String {
    let output =
        std::process::Command::new(ffmpeg()).args(["-hide_banner", "-i", text(path)]).output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_frame_of_a_video_is_reported_in_order_with_its_time() {
    let folder = folder();
    let clip = cat_clip(folder.path(), 2);
    let lines = json_lines(&stdout(&run(["video", text(&clip), "--json", "-"])));
    assert_eq!(lines.len(), 50);
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(line["frame"], i);
        assert!((line["time_s"].as_f64().unwrap() - i as f64 / 25.0).abs() < 0.002, "{line}");
    }
}

#[test]
fn the_overlaid_video_keeps_size_length_and_sound() {
    let folder = folder();
    let clip = cat_clip(folder.path(), 2);
    let out = folder.path().join("out.mp4");
    assert_eq!(stdout(&run(["video", text(&clip), "-o", text(&out)])), "");
    let about = describe(&out);
    assert!(about.contains("320x240"), "{about}");
    assert!(about.contains("Duration: 00:00:02.0"), "{about}");
    assert!(about.contains("Audio: aac"), "{about}");
    assert!(about.contains("25 fps"), "{about}");
}

#[test]
fn a_video_filmed_upright_is_processed_upright() {
    let folder = folder();
    let clip = cat_clip(folder.path(), 1);
    let turned = folder.path().join("turned.mp4");
    // ffmpeg before version 6 says it as metadata.
    if !try_make(&["-display_rotation", "90", "-i", text(&clip), "-c", "copy", text(&turned)]) {
        make(&["-i", text(&clip), "-c", "copy", "-metadata:s:v", "rotate=90", text(&turned)]);
    }
    let out = folder.path().join("out.mp4");
    let lines = json_lines(&stdout(&run(["video", text(&turned), "--json", "-", "-o", text(&out)])));
    assert_eq!((lines[0]["width"].as_u64(), lines[0]["height"].as_u64()), (Some(240), Some(320)));
    assert!(describe(&out).contains("240x320"));
    assert!(!describe(&out).contains("rotation"), "turned once, not twice");
}

#[test]
fn a_variable_frame_rate_keeps_its_times() {
    let folder = folder();
    let clip = folder.path().join("vfr.mp4");
    // Frame n at n²/10 seconds.
    make(&[
        "-f",
        "lavfi",
        "-t",
        "1",
        "-i",
        "testsrc2=size=161x121:rate=6",
        "-vf",
        "settb=1/1000,setpts=N*N*100",
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "1/1000",
        "-pix_fmt",
        "yuv444p",
        text(&clip),
    ]);
    let out = folder.path().join("out.mp4");
    stdout(&run(["video", text(&clip), "-o", text(&out)]));
    let lines = json_lines(&stdout(&run(["video", text(&out), "--json", "-"])));
    let times: Vec<f64> = lines.iter().map(|line| line["time_s"].as_f64().unwrap()).collect();
    assert_eq!(times.len(), 6);
    for (i, time) in times.iter().enumerate() {
        assert!((time - (i * i) as f64 / 10.0).abs() < 0.005, "{times:?}");
    }
}

#[test]
fn boxes_of_a_video_are_followed_and_those_of_photos_are_not() {
    let folder = folder();
    let clip = cat_clip(folder.path(), 1);
    let tracks = |arguments: &[&str]| -> Vec<Option<u64>> {
        let lines = json_lines(&stdout(&run(arguments)));
        let found = lines.iter().flat_map(|line| line["detections"].as_array().unwrap());
        found.map(|detection| detection["track"].as_u64()).collect()
    };
    let followed = tracks(&["video", text(&clip), "--components", "largest", "--json", "-"]);
    assert!(followed.len() > 20 && followed.iter().all(|&track| track == Some(1)), "{followed:?}");
    let alone = tracks(&["video", text(&clip), "--no-track", "--json", "-"]);
    assert!(alone.len() > 20 && alone.iter().all(Option::is_none), "{alone:?}");
    let photo = tracks(&["image", text(&cat()), "--json", "-"]);
    assert!(!photo.is_empty() && photo.iter().all(Option::is_none), "{photo:?}");
}

/// A second of a cup at 240x200, without sound.
fn cup_clip(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("cup.mp4");
    let cup = sample_photos().join("coffee.png");
    let filter = "scale=400:-2,crop=240:200:'20+10*t':20,format=yuv420p";
    let photo = ["-loop", "1", "-framerate", "25", "-t", "1", "-i", text(&cup)];
    make(&[&photo[..], &["-vf", filter, "-c:v", "libx264", "-preset", "ultrafast", text(&path)]].concat());
    path
}

#[test]
fn videos_that_run_together_give_what_each_gives_alone() {
    let folder = folder();
    let clips = [cat_clip(folder.path(), 2), cup_clip(folder.path())];
    let out = folder.path().join("out");
    let both = run(["video", text(&clips[0]), text(&clips[1]), "--json", "-", "-o", text(&out)]);
    let both = json_lines(&stdout(&both));
    assert_eq!(names_in(&out), ["cat.cam.mp4", "cup.cam.mp4"]);
    assert!(describe(&out.join("cat.cam.mp4")).contains("Audio: aac"));
    assert!(describe(&out.join("cup.cam.mp4")).contains("240x200"));
    for (clip, frames) in clips.iter().zip([50, 25]) {
        let alone = json_lines(&stdout(&run(["video", text(clip), "--json", "-"])));
        let here: Vec<_> = both.iter().filter(|line| line["source"] == text(clip)).collect();
        assert_eq!((alone.len(), here.len()), (frames, frames));
        for (alone, here) in alone.iter().zip(here) {
            assert_eq!((&alone["frame"], &alone["time_s"]), (&here["frame"], &here["time_s"]));
            let found = |line: &serde_json::Value| line["detections"].as_array().unwrap().clone();
            let (alone, here) = (found(alone), found(here));
            assert_eq!(alone.len(), here.len());
            for (alone, here) in alone.iter().zip(&here) {
                assert_eq!((&alone["label"], &alone["track"]), (&here["label"], &here["track"]));
                let near = |a: &serde_json::Value, b: &serde_json::Value, by: f64| {
                    (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() <= by
                };
                // A pass over two pictures adds its numbers up in another order.
                assert!(near(&alone["score"], &here["score"], 1e-3), "{alone} {here}");
                assert!((0..4).all(|side| near(&alone["box"][side], &here["box"][side], 1.0)));
            }
        }
    }
}

#[test]
fn a_video_that_is_cut_short_leaves_the_others_running() {
    let folder = folder();
    let (clip, cut) = (cup_clip(folder.path()), folder.path().join("cut.mkv"));
    let whole = folder.path().join("whole.mkv");
    make(&["-i", text(&cat_clip(folder.path(), 4)), "-c", "copy", text(&whole)]);
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let out = folder.path().join("out");
    let output = run(["video", text(&cut), text(&clip), "-o", text(&out)]);
    assert_refused(&output, 1, &["cut.mkv"]);
    assert_eq!(names_in(&out), ["cup.cam.mp4", "cut.cam.mp4"]);
    let written = run(["video", text(&out.join("cup.cam.mp4")), "--json", "-"]);
    assert_eq!(json_lines(&stdout(&written)).len(), 25);
}

#[test]
fn what_several_videos_can_not_have_is_refused_before_anything_is_opened() {
    let refused = |more: &[&str], words: &[&str]| {
        assert_refused(&run([&["video", "a.mp4", "b.mp4"], more].concat()), 2, words);
    };
    refused(&["--masks", "png", "-o", "out"], &["--masks", "one video"]);
    refused(&["--teach", "things", "--teach-class", "a,b"], &["--teach", "one video"]);
}
