//! A JSON value of which only the beginning has arrived: as much of it as can be told.

use serde_json::Value;

/// The value so far: what is open is closed, what is half said (a key, a number, a word) is left out, except a text,
/// which is shown as far as it goes. `None` while there is no object or list, or when what stands there is not JSON.
///
/// A fence around it is looked through. Linear in the length of the text.
#[must_use]
pub fn so_far(text: &str) -> Option<Value> {
    let text = text.trim_start();
    let text = match text.strip_prefix("```") {
        Some(fenced) => fenced.split_once('\n')?.1.trim_start(),
        None => text,
    };
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let mut reader = Reader::default();
    for (at, c) in text.char_indices() {
        reader.take(at, c);
        if reader.open.is_empty() {
            break;
        }
    }
    serde_json::from_str(&reader.closed(text)).ok()
}

#[derive(Default)]
struct Reader {
    /// What closes each open object and list, the innermost last.
    open: Vec<char>,
    /// Up to here everything is whole, but for what is open.
    whole: usize,
    in_text: bool,
    /// The text is a key.
    is_key: bool,
    /// In an object: what comes next is a key.
    wants_key: bool,
    /// An escape within a text began here.
    escape: Option<usize>,
}

impl Reader {
    fn take(&mut self, at: usize, c: char) {
        let end = at + c.len_utf8();
        if self.in_text {
            return self.within_text(at, c);
        }
        match c {
            '"' => {
                self.in_text = true;
                self.is_key = self.wants_key;
            }
            '{' | '[' => {
                self.open.push(if c == '{' { '}' } else { ']' });
                self.wants_key = c == '{';
                self.whole = end;
            }
            '}' | ']' => {
                self.open.pop();
                self.wants_key = false;
                self.whole = end;
            }
            ',' => {
                self.wants_key = self.open.last() == Some(&'}');
                // A number or a word before it has come to its end.
                self.whole = self.whole.max(at);
            }
            ':' => self.wants_key = false,
            _ => {}
        }
    }

    fn within_text(&mut self, at: usize, c: char) {
        match self.escape {
            Some(begun) => {
                let length = at - begun;
                let ends = if length == 1 { c != 'u' } else { length == 5 };
                self.escape = Some(begun).filter(|_| !ends);
            }
            None if c == '\\' => self.escape = Some(at),
            None if c == '"' => {
                self.in_text = false;
                if !self.is_key {
                    self.whole = at + 1;
                }
            }
            None => {}
        }
    }

    fn closed(&self, text: &str) -> String {
        let mut value = if self.in_text && !self.is_key {
            format!("{}\"", &text[..self.escape.unwrap_or(text.len())])
        } else {
            text[..self.whole].to_owned()
        };
        value.extend(self.open.iter().rev());
        value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_arrived_is_shown_and_what_is_half_said_is_not() {
        for (text, value) in [
            ("[", json!([])),
            ("{\"sub", json!({})),
            ("{\"subject\"", json!({})),
            ("{\"subject\": ", json!({})),
            ("{\"subject\": \"The ti", json!({"subject": "The ti"})),
            ("{\"a\": 12", json!({})),
            ("{\"a\": 12, \"b\": tr", json!({"a": 12})),
            ("[{\"a\": \"x\"}, {\"a\"", json!([{"a": "x"}, {}])),
            ("[\"a\\", json!(["a"])),
            ("[\"a\\u00", json!(["a"])),
            ("[\"a\\u00e9", json!(["aé"])),
            ("```json\n[1, 2", json!([1])),
            ("[1, 2] and more", json!([1, 2])),
        ] {
            assert_eq!(so_far(text), Some(value), "{text}");
        }
        assert_eq!(so_far("Here it is: ["), None);
        assert_eq!(so_far(""), None);
        assert_eq!(so_far("[1 2,"), None);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|b| json!(b)),
            any::<i32>().prop_map(|n| json!(n)),
            ".{0,8}".prop_map(|s| json!(s))
        ];
        let inner = leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(".{0,4}", inner, 0..4).prop_map(|map| json!(map)),
            ]
        });
        prop::collection::vec(inner, 0..4).prop_map(Value::from)
    }

    proptest! {
        #[test]
        fn every_beginning_of_a_value_can_be_shown(value in value()) {
            let text = value.to_string();
            for (at, _) in text.char_indices().skip(1) {
                prop_assert!(so_far(&text[..at]).is_some(), "{}", &text[..at]);
            }
            prop_assert_eq!(so_far(&text), Some(value));
        }
    }
}
