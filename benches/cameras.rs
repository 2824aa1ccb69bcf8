//! What decoding a camera's frames costs, in CPU time of the thread that captures: `cargo bench --bench cameras`.
//!
//! The frames are recorded buffers: a second of a photo under a moving camera with a sensor's noise, packed by ffmpeg as webcams
//! do. Two qualities of MJPEG stand for a dim and for a detailed scene.
#![allow(missing_docs)]

use std::path::Path;
use std::process::Command;

use camloc::assets::{Asset, Store};
use camloc::frame::PicturePool;
use camloc::source::{Encoding, Layout};
use cpu_time::ThreadTime;

const SIZE: (u32, u32) = (1280, 720);
/// What is enough for a model where nobody looks at the picture.
const SMALL: (u32, u32) = (640, 480);
const ROUNDS: usize = 15;

fn main() {
    let store = Store::open().expect("the cache");
    let ffmpeg = store.ffmpeg(&mut |_| {}).expect("ffmpeg");
    let photo = store.get(Asset::SamplePhotos, &mut |_| {}).expect("the sample photos").join("coffee.png");
    println!("{:24} {:>9} {:>14} {:>12}", "a frame of 720p", "KB", "CPU ms, median", "least");
    let mjpeg = |size: (u32, u32), quality: &str| {
        let frames = record(&ffmpeg, &photo, size, &["-pix_fmt", "yuvj422p", "-q:v", quality, "-f", "mjpeg"]);
        measure(&format!("MJPEG, -q:v {quality}, {}x{}", size.0, size.1), Encoding::Mjpeg, &split(&frames));
    };
    mjpeg(SIZE, "8");
    mjpeg(SIZE, "3");
    mjpeg(SMALL, "3");
    for (name, encoding, pixels, bits) in [
        ("YUYV", Encoding::Yuyv, "yuyv422", 16),
        ("NV12", Encoding::Nv12, "nv12", 12),
        ("RGB", Encoding::Rgb, "rgb24", 24),
    ] {
        let frames = record(&ffmpeg, &photo, SIZE, &["-pix_fmt", pixels, "-f", "rawvideo"]);
        let length = (SIZE.0 * SIZE.1) as usize * bits / 8;
        measure(name, encoding, &frames.chunks_exact(length).map(<[u8]>::to_vec).collect::<Vec<_>>());
    }
}

/// Twenty frames of this size, packed as `output` says: the same scene at any size.
fn record(ffmpeg: &Path, photo: &Path, (width, height): (u32, u32), output: &[&str]) -> Vec<u8> {
    let (wide, step) = (5 * width / 4, width / 128);
    let scene = format!("scale={wide}:-2,crop={width}:{height}:'{step}*n':'{step}*n/2',noise=alls=6:allf=t");
    let mut command = Command::new(ffmpeg);
    command.args(["-loglevel", "error", "-loop", "1", "-framerate", "20", "-t", "1", "-i"]).arg(photo);
    command.args(["-vf", &scene, "-huffman", "default"]).args(output).arg("-");
    command.output().expect("ffmpeg").stdout
}

/// The JPEGs of a recording; the mark of an end stands nowhere else in them.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let ends = (2..=bytes.len()).filter(|&end| bytes[end - 2..end] == [0xff, 0xd9]);
    ends.scan(0, |start, end| Some(bytes[std::mem::replace(start, end)..end].to_vec())).collect()
}

fn measure(name: &str, encoding: Encoding, frames: &[Vec<u8>]) {
    let (pool, layout) = (PicturePool::new(2), Layout::packed(encoding, SIZE.0, SIZE.1));
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = ThreadTime::now();
            frames.iter().for_each(|frame| drop(layout.decode(frame, &pool).expect("a whole frame")));
            1e3 * began.elapsed().as_secs_f64() / frames.len() as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let size = frames.iter().map(Vec::len).sum::<usize>() / frames.len() / 1000;
    println!("{name:24} {size:>9} {:>14.2} {:>12.2}", times[ROUNDS / 2], times[0]);
}
