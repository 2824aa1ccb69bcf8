//! How a webcam describes itself: USB Video Class 1.0, frames over one bulk endpoint.

use super::mode::{Format, Mode};

pub(super) const DEVICE: [u8; 18] = [18, 1, 0, 2, 0xef, 2, 1, 64, 0x6b, 0x1d, 0x02, 0x01, 0, 1, 1, 2, 0, 1];

/// The endpoint that sends frames.
pub(super) const VIDEO_ENDPOINT: u32 = 1;

/// A control interface and a streaming interface that offers these formats.
pub(super) fn configuration(formats: &[Vec<Mode>]) -> Vec<u8> {
    let offers: Vec<u8> = (1..).zip(formats).flat_map(|(number, modes)| format(number, modes)).collect();
    let count = formats.len() as u8;
    let mut input_header = vec![13 + count, 0x24, 1, count];
    input_header.extend((offers.len() as u16 + 13 + u16::from(count)).to_le_bytes());
    input_header.extend([0x80 | VIDEO_ENDPOINT as u8, 0, 3, 0, 0, 0, 1]);
    input_header.extend(vec![0; formats.len()]);
    let mut all = [
        &[9, 2, 0, 0, 2, 1, 0, 0x80, 250][..], // configuration, its length set below
        &[8, 11, 0, 2, 14, 3, 0, 0],           // both interfaces are one function
        &[9, 4, 0, 0, 0, 14, 1, 0, 0],         // control interface
        &[13, 0x24, 1, 0, 1, 50, 0, 0, 0x6c, 0xdc, 2, 1, 1], // its header: UVC 1.0, 48 MHz, streaming interface 1
        &[17, 0x24, 2, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0], // camera terminal 1
        &[11, 0x24, 5, 2, 1, 0, 0, 2, 0, 0, 0],              // processing unit 2
        &[9, 0x24, 3, 3, 1, 1, 0, 2, 0],                     // output terminal 3
        &[9, 4, 1, 0, 1, 14, 2, 0, 0],                       // streaming interface
        &input_header,
        &offers,
        &[7, 5, 0x80 | VIDEO_ENDPOINT as u8, 2, 0, 2, 0], // bulk endpoint
    ]
    .concat();
    let length = (all.len() as u16).to_le_bytes();
    all[2..4].copy_from_slice(&length);
    all
}

/// A format and its frame sizes; all modes are of one format.
fn format(number: u8, modes: &[Mode]) -> Vec<u8> {
    let count = modes.len() as u8;
    let (mut all, frame_subtype) = match modes[0].format {
        Format::Mjpeg => (vec![11, 0x24, 6, number, count, 1, 1, 0, 0, 0, 0], 7),
        Format::Yuyv => {
            let mut format = vec![27, 0x24, 4, number, count];
            format.extend(b"YUY2\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
            format.extend([16, 1, 0, 0, 0, 0]);
            (format, 5)
        }
    };
    for (index, mode) in (1..).zip(modes) {
        all.extend([26 + 4 * mode.rates.len() as u8, 0x24, frame_subtype, index, 0]);
        all.extend(mode.width.to_le_bytes());
        all.extend(mode.height.to_le_bytes());
        let size = mode.largest_frame();
        for word in [size * 8, size * 8 * mode.rates[0], size, mode.interval(0)] {
            all.extend(word.to_le_bytes());
        }
        all.push(mode.rates.len() as u8);
        all.extend((0..mode.rates.len()).flat_map(|rate| mode.interval(rate).to_le_bytes()));
    }
    all.extend([6, 0x24, 0x0d, 1, 1, 4]); // colours: BT.709 primaries, BT.601 matrix
    all
}

/// A string of the device: 0 is the languages, 1 the maker, 2 the name.
pub(super) fn string(index: u8, name: &str) -> Vec<u8> {
    let text = match index {
        0 => return vec![4, 3, 9, 4],
        1 => "camera-vm",
        _ => name,
    };
    let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [&[text.len() as u8 + 2, 3][..], &text].concat()
}
