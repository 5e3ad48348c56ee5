use proptest::prelude::*;

use super::*;

fn parts(text: &str, form: AnswerForm) -> (String, String) {
    let Split { answer, thinking } = split(text, form);
    (answer.trim().to_owned(), thinking)
}

fn of(answer: &str, thinking: &str) -> (String, String) {
    (answer.to_owned(), thinking.to_owned())
}

#[test]
fn thoughts_go_apart_in_every_dress_that_models_give_them() {
    for (text, answer, thinking) in [
        ("<think>hm</think>ok", "ok", "hm"),
        ("\n <think>\nhm, <b>\n</think>\n\nok", "ok", "hm, <b>"),
        ("<Think>hm</THINK>ok", "ok", "hm"),
        ("<thinking>hm</thinking>ok", "ok", "hm"),
        ("<thought>hm</thought>\nok", "ok", "hm"),
        ("<seed:think>hm</seed:think>ok", "ok", "hm"),
        ("[THINK]hm[/THINK]ok", "ok", "hm"),
        ("◁think▷hm◁/think▷ok", "ok", "hm"),
        ("<|channel>thought\nhm<channel|>ok", "ok", "hm"),
        ("<think></think>\n\nok", "ok", ""),
        ("hm, \"well\n</think>\n\nok", "ok", "hm, \"well"),
        ("{\"s\": \"draft\"} or so</think>{\"s\": \"final\"}", "{\"s\": \"final\"}", "{\"s\": \"draft\"} or so"),
        ("<think>a</think>\n<think>b</think>\nok", "ok", "a\n\nb"),
        ("<think>a<think>b</think>c</think>ok", "ok", "a<think>b\n\nc"),
        ("one\n<think>hm</think>\ntwo", "one\n\ntwo", "hm"),
        ("<think>only", "", "only"),
        ("<think>only <", "", "only <"),
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>ok<|return|>",
            "ok",
            "hm",
        ),
        ("<|channel|>analysis\nhm\n<|channel|>final\nok", "ok", "hm"),
        (
            "<|start|>assistant<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>b<|end|><|start|>assistant<|channel|>final<|message|>ok",
            "ok",
            "a\n\nb",
        ),
        ("<|channel|>analysis<|message|>cut", "", "cut"),
        ("<|channel|>final <|constrain|>json<|message|>{\"a\": 1}<|end|>", "{\"a\": 1}", ""),
    ] {
        for form in [AnswerForm::Prose, AnswerForm::Json] {
            assert_eq!(parts(text, form), of(answer, thinking), "{text} {form:?}");
        }
    }
}

#[test]
fn a_value_is_found_whatever_thoughts_are_around_it() {
    for (text, answer) in [
        ("<think>{\"s\":\"draft\"}</think>{\"s\":\"final\"}", "{\"s\":\"final\"}"),
        ("Sure! <think>{\"s\":\"draft\"}</think> {\"s\":\"final\"}", "Sure!  {\"s\":\"final\"}"),
        ("{\"s\":\"final\"} <think>{\"s\":\"draft\"}</think>", "{\"s\":\"final\"}"),
        ("{\"draft\": [1, 2</think>[3]", "[3]"),
    ] {
        assert_eq!(parts(text, AnswerForm::Json).0, answer, "{text}");
    }
}

#[test]
fn text_that_speaks_of_such_tags_is_left_alone() {
    for text in [
        r#"{"s": "a <think> b </think> c"}"#,
        r#"{"s": "</think>"}"#,
        r#"{"s": "he said \"<think>\" </think>"}"#,
        r#"{"s": "he said "<think>" and </think>"}"#,
        r#"["<think>", "</think>"]"#,
        r#"[{"s": ["</think>"]}, "<thought>x</thought>"]"#,
        r"{'s': 'it\'s </think>, it's <think>'}",
        "```json\n{\"s\": \"</think>\"}\n```",
        r#"Here it is: {"s": "<think>x</think>"}"#,
        r#"{"s": "cut <think> "#,
        r#"{"a": true, "s": "<|channel|>analysis<|message|>x"}"#,
    ] {
        for form in [AnswerForm::Prose, AnswerForm::Json] {
            assert_eq!(parts(text, form), of(text.trim(), ""), "{text} {form:?}");
        }
    }
    for text in [
        "Use `<think>` and `</think>` around it.",
        "Models write <think> before they answer.",
        "Models write <think> and more.\nThen they answer.",
        "They write <think>…</think> before they answer. Then they do.",
        "The tag </think> ends it.",
        "It ends with </think>, and \"</think>\" is (</thought>) a tag.",
        "Close it with </think>",
        "Close it with [/THINK].",
        "```xml\n<think>\nhm\n</think>\n```",
        "The tags:\n<think> begins it.",
        "A list [THINKING] and < b, a <thin line, ◁ and <|channel|>.",
        "a <",
        "``a ` <think>`` b </b>",
    ] {
        assert_eq!(parts(text, AnswerForm::Prose), of(text, ""), "{text}");
    }
}

