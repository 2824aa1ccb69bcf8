use super::*;
use crate::assets::ffmpeg_for_tests as ffmpeg;

/// Makes `name` in `directory` with these arguments.
fn make(directory: &Path, name: &str, arguments: &str) -> PathBuf {
    let path = directory.join(name);
    let made = Command::new(ffmpeg())
        .args(["-nostdin", "-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .arg(&path)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    path
}

/// lavfi: frames that carry their number: bit i is the brightness of columns 16i..16i+16.
fn counted(size: &str, rate: u32, frames: u32) -> String {
    format!(
        "-f lavfi -i nullsrc=s={size}:r={rate},geq=lum='255*mod(floor(N/pow(2,floor(X/16))),2)':cb=128:cr=128 \
         -frames:v {frames} -pix_fmt yuv420p -c:v libx264 -g 10"
    )
}

fn number(frame: &Frame) -> u64 {
    let (width, height) = frame.picture.size();
    let row = &frame.picture.rgb()[3 * (width * (height / 2)) as usize..];
    (0..width as usize / 16).map(|bit| u64::from(row[3 * (16 * bit + 8)] > 128) << bit).sum()
}

fn open(path: &Path) -> Result<VideoSource, SourceError> {
    VideoSource::open(&ffmpeg(), path.as_os_str(), &PicturePool::new(4), &Stop::new())
}

fn refusal(path: &Path) -> String {
    let said = open(path).err().expect("this should not open").to_string();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

/// All frames, and how it ended.
fn drain(source: &mut VideoSource) -> (Vec<Frame>, Result<(), SourceError>) {
    let mut frames = Vec::new();
    loop {
        match source.next() {
            Ok(Event::Frame(frame)) => frames.push(frame),
            Ok(Event::Notice(notice)) => panic!("{notice}"),
            Ok(Event::End) => return (frames, Ok(())),
            Err(e) => return (frames, Err(e)),
        }
    }
}

#[test]
fn every_frame_comes_once_in_order_with_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(directory.path(), "a.mp4", &counted("128x96", 25, 60));
    // A name that would be an option, a protocol and a pattern to a careless reader.
    let odd = directory.path().join("-x:y%03d clip.mp4");
    std::fs::rename(path, &odd).unwrap();
    let mut source = open(&odd).unwrap();
    let info = source.info().clone();
    assert_eq!((info.size, info.fps, info.frames), (Some((128, 96)), Some(25.0), Some(60)));
    assert!(!info.live && !info.has_audio);
    let (frames, end) = drain(&mut source);
    end.unwrap();
    assert!(frames.iter().map(number).eq(0..60));
    for (seq, frame) in (0..).zip(&frames) {
        assert_eq!(frame.seq, seq);
        assert!((frame.time.as_secs_f64() - seq as f64 / 25.0).abs() < 1e-3);
    }
    assert!(matches!(source.next(), Ok(Event::End)));
}

#[test]
fn rotation_metadata_is_applied() {
    let directory = tempfile::tempdir().unwrap();
    make(directory.path(), "flat.mp4", &counted("128x64", 10, 3));
    let old = "-i flat.mp4 -c copy -metadata:s:v rotate=90";
    let path = make(directory.path(), "turned.mp4", old);
    let source = open(&path).unwrap();
    let turned = if source.info().size == Some((64, 128)) {
        path
    } else {
        // Since ffmpeg 6 the metadata is an input option.
        make(directory.path(), "again.mp4", "-display_rotation 90 -i flat.mp4 -c copy")
    };
    let (frames, end) = drain(&mut open(&turned).unwrap());
    end.unwrap();
    assert_eq!(frames.len(), 3);
    assert!(frames.iter().all(|f| f.picture.size() == (64, 128)));
    // The bits now run along the rows: frame 1 has a bright end and a dark end.
    let column: Vec<u8> = frames[1].picture.rgb().chunks_exact(3 * 64).map(|row| row[96]).collect();
    assert_ne!(column[8] > 128, column[119] > 128);
}

#[test]
fn variable_frame_rate_keeps_its_timestamps() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = counted("64x64", 10, 9)
        .replace(" -frames:v", ",setpts='N*N/10/TB+3/TB' -fps_mode passthrough -frames:v");
    let path = make(directory.path(), "vfr.mkv", &arguments);
    let (frames, end) = drain(&mut open(&path).unwrap());
    end.unwrap();
    assert!(frames.iter().map(number).eq(0..9));
    for (n, frame) in frames.iter().enumerate() {
        assert!((frame.time.as_secs_f64() - (n * n) as f64 / 10.0).abs() < 2e-3, "{n}: {:?}", frame.time);
    }
}

#[test]
fn odd_sizes_and_sizes_that_change_work() {
    let directory = tempfile::tempdir().unwrap();
    let odd =
        "-f lavfi -i testsrc=s=320x240:r=10,format=bgr0,scale=321:241 -frames:v 4 -c:v ffv1 -pix_fmt bgr0";
    let (frames, end) = drain(&mut open(&make(directory.path(), "odd.mkv", odd)).unwrap());
    end.unwrap();
    assert_eq!(frames.len(), 4);
    assert!(frames.iter().all(|f| f.picture.size() == (321, 241)));
    for (name, size) in [("a.ts", "64x48"), ("b.ts", "128x96")] {
        make(directory.path(), name, &counted(size, 10, 3));
    }
    let both = ["a.ts", "b.ts"].map(|name| std::fs::read(directory.path().join(name)).unwrap()).concat();
    std::fs::write(directory.path().join("both.ts"), both).unwrap();
    let (frames, end) = drain(&mut open(&directory.path().join("both.ts")).unwrap());
    end.unwrap();
    assert_eq!(frames.first().unwrap().picture.size(), (64, 48));
    assert_eq!(frames.last().unwrap().picture.size(), (128, 96));
    assert!(frames.windows(2).all(|pair| pair[0].time <= pair[1].time));
}

#[test]
fn a_truncated_video_delivers_what_is_there_and_says_so_once() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = counted("128x96", 25, 100) + " -movflags +faststart";
    for name in ["cut.mp4", "cut.mkv", "cut.avi"] {
        let path = make(directory.path(), name, &arguments);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() * 6 / 10]).unwrap();
        let mut source = open(&path).unwrap();
        let (frames, end) = drain(&mut source);
        let count = frames.len() as u64;
        assert!((20..95).contains(&count), "{name}: {count}");
        // The last frame may be damaged, the others are whole.
        assert!(frames[..frames.len() - 1].iter().map(number).eq(0..count - 1), "{name}");
        let Err(SourceError::CutShort { frames, expected, .. }) = end else { panic!("{name}: {end:?}") };
        assert_eq!(frames, count);
        assert!(expected.is_none_or(|n| n.abs_diff(100) <= 1), "{name}: {expected:?}");
        assert!(expected.is_some() || name != "cut.mp4");
        assert!(matches!(source.next(), Ok(Event::End)));
    }
}

