//! Where a JPEG ends, by its markers (ITU-T T.81, annex B).

const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;

/// The length of the JPEG at the start of `bytes`, or `None` if its end-of-image marker is missing.
///
/// Segments are stepped over by their length, so the thumbnail inside one doesn't count.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    markers(bytes).find(|&(marker, _)| marker == END_OF_IMAGE).map(|(_, end)| end)
}

/// Whether the JPEG's frame header says that it is progressive, which takes more memory to decode.
pub(super) fn is_progressive(bytes: &[u8]) -> bool {
    headers(bytes).any(|marker| matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce))
}

/// Whether the JPEG carries Huffman tables (before its first scan).
pub(super) fn has_huffman_tables(bytes: &[u8]) -> bool {
    headers(bytes).any(|marker| marker == 0xc4)
}

/// The markers before the first scan.
fn headers(bytes: &[u8]) -> impl Iterator<Item = u8> {
    markers(bytes).map(|(marker, _)| marker).take_while(|&marker| marker != START_OF_SCAN)
}

/// Each marker with the position after it and its segment; entropy-coded data is skipped. Ends where bytes do.
fn markers(bytes: &[u8]) -> impl Iterator<Item = (u8, usize)> {
    let mut at = if bytes.starts_with(&[0xff, 0xd8]) { 2 } else { bytes.len() };
    std::iter::from_fn(move || {
        loop {
            // Entropy-coded data, and stray bytes between segments: on to the next 0xff.
            at += bytes.get(at..)?.iter().position(|&b| b == 0xff)?;
            let marker = *bytes.get(at + 1)?;
            match marker {
                // A fill byte: the marker is yet to come.
                0xff => at += 1,
                // A stuffed 0xff of the data.
                0x00 => at += 2,
                // Markers without a segment.
                0x01 | 0xd0..=END_OF_IMAGE => {
                    at += 2;
                    return Some((marker, at));
                }
                _ => {
                    let length = u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]);
                    at += 2 + usize::from(length);
                    return Some((marker, at));
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SMALL: &[u8] = &[
        0xff, 0xd8, // start
        0xff, 0xe1, 0x00, 0x06, 0xff, 0xd9, 0xff, 0xd9, // a segment that holds end markers
        0xff, 0xda, 0x00, 0x02, 0x12, 0xff, 0x00, 0xff, 0xd0,
        0x34, // a scan with a stuffed byte and a restart
        0xff, 0xff, 0xd9, // fill byte, end
    ];

    #[test]
    fn the_end_is_found_past_thumbnails_stuffing_and_fill_and_before_a_tail() {
        assert_eq!(length(SMALL), Some(SMALL.len()));
        let with_tail = [SMALL, &[0xff, 0xd9, 1, 2, 3]].concat();
        assert_eq!(length(&with_tail), Some(SMALL.len()));
    }

    #[test]
    fn a_jpeg_cut_anywhere_has_no_end() {
        for end in 0..SMALL.len() {
            assert_eq!(length(&SMALL[..end]), None, "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_gives_a_length_beyond_it(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [&[0xff, 0xd8][..], &tail].concat();
            prop_assert!(length(&bytes).is_none_or(|n| n <= bytes.len()));
        }
    }
}
