//! Which pictures were taken in one go, as their names tell: [`Burst`].

use std::time::SystemTime;

/// The longest name of a source in a picture's name, in characters.
const LONGEST: usize = 40;

/// Pictures taken in one go: while a key was held, or of one recording. They look alike, so that training and testing
/// must not share them.
///
/// Their files are named `<start>-<source>-<number>_<frame>.jpg`; all before the last `_` is the burst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Burst(String);

impl Burst {
    /// A burst of `source` that begins at `start`, written in UTC as `YYYYMMDD-HHMMSS`. What of the source's name is
    /// neither letter nor digit becomes `-`.
    pub(crate) fn new(start: SystemTime, source: &str, number: u64) -> Burst {
        let second = humantime::format_rfc3339_seconds(start).to_string();
        let (day, time) = second.split_once('T').unwrap_or((&second, ""));
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
        let source: String = source.chars().map(plain).take(LONGEST).collect();
        Burst(format!("{}-{}-{source}-{number}", digits(day), digits(time)))
    }

    /// The file name of its picture of this frame.
    pub(crate) fn file_name(&self, frame: u64) -> String {
        format!("{}_{frame:06}.jpg", self.0)
    }

    /// What the file names of all pictures of one burst begin with; `None` where a picture's name tells of none.
    pub(crate) fn name_in(file_name: &str) -> Option<&str> {
        let digits =
            |part: &str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
        let (burst, _) = file_name.rsplit_once('_')?;
        let mut parts = burst.splitn(3, '-');
        let dated = digits(parts.next()?, 8) && digits(parts.next()?, 6);
        (dated && parts.next().is_some()).then_some(burst)
    }

    /// The number of a picture's burst, if its file name tells.
    pub(crate) fn number_in(file_name: &str) -> Option<u64> {
        Burst::name_in(file_name)?.rsplit_once('-')?.1.parse().ok()
    }
}

#[cfg(test)]
mod tests {
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
        for name in &names {
            assert_eq!(Burst::name_in(name), Some("20231114-221320-my-clip-1-컵-12"));
            assert_eq!(Burst::number_in(name), Some(12));
        }
        assert!(Burst::new(start, &"컵".repeat(300), u64::MAX).file_name(u64::MAX).len() < 255);
    }

    #[test]
    fn other_names_tell_of_no_burst() {
        for name in ["IMG_2023-77_01.jpg", "20231114-221320-x-99.jpg", "20231114-2213-x-99_1.jpg", "1.jpg"] {
            assert_eq!(Burst::name_in(name), None, "{name}");
        }
        // Someone else's, in one go all the same.
        assert_eq!(Burst::name_in("20231114-221320-x_1.jpg"), Some("20231114-221320-x"));
        assert_eq!(Burst::number_in("20231114-221320-x_1.jpg"), None);
    }
}
