//! Which pictures are the frames of a video.

use std::collections::BTreeMap;

use super::Sample;

/// Frames may be left out, but at least one of this many is there.
const SPARSEST: u64 = 4;

/// Names the video of each sample that is a frame, and puts frames in the order of their numbers.
///
/// A folder below the pictures' folder is a video where its pictures' names differ in a number at their end that
/// counts up without large gaps, and all show the same classes; with `always`, every folder is one.
pub(super) fn assign(samples: &mut [Sample], always: bool) {
    let mut folders: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for (i, sample) in samples.iter().enumerate() {
        let (folder, _) = split(&sample.name);
        folders.entry((folder.to_owned(), sample.class.clone())).or_default().push(i);
    }
    for ((folder, _), members) in folders {
        let counts = !folder.is_empty() && counts_up(members.iter().map(|&i| samples[i].name.as_str()));
        if always || counts {
            let name = if folder.is_empty() { "." } else { &folder };
            members.iter().for_each(|&i| samples[i].sequence = Some(name.to_owned()));
        }
    }
    samples.sort_by_cached_key(|sample| {
        let (folder, file) = split(&sample.name);
        let number = sample.sequence.as_ref().and_then(|_| numbered(file)).map(|(_, number)| number);
        (folder.to_owned(), number, sample.name.clone())
    });
}

/// Whether names differ in a number only that counts frames.
fn counts_up<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let mut numbers = Vec::new();
    let mut prefix = None;
    for name in names {
        let Some((before, number)) = numbered(split(name).1) else { return false };
        if *prefix.get_or_insert(before) != before {
            return false;
        }
        numbers.push(number);
    }
    numbers.sort_unstable();
    let distinct = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    let span = numbers.last().zip(numbers.first()).map_or(0, |(last, first)| last - first);
    numbers.len() > 1 && distinct && span <= SPARSEST * numbers.len() as u64
}

/// Folder and file of a sample's name, without `#class`.
fn split(name: &str) -> (&str, &str) {
    let path = match name.rfind('#') {
        Some(at) if at > name.rfind('.').unwrap_or(0) => &name[..at],
        _ => name,
    };
    path.rsplit_once('/').unwrap_or(("", path))
}

/// What stands before the number at the end of a file's stem, and the number.
fn numbered(file: &str) -> Option<(&str, u64)> {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let prefix = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((prefix, stem[prefix.len()..].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(names: &[&str], always: bool) -> Vec<(String, Option<String>)> {
        let sample = |name: &&str| Sample {
            name: (*name).to_owned(),
            picture: (*name).into(),
            sequence: None,
            class: "dog".into(),
            accepted: vec![1],
            explained: Some(1),
            boxes: vec![],
            shares: false,
            size: None,
            mask: None,
        };
        let mut samples: Vec<Sample> = names.iter().map(sample).collect();
        assign(&mut samples, always);
        samples.into_iter().map(|sample| (sample.name, sample.sequence)).collect()
    }

    #[test]
    fn a_folder_that_counts_frames_is_a_video_in_their_order() {
        let found = sequences(&["a/f10.jpg", "a/f2.jpg", "a/f9.jpg"], false);
        let video = Some("a".to_owned());
        assert_eq!(
            found,
            [
                ("a/f2.jpg".into(), video.clone()),
                ("a/f9.jpg".into(), video.clone()),
                ("a/f10.jpg".into(), video)
            ]
        );
    }

    #[test]
    fn photos_are_no_video() {
        for photos in [
            &["1.jpg", "2.jpg", "3.jpg"][..],
            &["dog/1.jpg", "dog/500.jpg", "dog/7.jpg"],
            &["dog/a1.jpg", "dog/b2.jpg"],
            &["dog/rex.jpg", "dog/bello.jpg"],
            &["dog/1.jpg"],
        ] {
            assert!(sequences(photos, false).iter().all(|(_, sequence)| sequence.is_none()), "{photos:?}");
        }
        assert_eq!(sequences(&["1.jpg", "2.jpg"], true)[0].1.as_deref(), Some("."));
    }
}
