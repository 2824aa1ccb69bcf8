//! Which pictures are the frames of a video.

use std::collections::BTreeMap;

use super::Sample;

/// Frames may be left out, but at least one of this many is there.
const SPARSEST: u64 = 4;

/// Names the video of each sample that is a frame, numbers the frames, and puts them in their order.
///
/// A folder below the pictures' folder is a video where its pictures' names differ in a number at their end that
/// counts up without large gaps, and all show the same classes; with `always`, every folder is one, and where names
/// hold no such number, frames count from 0.
pub(super) fn assign(samples: &mut [Sample], always: bool) {
    let mut folders: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for (i, sample) in samples.iter().enumerate() {
        let (folder, _) = split(&sample.name);
        folders.entry((folder.to_owned(), sample.class.clone())).or_default().push(i);
    }
    for ((folder, _), mut members) in folders {
        members.sort_by_cached_key(|&i| {
            let name = &samples[i].name;
            (numbered(split(name).1).map(|(_, number)| number), name.clone())
        });
        let numbers = numbers(members.iter().map(|&i| samples[i].name.as_str()));
        let counts = !folder.is_empty() && numbers.as_deref().is_some_and(count_up);
        if always || counts {
            let name = if folder.is_empty() { "." } else { &folder };
            let numbers = numbers.unwrap_or_else(|| (0..members.len() as u64).collect());
            for (i, number) in members.into_iter().zip(numbers) {
                samples[i].sequence = Some(name.to_owned());
                samples[i].frame = number;
            }
        }
    }
    samples.sort_by_cached_key(|sample| {
        (
            split(&sample.name).0.to_owned(),
            sample.sequence.as_ref().map(|_| sample.frame),
            sample.name.clone(),
        )
    });
}

/// The numbers at the ends of names; `None` where names differ in more than that, or numbers don't grow.
fn numbers<'a>(names: impl Iterator<Item = &'a str>) -> Option<Vec<u64>> {
    let mut prefix = None;
    let number = |name| {
        let (before, number) = numbered(split(name).1)?;
        (*prefix.get_or_insert(before) == before).then_some(number)
    };
    let numbers: Vec<u64> = names.map(number).collect::<Option<_>>()?;
    numbers.windows(2).all(|pair| pair[0] < pair[1]).then_some(numbers)
}

/// Whether numbers, which grow, count frames.
fn count_up(numbers: &[u64]) -> bool {
    let span = numbers.last().zip(numbers.first()).map_or(0, |(last, first)| last - first);
    numbers.len() > 1 && span <= SPARSEST * numbers.len() as u64
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

    fn assigned(names: &[&str], always: bool) -> Vec<Sample> {
        let sample = |name: &&str| Sample::bare(name, "dog");
        let mut samples: Vec<Sample> = names.iter().map(sample).collect();
        assign(&mut samples, always);
        samples
    }

    fn sequences(names: &[&str], always: bool) -> Vec<(String, Option<String>)> {
        assigned(names, always).into_iter().map(|sample| (sample.name, sample.sequence)).collect()
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

    #[test]
    fn frames_have_the_numbers_of_their_names_or_else_count() {
        let numbers = |names: &[&str]| {
            let found = assigned(names, true);
            found.iter().map(|sample| sample.frame).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&["a/f10.jpg", "a/f2.jpg", "a/f900.jpg"]), [2, 10, 900]);
        assert_eq!(numbers(&["a/x7.jpg", "a/y7.jpg", "a/z.jpg"]), [0, 1, 2]);
        assert_eq!(assigned(&["dog/1.jpg", "dog/500.jpg"], false)[1].frame, 0);
    }
}
