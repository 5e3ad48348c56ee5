//! JSON that comes from outside: a model's answer, a file, a program, what a person types.
//!
//! A number is kept as it is written or refused with its place: `serde_json` would read an integer beyond 64 bits as the
//! nearest float, and nobody would learn that its last digits are gone. What is nested too deeply is refused too, since a value
//! is walked and dropped by functions that call themselves.

use serde_json::Value;

/// Why a text is not JSON, or not JSON that can be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line} column {column}")]
pub struct JsonError {
    /// What is wrong.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in bytes.
    pub column: usize,
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        let message = error.to_string();
        let message = match message.split(" at line ").next().unwrap_or_default() {
            "recursion limit exceeded" => "it is nested more than 127 deep".to_owned(),
            other => other.to_owned(),
        };
        Self { message, line: error.line(), column: error.column() }
    }
}

/// Reads one value.
///
/// # Errors
/// When the text is not JSON, has an integer that does not fit 64 bits, or is nested too deeply.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value = serde_json::from_str(text)?;
    match too_large(text) {
        Some((at, number)) => Err(JsonError::of_number(text, at, number)),
        None => Ok(value),
    }
}

impl JsonError {
    fn of_number(text: &str, at: usize, number: &str) -> Self {
        const SHOWN: usize = 40;
        let before = text.get(..at).unwrap_or_default();
        let dots = if number.len() > SHOWN { "…" } else { "" };
        Self {
            message: format!(
                "the integer {}{dots} does not fit 64 bits, and would lose digits; write it as a string",
                number.get(..SHOWN).unwrap_or(number)
            ),
            line: before.matches('\n').count() + 1,
            column: before.len() - before.rfind('\n').map_or(0, |line| line + 1) + 1,
        }
    }
}

/// The first integer in a JSON text that fits neither `i64` nor `u64`, and where it begins.
#[must_use]
pub fn too_large(text: &str) -> Option<(usize, &str)> {
    const ALWAYS_FITS: usize = 18;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at + 1),
            b'-' | b'0'..=b'9' => {
                let length = bytes[at + 1..]
                    .iter()
                    .take_while(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
                    .count();
                let number = text.get(at..=at + length)?;
                let is_integer = !number.contains(['.', 'e', 'E']);
                if is_integer && length >= ALWAYS_FITS && !fits(number) {
                    return Some((at, number));
                }
                at += length + 1;
            }
            _ => at += 1,
        }
    }
    None
}

/// Whether an integer fits 64 bits.
#[must_use]
pub fn fits(integer: &str) -> bool {
    integer.parse::<i64>().is_ok() || integer.parse::<u64>().is_ok()
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_integer_is_kept_exactly_or_refused_with_its_place() {
        for number in ["9007199254740993", "-9223372036854775808", "18446744073709551615", "0", "-1", "1e30", "0.1"] {
            assert_eq!(parse(number).unwrap().to_string().replace("e+", "e"), number);
        }
        let error = parse("{\"a\": [1,\n  18446744073709551616]}").unwrap_err();
        assert_eq!((error.line, error.column), (2, 3));
        assert!(error.message.contains("18446744073709551616 does not fit 64 bits"), "{error}");
        assert!(parse("-9223372036854775809").is_err());
        assert!(parse(&"9".repeat(400)).is_err());
        assert_eq!(
            parse("\"18446744073709551616 \\\" 99999999999999999999\"").unwrap().as_str().map(str::len),
            Some(43)
        );
    }

    #[test]
    fn deep_nesting_is_refused_without_an_overflow() {
        for open in ["[", "{\"a\":"] {
            assert!(parse(&open.repeat(1_000_000)).is_err());
        }
        let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
        assert!(parse(&deep).unwrap_err().message.contains("nested"));
        assert!(parse(&deep[1..255]).is_ok());
    }

    #[test]
    fn a_byte_order_mark_hinders_nothing() {
        assert_eq!(parse("\u{feff}[1]").unwrap(), serde_json::json!([1]));
    }

    proptest! {
        #[test]
        fn no_text_stops_the_reading(text in "[\\[\\]{}\":,\\\\ 0-9eE.+-]{0,60}") {
            if let Ok(value) = parse(&text) {
                prop_assert_eq!(parse(&value.to_string()).unwrap(), value);
            }
        }
    }
}
