//! Reads one JSON value the way that models write it, where what was meant leaves no doubt.
//!
//! Beyond JSON it takes comments, trailing commas, single and typographic quotes, names without quotes, `True`,
//! `None`, `NaN` (as null), raw line breaks in strings, and brackets that the end of the text left open. It never
//! guesses a value or a name, and never panics. Strict JSON is read by `serde_json` first (see [`super::reading`]).

use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::{Map, Number, Value};

/// Values nested deeper are not read.
const MAX_DEPTH: usize = 100;

/// A value and how it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct RepairedJson {
    /// The value.
    pub value: Value,
    /// The bytes that it took.
    pub length: usize,
    /// How it ended.
    pub ending: JsonEnding,
}

/// How a value ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JsonEnding {
    /// It was whole.
    Whole,
    /// The text ended after an item, and only closing brackets were missing.
    Unclosed,
    /// The text ended within an item or before one, so that some of it is missing.
    Truncated,
}

/// Reads the value that `text` begins with. What follows it is not looked at. `None`: there is none.
#[must_use]
pub fn read(text: &str) -> Option<RepairedJson> {
    let mut reader = Reader { text, chars: text.char_indices().peekable(), ending: JsonEnding::Whole };
    let value = reader.value(0)?;
    let length = reader.position();
    Some(RepairedJson { value, length, ending: reader.ending })
}

struct Reader<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    ending: JsonEnding,
}

