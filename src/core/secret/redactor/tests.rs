use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn redactor(values: &[&str]) -> Redactor {
    let mut redactor = Redactor::default();
    for value in values {
        redactor.learn(&Secret::new(*value));
    }
    redactor
}

/// `text` through a stream, in pieces of so many characters.
fn streamed(redactor: &Redactor, text: &str, length: usize) -> String {
    let mut stream = RedactedStream::new(redactor.clone());
    let characters: Vec<char> = text.chars().collect();
    let mut shown: String =
        characters.chunks(length).map(|piece| stream.push(&piece.iter().collect::<String>())).collect();
    shown += &stream.finish();
    shown
}

#[test]
fn the_value_stays_out_of_text_and_json() {
    let redactor = redactor(&["abcd", "abcdefgh", "no"]);
    assert_eq!(redactor.redact("x abcdefgh y abcd no"), "x [redacted] y [redacted] no");
    assert_eq!(redactor.redact_json(json!({"k abcd": ["abcd", 1]})), json!({"k [redacted]": ["[redacted]", 1]}));
    assert_eq!(format!("{redactor:?}"), "Redactor(2 values)");
}

#[test]
fn a_number_that_is_the_value_stays_out_of_json() {
    let redactor = redactor(&["123456"]);
    assert_eq!(redactor.redact_json(json!([123_456, 1_234_567])), json!(["[redacted]", 1_234_567]));
}

#[test]
fn white_space_around_the_value_does_not_hide_it() {
    for value in ["hunter2\n", "hunter2\r\n", " hunter2"] {
        assert_eq!(redactor(&[value]).redact("pass=hunter2;"), "pass=[redacted];", "{value:?}");
    }
}

/// A value with everything in it that is written differently somewhere.
const AWKWARD: &str = "k\"e/y+\\é&<'$ 🔑\n%41z";

#[test]
fn the_value_is_known_in_the_forms_that_others_give_it() {
    let json = serde_json::to_string(AWKWARD).unwrap();
    let python = r#"k\"e/y+\\\u00e9&<'$ \ud83d\udd11\n%41z"#;
    for written in [
        json.clone(),
        serde_json::to_string(&json).unwrap(),
        serde_json::to_string(&serde_json::to_string(&json).unwrap()).unwrap(),
        python.to_owned(),
        python.replace('/', r"\/").replace(r"\u00e9", r"\u00E9"),
        "k%22e%2Fy%2B%5C%C3%A9%26%3C%27%24%20%F0%9F%94%91%0A%2541z".to_owned(),
        "k%22e%2fy%2b%5c%c3%a9%26%3c%27%24+%f0%9f%94%91%0d%0a%2541z".to_owned(),
        "k%2522e%252Fy%252B%255C%25C3%25A9%2526%253C%2527%2524%2520%25F0%259F%2594%2591%250A%252541z".to_owned(),
        "k&quot;e/y+\\é&amp;&lt;&#39;$ 🔑\n%41z".to_owned(),
        "k\\\"e/y+\\\\é\\&\\<\\'\\$\\ 🔑\r\n%41z".to_owned(),
        r#"k"e/y+\\\xc3\xa9&<\'$ \xf0\x9f\x94\x91\n%41z"#.to_owned(),
    ] {
        let shown = redactor(&[AWKWARD]).redact(&format!("before {written} after"));
        let rest = shown.replace([' ', '"', '\\'], "");
        assert_eq!(rest, "before[redacted]after", "{written}");
        assert_eq!(streamed(&redactor(&[AWKWARD]), &format!("before {written} after"), 1), shown, "{written}");
    }
}

