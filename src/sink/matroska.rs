//! Raw video with timestamps for ffmpeg's standard input: the least Matroska that carries it.
//!
//! Plain raw frames have no timestamps, and a variable frame rate would be lost. Matroska (RFC 9559) of one
//! uncompressed track says it in 150 bytes, and 50 bytes a frame: a segment without end, one cluster a frame.

use std::time::Duration;

/// Nanoseconds of one tick: a microsecond.
const TICK_NS: u64 = 1_000;

/// The bytes before the first frame of I420 video in BT.709 colours.
///
/// `frame_ns` is the usual duration of a frame; timestamps need not keep to it.
pub(super) fn header(width: u32, height: u32, frame_ns: u64) -> Vec<u8> {
    let colour = [
        unsigned(&[0x55, 0xB1], 1), // MatrixCoefficients: BT.709
        unsigned(&[0x55, 0xB9], 1), // Range: broadcast
        unsigned(&[0x55, 0xBA], 1), // TransferCharacteristics: BT.709
        unsigned(&[0x55, 0xBB], 1), // Primaries: BT.709
    ];
    let video = [
        unsigned(&[0xB0], width.into()),
        unsigned(&[0xBA], height.into()),
        element(&[0x2E, 0xB5, 0x24], b"I420"), // UncompressedFourCC
        element(&[0x55, 0xB0], &colour.concat()),
    ];
    let track = [
        unsigned(&[0xD7], 1),                    // TrackNumber
        unsigned(&[0x73, 0xC5], 1),              // TrackUID
        unsigned(&[0x83], 1),                    // TrackType: video
        unsigned(&[0x9C], 0),                    // FlagLacing
        unsigned(&[0x23, 0xE3, 0x83], frame_ns), // DefaultDuration
        element(&[0x86], b"V_UNCOMPRESSED"),
        element(&[0xE0], &video.concat()),
    ];
    let ebml = [unsigned(&[0x42, 0x87], 4), unsigned(&[0x42, 0x85], 2), element(&[0x42, 0x82], b"matroska")];
    let info = [
        unsigned(&[0x2A, 0xD7, 0xB1], TICK_NS),
        element(&[0x4D, 0x80], b"camloc"),
        element(&[0x57, 0x41], b"camloc"),
    ];
    let mut bytes = element(&[0x1A, 0x45, 0xDF, 0xA3], &ebml.concat());
    // A segment of unknown size: a stream.
    bytes.extend([0x18, 0x53, 0x80, 0x67, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    bytes.extend(element(&[0x15, 0x49, 0xA9, 0x66], &info.concat()));
    bytes.extend(element(&[0x16, 0x54, 0xAE, 0x6B], &element(&[0xAE], &track.concat())));
    bytes
}

/// Puts the bytes before the `len` bytes of a frame shown at `time` for `duration` into `out`, replacing its content.
///
/// Each frame's duration ends where the next one begins; it is read of the last one, which has none after it.
pub(super) fn frame_header(out: &mut Vec<u8>, time: Duration, duration: Duration, len: usize) {
    // Track 1, no offset from the cluster's time, no lacing; it refers to no other block, so it is a key frame.
    const BLOCK: [u8; 4] = [0x81, 0x00, 0x00, 0x00];
    let block_len = (BLOCK.len() + len) as u64;
    let group_len = NUMBER_LEN + 9 + block_len;
    out.clear();
    out.extend([0x1F, 0x43, 0xB6, 0x75]); // Cluster: a timestamp and a group
    out.extend(size(NUMBER_LEN + 9 + group_len));
    number(out, 0xE7, ticks(time)); // Timestamp
    out.push(0xA0); // BlockGroup: a duration, a block and its content
    out.extend(size(group_len));
    number(out, 0x9B, ticks(duration)); // BlockDuration
    out.push(0xA1); // Block
    out.extend(size(block_len));
    out.extend(BLOCK);
}

fn ticks(time: Duration) -> u64 {
    (time.as_nanos() / u128::from(TICK_NS)) as u64
}

/// Bytes that [`number`] writes.
const NUMBER_LEN: u64 = 10;

/// An unsigned number under an id of one byte, in a frame's header, which is written without a new allocation.
fn number(out: &mut Vec<u8>, id: u8, value: u64) {
    out.extend([id, 0x88]);
    out.extend(value.to_be_bytes());
}

fn unsigned(id: &[u8], value: u64) -> Vec<u8> {
    element(id, &value.to_be_bytes())
}

fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    [id, &size(content.len() as u64), content].concat()
}

/// A size in the longest form, 8 bytes, of which the first only says so.
fn size(len: u64) -> [u8; 8] {
    let mut bytes = len.to_be_bytes();
    bytes[0] = 0x01;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_announced_with_its_time_its_duration_and_its_length() {
        let mut bytes = vec![7; 99];
        frame_header(&mut bytes, Duration::from_micros(0x0102_0304), Duration::from_micros(0x0506), 6);
        let expected: [&[u8]; 8] = [
            &[0x1F, 0x43, 0xB6, 0x75, 1, 0, 0, 0, 0, 0, 0, 48],
            &[0xE7, 0x88, 0, 0, 0, 0, 1, 2, 3, 4],
            &[0xA0, 1, 0, 0, 0, 0, 0, 0, 29],
            &[0x9B, 0x88, 0, 0, 0, 0, 0, 0, 5, 6],
            &[0xA1, 1, 0, 0, 0, 0, 0, 0, 10],
            &[0x81],
            &[0, 0],
            &[0],
        ];
        assert_eq!(bytes, expected.concat());
    }
}
