//! Whether a file is as long as its container declares.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Whether a Matroska (WebM) or RIFF (AVI) file declares more bytes than it has.
///
/// ffmpeg reports a cut in these only where it falls inside a frame; of MP4 it reports each.
pub(super) fn is_cut(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut start = Vec::new();
    file.take(4096).read_to_end(&mut start)?;
    Ok(declared(&start).is_some_and(|declared| declared > length))
}

/// The length that the start of a file declares for the whole.
fn declared(start: &[u8]) -> Option<u64> {
    if let Some(rest) = start.strip_prefix(b"RIFF") {
        let size = u32::from_le_bytes(rest.first_chunk().copied()?);
        // A recording that was never finished has no size.
        return (size > 0 && size < u32::MAX).then_some(8 + u64::from(size));
    }
    // Matroska: the EBML header element, then the segment element that holds all else.
    let (header, at) = element_size(start.strip_prefix(&[0x1a, 0x45, 0xdf, 0xa3])?)?;
    let segment = 4 + at + usize::try_from(header).ok()?;
    let (size, at) = element_size(start.get(segment..)?.strip_prefix(&[0x18, 0x53, 0x80, 0x67])?)?;
    size.checked_add((segment + 4 + at) as u64)
}

/// An element's size and how many bytes tell it (RFC 8794, section 4); `None` if it is unknown.
fn element_size(bytes: &[u8]) -> Option<(u64, usize)> {
    let count = bytes.first()?.leading_zeros() as usize + 1;
    let all = bytes.get(..count).filter(|_| count <= 8)?.iter().fold(0, |all, &b| all << 8 | u64::from(b));
    let unknown = (1 << (7 * count)) - 1;
    let size = all & unknown;
    (size != unknown).then_some((size, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MATROSKA: [u8; 14] = [0x1a, 0x45, 0xdf, 0xa3, 0x82, 1, 2, 0x18, 0x53, 0x80, 0x67, 0x40, 0x64, 0];

    #[test]
    fn sizes_are_read_from_both_containers() {
        assert_eq!(declared(&MATROSKA), Some(13 + 100));
        assert_eq!(declared(b"RIFF\x64\0\0\0AVI "), Some(108));
    }

    #[test]
    fn unknown_sizes_and_other_files_declare_nothing() {
        let mut live = MATROSKA;
        live[11..13].copy_from_slice(&[0x7f, 0xff]);
        assert_eq!(declared(&live), None);
        assert_eq!(declared(b"RIFF\0\0\0\0AVI "), None);
        assert_eq!(declared(b"\0\0\0\x20ftypisom"), None);
        assert_eq!(declared(b""), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(rest in prop::collection::vec(any::<u8>(), 0..40)) {
            declared(&[&MATROSKA[..4], &rest].concat());
            declared(&[&MATROSKA[..11], &rest].concat());
            declared(&[b"RIFF", &rest[..]].concat());
        }
    }
}
