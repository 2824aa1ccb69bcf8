//! Names of files in the dataset.

use std::collections::HashSet;

/// The longest stem in bytes: with an ending it fits any file system.
const LONGEST: usize = 180;

/// Gives out names that tell pictures apart without their folders and endings.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// In lower case, as some file systems do not tell case.
    given: HashSet<String>,
}

impl Names {
    /// A name, without ending, for the picture `name` (a path parted by `/`): `cats/a b.jpg` becomes `cats_a b`, and
    /// where that is given already, `cats_a b-2`.
    ///
    /// Readers strip lines of lists, and some systems refuse some characters: spaces at the ends, control characters and
    /// `\:*?"<>|` are replaced.
    pub(super) fn give(&mut self, name: &str) -> String {
        let file = name.rsplit('/').next().unwrap_or(name);
        let stem = match file.rfind('.').filter(|&dot| dot > 0) {
            Some(dot) => &name[..name.len() - (file.len() - dot)],
            None => name,
        };
        let kept = |letter: char| match letter {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
            control if control.is_control() => '_',
            other => other,
        };
        let clean: String = stem.chars().map(kept).collect();
        // A name that begins with a dot is hidden.
        let clean = clean.trim().trim_start_matches('.').trim_end_matches('.');
        let clean = cut(if clean.is_empty() { "picture" } else { clean });
        let mut given = clean.to_owned();
        let mut copy = 1;
        while !self.given.insert(given.to_lowercase()) {
            copy += 1;
            given = format!("{clean}-{copy}");
        }
        given
    }
}

/// The end of a text, which tells more than its beginning, in at most [`LONGEST`] bytes.
fn cut(text: &str) -> &str {
    let mut start = text.len().saturating_sub(LONGEST);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pictures_of_one_name_stay_apart_and_names_stay_readable() {
        let mut names = Names::default();
        let given = [
            ("cats/a b.jpg", "cats_a b"),
            ("cats/a b.png", "cats_a b-2"),
            ("Cats/A B.jpg", "Cats_A B-3"),
            ("cats_a b-2.jpg", "cats_a b-2-2"),
            ("곰/사진 1.jpeg", "곰_사진 1"),
            ("x/v1.2/no ending", "x_v1.2_no ending"),
            (" ?.jpg", "_"),
            (".jpg", "jpg"),
            ("line\nbreak.jpg", "line_break"),
        ];
        for (name, expected) in given {
            assert_eq!(names.give(name), expected);
        }
    }

    proptest! {
        #[test]
        fn any_names_are_told_apart_and_fit_a_file(all in proptest::collection::vec("(?s).{0,300}", 1..20)) {
            let mut names = Names::default();
            let mut seen = HashSet::new();
            for name in all {
                let given = names.give(&name);
                prop_assert!(!given.is_empty() && given.len() < 220);
                prop_assert!(!given.contains(['/', '\n', '\\']) && given.trim() == given);
                prop_assert!(seen.insert(given.to_lowercase()));
            }
        }
    }
}
