use proptest::prelude::*;

use super::*;

fn deliver(title: &str, body: &str, text: &str) -> Turn {
    Turn::Deliver { title: title.into(), body: body.into(), text: text.into() }
}

fn ask(text: &str, missing: &[&str]) -> Turn {
    Turn::Ask { text: text.into(), missing: missing.iter().map(|name| (*name).to_owned()).collect() }
}

fn streamed(reply: &str, chunk: usize) -> String {
    let chars: Vec<char> = reply.chars().collect();
    let mut live = StreamedReply::new(false);
    chars.chunks(chunk).map(|chunk| live.push(&chunk.iter().collect::<String>())).collect()
}

#[test]
fn an_object_of_something_else_is_shown_as_it_came() {
    let reply = r#"{"value": "Roses are red"}"#;
    assert_eq!(read(reply, false), Turn::Deliver { title: "".into(), body: reply.into(), text: "".into() });
    assert!(read("  ", false).is_empty());
}

#[test]
fn whatever_way_a_model_answers_the_turn_is_read_and_shown_as_plain_text() {
    let delivered =
        r#"{"kind": "deliver", "title": "Friday", "body": "Hi Ana,\n\nsee you \"then\".", "text": "", "missing": []}"#;
    let friday = deliver("Friday", "Hi Ana,\n\nsee you \"then\".", "");
    let shown = "Friday\n\nHi Ana,\n\nsee you \"then\".";
    for (reply, turn, seen) in [
        (delivered.to_owned(), friday.clone(), shown),
        (format!("```json\n{delivered}\n```"), friday.clone(), shown),
        (format!("```\n{delivered}\n```\nAnything else?"), friday.clone(), shown),
        (format!(r#"{{"reply": {delivered}}}"#), friday.clone(), shown),
        (format!("[{delivered}]"), friday.clone(), "[\n\nFriday\n\nHi Ana,\n\nsee you \"then\"."),
        (delivered.replace("\", \"text", "\n\", \"text"), friday.clone(), shown),
        (delivered.replace("\\\"", "\""), friday.clone(), shown),
        (delivered.split("\", \"text").next().unwrap().to_owned(), friday, "Friday\n\nHi Ana,\n\nsee you \"then\"."),
        (
            r#"{"kind":"ask","title":"","body":"","text":"Who is it for?","missing":["recipient"]}"#.to_owned(),
            ask("Who is it for?", &["recipient"]),
            "Who is it for?",
        ),
        (
            r#"{"text":"Who?","missing":"recipient, day","kind":"ask"}"#.to_owned(),
            ask("Who?", &["recipient", "day"]),
            "Who?",
        ),
        (r#"{"text":"Who?"}"#.to_owned(), ask("Who?", &[]), "Who?"),
        (
            r#"{"text":"I assumed Friday.","kind":"deliver","title":"T","body":"B"}"#.to_owned(),
            deliver("T", "B", "I assumed Friday."),
            "T\n\nB",
        ),
        ("TITLE: Friday\n\nHi Ana".to_owned(), deliver("Friday", "Hi Ana", ""), "Friday\n\nHi Ana"),
        ("**Subject:** Friday\nBODY: Hi Ana".to_owned(), deliver("Friday", "Hi Ana", ""), "Friday\n\nHi Ana"),
        (
            "# Friday\n\n## When\n\n# Ten".to_owned(),
            deliver("Friday", "## When\n\n# Ten", ""),
            "Friday\n\n## When\n\n# Ten",
        ),
        (
            "Sure, here it is:\n\nSubject: Friday\n\nHi".to_owned(),
            deliver("Friday", "Hi", ""),
            "Sure, here it is:\n\nFriday\n\nHi",
        ),
        (
            "ASK: Who is it for?\nMISSING: recipient, day".to_owned(),
            ask("Who is it for?", &["recipient", "day"]),
            "Who is it for?",
        ),
        ("Who is it for?".to_owned(), ask("Who is it for?", &[]), "Who is it for?"),
        (
            "Hi Ana,\ntitle: is a word\nhere.".to_owned(),
            deliver("is a word", "here.", ""),
            "Hi Ana,\n\nis a word\n\nhere.",
        ),
        (
            "Hi Ana, use {x} and `{\n}`.".to_owned(),
            deliver("", "Hi Ana, use {x} and `{\n}`.", ""),
            "Hi Ana, use {x} and `{\n}`.",
        ),
        (
            r#"{'kind': 'deliver', 'title': 'It\'s Friday', 'body': 'Hi Ana,\n\nit's the dogs', she said "now".', 'text': '', 'missing': []}"#
                .to_owned(),
            deliver("It's Friday", "Hi Ana,\n\nit's the dogs', she said \"now\".", ""),
            "It's Friday\n\nHi Ana,\n\nit's the dogs', she said \"now\".",
        ),
        (
            "```python\n{'kind': 'ask', 'text': 'Who is it for?', 'missing': ['recipient', \"day\",],}\n```".to_owned(),
            ask("Who is it for?", &["recipient", "day"]),
            "Who is it for?",
        ),
        (
            "{“kind”: “deliver”, “title”: “Friday”, “body”: “Hi”}".to_owned(),
            deliver("Friday", "Hi", ""),
            "Friday\n\nHi",
        ),
        (
            r#"{"kind":"deliver","title":"x","body":"cut \ud83d","text":""}"#.to_owned(),
            deliver("x", "cut \u{fffd}", ""),
            "x\n\ncut \u{fffd}",
        ),
        (
            r#"{"kind":"deliver","title":"Mañana","body":"\ud83d\ude80 \u00e9 \ud83d x","text":"","missing":[]}"#
                .to_owned(),
            deliver("Mañana", "🚀 é \u{fffd} x", ""),
            "Mañana\n\n🚀 é \u{fffd} x",
        ),
    ] {
        assert_eq!(read(&reply, false), turn, "{reply}");
        assert_eq!(streamed(&reply, 3), seen, "{reply}");
    }
}

#[test]
fn a_document_in_plain_text_may_hold_json() {
    let body = format!("{}\n\n{{\"kind\": \"ask\", \"text\": \"x\"}}", "How to ask. ".repeat(40));
    let reply = format!("# Manual\n{body}");
    assert_eq!(read(&reply, false), deliver("Manual", &body, ""));
    assert_eq!(read(&body, false), deliver("", &body, ""));
}

#[test]
fn a_reply_that_broke_off_at_its_beginning_is_empty() {
    for reply in ["", "  \n", "{", "{\"ki", "```json\n{", r#"{"kind":"deliver","title":"Fri"#] {
        assert!(read(reply, false).is_empty(), "{reply}");
    }
    assert!(read(" ", true).is_empty());
    assert!(!read(r#"{"kind":"ask","missing":["day"]}"#, false).is_empty());
}

#[test]
fn what_the_model_is_shown_of_its_turns_reads_back_as_those_turns() {
    for turn in [ask("Who?", &["recipient"]), deliver("T", "B\n\nC", "r")] {
        assert_eq!(read(&written(&turn), false), turn);
    }
    let say = Turn::Say { text: "Hello".into() };
    assert_eq!(read(&written(&say), true), say);
}

#[test]
fn a_plain_chat_says_what_it_says() {
    assert_eq!(read(" {\"kind\": \"ask\"} ", true), Turn::Say { text: "{\"kind\": \"ask\"}".into() });
    assert_eq!(StreamedReply::new(true).push("# {\"a"), "# {\"a");
}

#[test]
fn the_protocol_names_what_is_needed_and_what_is_delivered() {
    use crate::core::task::{Delivery, Need};
    let mut task = Instruct::default();
    assert_eq!(protocol(&task, None, Wording::Current), "");
    task.needs.push(Need { name: "recipient".into(), description: "who it is for".into() });
    task.result =
        Some(Delivery { title: "the subject line".into(), body: "the message".into(), ..Delivery::default() });
    let text = protocol(&task, None, Wording::Current);
    for part in ["- recipient: who it is for", "The title: the subject line", "The body: the message", "\"missing\""] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let schema = schema();
    for name in schema["properties"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"{name}\"")), "{name}");
    }
}

#[test]
fn a_schema_names_what_can_be_missing_and_who_wants_no_question_gets_none() {
    use crate::core::task::Need;
    let needs = ["recipient", "day"].map(|name| Need { name: name.into(), description: "…".into() });
    assert_eq!(schema_of(&[], false, None), schema());
    let asks = schema_of(&needs, false, None);
    assert_eq!(asks["properties"]["missing"]["items"]["enum"], json!(["recipient", "day"]));
    let delivers = schema_of(&needs, true, None);
    assert_eq!(delivers["properties"]["kind"]["enum"], json!(["deliver"]));
    assert_eq!(delivers["required"], json!(["kind", "title", "body", "text"]));
    for schema in [&asks, &delivers] {
        let properties: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(json!(properties), schema["required"], "every field is required");
    }
    for message in [WRITE_IT_ANYWAY, "write it anyway", " Write it ANYWAY, please"] {
        assert!(is_write_it_anyway(message), "{message}");
    }
    for message in ["Do not write it anyway", "Write", "", "écrivez-le tout de même"] {
        assert!(!is_write_it_anyway(message), "{message}");
    }
}

#[test]
fn a_long_stream_is_shown_in_pieces_no_longer_than_what_arrived() {
    let mut live = StreamedReply::new(false);
    live.push(r#"{"kind":"deliver","title":"T","body":"B"#);
    let mut total = 0;
    for _ in 0..20_000 {
        let new = live.push("word and ");
        assert!(new.len() <= 9);
        total += new.len();
    }
    assert_eq!(total, 20_000 * 9 - 1);
}

/// Text with everything that is special to the reader in it.
fn rough() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            any::<String>(),
            Just("{\"kind\":\"ask\",\"text\":\"".to_owned()),
            Just("\"title\": ".to_owned()),
            Just("\",\"body\":\"\\n\\ud83d".to_owned()),
            Just("\\ude80\\".to_owned()),
            Just("\"}".to_owned()),
            Just("\n```json\n{".to_owned()),
            Just("\nTITLE: **x**\n".to_owned()),
            Just("\nmissing: a".to_owned()),
            Just("# ".to_owned()),
        ],
        0..12,
    )
    .prop_map(|parts| parts.concat())
}