impl Reader<'_> {
    fn position(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|(_, c)| *c)
    }

    fn take(&mut self, wanted: char) -> bool {
        self.chars.next_if(|(_, c)| *c == wanted).is_some()
    }

    /// Skips white space and comments, and gives what comes next.
    fn next_token(&mut self) -> Option<char> {
        loop {
            match self.peek()? {
                c if c.is_whitespace() || c == '\u{feff}' => {
                    self.chars.next();
                }
                '/' => {
                    let at = self.position();
                    let rest = &self.text[at..];
                    let length = if rest.starts_with("//") {
                        rest.find('\n').unwrap_or(rest.len())
                    } else if rest.starts_with("/*") {
                        rest.find("*/").map_or(rest.len(), |end| end + 2)
                    } else {
                        return Some('/');
                    };
                    while self.position() < at + length {
                        self.chars.next();
                    }
                }
                c => return Some(c),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.next_token()? {
            '{' => self.object(depth),
            '[' => self.array(depth),
            c if closing_quote(c).is_some() => self.string().map(Value::String),
            c if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => self.number(),
            _ => self.word(),
        }
    }

    /// The text has ended inside a bracket: `wants_more` after a comma or the bracket itself.
    fn ended(&mut self, wants_more: bool) {
        self.ending = if wants_more { JsonEnding::Truncated } else { JsonEnding::Unclosed };
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        self.chars.next();
        let mut items = Vec::new();
        let mut wants_more = true;
        loop {
            match self.next_token() {
                Some(']') => {
                    self.chars.next();
                    break;
                }
                Some(_) => match self.value(depth + 1) {
                    Some(item) => items.push(item),
                    None if self.peek().is_none() => self.ended(true),
                    None => return None,
                },
                None => self.ended(wants_more),
            }
            if self.ending != JsonEnding::Whole {
                break;
            }
            wants_more = self.separator(']')?;
        }
        Some(Value::Array(items))
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.chars.next();
        let mut fields = Map::new();
        let mut wants_more = true;
        loop {
            let Some(next) = self.next_token() else {
                self.ended(wants_more);
                break;
            };
            if self.take('}') {
                break;
            }
            let name = if closing_quote(next).is_some() { self.string()? } else { self.bare_name()? };
            // A name that the end of the text left without its value is dropped: a value is never guessed.
            let value = match self.next_token() {
                None => None,
                Some(_) if self.take(':') => self.value(depth + 1),
                Some(_) => return None,
            };
            match value {
                Some(value) => {
                    fields.insert(name, value);
                }
                None if self.peek().is_none() => self.ended(true),
                None => return None,
            }
            if self.ending != JsonEnding::Whole {
                break;
            }
            wants_more = self.separator('}')?;
        }
        Some(Value::Object(fields))
    }

    /// After an item: whether a comma follows, or else the bracket that closes (left standing) or the end of the text.
    fn separator(&mut self, close: char) -> Option<bool> {
        match self.next_token() {
            Some(',') => {
                self.chars.next();
                Some(true)
            }
            Some(c) if c == close => Some(false),
            Some(_) => None,
            None => Some(false),
        }
    }

    fn string(&mut self) -> Option<String> {
        let (_, open) = self.chars.next()?;
        let close = closing_quote(open)?;
        let mut text = String::new();
        while let Some((_, c)) = self.chars.next() {
            match c {
                '\\' => self.escape(&mut text),
                c if close.contains(&c) => return Some(text),
                c => text.push(c),
            }
        }
        self.ending = JsonEnding::Truncated;
        Some(text)
    }

    fn escape(&mut self, text: &mut String) {
        let Some((_, c)) = self.chars.next() else { return };
        match c {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'u' => {
                let unit = self.hex();
                let c = match unit {
                    Some(high @ 0xd800..=0xdbff) => {
                        let pair = self.text[self.position()..].starts_with("\\u");
                        if pair {
                            self.chars.next();
                            self.chars.next();
                        }
                        let low = if pair { self.hex() } else { None };
                        low.filter(|low| (0xdc00..=0xdfff).contains(low))
                            .and_then(|low| char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)))
                    }
                    other => other.and_then(char::from_u32),
                };
                text.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            '\n' => {}
            // `\"` and `\\`, and what JSON does not know (`\'`, `\_`): the character itself.
            c => text.push(c),
        }
    }

    fn hex(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let (_, c) = self.chars.next_if(|(_, c)| c.is_ascii_hexdigit())?;
            unit = unit * 16 + c.to_digit(16)?;
        }
        Some(unit)
    }

    fn run_of(&mut self, belongs: impl Fn(char) -> bool) -> &str {
        let start = self.position();
        while self.chars.next_if(|(_, c)| belongs(*c)).is_some() {}
        let end = self.position();
        &self.text[start..end]
    }

    fn number(&mut self) -> Option<Value> {
        number(self.run_of(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'))).map(Value::Number)
    }

    fn word(&mut self) -> Option<Value> {
        match self.run_of(|c| c.is_alphanumeric() || c == '_') {
            "true" | "True" | "TRUE" => Some(Value::Bool(true)),
            "false" | "False" | "FALSE" => Some(Value::Bool(false)),
            "null" | "None" | "NULL" | "NaN" | "nan" | "undefined" | "Infinity" => Some(Value::Null),
            _ => None,
        }
    }

    fn bare_name(&mut self) -> Option<String> {
        let name = self.run_of(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'));
        (!name.is_empty()).then(|| name.to_owned())
    }
}

/// The quotes that close a string which `open` began.
fn closing_quote(open: char) -> Option<&'static [char]> {
    match open {
        '"' => Some(&['"']),
        '\'' => Some(&['\'']),
        '“' | '”' | '„' => Some(&['”', '“']),
        '‘' | '’' => Some(&['’']),
        _ => None,
    }
}

/// The number that `text` is, exactly; also with a plus sign, or without a digit on one side of the point.
#[must_use]
pub fn number(text: &str) -> Option<Number> {
    let is_integer = !text.contains(['.', 'e', 'E']);
    if is_integer && crate::core::json::too_large(text).is_some() {
        return None;
    }
    if let Ok(number) = serde_json::from_str(text) {
        return Some(number);
    }
    // Rust reads `inf`, `nan` and `infinity` as numbers too.
    if text.contains(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'))) {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_models_write_is_read_as_meant() {
        for (text, value) in [
            (r#"{"a": [1, 2,],}"#, json!({"a": [1, 2]})),
            ("{'a': 'it\\'s'}", json!({"a": "it's"})),
            ("{“a”: “b”}", json!({"a": "b"})),
            ("{a: True, b-c: None, d: NaN}", json!({"a": true, "b-c": null, "d": null})),
            ("[1, // one\n 2 /* two */]", json!([1, 2])),
            ("[\"line\nbreak\", +1, .5, -2e3]", json!(["line\nbreak", 1.0, 0.5, -2e3])),
            (r#"["\ud83d\ude80 \u00e9 \ud83d x"]"#, json!(["🚀 é \u{fffd} x"])),
            ("\u{feff} [12345678901234567890]", json!([12_345_678_901_234_567_890_u64])),
        ] {
            let read = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((read.value, read.ending), (value, JsonEnding::Whole), "{text}");
        }
    }

    #[test]
    fn an_answer_that_was_cut_keeps_what_had_come() {
        for (text, value, ending) in [
            ("[1, 2", json!([1, 2]), JsonEnding::Unclosed),
            (r#"{"a": [{"b": "c"}"#, json!({"a": [{"b": "c"}]}), JsonEnding::Unclosed),
            ("[1, 2,", json!([1, 2]), JsonEnding::Truncated),
            (r#"{"a": [{"b": "c"}, {"b""#, json!({"a": [{"b": "c"}, {}]}), JsonEnding::Truncated),
            (r#"{"a": "text that en"#, json!({"a": "text that en"}), JsonEnding::Truncated),
            (r#"{"a": 1, "b":"#, json!({"a": 1}), JsonEnding::Truncated),
            (r#"{"a": 1, "b"#, json!({"a": 1}), JsonEnding::Truncated),
            (r#"{"a": 1, "b": tru"#, json!({"a": 1}), JsonEnding::Truncated),
            ("[", json!([]), JsonEnding::Truncated),
        ] {
            let read = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((read.value, read.ending), (value, ending), "{text}");
        }
    }

    #[test]
    fn prose_is_no_value() {
        for text in
            ["{this is prose}", "[see below]", "hello", "", "/", "[1 2]", "{\"a\" 1}", "[1}", "-", "1e", "\u{1}"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn it_never_panics(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn it_never_panics_on_what_looks_like_json(text in r#"[\[\]{}:,"'“”\\/*+\-.0-9a-eu \n]{0,60}"#) {
            if let Some(found) = read(&text) {
                prop_assert!(found.length <= text.len());
                prop_assert!(text.is_char_boundary(found.length));
            }
        }
    }
}
