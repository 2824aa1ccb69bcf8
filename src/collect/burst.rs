//! Which pictures were taken in one go, as their names tell: [`Burst`].

use std::time::SystemTime;

use super::Classes;

/// The longest name of a source in a picture's name, in characters.
const LONGEST: usize = 40;

/// Pictures taken in one go: while a key was held, or of one recording. They look alike, so that training and testing
/// must not share them.
///
/// Their files are named `<start>-<source>-<number>_<frame>.jpg`; all before the last `_` is the burst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst(String);

impl Burst {
    /// A burst of `source` that begins at `start`, written in UTC as `YYYYMMDD-HHMMSS`. What of the source's name is
    /// neither letter nor digit becomes `-`.
    pub fn new(start: SystemTime, source: &str, number: u64) -> Burst {
        let second = humantime::format_rfc3339_seconds(start).to_string();
        let (day, time) = second.split_once('T').unwrap_or((&second, ""));
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
        let source: String = source.chars().map(plain).take(LONGEST).collect();
        Burst(format!("{}-{}-{source}-{number}", digits(day), digits(time)))
    }

    /// The file name of its picture of this frame.
    pub fn file_name(&self, frame: u64) -> String {
        format!("{}_{frame:06}.jpg", self.0)
    }

    /// The number of the next burst, one above all that there are.
    pub fn next_number(classes: &Classes) -> u64 {
        classes.stems().filter_map(|stem| number_of(&stem)).max().unwrap_or(0).saturating_add(1)
    }
}

/// The number of the burst of a picture, if its name without ending is that of a burst.
fn number_of(stem: &str) -> Option<u64> {
    let (burst, _) = stem.rsplit_once('_')?;
    let (source, number) = burst.rsplit_once('-')?;
    let mut start = source.splitn(3, '-');
    let mut digits = |count: usize| {
        start.next().is_some_and(|part| part.len() == count && part.bytes().all(|b| b.is_ascii_digit()))
    };
    (digits(8) && digits(6)).then(|| number.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn all_before_the_last_underscore_is_the_burst() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let burst = Burst::new(start, "my_clip 1/컵", 12);
        let names = [burst.file_name(7), burst.file_name(1_234_567)];
        assert_eq!(
            names,
            ["20231114-221320-my-clip-1-컵-12_000007.jpg", "20231114-221320-my-clip-1-컵-12_1234567.jpg"]
        );
        assert!(names.iter().all(|name| number_of(name.trim_end_matches(".jpg")) == Some(12)));
        assert!(Burst::new(start, &"컵".repeat(300), u64::MAX).file_name(u64::MAX).len() < 255);
    }

    #[test]
    fn numbers_go_on_where_they_were_and_other_names_do_not_count() {
        let root = tempfile::tempdir().unwrap();
        let next = || Burst::next_number(&Classes::open(root.path(), &[]).unwrap());
        assert_eq!(next(), 1);
        fs::create_dir(root.path().join("mug")).unwrap();
        fs::create_dir(root.path().join("cup")).unwrap();
        for name in ["mug/20231114-221320-camera0-3_000007.jpg", "cup/20231114-221320-a-b-9_000001.jpg"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        assert_eq!(next(), 10);
        for name in ["IMG_2023-77_01.jpg", "20231114-221320-x-99.jpg", "20231114-2213-x-99_1.jpg"] {
            fs::write(root.path().join("mug").join(name), "").unwrap();
        }
        assert_eq!(next(), 10);
    }
}
