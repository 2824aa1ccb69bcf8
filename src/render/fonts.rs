//! Which characters can be drawn: the built-in font, fonts the caller adds, the system's fonts on demand.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use cosmic_text::FontSystem;
use cosmic_text::fontdb::{Database, FaceInfo, ID, Source, Style};
use cosmic_text::skrifa::{FontRef, MetadataProvider};

use super::RenderError;

/// The fonts in use, and which characters they cover.
///
/// Reading every font of the system takes long, so it waits for the first character that neither DejaVu Sans
/// (built in: Latin, Greek, Cyrillic, Arabic, Hebrew, Georgian, Armenian, …) nor an added font has; and of the
/// system's fonts only those are taken into use that such characters need.
#[derive(Debug)]
pub(super) struct Fonts {
    pub(super) system: FontSystem,
    /// The fonts of the system; `None` until they are first needed.
    installed: Option<Database>,
    /// The characters looked up so far: whether a font in use has them.
    covered: HashMap<char, bool>,
}

impl Fonts {
    pub(super) fn new() -> Fonts {
        let mut database = Database::new();
        database.load_font_source(Source::Binary(Arc::new(dejavu::sans::regular())));
        database.set_sans_serif_family("DejaVu Sans");
        // The locale only chooses among fallback families by name; fallback here goes by coverage.
        let system = FontSystem::new_with_locale_and_db("en-US".to_owned(), database);
        Fonts { system, installed: None, covered: HashMap::new() }
    }

    /// Takes a font file (TrueType, OpenType or a collection) into use.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), RenderError> {
        let database = self.system.db_mut();
        let before = database.len();
        database
            .load_font_file(path)
            .map_err(|source| RenderError::UnreadableFont { path: path.to_owned(), source })?;
        if database.len() == before {
            return Err(RenderError::NotAFont { path: path.to_owned() });
        }
        self.covered.clear();
        Ok(())
    }

    /// The characters of `text`, each once, that no font has; takes fonts of the system into use for the others.
    pub(super) fn missing(&mut self, text: &str) -> Vec<char> {
        let mut missing = Vec::new();
        for character in text.chars().filter(|&c| is_visible(c)) {
            if !self.covers(character) && !missing.contains(&character) {
                missing.push(character);
            }
        }
        // A character once looked for in vain is not looked for again.
        if missing.iter().any(|character| !self.covered.contains_key(character)) {
            self.take_installed(&mut missing);
        }
        for character in &missing {
            self.covered.insert(*character, false);
        }
        missing
    }

    /// The text with nothing in it that cannot be drawn: code points stand in for a run of missing characters,
    /// and spaces for controls, line ends among them unless `keeps_lines`.
    pub(super) fn drawable<'t>(&mut self, text: &'t str, keeps_lines: bool) -> Cow<'t, str> {
        let missing = self.missing(text);
        let breaks =
            |c: char| (c.is_control() && !(keeps_lines && c == '\n')) || matches!(c, '\u{2028}' | '\u{2029}');
        if missing.is_empty() && !text.contains(breaks) {
            return Cow::Borrowed(text);
        }
        let mut drawable = String::new();
        let mut in_run = false;
        for character in text.chars() {
            let lacks = missing.contains(&character);
            if lacks {
                drawable.push_str(if in_run { "·" } else { "U+" });
                // Writing to a string cannot fail.
                let _ = write!(drawable, "{:04X}", u32::from(character));
            } else {
                drawable.push(if breaks(character) { ' ' } else { character });
            }
            in_run = lacks;
        }
        Cow::Owned(drawable)
    }

    fn covers(&mut self, character: char) -> bool {
        if let Some(&covered) = self.covered.get(&character) {
            return covered;
        }
        let database = self.system.db();
        let covered = database.faces().any(|face| coverage(database, face.id, &[character]) == 1);
        if covered {
            self.covered.insert(character, true);
        }
        covered
    }

    /// Takes the system's fonts into use that have most of the missing characters, until none has any.
    fn take_installed(&mut self, missing: &mut Vec<char>) {
        let installed = self.installed.get_or_insert_with(installed_fonts);
        while !missing.is_empty() {
            let best = installed
                .faces()
                .map(|face| (coverage(installed, face.id, missing), plainness(face), face))
                .filter(|(covered, ..)| *covered > 0)
                .max_by_key(|(covered, plainness, _)| (*covered, *plainness));
            let Some((_, _, face)) = best else { return };
            tracing::debug!("drawing {missing:?} with the system's font {}", face.post_script_name);
            let id = self.system.db_mut().push_face_info(face.clone());
            let database = self.system.db();
            missing.retain(|&character| {
                let covered = coverage(database, id, &[character]) == 1;
                if covered {
                    self.covered.insert(character, true);
                }
                !covered
            });
        }
    }
}

fn installed_fonts() -> Database {
    let start = Instant::now();
    let mut database = Database::new();
    database.load_system_fonts();
    tracing::debug!("read the system's {} fonts in {:?}", database.len(), start.elapsed());
    database
}

/// How many of the characters a face has.
fn coverage(database: &Database, face: ID, characters: &[char]) -> usize {
    let count = |data: &[u8], index: u32| {
        let font = FontRef::from_index(data, index).ok()?;
        let charmap = font.charmap();
        Some(characters.iter().filter(|&&c| charmap.map(c).is_some_and(|glyph| glyph.to_u32() != 0)).count())
    };
    database.with_face_data(face, count).flatten().unwrap_or(0)
}

/// Upright before slanted, proportional before monospaced, then the nearer to regular weight the better.
fn plainness(face: &FaceInfo) -> (bool, bool, i32) {
    (face.style == Style::Normal, !face.monospaced, -(i32::from(face.weight.0) - 400).abs())
}

/// Whether a character needs a glyph: controls and the characters that only steer shaping do not.
fn is_visible(character: char) -> bool {
    let steers = matches!(character,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}');
    !(steers || character.is_control() || character.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_missing_characters_becomes_one_list_of_code_points() {
        let mut fonts = Fonts::new();
        // The last private-use characters of Unicode, which no font draws.
        let text = "a\u{10FFFC}\u{10FFFD} b\u{10FFFC}";
        assert_eq!(fonts.missing(text), ['\u{10FFFC}', '\u{10FFFD}']);
        assert_eq!(fonts.drawable(text, false), "aU+10FFFC·10FFFD bU+10FFFC");
    }

    #[test]
    fn controls_become_spaces_and_drawable_text_stays() {
        let mut fonts = Fonts::new();
        assert_eq!(fonts.drawable("a\tb\nc\u{2029}d", false), "a b c d");
        assert_eq!(fonts.drawable("a\r\nb", true), "a \nb");
        assert!(matches!(fonts.drawable("naïve", false), Cow::Borrowed("naïve")));
    }

    #[test]
    fn the_built_in_font_has_these_scripts_and_needs_no_other() {
        let mut fonts = Fonts::new();
        assert!(fonts.missing("naïve Łódź кошка γάτα קאט قطة … · % → \u{200D}\u{FE0F}\t\n").is_empty());
        assert!(fonts.installed.is_none(), "the system's fonts are read only when needed");
    }

    #[test]
    fn coverage_counts_the_characters_of_a_face() {
        let fonts = Fonts::new();
        let database = fonts.system.db();
        let face = database.faces().next().unwrap().id;
        assert_eq!(coverage(database, face, &['a', '고', 'ж', '\u{10FFFD}']), 2);
    }
}