#[test]
fn a_body_that_is_a_list_of_texts_is_read_and_shown_as_one_with_blank_lines_between() {
    for reply in [
        r####"{"kind": "deliver", "title": "Ideas", "body": ["### 1. One\n\nDo it.\n", "### 2. Two"], "text": "", "missing": []}"####,
        r####"{"kind":"deliver","title":"Ideas","text":"","missing":[],"body":["### 1. One\n\nDo it.","### 2. Two"]}"####,
        r####"{"kind":"deliver","title":"Ideas","body":["### 1. One\n\nDo it.","### 2. Two"####,
    ] {
        let body = "### 1. One\n\nDo it.\n\n### 2. Two";
        assert_eq!(read(reply, false), deliver("Ideas", body, ""), "{reply}");
        for chunk in [1, 7, usize::MAX >> 1] {
            assert_eq!(streamed(reply, chunk), format!("Ideas\n\n{body}"), "{reply}");
        }
    }
    // What comes after the list is no part of it, and a second body does not count.
    let more = r#"{"kind":"deliver","title":"T","body":["a"],"text":"Remark.","body":"b"}"#;
    assert_eq!(read(more, false), deliver("T", "a", "Remark."));
}

#[test]
fn counted_parts_are_in_the_schema_and_nothing_can_be_asked_then() {
    let counted = schema_of(&[], false, Some(4));
    let body = &counted["properties"]["body"];
    assert_eq!((&body["minItems"], &body["maxItems"]), (&json!(4), &json!(4)));
    assert_eq!(counted["properties"]["kind"]["enum"], json!(["deliver"]));
    assert!(jsonschema::is_valid(
        &counted,
        &json!({ "kind": "deliver", "title": "t", "body": ["a", "b", "c", "d"], "text": "" })
    ));
    assert!(!jsonschema::is_valid(
        &counted,
        &json!({ "kind": "deliver", "title": "t", "body": ["a", "b", "c"], "text": "" })
    ));
}

proptest! {
    #[test]
    fn any_split_of_a_reply_shows_the_same(reply in rough(), chunk in 1usize..9) {
        prop_assert_eq!(streamed(&reply, chunk), streamed(&reply, usize::MAX >> 1));
    }

    #[test]
    fn nothing_makes_the_reader_fail(reply in rough()) {
        let _ = read(&reply, false);
        let _ = read(&reply, true);
    }

    #[test]
    fn a_delivery_as_json_is_read_and_shown_word_for_word(
        title in "[^\\s\\p{C}\"]{1,20}",
        body in "[^\\s\\p{C}\"]{1,9}([^\\p{C}]|\\n){0,60}[^\\s\\p{C}\"]{1,9}",
        pretty in any::<bool>(),
    ) {
        let reply = json!({ "kind": "deliver", "title": title, "body": body, "text": "", "missing": [] });
        let reply = if pretty { serde_json::to_string_pretty(&reply) } else { serde_json::to_string(&reply) }.unwrap();
        prop_assert_eq!(read(&reply, false), deliver(&title, body.trim(), ""));
        prop_assert_eq!(streamed(&reply, 2), format!("{title}\n\n{}", body.trim()));
    }
}