#[test]
fn sound_is_noticed_and_sound_alone_is_no_video() {
    let directory = tempfile::tempdir().unwrap();
    let sound = "-f lavfi -i sine=d=1 -c:a aac";
    let alone = make(directory.path(), "alone.mp4", sound);
    assert!(refusal(&alone).ends_with("alone.mp4 has no video: it holds only sound"));
    make(directory.path(), "cover.png", "-f lavfi -i color=s=32x32 -frames:v 1");
    let cover = make(
        directory.path(),
        "cover.mp4",
        "-i alone.mp4 -i cover.png -map 0 -map 1 -c copy -disposition:v:0 attached_pic",
    );
    assert!(refusal(&cover).ends_with("cover.mp4 has no video: it holds only sound"));
    let both = make(
        directory.path(),
        "both.mp4",
        &format!("{sound} {}", counted("64x64", 10, 5)).replace("-c:a aac -f", "-f"),
    );
    let mut source = open(&both).unwrap();
    assert!(source.info().has_audio);
    let (frames, end) = drain(&mut source);
    end.unwrap();
    assert_eq!(frames.len(), 5);
}

#[test]
fn what_is_no_video_is_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    assert!(
        refusal(&write("text.mp4", "hello, I am text"))
            .contains("text.mp4 is not a video that ffmpeg can read: ")
    );
    assert!(refusal(&write("empty.mp4", "")).ends_with("empty.mp4 is empty"));
    assert!(refusal(&directory.path().join("none.mp4")).ends_with("none.mp4 does not exist"));
    assert!(refusal(directory.path()).ends_with("is a directory, not a video"));
    let url = "http://someone:secret@127.0.0.1:9/x.mp4";
    let said = refusal(Path::new(url));
    assert!(said.starts_with("can't open http://127.0.0.1:9/x.mp4: ") && said.contains("refused"), "{said}");
    assert!(!said.contains("secret"));
    let no_program =
        VideoSource::open(Path::new("no-such-ffmpeg"), url.as_ref(), &PicturePool::new(1), &Stop::new());
    assert!(no_program.err().unwrap().to_string().contains("no-such-ffmpeg"));
}