#[test]
fn a_closing_tag_in_prose_ends_thoughts_where_it_is_no_word_of_a_line() {
    for (text, answer, thinking) in [
        ("hm</think>The sea.", "The sea.", "hm"),
        ("hm.\n</think>\n\nThe sea.", "The sea.", "hm."),
        ("hm. </think>\nThe sea.", "The sea.", "hm."),
        ("hm. </think>The sea.", "The sea.", "hm."),
        ("hm</think> The sea.", "The sea.", "hm"),
        ("<think>x</think>The tag </think> ends it.", "The tag </think> ends it.", "x"),
        ("<think>x</think>\n</think>\nThe sea.", "The sea.", "x"),
    ] {
        assert_eq!(parts(text, AnswerForm::Prose), of(answer, thinking), "{text}");
        for size in 1..4 {
            let split = in_pieces(text, AnswerForm::Prose, size);
            assert_eq!((split.answer.as_str(), split.thinking.as_str()), (answer, thinking), "{text} by {size}");
        }
    }
}

fn in_pieces(text: &str, form: AnswerForm, size: usize) -> Split {
    let mut splitter = ThoughtSplitter::new(form);
    let mut split = Split::default();
    let chars: Vec<char> = text.chars().collect();
    for piece in chars.chunks(size) {
        for found in splitter.push(&piece.iter().collect::<String>()) {
            split.take(found);
        }
    }
    splitter.finish().into_iter().for_each(|piece| split.take(piece));
    Split { thinking: split.thinking.trim().to_owned(), ..split }
}

#[test]
fn what_streams_is_never_more_than_a_tag_behind() {
    let mut splitter = ThoughtSplitter::new(AnswerForm::Prose);
    assert_eq!(splitter.push("<think>"), []);
    assert_eq!(splitter.push("hm"), [Piece::Thought("hm".into())]);
    assert_eq!(splitter.push("</thi"), []);
    assert_eq!(splitter.push("nk>\nok"), [Piece::Answer("ok".into())]);
    assert_eq!(splitter.push(" and 1 < 2"), [Piece::Answer(" and 1 < 2".into())]);
    let mut lone = ThoughtSplitter::new(AnswerForm::Prose);
    assert_eq!(lone.push("hm"), [Piece::Answer("hm".into())]);
    assert_eq!(lone.push("</think>ok"), [Piece::AllWasThought, Piece::Answer("ok".into())]);
}

/// Text with everything that is special to the reader in it.
fn rough() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "<think>",
        "</think>",
        "<thi",
        "[THINK]",
        "[/THINK]",
        "<|channel|>",
        "analysis",
        "final",
        "<|message|>",
        "<|end|>",
        "<|start|>",
        "{\"a\": \"",
        "\"}",
        "'",
        "\\",
        "`",
        "```",
        "\n",
        "\n\n",
        " ",
        "word",
        "[1, ",
        "]",
        "◁think▷",
    ]);
    let part = prop_oneof![4 => special.prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn where_the_stream_is_cut_makes_no_difference(text in rough(), size in 1usize..9, prose in any::<bool>()) {
        let form = if prose { AnswerForm::Prose } else { AnswerForm::Json };
        prop_assert_eq!(in_pieces(&text, form, size), split(&text, form));
    }

    #[test]
    fn text_without_a_tag_comes_back_as_it_was(text in "[^<\\[◁]{0,60}") {
        prop_assert_eq!(split(&text, AnswerForm::Prose), Split { answer: text, thinking: String::new() });
    }

    #[test]
    fn no_string_of_a_value_is_changed(text in any::<String>(), tag in prop::sample::select(vec!["<think>", "</think>", "[THINK]"])) {
        let value = serde_json::json!({"a": [format!("{text}{tag}{text}"), {"b": format!("{tag}{text}")}]}).to_string();
        for form in [AnswerForm::Prose, AnswerForm::Json] {
            prop_assert_eq!(split(&value, form), Split { answer: value.clone(), thinking: String::new() });
        }
    }
}
