//! Where a byte of a text's value is in the file that it is written in.

use super::TomlString;

impl TomlString {
    /// The byte offset in the file of a byte offset in the value.
    ///
    /// Escapes, line continuations and the line break after `"""` are longer in the file than in the value.
    #[must_use]
    pub fn offset_in_file(&self, offset: usize) -> usize {
        let start = self.span.range.start;
        if !self.quoted {
            return start + offset.min(self.value.len());
        }
        let raw = self.span.source.text.get(self.span.range.clone()).unwrap_or_default();
        let (open, escapes) = match raw {
            _ if raw.starts_with("\"\"\"") => (3, true),
            _ if raw.starts_with("'''") => (3, false),
            _ => (1, raw.starts_with('"')),
        };
        let mut at = open.min(raw.len());
        if open == 3 {
            let body = &raw[at..];
            at += body.len() - body.strip_prefix("\r\n").or(body.strip_prefix('\n')).unwrap_or(body).len();
        }
        let mut left = offset;
        // A continuation has no place in the value: what comes next stands after it.
        while let Some(c) = raw[at..].chars().next() {
            let (in_file, in_value) =
                if escapes && c == '\\' { escape(&raw[at..]) } else { (c.len_utf8(), c.len_utf8()) };
            if left == 0 && in_value > 0 {
                break;
            }
            at += in_file;
            left = left.saturating_sub(in_value);
        }
        start + at
    }
}

/// Bytes in the file and in the value of the escape that `raw` begins with.
fn escape(raw: &str) -> (usize, usize) {
    let digits = |count: usize| {
        let code = raw.get(2..2 + count).and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
        (2 + code.map_or(0, |_| count), code.map_or(1, char::len_utf8))
    };
    match raw[1..].chars().next() {
        Some('x') => digits(2),
        Some('u') => digits(4),
        Some('U') => digits(8),
        Some(' ' | '\t' | '\r' | '\n') => (raw.len() - raw[1..].trim_start_matches([' ', '\t', '\r', '\n']).len(), 0),
        Some(c) => (1 + c.len_utf8(), 1),
        None => (1, 1),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::read;
    use super::*;
    use crate::core::diagnostic::{Report, SourceText};

    fn text(source: &str) -> TomlString {
        let source = Arc::new(SourceText { name: "f".into(), text: source.into() });
        read(&source, &Report::default(), |root| root.get("a").and_then(|item| item.text())).flatten().unwrap()
    }

    #[test]
    fn a_place_in_a_value_is_a_place_in_the_file() {
        for source in [
            "a = \"one {{ X }}\"",
            "a = 'one {{ X }}'",
            "a = \"\"\"\none\ntwo {{ X }}\"\"\"",
            "a = \"\"\"\r\none\r\ntwo {{ X }}\"\"\"",
            "a = '''\none \\n X'''",
            "a = \"\\t\\\"\\u00e4\\U0001F600 X\"",
            "a = \"\"\"one \\\n    X \\\n two\"\"\"",
            "a = \"\"\"\\\n  X\"\"\"",
        ] {
            let text = text(source);
            let offset = text.offset_in_file(text.value.find('X').unwrap());
            assert_eq!(&source[offset..=offset], "X", "{source}");
        }
    }

    proptest! {
        #[test]
        fn any_offset_lies_within_the_text(value in "\\PC{0,20}[\n\t\"\\\\ä]{0,5}\\PC{0,10}", offset in 0usize..60) {
            let source = format!("a = {}", toml::Value::String(value));
            let text = text(&source);
            prop_assert!(text.offset_in_file(offset) <= source.len());
        }
    }
}