#[test]
fn a_playlist_in_a_file_reaches_no_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("list.m3u8");
    let list = format!("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://{address}/x.ts\n");
    std::fs::write(&path, list).unwrap();
    refusal(&path);
    assert!(listener.accept().is_err(), "someone called");
}

#[test]
fn a_manifest_that_is_called_a_video_reaches_no_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("video.mp4");
    let dash = format!(
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" \
         type=\"static\" mediaPresentationDuration=\"PT5S\"><BaseURL>http://{address}/</BaseURL><Period><AdaptationSet \
         mimeType=\"video/mp4\"><Representation id=\"0\" codecs=\"avc1.64001f\" width=\"64\" height=\"64\" bandwidth=\"9\">\
         <BaseURL>x.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>"
    );
    let concat = format!("ffconcat version 1.0\nfile http://{address}/x.mp4\n");
    let sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n";
    for text in [dash.as_str(), concat.as_str(), sdp] {
        std::fs::write(&path, text).unwrap();
        let said = refusal(&path);
        assert!(said.contains("playlist"), "{said}");
        assert!(listener.accept().is_err(), "someone called");
    }
}

#[test]
#[cfg(unix)]
fn texts_of_a_video_are_no_frames() {
    let directory = tempfile::tempdir().unwrap();
    make(directory.path(), "plain.mp4", &counted("64x48", 10, 5));
    let words = "n: 0 pts: 0 pts_time:0 s:30000x30000";
    let line = format!("[Parsed_showinfo_0 @ 0x5] [info] {words}");
    // ffmpeg indents the lines of a value, but neither those of a key nor those of a path.
    let broken = format!("a\n{line}\n[showinfo@guess @ 0x5] [info] {words}\nz");
    for (name, key, value) in [
        ("title.mp4", "title", words),
        ("comment.mp4", "comment", &line),
        ("artist.mp4", "artist", &broken),
        ("artist.mkv", "artist", &broken),
        ("key.mp4", &broken, "v"),
        (&format!("{broken}.mp4"), "title", "v"),
    ] {
        let path = directory.path().join(name);
        let made = Command::new(ffmpeg())
            .args(["-nostdin", "-v", "error", "-i", "plain.mp4", "-c", "copy"])
            .args(if name.ends_with("mp4") { &["-movflags", "use_metadata_tags"][..] } else { &[] })
            .args(["-metadata", &format!("{key}={value}")])
            .arg(format!("file:{name}"))
            .current_dir(directory.path())
            .status();
        assert!(made.unwrap().success(), "{name}");
        let (frames, end) = drain(&mut open(&path).unwrap());
        end.unwrap();
        assert!(frames.iter().map(number).eq(0..5), "{name}");
        assert!(frames.iter().all(|frame| frame.picture.size() == (64, 48)), "{name}");
    }
}

#[test]
fn frames_that_would_fill_the_memory_are_refused_with_their_size() {
    let directory = tempfile::tempdir().unwrap();
    let huge = "-f lavfi -i color=s=12000x9000:r=1 -frames:v 1 -c:v mjpeg";
    let said = refusal(&make(directory.path(), "huge.avi", huge));
    assert!(said.contains("huge.avi is too large: 12000x9000"), "{said}");
}

