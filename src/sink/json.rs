//! One JSON object a frame, one line each: [`JsonSink`]. `docs/json.md` is the schema.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Finished, Shown, Sink, SinkError};
use crate::files::OutputFile;
use crate::localize::Detection;
use crate::maps::{Change, WhatIf};
use crate::origin::Origin;

/// Version of the lines; changes only when a key changes its meaning or goes.
const SCHEMA: u32 = 1;

/// Writes a line of JSON a frame to a file or to standard output.
#[derive(Debug)]
pub(crate) struct JsonSink {
    out: OutputFile,
    with_source: bool,
    frames: u64,
    /// What the last line's maps were made by.
    made_by: Option<Origin>,
}

impl JsonSink {
    /// Opens a file, a device, a named pipe, or standard output for `-`.
    ///
    /// A file appears under its name when it is finished; all others get each line at once. `with_source` adds
    /// the name of the photo to each line, for runs over several.
    pub(crate) fn open(path: &Path, with_source: bool) -> Result<JsonSink, SinkError> {
        Ok(JsonSink { out: OutputFile::open(path)?, with_source, frames: 0, made_by: None })
    }

    fn line(&mut self, shown: &Shown<'_>) -> io::Result<()> {
        let news = self.made_by.as_ref() != Some(shown.made_by);
        let line = Line {
            schema: SCHEMA,
            source: self.with_source.then(|| shown.source.to_string_lossy()),
            frame: shown.frame.seq,
            time_s: seconds(shown.frame.time),
            width: shown.frame.picture.width(),
            height: shown.frame.picture.height(),
            made_by: news.then(|| MadeBy::new(shown.made_by)),
            detections: Found(shown),
            without: shown.what_if.map(|what_if| Without::new(what_if, shown)),
        };
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")?;
        if news {
            self.made_by = Some(shown.made_by.clone());
        }
        self.out.line_done()
    }
}

impl Sink for JsonSink {
    fn wants_picture(&self) -> bool {
        false
    }

    fn write(&mut self, shown: &Shown<'_>) -> Result<(), SinkError> {
        self.line(shown).map_err(|source| self.out.failed(source))?;
        self.frames += 1;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Finished, SinkError> {
        Ok(Finished { frames: self.frames, path: self.out.finish()? })
    }
}

#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
    frame: u64,
    time_s: f64,
    width: u32,
    height: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<MadeBy<'a>>,
    detections: Found<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    without: Option<Without<'a>>,
}

/// What made the maps of this line and of those that follow.
#[derive(Serialize)]
struct MadeBy<'a> {
    model: &'a str,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    provider: &'a str,
    nodes: BTreeMap<&'a str, usize>,
}

impl<'a> MadeBy<'a> {
    fn new(Origin { model, method, placement, detector, .. }: &'a Origin) -> MadeBy<'a> {
        let nodes = placement.counts().iter().map(|(provider, nodes)| (provider.as_str(), *nodes)).collect();
        MadeBy { model, method, kind: detector.then_some("detector"), provider: placement.provider(), nodes }
    }
}

/// What the model says without what the map marks.
#[derive(Serialize)]
struct Without<'a> {
    share: f64,
    changes: Vec<Changed<'a>>,
}

#[derive(Serialize)]
struct Changed<'a> {
    class_id: usize,
    label: Cow<'a, str>,
    before: f64,
    after: f64,
}

impl<'a> Without<'a> {
    fn new(what_if: &WhatIf, shown: &Shown<'a>) -> Without<'a> {
        let changed = |change: &Change| Changed {
            class_id: change.class_id,
            label: shown.label(change.class_id),
            before: rounded(change.before),
            after: rounded(change.after),
        };
        Without { share: rounded(what_if.share), changes: what_if.changes.iter().map(changed).collect() }
    }
}

/// The detections of a frame, written without a list of their own.
struct Found<'a>(&'a Shown<'a>);

impl Serialize for Found<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Found(shown) = self;
        serializer.collect_seq(shown.detections.iter().map(|found| Object::new(found, shown)))
    }
}

