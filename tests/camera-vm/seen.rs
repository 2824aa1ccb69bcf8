//! What camloc saw, by its JSON lines.

use crate::film::LENGTH;
use crate::guest::Run;
use crate::reader::TORN;

/// A line of results.
pub(crate) struct Seen {
    /// The number that camloc gave the frame.
    pub(crate) seq: u64,
    pub(crate) size: (u64, u64),
    /// The camera, where there are several.
    pub(crate) camera: String,
    /// The most probable class.
    pub(crate) label: String,
}

impl Run {
    /// The frames of a file of JSON lines.
    pub(crate) fn frames(&self, file: &str) -> Vec<Seen> {
        let read = |line: &str| {
            let line: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            let number = |key: &str| line[key].as_u64().expect("a number");
            let label = line["detections"][0]["label"].as_str().unwrap_or("nothing").to_owned();
            let camera = line["source"].as_str().unwrap_or_default().to_owned();
            Seen { seq: number("frame"), size: (number("width"), number("height")), camera, label }
        };
        self.text(file).lines().map(read).collect()
    }

    /// The frames dropped, by the statistics in `notes`.
    #[track_caller]
    pub(crate) fn dropped(&self, notes: &str) -> u64 {
        let said = self.said(notes);
        let line = said.iter().find_map(|said| said.line.strip_suffix(" frames dropped"));
        let line = line.unwrap_or_else(|| panic!("no statistics: {}", self.text(notes)));
        line.rsplit(' ').next().and_then(|word| word.parse().ok()).expect("a number")
    }
}

/// The numbers that the frames of the film carry. Fails unless every frame is whole and later than the one before it,
/// and camloc's own numbers go with them: a gap in one is a gap in the other.
#[track_caller]
pub(crate) fn numbers(frames: &[Seen]) -> Vec<u32> {
    let read = |frame: &Seen| {
        assert_ne!(frame.label, TORN, "frame {} is torn", frame.seq);
        frame
            .label
            .parse()
            .unwrap_or_else(|_| panic!("frame {} shows no number but {}", frame.seq, frame.label))
    };
    let numbers: Vec<u32> = frames.iter().map(read).collect();
    for (pair, shown) in frames.windows(2).zip(numbers.windows(2)) {
        let (counted, sent) = (pair[1].seq - pair[0].seq, (LENGTH + shown[1] - shown[0]) % LENGTH);
        assert_eq!(
            counted,
            u64::from(sent),
            "frame {} shows {} and the next, {}, shows {}",
            pair[0].seq,
            shown[0],
            pair[1].seq,
            shown[1]
        );
    }
    numbers
}