#[test]
fn the_value_is_known_in_base64_and_hex() {
    let value = "sk-proj-0/+zÿ~~~x9Qé?>";
    let redactor = redactor(&[value]);
    let hex = value.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let pairs: Vec<String> = value.bytes().map(|byte| format!("{byte:02X}")).collect();
    let wrapped = |text: &str, end: &str| {
        text.as_bytes().chunks(8).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join(end)
    };
    let mut written = vec![hex.clone(), hex.to_uppercase(), pairs.join(":"), pairs.join(" "), wrapped(&hex, "\n")];
    for before in ["", "u", "us", "user:"] {
        for after in ["", "\n", "ab", "tail"] {
            let whole = format!("{before}{value}{after}");
            let base64 = STANDARD.encode(&whole);
            written.extend([wrapped(&base64, "\n"), wrapped(&base64, "\r\n"), wrapped(&base64, "\\n")]);
            written.extend([base64.replace('/', "\\/"), base64.replace('/', "%2F").replace('+', "%2b")]);
            written.extend([base64, URL_SAFE_NO_PAD.encode(&whole)]);
        }
    }
    for written in written {
        let text = format!("<{written}>");
        for shown in [redactor.redact(&text), streamed(&redactor, &text, 3)] {
            assert!(shown.contains(REDACTED), "{written}: {shown}");
            // What is left of it says nothing of the value.
            let left = shown.replace(REDACTED, "").len();
            assert!(left <= 20, "{written}: {shown}");
        }
    }
}

#[test]
fn ordinary_text_passes_whole() {
    let redactor = redactor(&["hunter2", AWKWARD, "abcd", "0000"]);
    for text in ["", "a hunter", "%", "\\", "100 % \\o/ &amp; +1 k\"e/y", "YWJj", "61 62 63", "abc d", "\\u0061bc", "é"]
    {
        assert_eq!(redactor.redact(text), text);
        assert_eq!(streamed(&redactor, text, 1), text);
    }
}

#[test]
fn a_value_in_two_pieces_is_still_taken_out() {
    let mut stream = RedactedStream::new(redactor(&["hunter2"]));
    let mut shown = String::new();
    for piece in ["pass ", "hun", "ter", "2 hunter", " and hunt"] {
        shown += &stream.push(piece);
    }
    shown += &stream.finish();
    assert_eq!(shown, "pass [redacted] hunter and hunt");
}

#[test]
fn nothing_of_a_value_is_left_where_a_text_is_cut() {
    let redactor = redactor(&["hunter2-and-more"]);
    for written in ["hunter2-and-more", "hunter2%2Dand%2dmore", &STANDARD.encode("hunter2-and-more")] {
        for end in 1..written.len() {
            let cut = format!("key: {}", &written[..end]);
            // Three letters say nothing, and are the end of many a text.
            let expected = if end < 4 { cut.as_str() } else { "key: [redacted]" };
            assert_eq!(redactor.redact_cut(&cut), expected);
            let mut stream = RedactedStream::new(redactor.clone());
            let mut shown = stream.push(&cut);
            stream.cut();
            shown += &stream.finish();
            assert!(["key: ", "key: [redacted]"].contains(&shown.as_str()), "{cut}: {shown}");
        }
    }
}

#[test]
fn what_nothing_is_held_back_of_comes_at_once() {
    let mut stream = RedactedStream::new(redactor(&["hunter2"]));
    assert_eq!(stream.push("plain text, no beginning of it "), "plain text, no beginning of it ");
    assert_eq!(stream.push("hunt"), "");
    assert_eq!(stream.push("ing season"), "hunting season");
}

/// A value of many backslashes could be read in very many ways: it is still a matter of moments.
#[test]
fn a_value_that_can_be_read_in_many_ways_is_found() {
    let value = "\\".repeat(300);
    let shown = redactor(&[&value]).redact(&format!("x{}y", "\\".repeat(700)));
    assert!(shown.contains(REDACTED) && shown.starts_with('x') && shown.ends_with('y'), "{shown}");
}

proptest! {
    #[test]
    fn a_stream_shows_what_the_whole_text_would(text in "[a-cA-C0-2%\\\\=&+ \n]{0,40}", length in 1usize..9) {
        let redactor = redactor(&["abca", "a%b c", "cc\\b"]);
        let shown = streamed(&redactor, &text, length);
        prop_assert!(!["abca", "a%b c", "cc\\b"].iter().any(|value| shown.contains(value)), "{}", shown);
        prop_assert_eq!(shown.contains(REDACTED), redactor.redact(&text).contains(REDACTED));
    }
}