#[test]
fn a_source_dropped_in_mid_stream_leaves_no_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(directory.path(), "a.mp4", &counted("128x96", 25, 250));
    let mut source = open(&path).unwrap();
    assert!(matches!(source.next(), Ok(Event::Frame(_))));
    let id = source.ffmpeg.id();
    let started = Instant::now();
    drop(source);
    assert!(started.elapsed() < Duration::from_secs(2));
    if cfg!(target_os = "linux") {
        assert!(!Path::new(&format!("/proc/{id}")).exists(), "neither running nor a zombie");
    }
}

#[test]
fn a_stop_ends_a_source_that_waits_for_a_silent_server() {
    // Accepts connections in its queue but never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x.mp4", listener.local_addr().unwrap());
    let stop = Stop::new();
    let stopper = stop.clone();
    let opening = std::thread::spawn(move || {
        let mut source = VideoSource::open(&ffmpeg(), url.as_ref(), &PicturePool::new(1), &stopper).unwrap();
        matches!(source.next(), Ok(Event::End))
    });
    std::thread::sleep(Duration::from_millis(300));
    let started = Instant::now();
    stop.stop();
    assert!(opening.join().unwrap());
    assert!(started.elapsed() < Duration::from_secs(2));
}

/// Stands in for ffmpeg: a script that is given the arguments of the real one, whose path is `$FFMPEG`.
#[cfg(unix)]
fn stand_in(directory: &Path, name: &str, script: &str) -> PathBuf {
    let path = directory.join(name);
    let script = format!("#!/bin/bash\nFFMPEG='{}'\n{script}\n", ffmpeg().display());
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

#[test]
#[cfg(unix)]
fn an_ffmpeg_that_crashes_is_called_so_with_its_signal() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(directory.path(), "a.mp4", &counted("64x64", 10, 4));
    let open = |program: &Path| VideoSource::open(program, path.as_ref(), &PicturePool::new(4), &Stop::new());
    let check = |error: SourceError, words: &[&str]| {
        let said = error.to_string();
        assert_eq!(said.lines().count(), 1, "{said}");
        for word in
            words.iter().chain(&["signal: 11", "install another ffmpeg, or name one with CAMLOC_FFMPEG"])
        {
            assert!(said.contains(word), "no {word:?} in {said}");
        }
    };
    // What it complained of before is not the reason.
    let complain = "echo '[mpegts @ 0x1] [error] Packet corrupt' >&2";
    let at_once = stand_in(directory.path(), "at-once", &format!("{complain}; kill -SEGV $$"));
    check(open(&at_once).err().unwrap(), &["at-once crashed on ", "a.mp4 (signal: 11"]);

    let later =
        stand_in(directory.path(), "later", &format!("\"$FFMPEG\" \"$@\"; {complain}; kill -SEGV $$"));
    let mut source = open(&later).unwrap();
    let (frames, end) = drain(&mut source);
    assert_eq!(frames.len(), 4, "what came before the crash is kept");
    check(end.unwrap_err(), &["later crashed on ", "a.mp4 after 4 frames (signal: 11"]);
    assert!(matches!(source.next(), Ok(Event::End)), "said once");
}

#[test]
#[cfg(unix)]
fn an_ffmpeg_before_5_1_is_asked_in_its_own_words() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(directory.path(), "a.mp4", &counted("64x64", 10, 4));
    let script = r#"for word; do
            case $word in
                -fps_mode) echo "[fatal] Unrecognized option 'fps_mode'." >&2; exit 1 ;;
                -vsync) word=-fps_mode ;;
            esac
            words+=("$word")
        done
        exec "$FFMPEG" "${words[@]}""#;
    let old = stand_in(directory.path(), "old-ffmpeg", script);
    let mut source = VideoSource::open(&old, path.as_ref(), &PicturePool::new(1), &Stop::new()).unwrap();
    let (frames, end) = drain(&mut source);
    end.unwrap();
    assert_eq!(frames.len(), 4);
}