#[derive(Serialize)]
struct Object<'a> {
    class_id: usize,
    label: Cow<'a, str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    against: bool,
    score: f64,
    r#box: [u32; 4],
    peak: [u32; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<u64>,
}

impl<'a> Object<'a> {
    fn new(found: &Detection, shown: &Shown<'a>) -> Object<'a> {
        let corners = found.bbox;
        Object {
            class_id: found.class_id,
            label: shown.label(found.class_id),
            against: shown.made_by.against,
            score: rounded(found.score),
            r#box: [corners.x0, corners.y0, corners.x1, corners.y1],
            peak: [found.peak.0, found.peak.1],
            track: found.track,
        }
    }
}

/// A probability with the four decimals that mean something; what is no number becomes 0, which JSON can say.
pub(super) fn rounded(score: f32) -> f64 {
    let score = (f64::from(score) * 1e4).round() / 1e4;
    if score.is_finite() { score } else { 0.0 }
}

/// Seconds, to the microsecond.
pub(super) fn seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::files::FileError;
    use crate::sink::testing::{cat, frame, names, write};

    fn lines(with_source: bool, photo: Option<&str>, found: &[Detection]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("found.jsonl");
        let mut sink = JsonSink::open(&path, with_source).unwrap();
        let frame = frame(12, Duration::from_millis(400), (16, 8), [0; 3]);
        write(&mut sink, &frame, found, photo).unwrap();
        assert!(!path.exists(), "half a file");
        let finished = Box::new(sink).finish().unwrap();
        assert_eq!(finished, Finished { path: Some(path.clone()), frames: 1 });
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_line_is_what_the_schema_says() {
        assert_eq!(
            lines(false, None, &[cat()]),
            "{\"schema\":1,\"frame\":12,\"time_s\":0.4,\"width\":16,\"height\":8,\"made_by\":{\"model\":\"\",\
             \"method\":\"\",\"provider\":\"CPU\",\"nodes\":{}},\"detections\":[{\"class_id\":1,\"label\":\"cat\",\"score\":0.8333,\"box\":[2,1,10,7],\"peak\":[4,3]}]}\n"
        );
        assert!(lines(false, None, &[]).ends_with("\"detections\":[]}\n"));
        let followed = Detection { track: Some(7), ..cat() };
        assert!(lines(false, None, &[followed]).ends_with("\"peak\":[4,3],\"track\":7}]}\n"));
    }

    #[test]
    fn photos_are_told_apart_by_their_names() {
        let line: serde_json::Value = serde_json::from_str(&lines(true, Some("a/\"b\".jpg"), &[])).unwrap();
        assert_eq!(line["source"], "a/\"b\".jpg");
    }

    #[test]
    fn odd_figures_are_still_json() {
        let odd = Detection { class_id: 7, score: f32::NAN, ..cat() };
        let line: serde_json::Value = serde_json::from_str(&lines(false, None, &[odd])).unwrap();
        assert_eq!(line["detections"][0]["label"], "class 7");
        assert_eq!(line["detections"][0]["score"], 0.0);
    }

    #[test]
    fn an_abandoned_run_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = JsonSink::open(&folder.path().join("found.jsonl"), false).unwrap();
        write(&mut sink, &frame(0, Duration::ZERO, (2, 2), [0; 3]), &[], None).unwrap();
        drop(sink);
        assert!(names(folder.path()).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said_at_the_frame_that_did_not_fit() {
        let mut sink = JsonSink::open(Path::new("/dev/full"), false).unwrap();
        let frame = frame(0, Duration::ZERO, (2, 2), [0; 3]);
        let error = write(&mut sink, &frame, &[], None).unwrap_err();
        assert!(matches!(error, SinkError::File(FileError::DiskFull { .. })), "{error}");
    }
}
