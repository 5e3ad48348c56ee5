//! What is true in a condition.
//!
//! A text counts by whether it is empty, so that `when = "inputs.search"` asks whether there is one. A text that *reads* as a
//! truth value would then be true although it says `false`: it is an error, and `| bool` reads the words.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// Words for yes, and for no; compared in lower case.
const YES: [&str; 3] = ["true", "yes", "on"];
const NO: [&str; 5] = ["false", "no", "off", "none", "null"];

/// The truth value, or the number, that a text reads as.
fn read(text: &str) -> Option<bool> {
    let text = text.trim();
    let word = text.strip_suffix('.').unwrap_or(text).trim_end().to_lowercase();
    if YES.contains(&word.as_str()) {
        return Some(true);
    }
    if NO.contains(&word.as_str()) {
        return Some(false);
    }
    let is_number = word.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e'));
    let number: f64 = word.parse().ok().filter(|_| is_number && word.contains(|c: char| c.is_ascii_digit()))?;
    Some(number != 0.0)
}

/// Whether a value holds as a condition.
pub(super) fn holds(value: &Value) -> Result<bool, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let Some(text) = value.as_str() else { return Ok(value.is_true()) };
    if read(text).is_some() {
        let message = format!(
            "it is the text {}, and any text but an empty one counts as true; write `… | bool` to read what it says, or compare it: `… == \"{}\"`",
            quoted(text),
            text.trim().escape_default(),
        );
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    Ok(!text.is_empty())
}

/// The filter `bool`.
pub(super) fn bool(value: &Value) -> Result<bool, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let Some(text) = value.as_str().filter(|_| value.kind() == ValueKind::String) else { return Ok(value.is_true()) };
    if text.trim().is_empty() {
        return Ok(false);
    }
    read(text).ok_or_else(|| {
        let message = format!(
            "`bool` reads true, false, yes, no, on, off, a number or nothing, not {}; whether there is any text is `… != \"\"`",
            quoted(text)
        );
        Error::new(ErrorKind::InvalidOperation, message)
    })
}

fn quoted(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown: String = text.trim().chars().take(LONGEST).collect();
    if shown.len() < text.trim().len() {
        shown.push('…');
    }
    format!("\"{}\"", shown.escape_debug())
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use crate::core::template::Expr;

    fn condition(source: &str, text: &str) -> Result<bool, String> {
        let names = context! { text => text.to_owned(), no => false, yes => true, list => vec![text.to_owned()] };
        Expr::condition(source).unwrap().holds(&names).map_err(|error| error.message)
    }

    #[test]
    fn a_text_counts_by_whether_it_is_empty() {
        for text in ["a", "a search", "nothing", "yes, it is", "No, it is not.", "on the road", "1 apple", "v1.0", " "]
        {
            assert_eq!(condition("text", text), Ok(true), "{text}");
            assert_eq!(condition("not text", text), Ok(false), "{text}");
            assert_eq!(condition("text and yes", text), Ok(true), "{text}");
        }
        assert_eq!(condition("text", ""), Ok(false));
        assert_eq!(condition("not text", ""), Ok(true));
    }

    #[test]
    fn a_text_that_reads_as_a_truth_value_is_an_error_that_names_bool_wherever_it_is_asked() {
        let texts = [
            "true", "false", "False", "FALSE.", " yes\n", "No.", "on", "off", "0", "1", "-1", "2.5", "none", "null",
            "Null",
        ];
        let sources = [
            "text",
            "not text",
            "text and yes",
            "yes and text",
            "no or text",
            "text or no",
            "(text)",
            "not (text and yes)",
            "yes and (no or not text)",
            "yes if text else no",
            "text if yes else no",
            "(not text) == yes",
            "list[0]",
            "[not text][0]",
            "text | trim",
            "text ~ ''",
            "yes and text | default('x')",
        ];
        for text in texts {
            for source in sources {
                let error = condition(source, text).expect_err(source);
                assert!(error.contains("| bool"), "{source} of {text:?}: {error}");
            }
        }
    }

    #[test]
    fn what_is_not_asked_whether_it_is_true_is_left_alone() {
        for source in [
            "text == 'false'",
            "text != 'true'",
            "text is defined",
            "'al' in text",
            "text | length == 5",
            "yes or text",
            "no or text == 'false'",
            "(text or 'x') == 'false'",
            "text | bool == no",
            "not text | bool",
            "text in ['false']",
        ] {
            assert_eq!(condition(source, "false"), Ok(true), "{source}");
        }
        assert_eq!(condition("no and text", "false"), Ok(false));
    }

    #[test]
    fn bool_reads_the_words() {
        for (text, read) in [
            ("true", true),
            ("True.", true),
            ("YES", true),
            (" on ", true),
            ("1", true),
            ("2.5", true),
            ("false", false),
            ("False.", false),
            ("no", false),
            ("Off", false),
            ("0", false),
            ("0.0", false),
            ("none", false),
            ("null", false),
            ("", false),
            ("  ", false),
        ] {
            assert_eq!(condition("text | bool", text), Ok(read), "{text}");
            assert_eq!(condition("not text | bool", text), Ok(!read), "{text}");
        }
        for text in ["No, it is not ready.", "maybe", "yes and no"] {
            assert!(condition("text | bool", text).unwrap_err().contains("reads true, false"), "{text}");
        }
        for (source, read) in [("list | bool", true), ("[] | bool", false), ("none | bool", false), ("3 | bool", true)]
        {
            assert_eq!(condition(source, "x"), Ok(read), "{source}");
        }
        assert!(condition("nothing | bool", "x").is_err());
    }

    #[test]
    fn the_error_has_the_place_of_the_text() {
        let names = context! { inputs => context! { go => "no", other => "yes", n => 3 } };
        for (source, column) in
            [("inputs.n > 2 and inputs.go", 18), ("inputs.n ~ '' == '3' and not inputs.go", 30), ("not inputs.go", 5)]
        {
            let error = Expr::condition(source).unwrap().holds(&names).unwrap_err();
            assert_eq!((error.line, error.column), (1, column), "{source}: {}", error.message);
        }
    }
}
