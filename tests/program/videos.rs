//! `camloc video`.

use super::support::{cat, cat_clip, ffmpeg, folder, json_lines, make, run, stdout, text, try_make};

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
