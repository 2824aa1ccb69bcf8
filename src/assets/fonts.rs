//! Which pinned font draws a character that the built-in DejaVu Sans lacks.

use super::Asset;

/// A script with a pinned font.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FontScript {
    /// Han, Kana, Hangul, Bopomofo, and the full-width forms.
    Cjk,
    /// Devanagari: Hindi, Marathi, Nepali.
    Devanagari,
    /// Khmer.
    Khmer,
    /// Tamil.
    Tamil,
    /// Telugu.
    Telugu,
    /// Thai.
    Thai,
}

/// The pinned font that covers a character, by its Unicode block; `None` where no pinned font does.
///
/// Characters that DejaVu Sans has (Latin, Greek, Cyrillic, Hebrew, Arabic, …) are in none of these fonts' blocks.
pub(crate) fn font_for(character: char) -> Option<Asset> {
    let script = match u32::from(character) {
        0x0900..=0x097F | 0x1CD0..=0x1CFF | 0xA8E0..=0xA8FF => FontScript::Devanagari,
        0x0B80..=0x0BFF => FontScript::Tamil,
        0x0C00..=0x0C7F => FontScript::Telugu,
        0x0E00..=0x0E7F => FontScript::Thai,
        0x1780..=0x17FF | 0x19E0..=0x19FF => FontScript::Khmer,
        // Jamo; radicals to unified ideographs; Jamo extended and syllables; compatibility forms; planes 2 and 3.
        0x1100..=0x11FF
        | 0x2E80..=0x9FFF
        | 0xA960..=0xA97F
        | 0xAC00..=0xD7FF
        | 0xF900..=0xFAFF
        | 0xFE10..=0xFE1F
        | 0xFE30..=0xFE4F
        | 0xFF00..=0xFFEF
        | 0x20000..=0x3FFFF => FontScript::Cjk,
        _ => return None,
    };
    Some(Asset::Font(script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_each_script_is_covered_by_one_font() {
        let words = [
            ("猫", FontScript::Cjk),
            ("ねこネコ", FontScript::Cjk),
            ("고양이", FontScript::Cjk),
            ("बिल्ली", FontScript::Devanagari),
            ("ឆ្មា", FontScript::Khmer),
            ("பூனை", FontScript::Tamil),
            ("పిల్లి", FontScript::Telugu),
            ("แมว", FontScript::Thai),
        ];
        for (word, script) in words {
            for character in word.chars() {
                assert_eq!(font_for(character), Some(Asset::Font(script)), "{word}: {character:?}");
            }
        }
    }

    #[test]
    fn what_the_built_in_font_draws_needs_no_other() {
        for character in "cat Katze γάτα кошка חתול قطة 42%".chars() {
            assert_eq!(font_for(character), None, "{character:?}");
        }
    }
}
