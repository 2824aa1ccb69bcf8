//! The known film: every frame carries its own number, as a row of ten blocks, bright for a 1, from the lowest bit on.
//! Blocks reach from the top edge to the bottom edge, so that a frame torn anywhere shows two numbers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use camloc::assets::{Asset, Store};

/// Frames until the numbers begin anew.
pub(crate) const LENGTH: u32 = 1 << BITS;
/// Blocks with a meaning.
pub(crate) const BITS: usize = 10;
/// Columns of blocks: the number stands in the middle of dark ones.
pub(crate) const COLUMNS: usize = 16;
/// The column of the lowest bit.
pub(crate) const FIRST: usize = (COLUMNS - BITS) / 2;

/// Whether the block at this column is bright in frame `number`.
pub(crate) fn is_bright(number: u32, column: usize) -> bool {
    (FIRST..FIRST + BITS).contains(&column) && number >> (column - FIRST) & 1 == 1
}

/// A row of frame `number`, in levels from 16 to 235 as video has them.
fn row(number: u32, width: usize) -> impl Iterator<Item = u8> {
    (0..width).map(move |x| if is_bright(number, x * COLUMNS / width) { 220 } else { 30 })
}

/// Frame `number` as a camera packs it in YUYV.
pub(crate) fn yuyv(number: u32, width: usize, height: usize) -> Vec<u8> {
    let row: Vec<u8> = row(number, width).flat_map(|level| [level, 128]).collect();
    row.repeat(height)
}

/// The first `count` frames as JPEGs with half the colour resolution, as webcams send them; ffmpeg makes them.
pub(crate) fn jpegs(count: u32, (width, height): (usize, usize)) -> Vec<Vec<u8>> {
    let size = format!("{width}x{height}");
    let input = ["-f", "rawvideo", "-pixel_format", "yuyv422", "-video_size", &size, "-i", "-"];
    let output = ["-pix_fmt", "yuvj422p", "-q:v", "3", "-f", "mjpeg", "-"];
    let mut ffmpeg = Command::new(ffmpeg());
    ffmpeg.args(["-loglevel", "error"]).args(input).args(output).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut ffmpeg = ffmpeg.spawn().expect("ffmpeg");
    let mut raw = ffmpeg.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || {
        (0..count).try_for_each(|number| raw.write_all(&yuyv(number, width, height))).expect("ffmpeg reads");
    });
    let bytes = ffmpeg.wait_with_output().expect("ffmpeg").stdout;
    writer.join().expect("ffmpeg reads");
    // Each ends with its mark, which stands nowhere else.
    let ends = (2..=bytes.len()).filter(|&end| bytes[end - 2..end] == [0xff, 0xd9]);
    let frames: Vec<_> =
        ends.scan(0, |start, end| Some(bytes[std::mem::replace(start, end)..end].to_vec())).collect();
    assert_eq!(frames.len(), count as usize, "JPEGs of ffmpeg");
    frames
}

fn ffmpeg() -> PathBuf {
    Store::open().expect("the cache").get(Asset::Ffmpeg, &mut |_| {}).expect("ffmpeg")
}

/// Writes frames for a webcam to play, each behind its length.
pub(crate) fn write_reel(path: &Path, frames: &[Vec<u8>]) {
    let with_length = |frame: &Vec<u8>| [&(frame.len() as u32).to_le_bytes()[..], frame].concat();
    let bytes: Vec<u8> = frames.iter().flat_map(with_length).collect();
    std::fs::write(path, bytes).expect("a reel");
}

/// Reads what [`write_reel`] wrote.
pub(crate) fn read_reel(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut rest, mut frames) = (&bytes[..], Vec::new());
    while let Some((length, tail)) = rest.split_first_chunk() {
        let (frame, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        frames.push(frame.to_vec());
        rest = tail;
    }
    frames
}
