//! Lists and dictionaries as Python prints them, which is how some exporters write them into metadata.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Value};

/// No list of names is nested deeper.
const DEEPEST: usize = 8;

/// Reads a list, tuple or dictionary of strings and numbers, as Python prints it; keys become text.
pub(super) fn literal(text: &str) -> Option<Value> {
    let mut reader = Reader { letters: text.chars().peekable() };
    let value = reader.value(0)?;
    reader.skip_space();
    reader.letters.next().is_none().then_some(value)
}

struct Reader<'t> {
    letters: Peekable<Chars<'t>>,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        while self.letters.next_if(|letter| letter.is_whitespace()).is_some() {}
    }

    /// Takes a letter, if it comes next.
    fn take(&mut self, wanted: char) -> bool {
        self.skip_space();
        self.letters.next_if_eq(&wanted).is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        self.skip_space();
        match *self.letters.peek()? {
            '{' => self.dictionary(depth),
            '[' => self.list(']', depth),
            '(' => self.list(')', depth),
            '\'' | '"' => self.string().map(Value::String),
            _ => self.word(),
        }
    }

    fn list(&mut self, end: char, depth: usize) -> Option<Value> {
        self.letters.next();
        let mut values = Vec::new();
        while !self.take(end) {
            values.push(self.value(depth + 1)?);
            if !self.take(',') {
                return self.take(end).then_some(Value::Array(values));
            }
        }
        Some(Value::Array(values))
    }

    fn dictionary(&mut self, depth: usize) -> Option<Value> {
        self.letters.next();
        let mut entries = Map::new();
        while !self.take('}') {
            let key = match self.value(depth + 1)? {
                Value::String(key) => key,
                Value::Number(key) => key.to_string(),
                _ => return None,
            };
            if !self.take(':') {
                return None;
            }
            entries.insert(key, self.value(depth + 1)?);
            if !self.take(',') {
                return self.take('}').then_some(Value::Object(entries));
            }
        }
        Some(Value::Object(entries))
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.letters.next()?;
        let mut text = String::new();
        loop {
            match self.letters.next()? {
                '\\' => text.push(self.escaped()?),
                end if end == quote => return Some(text),
                other => text.push(other),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        match self.letters.next()? {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'x' => self.hexadecimal(2),
            'u' => self.hexadecimal(4),
            'U' => self.hexadecimal(8),
            other => Some(other),
        }
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<char> {
        let digits: String = self.letters.by_ref().take(digits).collect();
        char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
    }

    /// A number, or a name such as `None`.
    fn word(&mut self) -> Option<Value> {
        let mut word = String::new();
        while let Some(letter) =
            self.letters.next_if(|&letter| letter.is_alphanumeric() || "+-._".contains(letter))
        {
            word.push(letter);
        }
        match word.as_str() {
            "" => None,
            "None" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            number => serde_json::from_str(number).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_python_prints_is_read() {
        assert_eq!(literal("{0: 'a', 1: \"b's\"}"), Some(json!({"0": "a", "1": "b's"})));
        assert_eq!(literal(" ['a', ('b', None), -1.5, True] "), Some(json!(["a", ["b", null], -1.5, true])));
        assert_eq!(literal("{}"), Some(json!({})));
        for broken in ["{'half", "['a' 'b']", "{0 'a'}", "['a'] x", "", "['\\ud800']", &"[".repeat(99)] {
            assert_eq!(literal(broken), None, "{broken}");
        }
    }
}
