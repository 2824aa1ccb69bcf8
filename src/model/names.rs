//! Names of classes as people and programs write them down: JSON, a Python dictionary as text, one name a line.

use std::collections::BTreeMap;

use serde_json::Value;

use super::python;

/// Names under a key of their own, within a file or within a model's metadata.
pub(super) const KEYS: [&str; 13] = [
    "names",
    "classes",
    "labels",
    "class_names",
    "id2label",
    "idx_to_class",
    "idx2label",
    "label_names",
    "class_to_idx",
    "label2id",
    "label2idx",
    "class_indices",
    "classlabels_strings",
];

/// Names as exporters write them into a model's metadata: a JSON list or object, a Python list or dictionary as text, or one
/// name a line or between commas. The error is a reason, for a user.
pub(super) fn from_text(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.starts_with(['{', '[']) {
        let value = serde_json::from_str(text).ok().or_else(|| python::literal(text));
        return from_json(&value.ok_or("it is neither JSON nor a list or dictionary of Python's")?);
    }
    if text.contains('\n') {
        Ok(from_lines(text))
    } else {
        Ok(text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect())
    }
}

/// Names from a labels file: one a line, in the order of the ids. Blank lines at the end do not count; numbers before the
/// names, which count the lines, are no part of them (`0 Cat`).
pub(super) fn from_lines(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let numbered = || {
        let name = |(id, line): (usize, &&'_ str)| {
            let rest = line.strip_prefix(&id.to_string())?;
            let name = rest.trim_start_matches([' ', '\t', ':', ',']);
            (name.len() < rest.len() && !name.is_empty()).then(|| name.to_owned())
        };
        lines.iter().enumerate().map(name).collect::<Option<Vec<String>>>()
    };
    numbered().unwrap_or_else(|| lines.iter().map(|line| (*line).to_owned()).collect())
}

/// Names from JSON: a list; an object from number to name, in the order of the numbers, or from name to number; or either of
/// these under one of the usual [keys](KEYS). The error is a reason, for a user.
pub(super) fn from_json(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(list) => {
            list.iter().map(name).collect::<Option<_>>().ok_or_else(|| "it lists more than names".to_owned())
        }
        Value::Object(object) => {
            if let Some(inner) = KEYS.iter().find_map(|key| object.get(*key).filter(|inner| !inner.is_null()))
                && (inner.is_array() || inner.is_object())
            {
                return from_json(inner);
            }
            let by_number = || {
                let entry = |(key, value): (&String, &Value)| Some((key.trim().parse().ok()?, name(value)?));
                object.iter().map(entry).collect::<Option<Vec<(usize, String)>>>()
            };
            let by_name = || {
                let number = |value: &Value| value.as_u64().and_then(|id| usize::try_from(id).ok());
                let entry = |(key, value): (&String, &Value)| Some((number(value)?, key.clone()));
                object.iter().map(entry).collect::<Option<Vec<(usize, String)>>>()
            };
            ordered(by_number().or_else(by_name).ok_or("it does not say which name goes with which number")?)
        }
        _ => Err("it is neither a list nor an object".to_owned()),
    }
}

/// A name, alone or as the last of several (`["n01440764", "tench"]`).
fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.clone()),
        Value::Array(several) => several.last()?.as_str().map(str::to_owned),
        _ => None,
    }
}

/// The names of the numbers 0, 1, 2, …, each of which must have one.
fn ordered(entries: Vec<(usize, String)>) -> Result<Vec<String>, String> {
    let count = entries.len();
    let sorted: BTreeMap<usize, String> = entries.into_iter().collect();
    if sorted.len() == count && sorted.keys().copied().eq(0..count) {
        Ok(sorted.into_values().collect())
    } else {
        Err(format!("its {count} names do not go with the numbers 0 to {}", count.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        from_text(text).unwrap_or_else(|reason| panic!("{text}: {reason}"))
    }

    #[test]
    fn names_come_in_many_spellings() {
        let expected = ["dog", "cat's paw", "owl"];
        for text in [
            r#"["dog", "cat's paw", "owl"]"#,
            r#"{"0": "dog", "1": "cat's paw", "2": "owl"}"#,
            r#"{"2": "owl", "1": "cat's paw", "0": "dog"}"#,
            r#"{0: 'dog', 1: "cat's paw", 2: 'owl'}"#,
            r"['dog', 'cat\'s paw', 'owl']",
            r#"{"dog": 0, "owl": 2, "cat's paw": 1}"#,
            r#"{"id2label": {"0": "dog", "1": "cat's paw", "2": "owl"}, "model_type": "vit"}"#,
            r#"{"0": ["n1", "dog"], "1": ["n2", "cat's paw"], "2": ["n3", "owl"]}"#,
            "dog\ncat's paw\nowl\n",
            "0 dog\n1 cat's paw\n2 owl\n",
            "dog, cat's paw, owl",
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_order_names_as_numbers_not_as_text() {
        let sorted: Vec<String> = ["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"]
            .iter()
            .map(|id| format!("\"{id}\": \"L{id}\""))
            .collect();
        let names = read(&format!("{{{}}}", sorted.join(", ")));
        assert_eq!((names[2].as_str(), names[10].as_str()), ("L2", "L10"));
    }

    #[test]
    fn escapes_are_those_of_their_language() {
        assert_eq!(read(r#"{"0": "\u732b", "1": "a\"b"}"#), ["猫", "a\"b"]);
        assert_eq!(read(r"{0: '\u732b', 1: 'a\'b\x21\n'}"), ["猫", "a'b!\n"]);
    }

    #[test]
    fn what_names_no_classes_says_why() {
        let reason = |text: &str| from_text(text).unwrap_err();
        assert!(reason("{'half").contains("neither JSON"));
        assert!(reason(r#"{"1": "a", "2": "b"}"#).contains("0 to 1"));
        assert!(reason(r#"{"a": "b"}"#).contains("which name goes with which number"));
        assert!(reason("[1, 2]").contains("more than names"));
        assert!(reason(r#"{"a": 0, "b": 0}"#).contains("0 to 1"));
    }

    #[test]
    fn a_labels_file_keeps_its_line_numbers() {
        assert_eq!(from_lines("\u{feff}dog\r\n\r\nowl\n\n"), ["dog", "", "owl"]);
        assert_eq!(from_lines("0 Cat\n1 Dog"), ["Cat", "Dog"]);
        assert_eq!(from_lines("0\n1\n2"), ["0", "1", "2"]);
        assert_eq!(from_lines("7 dwarfs\n101 dogs"), ["7 dwarfs", "101 dogs"]);
    }
}
